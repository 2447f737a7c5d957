"""`hub authorize`: a person's consent to a connection, from the flags to the exit code."""
