"""`hub tree`, `usage`, `export` and `diff` as a user runs them, against a real API server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Kubectl
from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from support.hub_command import Hub, lines_until, press_ctrl_c, user_kubeconfig
from support.instances import Api, Object, definition, instance, ready_status, secret
from support.target_server import TargetServer
from support.waiting import wait_until
from support.wizard import CTRL_C, Terminal

pytestmark = pytest.mark.cluster

CANARY = "cAnaryO2-9b31c7/+4d=8e5f"


@pytest.fixture
def reader(
    control_plane: ControlPlaneInfo, kubectl: Kubectl, hub: Hub, namespace: str, tmp_path: Path
) -> Hub:
    """The command of somebody who may only read instances of the namespace, and definitions."""
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    account = f"--serviceaccount={namespace}:reader"
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=integrationinstances", "-n", namespace)
    kubectl("create", "rolebinding", "reader", "--role=reader", account, "-n", namespace)
    kubectl(
        "create", "clusterrole", f"reader-{namespace}", "--verb=get,list", "--resource=integrationdefinitions"
    )
    kubectl(
        "create", "clusterrolebinding", f"reader-{namespace}", f"--clusterrole=reader-{namespace}", account
    )
    token = kubectl("create", "token", "reader", "-n", namespace).stdout.strip()
    file = user_kubeconfig(
        tmp_path / "reader",
        server=control_plane.server, ca_file=control_plane.ca_file, namespace=namespace, token=token,
    )  # fmt: skip
    return Hub(tmp_path, file, CANARY, token)


def workload(kind: str, name: str, namespace: str, pod: Object) -> Object:
    """A workload that the API server keeps; no controller of the embedded control plane acts on it."""
    meta = {"name": name, "namespace": namespace}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": pod}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec}


@pytest.fixture
def bound(api: Api, kubectl: Kubectl, namespace: str, target: TargetServer) -> Object:
    """An instance that delivers a Secret, with two workloads that use it and one that does not."""
    api.apply(
        definition(namespace, target),
        secret(namespace, apiKey=CANARY),
        secret(namespace, "access", token=CANARY),
    )
    (applied,) = api.apply(instance(namespace, "billing", namespace, binding={"secretName": "access"}))
    container = {"name": "c", "image": "x"}
    pods = {
        ("Deployment", "sync"): {
            "containers": [container], "volumes": [{"name": "v", "secret": {"secretName": "access"}}]
        },
        ("Pod", "once"): {
            "automountServiceAccountToken": False,
            "containers": [container | {"envFrom": [{"secretRef": {"name": "access"}}]}],
        },
        ("Deployment", "other"): {
            "containers": [container], "volumes": [{"name": "v", "secret": {"secretName": "another"}}]
        },
    }  # fmt: skip
    objects = [workload(kind, name, namespace, pod) for (kind, name), pod in pods.items()]
    kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects))
    return applied


# tree


def test_the_tree_has_what_belongs_to_an_instance_and_who_uses_it(
    hub: Hub, namespace: str, bound: Object
) -> None:
    ran = hub.run("tree", "billing")
    assert (ran.code, ran.err) == (0, "")
    assert re.sub(r": (NotSeen|Valid|\w*Invalid)\n", ": REASON\n", ran.out).splitlines()[1:] == [
        f"  is of IntegrationDefinition {namespace}: REASON",
        "  reads Secret key: there",
        "  delivers Secret access: there",
        "    used by Deployment sync: mounts it",
        "    used by Pod once: reads variables from it",
    ]
    _, shown = hub.on_a_terminal("tree", "billing", NO_COLOR="1")
    assert "└─ delivers Secret access: ✓ there" in shown.splitlines()
    assert "   └─ used by Pod once: ✓ reads variables from it" in shown.splitlines()


def test_a_plain_tree_says_one_fact_a_line_with_what_it_is_about(hub: Hub, bound: Object) -> None:
    _, shown = hub.on_a_terminal("tree", "billing", "--plain")
    assert shown.isascii()
    assert "Secret access used by Deployment sync: mounts it" in shown.splitlines()


def test_what_may_not_be_seen_is_no_missing_object(reader: Hub, bound: Object) -> None:
    ran = reader.run("tree", "billing", "-o", "json")
    assert ran.code == 0
    delivers = ran.data["below"][-1]
    assert (delivers["name"], delivers["status"]) == ("access", "not visible to you")
    assert {"Deployment", "Pod"} < {below["kind"] for below in delivers["below"]}
    assert "keeps tokens in" not in {below["relation"] for below in ran.data["below"]}


def test_a_secret_of_tokens_is_named_to_who_may_not_see_it_where_the_method_keeps_tokens(
    reader: Hub, api: Api, namespace: str, target: TargetServer
) -> None:
    method = {
        "name": "app",
        "type": "oauth2",
        "settings": {"grant": "clientCredentials", "tokenURL": "{{ config.server }}/token"},
    }
    name = f"{namespace}-tokens"
    api.apply(definition(name, target, authMethods=[method]), instance(namespace, "crm", name))
    kept = [
        below for below in reader.run("tree", "crm", "-o", "json").data["below"] if below["kind"] == "Secret"
    ]
    assert [(below["relation"], below["status"]) for below in kept] == [
        ("reads", "not visible to you"),
        ("keeps tokens in", "not visible to you"),
    ]


def test_what_is_missing_is_said_to_be(hub: Hub, api: Api, namespace: str) -> None:
    api.apply(instance(namespace, "lost", f"{namespace}-none", secret="nothing"))
    ran = hub.run("tree", "lost")
    assert f"  is of IntegrationDefinition {namespace}-none: missing" in ran.out
    assert "  reads Secret nothing: missing" in ran.out


def test_watching_a_tree_prints_it_again_when_something_of_it_has_changed_until_ctrl_c(
    hub: Hub, api: Api, kubectl: Kubectl, namespace: str, bound: Object
) -> None:
    process = hub.start("tree", "billing", "-w")
    assert "    used by Deployment sync: mounts it" in lines_until(process, "used by Pod once")
    kubectl("delete", "pod", "once", "-n", namespace, "--wait=false", "--grace-period=0", "--force")
    second = lines_until(process, "used by Deployment sync")
    assert second[0] == ""
    assert re.fullmatch(r"At 20\S+Z:", second[1])
    api.delete(secret(namespace, "access"))
    third = lines_until(process, "delivers Secret access")
    assert third[-1] == "  delivers Secret access: missing"
    api.delete(bound)
    assert process.stderr is not None
    assert process.stderr.readline() == f"{namespace}/billing was deleted.\n"
    press_ctrl_c(process)
    ran = hub.ended(process)
    assert ran.code == 130
    assert "used by Pod once" not in "\n".join([*second, *third, ran.out])
    assert "Traceback" not in ran.err


def test_a_tree_is_watched_in_a_terminal_and_by_who_may_only_read(
    reader: Hub, bound: Object, api: Api
) -> None:
    terminal = Terminal(reader, "tree", "billing", "-w", "-o", "json")
    terminal.sees('"status": "NotSeen"')
    api.merge(bound, ready_status("True", "Connected"), "/status")
    terminal.sees('"status": "Connected"')
    terminal.presses(CTRL_C)
    assert terminal.ends()[0] == 130


def test_watching_a_tree_goes_on_when_the_api_server_is_away_for_a_while(
    hub: Hub, spare_cluster: ControlPlane, spare_api: Api
) -> None:
    (applied,) = spare_api.apply(instance("default", "steady", "acme", suspend=True))
    process = hub.start(
        "tree", "steady", "-w", "-n", "default", "--kubeconfig", str(spare_cluster.home.kubeconfig)
    )
    lines_until(process, "default/steady: NotSeen")
    assert process.stderr is not None
    spare_cluster.down()
    assert process.stderr.readline() == "The API server does not answer at the moment; the wait goes on.\n"
    spare_cluster.up()
    spare_api.merge(applied, ready_status("False", "SecretNotFound"), "/status")
    lines_until(process, "default/steady: SecretNotFound")
    press_ctrl_c(process)
    assert hub.ended(process).code == 130
    spare_api.delete(applied)


def asked_of(cluster: ControlPlane, verb: str, resource: str) -> int:
    """Return how often an API server was asked for something, as it counts that itself."""
    command = [*cluster.kubectl_command(), "get", "--raw", "/metrics"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = [line for line in lines if line.startswith("apiserver_request_total{")]
    wanted = [line for line in wanted if f'verb="{verb}"' in line and f'resource="{resource}"' in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in wanted)


def test_watching_a_tree_lists_the_workloads_seldom(
    hub: Hub, spare_cluster: ControlPlane, spare_api: Api
) -> None:
    # On a cluster where no namespace goes, since whoever removes one lists all of it.
    (applied,) = spare_api.apply(
        instance("default", "watched", "acme", suspend=True, binding={"secretName": "access"})
    )
    process = hub.start(
        "tree", "watched", "-w", "-n", "default", "--kubeconfig", str(spare_cluster.home.kubeconfig)
    )
    lines_until(process, "delivers Secret access")

    def looks(more: int) -> None:
        before = asked_of(spare_cluster, "GET", "integrationinstances")
        wait_until(
            lambda: asked_of(spare_cluster, "GET", "integrationinstances"),
            lambda now: now >= before + more,
            "looks at the instance",
        )

    looks(1)  # by when the API server has counted what it answered before
    lists = asked_of(spare_cluster, "LIST", "cronjobs")
    looks(3)
    assert asked_of(spare_cluster, "LIST", "cronjobs") == lists
    press_ctrl_c(process)
    assert hub.ended(process).code == 130
    spare_api.delete(applied)


# usage


def test_the_instances_of_a_definition_are_found_in_all_namespaces(
    hub: Hub, reader: Hub, api: Api, namespace: str, bound: Object
) -> None:
    api.apply(instance("default", namespace, namespace, suspend=True))
    ran = hub.run("usage", namespace)
    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [
        ["default", namespace],
        [namespace, "billing"],
    ]
    assert "2 instances in 2 namespaces, 0 ready." in ran.err or "1 ready." in ran.err
    narrow = reader.run("usage", namespace)
    assert [line.split()[:2] for line in narrow.out.splitlines()[1:]] == [[namespace, "billing"]]
    assert "You may not list instances of all namespaces" in narrow.err
    names = reader.run("usage", namespace, "-o", "jsonpath={.items[*].name}")
    assert (names.code, names.out) == (0, "billing")
    api.delete(instance("default", namespace, namespace))


def test_only_those_with_a_label_are_listed(
    hub: Hub, api: Api, kubectl: Kubectl, namespace: str, bound: Object
) -> None:
    crm = instance(namespace, "crm", namespace)
    crm["metadata"]["labels"] = {"team": "crm"}
    api.apply(crm)
    kubectl("label", "deployment", "sync", "team=crm", "-n", namespace)
    users, workloads, nobody, nothing, wrong = hub.run_all(
        ("usage", namespace, "-l", "team=crm"),
        ("usage", "instance/billing", "-l", "team=crm"),
        ("usage", namespace, "-l", "team=no"),
        ("usage", "instance/billing", "-l", "team=no"),
        ("usage", namespace, "-l", "a=b=c"),
    )
    assert [line.split()[1] for line in users.out.splitlines()[1:]] == ["crm"]
    assert "1 instance in 1 namespace" in users.err
    assert [line.split()[:2] for line in workloads.out.splitlines()[1:]] == [["Deployment", "sync"]]
    assert (nobody.code, nobody.out) == (0, "")
    assert f"No instance with the labels team=no uses IntegrationDefinition '{namespace}'." in nobody.err
    assert "Nothing with the labels team=no uses Secret 'access'" in nothing.err
    assert wrong.code == 2


def test_the_instances_of_a_definition_in_one_namespace(
    hub: Hub, api: Api, namespace: str, bound: Object
) -> None:
    (elsewhere,) = api.apply(instance("default", namespace, namespace, suspend=True))
    here, everywhere, nowhere, *mistakes = hub.run_all(
        ("usage", namespace, "-n", namespace, "-o", "jsonpath={.items[*].name}"),
        ("usage", namespace, "-A", "--no-headers"),
        ("usage", namespace, "-n", "kube-public"),
        ("usage", namespace, "-n", namespace, "-A"),
        ("usage", "instance/billing", "-A"),
    )
    api.delete(elsewhere)
    assert here.out == "billing"
    assert [line.split()[0] for line in everywhere.out.splitlines()] == ["default", namespace]
    assert f"No instance in namespace 'kube-public' uses IntegrationDefinition '{namespace}'." in nowhere.err
    assert [ran.code for ran in mistakes] == [2, 2]


def test_who_uses_what_an_instance_delivers(hub: Hub, api: Api, namespace: str, bound: Object) -> None:
    ran = hub.run("usage", "instance/billing")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["KIND", "NAME", "HOW"],
        ["Deployment", "sync", "mounts", "access"],
        ["Pod", "once", "reads", "variables", "from", "access"],
    ]
    api.apply(instance(namespace, "unbound", namespace))
    assert "delivers no Secret" in hub.run("usage", "instance/unbound").err


def test_a_definition_that_there_is_not_is_used_by_nobody(hub: Hub, namespace: str, bound: Object) -> None:
    ran = hub.run("usage", f"{namespace}x")
    assert ran.code == 2
    assert f"did you mean '{namespace}'?" in ran.err


# export and diff


def test_what_is_exported_can_be_applied_again_and_changes_nothing(  # noqa: PLR0917 - fixtures
    hub: Hub, api: Api, kubectl: Kubectl, namespace: str, bound: Object, tmp_path: Path
) -> None:
    kubectl(
        "annotate",
        "iinst",
        "billing",
        "integrationhub.dev/request=1",
        "team.example/owner=shop",
        "-n",
        namespace,
    )
    ran = hub.run("export", "billing")
    assert (ran.code, ran.err) == (0, "")
    manifest = yaml.safe_load(ran.out)
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    assert manifest["metadata"] == {
        "name": "billing", "namespace": namespace, "annotations": {"team.example/owner": "shop"}
    }  # fmt: skip
    assert manifest["spec"] == api.get(bound)["spec"]
    assert f"#   kubectl create secret generic key --namespace {namespace} \\" in ran.out
    assert "#     --from-file=apiKey=FILE\n" in ran.out
    same = hub.run("diff", "-f", "-", stdin=ran.out)
    assert (same.code, same.out, same.err) == (0, "", "")
    assert yaml.safe_load(hub.run("export", f"definition/{namespace}").out)["kind"] == "IntegrationDefinition"


def test_several_are_exported_as_documents_of_one_file(
    hub: Hub, api: Api, kubectl: Kubectl, namespace: str, bound: Object
) -> None:
    crm = instance(namespace, "crm", namespace)
    crm["metadata"] |= {
        "labels": {"team": "crm"}, "annotations": {"argocd.argoproj.io/sync-wave": "3"}
    }  # fmt: skip
    api.apply(crm)
    every, labelled, mixed, as_json, none, *mistakes = hub.run_all(
        ("export", "--all"),
        ("export", "-l", "team=crm"),
        ("export", "billing", f"definition/{namespace}"),
        ("export", "--all", "-o", "jsonpath={.items[*].metadata.name}"),
        ("export", "-l", "team=none"),
        ("export",),
        ("export", "team/crm"),
    )
    assert [one["metadata"]["name"] for one in yaml.safe_load_all(every.out)] == ["billing", "crm"]
    assert every.out.count("kubectl create secret generic key ") == 2
    (one,) = yaml.safe_load_all(labelled.out)
    assert one["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": "3"}
    assert [made["kind"] for made in yaml.safe_load_all(mixed.out)] == [
        "IntegrationInstance", "IntegrationDefinition"
    ]  # fmt: skip
    assert as_json.out == "billing crm"
    assert (none.code, none.out) == (0, "")
    assert [ran.code for ran in mistakes] == [2, 2]
    same = hub.run("diff", "-f", "-", stdin=every.out)
    assert (same.code, same.out, same.err) == (0, "", "")


@pytest.mark.parametrize(
    ("method", "type_", "keys"),
    [
        ({"type": "apiKey"}, "Opaque", ["apiKey"]),
        ({"type": "basicAuth"}, "Opaque", ["password", "username"]),
        ({"type": "custom", "settings": {"mtls": {}}}, "kubernetes.io/tls", ["tls.crt", "tls.key"]),
    ],
)
def test_the_example_of_the_secret_makes_it_when_a_shell_reads_it_without_its_comment_signs(  # noqa: PLR0917 - fixtures
    hub: Hub,
    api: Api,
    cluster: ControlPlane,
    namespace: str,
    target: TargetServer,
    tmp_path: Path,
    method: dict[str, Any],
    type_: str,
    keys: list[str],
) -> None:
    api.apply(
        definition(namespace, target, authMethods=[{"name": "key", **method}]),
        instance(namespace, "shop", namespace, secret="made"),
    )
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, cluster.kubectl_command()))} "$@"\n')
    program.chmod(0o755)
    example = "\n".join(
        line.removeprefix("#") for line in hub.run("export", "shop").out.splitlines() if line[:4] == "#   "
    )
    for key in keys:
        (tmp_path / f"{key}.value").write_text("a-value")
        example = example.replace(f"={key}=FILE", f"={key}={key}.value")
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-e"],
        input=example, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{example}\n{done.stderr}"
    made = api.get({"kind": "Secret", "metadata": {"name": "made", "namespace": namespace}})
    assert (made["type"], sorted(made["data"])) == (type_, keys)


def test_a_diff_shows_what_an_apply_would_change_and_changes_nothing(
    hub: Hub, api: Api, namespace: str, bound: Object, tmp_path: Path
) -> None:
    changed = instance(namespace, "billing", namespace, binding={"secretName": "elsewhere"})
    new = instance(namespace, "new", namespace)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([changed, secret(namespace, apiKey=CANARY), new]))
    ran = hub.run("diff", "-f", str(tmp_path))
    assert ran.code == 1
    assert "-    secretName: access" in ran.out.splitlines()
    assert "+    secretName: elsewhere" in ran.out.splitlines()
    assert f"+++ then: IntegrationInstance {namespace}/new" in ran.out.splitlines()
    assert f"--- now: IntegrationInstance {namespace}/new (not there)" in ran.out.splitlines()
    assert "uid" not in ran.out
    assert "Secret 'key' is not compared." in ran.err
    assert api.get(bound)["spec"] == bound["spec"]
    assert not api.exists(new)
    one = hub.run("diff", "-f", str(tmp_path), "billing")
    assert (one.code, "new" in one.out) == (1, False)
    elsewhere = hub.run("diff", "-f", str(tmp_path), "billing", "-n", "shop")
    assert (elsewhere.code, elsewhere.out) == (2, "")
    assert f"'billing' is in namespace '{namespace}', and -n says 'shop'." in elsewhere.err
    _, shown = hub.on_a_terminal("diff", "-f", str(tmp_path), "billing")
    assert "\x1b[38;5;196m-\x1b[0m    secretName: access" in shown


@pytest.mark.parametrize(
    ("name", "verb", "rights"),
    [("billing", "change", "'patch' it"), ("new", "create", "'create' and 'patch' it")],
)
def test_who_may_not_apply_is_told_which_right_a_diff_takes(  # noqa: PLR0917 - fixtures
    reader: Hub, namespace: str, bound: Object, name: str, verb: str, rights: str
) -> None:
    ran = reader.run("diff", "-f", "-", stdin=yaml.safe_dump(instance(namespace, name, namespace)))
    assert ran.code == 3
    assert f"You may not {verb} IntegrationInstance '{name}'." in ran.err
    assert f"Ask for the right to {rights}, or choose another --context." in ran.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{kind: [", "standard input, line 1: is not valid YAML"),
        ("password: {{ x }}: y", "is not valid YAML"),
        ("a: 1\na: 2", "standard input, line 2: is not valid YAML: a field stands there twice"),
        ("[" * 100_000, "standard input: is nested too deep to be read"),
        ("a: &a [*a]", "an alias there may repeat too much"),
        ("- a", "document 1: it is no object"),
        ("{}", "it has no metadata.name.\nWhat to do: Write 'metadata:'"),
        ("", "There is no instance and no definition"),
        (
            "{apiVersion: integrationhub.dev/v1alpha1, kind: Integration, metadata: {name: x}}",
            "no kind 'Integration'",
        ),
        (
            "{apiVersion: integrationhub.dev/v1alpha1, kind: IntegrationInstance, metadata: {name: x}, spec: {a: 1}}",
            "would be refused",
        ),
        (
            "{apiVersion: integrationhub.dev/v1alpha1, kind: IntegrationInstance, metadata: {name: X}, spec: {}}",
            "'X' cannot be the name of an object (standard input, document 1)",
        ),
        (
            "{apiVersion: integrationhub.dev/v1alpha1, kind: IntegrationInstance, metadata: {name: a/b}, spec: {}}",
            "'a/b' cannot be the name of an object",
        ),
    ],
)
def test_a_file_that_cannot_be_applied_is_a_mistake_in_the_command(hub: Hub, text: str, words: str) -> None:
    ran = hub.run("diff", "-f", "-", stdin=text)
    assert (ran.code, ran.out) == (2, "")
    assert words.lower() in ran.err.lower()
