"""AES-256-GCM as this project uses it: a nonce in front, and associated data that can be read in one way only.

Nothing here knows of records or keyrings, and nothing draws its own randomness: nonces are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Random = Callable[[int], bytes]
"""Returns so many bytes that nobody can foresee, like `secrets.token_bytes`."""

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""96 bits, the size that GCM is made for. Drawn at random, for a key that seals a few values and no more."""
TAG_BYTES: Final = 16
_LENGTH_BYTES: Final = 4


class AlteredError(Exception):
    """What was to be opened is not what was sealed, or not with this key, or not for this place."""


def associated(*parts: str) -> bytes:
    """Return the parts as associated data. Each has its length before it, so no two lists give the same bytes."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in encoded)


def seal(key: bytes, plaintext: bytes, aad: bytes, nonce: bytes) -> bytes:
    """Return the nonce and, behind it, the ciphertext with its tag. One nonce is never used twice with a key."""
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes and a nonce {NONCE_BYTES}")
    return nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def opened(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Return what was sealed. AlteredError where any bit of it, of the key or of the associated data is another."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise AlteredError
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
    except InvalidTag:
        raise AlteredError from None
