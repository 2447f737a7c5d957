"""Which connections a new version of a definition breaks, as the gates see it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from integration_hub.reconcile.definition import CheckedDefinition, check_definition
from integration_hub.shell.upgrade import broken
from support.builders import NOW, Raw, definition, instance


def checked(raw: Raw) -> CheckedDefinition:
    found = check_definition(raw)
    assert found.violations == ()
    return found


def after(edit: Callable[[dict[str, Any]], object], *instances: Raw) -> list[str]:
    old = definition()
    new = deepcopy(old)
    edit(new["spec"])
    return [str(one) for one in broken(instances or (instance(),), checked(old), checked(new), now=NOW)]


def test_the_same_definition_breaks_nobody() -> None:
    assert after(dict.copy) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda spec: spec["configSchema"]["properties"]["region"].update(enum=["us"]), "spec.config.region"),
        (
            lambda spec: spec["configSchema"].update(required=["region", "team"]),
            "spec.config.team: is required",
        ),
        (lambda spec: spec["authMethods"][0]["settings"].update(secretKey="token"), "needs the key 'token'"),
        (lambda spec: spec.update(allowedHosts=["*.other.example"]), "eu.acme.example is not among"),
        (lambda spec: spec.update(allowedHosts=["*.acme.example:8443"]), "eu.acme.example is not among"),
        (
            lambda spec: spec["authMethods"].append({"name": "basic", "type": "basicAuth"}),
            "the definition has several auth methods",
        ),
    ],
)
def test_a_connection_breaks(edit: Callable[[dict[str, Any]], object], said: str) -> None:
    (found,) = after(edit)
    assert found.startswith("team-a/prod: ")
    assert said in found


def test_who_does_not_use_what_is_gone_notices_nothing() -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["configSchema"]["properties"].pop("team")

    uses = instance("uses", config={"region": "eu", "team": "shop"})
    found = after(edit, instance(), uses)
    assert len(found) == 1
    assert found[0].startswith("team-a/uses: spec.config.team")


def test_who_is_broken_already_is_not_told_again() -> None:
    bad = instance(config={"region": "nowhere"})
    assert after(lambda spec: spec["configSchema"]["properties"]["region"].update(enum=["us"]), bad) == []
