"""Vendor files: a mistake is refused by its path, and cases that are missing are named."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from integration_hub.catalog.vendor import Vendor
from integration_hub.catalog.vendor_rules import gaps, read_vendor

Raw = dict[str, Any]
Edit = Callable[[Raw], object]

GOOD: Raw = {
    "definition": "acme",
    "sources": ["https://docs.acme.example/keys"],
    "hosts": ["api.acme.example"],
    "methods": {
        "key": {"secret": {"apiKey": "good"}, "arrives": {"headers": {"X-Key": "{{ secret.apiKey }}"}}},
        "oauth": {
            "secret": {"clientId": "id", "clientSecret": "secret"},
            "oauth": "login",
            "arrives": {"headers": {"Authorization": "Bearer {{ token }}"}},
        },
    },
    "oauth": {
        "login": {
            "authorize": "https://api.acme.example/authorize",
            "token": "https://api.acme.example/token",
            "client": ["basic"],
            "pkce": "supported",
            "rotates": True,
            "grants": {"authorization_code": {"answer": {"json": {"access_token": "{{ token }}"}}}},
        }
    },
    "routes": {"me": {"path": "/me", "answer": {"json": {"email": "ops@acme.example"}}}},
    "refuses": {"status": 401},
    "lies": {"empty": "A bad key is answered with 200."},
    "cases": [
        {"name": "good", "kind": "good", "expect": {"reason": "Connected"}},
        {"name": "bad", "kind": "bad-credential", "expect": {"reason": "CredentialsRejected"}},
        {"name": "narrow", "kind": "missing-scope", "expect": {"reason": "InsufficientScope"}},
        {"name": "often", "kind": "rate-limit", "expect": {"reason": "TooManyRequests"}},
        {"name": "lie", "kind": "lie", "lie": "empty", "expect": {"reason": "CredentialsRejected"}},
    ],
}

MISTAKES: list[tuple[Edit, str, str]] = [
    (lambda raw: raw.pop("hosts"), "hosts", "is required"),
    (lambda raw: raw.update(host="a"), "host", "is no key of a vendor file"),
    (lambda raw: raw.update(hosts=["https://api.acme.example"]), "hosts[0]", "must be a host in lower case"),
    (lambda raw: raw.update(hosts=["API.acme.example"]), "hosts[0]", "must be a host in lower case"),
    (lambda raw: raw.update(sources=[]), "sources", "at least 1 item"),
    (lambda raw: raw.update(sources=["docs"]), "sources[0]", "must be the https:// address of a page"),
    (lambda raw: raw["routes"]["me"].update(path="me"), "routes.me.path", "begins with '/'"),
    (
        lambda raw: raw["routes"]["me"].update(path="/me?a=b"),
        "routes.me.path",
        "parameters stand under query",
    ),
    (lambda raw: raw["routes"]["me"]["answer"].update(text="a"), "routes.me.answer", "has json and text"),
    (
        lambda raw: raw["routes"]["me"]["answer"].update(status="200"),
        "routes.me.answer.status",
        "valid integer",
    ),
    (lambda raw: raw["routes"]["me"].update(byMethod={"basic": {}}), "routes.me.byMethod", "names 'basic'"),
    (lambda raw: raw["methods"]["key"].update(secret={"apiKey": 5}), "methods.key.secret.apiKey", "string"),
    (
        lambda raw: raw["methods"]["key"]["secret"].update(privateKey={"generate": "dsa-key"}),
        "methods.key.secret.privateKey.generate",
        "rsa-key",
    ),
    (lambda raw: raw["methods"]["key"].update(arrives={}), "methods.key.arrives", "says nothing"),
    (
        lambda raw: raw["methods"]["key"].pop("arrives"),
        "methods.key.arrives",
        "is required, since not every route",
    ),
    (
        lambda raw: raw["methods"]["oauth"].update(oauth="logn"),
        "methods.oauth.oauth",
        "did you mean 'login'?",
    ),
    (
        lambda raw: raw["oauth"]["login"].pop("authorize"),
        "oauth.login.authorize",
        "with the grant authorization_code",
    ),
    (lambda raw: raw["oauth"]["login"].update(pkce="yes"), "oauth.login.pkce", "'required', 'supported'"),
    (
        lambda raw: raw["oauth"]["login"].update(client=["private_key_jwt"]),
        "oauth.login.signature",
        "private_key_jwt",
    ),
    (lambda raw: raw["cases"][0].update(kind="great"), "cases[0].kind", "'good'"),
    (lambda raw: raw["cases"][0].update(methods=["keys"]), "cases[0].methods", "did you mean 'key'?"),
    (lambda raw: raw["cases"][0].update(answers={"you": {}}), "cases[0].answers", "there are me"),
    (lambda raw: raw["cases"][0].update(refusals={"you": {}}), "cases[0].refusals", "there are me"),
    (
        lambda raw: raw["cases"][0].update(tokenAnswers={"password": {}}),
        "cases[0].tokenAnswers",
        "names 'password'",
    ),
    (lambda raw: raw["cases"][0].update(lie="empty"), "cases[0].lie", "goes with 'kind: lie'"),
    (lambda raw: raw["cases"][4].pop("lie"), "cases[4].lie", "goes with 'kind: lie'"),
    (lambda raw: raw["cases"][4].update(lie="full"), "cases[4].lie", "names 'full'"),
    (lambda raw: raw["cases"][1].update(name="good"), "cases[1].name", "is the same as of a case before it"),
    (
        lambda raw: raw["cases"][0]["expect"].update(reason="Great"),
        "cases[0].expect.reason",
        "is no reason of",
    ),
    (lambda raw: raw["refuses"].update(text="{{ nobody }}"), "", "{{ nobody }} means nothing"),
]

GAPS: list[tuple[Edit, str, str]] = [
    (lambda raw: raw["cases"].pop(0), "cases", "none of kind 'good' for the auth method 'key'"),
    (
        lambda raw: raw["cases"][0].update(methods=["key"]),
        "cases",
        "none of kind 'good' for the auth method 'oauth'",
    ),
    (lambda raw: raw["cases"].pop(1), "cases", "none of kind 'bad-credential' for the auth method 'key'"),
    (lambda raw: raw["cases"].pop(2), "cases", "say in leavesOut.missing-scope why"),
    (lambda raw: raw["cases"].pop(3), "cases", "none of kind 'rate-limit'"),
    (lambda raw: raw["cases"].pop(4), "lies.empty", "has no case"),
    (lambda raw: raw["methods"].pop("oauth"), "methods", "has no 'oauth', which is an auth method"),
]


def after(edit: Edit) -> Raw:
    raw = deepcopy(GOOD)
    edit(raw)
    return raw


def vendor(raw: Raw) -> Vendor:
    found = read_vendor(raw)
    assert isinstance(found, Vendor), list(map(str, found))
    return found


def test_a_good_file_is_read_and_lacks_nothing() -> None:
    assert gaps(vendor(GOOD), ["key", "oauth"]) == []


@pytest.mark.parametrize(("edit", "path", "said"), MISTAKES, ids=[f"{row[1]} {row[2]}" for row in MISTAKES])
def test_a_mistake_is_refused_by_its_path(edit: Edit, path: str, said: str) -> None:
    found = read_vendor(after(edit))
    assert not isinstance(found, Vendor)
    assert any(one.path == path and said in one.message for one in found), list(map(str, found))


@pytest.mark.parametrize(("edit", "path", "said"), GAPS, ids=[row[2] for row in GAPS])
def test_what_is_missing_is_named(edit: Edit, path: str, said: str) -> None:
    found = gaps(vendor(after(edit)), ["key", "oauth"])
    assert any(one.path == path and said in one.message for one in found), list(map(str, found))


def test_a_kind_may_be_left_out_with_a_reason() -> None:
    raw = after(lambda raw: raw["cases"].pop(2))
    raw["leavesOut"] = {"missing-scope": "A key may do everything."}
    assert gaps(vendor(raw), ["key", "oauth"]) == []


def test_an_end_that_a_test_tells_is_expected_by_a_case() -> None:
    (found,) = gaps(vendor(GOOD), ["key", "oauth"], ["me"])
    assert str(found).startswith("cases: has none with expect.credentialExpiresAt, for the test 'me'")
    told = after(lambda raw: raw["cases"][0]["expect"].update(credentialExpiresAt="2027-01-01T00:00:00Z"))
    assert gaps(vendor(told), ["key", "oauth"], ["me"]) == []


def test_a_method_that_the_definition_has_not_is_named() -> None:
    (found,) = gaps(vendor(GOOD), ["key"])
    assert str(found) == "methods.oauth: is no auth method of the definition"


@pytest.mark.parametrize("raw", [None, [], "text", {"definition": "acme"}, {"cases": [{"expect": 1}]}])
def test_anything_else_is_refused_in_words(raw: Any) -> None:
    found = read_vendor(raw)
    assert not isinstance(found, Vendor)
    assert all(str(one) for one in found)
