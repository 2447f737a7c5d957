"""A record sealed: fields under a data key of their own, and the data key wrapped by the keyring.

The data of the Secret that holds it: `envelope`, which is JSON (format, number and check of the wrapping key, names of
the fields, the wrapped data key), and beside it one sealed value for each field. Associated data ties each to its
place, so nothing opens that was copied from elsewhere, put under another name, left out, added, or kept from an older
write.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from integration_hub.credentials.envelope import (
    KEY_BYTES,
    NONCE_BYTES,
    AlteredError,
    Random,
    associated,
    opened,
    seal,
)
from integration_hub.credentials.keyring import Keyring, name_of

ENVELOPE: Final = "envelope"
"""Name of the entry that is no field."""
FORMAT: Final = 1

_CONTEXT: Final = "integrationhub.dev/credential"
_FIELD: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)
_CHECK: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)
_MOST: Final = 10**9
"""Formats and keys have smaller numbers."""
_MEMBERS: Final = frozenset({"format", "key", "check", "fields", "dataKey"})


class Unreadable(StrEnum):
    """Why a record does not open."""

    UNKNOWN_KEY = "unknown-key"
    """The key that wraps it is not in the keyring: restore it, or obtain new credentials."""
    ALTERED = "altered"
    """It is not what was written here: copied from elsewhere, or changed."""
    MALFORMED = "malformed"
    """There is no envelope that could be read."""
    UNKNOWN_FORMAT = "unknown-format"
    """Written by another version of this program."""
    FIELDS = "fields"
    """A field is missing, or there is one more than was sealed."""


class UnreadableError(Exception):
    """A record does not open. The message says what is wrong with it, and shows nothing of what is in it."""

    def __init__(self, kind: Unreadable, message: str) -> None:
        """`kind` is for decisions, `message` for people."""
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Binding:
    """The one place where a record opens: its Secret's namespace and name, and the UID of whose it is."""

    namespace: str
    name: str
    uid: str


class Wrapping(NamedTuple):
    """The key that a record says it is under."""

    number: int
    check: str
    """As `Keyring.check` gives it: another key may have had the number before."""


class _Envelope(NamedTuple):
    """The entry `envelope`, read."""

    key: int
    check: str
    fields: tuple[str, ...]
    data_key: bytes
    """Wrapped."""


def seal_fields(
    fields: Mapping[str, bytes], binding: Binding, keyring: Keyring, random: Random
) -> dict[str, bytes]:
    """Return the data of the Secret that holds these fields, sealed under a data key that is drawn for this write."""
    if ENVELOPE in fields or not all(map(_FIELD.fullmatch, fields)):
        raise ValueError(f"a field is called like an entry of a Secret, and not '{ENVELOPE}'")
    data_key = random(KEY_BYTES)
    sealed = {
        name: seal(data_key, value, _field_place(binding, name), random(NONCE_BYTES))
        for name, value in fields.items()
    }
    return {ENVELOPE: _wrapped(data_key, fields, binding, keyring, random), **sealed}


def open_fields(data: Mapping[str, bytes], binding: Binding, keyring: Keyring) -> dict[str, bytes]:
    """Return the fields that were sealed for this place.

    Raises:
        UnreadableError: anything of it is not as it was written, or its key is not there.

    """
    envelope = _read(data)
    data_key = _unwrapped(envelope, binding, keyring)
    _refuse_other_fields(envelope, data)
    return {name: _opened_field(data_key, data[name], binding, name) for name in envelope.fields}


def rewrap(
    data: Mapping[str, bytes], binding: Binding, keyring: Keyring, random: Random
) -> dict[str, bytes] | None:
    """Return the data with the same data key under the active key; None where it is under that one already.

    Fields are neither opened nor changed. UnreadableError as in `open_fields`, as far as it concerns the envelope.
    """
    envelope = _read(data)
    if envelope.key == keyring.active and envelope.check == keyring.check(envelope.key):
        return None
    data_key = _unwrapped(envelope, binding, keyring)
    return {**data, ENVELOPE: _wrapped(data_key, envelope.fields, binding, keyring, random)}


def key_number(data: Mapping[str, bytes]) -> int | None:
    """Return the number of the key that the record says it is under; None where it has no envelope to be read."""
    wrapping = wrapping_of(data)
    return wrapping.number if wrapping is not None else None


def wrapping_of(data: Mapping[str, bytes]) -> Wrapping | None:
    """Return which key the record says it is under, by number and check; None as in `key_number`."""
    try:
        envelope = _read(data)
    except UnreadableError:
        return None
    return Wrapping(envelope.key, envelope.check)


# Places: the associated data of all that is sealed


