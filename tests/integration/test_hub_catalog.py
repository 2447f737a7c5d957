"""`hub catalog` as a user runs it: lists without a cluster, installs in a real one, and what it refuses there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT, Kubectl
from integration_hub.adapters import shipped
from integration_hub.catalog.loader import read_object
from integration_hub.devcluster import ControlPlaneInfo
from support.gateway import Asked, Gateway
from support.hub_command import Hub, admin_kubeconfig, user_kubeconfig
from support.instances import Api, Object, instance

pytestmark = pytest.mark.cluster

MANAGER = "integration-hub-catalog"


@pytest.fixture
def hub(
    control_plane: ControlPlaneInfo, crds_installed: None, namespace: str, api: Api, tmp_path: Path
) -> Iterator[Hub]:
    """The command with an administrator's kubeconfig, in a cluster that has none of the catalog before and after."""
    file = admin_kubeconfig(tmp_path, control_plane, namespace)
    yield Hub(tmp_path, file)
    # The namespace goes by and by, and what is in it until then would be in the way of the next test.
    api.delete(*api.instances(namespace).values())
    for name in shipped.definition_ids():
        if api.exists(of_catalog(name)):
            api.delete(of_catalog(name))


@pytest.fixture
def alone(tmp_path: Path) -> Hub:
    """The command on a machine that knows no cluster."""
    return Hub(tmp_path, None)


def of_catalog(name: str) -> Object:
    text = shipped.definition_text(name)
    assert text is not None
    return read_object(text)


def older(**spec: Any) -> Object:
    """Salesforce as a catalog before this one may have had it."""
    raw = deepcopy(of_catalog("salesforce"))
    raw["spec"] |= {"version": "0.9.0", **spec}
    return raw


def connection(namespace: str, name: str = "crm", **spec: Any) -> Object:
    """A connection to Salesforce that the gates let through."""
    whole: Object = {
        "config": {"hostname": "acme.my.salesforce.com"},
        "auth": {"method": "client-credentials", "secretRef": {"name": "crm"}},
    }
    return instance(namespace, name, "salesforce", **(whole | spec))


# Looking, without a cluster


def test_the_list_the_search_and_what_is_needed_ask_no_cluster(alone: Hub) -> None:
    listed, found, shown, unknown = alone.run_all(
        ["catalog", "list", "-o", "name"],
        ["catalog", "search", "salesfroce"],
        ["catalog", "show", "stripe"],
        ["catalog", "show", "strpe"],
    )
    assert listed.code == 0
    assert listed.out.splitlines() == [
        f"integrationdefinition.integrationhub.dev/{name}" for name in shipped.definition_ids()
    ]
    assert found.out.splitlines()[1].startswith("salesforce ")
    for words in ("Restricted key or secret key", "Developers > API keys", "account (always)", "Not checked"):
        assert words in shown.out
    assert unknown.code == 2
    assert "did you mean 'stripe'?" in unknown.err
    assert not listed.err + found.err + shown.err + unknown.out


def test_data_is_what_programs_read(alone: Hub) -> None:
    found, shown, none, names = alone.run_all(
        ["catalog", "search", "payments", "-o", "json"],
        ["catalog", "show", "slack", "-o", "yaml"],
        ["catalog", "search", "no", "such", "system", "-o", "json"],
        ["catalog", "search", "no", "such", "system", "-o", "name"],
    )
    assert found.data["items"][0]["name"] == "stripe"
    assert yaml.safe_load(shown.out) == of_catalog("slack")
    assert (none.code, none.data) == (1, {"items": []})
    assert (names.code, names.out) == (1, "")


def test_plain_is_one_fact_a_line_and_a_terminal_has_it_in_bold(alone: Hub) -> None:
    plain = alone.run("catalog", "search", "stripe", "--plain")
    assert plain.out.splitlines()[:2] == ["Name: stripe", "System: Stripe"]
    code, shown = alone.on_a_terminal("catalog", "show", "stripe", columns=60)
    assert code == 0
    assert "\x1b[1mHow to sign in\x1b[0m" in shown
    assert all(len(line) <= 70 for line in shown.splitlines() if "http" not in line and "\x1b" not in line)
    _, without = alone.on_a_terminal("catalog", "show", "stripe", columns=60, NO_COLOR="1")
    assert "\x1b" not in without


def test_a_played_definition_has_a_word_beside_each_sign(alone: Hub) -> None:
    words = ("definition", "test", "stripe", "--case", "too many requests")
    code, shown = alone.on_a_terminal(*words, columns=120)
    assert code == 0
    assert "✓" in shown
    assert " ok " in shown
    _, plain = alone.on_a_terminal(*words, "--plain", columns=120)
    assert "Result: ok" in plain
    assert "\x1b" not in plain
    _, narrow = alone.on_a_terminal(*words, columns=60, NO_COLOR="1")
    assert "\x1b" not in narrow
    assert all(len(line) <= 60 for line in narrow.splitlines())


