"""AES-256-GCM as we use it: against a published vector, and against every single bit that may be another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.credentials.envelope import (
    KEY_BYTES,
    NONCE_BYTES,
    AlteredError,
    associated,
    opened,
    seal,
)

KEY, NONCE, PLACE = bytes(range(32)), bytes(range(12)), b"place"

parts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=5)


def test_the_result_is_the_nonce_and_what_the_specification_of_gcm_gives() -> None:
    # Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation".
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plaintext = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    assert seal(key, plaintext, aad, nonce) == nonce + bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_what_is_sealed_opens_in_its_place(plaintext: bytes, aad: bytes) -> None:
    assert opened(KEY, seal(KEY, plaintext, aad, NONCE), aad) == plaintext


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_any_flipped_bit_refuses() -> None:
    sealed = seal(KEY, b"a token", PLACE, NONCE)
    for bit in range(len(sealed) * 8):
        with pytest.raises(AlteredError):
            opened(KEY, flipped(sealed, bit), PLACE)
    for bit in range(len(PLACE) * 8):
        with pytest.raises(AlteredError):
            opened(KEY, sealed, flipped(PLACE, bit))
    for bit in range(KEY_BYTES * 8):
        with pytest.raises(AlteredError):
            opened(flipped(KEY, bit), sealed, PLACE)


def test_a_part_of_what_was_sealed_refuses() -> None:
    sealed = seal(KEY, b"a token", PLACE, NONCE)
    for length in range(len(sealed)):
        with pytest.raises(AlteredError):
            opened(KEY, sealed[:length], PLACE)


@pytest.mark.parametrize(("key", "nonce"), [(16, NONCE_BYTES), (24, NONCE_BYTES), (KEY_BYTES, 16), (0, 0)])
def test_keys_and_nonces_of_another_size_are_a_mistake_of_the_caller(key: int, nonce: int) -> None:
    with pytest.raises(ValueError, match="a key has 32 bytes and a nonce 12"):
        seal(bytes(key), b"", b"", bytes(nonce))


@given(parts, parts)
def test_two_lists_of_parts_never_give_the_same_bytes(one: list[str], other: list[str]) -> None:
    assert (associated(*one) == associated(*other)) == (one == other)


def test_parts_cannot_be_shifted_over_their_borders() -> None:
    assert associated("ab", "c") != associated("a", "bc") != associated("abc") != associated("abc", "")
