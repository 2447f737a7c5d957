"""`hub connect` with what the catalog has and the cluster has not: offered, tested, and installed where permitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Kubectl, run_kubectl
from integration_hub.adapters import shipped
from integration_hub.catalog.loader import read_object
from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from support.hub_command import Hub, admin_kubeconfig, user_kubeconfig
from support.instances import Api, Object, definition
from support.target_server import TargetServer
from support.wizard import CTRL_C, Terminal

pytestmark = pytest.mark.cluster

CANARY = "cAnaryS-90d1/+4e=7a2c"
SYSTEM = "stripe"
NOT_INSTALLED = "IntegrationDefinition 'stripe' is not installed in this cluster"
LINE = "integrationdefinition.integrationhub.dev/stripe created"


@pytest.fixture(autouse=True)
def not_installed(api: Api) -> Iterator[None]:
    """A cluster that has none of the system before and after."""
    yield
    if api.exists(system()):
        api.delete(system())


def system(**spec: Any) -> Object:
    """The catalog's definition; with other fields in its spec, one that somebody else has made."""
    raw = read_object(shipped.definition_text(SYSTEM) or "")
    return {**raw, "spec": raw["spec"] | spec}


def has(api: Api, kind: str, namespace: str, name: str) -> bool:
    return api.exists({"kind": kind, "metadata": {"name": name, "namespace": namespace}})


