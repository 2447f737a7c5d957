"""The keyring: what it is read from, the mistakes people make, and that no message or repr shows a key."""

from __future__ import annotations

import base64
import pickle
import re
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.credentials.keyring import (
    Keyring,
    KeyringError,
    new_key,
    new_keyring,
    number_of,
    parse_keyring,
    with_new_key,
    without,
)

ONE, TWO = secrets.token_bytes(32), secrets.token_bytes(32)


def encoded(key: bytes) -> bytes:
    return base64.b64encode(key)


@pytest.mark.parametrize(
    "value",
    [
        ONE,
        encoded(ONE),
        encoded(ONE) + b"\n",
        encoded(ONE) + b"\r\n",
        encoded(ONE).rstrip(b"="),
        base64.urlsafe_b64encode(ONE),
    ],
    ids=["bytes", "base64", "with a newline", "with Windows' newline", "without padding", "for URLs"],
)
def test_a_key_is_32_bytes_or_their_base64(value: bytes) -> None:
    assert parse_keyring({"key-1": value}) == Keyring({1: ONE})


@given(st.binary(min_size=32, max_size=32))
def test_random_bytes_are_read_as_they_are_whatever_they_begin_or_end_with(noise: bytes) -> None:
    # As random bytes are: not typed by anybody, and not one byte again and again.
    key = bytes(range(128, 144)) + noise[:14] + b" \n"
    assert parse_keyring({"key-7": key}).keys == {7: key}


def test_the_highest_number_is_active_and_numbers_are_no_texts() -> None:
    keyring = parse_keyring({"key-9": ONE, "key-10": TWO})
    assert (keyring.active, keyring.numbers) == (10, (9, 10))


TYPED = b"correct horse battery staple 123"
HEX = secrets.token_hex(32).encode()

MISTAKES: dict[str, tuple[dict[str, bytes], str]] = {
    "nothing": ({}, "there is no key: add 'key-1'"),
    "empty": ({"key-1": b"\n"}, "'key-1' is empty"),
    "short": ({"key-1": ONE[:16]}, "'key-1' has 16 bytes, and 32 as they are, or their base64, are wanted"),
    "long": ({"key-1": ONE + b"\n"}, "'key-1' has 33 bytes"),
    "hex": ({"key-1": HEX}, "'key-1' is written in hexadecimal"),
    "hex with a newline": ({"key-1": HEX + b"\n"}, "'key-1' is written in hexadecimal"),
    "hex of 16 bytes": ({"key-1": HEX[:32]}, "'key-1' is written in hexadecimal"),
    "typed": ({"key-1": TYPED}, "'key-1' is text, which somebody could guess"),
    "typed with a newline": ({"key-1": TYPED[:31] + b"\n"}, "'key-1' is text, which somebody could guess"),
    "base64 twice": ({"key-1": encoded(encoded(ONE))}, "'key-1' is encoded in base64 once more"),
    "base64 twice with newlines": (
        {"key-1": encoded(encoded(ONE) + b"\n") + b"\n"},
        "'key-1' is encoded in base64 once more",
    ),
    "base64 of 20 bytes": ({"key-1": encoded(ONE[:20])}, "'key-1' is base64 of another length"),
    "zeros": ({"key-1": bytes(32)}, "'key-1' is no random key"),
    "name without a number": ({"key": ONE}, "'key' is no name of a key: call it 'key-1'"),
    "name of another style": ({"key_1": ONE}, "'key_1' is no name of a key"),
    "capitals": ({"Key-1": ONE}, "'Key-1' is no name of a key"),
    "key zero": ({"key-0": ONE}, "'key-0' is no name of a key"),
    "other digits": ({"key-\u0661": ONE}, "is no name of a key"),
    "key as the name": ({encoded(ONE).decode(): ONE}, "is no name of a key"),
    "same number": ({"key-1": ONE, "key-01": TWO}, "'key-01' and 'key-1' are the same number"),
    "same key": ({"key-1": ONE, "key-2": encoded(ONE)}, "'key-2' is the same key as 'key-1'"),
}


@pytest.mark.parametrize(("data", "words"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_named_and_no_key_is_shown(data: dict[str, bytes], words: str) -> None:
    with pytest.raises(KeyringError, match=re.escape(words)) as refused:
        parse_keyring(data)
    assert shown(str(refused.value), ONE, TWO, TYPED, HEX) == []


def shown(text: str, *keys: bytes) -> list[str]:
    """Return every piece of a key, in any form, that the text has."""
    return [piece for key in keys for piece in pieces(key) if piece in text]


def pieces(key: bytes) -> Iterator[str]:
    for form in (
        key.hex(),
        encoded(key).decode(),
        encoded(encoded(key)).decode(),
        repr(key),
        key.decode("latin-1"),
    ):
        yield from (form[at : at + 10] for at in range(len(form) - 9))


def test_neither_repr_nor_str_nor_pickle_shows_a_key() -> None:
    keyring = Keyring({1: ONE, 12: TWO})
    assert repr(keyring) == str(keyring) == f"{keyring}" == "Keyring(keys=1, 12; active=12)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(keyring)


@pytest.mark.parametrize("keys", [{}, {0: ONE}, {1: ONE[:31]}], ids=["none", "key zero", "short"])
def test_there_is_no_keyring_without_a_good_key(keys: dict[int, bytes]) -> None:
    with pytest.raises(KeyringError):
        Keyring(keys)


def test_what_a_keyring_gives_to_a_secret_is_read_as_the_same_keyring() -> None:
    keyring = with_new_key(new_keyring(secrets.token_bytes), secrets.token_bytes)
    assert parse_keyring(keyring.data()) == keyring
    assert hash(parse_keyring(keyring.data())) == hash(keyring)
    assert keyring != Keyring({1: ONE, 2: TWO})
    assert keyring != "another thing"


def test_a_new_key_gets_the_next_number_even_where_one_in_between_was_taken_away() -> None:
    keyring = with_new_key(without(Keyring({1: ONE, 2: TWO, 5: ONE[::-1]}), 2), secrets.token_bytes)
    assert keyring.numbers == (1, 5, 6)
    assert len(new_key(secrets.token_bytes)) == 32


def test_the_active_key_is_not_taken_away_nor_one_that_is_not_there() -> None:
    keyring = Keyring({1: ONE, 2: TWO})
    assert without(keyring, 1) == Keyring({2: TWO})
    with pytest.raises(KeyringError, match="key-2 is the active key"):
        without(keyring, 2)
    with pytest.raises(KeyringError, match="there is no key-3: there are key-1, key-2"):
        without(keyring, 3)


def test_two_keys_of_one_number_have_different_checks_that_stay() -> None:
    assert Keyring({1: ONE}).check(1) == Keyring({1: ONE, 2: TWO}).check(1) == Keyring({4: ONE}).check(4)
    assert Keyring({1: ONE}).check(1) != Keyring({1: TWO}).check(1)
    assert Keyring({1: bytes(range(32))}).check(1) == "47fe61c1", (
        "it stands in records that are kept for years"
    )


@pytest.mark.parametrize(
    ("name", "number"), [("key-1", 1), ("key-010", 10), ("key-0", None), ("key-", None), ("key-1\n", None)]
)
def test_the_name_of_an_entry_gives_its_number(name: str, number: int | None) -> None:
    assert number_of(name) == number
