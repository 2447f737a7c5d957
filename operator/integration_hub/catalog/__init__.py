"""The catalog: what a definition and its simulated vendor are as files, and what can be said of them. No I/O."""
