"""What an answer tells of a credential's end, as everybody sees it: in status, columns, metrics and Events."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from conftest import Kubectl
from integration_hub.model.base import REQUEST_ANNOTATION
from support.instances import Api, Object, account, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import Answer, TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)


def telling(name: str, target: TargetServer) -> Object:
    """A definition whose answers tell when the key ends, and of which account it is."""
    test = {
        "name": "whoami",
        "default": True,
        "request": {"path": "/v1/{{ config.account }}/whoami"},
        "expect": {
            "assertions": [
                {
                    "rule": "response.json.account == config.account",
                    "message": "another account answers than the one that is configured",
                }
            ]
        },
        "identity": "response.json.user.login + ' of ' + config.account",
        "credentialExpiresAt": "response.headers['x-key-ends']",
    }
    return definition(name, target, tests=[test])


def says(of_account: str, ends: str) -> Answer:
    return Answer(body={"user": {"login": "ada"}, "account": of_account}, headers={"X-Key-Ends": ends})


def request(api: Api, obj: Object) -> Object:
    value = str(time.monotonic_ns())
    api.merge(obj, {"metadata": {"annotations": {REQUEST_ANNOTATION: value}}})
    return wait_until(
        lambda: api.get(obj),
        lambda found: found.get("status", {}).get("lastHandledRequest") == value,
        "the request was acted upon",
    )


def test_an_end_that_an_answer_tells_is_shown_and_warned_of(
    api: Api, kubectl: Kubectl, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    acme = telling(namespace, target)
    prod = instance(namespace, "prod", namespace)
    mine = account(namespace, "prod")
    target.script(mine, says(mine, f"{SOON:%Y-%m-%d %H:%M:%S} UTC"))
    since = api.now(namespace)
    api.apply(acme, secret(namespace))
    api.wait_for_verdict(acme, "True", "Valid")
    api.apply(prod)
    found = api.wait_for_verdict(prod, "True", "Connected")
    written = f"{SOON:%Y-%m-%dT%H:%M:%SZ}"
    assert found["status"]["credential"]["expiresAt"] == written
    assert found["status"]["tests"][0]["credentialExpiresAt"] == written
    assert found["status"]["identity"] == f"ada of {mine}"
    wide = kubectl("get", "iinst", "prod", "-n", namespace, "-o", "wide").stdout
    assert "EXPIRES" in wide
    (series,) = [
        value
        for (metric, *labels), value in operator.metrics().items()
        if metric == "hub_credential_expiry_timestamp_seconds" and labels[:2] == [namespace, "prod"]
    ]
    assert series == SOON.timestamp()
    events = wait_until(
        lambda: kubectl("get", "events", "-n", namespace).stdout,
        lambda seen: "CredentialExpiresSoon" in seen,
        "the warning was given",
    )
    assert f"{SOON:%Y-%m-%d}" in events

    # The same end, a second later or earlier, is no news.
    before = len(api.writes(namespace, since)["prod"])
    target.script(mine, says(mine, f"{SOON + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"))
    again = request(api, prod)
    assert again["status"]["credential"] == found["status"]["credential"]
    operator.wait_until_idle()
    assert len(api.writes(namespace, since)["prod"]) == before + 2, (
        "the annotation, and that it was acted upon"
    )

    # What cannot be read is said, and nothing of it.
    target.script(mine, says(mine, "canary-of-the-other-side"))
    odd = request(api, prod)
    assert odd["status"]["credential"]["expiresAt"] == written
    assert "When the credential ends cannot be read" in odd["status"]["tests"][0]["message"]
    assert "canary-of-the-other-side" not in str(odd)


def test_an_answer_of_another_account_than_the_configured_one_is_a_failure(
    api: Api, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    del operator
    other = instance(namespace, "other", namespace)
    target.script(account(namespace, "other"), says("somebody-else", "2099-12-31"))
    acme = telling(namespace, target)
    api.apply(acme, secret(namespace))
    api.wait_for_verdict(acme, "True", "Valid")
    api.apply(other)
    found = api.wait_for_verdict(other, "False", "AssertionFailed")
    assert "another account answers" in found["status"]["conditions"][0]["message"]


def test_a_definition_that_reads_a_field_that_there_is_not_is_told_so(
    api: Api, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    del operator
    acme = telling(namespace, target)
    acme["spec"]["tests"][0]["identity"] = "response.json.user.login + config.acount"
    api.apply(acme)
    found = api.wait_for_verdict(acme, "False", "DefinitionInvalid")
    assert "spec.tests[0].identity: 'config.acount' is not a field of configSchema" in str(found["status"])
    assert "did you mean 'account'?" in str(found["status"])