def test_what_is_exported_can_be_applied(hub: Hub, kubectl: Kubectl, tmp_path: Path) -> None:
    folder = tmp_path / "git" / "catalog"
    ran = hub.run("catalog", "export", str(folder), "stripe", "slack")
    assert ran.code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "kustomization.yaml",
        "slack.yaml",
        "stripe.yaml",
    ]
    applied = kubectl("apply", "--server-side", "-k", folder).stdout
    assert "stripe serverside-applied" in applied


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_an_export_adds_to_the_list_that_a_folder_has(
    alone: Hub, kubectl: Kubectl, tmp_path: Path, name: str
) -> None:
    assert alone.run("catalog", "export", str(tmp_path / "git"), "stripe").code == 0
    (tmp_path / "git" / "kustomization.yaml").rename(tmp_path / "git" / name)
    ran = alone.run("catalog", "export", str(tmp_path / "git"), "stripe", "slack")
    assert ran.code == 0
    assert str(tmp_path / "git" / name) in ran.out.splitlines()
    applied = list(yaml.safe_load_all(kubectl("kustomize", tmp_path / "git").stdout))
    assert sorted(found["metadata"]["name"] for found in applied) == ["slack", "stripe"]


def test_an_export_writes_nothing_beside_a_list_that_cannot_be_added_to(alone: Hub, tmp_path: Path) -> None:
    (tmp_path / "Kustomization").write_text("resources: [\n")
    ran = alone.run("catalog", "export", str(tmp_path), "stripe")
    assert (ran.code, ran.out) == (2, "")
    assert "Kustomization' cannot be added to: " in ran.err
    assert not (tmp_path / "stripe.yaml").exists()


