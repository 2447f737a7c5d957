"""The Credential Manager: what the operator obtains is sealed, kept and renewed. Pure: `shell` does the I/O."""
