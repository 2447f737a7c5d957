"""`hub edit` as a person uses it: what is kept stays, what is entered is tested, only what has changed is written."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_hub.devcluster import ControlPlaneInfo
from support.hub_command import Hub, admin_kubeconfig, forms
from support.instances import Api, Object, account, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import Answer, Seen, TargetServer
from support.wizard import Terminal

pytestmark = pytest.mark.cluster

OLD, NEW = "cAnaryE-old-71c3/+9b=", "cAnaryE-new-52d8/+7a="
LOOPBACK = ("--allow-cidr", "127.0.0.0/8")


@pytest.fixture
def hub(control_plane: ControlPlaneInfo, crds_installed: None, namespace: str, tmp_path: Path) -> Hub:
    """The command with an administrator's kubeconfig, whose namespace is the test's."""
    file = admin_kubeconfig(tmp_path, control_plane, namespace)
    return Hub(tmp_path, file, OLD, NEW)


@pytest.fixture
def billing(api: Api, namespace: str, target: TargetServer) -> Object:
    """A connection that somebody has written by hand, with more than a form asks for."""
    acme = f"{namespace}-acme"
    api.apply(definition(acme, target), secret(namespace, apiKey=OLD, other="kept"))
    raw = instance(
        namespace, "billing", acme, description="Kept.", monitor={"interval": "1h"}, displayName="Billing"
    )
    (made,) = api.apply(raw)
    target.script(account(namespace, "billing"), lambda seen: knows(seen, OLD))
    return made


def knows(seen: Seen, key: str) -> Answer:
    is_known = seen.headers.get("authorization") == f"Bearer {key}"
    return Answer() if is_known else Answer(401, {"error": "no"})


def values(api: Api, namespace: str) -> dict[str, str]:
    found = api.get({"kind": "Secret", "metadata": {"name": "key", "namespace": namespace}})
    return {name: base64.b64decode(value).decode() for name, value in found["data"].items()}


def spec(api: Api, raw: Object) -> dict[str, Any]:
    found: dict[str, Any] = api.get(raw)["spec"]
    return found


def test_an_edit_without_a_change_writes_nothing(hub: Hub, billing: Object, api: Api) -> None:
    before = api.get(billing)
    ran = hub.run("edit", "billing", "--no-input", "--apply", *LOOPBACK)
    assert ran.code == 0, ran.err
    assert "Nothing has changed, so nothing is written." in ran.err
    assert ran.out == ""
    assert api.get(billing)["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_only_what_was_changed_is_written_and_the_stored_secret_is_kept(
    hub: Hub, billing: Object, api: Api, namespace: str, target: TargetServer
) -> None:
    before = spec(api, billing)
    target.script(f"{namespace}-moved", lambda seen: knows(seen, OLD))
    ran = hub.run(
        "edit",
        "billing",
        "--no-input",
        "--set",
        f"account={namespace}-moved",
        "--apply",
        "--no-wait",
        *LOOPBACK,
    )
    assert ran.code == 0, ran.err
    assert ran.out == "integrationinstance.integrationhub.dev/billing changed\n"
    assert spec(api, billing) == {**before, "config": {"account": f"{namespace}-moved"}}
    assert values(api, namespace) == {"apiKey": OLD, "other": "kept"}
    assert [seen.headers["authorization"] for seen in target.seen(f"{namespace}-moved")] == [f"Bearer {OLD}"]


def test_an_answer_that_the_former_template_gave_is_written_with_a_template_that_does_not_give_it(
    hub: Hub, api: Api, namespace: str, target: TargetServer
) -> None:
    acme = definition(f"{namespace}-modes", target)
    schema = acme["spec"]["configSchema"]
    schema["required"].append("mode")
    schema["properties"]["mode"] = {
        "oneOf": [
            {
                "type": "object",
                "required": ["kind"],
                "properties": {"kind": {"type": "string", "const": kind}},
            }
            for kind in "ab"
        ]
    }
    acme["spec"]["templates"] = [
        {"name": "t1", "config": {"mode": {"kind": "b"}}},
        {"name": "t2", "config": {}},
    ]
    raw = instance(namespace, "modes", f"{namespace}-modes", template="t1")
    api.apply(acme, secret(namespace, apiKey=OLD), raw)
    before = spec(api, raw)
    words = ("edit", "modes", "--no-input", "--template", "t2", "--no-test", "--apply", "--no-wait")
    missing = hub.run(*words)
    assert missing.code == 2
    assert "mode" in missing.err
    ran = hub.run(*words, "--set", "mode.kind=b")
    assert ran.code == 0, ran.err
    config = {**before["config"], "mode": {"kind": "b"}}
    assert spec(api, raw) == {**before, "template": "t2", "config": config}


def test_a_new_value_is_tested_before_it_replaces_the_stored_one(  # noqa: PLR0917 - fixtures
    hub: Hub, billing: Object, api: Api, namespace: str, target: TargetServer, operator: OperatorProcess
) -> None:
    api.wait_for_verdict(billing, "True", "Connected")
    words = ("edit", "billing", "--no-input", "--secret-from-file", "apiKey=-", "--apply", *LOOPBACK)
    refused = hub.run(*words, stdin=NEW)
    assert refused.code == 1
    assert "CredentialsRejected" in refused.err
    assert "Nothing was written." in refused.err
    assert values(api, namespace) == {"apiKey": OLD, "other": "kept"}
    target.script(account(namespace, "billing"), lambda seen: knows(seen, NEW))
    taken = hub.run(*words, stdin=NEW)
    assert taken.code == 0, taken.err
    assert taken.out == "secret/key changed\n"
    assert "Ready, Connected" in taken.err
    assert values(api, namespace) == {"apiKey": NEW, "other": "kept"}


def test_the_form_shows_what_is_stored_and_no_value_of_it(
    hub: Hub, billing: Object, api: Api, namespace: str, target: TargetServer
) -> None:
    run = Terminal(hub, "edit", "billing", *LOOPBACK, "--plain", "--no-wait", secrets=(OLD, NEW))
    seen = run.sees("What now?")
    assert "API key that is sent in the header Authorization, which is stored: Keep it (proposed)" in seen
    run.types("credentials")
    run.answers("Where are the credentials?", "")
    seen = run.sees("which is stored (Enter for Keep it): ")
    assert "Stored, changed 20" in seen
    assert "1  Keep it" in seen
    assert "Remove" not in seen
    run.types("replace")
    run.answers("API key that is sent in the header Authorization: ", NEW)
    seen = run.sees("What now?")
    assert "CredentialsRejected" in seen
    target.script(account(namespace, "billing"), lambda seen: knows(seen, NEW))
    run.types("test")
    seen = run.sees("What now?")
    assert "Result: Success" in seen
    run.types("apply")
    code, text = run.ends()
    assert code == 0, text
    assert "secret/key changed" in text
    assert values(api, namespace) == {"apiKey": NEW, "other": "kept"}


def test_what_another_tool_keeps_is_said_and_goes_into_a_folder(
    hub: Hub, billing: Object, api: Api, namespace: str, tmp_path: Path
) -> None:
    api.merge(billing, {"metadata": {"labels": {"argocd.argoproj.io/instance": "shop"}}})
    folder = tmp_path / "git"
    words = ("edit", "billing", "--no-input", "--set", f"account={namespace}-moved", "--no-test")
    ran = hub.run(*words, "-o", str(folder))
    assert ran.code == 0, ran.err
    assert "Argo CD (application 'shop') keeps this connection" in ran.err
    made = yaml.safe_load((folder / "instance.yaml").read_text())
    assert made["spec"]["config"]["account"] == f"{namespace}-moved"
    assert made["spec"]["monitor"] == {"interval": "1h"}
    assert set(made["metadata"]) <= {"name", "namespace", "labels"}
    assert spec(api, billing)["config"]["account"] == account(namespace, "billing")
    for path in folder.iterdir():
        assert all(form not in path.read_text() for form in forms(OLD))


def test_an_edit_in_the_folder_of_a_connection_changes_the_instance_alone(
    hub: Hub, billing: Object, api: Api, namespace: str, tmp_path: Path
) -> None:
    folder = tmp_path / "git"
    made = hub.run(
        "connect", f"{namespace}-acme", "--no-input", "--no-test", "--set", "account=shop", "--name", "shop",
        "--secret-from-file", "apiKey=-", "-o", str(folder), "--secret-format", "external-secret", stdin=OLD,
    )  # fmt: skip
    assert made.code == 0, made.err
    listed = (folder / "kustomization.yaml").read_text()
    (folder / "kustomization.yaml").write_text(f"# Ours.\n{listed}")
    (folder / "README.md").write_text("Ask the team of the shop.\n")
    api.apply(*yaml.safe_load_all((folder / "instance.yaml").read_text()))
    api.merge(
        {"kind": "IntegrationInstance", "metadata": {"name": "shop", "namespace": namespace}},
        {
            "metadata": {
                "labels": {"argocd.argoproj.io/instance": "shop", "team": "shop"},
                "annotations": {"team.example/owner": "shop", "argocd.argoproj.io/tracking-id": "shop:x"},
            }
        },
    )
    before = {path.name: path.read_text() for path in folder.iterdir()}
    ran = hub.run("edit", "shop", "--no-input", "--no-test", "--set", "account=moved", "-o", str(folder))
    assert (ran.code, ran.out) == (0, f"{folder / 'instance.yaml'}\n"), ran.err
    after = {path.name: path.read_text() for path in folder.iterdir()}
    changed = yaml.safe_load(after.pop("instance.yaml"))
    assert changed["spec"]["config"] == {"account": "moved"}
    assert changed["metadata"] == {
        "name": "shop", "namespace": namespace, "labels": {"team": "shop"},
        "annotations": {"team.example/owner": "shop"},
    }  # fmt: skip
    del before["instance.yaml"]
    assert after == before
    assert yaml.safe_load(after["kustomization.yaml"])["resources"] == [
        "external-secret.yaml",
        "instance.yaml",
    ]


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_an_edit_with_a_new_secret_overwrites_nothing_but_the_instance_and_adds_to_the_list(
    hub: Hub, billing: Object, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "git"
    folder.mkdir()
    (folder / "instance.yaml").write_text(f"# Ours.\n{yaml.safe_dump(billing)}")
    (folder / "external-secret.yaml").write_text("# Ours.\n")
    (folder / name).write_text("# Ours.\nresources: [instance.yaml]\n")
    words = (
        "edit", "billing", "--no-input", "--no-test", "--secret-name", "new", "--secret-from-file", "apiKey=-",
        "--secret-format", "external-secret", "-o", str(folder),
    )  # fmt: skip
    refused = hub.run(*words, stdin=NEW)
    assert refused.code == 2
    assert "external-secret.yaml in" in refused.err
    assert {path.read_text().splitlines()[0] for path in folder.iterdir()} == {"# Ours."}
    (folder / "external-secret.yaml").unlink()
    ran = hub.run(*words, stdin=NEW)
    assert ran.code == 0, ran.err
    assert (folder / name).read_text() == "# Ours.\nresources: [instance.yaml, external-secret.yaml]\n"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["README.md", "external-secret.yaml", "instance.yaml", name]
    )
    assert yaml.safe_load((folder / "external-secret.yaml").read_text())["spec"]["target"]["name"] == "new"


def test_an_edit_in_a_folder_without_a_list_makes_none_and_says_what_one_elsewhere_has_to_name(
    hub: Hub, billing: Object, tmp_path: Path
) -> None:
    (tmp_path / "instance.yaml").write_text(yaml.safe_dump(billing))
    ran = hub.run("edit", "billing", "--no-input", "--no-test", "--set", "account=moved", "-o", str(tmp_path))
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'instance.yaml'}\n"), ran.err
    assert "it has to name instance.yaml." in ran.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "orders"}, "IntegrationInstance 'orders' in namespace '{namespace}'"),
        ({"namespace": "elsewhere"}, "IntegrationInstance 'billing' in namespace 'elsewhere'"),
        (None, "no IntegrationInstance"),
    ],
    ids=["another name", "another namespace", "no connection"],
)
def test_an_edit_overwrites_no_file_of_something_else(  # noqa: PLR0917 - fixtures
    hub: Hub,
    billing: Object,
    tmp_path: Path,
    namespace: str,
    target: TargetServer,
    change: dict[str, str] | None,
    words: str,
) -> None:
    folder = tmp_path / "git"
    folder.mkdir()
    other = {**billing, "metadata": {**billing["metadata"], **(change or {})}}
    text = "# Ours.\n" if change is None else yaml.safe_dump(other)
    (folder / "instance.yaml").write_text(text)
    ran = hub.run(
        "edit", "billing", "--no-input", "--set", "account=moved", "-o", str(folder), *LOOPBACK
    )  # fmt: skip
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert f"instance.yaml in '{folder}' holds {words.format(namespace=namespace)}" in ran.err
    assert "-o" in ran.err
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"instance.yaml": text}
    assert target.seen("moved") == [], "it is refused before it is tested"


@pytest.mark.parametrize(
    ("file", "listed"),
    [("billing.yaml", True), ("billing.yml", False), ("apps/billing.yaml", True)],
    ids=["in the list", "without a list", "in a folder below"],
)
def test_an_edit_writes_the_file_that_holds_the_connection_whatever_it_is_called(  # noqa: PLR0917 - fixtures
    hub: Hub, billing: Object, namespace: str, tmp_path: Path, file: str, listed: bool
) -> None:
    folder = tmp_path / "git"
    (folder / file).parent.mkdir(parents=True)
    exported = hub.run("export", "billing")
    (folder / file).write_text(exported.out)
    other = {**billing, "metadata": {"name": "orders", "namespace": namespace}}
    (folder / "instance.yaml").write_text(yaml.safe_dump(other))
    if listed:
        (folder / "kustomization.yaml").write_text(f"resources: [./{file}, instance.yaml]\n")
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    ran = hub.run("edit", "billing", "--no-input", "--no-test", "--set", "account=moved", "-o", str(folder))
    assert (ran.code, ran.out) == (0, f"{folder / file}\n"), ran.err
    after = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert yaml.safe_load(after.pop(folder / file))["spec"]["config"] == {"account": "moved"}
    del before[folder / file]
    assert after == before


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"all.yaml": 2}, "all.yaml in '{folder}' holds this connection beside other things"),
        ({"list.yaml": "List"}, "list.yaml in '{folder}' holds this connection beside other things"),
        ({"a.yaml": 1, "b.yaml": 1}, "a.yaml and b.yaml in '{folder}' hold this connection"),
    ],
    ids=["several documents", "a list", "two files"],
)
def test_an_edit_makes_no_second_copy_where_it_cannot_write_the_first(  # noqa: PLR0917 - fixtures
    hub: Hub, billing: Object, namespace: str, tmp_path: Path, files: dict[str, Any], words: str
) -> None:
    other = {**billing, "metadata": {"name": "orders", "namespace": namespace}}
    for file, count in files.items():
        documents = [{"kind": "List", "items": [billing]}] if count == "List" else [billing, other][:count]
        (tmp_path / file).write_text(yaml.safe_dump_all(documents))
    ran = hub.run("edit", "billing", "--no-input", "--no-test", "--set", "account=moved", "-o", str(tmp_path))
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert words.format(folder=tmp_path) in ran.err
    assert not (tmp_path / "instance.yaml").exists()


def test_a_file_that_nobody_can_read_is_of_something_else(hub: Hub, billing: Object, tmp_path: Path) -> None:
    text = "a: " + "[" * 100_000
    for file in ("instance.yaml", "other.yaml"):
        (tmp_path / file).write_text(text)
    ran = hub.run("edit", "billing", "--no-input", "--no-test", "--set", "account=moved", "-o", str(tmp_path))
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert f"instance.yaml in '{tmp_path}' holds no IntegrationInstance" in ran.err
    assert (tmp_path / "instance.yaml").read_text() == text


def test_an_instance_without_a_namespace_is_the_one_that_its_list_puts_there(
    hub: Hub, billing: Object, namespace: str, tmp_path: Path
) -> None:
    raw = {**billing, "metadata": {"name": "billing"}}
    (tmp_path / "instance.yaml").write_text(yaml.safe_dump(raw))
    words = ("edit", "billing", "--no-input", "--no-test", "--set", "account=moved", "-o", str(tmp_path))
    (tmp_path / "kustomization.yaml").write_text("resources: [instance.yaml]\nnamespace: elsewhere\n")
    refused = hub.run(*words)
    assert (refused.code, refused.out) == (2, "")
    assert "IntegrationInstance 'billing' in namespace 'elsewhere'" in refused.err
    (tmp_path / "kustomization.yaml").write_text(f"resources: [instance.yaml]\nnamespace: {namespace}\n")
    assert hub.run(*words).code == 0


def test_a_new_value_for_a_stored_one_is_refused_where_a_folder_is_to_be_written(  # noqa: PLR0917 - fixtures
    hub: Hub, billing: Object, api: Api, namespace: str, target: TargetServer, tmp_path: Path
) -> None:
    folder = tmp_path / "git"
    words = ("edit", "billing", "--secret-from-file", "apiKey=-", "-o", str(folder), *LOOPBACK)
    refused = hub.run(*words, "--no-input", stdin=NEW)
    assert refused.code == 2
    assert "A folder for Git cannot change a value of the Secret that the connection has." in refused.err
    assert "--secret-name NAME" in refused.err
    assert not folder.exists()
    assert target.seen(account(namespace, "billing")) == []
    assert values(api, namespace) == {"apiKey": OLD, "other": "kept"}


@pytest.mark.parametrize("has_folder", [True, False])
def test_the_form_offers_no_folder_for_a_value_that_would_not_be_in_it(  # noqa: PLR0917 - fixtures
    hub: Hub, billing: Object, api: Api, namespace: str, tmp_path: Path, has_folder: bool
) -> None:
    where = ("-o", str(tmp_path / "git")) if has_folder else ()
    run = Terminal(hub, "edit", "billing", "--no-test", "--plain", *where, secrets=(OLD, NEW))
    run.sees("What now?")
    run.types("credentials")
    run.answers("Where are the credentials?", "")
    run.answers("which is stored (Enter for Keep it): ", "replace")
    run.answers("API key that is sent in the header Authorization: ", NEW)
    seen = run.sees("What now?")
    assert "A folder for Git cannot change a value of the Secret that the connection has" in seen
    assert "choose a new Secret, which can be sealed" in seen
    assert "Write manifests for Git" not in seen
    assert "Go on" not in seen
    assert ("Apply it to the cluster" in seen) is not has_folder
    run.types("stop")
    assert run.ends()[0] == 0
    assert values(api, namespace) == {"apiKey": OLD, "other": "kept"}


def test_what_somebody_else_changes_meanwhile_is_not_overwritten(
    hub: Hub, billing: Object, api: Api, namespace: str
) -> None:
    run = Terminal(hub, "edit", "billing", "--no-test", "--no-wait", "--set", "account=mine", TERM="dumb")
    run.sees("What now?")
    api.merge(billing, {"spec": {"config": {"account": "theirs"}}})
    run.types("apply")
    assert "was changed by somebody else meanwhile" in run.sees("Nothing was written.")
    run.answers("What now?", "stop")
    assert run.ends()[0] == 1
    assert spec(api, billing)["config"]["account"] == "theirs"


def test_a_secret_that_does_not_exist_is_made_under_the_name_that_the_connection_has(
    hub: Hub, billing: Object, api: Api, namespace: str
) -> None:
    before = spec(api, billing)
    api.delete({"kind": "Secret", "metadata": {"name": "key", "namespace": namespace}})
    words = ("edit", "billing", "--no-input", "--apply", "--no-wait", *LOOPBACK)
    described = hub.run(*words, "--role", "admin", "--no-test")
    assert described.code == 0, described.err
    assert described.out == "integrationinstance.integrationhub.dev/billing changed\n"
    ran = hub.run(*words, "--secret-from-file", "apiKey=-", stdin=OLD)
    assert ran.code == 0, ran.err
    assert ran.out == "secret/key created\n"
    assert values(api, namespace) == {"apiKey": OLD}
    assert spec(api, billing) == {**before, "permissions": {"roles": ["admin"]}}


def test_a_name_that_there_is_not_is_told_with_those_that_there_are(hub: Hub, billing: Object) -> None:
    ran = hub.run("edit", "biling", "--no-input", "--apply")
    assert ran.code == 2
    assert "did you mean 'billing'?" in ran.err
