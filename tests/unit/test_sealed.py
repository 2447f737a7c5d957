"""Records sealed: they open where they were written and nowhere else, and say why where they do not."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_hub.credentials.keyring import Keyring, new_keyring, with_new_key, without
from integration_hub.credentials.sealed import (
    ENVELOPE,
    Binding,
    Unreadable,
    UnreadableError,
    key_number,
    open_fields,
    rewrap,
    seal_fields,
)

UID = "0b3c1c2e-5d0f-4c57-9d9b-6a5a7f0c1d11"
HERE = Binding("team-a", f"hub-credential-{UID}", UID)
KEYRING = new_keyring(secrets.token_bytes)
NEWER = with_new_key(KEYRING, secrets.token_bytes)
FIELDS = {"tokens": b'{"accessToken":"canary-a"}', "pending": b"canary-b", "empty": b""}

names = st.text("abcXYZ019-._", min_size=1, max_size=12).filter(lambda name: name != ENVELOPE)


def sealed(fields: Mapping[str, bytes] = FIELDS, keyring: Keyring = KEYRING) -> dict[str, bytes]:
    return seal_fields(fields, HERE, keyring, secrets.token_bytes)


def why_not(
    data: Mapping[str, bytes], binding: Binding = HERE, keyring: Keyring = KEYRING
) -> UnreadableError:
    """Return why it does not open; the message shows nothing of what is in it."""
    with pytest.raises(UnreadableError) as refused:
        open_fields(data, binding, keyring)
    assert "canary" not in str(refused.value)
    return refused.value


@given(st.dictionaries(names, st.binary(max_size=100), max_size=5))
def test_fields_open_where_they_were_sealed(fields: dict[str, bytes]) -> None:
    data = sealed(fields)
    assert open_fields(data, HERE, KEYRING) == fields
    assert open_fields(data, HERE, NEWER) == fields, "older keys open"


def test_nothing_of_a_field_is_seen_and_no_two_writes_share_a_byte_of_it() -> None:
    one, other = sealed(), sealed()
    for name, value in FIELDS.items():
        assert not value or value not in one[name]
        assert one[name][:12] != other[name][:12]
        assert one[name] != other[name]
    assert len({value[:12] for data in (one, other) for name, value in data.items() if name != ENVELOPE}) == 6


def each_bit(value: bytes) -> Iterator[bytes]:
    for bit in range(len(value) * 8):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def test_any_flipped_bit_in_any_value_refuses() -> None:
    data = sealed(keyring=NEWER)
    for name, value in data.items():
        for changed in each_bit(value):
            why_not(data | {name: changed}, keyring=NEWER)


@settings(max_examples=60)
@given(st.data())
def test_any_change_of_a_value_refuses(draw: st.DataObject) -> None:
    data = sealed()
    name = draw.draw(st.sampled_from(sorted(data)))
    value = draw.draw(st.binary(max_size=300).filter(lambda other: other != data[name]))
    why_not(data | {name: value})


@pytest.mark.parametrize(
    "elsewhere",
    [
        Binding("team-b", HERE.name, UID),
        Binding("team-a", "another", UID),
        Binding("team-a", HERE.name, "6f7d9f0e-0000-4c57-9d9b-6a5a7f0c1d11"),
        Binding("team", f"-a{HERE.name}", UID),
    ],
    ids=["namespace", "name", "uid", "border"],
)
def test_a_copied_record_does_not_open_elsewhere(elsewhere: Binding) -> None:
    assert why_not(sealed(), elsewhere).kind == Unreadable.ALTERED


def test_a_field_does_not_open_under_the_name_of_another() -> None:
    data = sealed()
    exchanged = data | {"tokens": data["pending"], "pending": data["tokens"]}
    assert why_not(exchanged).kind == Unreadable.ALTERED
    assert "its entry 'pending' was changed" in str(why_not(data | {"pending": data["tokens"]}))


def test_a_field_of_an_older_write_does_not_open() -> None:
    older, newer = sealed(), sealed({**FIELDS, "tokens": b"newer"})
    assert why_not(newer | {"tokens": older["tokens"]}).kind == Unreadable.ALTERED
    assert why_not(newer | {ENVELOPE: older[ENVELOPE]}).kind == Unreadable.ALTERED


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_missing_is_named(name: str) -> None:
    data = sealed()
    del data[name]
    error = why_not(data)
    assert (error.kind, name in str(error)) == (Unreadable.FIELDS, True)


def test_a_field_that_was_added_is_told() -> None:
    error = why_not(sealed() | {"canary-name": b"x"})
    assert error.kind == Unreadable.FIELDS
    assert "has 1 more" in str(error)


def test_the_envelope_cannot_say_that_a_field_was_never_there() -> None:
    data = sealed()
    raw = json.loads(data[ENVELOPE])
    raw["fields"].remove("pending")
    del data["pending"]
    assert why_not(data | {ENVELOPE: json.dumps(raw).encode()}).kind == Unreadable.ALTERED


def changed_envelope(change: Mapping[str, Any]) -> dict[str, bytes]:
    data = sealed()
    return data | {ENVELOPE: json.dumps(json.loads(data[ENVELOPE]) | change).encode()}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"format": 2}, Unreadable.UNKNOWN_FORMAT),
        ({"format": 2, "more": 1}, Unreadable.UNKNOWN_FORMAT),
        ({"key": 3}, Unreadable.UNKNOWN_KEY),
        ({"check": "00000000"}, Unreadable.UNKNOWN_KEY),
        ({"format": "1"}, Unreadable.MALFORMED),
        ({"format": True}, Unreadable.MALFORMED),
        ({"format": 1.0}, Unreadable.MALFORMED),
        ({"format": 10**30}, Unreadable.MALFORMED),
        ({"format": -1}, Unreadable.MALFORMED),
        ({"more": 1}, Unreadable.MALFORMED),
        ({"key": True}, Unreadable.MALFORMED),
        ({"key": 0}, Unreadable.MALFORMED),
        ({"key": 10**30}, Unreadable.MALFORMED),
        ({"check": 1}, Unreadable.MALFORMED),
        ({"check": "<script>"}, Unreadable.MALFORMED),
        ({"fields": {}}, Unreadable.MALFORMED),
        ({"fields": ["pending", 1]}, Unreadable.MALFORMED),
        ({"fields": ["tokens", "pending", "empty"]}, Unreadable.MALFORMED),
        ({"fields": ["a b"]}, Unreadable.MALFORMED),
        ({"fields": ["envelope"]}, Unreadable.MALFORMED),
        ({"dataKey": None}, Unreadable.MALFORMED),
        ({"dataKey": "no base64!"}, Unreadable.MALFORMED),
        ({"dataKey": "\u00e9"}, Unreadable.MALFORMED),
        ({"dataKey": ""}, Unreadable.ALTERED),
        ({"dataKey": base64.b64encode(bytes(60)).decode()}, Unreadable.ALTERED),
    ],
    ids=str,
)
def test_an_envelope_that_says_something_else_is_refused(change: dict[str, Any], kind: Unreadable) -> None:
    assert why_not(changed_envelope(change)).kind == kind


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b"9" * 5000],
    ids=lambda content: repr(content[:5]),
)
def test_an_envelope_that_is_none_is_malformed(content: bytes) -> None:
    assert why_not(sealed() | {ENVELOPE: content}).kind == Unreadable.MALFORMED
    assert key_number({ENVELOPE: content}) is None


def test_a_secret_that_is_no_record_is_malformed() -> None:
    assert why_not({}).kind == Unreadable.MALFORMED
    assert key_number({}) is None


def test_a_key_that_is_not_in_the_keyring_is_named() -> None:
    error = why_not(sealed(keyring=NEWER), keyring=KEYRING)
    assert error.kind == Unreadable.UNKNOWN_KEY
    assert "sealed with key-2, which the keyring does not have (it has key-1)" in str(error)


def test_a_keyring_that_was_lost_and_made_anew_is_told_from_a_record_that_was_altered() -> None:
    anew = new_keyring(secrets.token_bytes)
    error = why_not(sealed(), keyring=anew)
    assert error.kind == Unreadable.UNKNOWN_KEY
    assert (
        f"another key-1 (check {KEYRING.check(1)}) than the keyring has now (check {anew.check(1)})"
        in str(error)
    )


# Re-wrapping


def test_a_record_is_wrapped_anew_under_the_active_key_and_its_fields_are_not_touched() -> None:
    data = sealed()
    assert key_number(data) == 1
    anew = rewrap(data, HERE, NEWER, secrets.token_bytes)
    assert anew is not None
    assert key_number(anew) == 2
    assert {name: anew[name] for name in FIELDS} == {name: data[name] for name in FIELDS}
    assert open_fields(anew, HERE, without(NEWER, 1)) == FIELDS
    assert rewrap(anew, HERE, NEWER, secrets.token_bytes) is None


@pytest.mark.parametrize(
    ("data", "binding", "keyring", "kind"),
    [
        (lambda: sealed(keyring=NEWER), HERE, KEYRING, Unreadable.UNKNOWN_KEY),
        (sealed, HERE, new_keyring(secrets.token_bytes), Unreadable.UNKNOWN_KEY),
        (sealed, Binding("team-b", HERE.name, UID), NEWER, Unreadable.ALTERED),
        (dict, HERE, NEWER, Unreadable.MALFORMED),
    ],
    ids=["key lost", "keyring made anew", "copied", "no record"],
)
def test_what_does_not_open_is_not_wrapped_anew(
    data: Callable[[], dict[str, bytes]], binding: Binding, keyring: Keyring, kind: Unreadable
) -> None:
    with pytest.raises(UnreadableError) as refused:
        rewrap(data(), binding, keyring, secrets.token_bytes)
    assert refused.value.kind == kind


@pytest.mark.parametrize("name", [ENVELOPE, "", "a/b", "a b", "a\n"])
def test_a_field_that_no_secret_could_hold_is_a_mistake_of_the_caller(name: str) -> None:
    with pytest.raises(ValueError):
        sealed({name: b""})


def test_randomness_is_asked_for_once_for_each_key_and_nonce() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return secrets.token_bytes(count)

    data = seal_fields(FIELDS, HERE, KEYRING, random)
    assert sorted(asked) == [12, 12, 12, 12, 32]
    rewrap(data, HERE, NEWER, random)
    assert asked[5:] == [12], "the data key stays"
