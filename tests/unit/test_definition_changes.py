"""What is other between two versions of a definition, and what of that breaks connections."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.catalog.changes import Change, changes
from integration_hub.model.definition import DefinitionSpec
from integration_hub.reconcile.definition import check_definition

SPEC: dict[str, Any] = {
    "displayName": "Acme",
    "version": "1.0.0",
    "baseURL": "https://{{ config.region }}.acme.example",
    "allowedHosts": ["*.acme.example", "login.acme.example"],
    "configSchema": {
        "type": "object",
        "required": ["region"],
        "properties": {
            "region": {"type": "string", "enum": ["eu", "us"]},
            "team": {"type": "string", "maxLength": 40},
            "port": {"type": "integer", "minimum": 1, "default": 443},
            "token": {"type": "string", "x-hub-secret": True},
            "proxy": {"type": "object", "properties": {"host": {"type": "string"}}},
            "tags": {"type": "array", "items": {"type": "string"}},
            "hosting": {
                "oneOf": [
                    {
                        "type": "object",
                        "required": ["type"],
                        "properties": {"type": {"type": "string", "const": kind}},
                    }
                    for kind in ("cloud", "server")
                ]
            },
        },
    },
    "authMethods": [
        {"name": "key", "type": "apiKey", "settings": {"prefix": "Bearer"}},
        {
            "name": "oauth",
            "type": "oauth2",
            "settings": {
                "authorizationURL": "https://login.acme.example/authorize",
                "tokenURL": "https://login.acme.example/token",
                "scopes": ["read"],
            },
        },
    ],
    "tests": [
        {"name": "me", "default": True, "request": {"path": "/me"}, "identity": "response.json.email"},
        {"name": "teams", "request": {"path": "/teams"}},
    ],
    "templates": [{"name": "sandbox", "config": {"region": "eu"}}],
}

Edit = Callable[[dict[str, Any]], object]


def spec(raw: dict[str, Any]) -> DefinitionSpec:
    checked = check_definition({"metadata": {"name": "acme"}, "spec": raw})
    assert checked.violations == ()
    assert checked.spec is not None
    return checked.spec


def after(edit: Edit) -> list[Change]:
    edited = deepcopy(SPEC)
    edit(edited)
    return changes(spec(SPEC), spec(edited))


def field(raw: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = raw["configSchema"]["properties"][name]
    return found


def put(name: str, **keywords: Any) -> Edit:
    return lambda raw: field(raw, name).update(keywords)


def take(name: str, keyword: str) -> Edit:
    return lambda raw: field(raw, name).pop(keyword)


def setting(number: int, **settings: Any) -> Edit:
    return lambda raw: raw["authMethods"][number]["settings"].update(settings)


def _other_branch(raw: dict[str, Any]) -> None:
    field(raw, "hosting")["oneOf"][1]["properties"]["type"]["const"] = "own"


def _optional_region(raw: dict[str, Any]) -> None:
    raw["configSchema"]["required"].remove("region")


BREAKING: list[tuple[str, Edit, str]] = [
    (
        "a field is removed",
        lambda raw: raw["configSchema"]["properties"].pop("team"),
        "properties.team: was removed",
    ),
    (
        "a field becomes required",
        lambda raw: raw["configSchema"]["required"].append("team"),
        "properties.team: is required now",
    ),
    (
        "a required field is new",
        lambda raw: (
            raw["configSchema"]["properties"].update(site={"type": "string"}),
            raw["configSchema"]["required"].append("site"),
        ),
        "properties.site: is new and required",
    ),
    (
        "a type is changed",
        lambda raw: raw["configSchema"]["properties"].update(team={"type": "integer"}),
        "properties.team: was string and is integer",
    ),
    ("an enum loses a value", put("region", enum=["eu"]), "region.enum: does not allow us any more"),
    ("an enum is new", put("team", enum=["a"]), "team.enum: allows only a now"),
    ("a pattern is new", put("team", pattern="^a"), "team.pattern: is '^a' now"),
    ("a format is new", put("team", format="hostname"), "team.format: is 'hostname' now"),
    ("a maximum is lower", put("team", maxLength=20), "team.maxLength: is 20 now, and was 40"),
    ("a maximum is new", put("port", maximum=1000), "port.maximum: is 1000 now"),
    ("a minimum is higher", put("port", minimum=2), "port.minimum: is 2 now, and was 1"),
    ("a default is taken away", take("port", "default"), "port.default: is absent now"),
    ("a field becomes secret", put("team", **{"x-hub-secret": True}), "properties.team: is a secret now"),
    (
        "a field is no secret any more",
        take("token", "x-hub-secret"),
        "properties.token: is no secret any more",
    ),
    (
        "a field of a group is removed",
        lambda raw: field(raw, "proxy").update(properties={"port": {"type": "integer"}}),
        "properties.proxy.host: was removed",
    ),
    (
        "entries of a list change",
        put("tags", items={"type": "integer"}),
        "tags.items: was string and is integer",
    ),
    ("a branch is removed", _other_branch, "hosting.oneOf[server]: was removed"),
    (
        "an auth method is removed",
        lambda raw: raw["authMethods"].pop(),
        "spec.authMethods[oauth]: was removed",
    ),
    (
        "an auth method is of another type",
        lambda raw: raw["authMethods"][0].update(type="basicAuth", settings={}),
        "spec.authMethods[key].type: was apiKey and is basicAuth",
    ),
    ("a Secret needs another key", setting(0, secretKey="token"), "need the key 'token' in the Secret"),
    ("a host is removed", lambda raw: raw["allowedHosts"].pop(0), "does not have '*.acme.example' any more"),
    ("a template is removed", lambda raw: raw.update(templates=[]), "spec.templates[sandbox]: was removed"),
    ("a test is removed", lambda raw: raw["tests"].pop(), "spec.tests[teams]: was removed"),
]

HARMLESS: list[tuple[str, Edit, str]] = [
    (
        "an optional field is new",
        lambda raw: raw["configSchema"]["properties"].update(site={"type": "string"}),
        "properties.site: is new, and may be left out",
    ),
    (
        "a required field with a default is new",
        lambda raw: (
            raw["configSchema"]["properties"].update(site={"type": "string", "default": "main"}),
            raw["configSchema"]["required"].append("site"),
        ),
        "properties.site: is new",
    ),
    ("a field may be left out", _optional_region, "region: is not required any more"),
    ("an enum gains a value", put("region", enum=["eu", "us", "ap"]), "region.enum: allows ap, too"),
    ("a maximum is higher", put("team", maxLength=80), "team.maxLength: is 80 now, and was 40"),
    ("a maximum is taken away", take("team", "maxLength"), "team.maxLength: was 40 and is absent now"),
    ("a default is other", put("port", default=8443), "port.default: is 8443 now, and was 443"),
    (
        "refused token requests are told in other words",
        lambda raw: raw["authMethods"][1].update(failures=[{"when": "true", "reason": "AccountLocked"}]),
        "spec.authMethods[oauth].failures: are other",
    ),
    (
        "an auth method is new",
        lambda raw: raw["authMethods"].append({"name": "basic", "type": "basicAuth"}),
        "spec.authMethods[basic]: is new",
    ),
    (
        "scopes are other",
        setting(1, scopes=["read", "write"]),
        "settings.scopes: is other: tokens are obtained anew",
    ),
    ("a setting is other", setting(0, prefix="Token "), "settings.prefix: is other"),
    ("a host is new", lambda raw: raw["allowedHosts"].append("a.example"), "has 'a.example' now"),
    (
        "a test is other",
        lambda raw: raw["tests"][0].update(request={"path": "/v2/me"}),
        "spec.tests[me]: asks",
    ),
    ("a text is other", lambda raw: raw.update(version="1.1.0"), "spec.version: is '1.1.0' now"),
]


@pytest.mark.parametrize(("edit", "said"), [row[1:] for row in BREAKING], ids=[row[0] for row in BREAKING])
def test_it_breaks_when(edit: Edit, said: str) -> None:
    found = after(edit)
    assert any(change.breaking and said in str(change) for change in found), [str(change) for change in found]


@pytest.mark.parametrize(("edit", "said"), [row[1:] for row in HARMLESS], ids=[row[0] for row in HARMLESS])
def test_it_breaks_nothing_when(edit: Edit, said: str) -> None:
    found = after(edit)
    assert [change for change in found if change.breaking] == []
    assert any(said in str(change) for change in found), [str(change) for change in found]


def test_nothing_is_other_in_the_same_definition() -> None:
    assert changes(spec(SPEC), spec(SPEC)) == []


def test_a_second_auth_method_breaks_connections_that_name_none() -> None:
    one = deepcopy(SPEC)
    one["authMethods"].pop()
    found = changes(spec(one), spec(SPEC))
    assert "spec.authMethods: are several now" in str(found[0])
    assert found[0].breaking


@given(st.lists(st.sampled_from([row[1] for row in (*BREAKING, *HARMLESS)]), max_size=4))
def test_what_breaks_is_told_first(edits: list[Edit]) -> None:
    edited = deepcopy(SPEC)
    for edit in edits:
        try:
            edit(edited)
        except (KeyError, IndexError, ValueError):
            return  # what it would change is gone
    checked = check_definition({"metadata": {"name": "acme"}, "spec": edited})
    if checked.spec is None or checked.violations:
        return
    breaks = [change.breaking for change in changes(spec(SPEC), checked.spec)]
    assert breaks == sorted(breaks, reverse=True)
