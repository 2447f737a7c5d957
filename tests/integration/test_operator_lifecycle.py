"""The life of a connection on a real API server: all that a user does leads to the right state, by events alone.

The operator of these tests relists and retests once a week (conftest.ONLY_EVENTS), so that a state which is reached
was reached because a watch told of the change.
"""

from __future__ import annotations

import pytest

from conftest import Kubectl
from support.instances import Api, Object, account, condition, definition, instance, secret, verdict
from support.operator_process import OperatorProcess
from support.target_server import GOOD_KEY, TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster


def test_a_connection_from_its_first_manifest_to_its_deletion(
    api: Api, kubectl: Kubectl, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    acme, prod = definition(namespace, target), instance(namespace, "prod", namespace)
    one = account(namespace, "prod")
    api.apply(acme, prod)
    api.wait_for_verdict(prod, "False", "SecretNotFound")
    assert target.total_for(namespace) == 0, "nothing is asked without credentials"

    # The Secret appears: connected, and everything there is to know is shown.
    api.apply(secret(namespace))
    kubectl("wait", "iinst/prod", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    shown = api.get(prod)
    assert shown["status"]["identity"] == f"{one}@acme.example"
    assert shown["status"]["phase"] == "Connected"
    assert shown["status"]["lastTestResult"] == "Success"
    assert shown["status"]["authType"] == "apiKey"
    assert shown["status"]["observedGeneration"] == shown["metadata"]["generation"] == 1
    assert shown["status"]["credential"]["id"] == api.get(secret(namespace))["metadata"]["uid"]
    row = kubectl("get", "iinst", "prod", "-n", namespace, "--no-headers").stdout
    assert f"{one}@acme.example" in row
    assert "Connected" in row
    assert ("hub_connection_ready", namespace, "prod", namespace) in operator.metrics()
    assert target.count(one) == 1

    # The configuration is edited: tested again, at the new address.
    two = account(namespace, "moved")
    prod["spec"]["config"]["account"] = two
    api.apply(prod)
    shown = api.wait_for_verdict(prod, "True", "Connected")
    assert shown["status"]["observedGeneration"] == shown["status"]["tested"]["generation"] == 2
    assert shown["status"]["identity"] == f"{two}@acme.example"
    assert (target.count(one), target.count(two)) == (1, 1)

    # The reference names another Secret, which is not there yet, and then is.
    prod["spec"]["auth"]["secretRef"]["name"] = "other"
    api.apply(prod)
    shown = api.wait_for_verdict(prod, "False", "SecretNotFound")
    assert "'other'" in condition(shown)["message"]
    assert "identity" not in shown["status"], "a connection that does not stand is nobody's"
    api.apply(secret(namespace, "other"))
    api.wait_for_verdict(prod, "True", "Connected")

    # Who no longer uses a Secret does not care for it.
    before = target.count(two)
    api.apply(secret(namespace, "key", apiKey="changed"))

    # The Secret is rotated: good, bad, good; then it is deleted.
    api.apply(secret(namespace, "other", apiKey="wrong"))
    shown = api.wait_for_verdict(prod, "False", "CredentialsRejected")
    bad_version = shown["status"]["tested"]["secretResourceVersion"]
    api.apply(secret(namespace, "other"))
    shown = api.wait_for_verdict(prod, "True", "Connected")
    assert int(shown["status"]["tested"]["secretResourceVersion"]) > int(bad_version)
    assert target.count(two) == before + 2, "one test for each rotation, and none for the other Secret"
    api.delete(secret(namespace, "other"))
    api.wait_for_verdict(prod, "False", "SecretNotFound")

    # Deletion needs nobody's consent, and what is gone leaves the metrics.
    api.delete(prod)
    assert not api.exists(prod), "a finalizer would keep it"
    wait_until(
        operator.metrics,
        lambda seen: ("hub_connection_ready", namespace, "prod", namespace) not in seen,
        "the deleted instance has left the metrics",
    )


def test_a_definition_speaks_for_all_of_its_instances(
    api: Api, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    acme = definition(namespace, target)
    names = ("a", "b", "c")
    instances = [instance(namespace, name, namespace) for name in names]

    def counts() -> list[int]:
        return [target.count(account(namespace, name)) for name in names]

    api.apply(secret(namespace), *instances)
    api.wait_for_all(namespace, dict.fromkeys(names, ("False", "DefinitionNotFound")))
    api.apply(acme)
    api.wait_for_all(namespace, dict.fromkeys(names, ("True", "Connected")))
    api.wait_for_verdict(acme, "True", "Valid")
    assert counts() == [1, 1, 1]

    # What the test expects, then what it asks: every instance is tested anew.
    acme["spec"]["tests"][0]["expect"] = {"status": [204]}
    api.apply(acme)
    found = api.wait_for_all(namespace, dict.fromkeys(names, ("False", "UnexpectedStatus")))
    assert {shown["status"]["tested"]["definitionGeneration"] for shown in found.values()} == {2}
    acme["spec"]["tests"][0] |= {
        "expect": {"status": [200]},
        "request": {"path": "/v1/{{ config.account }}/me"},
    }
    api.apply(acme)
    api.wait_for_all(namespace, dict.fromkeys(names, ("True", "Connected")))
    assert counts() == [3, 3, 3]
    assert target.seen(account(namespace, "a"))[-1].path.endswith("/me")

    # Mistakes in the definition: it says where, its instances whose fault it is, and nothing is asked.
    acme["spec"]["authMethods"] = [
        {"name": "key", "type": "apiKey", "settings": {"in": "query", "name": "key"}}
    ]
    acme["spec"]["tests"][0]["request"]["path"] = "/v1/{{ config.nothing }}/me"
    api.apply(acme)
    shown = api.wait_for_verdict(acme, "False", "DefinitionInvalid")
    said = condition(shown)["message"]
    assert "spec.tests[0].request.path" in said
    assert "nothing" in said
    assert "spec.authMethods[0].settings" in said
    assert "allowInQuery" in said, "a secret in a URL must be wanted"
    assert condition(shown, "Stalled")["status"] == "True"
    found = api.wait_for_all(namespace, dict.fromkeys(names, ("False", "DefinitionInvalid")))
    assert "spec.tests[0].request.path" in condition(found["a"])["message"]
    assert counts() == [3, 3, 3]

    # Deleted, and created again: another one, so all that was said of the old one is void.
    api.delete(acme)
    found = api.wait_for_all(namespace, dict.fromkeys(names, ("False", "DefinitionNotFound")))
    assert namespace in condition(found["a"])["message"]
    acme = definition(namespace, target)
    api.apply(acme)
    api.wait_for_all(namespace, dict.fromkeys(names, ("True", "Connected")))
    assert counts() == [4, 4, 4]
    api.delete(acme)


def test_a_person_holds_a_connection_and_asks_for_tests(
    api: Api, kubectl: Kubectl, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    acme, prod, one = (
        definition(namespace, target),
        instance(namespace, "prod", namespace),
        account(namespace, "prod"),
    )
    api.apply(acme, secret(namespace), prod)
    api.wait_for_verdict(prod, "True", "Connected")

    # Asked for by annotation: tested though nothing has changed, and the wish is echoed.
    for number, wish in enumerate(("first", "second"), start=2):
        kubectl(
            "annotate", "iinst", "prod", "-n", namespace, "--overwrite", f"integrationhub.dev/request={wish}"
        )
        wait_for_echo(api, prod, wish)
        assert target.count(one) == number
    # Any other annotation is none of our business.
    kubectl("annotate", "iinst", "prod", "-n", namespace, "example.org/note=hello")

    # Suspended: the state says so, and neither a change nor a wish leads to a request.
    api.apply(instance(namespace, "prod", namespace, suspend=True))
    shown = api.wait_for_verdict(prod, "Unknown", "Suspended")
    assert shown["status"]["phase"] == "Pending"
    assert "nextTestTime" not in shown["status"]
    api.apply(secret(namespace, apiKey="rotated while nobody looks"))
    kubectl("annotate", "iinst", "prod", "-n", namespace, "--overwrite", "integrationhub.dev/request=third")
    wait_for_echo(api, prod, "third")
    operator.wait_until_idle()
    assert target.count(one) == 3
    assert verdict(api.get(prod)) == ("Unknown", "Suspended")

    # Resumed: tested at once, with what is true by now.
    api.apply(instance(namespace, "prod", namespace))
    api.wait_for_verdict(prod, "False", "CredentialsRejected")
    assert target.count(one) == 4
    api.delete(acme)


def wait_for_echo(api: Api, obj: Object, wish: str) -> None:
    wait_until(
        lambda: api.get(obj)["status"].get("lastHandledRequest"),
        lambda seen: seen == wish,
        f"the echo of {wish}",
    )


def test_names_and_presets(api: Api, namespace: str, operator: OperatorProcess, target: TargetServer) -> None:
    acme = definition(
        namespace,
        target,
        templates=[
            {"name": "sandbox", "config": {"account": f"{namespace}-sandbox"}},
            {"name": "elsewhere", "config": {"server": "https://elsewhere.example"}},
        ],
    )
    preset = instance(namespace, "preset", namespace, template="sandbox", config={})
    own = instance(namespace, "own", namespace, template="sandbox", config={"account": f"{namespace}-own"})
    unknown = instance(namespace, "unknown", namespace, template="sandbx")
    elder = instance(namespace, "elder", namespace, displayName="The one")
    api.apply(acme, secret(namespace), preset, own, unknown, elder)
    api.wait_for_verdict(elder, "True", "Connected")
    # Age is counted in whole seconds: among equals the name decides, and 'younger' comes after 'elder'.
    younger = instance(namespace, "younger", namespace, displayName="The one")
    api.apply(younger)
    found = api.wait_for_all(
        namespace,
        {
            "preset": ("True", "Connected"),
            "own": ("True", "Connected"),
            "unknown": ("False", "TemplateNotFound"),
            "elder": ("True", "Connected"),
            "younger": ("False", "DisplayNameTaken"),
        },
    )
    assert found["preset"]["status"]["identity"] == f"{namespace}-sandbox@acme.example"
    assert found["own"]["status"]["identity"] == f"{namespace}-own@acme.example", (
        "the instance's own config wins"
    )
    assert "'sandbox'" in condition(found["unknown"])["message"], "the names to choose from"
    assert "'elder'" in condition(found["younger"])["message"], "who has the name"
    assert target.count(account(namespace, "younger")) == 0

    # The name is free when its owner goes, and taken from the start by who then has it.
    api.delete(elder)
    api.wait_for_verdict(younger, "True", "Connected")
    # Two on the same name: one of them gives way, and is free when the other is renamed.
    api.apply(instance(namespace, "zweite", namespace, displayName="The one"))
    api.wait_for_verdict(instance(namespace, "zweite", namespace), "False", "DisplayNameTaken")
    api.apply(instance(namespace, "younger", namespace, displayName="Another"))
    api.wait_for_verdict(instance(namespace, "zweite", namespace), "True", "Connected")
    api.delete(acme)


def test_what_is_deleted_and_created_again_at_once_is_not_lost(
    api: Api, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    """`kubectl replace --force` does so, and GitOps tools can. The news of the two objects may come in any order."""
    acme = definition(namespace, target)
    names = [f"again-{number}" for number in range(12)]
    instances = [instance(namespace, name, namespace) for name in names]
    api.apply(acme, secret(namespace), *instances)
    api.wait_for_all(namespace, dict.fromkeys(names, ("True", "Connected")))
    uids = {name: shown["metadata"]["uid"] for name, shown in api.instances(namespace).items()}
    for again in instances:
        api.apply(again | {"spec": again["spec"] | {"description": "changed just before"}})
        api.delete(again)
        api.apply(again)
    found = api.wait_for_all(namespace, dict.fromkeys(names, ("True", "Connected")))
    assert all(shown["metadata"]["uid"] != uids[name] for name, shown in found.items())
    operator.wait_until_idle()
    known = operator.metrics()
    assert all(known.get(("hub_connection_ready", namespace, name, namespace)) == 1 for name in names)
    # They are still known: a change of what they depend on reaches every one of them.
    api.apply(secret(namespace, apiKey="wrong"))
    api.wait_for_all(namespace, dict.fromkeys(names, ("False", "CredentialsRejected")))
    api.apply(secret(namespace, apiKey=GOOD_KEY))
    api.wait_for_all(namespace, dict.fromkeys(names, ("True", "Connected")))
    api.delete(acme)
