"""`hub test`: tests of a connection by hand."""