def answers(name: str = "pay", *, asks: bool = False) -> tuple[str, ...]:
    """Flags that answer everything; the test of these answers is left out, since it would ask the real system."""
    return (
        "--name", name, "--display-name", name.title(), "--auth-method", "api-key", "--scope", "global", "--role", "x",
        "--no-test", "--secret-from-env", "apiKey=PAY_KEY", *(() if asks else ("--no-input",)),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credential, where the flags say that it is."""
    monkeypatch.setenv("PAY_KEY", CANARY)


@pytest.fixture
def person(
    control_plane: ControlPlaneInfo, crds_installed: None, namespace: str, tmp_path: Path, kubectl: Kubectl
) -> Iterator[Callable[..., Hub]]:
    """`person(definitions, instances)` is the command of somebody with these verbs on the two, and on Secrets all."""
    subject = f"--serviceaccount={namespace}:person"

    def with_rights(definitions: str, instances: str) -> Hub:
        there = ("-n", namespace)
        kubectl("create", "clusterrole", namespace, f"--verb={definitions}", "--resource=idef")
        kubectl("create", "clusterrolebinding", namespace, f"--clusterrole={namespace}", subject)
        kubectl("create", "serviceaccount", "person", *there)
        for name, verbs, kind in (("connect", instances, "iinst"), ("keys", "*", "secrets")):
            kubectl("create", "role", name, *there, f"--verb={verbs}", f"--resource={kind}")
            kubectl("create", "rolebinding", name, *there, f"--role={name}", subject)
        token = kubectl("create", "token", "person", *there).stdout.strip()
        file = user_kubeconfig(
            tmp_path / "person",
            server=control_plane.server, ca_file=control_plane.ca_file, namespace=namespace, token=token,
        )  # fmt: skip
        return Hub(tmp_path, file, CANARY, token)

    yield with_rights
    kubectl("delete", "clusterrolebinding,clusterrole", namespace, "--ignore-not-found")


# Finding


@pytest.mark.parametrize("look", [(), ("--plain",)])
def test_what_is_not_installed_is_offered_with_a_word_beside_what_is(
    hub: Hub, api: Api, namespace: str, target: TargetServer, look: Sequence[str]
) -> None:
    words = f"Payments of {namespace}"
    api.apply(definition(f"{namespace}-own", target, displayName=words, description="Invoices, payouts."))
    run = Terminal(hub, "connect", *look)
    run.answers("Which system?", "invoices payouts")
    seen = run.sees("Stripe (not installed yet): Payments, customers")
    assert f"{words}: Invoices" in seen
    run.sees("Which system?")
    run.types("stripe")
    seen = " ".join(run.sees("How does the connection authenticate?").split())
    assert "This is the definition of the catalog; it is not installed in this cluster yet." in seen
    assert "you are asked whether to install it" in seen
    run.types("back")
    run.answers("Which system?", words)
    run.sees("account")
    run.presses(CTRL_C)
    code, text = run.ends()
    assert code == 130
    assert "Nothing was written." in text


def test_an_odd_definition_in_the_cluster_spoils_nobodys_search(
    hub: Hub, api: Api, namespace: str, target: TargetServer
) -> None:
    """The API server does not look into a configSchema: what stands in one may be anything."""
    odd = definition(
        f"{namespace}-odd", target, displayName=f"Odd of {namespace}", configSchema={"properties": "x"}
    )
    api.apply(odd)
    try:
        run = Terminal(hub, "connect")
        run.answers("Which system?", "[")
        run.sees("Nothing is like '['.")
        run.answers("Which system?", "stripe")
        run.sees("How does the connection authenticate?")
        run.types("back")
        run.answers("Which system?", f"Odd of {namespace}")
        code, text = run.ends()
        assert code == 1
        assert "it has mistakes" in text
        assert "spec.configSchema" in text
    finally:
        api.delete(odd)


def test_a_cluster_without_definitions_offers_the_catalog(
    spare_cluster: ControlPlane, tmp_path: Path
) -> None:
    run_kubectl(spare_cluster, "delete", "idef", "--all")
    hub = Hub(tmp_path, admin_kubeconfig(tmp_path, spare_cluster.up(), "default"))
    run = Terminal(hub, "connect", "--plain")
    seen = run.sees("Which system?")
    assert "This cluster has no definitions yet; the catalog has these." in seen
    assert "   1  Airtable (not installed yet): " in seen
    assert f"and {len(shipped.definition_ids()) - 12} more" in seen
    run.types("strpe")
    run.sees("Stripe (not installed yet)")
    run.sees("How does the connection authenticate?")
    run.presses(CTRL_C)
    assert run.ends()[0] == 130
    typo = hub.run("connect", "strpe", "--no-input", "--apply")
    assert typo.code == 2
    assert "There is no IntegrationDefinition 'strpe'" in typo.err
    assert "(did you mean 'stripe'?)" in typo.err


def test_a_cluster_that_does_not_know_our_kinds_is_no_cluster_without_definitions(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    plane = ControlPlane(tmp_path_factory.mktemp("bare-control-plane"))
    try:
        hub = Hub(tmp_path, admin_kubeconfig(tmp_path, plane.up(), "default"), CANARY)
        code, text = hub.on_a_terminal("connect")
        named = hub.run("connect", SYSTEM, *answers(), "--apply", "--install")
    finally:
        plane.down(purge=True)
    assert (code, named.code) == (3, 3)
    for said in (text, named.err):
        assert "does not know our kinds" in said
        assert "kubectl apply --server-side -f crds/" in said
        assert "not installed" not in said


# On a terminal


def test_the_definition_is_installed_once_a_person_agrees(hub: Hub, api: Api, namespace: str) -> None:
    run = Terminal(hub, "connect", SYSTEM, *answers(asks=True), "--apply", "--no-wait", secrets=(CANARY,))
    run.answers("What now?", "")
    asked = run.answers("Install the definition 'stripe' in the cluster?", "\x15no")
    assert "It describes Stripe for all namespaces, and holds no credentials." in " ".join(asked.split())
    run.sees("What now?")
    assert not api.exists(system())
    run.types("")
    run.answers("Install the definition 'stripe' in the cluster?", "")
    code, text = run.ends()
    assert code == 0, text
    made = [line.strip() for line in text.splitlines() if line.strip().endswith(" created")]
    assert made == [
        LINE,
        "secret/pay-credentials created",
        "integrationinstance.integrationhub.dev/pay created",
    ]
    installed = api.get(system())
    assert {entry["manager"] for entry in installed["metadata"]["managedFields"]} == {
        "integration-hub-catalog"
    }
    assert has(api, "IntegrationInstance", namespace, "pay")


def test_what_somebody_else_has_installed_meanwhile_is_not_taken_for_it(
    hub: Hub, api: Api, namespace: str
) -> None:
    run = Terminal(hub, "connect", SYSTEM, *answers(asks=True), "--plain", secrets=(CANARY,))
    run.answers("What now?", "apply")
    run.sees("Install the definition 'stripe' in the cluster?")
    api.apply(system(displayName="Ours"))
    run.types("yes")
    assert "was installed by somebody else meanwhile" in run.sees("Nothing was written.")
    run.answers("What now?", "stop")
    assert run.ends()[0] == 1
    assert not has(api, "IntegrationInstance", namespace, "pay")
    assert api.get(system())["spec"]["displayName"] == "Ours"


def test_a_person_who_may_not_install_is_told_before_the_first_question(
    person: Callable[..., Hub], namespace: str, tmp_path: Path
) -> None:
    hub = person("get,list", "*")
    code, text = hub.on_a_terminal("connect", SYSTEM, "--apply")
    assert code == 3
    assert f"{NOT_INSTALLED}, and you may not install it." in text
    assert "You lack the right to 'create' and 'patch' integrationdefinitions." in text
    assert "An administrator of the cluster runs 'hub catalog install stripe'" in text
    assert "How does" not in text
    run = Terminal(hub, "connect", SYSTEM, *answers(asks=True), "--plain", secrets=(CANARY,))
    seen = run.sees("What now?")
    assert "You may not install it: an administrator of the cluster does, with 'hub catalog install" in seen
    assert "Write manifests for Git" in seen
    assert "Apply it" not in seen
    run.types("folder")
    run.answers("Folder to write", str(tmp_path / "git"))
    run.answers("How does the Secret come to the cluster?", "")
    code, text = run.ends()
    assert code == 0, text
    assert "definition.yaml is there since this cluster does not have the definition 'stripe'" in text
    assert (tmp_path / "git" / "definition.yaml").exists()


# In a pipe


def test_a_script_installs_only_what_it_was_told_to(
    hub: Hub, api: Api, namespace: str, tmp_path: Path
) -> None:
    for target in (("--apply",), ("-o", str(tmp_path / "git")), ("--dry-run=server",), ("--dry-run=client",)):
        ran = hub.run("connect", SYSTEM, *answers(), *target)
        assert ran.code == 2, ran.err
        assert NOT_INSTALLED in ran.err
        assert "with --install it is installed" in ran.err
        assert "'hub catalog install stripe' installs it" in ran.err
        assert ran.out == ""
    assert not (tmp_path / "git").exists()
    assert not api.exists(system())
    first = hub.run("connect", SYSTEM, *answers(), "--apply", "--no-wait", "--install")
    assert first.code == 0, first.err
    assert first.out.splitlines()[0] == LINE
    assert has(api, "IntegrationInstance", namespace, "pay")
    second = hub.run("connect", SYSTEM, *answers("other"), "--apply", "--no-wait", "--install")
    assert second.code == 0, second.err
    assert second.out.splitlines() == [
        "secret/other-credentials created",
        "integrationinstance.integrationhub.dev/other created",
    ]


def rehearsed(kubectl: Kubectl) -> Counter[str]:
    """How often something was written on trial so far, by resource."""
    counts: Counter[str] = Counter()
    for line in kubectl("get", "--raw", "/metrics").stdout.splitlines():
        if line.startswith("apiserver_request_total{") and 'dry_run="All"' in line:
            labels, _, count = line.rpartition(" ")
            counts[labels.partition('resource="')[2].partition('"')[0]] += int(count)
    return counts


def test_each_part_is_rehearsed_once_also_where_the_definition_is_installed(
    hub: Hub, api: Api, kubectl: Kubectl
) -> None:
    parts = {"integrationinstances": 1, "secrets": 1}
    for name, expected in (("pay", parts | {"integrationdefinitions": 1}), ("other", parts)):
        assert api.exists(system()) is (name == "other")
        before = rehearsed(kubectl)
        ran = hub.run("connect", SYSTEM, *answers(name), "--apply", "--no-wait", "--install")
        assert ran.code == 0, ran.err
        assert rehearsed(kubectl) - before == expected


def test_dry_runs_say_what_would_be_and_write_nothing(hub: Hub, api: Api, namespace: str) -> None:
    client, server = hub.run_all(
        *(["connect", SYSTEM, *answers(), "--install", f"--dry-run={how}"] for how in ("client", "server"))
    )
    assert (client.code, server.code) == (0, 0), client.err + server.err
    first, stored, made = yaml.safe_load_all(client.out)
    assert first == system()
    assert stored["stringData"] == {"apiKey": "(hidden)"}
    assert made["spec"]["definitionRef"] == {"name": SYSTEM}
    assert server.out.splitlines() == [
        f"{line} created (server dry run)"
        for line in (
            "integrationdefinition.integrationhub.dev/stripe",
            "secret/pay-credentials",
            "integrationinstance.integrationhub.dev/pay",
        )
    ]
    assert not api.exists(system())
    assert not has(api, "Secret", namespace, "pay-credentials")


def test_a_test_alone_needs_no_definition_in_the_cluster(hub: Hub, api: Api) -> None:
    words = [word for word in answers() if word != "--no-test"]
    ran = hub.run("connect", SYSTEM, *words, "--test-only", "--connect-to", "api.stripe.com:443=127.0.0.1:9")
    assert ran.code == 1, ran.err
    assert "Result: Failure" in ran.err
    assert not api.exists(system())
    both = hub.run("connect", SYSTEM, *words, "--test-only", "--install")
    assert both.code == 2
    assert "leave --install out" in both.err


def test_a_folder_brings_the_definition_that_is_missing_and_no_other(
    hub: Hub, api: Api, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    folder = tmp_path / "git"
    ran = hub.run("connect", SYSTEM, *answers(), "-o", str(folder), "--install")
    assert ran.code == 0, ran.err
    assert sorted(map(str, folder.iterdir())) == sorted(ran.out.splitlines())
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert listed["resources"] == ["definition.yaml", "instance.yaml"]
    written = yaml.safe_load((folder / "definition.yaml").read_text())
    assert written["spec"] == system()["spec"]
    assert written["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    assert "definition.yaml is there since" in ran.err
    assert "`hub catalog install stripe`" in (folder / "README.md").read_text()
    built = list(yaml.safe_load_all(kubectl("kustomize", folder).stdout))
    assert [(one["kind"], one["metadata"].get("namespace")) for one in built] == [
        ("IntegrationDefinition", None),
        ("IntegrationInstance", namespace),
    ]
    kubectl("apply", "-k", folder)
    assert api.get(system())["spec"]["displayName"] == "Stripe"
    assert has(api, "IntegrationInstance", namespace, "pay")
    other = hub.run("connect", SYSTEM, *answers("other"), "-o", str(tmp_path / "other"), "--install")
    assert other.code == 0, other.err
    assert not (tmp_path / "other" / "definition.yaml").exists()
    assert "definition.yaml" not in other.err


def test_the_definition_of_the_cluster_is_the_one_that_is_used_whatever_the_catalog_has(
    hub: Hub, api: Api
) -> None:
    api.apply(system(version="0.1.0", displayName="Our payments"))
    before = api.get(system())["metadata"]["generation"]
    ran = hub.run("connect", SYSTEM, *answers(), "--dry-run=client", "--install")
    assert ran.code == 0, ran.err
    assert [one["kind"] for one in yaml.safe_load_all(ran.out)] == ["Secret", "IntegrationInstance"]
    assert api.get(system())["metadata"]["generation"] == before


@pytest.mark.parametrize(
    ("definitions", "instances", "told"),
    [
        ("get,list", "*", "You lack the right to 'create' and 'patch' integrationdefinitions."),
        ("get,list,patch", "*", "You lack the right to 'create' integrationdefinitions."),
        ("get,list,create,patch", "get,list", "You may not create IntegrationInstance 'pay'"),
    ],
)
def test_nothing_is_installed_for_a_connection_that_cannot_be(  # noqa: PLR0917 - fixtures
    person: Callable[..., Hub], api: Api, namespace: str, definitions: str, instances: str, told: str
) -> None:
    ran = person(definitions, instances).run("connect", SYSTEM, *answers(), "--apply", "--install")
    assert ran.code == 3, ran.err
    assert told in ran.err
    assert ran.out == ""
    assert not api.exists(system())
    assert not has(api, "Secret", namespace, "pay-credentials")
