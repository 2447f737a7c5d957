"""Guided forms: what is asked of a person, in which order, and the manifests that the answers make. Pure."""
