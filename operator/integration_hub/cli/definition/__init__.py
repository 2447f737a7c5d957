"""`hub definition`: checks for authors of definitions."""
