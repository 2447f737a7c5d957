"""Why values of the Secret can never be sent. The sentences name keys and never show a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from integration_hub.auth.flow import Credentials
from integration_hub.auth.oauth2.setup import CLIENT_ID, PRIVATE_KEY, REFRESH, Role, key_of, roles_of
from integration_hub.auth.private_key import key_fault
from integration_hub.auth.signed_token import algorithm_of

_VISIBLE: Final = re.compile(r"[ -~]+")
"""VSCHAR of RFC 6749 appendix A, of which client ids (A.1) and refresh tokens (A.17) consist."""
_NOT_VISIBLE: Final = (
    "contains characters outside of visible ASCII, which none of its kind has (RFC 6749 appendix A)"
)


def credential_problem(settings: Mapping[str, Any], credentials: Credentials) -> str | None:
    """Return what is wrong with the first value that cannot be used."""
    for role in roles_of(settings):
        key = key_of(settings, role)
        fault = _CHECKS[role](settings, credentials.get(key, "")) if role in _CHECKS else None
        if fault is not None:
            return f"The value of the key '{key}' {fault}."
    return None


def _visible(settings: Mapping[str, Any], value: str) -> str | None:
    return None if _VISIBLE.fullmatch(value) else _NOT_VISIBLE


def _private_key(settings: Mapping[str, Any], value: str) -> str | None:
    return key_fault(value, algorithm_of(settings.get("jwt", {})))


_CHECKS: Final[Mapping[Role, Callable[[Mapping[str, Any], str], str | None]]] = {
    CLIENT_ID: _visible,
    REFRESH: _visible,
    PRIVATE_KEY: _private_key,
}
"""A client secret may be anything: it is encoded, or stands in a JSON text."""
