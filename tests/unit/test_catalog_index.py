"""Searching the catalog: what is meant is found, in an order that people expect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.catalog.index import Entry, entry_of, has_words, line_of, read_index, search


def entry(name: str, display_name: str = "", **parts: str) -> Entry:
    return Entry(
        name,
        display_name or name.title(),
        parts.get("vendor", ""),
        tuple(parts.get("categories", "").split()),
        parts.get("description", ""),
        "1.0.0",
        tuple(filter(None, parts.get("fields", "").split(","))),
        tuple(filter(None, parts.get("methods", "").split(","))),
    )


CATALOG = [
    entry(
        "github",
        "GitHub",
        vendor="GitHub",
        categories="developer-tools",
        description="Repositories and issues.",
    ),
    entry(
        "gitlab", "GitLab", vendor="GitLab", categories="developer-tools", description="Projects and issues."
    ),
    entry(
        "google-drive",
        "Google Drive",
        vendor="Google",
        categories="storage",
        description="Files of an account.",
    ),
    entry(
        "quickbooks",
        "QuickBooks Online",
        vendor="Intuit",
        categories="accounting",
        fields="realmId,Company ID",
    ),
    entry(
        "salesforce",
        "Salesforce",
        categories="crm",
        fields="hostname,My Domain host",
        methods="jwt,Consumer Key",
    ),
    entry("stripe", "Stripe", categories="payments finance", description="Payments, customers and invoices."),
    entry("xero", "Xero", vendor="Xero", categories="accounting", description="Invoices of an organisation."),
]


def names(words: str) -> list[str]:
    return [hit.entry.name for hit in search(CATALOG, words)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("stripe", ["stripe"]),
        ("STRIPE", ["stripe"]),
        ("git", ["github", "gitlab"]),
        ("hub", ["github"]),
        ("intuit", ["quickbooks"]),
        ("accounting", ["quickbooks", "xero"]),
        ("developer tools", ["github", "gitlab"]),
        ("developer-tools", ["github", "gitlab"]),
        ("google drive", ["google-drive"]),
        ("googledrive", ["google-drive"]),
        ("my domain", ["salesforce"]),
        ("consumer key", ["salesforce"]),
        ("realm", ["quickbooks"]),
        ("invoices", ["stripe", "xero"]),
        ("issues gitlab", ["gitlab"]),
        ("drive", ["google-drive"]),
        ("google files", ["google-drive"]),
    ],
)
def test_it_finds_by_names_vendors_categories_fields_and_words(words: str, found: list[str]) -> None:
    assert sorted(names(words)) == found


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("salesfroce", "salesforce"),
        ("slaesforce", "salesforce"),
        ("salesforc", "salesforce"),
        ("strpe", "stripe"),
        ("githab", "github"),
        ("quikbooks", "quickbooks"),
        ("quickboks", "quickbooks"),
        ("acounting", "quickbooks"),
        ("gogle", "google-drive"),
        ("selasforce", "salesforce"),
    ],
)
def test_a_letter_or_two_may_be_wrong(typed: str, meant: str) -> None:
    assert meant in names(typed)


@pytest.mark.parametrize(
    "words", ["zendesk", "stripe zendesk", "xyz", "sti pe", "google payments", "nothing-like-it"]
)
def test_what_is_not_there_is_not_found(words: str) -> None:
    assert names(words) == []


def test_a_name_goes_before_a_description_and_a_whole_word_before_its_beginning() -> None:
    catalog = [
        entry("hub-spot", "HubSpot", description="Marketing."),
        entry("other", "Other", description="A hub for everything."),
        entry("hub", "Hub"),
    ]
    assert [hit.entry.name for hit in search(catalog, "hub")] == ["hub", "hub-spot", "other"]


@pytest.mark.parametrize("words", ["", "  ", "[", "-_-", "%%"])
def test_where_there_is_no_word_nothing_is_found(words: str) -> None:
    assert names(words) == []
    assert not has_words(words)


@given(st.text(max_size=40))
def test_any_words_are_searched_for_and_scores_are_between_none_and_one(words: str) -> None:
    hits = search(CATALOG, words)
    assert all(0 < hit.score <= 1 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@given(st.sampled_from(CATALOG))
def test_every_definition_is_found_first_by_its_own_name(one: Entry) -> None:
    assert search(CATALOG, one.display_name)[0].entry == one


def test_an_index_is_read_as_it_was_written() -> None:
    assert read_index("".join(f"{line_of(one)}\n" for one in CATALOG)) == CATALOG


def test_an_entry_is_made_of_a_definition_as_a_cluster_may_have_it() -> None:
    """What stands in configSchema is checked by the hub alone, and a definition may be older than its CRD."""
    raw = {
        "metadata": {"name": "acme"},
        "spec": {
            "vendor": "Acme",
            "categories": ["crm"],
            "configSchema": {
                "properties": {"account": {"title": "Account"}, "region": True, "plan": {"title": 3}}
            },
        },
    }
    fields = ("account", "Account", "region", "plan")
    assert entry_of(raw) == Entry("acme", "acme", "Acme", ("crm",), "", "", fields, ())
    assert entry_of({"metadata": {"name": "bare"}}) == Entry("bare", "bare", "", (), "", "", (), ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda within: st.lists(within, max_size=3) | st.dictionaries(st.text(max_size=8), within, max_size=3),
    max_leaves=5,
)
"""Whatever a field can be that the API server does not look into."""


def like(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Some of these fields, or anything at all in their place."""
    return st.fixed_dictionaries({}, optional=fields) | JSON


def several(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(items, max_size=3) | JSON


FIELD = like(title=JSON, type=JSON)
METHOD = like(
    name=JSON,
    displayName=JSON,
    type=JSON,
    settings=JSON,
    credentials=several(like(key=JSON, displayName=JSON)),
)
SPEC = like(
    displayName=JSON,
    vendor=JSON,
    categories=several(JSON),
    description=JSON,
    version=JSON,
    configSchema=like(properties=st.dictionaries(st.text(max_size=8), FIELD, max_size=3) | JSON),
    authMethods=several(METHOD),
)


@given(SPEC)
def test_an_odd_definition_is_found_by_its_name_and_spoils_nobodys_search(spec: Any) -> None:
    odd = entry_of({"metadata": {"name": "zendesk-odd"}, "spec": spec})
    assert read_index(line_of(odd)) == [odd]
    assert odd in [hit.entry for hit in search([*CATALOG, odd], "zendesk-odd")]
    assert {hit.entry.name for hit in search([*CATALOG, odd], "xero")} >= {"xero"}


@pytest.mark.parametrize("properties", ["x", ["x"], 3, {"account": "x"}, None])
def test_of_a_definition_whose_schema_is_none_the_rest_is_known(properties: Any) -> None:
    spec = {
        "displayName": "Acme",
        "configSchema": {"properties": properties},
        "authMethods": [{"name": "key"}],
    }
    found = entry_of({"metadata": {"name": "acme"}, "spec": spec})
    assert (found.display_name, found.methods) == ("Acme", ("key",))
