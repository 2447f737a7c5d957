"""Reading a Secret's data into credentials. The faults that people make with Secrets are named one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from integration_hub.auth.flow import CredentialProblem, Credentials, SecretKey
from integration_hub.model.reasons import Reason

_MAX_NAMES = 10
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_LINES = re.compile(r"(?!\n|\r\n)[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MIN_LINE: Final = 8
"""Shorter lines of a text are masked with the whole alone: what they give away is little, and they stand anywhere."""

_Faults = Sequence[tuple[Callable[[str], bool], Reason, str]]

_BYTE_ORDER_MARK: Final = (
    lambda value: value.startswith("\ufeff"),
    Reason.SECRET_VALUE_INVALID,
    "starts with a byte order mark; save the file as UTF-8 without BOM",
)

_FAULTS: Final[_Faults] = (
    (
        lambda value: value.endswith(("\n", "\r")),
        Reason.SECRET_LINE_BREAK,
        "ends with a line break, which 'echo' adds",
    ),
    (
        lambda value: "\n" in value or "\r" in value,
        Reason.SECRET_LINE_BREAK,
        "contains a line break",
    ),
    _BYTE_ORDER_MARK,
    (
        lambda value: value != value.strip(),
        Reason.SECRET_WHITESPACE,
        "begins or ends with a space or tab",
    ),
    (
        lambda value: _CONTROL.search(value) is not None,
        Reason.SECRET_VALUE_INVALID,
        "contains a control character",
    ),
)
"""Checked in this order; the first that holds is reported. Each reads after "key 'x' "."""

_FAULTS_IN_LINES: Final[_Faults] = (
    _BYTE_ORDER_MARK,
    (
        lambda value: value.strip("\r\n") != value.strip(),
        Reason.SECRET_WHITESPACE,
        "begins or ends with a space or tab",
    ),
    (
        lambda value: _CONTROL_IN_LINES.search(value) is not None,
        Reason.SECRET_VALUE_INVALID,
        "contains a control character, or a carriage return without a line feed",
    ),
)
"""The same of a text in which line breaks belong, however its lines and the whole end."""


def read_credentials(
    keys: Sequence[SecretKey], data: Mapping[str, bytes], *, secret_name: str
) -> Credentials | CredentialProblem:
    """Return the declared keys as text, or the first problem in the order of `keys`.

    `data` is a Secret's `data`, already base64-decoded. An optional key that is absent or empty is left out.
    Nothing is trimmed or repaired: a value that was stored wrongly for us is stored wrongly for every other
    reader too.
    """
    values: dict[str, str] = {}
    for key in keys:
        raw = data.get(key.name)
        if not raw or (key.multiline and not raw.strip()):
            if key.required:
                return _absent(key, data, secret_name)
            continue
        try:
            value = raw.decode("utf-8")
        except UnicodeDecodeError:
            return _invalid(key, secret_name, Reason.SECRET_VALUE_INVALID, "is not text in UTF-8")
        faults = _FAULTS_IN_LINES if key.multiline else _FAULTS
        fault = next(((reason, words) for holds, reason, words in faults if holds(value)), None)
        if fault is not None:
            return _invalid(key, secret_name, *fault)
        values[key.name] = value
    return Credentials(values, public=frozenset(key.name for key in keys if key.public))


def sensitive_values(credentials: Credentials) -> tuple[str, ...]:
    """Return what `redact_text` must mask in logs while these credentials are in use, longest first."""
    public = (value for name, value in credentials.items() if name in credentials.public)
    return _longest_first((*_secrets(credentials), *public))


def secret_values(credentials: Credentials) -> tuple[str, ...]:
    """Return what must never be shown to anybody: the same, less what is public, like a user name."""
    return _longest_first(_secrets(credentials))


def _secrets(credentials: Credentials) -> Iterator[str]:
    for name, value in credentials.items():
        if name not in credentials.public:
            yield value
            yield from _lines(value)
    tokens = credentials.tokens
    if tokens is not None:
        yield tokens.access_token
        yield tokens.refresh_token or ""


def _lines(value: str) -> Iterator[str]:
    """Yield the lines of a text that has several: of a private key, each alone gives away a part of it."""
    lines = [line.strip() for line in value.split("\n")]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _MIN_LINE and not line.startswith("-----"))


def _longest_first(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}, key=lambda value: (-len(value), value)))


def _absent(key: SecretKey, data: Mapping[str, bytes], secret_name: str) -> CredentialProblem:
    if key.name in data:
        return CredentialProblem(
            Reason.SECRET_KEY_EMPTY,
            f"Secret '{secret_name}': the key '{key.name}' is empty; expected is {_needed(key)}.",
        )
    return CredentialProblem(
        Reason.SECRET_KEY_MISSING,
        f"Secret '{secret_name}' has no key '{key.name}' ({_needed(key)}); {_names(data)}.",
    )


def _needed(key: SecretKey) -> str:
    return key.description.rstrip(".") or "a value"


def _names(data: Mapping[str, bytes]) -> str:
    if not data:
        return "it has no keys at all"
    names = sorted(data)
    more = len(names) - _MAX_NAMES
    shown = ", ".join(f"'{name}'" for name in names[:_MAX_NAMES])
    return f"it has {shown}" + (f" and {more} more" if more > 0 else "")


def _invalid(key: SecretKey, secret_name: str, reason: Reason, fault: str) -> CredentialProblem:
    return CredentialProblem(reason, f"Secret '{secret_name}': the value of the key '{key.name}' {fault}.")
