"""The smallest JSON merge patch (RFC 7386) from one object to another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.shell.merge_patch import merge_patch

# Statuses hold no null: what is absent is left out.
scalars = st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b"])
names = st.sampled_from(["a", "b", "c", "d"])
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4)


def apply(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply(result.get(name), value)
    return result


def leaves(patch: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of what a patch says."""
    found: list[tuple[str, ...]] = []
    for name, value in patch.items():
        below = leaves(value, (*path, name)) if isinstance(value, dict) and value else []
        found += below or [(*path, name)]
    return found


def without(patch: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {name: value for name, value in patch.items() if name != first}
    return {name: without(value, tuple(rest)) if name == first else value for name, value in patch.items()}


def typed(value: Any) -> Any:
    """The value with types told apart that Python holds equal: in JSON, true is not 1."""
    if isinstance(value, dict):
        return {name: typed(below) for name, below in value.items()}
    if isinstance(value, list):
        return [typed(below) for below in value]
    return type(value).__name__, value


@given(before=objects, after=objects)
def test_applied_to_before_it_gives_after(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert typed(apply(before, merge_patch(before, after))) == typed(after)


@given(same=objects)
def test_between_equals_it_is_empty(same: dict[str, Any]) -> None:
    assert merge_patch(same, same) == {}


@given(before=objects, after=objects)
def test_nothing_in_it_can_be_left_out(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = merge_patch(before, after)
    for path in leaves(patch):
        assert typed(apply(before, without(patch, path))) != typed(after)


@pytest.mark.parametrize(
    ("before", "after", "patch", "reason"),
    [
        ({}, {"a": 1}, {"a": 1}, "what is new is sent"),
        ({"a": 1}, {}, {"a": None}, "what is gone is set to null"),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}, "of an object only what differs"),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}, "an object that is emptied loses its fields"),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 3]}, "a list is replaced as a whole"),
        ({"a": [1]}, {"a": {"b": 1}}, {"a": {"b": 1}}, "an object takes a list's place"),
        ({}, {"a": {}}, {"a": {}}, "an empty object that was not there is news"),
        ({"a": 1}, {"a": True}, {"a": True}, "in JSON, true is not 1"),
    ],
)
def test_cases(before: dict[str, Any], after: dict[str, Any], patch: dict[str, Any], reason: str) -> None:
    assert typed(merge_patch(before, after)) == typed(patch), reason
