"""Integration Hub: connections to external systems as Kubernetes resources."""

__version__ = "0.1.0"
