"""The `hub` command. Imports are lazy: what a command does not need, it does not load."""
