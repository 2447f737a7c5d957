"""`hub connect` and `hub edit`: the guided way to a connection, on any terminal or without one."""
