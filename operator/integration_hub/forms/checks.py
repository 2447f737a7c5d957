"""Checks of single answers: what is wrong with a value, in words that end a sentence about it."""

from __future__ import annotations

from typing import Any, Final

from integration_hub.auth.flow import SecretKey
from integration_hub.forms.credentials import value_problem
from integration_hub.forms.question import Check, Choice

MAX_ENTRIES: Final = 50


def key_value(key: SecretKey, secret: str) -> Check:
    """Return the check of the value of a key of the Secret of that name."""
    return lambda value: value_problem(key, str(value), secret_name=secret)


def one_of(options: tuple[Choice, ...]) -> Check:
    """Return the check of one of several choices."""
    known = [str(choice.value) for choice in options]
    return lambda value: None if value in known else f"must be one of: {', '.join(known)}"


def each(check: Check) -> Check:
    """Return the check of a list, each entry of which is checked so."""

    def problem(values: Any) -> str | None:
        if len(values) > MAX_ENTRIES:
            return f"must have at most {MAX_ENTRIES} entries (it has {len(values)})"
        found = ((number, check(value)) for number, value in enumerate(values, start=1))
        return next((f"entry {number} {said}" for number, said in found if said is not None), None)

    return problem


def one_line(most: int) -> Check:
    """Return the check of one line of at most so many characters."""

    def problem(value: Any) -> str | None:
        if not 0 < len(value) <= most:
            return f"must have 1 to {most} characters (it has {len(value)})"
        return None if value.isprintable() else "must be one line without control characters"

    return problem


def scope_problem(value: Any) -> str | None:
    """Return what keeps a value from being an OAuth scope (RFC 6749, 3.3)."""
    is_scope = 0 < len(value) <= 300 and all("!" <= sign <= "~" and sign not in '"\\' for sign in value)  # noqa: PLR2004
    return None if is_scope else "must be one scope, like 'read:user': no spaces, quotes or backslashes"
