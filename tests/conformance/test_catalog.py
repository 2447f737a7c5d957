"""What every definition of the catalog must keep: the lint's rules, and each case of its simulated vendor."""

from __future__ import annotations

import pytest

from integration_hub.adapters import shipped
from integration_hub.catalog.loader import Raw, read_object
from integration_hub.catalog.vendor import Case, Vendor
from integration_hub.catalog.vendor_rules import read_vendor
from integration_hub.shell.authoring import findings, vendor_findings
from integration_hub.shell.rehearsal import play, plays
from integration_hub.simulation.server import SimulatedVendor

IDS = shipped.definition_ids()


def definition(name: str) -> Raw:
    text = shipped.definition_text(name)
    assert text is not None
    return read_object(text)


def vendor(name: str) -> Vendor:
    text = shipped.vendor_text(name)
    assert text is not None, f"catalog/vendors/{name}.yaml is missing"
    found = read_vendor(read_object(text))
    assert isinstance(found, Vendor), "\n".join(map(str, found))
    return found


def cases() -> list[tuple[str, str, str]]:
    # Vendor files that cannot be read have no cases; test_vendor_file tells of them.
    found = []
    for name in IDS:
        text = shipped.vendor_text(name)
        read = read_vendor(read_object(text)) if text is not None else []
        if isinstance(read, Vendor):
            found += [(name, case.name, method) for case, method in plays(read)]
    return found


@pytest.mark.parametrize("name", IDS)
def test_a_definition_has_the_name_of_its_file_and_nothing_for_the_lint_to_find(name: str) -> None:
    raw = definition(name)
    assert raw["metadata"]["name"] == name
    assert [f"{finding.level}: {finding}" for finding in findings(raw)] == []


@pytest.mark.parametrize("name", IDS)
def test_vendor_file_has_every_kind_of_case_for_its_definition(name: str) -> None:
    assert [str(violation) for violation in vendor_findings(definition(name), vendor(name))] == []


def test_every_vendor_file_is_of_a_definition() -> None:
    assert set(shipped.vendor_ids()) == set(IDS)


@pytest.mark.parametrize(("name", "case_name", "method"), cases(), ids=[" - ".join(case) for case in cases()])
async def test_a_definition_comes_to_what_the_case_expects(name: str, case_name: str, method: str) -> None:
    of = vendor(name)
    case: Case = next(case for case in of.cases if case.name == case_name)
    async with SimulatedVendor(of.hosts) as server:
        played = await play(definition(name), of, server, case, method)
    assert played.faults == ()
