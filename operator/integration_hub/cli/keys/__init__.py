"""`hub keys`: the keys that seal what the operator obtains."""
