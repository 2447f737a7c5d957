"""The keyring: numbered keys, of which the highest seals and all open. It never shows a byte of a key."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from integration_hub.credentials.envelope import KEY_BYTES, Random

HOW_TO_MAKE_ONE: Final = "make one with 'openssl rand -base64 32'"

_NAME: Final = re.compile(r"key-([0-9]{1,9})", re.ASCII)
_HEX: Final = re.compile(rb"[0-9a-fA-F]+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")
_LEAST_DIFFERENT_BYTES: Final = 12
"""Of 32 bytes drawn at random, fewer than this are never seen; of what somebody typed or filled up, they are."""


class KeyringError(Exception):
    """There is no keyring in what was given. The message says which entry is wrong and what to do."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Keyring:
    """Keys by number. The one with the highest number seals what is written; the others only open."""

    keys: Mapping[int, bytes]

    def __post_init__(self) -> None:
        """Refuse what is no keyring: everything else relies on there being an active key."""
        if not self.keys:
            raise KeyringError("a keyring has at least one key")
        if any(number < 1 or len(key) != KEY_BYTES for number, key in self.keys.items()):
            raise KeyringError(f"keys are numbered from 1 on and have {KEY_BYTES} bytes")

    @property
    def active(self) -> int:
        """The number of the key that seals."""
        return max(self.keys)

    @property
    def numbers(self) -> tuple[int, ...]:
        """All numbers, in their order."""
        return tuple(sorted(self.keys))

    def check(self, number: int) -> str:
        """Return eight characters by which two keys of the same number are told apart. They tell nothing of the key."""
        return hashlib.sha256(b"integrationhub.dev/keyring/check\0" + self.keys[number]).hexdigest()[:8]

    def data(self) -> dict[str, bytes]:
        """Return the entries of the Secret that holds this keyring."""
        return {name_of(number): self.keys[number] for number in self.numbers}

    def __eq__(self, other: object) -> bool:
        """Compare the keys themselves: a file or a Secret may have been written again with the same ones."""
        return isinstance(other, Keyring) and dict(self.keys) == dict(other.keys)

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self.numbers)

    def __repr__(self) -> str:
        """Show the numbers and nothing else."""
        return f"Keyring(keys={', '.join(map(str, self.numbers))}; active={self.active})"

    def __reduce__(self) -> str:
        """Refuse to be written anywhere as a whole."""
        raise TypeError("a keyring is not pickled")


def name_of(number: int) -> str:
    """Return the name of a key's entry."""
    return f"key-{number}"


def number_of(name: str) -> int | None:
    """Return the number that an entry's name gives, None where it is no name of a key."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found and int(found[1]) else None


def parse_keyring(data: Mapping[str, bytes]) -> Keyring:
    """Return the keyring that a Secret's data, or the files of a folder, hold.

    Each entry is called 'key-<number>' and holds 32 bytes, as they are or in base64.

    Raises:
        KeyringError: an entry is no key, or there is none.

    """
    keys: dict[int, bytes] = {}
    names: dict[int, str] = {}
    for name in sorted(data):
        number = number_of(name)
        if number is None:
            raise KeyringError(
                f"'{_shown(name)}' is no name of a key: call it 'key-1' or, if there are keys already, by the next"
                " number"
            )
        if number in keys:
            raise KeyringError(f"'{names[number]}' and '{name}' are the same number: keep one of them")
        key = _parse_key(name, data[name])
        same = next((names[other] for other, known in keys.items() if known == key), None)
        if same is not None:
            raise KeyringError(f"'{name}' is the same key as '{same}': a new number needs a new key")
        keys[number], names[number] = key, name
    if not keys:
        raise KeyringError(f"there is no key: add 'key-1'; {HOW_TO_MAKE_ONE}")
    return Keyring(keys)


def new_key(random: Random) -> bytes:
    """Return a key that nobody has seen before."""
    return random(KEY_BYTES)


def new_keyring(random: Random) -> Keyring:
    """Return a keyring of one key."""
    return Keyring({1: new_key(random)})


def with_new_key(keyring: Keyring, random: Random) -> Keyring:
    """Return the keyring with one key more, which is the active one."""
    return Keyring({**keyring.keys, keyring.active + 1: new_key(random)})


def without(keyring: Keyring, number: int) -> Keyring:
    """Return the keyring without a key. KeyringError where it is the active one, or none of its keys."""
    if number not in keyring.keys:
        raise KeyringError(
            f"there is no {name_of(number)}: there are {', '.join(map(name_of, keyring.numbers))}"
        )
    if number == keyring.active:
        raise KeyringError(f"{name_of(number)} is the active key: add another one before you take it away")
    return Keyring({kept: key for kept, key in keyring.keys.items() if kept != number})


_FAULTS: Final[Sequence[tuple[Callable[[bytes], object], str]]] = (
    (lambda text: not text, "is empty"),
    (
        lambda text: _HEX.fullmatch(text) and len(text) in {32, 64},
        f"is written in hexadecimal; 32 bytes as they are, or their base64, are wanted: {HOW_TO_MAKE_ONE}",
    ),
    (
        lambda text: len(_base64((_base64(text) or b"").strip()) or b"") == KEY_BYTES,
        "is encoded in base64 once more: encode it once, or put it below 'stringData'",
    ),
    (
        lambda text: len(text) in {KEY_BYTES - 1, KEY_BYTES} and _is_text(text),
        f"is text, which somebody could guess, and no random bytes: {HOW_TO_MAKE_ONE}",
    ),
    (
        lambda text: _base64(text) is not None,
        f"is base64 of another length than 32 bytes: {HOW_TO_MAKE_ONE}",
    ),
)
"""What an entry that is no key may be. Checked in this order; no words repeat any of it."""


def _parse_key(name: str, value: bytes) -> bytes:
    text = value.strip()
    key = _key_of(value, text)
    if key is None:
        fault = next(
            (words for holds, words in _FAULTS if holds(text)),
            f"has {len(value)} bytes, and 32 as they are, or their base64, are wanted: {HOW_TO_MAKE_ONE}",
        )
        raise KeyringError(f"'{name}' {fault}")
    if len(set(key)) < _LEAST_DIFFERENT_BYTES:
        raise KeyringError(f"'{name}' is no random key, since the same bytes come again: {HOW_TO_MAKE_ONE}")
    return key


def _key_of(value: bytes, text: bytes) -> bytes | None:
    if len(value) == KEY_BYTES and not _is_text(value):
        return value
    decoded = _base64(text)
    return decoded if decoded is not None and len(decoded) == KEY_BYTES else None


def _is_text(value: bytes) -> bool:
    """Tell whether somebody may have typed it. Of 32 bytes drawn at random, one in 10^13 looks so."""
    return value.isascii() and all(char.isprintable() or char.isspace() for char in value.decode())


def _base64(text: bytes) -> bytes | None:
    """Return what the text encodes, in either alphabet, with or without its padding; None where it is no base64."""
    if not _BASE64.fullmatch(text):
        return None
    bare = text.rstrip(b"=")
    if len(bare) % 4 == 1:
        return None
    return base64.b64decode(bare.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(bare) % 4))


def _shown(name: str) -> str:
    """Return a name that is none, cut: somebody may have put the key in its place."""
    return name if len(name) <= KEY_BYTES // 2 else f"{name[:8]}..."
