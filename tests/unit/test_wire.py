"""Reading the API server's JSON: whatever a user nests, the other objects are read."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.adapters.wire import MAX_DEPTH, parsed

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda below: st.lists(below) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), below),
)


@given(JSON)
def test_what_is_not_too_deep_is_read_as_it_is(value: object) -> None:
    assert parsed(orjson.dumps(value)) == value


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 254, 255, 1023, 1024, 10_000])
@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_what_is_too_deep_is_replaced_and_its_neighbours_are_kept(
    levels: int, opening: bytes, closing: bytes
) -> None:
    deep = opening * levels + b"1" + closing * levels
    value = parsed(b'{"items":[{"name":"before"},' + deep + b',{"name":"after }]{[ \\" "}],"last":[]}')
    assert value["items"][0] == {"name": "before"}
    assert value["items"][2] == {"name": 'after }]{[ " '}
    assert value["last"] == []
    orjson.dumps(value)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b'{"a":', b"[" * 2000, b'{"a":"' + b"\\" * 5001, b"]" * 2000]
)
def test_what_is_no_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        parsed(content)


def test_brackets_in_texts_are_no_levels() -> None:
    value = {"a": "[{" * 5000, "b": 2**70 / 1}
    assert parsed(orjson.dumps(value)) == value
