"""`hub status`, `events`, `reconcile`, `suspend` and `resume` as a user runs them, with the operator."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from conftest import Kubectl
from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from support.hub_command import Hub, admin_kubeconfig, lines_until, press_ctrl_c, user_kubeconfig
from support.instances import Api, Object, account, definition, instance, ready_status, secret
from support.operator_process import OperatorProcess
from support.target_server import Answer, TargetServer
from support.waiting import wait_until
from support.wizard import CTRL_C, Terminal

pytestmark = pytest.mark.cluster

CANARY = "cAnaryS4-7e21a0/+9b=2c4d"


@pytest.fixture
def connection(operator: OperatorProcess, api: Api, namespace: str, target: TargetServer) -> Object:
    """An instance that works."""
    api.apply(definition(namespace, target), secret(namespace))
    (applied,) = api.apply(instance(namespace, "billing", namespace))
    return api.wait_for_verdict(applied, "True", "Connected")


def refuses(target: TargetServer, connection: Object) -> None:
    """Let the external system accept no credential of a connection any more."""
    metadata = connection["metadata"]
    target.script(account(metadata["namespace"], metadata["name"]), lambda _: Answer(401, {"error": "no"}))


# status


def test_what_works_is_said_first_with_who_we_are_and_since_when(
    hub: Hub, namespace: str, connection: Object
) -> None:
    ran = hub.run("status", "billing")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[:2] == [f"{namespace}/billing ({namespace})", "Ready: Connected"]
    assert f"  Connected as: {namespace}-billing@acme.example" in lines
    assert "  Credential:   Secret 'key'" in lines
    assert re.search(r"(?m)^  Last tested:  20\S+Z \(\d+s ago\)$", ran.out)
    assert lines[-1] == f"Next: hub test billing -n {namespace}"


def test_what_fails_is_said_first_with_the_stages_that_show_it_and_what_to_do(
    hub: Hub, api: Api, namespace: str, target: TargetServer, operator: OperatorProcess
) -> None:
    api.apply(definition(namespace, target), secret(namespace, "old", apiKey=CANARY))
    (applied,) = api.apply(instance(namespace, "crm", namespace, secret="old"))
    api.wait_for_verdict(applied, "False", "CredentialsRejected")
    ran, data = hub.run_all(("status", "crm"), ("status", "crm", "-o", "json"))
    assert ran.code == data.code == 1
    lines = ran.out.splitlines()
    assert lines[1] == "Not ready: CredentialsRejected"
    assert "with 401 Unauthorized: it does not accept the credentials." in lines[2]
    assert "Get a new credential from the external system" in lines[2]
    assert "    request: failed" in re.sub(r", \d+ ms", "", ran.out).splitlines()
    assert "      status: 401" in lines
    assert lines[-2:] == [f"Next: hub test crm -n {namespace}", "  or: hub explain CredentialsRejected"]
    assert data.data["test"]["stages"][-1]["evidence"]["status"] == "401"
    assert data.data["exitCode"] == 1


def test_on_a_terminal_the_verdict_has_a_symbol_and_long_sentences_are_folded(
    hub: Hub, api: Api, namespace: str, operator: OperatorProcess
) -> None:
    (applied,) = api.apply(instance(namespace, "lost", f"{namespace}-none"))
    api.wait_for_verdict(applied, "False", "DefinitionNotFound")
    code, shown = hub.on_a_terminal("status", "lost", columns=60)
    bare = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert code == 1
    assert "\x1b[38;5;196m✗\x1b[0m \x1b[1mNot ready: DefinitionNotFound\x1b[0m" in shown
    assert f"There is no IntegrationDefinition '{namespace}-none'" in " ".join(bare.split())
    assert max(map(len, bare.splitlines())) <= 60
    _, plain = hub.on_a_terminal("status", "lost", "--plain", columns=60)
    assert plain.isascii()
    assert "\x1b" not in plain
    assert "Not ready: DefinitionNotFound" in plain.splitlines()


def test_status_of_what_does_not_exist_names_what_does(hub: Hub, connection: Object) -> None:
    ran = hub.run("status", "biling")
    assert ran.code == 2
    assert "did you mean 'billing'?" in ran.err


def test_what_is_proposed_is_about_the_cluster_that_was_asked(
    hub: Hub, api: Api, control_plane: ControlPlaneInfo, namespace: str, tmp_path: Path
) -> None:
    """An instance of the same name may be in the cluster that is the default."""
    (held,) = api.apply(instance(namespace, "held", "acme", suspend=True))
    api.merge(held, ready_status("Unknown", "Suspended", "It is suspended."), "/status")
    (tmp_path / "of others").mkdir()
    file = admin_kubeconfig(tmp_path / "of others", control_plane, namespace)
    flags = ("--kubeconfig", str(file), "--context", "test")
    ran = Hub(tmp_path, None).run("status", "held", *flags)
    first = next(line for line in ran.out.splitlines() if line.startswith("Next: "))
    assert shlex.split(first) == ["Next:", "hub", "resume", "held", "-n", namespace, *flags]
    assert "  or: hub explain Suspended\n" in ran.out
    refused = Hub(tmp_path, None).run("reconcile", "held", *flags)
    assert f"'hub resume held -n {namespace} --kubeconfig '{file}' --context test'" in refused.err
    assert f"Next: hub resume held -n {namespace}\n" in hub.run("status", "held").out


def test_watching_a_status_prints_it_again_when_it_says_something_else_until_ctrl_c(
    hub: Hub, api: Api, namespace: str
) -> None:
    (applied,) = api.apply(instance(namespace, "new", "acme"), instance(namespace, "other", "acme"))[:1]
    process = hub.start("status", "new", "-w")
    head = f"{namespace}/new (acme)"
    first = lines_until(process, "Next: ")
    assert first[:2] == [head, "Cannot tell: NotSeen"]
    api.merge(instance(namespace, "other", "acme"), ready_status("False", "SecretQuoted"), "/status")
    api.merge(applied, {"metadata": {"labels": {"team": "shop"}}})  # which the report does not speak of
    api.merge(applied, ready_status("False", "SecretNotFound"), "/status")
    second = lines_until(process, "Next: ")
    assert second[0] == ""
    assert re.fullmatch(r"At 20\S+Z:", second[1])
    assert second[2:4] == [head, "Not ready: SecretNotFound"]
    api.delete(applied)
    api.apply(instance(namespace, "new", "acme"))
    assert "Cannot tell: NotSeen" in lines_until(process, "Next: ")
    press_ctrl_c(process)
    ran = hub.ended(process)
    assert ran.code == 130
    assert f"{namespace}/new was deleted." in ran.err
    assert "Traceback" not in ran.err


def test_a_status_is_watched_as_yaml_one_document_after_another(hub: Hub, api: Api, namespace: str) -> None:
    (applied,) = api.apply(instance(namespace, "new", "acme"))
    process = hub.start("status", "new", "-w", "-o", "yaml")
    assert "reason: NotSeen" in lines_until(process, "upToDate")
    api.merge(applied, ready_status("False", "SecretNotFound"), "/status")
    second = lines_until(process, "upToDate")
    assert second[0] == "---"
    assert "reason: SecretNotFound" in second
    press_ctrl_c(process)
    assert hub.ended(process).code == 130


def test_a_status_is_watched_in_a_terminal_with_its_symbols(hub: Hub, api: Api, namespace: str) -> None:
    (applied,) = api.apply(instance(namespace, "new", "acme"))

    terminal = Terminal(hub, "status", "new", "-w")
    terminal.sees("Next: ")
    api.merge(applied, ready_status("False", "SecretNotFound"), "/status")
    assert "✗ Not ready: SecretNotFound" in terminal.sees("Next: ")
    terminal.presses(CTRL_C)
    assert terminal.ends()[0] == 130


def test_watching_what_does_not_exist_waits_for_nothing(hub: Hub, connection: Object) -> None:
    runs = hub.run_all(("status", "biling", "-w"), ("tree", "biling", "--watch"))
    assert [ran.code for ran in runs] == [2, 2]
    assert all("did you mean 'billing'?" in ran.err for ran in runs)


# events


def test_events_are_listed_and_those_that_come_are_printed_below(
    hub: Hub, api: Api, namespace: str, connection: Object, target: TargetServer
) -> None:
    wait_until(lambda: hub.run("events", "billing").out, lambda out: "Connected" in out, "the Event is there")
    ran = hub.run("events", "billing")
    assert re.search(r"^LAST SEEN +TYPE +REASON +MESSAGE\n", ran.out)
    assert re.search(r"(?m)^\d+s +Normal +Connected +Connected to 127\.0\.0\.1:\d+ as ", ran.out)
    process = hub.start("events", "-w")
    assert process.stdout is not None
    assert process.stdout.readline().split() == ["LAST", "SEEN", "TYPE", "REASON", "INSTANCE", "MESSAGE"]
    assert f"{namespace}/billing" in process.stdout.readline()
    api.merge(connection, {"spec": {"suspend": True}})
    assert process.stdout.readline().split()[1:4] == ["Normal", "Suspended", f"{namespace}/billing"]
    press_ctrl_c(process)
    assert hub.ended(process).code == 130


def test_events_of_instances_with_a_label_are_those_of_no_others(
    hub: Hub, api: Api, namespace: str, connection: Object
) -> None:
    crm = instance(namespace, "crm", namespace, suspend=True)
    crm["metadata"]["labels"] = {"team": "crm"}
    api.apply(crm)
    wait_until(
        lambda: hub.run("events").out, lambda out: "Connected" in out and "Suspended" in out, "two Events"
    )
    ran, names = hub.run_all(("events", "-l", "team=crm"), ("events", "-l", "team=crm", "-o", "name"))
    assert all(line.startswith("event.events.k8s.io/crm.") for line in names.out.splitlines())
    assert len(names.out.splitlines()) == len(ran.out.splitlines()) - 1
    assert {line.split()[3] for line in ran.out.splitlines()[1:]} == {f"{namespace}/crm"}
    none, wrong, both = hub.run_all(
        ("events", "-l", "team=no"), ("events", "-l", "a=b=c"), ("events", "billing", "-l", "team=crm")
    )
    assert (none.code, none.out) == (0, "")
    assert "There are no Events" in none.err
    assert (wrong.code, both.code) == (2, 2)
    assert "leave one of them out" in both.err


def test_watching_events_by_label_has_those_of_an_instance_that_is_labelled_later(
    hub: Hub, api: Api, namespace: str, connection: Object
) -> None:
    wait_until(lambda: hub.run("events").out, lambda out: "Connected" in out, "the Event")
    process = hub.start("events", "-w", "-l", "team=late", "--no-headers")
    api.merge(connection, {"metadata": {"labels": {"team": "late"}}})
    api.merge(connection, {"spec": {"suspend": True}})
    seen = lines_until(process, "Suspended")[-1]
    assert f"{namespace}/billing" in seen
    press_ctrl_c(process)
    assert hub.ended(process).code == 130


def test_where_there_are_no_events_it_says_why_that_may_be(hub: Hub, namespace: str) -> None:
    ran = hub.run("events")
    assert (ran.code, ran.out) == (0, "")
    assert "There are no Events: none were posted, or the cluster keeps them no longer." in ran.err


# reconcile, suspend, resume


def test_a_test_is_asked_for_and_its_verdict_is_the_exit_code(
    hub: Hub, api: Api, target: TargetServer, connection: Object
) -> None:
    good = hub.run("reconcile", "billing")
    assert (good.code, good.out.splitlines()[0]) == (0, "Ready: Connected")
    refuses(target, connection)
    bad = hub.run("reconcile", "billing", "-o", "json")
    assert (bad.code, bad.data["reason"]) == (1, "CredentialsRejected")
    managers = [entry["manager"] for entry in api.get(connection)["metadata"]["managedFields"]]
    assert "kubectl-hub" in managers


def test_nothing_is_waited_for_where_that_is_not_wanted(hub: Hub, api: Api, connection: Object) -> None:
    ran = hub.run("reconcile", "billing", "--no-wait")
    assert (ran.code, ran.err) == (0, "")
    assert "the operator was asked to test." in ran.out
    handled = wait_until(
        lambda: api.get(connection),
        lambda obj: "lastHandledRequest" in obj["status"],
        "the request is handled",
    )
    assert (
        handled["status"]["lastHandledRequest"]
        == handled["metadata"]["annotations"]["integrationhub.dev/request"]
    )


def test_an_operator_that_does_not_answer_ends_the_wait_with_a_code_of_its_own(
    hub: Hub, spare_api: Api, spare_cluster: ControlPlane
) -> None:
    # The second control plane has no operator now; those of later tests must not find what this one has left.
    alone = instance("default", "alone", "acme")
    spare_api.apply(alone)
    kubeconfig = str(spare_cluster.home.kubeconfig)
    place = ("-n", "default", "--kubeconfig", kubeconfig)
    late, unseen = hub.run_all(("reconcile", "alone", "--timeout", "1s", *place), ("status", "alone", *place))
    spare_api.delete(alone)
    assert late.code == 4
    assert "Within 1 s it has not come so far that the operator has tested." in late.err
    assert "hub check" in late.err
    assert unseen.code == 1
    assert "Cannot tell: NotSeen\n  No operator has said anything of this instance yet.\n" in unseen.out
    assert unseen.out.endswith(f"Next: hub check --kubeconfig {spare_cluster.home.kubeconfig}\n")


def test_an_instance_is_suspended_and_resumed_and_is_then_as_it_was(
    hub: Hub, api: Api, namespace: str, connection: Object
) -> None:
    tried = hub.run("suspend", "billing", "--dry-run", "server")
    assert tried.out == f"{namespace}/billing would be suspended (the API server agrees).\n"
    assert api.get(connection)["spec"] == connection["spec"]
    assert hub.run("suspend", "billing").out == f"{namespace}/billing is suspended.\n"
    assert hub.run("suspend", "billing").out == (
        f"{namespace}/billing is suspended already: nothing was changed.\n"
    )
    api.wait_for_verdict(connection, "Unknown", "Suspended")
    held = hub.run("reconcile", "billing")
    assert held.code == 1
    assert f"Resume it with 'hub resume billing -n {namespace}'." in held.err
    resumed = hub.run("resume", "billing")
    assert (resumed.code, resumed.err) == (0, "")
    assert resumed.out.startswith(f"{namespace}/billing is resumed.\nReady: Connected\n")
    assert api.get(connection)["spec"] == connection["spec"]


def test_several_are_suspended_tested_and_resumed_by_label_by_name_or_all(
    hub: Hub, api: Api, namespace: str, target: TargetServer, connection: Object
) -> None:
    crm = instance(namespace, "crm", namespace)
    crm["metadata"]["labels"] = {"team": "crm"}
    (crm,) = api.apply(crm)
    api.wait_for_verdict(crm, "True", "Connected")
    held = hub.run("suspend", "-l", "team=crm", "-o", "name")
    assert (held.code, held.out) == (0, "integrationinstance.integrationhub.dev/crm\n")
    assert held.err == f"{namespace}/crm is suspended.\n"
    assert "suspend" not in api.get(connection)["spec"]
    tested = hub.run("reconcile", "--all", "-o", "json")
    reports = tested.data["items"]
    assert [(report["name"], report["reason"]) for report in reports] == [("billing", "Connected")]
    assert f"{namespace}/crm is suspended: the operator makes no tests of it." in tested.err
    refuses(target, connection)
    resumed = hub.run("resume", "crm", "billing")
    assert resumed.out.splitlines()[:2] == [
        f"{namespace}/crm is resumed.",
        f"{namespace}/billing is not suspended: nothing was changed.",
    ]
    assert f"{namespace}/crm:\nReady: Connected\n" in resumed.out
    again = hub.run("reconcile", "--all")
    assert again.code == 1
    assert f"{namespace}/billing:\nNot ready: CredentialsRejected\n" in again.out
    assert f"{namespace}/crm:\nReady: Connected\n" in again.out


def test_where_none_was_tested_that_is_no_success(
    hub: Hub, api: Api, namespace: str, connection: Object
) -> None:
    held = [instance(namespace, name, namespace, suspend=True) for name in ("crm", "erp")]
    for raw in held:
        raw["metadata"]["labels"] = {"team": "held"}
    api.apply(*held)
    named, labelled, one_of_two = hub.run_all(
        ("reconcile", "crm", "erp", "-o", "json"),
        ("reconcile", "-l", "team=held", "-o", "json"),
        ("reconcile", "billing", "crm", "-o", "json"),
    )
    assert [ran.code for ran in (named, labelled, one_of_two)] == [1, 1, 1]
    for name in ("crm", "erp"):
        assert f"Error: {namespace}/{name} is suspended: the operator makes no tests of it." in named.err
        assert f"Resume it with 'hub resume {name} -n {namespace}'." in named.err
        assert f"{namespace}/{name} is suspended: the operator makes no tests of it." in labelled.err
    assert "Error:" not in labelled.err
    assert "None is left that could be tested." in labelled.err
    assert '"Connected"' in one_of_two.out


def test_which_instances_are_meant_is_said_once(hub: Hub, namespace: str, connection: Object) -> None:
    none, *mistakes = hub.run_all(
        ("suspend", "-l", "team=none"),
        ("suspend",),
        ("resume", "billing", "-A"),
        ("reconcile", "billing", "--all"),
        ("suspend", "-l", "team=crm", "--all"),
    )
    assert (none.code, none.out) == (0, "")
    assert none.err == (
        f"There are no instances with the labels team=none in namespace '{namespace}': nothing was done.\n"
    )
    assert [ran.code for ran in mistakes] == [2] * 4
    assert "Name an instance, or say which are meant with -l or --all." in mistakes[0].err
    assert all("leave one of them out." in ran.err for ran in mistakes[1:])


def test_what_one_of_several_fails_by_ends_no_other(
    hub: Hub, spare_api: Api, spare_cluster: ControlPlane
) -> None:
    # The second control plane has no operator now.
    both = [instance("default", name, "acme") for name in ("one", "two")]
    spare_api.apply(*both)
    kubeconfig = str(spare_cluster.home.kubeconfig)
    ran = hub.run(
        "reconcile",
        "one",
        "two",
        "--timeout",
        "1s",
        "-o",
        "json",
        "-n",
        "default",
        "--kubeconfig",
        kubeconfig,
    )
    spare_api.delete(*both)
    assert (ran.code, ran.data) == (4, {"items": []})
    for name in ("one", "two"):
        assert f"Within 1 s it has not come so far that the operator has tested default/{name}." in ran.err


def test_what_was_asked_of_which_instance_is_printed_where_nothing_is_waited_for(
    hub: Hub, api: Api, namespace: str, connection: Object
) -> None:
    asked = hub.run("reconcile", "billing", "-o", "json", "--wait=false")
    request = asked.data["request"]
    wait_until(
        lambda: api.get(connection)["status"].get("lastHandledRequest"),
        lambda handled: handled == request,
        "the request is handled",
    )
    tried, as_yaml, several, resumed, path, suspended, named = hub.run_all(
        ("reconcile", "billing", "-o", "json", "--dry-run=client"),
        ("reconcile", "billing", "-o", "yaml", "--dry-run=server"),
        ("reconcile", "--all", "-o", "json", "--no-wait"),
        ("resume", "billing", "-o", "json", "--no-wait"),
        ("resume", "billing", "--dry-run=server", "-o", "jsonpath={.asked} {.name}"),
        ("suspend", "billing", "--dry-run=client", "-o", "jsonpath={.spec.suspend}"),
        ("resume", "billing", "--no-wait", "-o", "name"),
    )
    runs = (asked, tried, as_yaml, several, resumed, path, suspended, named)
    assert [ran.code for ran in runs] == [0] * len(runs)
    place = {"namespace": namespace, "name": "billing"}
    assert asked.data == {**place, "asked": "test", "request": request, "dryRun": None}
    assert asked.err == f"{namespace}/billing: the operator was asked to test.\n"
    assert tried.data == {**place, "asked": "test", "request": None, "dryRun": "client"}
    assert yaml.safe_load(as_yaml.out) == {**place, "asked": "test", "request": None, "dryRun": "server"}
    assert [(found["name"], found["asked"]) for found in several.data["items"]] == [("billing", "test")]
    assert resumed.data == {**place, "asked": "resume", "changed": False, "dryRun": None}
    assert path.out == "resume billing"
    assert suspended.out == "true"
    assert suspended.err == f"{namespace}/billing would be suspended (nothing was sent).\n"
    assert named.out == "integrationinstance.integrationhub.dev/billing\n"


def test_where_nobody_is_asked_there_are_no_items(
    hub: Hub, api: Api, namespace: str, connection: Object
) -> None:
    held = instance(namespace, "crm", namespace, suspend=True)
    held["metadata"]["labels"] = {"team": "held"}
    api.apply(held)
    none, alone, back = hub.run_all(
        ("reconcile", "-l", "team=none", "-o", "json", "--no-wait"),
        ("reconcile", "-l", "team=held", "-o", "json", "--no-wait"),
        ("resume", "-l", "team=held", "-o", "json", "--dry-run=server"),
    )
    assert [(ran.code, ran.data) for ran in (none, alone)] == [(0, {"items": []}), (1, {"items": []})]
    assert back.data == {
        "items": [
            {"namespace": namespace, "name": "crm", "asked": "resume", "changed": True, "dryRun": "server"}
        ]
    }


def test_who_suspends_what_git_keeps_is_told_that_git_will_take_it_back(
    hub: Hub, kubectl: Kubectl, namespace: str, connection: Object
) -> None:
    kubectl("label", "iinst", "billing", "argocd.argoproj.io/instance=shop", "-n", namespace)
    ran = hub.run("suspend", "billing")
    assert ran.code == 0
    assert ran.err == (
        "Argo CD (application 'shop') keeps this instance as its source has it, and takes this back unless spec.suspend"
        " is changed there, too.\n"
    )
    data = hub.run("resume", "billing", "-o", "json")
    assert json.loads(data.out)["managedBy"] == "Argo CD (application 'shop')"


def test_who_may_not_change_an_instance_is_told_what_to_ask_for(  # noqa: PLR0917 - fixtures
    hub: Hub,
    kubectl: Kubectl,
    namespace: str,
    connection: Object,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
) -> None:
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=integrationinstances", "-n", namespace)
    kubectl(
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        f"--serviceaccount={namespace}:reader",
        "-n",
        namespace,
    )
    token = kubectl("create", "token", "reader", "-n", namespace).stdout.strip()
    file = user_kubeconfig(
        tmp_path / "reader",
        server=control_plane.server, ca_file=control_plane.ca_file, namespace=namespace, token=token,
    )  # fmt: skip
    ran = Hub(tmp_path, file, token).run("suspend", "billing")
    assert ran.code == 3
    assert f"You may not change IntegrationInstance 'billing' in namespace '{namespace}'." in ran.err
    assert "Ask for the right to 'patch' integrationinstances." in ran.err
