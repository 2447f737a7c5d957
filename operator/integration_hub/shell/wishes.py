"""Wishes: annotations of an instance by which a person asks the operator for something, once."""

from __future__ import annotations

import secrets
import time


def new_request() -> str:
    """Return the value of an annotation that nobody has used."""
    return f"{int(time.time())}-{secrets.token_hex(4)}"
