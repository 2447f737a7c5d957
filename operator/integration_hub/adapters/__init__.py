"""What talks to the outside: the Kubernetes API, external systems over HTTPS. Nothing here decides what a result means."""
