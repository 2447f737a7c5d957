"""A success that anybody would have proves no credential: found by the operator over real connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_hub.model.reasons import Reason
from support.instances import Api, Object, account, condition, definition, instance, kstatus, secret
from support.operator_process import OperatorProcess
from support.target_server import Answer, TargetServer, knows_its_key

pytestmark = pytest.mark.cluster

NAMESPACE = "proving"
DEFINITION = "proving"
EXPECTED = {
    "guarded": ("True", Reason.CONNECTED),
    "wide-open": ("False", Reason.CREDENTIAL_UNPROVEN),
    "wrong-key": ("False", Reason.CREDENTIALS_REJECTED),
    "open-on-purpose": ("True", Reason.CONNECTED),
}
METHOD = {name: "none" if name == "open-on-purpose" else "key" for name in EXPECTED}


@pytest.fixture(scope="module")
def found(api: Api, operator: OperatorProcess, target: TargetServer) -> Iterator[dict[str, Object]]:
    """All instances, each with its verdict."""
    acme = definition(
        DEFINITION,
        target,
        authMethods=[
            {"name": "key", "type": "apiKey", "settings": {"prefix": "Bearer"}},
            {"name": "none", "type": "custom", "settings": {"anonymous": {}}},
        ],
        tests=[
            {
                "name": "whoami",
                "default": True,
                "request": {"path": "/v1/{{ config.account }}/whoami"},
                "proveCredential": True,
            }
        ],
    )
    instances = []
    for name in EXPECTED:
        is_open = "open" in name
        target.script(account(NAMESPACE, name), Answer() if is_open else knows_its_key)
        auth: Object = {"method": METHOD[name]}
        if METHOD[name] == "key":
            auth["secretRef"] = {"name": "another" if name == "wrong-key" else "key"}
        instances.append(instance(NAMESPACE, name, DEFINITION, auth=auth))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    secrets = [secret(NAMESPACE), secret(NAMESPACE, "another", apiKey="not-this-one")]
    api.apply(namespace, *secrets, acme, *instances)
    yield api.wait_for_all(NAMESPACE, {name: (status, str(why)) for name, (status, why) in EXPECTED.items()})
    api.delete(*instances, acme, namespace)


def test_the_same_is_asked_for_without_the_credential_where_it_was_a_success(
    found: dict[str, Object], target: TargetServer
) -> None:
    for name in ("guarded", "wide-open"):
        first, second = target.seen(account(NAMESPACE, name))[:2]
        assert first.headers["authorization"].startswith("Bearer ")
        assert "authorization" not in second.headers
        assert (first.method, first.path, first.query) == (second.method, second.path, second.query)
    for name in ("wrong-key", "open-on-purpose"):
        assert target.count(account(NAMESPACE, name)) == 1, "there is nothing to prove"


def test_a_server_that_lets_anybody_in_is_told_with_what_to_do(found: dict[str, Object]) -> None:
    shown = found["wide-open"]
    assert "no credential is sent" in condition(shown)["message"]
    assert (
        "choose the auth method 'none' (spec.auth.method), which sends no credential"
        in condition(shown)["message"]
    )
    assert condition(shown, "Reachable")["status"] == "True"
    assert condition(shown, "Authenticated")["reason"] == Reason.CREDENTIAL_UNPROVEN
    assert kstatus(shown) == "Failed", "somebody must act"


def test_the_stages_show_how_the_other_request_ended(found: dict[str, Object]) -> None:
    ended = {}
    for name in ("guarded", "wide-open"):
        (test,) = found[name]["status"]["tests"]
        last = test["stages"][-1]
        ended[name] = (last["name"], last["result"], last["evidence"]["status"])
    assert ended == {"guarded": ("control", "Passed", "401"), "wide-open": ("control", "Failed", "200")}


def test_who_sends_no_credential_is_not_said_to_be_accepted(found: dict[str, Object]) -> None:
    shown = found["open-on-purpose"]
    for type_ in ("CredentialsAvailable", "Authenticated"):
        assert condition(shown, type_)["status"] == "True"
        assert condition(shown, type_)["reason"] == Reason.NOT_NEEDED