def _place(binding: Binding, *parts: str) -> bytes:
    return associated(_CONTEXT, str(FORMAT), binding.namespace, binding.name, binding.uid, *parts)


def _field_place(binding: Binding, name: str) -> bytes:
    return _place(binding, "field", name)


def _data_key_place(binding: Binding, key: int, check: str, fields: Iterable[str]) -> bytes:
    """Everything that the envelope says belongs to it, so that it cannot say anything else."""
    return _place(binding, "data-key", str(key), check, *fields)


# The envelope


def _wrapped(
    data_key: bytes, fields: Iterable[str], binding: Binding, keyring: Keyring, random: Random
) -> bytes:
    key, names = keyring.active, sorted(fields)
    check = keyring.check(key)
    place = _data_key_place(binding, key, check, names)
    wrapped = seal(keyring.keys[key], data_key, place, random(NONCE_BYTES))
    members = {
        "format": FORMAT,
        "key": key,
        "check": check,
        "fields": names,
        "dataKey": base64.b64encode(wrapped).decode(),
    }
    return json.dumps(members, separators=(",", ":")).encode()


def _unwrapped(envelope: _Envelope, binding: Binding, keyring: Keyring) -> bytes:
    key = envelope.key
    if key not in keyring.keys:
        raise UnreadableError(
            Unreadable.UNKNOWN_KEY,
            f"it is sealed with {name_of(key)}, which the keyring does not have (it has"
            f" {', '.join(map(name_of, keyring.numbers))})",
        )
    if envelope.check != keyring.check(key):
        raise UnreadableError(
            Unreadable.UNKNOWN_KEY,
            f"it is sealed with another {name_of(key)} (check {envelope.check}) than the keyring has now (check"
            f" {keyring.check(key)})",
        )
    place = _data_key_place(binding, key, envelope.check, envelope.fields)
    try:
        return opened(keyring.keys[key], envelope.data_key, place)
    except AlteredError:
        raise UnreadableError(
            Unreadable.ALTERED, "it was changed, or copied from another object, since the operator wrote it"
        ) from None


def _opened_field(data_key: bytes, sealed: bytes, binding: Binding, name: str) -> bytes:
    try:
        return opened(data_key, sealed, _field_place(binding, name))
    except AlteredError:
        raise UnreadableError(
            Unreadable.ALTERED, f"its entry '{name}' was changed, or put there from elsewhere or from before"
        ) from None


def _refuse_other_fields(envelope: _Envelope, data: Mapping[str, bytes]) -> None:
    missing = [name for name in envelope.fields if name not in data]
    added = sorted(set(data) - {ENVELOPE, *envelope.fields})
    if missing or added:
        said = [f"has lost {', '.join(missing)}"] * bool(missing) + [f"has {len(added)} more"] * bool(added)
        raise UnreadableError(
            Unreadable.FIELDS, f"it has other entries than the operator wrote: it {' and '.join(said)}"
        )


def _malformed() -> UnreadableError:
    return UnreadableError(Unreadable.MALFORMED, f"its entry '{ENVELOPE}' is missing or cannot be read")


def _read(data: Mapping[str, bytes]) -> _Envelope:
    try:
        raw: Any = json.loads(data[ENVELOPE])
    except (KeyError, ValueError, RecursionError):
        raise _malformed() from None
    if not isinstance(raw, dict):
        raise _malformed()
    written = raw.get("format")
    if type(written) is int and written != FORMAT and 0 < written < _MOST:
        raise UnreadableError(
            Unreadable.UNKNOWN_FORMAT,
            f"it is written in format {written}, and this version of the operator reads {FORMAT}",
        )
    if set(raw) != _MEMBERS or type(written) is not int or written != FORMAT:
        raise _malformed()
    return _checked(raw)


def _checked(raw: Mapping[str, Any]) -> _Envelope:
    """Return the envelope whose members have the right names. Each is looked at: anybody may have written it."""
    key, check, fields, data_key = raw["key"], raw["check"], raw["fields"], raw["dataKey"]
    if type(key) is not int or not 0 < key < _MOST or not isinstance(data_key, str):
        raise _malformed()
    if not isinstance(check, str) or not _CHECK.fullmatch(check):
        raise _malformed()
    if not isinstance(fields, list) or not all(isinstance(n, str) and _FIELD.fullmatch(n) for n in fields):
        raise _malformed()
    if fields != sorted(set(fields)) or ENVELOPE in fields:
        raise _malformed()
    try:
        return _Envelope(key, check, tuple(fields), base64.b64decode(data_key, validate=True))
    except (binascii.Error, ValueError):
        raise _malformed() from None
