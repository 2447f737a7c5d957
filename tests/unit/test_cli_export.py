"""What `hub export` says of the Secret that it does not export: the keys that a connection like this one needs."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.cli.export import secret_example

OAUTH = {
    "name": "oauth",
    "type": "oauth2",
    "settings": {
        "grant": "clientCredentials",
        "tokenURL": "https://auth.acme.example/token",
        "clientId": "{{ config.clientId }}",
    },
}
KEY = {
    "name": "key",
    "type": "apiKey",
    "settings": {},
    "credentials": [
        {"key": "apiKey", "displayName": "Secret key", "description": "In the console under\nSettings > API."}
    ],
}


def definition(*methods: dict[str, Any], **schema: Any) -> dict[str, Any]:
    spec = {
        "displayName": "Acme",
        "baseURL": "https://api.acme.example",
        "allowedHosts": ["api.acme.example", "auth.acme.example"],
        "configSchema": {"type": "object", "additionalProperties": False, "properties": {}} | schema,
        "authMethods": list(methods or (KEY,)),
        "tests": [{"name": "whoami", "default": True, "request": {"path": "/"}}],
    }
    return {
        "apiVersion": "integrationhub.dev/v1alpha1",
        "kind": "IntegrationDefinition",
        "metadata": {"name": "acme", "uid": "u", "generation": 1},
        "spec": spec,
    }


def lines(of: dict[str, Any] | None, *, method: str | None = None, **spec: Any) -> list[str]:
    auth = {"secretRef": {"name": "credentials"}} | ({"method": method} if method else {})
    instance = {
        "metadata": {"name": "billing", "namespace": "shop"},
        "spec": {"definitionRef": {"name": "acme"}, "auth": auth} | spec,
    }
    return "\n".join(secret_example(instance, of)).splitlines()


def keys(found: list[str]) -> list[str]:
    return [line.partition("--from-file=")[2].partition("=")[0] for line in found if "--from-file=" in line]


def test_a_key_is_named_in_the_words_of_the_external_system() -> None:
    found = lines(definition())
    assert keys(found) == ["apiKey"]
    assert "#   # apiKey: Secret key. In the console under Settings > API." in found


def test_words_of_a_definition_do_not_steer_the_terminal() -> None:
    told = {"key": "apiKey", "displayName": "Key\x1b]0;owned\x07 \u202eend", "description": "Here\x1b[2J."}
    found = lines(definition({**KEY, "credentials": [told]}))
    assert "#   # apiKey: Key\ufffd]0;owned\ufffd \ufffdend. Here\ufffd[2J." in found
    assert all(line.isprintable() for line in found)


def test_a_secret_field_of_the_configuration_is_a_key_of_the_secret() -> None:
    secret = {"type": "string", "title": "Signing secret", "x-hub-secret": True}
    found = lines(definition(properties={"signing": secret}, required=["signing"]))
    assert keys(found) == ["apiKey", "signing"]
    assert "#   # signing: Signing secret" in found


def test_a_key_that_may_be_left_out_is_said_to_be_and_is_none_of_the_command() -> None:
    found = lines(definition(properties={"note": {"type": "string", "title": "Note", "x-hub-secret": True}}))
    assert keys(found) == ["apiKey"]
    assert "#   # note (optional): Note" in found


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["clientId", "clientSecret"]),
        ({"config": {"clientId": "shop"}}, ["clientSecret"]),
        ({"template": "sandbox"}, ["clientSecret"]),
    ],
)
def test_which_keys_there_are_follows_from_the_configuration(
    spec: dict[str, Any], expected: list[str]
) -> None:
    of = definition(OAUTH, properties={"clientId": {"type": "string"}})
    of["spec"]["templates"] = [{"name": "sandbox", "config": {"clientId": "sandbox"}}]
    assert keys(lines(of, **spec)) == expected


def test_the_method_of_the_instance_decides() -> None:
    basic = {"name": "basic", "type": "basicAuth", "settings": {}}
    assert keys(lines(definition(KEY, basic), method="basic")) == ["username", "password"]
    assert keys(lines(definition(KEY, basic))) == ["apiKey"]


@pytest.mark.parametrize(
    ("of", "method"),
    [
        pytest.param(None, None, id="nobody may read the definition"),
        pytest.param(definition(), "another", id="the definition has no such method"),
        pytest.param({**definition(), "spec": {}}, None, id="the definition has mistakes"),
    ],
)
def test_where_the_definition_does_not_tell_any_key_stands_for_them(of: Any, method: str | None) -> None:
    assert keys(lines(of, method=method)) == ["KEY"]


def test_an_instance_without_a_secret_needs_no_example() -> None:
    assert not list(secret_example({"metadata": {"name": "x", "namespace": "y"}, "spec": {}}, definition()))
