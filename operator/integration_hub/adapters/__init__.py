"""What talks to the outside: external systems and the Kubernetes API. Decisions are made in lower layers."""
