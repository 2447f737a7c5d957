"""Configuration: the schema profile, validation, templates in strings, redaction. Pure: no I/O, no clock."""