def test_an_export_says_which_files_it_has_replaced(alone: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "git"
    assert alone.run("catalog", "export", str(folder), "stripe", "slack").err == ""
    (folder / "stripe.yaml").write_text("# Ours.\n")
    ran = alone.run("catalog", "export", str(folder), "stripe", "slack", "box")
    assert ran.code == 0
    assert ran.err == "Replaced, since they were not as the catalog has them: stripe.yaml.\n"
    assert (folder / "stripe.yaml").read_text() == shipped.definition_text("stripe")


def test_an_export_writes_through_no_link(alone: Hub, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").write_text("ours\n")
    folder = tmp_path / "git"
    folder.mkdir()
    (folder / "stripe.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    ran = alone.run("catalog", "export", str(folder), "slack", "stripe")
    assert (ran.code, ran.out) == (2, "")
    assert f"'{folder / 'stripe.yaml'}' is a link to '{tmp_path / 'elsewhere.yaml'}'" in ran.err
    assert (tmp_path / "elsewhere.yaml").read_text() == "ours\n"
    assert [path.name for path in folder.iterdir()] == ["stripe.yaml"]


def test_the_whole_catalog_is_applied_from_the_repository(hub: Hub, kubectl: Kubectl) -> None:
    applied = kubectl("apply", "--server-side", "--dry-run=server", "-k", ROOT / "catalog").stdout
    assert len(applied.splitlines()) == len(shipped.definition_ids())


# Installing


def test_an_installation_is_made_once(hub: Hub, api: Api) -> None:
    first = hub.run("catalog", "install", "stripe", "slack")
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines() == [
        "integrationdefinition.integrationhub.dev/stripe created",
        "integrationdefinition.integrationhub.dev/slack created",
    ]
    there = api.get(of_catalog("stripe"))
    assert [entry["manager"] for entry in there["metadata"]["managedFields"]] == [MANAGER]
    again = hub.run("catalog", "install", "stripe")
    assert again.out == "integrationdefinition.integrationhub.dev/stripe unchanged\n"
    assert (
        api.get(of_catalog("stripe"))["metadata"]["resourceVersion"] == there["metadata"]["resourceVersion"]
    )


def test_all_are_installed_and_the_operator_could_use_each(hub: Hub, api: Api) -> None:
    ran = hub.run("catalog", "install", "--all")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == len(shipped.definition_ids())
    for name in shipped.definition_ids():
        assert api.get(of_catalog(name))["spec"]["version"] == of_catalog(name)["spec"]["version"]


def test_an_upgrade_says_what_is_other(hub: Hub, api: Api, namespace: str) -> None:
    api.apply(older(templates=[]), manager=MANAGER)
    api.apply(connection(namespace))
    ran = hub.run("catalog", "install", "salesforce")
    assert ran.code == 0
    assert ran.out == "integrationdefinition.integrationhub.dev/salesforce configured\n"
    assert "salesforce: spec.templates[sandbox]: is new" in ran.err
    assert api.get(of_catalog("salesforce"))["spec"]["version"] == "1.0.0"


def test_a_breaking_change_that_breaks_nobody_is_no_obstacle(hub: Hub, api: Api, namespace: str) -> None:
    api.apply(older(templates=[{"name": "legacy", "config": {}}]), manager=MANAGER)
    api.apply(connection(namespace))
    ran = hub.run("catalog", "install", "salesforce")
    assert ran.code == 0
    assert "salesforce: breaking: spec.templates[legacy]: was removed" in ran.err


def test_what_breaks_a_connection_is_refused_and_nothing_is_done(hub: Hub, api: Api, namespace: str) -> None:
    before = api.apply(older(templates=[{"name": "legacy", "config": {}}]), manager=MANAGER)[0]
    api.apply(connection(namespace, template="legacy"), connection(namespace, "other"))
    ran = hub.run("catalog", "install", "stripe", "salesforce")
    assert ran.code == 1
    assert not ran.out
    assert "it would break 1 connection:" in ran.err
    assert f"{namespace}/crm: spec.template: the definition has no template 'legacy'" in ran.err
    assert "--force" in ran.err
    assert not api.exists(of_catalog("stripe"))
    assert api.get(before)["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    forced = hub.run("catalog", "install", "stripe", "salesforce", "--force")
    assert forced.code == 0
    assert "salesforce configured" in forced.out


def test_a_key_that_the_secret_may_lack_breaks_a_connection(hub: Hub, api: Api, namespace: str) -> None:
    before = older()
    before["spec"]["authMethods"][0]["settings"]["clientId"] = "fixed-for-all"
    before["spec"]["authMethods"][0]["credentials"].pop(0)
    api.apply(before, manager=MANAGER)
    api.apply(connection(namespace))
    ran = hub.run("catalog", "install", "salesforce")
    assert ran.code == 1
    assert "needs the key 'clientId' in the Secret, and did not until now" in ran.err


def test_a_configuration_that_is_not_good_any_more_breaks_a_connection(
    hub: Hub, api: Api, namespace: str
) -> None:
    before = older(allowedHosts=["*.my.salesforce.com", "*.lightning.force.com"])
    for keyword in ("pattern", "x-hub-pattern-message"):
        del before["spec"]["configSchema"]["properties"]["hostname"][keyword]
    api.apply(before, manager=MANAGER)
    api.apply(connection(namespace, config={"hostname": "acme.lightning.force.com"}))
    ran = hub.run("catalog", "install", "salesforce")
    assert ran.code == 1
    assert f"{namespace}/crm: spec.config.hostname: must be the My Domain host" in ran.err


def test_a_connection_that_was_broken_before_is_no_obstacle(hub: Hub, api: Api, namespace: str) -> None:
    api.apply(older(templates=[{"name": "legacy", "config": {}}]), manager=MANAGER)
    api.apply(connection(namespace, template="legacy", config={"hostname": "acme.lightning.force.com"}))
    assert hub.run("catalog", "install", "salesforce").code == 0


def test_what_is_newer_in_the_cluster_stays(hub: Hub, api: Api) -> None:
    api.apply(older(version="2.0.0"), manager=MANAGER)
    ran = hub.run("catalog", "install", "salesforce")
    assert ran.code == 1
    assert "the cluster has a newer version of 'salesforce'" in ran.err
    assert hub.run("catalog", "install", "salesforce", "--force").code == 0


def test_what_somebody_else_manages_stays_theirs(hub: Hub, api: Api) -> None:
    theirs = older(description="Ours.")
    api.apply(theirs, manager="argocd-controller")
    ran = hub.run("catalog", "install", "stripe", "salesforce")
    assert ran.code == 1
    assert "Nothing was installed: somebody else manages a part of 'salesforce'" in ran.err
    assert "argocd-controller" in ran.err
    assert not api.exists(of_catalog("stripe"))
    assert api.get(theirs)["spec"]["description"] == "Ours."
    assert hub.run("catalog", "install", "salesforce", "--force").code == 0


@pytest.mark.parametrize(("status", "code"), [(409, 1), (500, 3), (403, 3)])
def test_what_was_done_before_a_failure_is_told_with_it(  # noqa: PLR0917 - fixtures
    control_plane: ControlPlaneInfo,
    hub: Hub,
    api: Api,
    namespace: str,
    tmp_path: Path,
    status: int,
    code: int,
) -> None:
    """What has succeeded on trial may fail all the same: somebody else was there meanwhile."""

    def fails(asked: Asked) -> int | None:
        is_real = asked.method == "PATCH" and "dryRun" not in asked.query
        return status if is_real and asked.path.endswith("/slack") else None

    with Gateway(control_plane, tmp_path, namespace, fails) as gateway:
        words = ("catalog", "install", "stripe", "slack", "zoom", "--kubeconfig", str(gateway.kubeconfig))
        ran, again = hub.run(*words), hub.run(*words, "-o", "name")
    assert (ran.code, again.code) == (code, code)
    assert ran.out == "integrationdefinition.integrationhub.dev/stripe created\n"
    assert again.out == "integrationdefinition.integrationhub.dev/stripe\n"
    assert "Nothing was installed" not in ran.err
    assert "'slack'" in ran.err
    assert "Of the definitions, 1 of 3 were done before it, 1 not tried." in ran.err
    assert api.exists(of_catalog("stripe"))
    assert not api.exists(of_catalog("zoom"))


def test_a_dry_run_writes_nothing(hub: Hub, alone: Hub, api: Api) -> None:
    server = hub.run("catalog", "install", "stripe", "--dry-run=server")
    assert server.out == "integrationdefinition.integrationhub.dev/stripe created (server dry run)\n"
    assert not api.exists(of_catalog("stripe"))
    client = alone.run("catalog", "install", "stripe", "--dry-run=client", "-o", "json")
    assert json.loads(client.out) == of_catalog("stripe")


def test_objects_are_printed_as_they_are_then(hub: Hub) -> None:
    ran = hub.run("catalog", "install", "stripe", "slack", "-o", "name")
    assert ran.out.splitlines() == [
        "integrationdefinition.integrationhub.dev/stripe",
        "integrationdefinition.integrationhub.dev/slack",
    ]


# What cannot be


def test_a_cluster_that_is_not_there_and_one_that_does_not_permit_it(
    hub: Hub, control_plane: ControlPlaneInfo, namespace: str, tmp_path: Path
) -> None:
    gone = user_kubeconfig(
        tmp_path / "gone", server="https://127.0.0.1:9", ca_file=control_plane.ca_file, namespace=namespace
    )
    strange = user_kubeconfig(
        tmp_path / "strange",
        server=control_plane.server,
        ca_file=control_plane.ca_file,
        namespace=namespace,
        token="of-nobody",
    )
    for file in (gone, strange):
        ran = Hub(tmp_path, file).run("catalog", "install", "stripe")
        assert ran.code == 3, ran
        assert "What to do:" in ran.err
        assert "Traceback" not in ran.err


def test_who_may_read_and_not_write_is_told_which_right_an_installation_takes(  # noqa: PLR0917 - fixtures
    control_plane: ControlPlaneInfo, kubectl: Kubectl, hub: Hub, api: Api, namespace: str, tmp_path: Path
) -> None:
    api.apply(older(description="Ours."))
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubectl("create", "clusterrole", namespace, "--verb=get,list", "--resource=idef,iinst")
    kubectl("create", "clusterrolebinding", namespace, f"--clusterrole={namespace}",
            f"--serviceaccount={namespace}:reader")  # fmt: skip
    token = kubectl("create", "token", "reader", "-n", namespace).stdout.strip()
    file = user_kubeconfig(
        tmp_path / "reader",
        server=control_plane.server, ca_file=control_plane.ca_file, namespace=namespace, token=token,
    )  # fmt: skip
    new, there = (
        Hub(tmp_path, file, token).run("catalog", "install", name, "--force")
        for name in ("stripe", "salesforce")
    )
    kubectl("delete", "clusterrolebinding,clusterrole", namespace)
    assert (new.code, there.code) == (3, 3)
    assert "You may not create IntegrationDefinition 'stripe'." in new.err
    assert "Ask for the right to 'create' and 'patch' it, or" in new.err
    assert "You may not change IntegrationDefinition 'salesforce'." in there.err
    assert "Ask for the right to 'patch' it, or" in there.err


def test_a_folder_that_cannot_be_written_is_no_mistake_in_the_command(alone: Hub) -> None:
    ran = alone.run("catalog", "export", "/proc/nowhere", "stripe")
    assert (ran.code, ran.out) == (1, "")
    assert (
        "'/proc/nowhere' cannot be written: No such file or directory. Nothing was changed there.\nWhat to do: "
        in ran.err
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["catalog", "install"], "Name definitions, or all of them with --all"),
        (["catalog", "install", "stripe", "--all"], "one of the two"),
        (["catalog", "install", "stripes"], "did you mean 'stripe'?"),
        (["catalog", "list", "--category", "crmm"], "did you mean 'crm'?"),
        (["example", "nope"], "There is no example 'nope'"),
        (["catalog", "search"], "Missing argument"),
        (["catalog", "search", "["], "There is no word to search for in '['"),
        (["catalog", "search", "", " ", "-o", "json"], "There is no word to search for"),
        (["catalog", "show", ""], "The catalog has no definition ''.\n"),
    ],
)
def test_a_mistake_in_the_command_is_named(alone: Hub, words: list[str], said: str) -> None:
    ran = alone.run(*words)
    assert ran.code == 2
    assert said in ran.err
    assert not ran.out
