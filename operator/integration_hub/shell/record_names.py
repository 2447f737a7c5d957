"""What Secrets are called in which the operator keeps what it obtained."""

from __future__ import annotations

RECORD_PREFIX = "hub-credential-"


def record_name(uid: str) -> str:
    """Return the name of the Secret that holds an instance's record, by the instance's UID."""
    return RECORD_PREFIX + uid


def uid_of_record(name: str) -> str | None:
    """Return the UID of the instance whose record a Secret of that name is, None where it is none."""
    return name.removeprefix(RECORD_PREFIX) if name.startswith(RECORD_PREFIX) else None
