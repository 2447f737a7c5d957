"""Whatever stands in a definition or a vendor file, its author is told what is wrong, and nothing breaks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from integration_hub.adapters import shipped
from integration_hub.catalog.changes import changes
from integration_hub.catalog.lint.subject import Finding
from integration_hub.catalog.loader import read_object
from integration_hub.catalog.vendor import Vendor
from integration_hub.catalog.vendor_rules import read_vendor
from integration_hub.model.definition import DefinitionSpec
from integration_hub.shell.authoring import findings, usable, vendor_findings
from integration_hub.shell.rehearsal import only_addresses

Raw = dict[str, Any]
Place = tuple[str | int, ...]

NAMES = ("stripe", "salesforce", "github", "s3", "kubernetes")
"""Between them they have every part that definitions and vendor files have."""
WRONG: tuple[Any, ...] = (
    None, True, 7, -1.5, 10**30, math.nan, "", "x", "\x00\ud800", "{{", "{{ config.nope }}", "response.",
    [], [None], ["x"], [{}], [[["x"]]], {}, {"x": None}, {"x": 1}, {1: 2},
)  # fmt: skip
"""What people write by mistake, and what YAML makes of it; a key may be a number there."""


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Yield where something stands, itself last."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in below:
        yield from places(entry, (*above, name))
    if above:
        yield above


def with_wrong(raw: Raw, place: Place, wrong: Any) -> Raw:
    changed = deepcopy(raw)
    *above, name = place
    target: Any = changed
    for step in above:
        target = target[step]
    target[name] = wrong
    return changed


def texts(name: str) -> tuple[Raw, Raw]:
    definition, vendor = shipped.definition_text(name), shipped.vendor_text(name)
    assert definition is not None
    assert vendor is not None
    return read_object(definition), read_object(vendor)


PAIRS = [texts(name) for name in NAMES]


@st.composite
def spoilt(draw: st.DrawFn, part: int) -> tuple[Raw, Raw]:
    """Draw a definition (part 0) or vendor file (part 1) with one or two wrong values, and the definition as it is.

    How deep a place is comes first, since there are few near the top and many below.
    """
    pair = draw(st.sampled_from(PAIRS))
    raw = pair[part]
    for _ in range(draw(st.integers(1, 2))):
        by_depth: dict[int, list[Place]] = {}
        for place in places(raw):
            by_depth.setdefault(len(place), []).append(place)
        depth = draw(st.sampled_from(sorted(by_depth)))
        raw = with_wrong(raw, draw(st.sampled_from(by_depth[depth])), draw(st.sampled_from(WRONG)))
    return raw, pair[0]


@settings(max_examples=150, deadline=None)
@given(spoilt(0))
def test_whatever_stands_in_a_definition_is_judged(case: tuple[Raw, Raw]) -> None:
    raw, unspoilt = case
    good = usable(unspoilt)
    assert isinstance(good, DefinitionSpec)
    found = findings(raw)
    assert all(isinstance(one, Finding) and one.path and one.message for one in found)
    spec = usable(raw)
    if isinstance(spec, DefinitionSpec):
        assert only_addresses(raw) == []
        assert all(str(change) for change in changes(good, spec))
    else:
        assert spec == found != []


@settings(max_examples=150, deadline=None)
@given(spoilt(1))
def test_whatever_stands_in_a_vendor_file_is_judged(case: tuple[Raw, Raw]) -> None:
    raw, definition = case
    read = read_vendor(raw)
    if isinstance(read, Vendor):
        assert all(str(one) for one in vendor_findings(definition, read))
    else:
        assert read
        assert all(str(one) for one in read)
