"""The hands of the decisions: what is known (store), and one reconcile done for real (reconciler)."""
