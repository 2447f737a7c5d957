"""What `hub connect` offers: the cluster's definitions and the catalog's, each once, and what is meant by words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.catalog.index import Entry
from integration_hub.catalog.offers import Offer, found, meant, offers


def entry(name: str, display_name: str = "", description: str = "", version: str = "1.0.0") -> Entry:
    return Entry(name, display_name or name.title(), "", (), description, version, (), ())


def names(known: list[Offer]) -> list[tuple[str, bool]]:
    return [(offer.entry.name, offer.is_installed) for offer in known]


INSTALLED = [entry("zoo"), entry("billing", "Acme billing", "Takes payments.")]
SHIPPED = [entry("stripe", description="Takes payments."), entry("airtable")]


def test_what_is_installed_comes_first_each_part_by_the_names_that_people_know() -> None:
    assert names(offers(INSTALLED, SHIPPED)) == [
        ("billing", True),
        ("zoo", True),
        ("airtable", False),
        ("stripe", False),
    ]


def test_the_clusters_own_stands_for_the_catalogs_of_the_same_name_even_if_it_is_older() -> None:
    known = offers([entry("stripe", "Our Stripe", version="0.9.0")], SHIPPED)
    assert names(known) == [("stripe", True), ("airtable", False)]
    assert known[0].entry.version == "0.9.0"


def test_in_a_cluster_without_definitions_the_catalog_is_offered() -> None:
    assert names(offers([], SHIPPED)) == [("airtable", False), ("stripe", False)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("stripe", [("stripe", False)]),
        ("payments", [("billing", True), ("stripe", False)]),
        ("nothing-like-it", []),
    ],
)
def test_a_search_ranks_both_together_and_what_is_installed_first_where_they_fit_alike(
    words: str, expected: list[tuple[str, bool]]
) -> None:
    assert names(found(offers(INSTALLED, SHIPPED), words)) == expected


def test_what_fits_better_comes_first_wherever_it_is() -> None:
    known = offers([entry("acme", description="Better than Stripe.")], SHIPPED)
    assert names(found(known, "stripe")) == [("stripe", False), ("acme", True)]


@pytest.mark.parametrize(
    ("text", "name"),
    [("stripe", "stripe"), (" Stripe ", "stripe"), ("acme BILLING", "billing"), ("acme", None), ("", None)],
)
def test_a_whole_name_is_enough(text: str, name: str | None) -> None:
    one = meant(offers(INSTALLED, SHIPPED), text)
    assert (one.entry.name if one else None) == name


def test_a_name_of_two_systems_is_no_choice() -> None:
    known = offers([entry("pay", "Stripe")], SHIPPED)
    assert meant(known, "stripe") is None
    assert names(found(known, "stripe")) == [("pay", True), ("stripe", False)]


NAMES = st.lists(st.sampled_from(["stripe", "slack", "zoom", "box", "xero"]), unique=True)


@given(NAMES, NAMES)
def test_each_name_is_offered_once_and_nothing_is_lost(installed: list[str], shipped: list[str]) -> None:
    known = offers([entry(name) for name in installed], [entry(name) for name in shipped])
    assert {offer.entry.name for offer in known} == {*installed, *shipped}
    assert len(known) == len({*installed, *shipped})
    assert {offer.entry.name for offer in known if offer.is_installed} == set(installed)
    assert all(offer in found(known, offer.entry.name) for offer in known)
    assert found(known, "[") == []
