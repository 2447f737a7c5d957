"""`hub connect` as a person uses it: real terminals, a real API server, real HTTPS, and the operator at the end."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, Kubectl
from integration_hub.devcluster import ControlPlaneInfo
from support.certificates import Authority
from support.hub_command import Hub, forms, press_ctrl_c, user_kubeconfig
from support.instances import Api, Object, definition, instance, ready_status, secret
from support.operator_process import OperatorProcess
from support.target_server import Answer, Seen, TargetServer
from support.waiting import wait_until
from support.wizard import BACK_KEY, CTRL_C, PASTE_BEGINS, PASTE_ENDS, Terminal

pytestmark = pytest.mark.cluster

CANARY = "cAnaryW-71c3/+9b=5e0f"
LOOPBACK = ("--allow-cidr", "127.0.0.0/8")


@pytest.fixture
def acme(api: Api, target: TargetServer, namespace: str) -> str:
    """A definition with a template, a choice, a group, and two ways to authenticate."""
    name = f"{namespace}-acme"
    schema = {
        "type": "object",
        "required": ["account"],
        "properties": {
            "account": {
                "type": "string",
                "title": "Account",
                "description": "As the address of your account has it.",
                "pattern": "^[a-z0-9-]+$",
                "x-hub-pattern-message": "must be lower-case letters, digits and '-'",
                "examples": ["acme-shop"],
            },
            "server": {"type": "string", "format": "uri", "default": target.url, "x-hub-order": 1},
            "ca": {"type": "string", "default": target.ca, "x-hub-multiline": True, "x-hub-order": 2},
            "region": {"type": "string", "title": "Region", "enum": ["eu", "us"]},
            "retries": {"type": "integer", "title": "Retries", "minimum": 0, "maximum": 5, "default": 3},
        },
    }
    methods = [
        {
            "name": "key",
            "type": "apiKey",
            "displayName": "API key",
            "description": "Settings > API > Create key.",
            "settings": {"prefix": "Bearer"},
            "credentials": [{"key": "apiKey", "displayName": "Secret key", "description": "Shown once."}],
        },
        {"name": "password", "type": "basicAuth", "displayName": "User name and password"},
    ]
    templates = [{"name": "europe", "displayName": "Europe", "config": {"region": "eu"}}]
    wizard = {"steps": [{"title": "Which account?", "fields": ["account"]}]}
    api.apply(
        definition(name, target, configSchema=schema, authMethods=methods, templates=templates, wizard=wizard)
    )
    return name


def get(api: Api, kind: str, namespace: str, name: str) -> Object:
    return api.get({"kind": kind, "metadata": {"name": name, "namespace": namespace}})


def has(api: Api, kind: str, namespace: str, name: str) -> bool:
    return api.exists({"kind": kind, "metadata": {"name": name, "namespace": namespace}})


def knows_the_canary(seen: Seen) -> Answer:
    is_known = seen.headers.get("authorization") == f"Bearer {CANARY}"
    return Answer() if is_known else Answer(401, {"error": "no"})


# On a terminal


def test_the_wizard_makes_a_connection_that_the_operator_finds_ready(  # noqa: PLR0917 - fixtures
    hub: Hub, acme: str, api: Api, operator: OperatorProcess, namespace: str, target: TargetServer
) -> None:
    target.script(f"{namespace}-shop", knows_the_canary)
    run = Terminal(hub, "connect", acme, *LOOPBACK, "--apply", secrets=(CANARY,))
    run.sees("A set-up answers some questions for you.")
    run.answers("Which set-up is it?", "Europe")
    run.sees("Which account?")
    run.sees("For example: acme-shop")
    run.answers("Account:", "Shop!")
    run.sees("must be lower-case letters, digits and '-'")
    run.types("\x15" + f"{namespace}-shop")
    run.answers("server", "")
    run.answers("ca", "")
    run.answers("Retries (Enter for 3)", "")
    run.sees("Settings > API > Create key.")
    run.answers("How does the connection authenticate?", "")
    run.answers("What is the connection called? (Enter for Acme - Europe)", "Shop")
    run.answers("Name of the object (Enter for shop)", "")
    run.sees("Shown once.")
    run.answers("Secret key:", CANARY)
    run.answers("Whom does the connection belong to?", "client")
    run.answers("Which customer?", "c-42")
    run.answers("Which roles may use it?", "admin, support")
    summary = run.sees("What now?")
    assert "Success, Connected" in summary
    assert "(entered, not shown)" in summary
    assert "Region: eu (template 'europe')" in summary
    assert re.search("identity +.*passed", summary)
    run.types("")
    code, text = run.ends()
    assert code == 0, text
    assert "secret/shop-credentials created" in text
    assert "integrationinstance.integrationhub.dev/shop created" in text
    assert "Ready, Connected" in text
    made = get(api, "IntegrationInstance", namespace, "shop")
    assert made["spec"] == {
        "displayName": "Shop",
        "definitionRef": {"name": acme},
        "template": "europe",
        "config": {"account": f"{namespace}-shop"},
        "auth": {"method": "key", "secretRef": {"name": "shop-credentials"}},
        "scope": {"type": "client", "id": "c-42"},
        "permissions": {"roles": ["admin", "support"]},
    }
    assert {
        entry["manager"] for entry in made["metadata"]["managedFields"] if entry["operation"] == "Apply"
    } == {"kubectl-hub"}
    stored = get(api, "Secret", namespace, "shop-credentials")
    assert base64.b64decode(stored["data"]["apiKey"]).decode() == CANARY
    assert stored["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kubectl-hub"
    assert "ownerReferences" not in stored["metadata"]
    assert "annotations" not in stored["metadata"]
    assert all(form not in json.dumps(made) for form in forms(CANARY))


def test_a_screen_reader_gets_lines_and_the_folder_becomes_a_connection_by_kubectl(  # noqa: PLR0917 - fixtures
    hub: Hub,
    api: Api,
    kubectl: Kubectl,
    operator: OperatorProcess,
    namespace: str,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
) -> None:
    kubectl("apply", "-f", ROOT / "examples" / "01-quickstart" / "10-definition.yaml")
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    token = kubectl("create", "token", "reader", "-n", namespace).stdout.strip()
    folder = tmp_path / "connections" / "cluster"
    run = Terminal(
        hub, "connect", "--plain", "-o", str(folder), *LOOPBACK, secrets=(CANARY, token), TERM="dumb"
    )
    run.answers("Which system?", "kubernets")
    run.sees("1  Kubernetes API: ")
    run.sees("2  Kubernetes (not installed yet): ")
    run.answers("Which system?", "1")
    run.sees("Run 'kubectl cluster-info' to see the address.")
    run.answers("API server: ", "http://kubernetes.example.com")
    run.sees("Not taken: API server must start with https://.")
    run.answers("API server: ", control_plane.server)
    run.sees("It may have several lines; an empty line ends it.")
    run.answers("Certificate authority (optional): ", "back")
    run.answers(f"API server (now {control_plane.server}; Enter keeps it): ", "")
    run.sees("Certificate authority (optional): ")
    for line in control_plane.ca_file.read_text().splitlines():
        run.types(line, enter="\n")
    run.answers("What is the connection called? (Enter for Kubernetes API)", "This cluster")
    run.answers("(Enter for this-cluster): ", "")
    run.sees("Token of a service account")
    run.sees("API key that is sent in the header Authorization: ")
    run.types(f" {token}")
    run.sees("begins or ends with a space or tab")
    run.types(token)
    run.answers("Whom does the connection belong to?", "")
    run.answers("Which roles may use it?", "")
    seen = run.sees("What now?")
    assert "Result: Success, Connected" in seen
    run.types("")
    code, text = run.ends()
    assert code == 0, text
    assert "\x1b" not in text
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "instance.yaml",
        "kustomization.yaml",
        "secret.example.yaml",
    ]
    for path in folder.iterdir():
        assert all(form not in path.read_text() for form in forms(token))
    assert not has(api, "IntegrationInstance", namespace, "this-cluster")
    kubectl("apply", "-k", folder)
    (tmp_path / "token").write_text(token)
    command = next(
        line
        for line in (folder / "README.md").read_text().replace("\\\n", "").splitlines()
        if "create secret" in line
    )
    words = command.replace("FILE", str(tmp_path / "token")).split()[1:]
    kubectl(*words)
    found = api.wait_for_verdict(
        {"kind": "IntegrationInstance", "metadata": {"name": "this-cluster", "namespace": namespace}},
        "True",
        "Connected",
    )
    assert found["status"]["identity"] == f"system:serviceaccount:{namespace}:reader"


def test_ctrl_c_leaves_nothing_behind_and_says_so(hub: Hub, acme: str, api: Api, namespace: str) -> None:
    run = Terminal(hub, "connect", acme, "--apply", secrets=(CANARY,))
    run.sees("Which set-up is it?")
    run.presses(CTRL_C)
    code, text = run.ends()
    assert code == 130
    assert "Nothing was written." in text
    lines = Terminal(hub, "connect", acme, "--apply", "--template", "europe", TERM="dumb")
    lines.sees("Account: ")
    lines.presses(CTRL_C)
    code, text = lines.ends()
    assert code == 130
    assert "Nothing was written." in text
    assert api.instances(namespace) == {}


def test_a_failing_test_says_why_and_the_credentials_can_be_entered_again(
    hub: Hub, acme: str, api: Api, namespace: str, target: TargetServer
) -> None:
    target.script(f"{namespace}-again", knows_the_canary)
    words = ("--set", f"account={namespace}-again", "--template", "europe", "--auth-method", "key")
    run = Terminal(
        hub, "connect", acme, *words, *LOOPBACK, "--apply", "--no-wait", "--name", "again",
        secrets=(CANARY, "not-the-right-one"),
    )  # fmt: skip
    run.answers("server", "")
    run.answers("ca (", "")
    run.answers("Retries", "")
    run.answers("What is the connection called?", "")
    run.sees("Secret key:")
    run.presses(BACK_KEY)
    run.answers("What is the connection called?", "\x15Again")
    run.sees("Secret key:")
    # What was copied with its line break is told while it stands there, and is not sent.
    run.presses(f"{PASTE_BEGINS}not-the-right-one\n{PASTE_ENDS}")
    run.sees("ends with a line break, which 'echo' adds")
    run.types("\x7f")
    run.answers("Whom does the connection belong to?", "")
    run.answers("Which roles may use it?", "")
    seen = run.sees("What now?")
    assert "CredentialsRejected" in seen
    assert "Change the credentials" in seen
    assert "all the same" in seen
    assert not has(api, "Secret", namespace, "again-credentials")
    run.types("credentials")
    run.answers("Secret key (entered before; Enter keeps it):", CANARY)
    seen = run.sees("What now?")
    assert "Success, Connected" in seen
    run.types("")
    code, text = run.ends()
    assert code == 0, text
    assert get(api, "IntegrationInstance", namespace, "again")["spec"]["displayName"] == "Again"


def test_a_certificate_and_a_key_that_do_not_belong_together_are_both_asked_for_again(
    hub: Hub, namespace: str, tmp_path: Path
) -> None:
    authority = Authority("Acme")
    shown, other = (authority.issue("hub", for_server=False) for _ in range(2))
    words = ("--set", "server=https://k8s.example.com", "--set", "namespace=shop", "--name", "cluster")
    run = Terminal(
        hub, "connect", "kubernetes", *words, "--auth-method", "client-certificate", "--scope", "global",
        "--role", "admin", "--no-test", "--plain", "-o", str(tmp_path / "git"), secrets=(other.key,),
    )  # fmt: skip
    run.answers("Certificate authority (optional): ", "")
    run.answers("What is the connection called? (", "")
    run.answers("client-certificate-data: ", shown.chain)
    run.answers("client-key-data: ", other.key)
    run.sees("Not taken: The private key in 'tls.key' does not belong to the certificate in 'tls.crt'.\r\n")
    run.answers("client-certificate-data (entered before; Enter keeps it): ", "back")
    run.answers("What is the connection called? (", "")
    run.answers("client-certificate-data (entered before; Enter keeps it): ", "")
    run.answers("client-key-data (entered before; Enter keeps it): ", shown.key)
    run.answers("What now?", "")
    code, text = run.ends()
    assert code == 0, text
    assert text.count("Not taken") == 1


# Without a terminal


def test_a_certificate_and_a_key_that_do_not_belong_together_are_told_in_a_sentence(
    hub: Hub, tmp_path: Path
) -> None:
    authority = Authority("Acme")
    (tmp_path / "crt").write_text(authority.issue("hub", for_server=False).chain)
    (tmp_path / "key").write_text(authority.issue("hub", for_server=False).key)
    ran = hub.run(
        "connect", "kubernetes", "--no-input", "--install", "--set", "server=https://k8s.example.com",
        "--auth-method", "client-certificate", "--secret-from-file", f"tls.crt={tmp_path / 'crt'}",
        "--secret-from-file", f"tls.key={tmp_path / 'key'}", "--dry-run=client",
    )  # fmt: skip
    assert ran.code == 2
    assert ran.err.splitlines()[1:] == [
        "  The private key in 'tls.key' does not belong to the certificate in 'tls.crt'."
    ]


def complete(namespace: str, name: str) -> tuple[str, ...]:
    return (
        "--no-input", *LOOPBACK, "--template", "europe", "--set", f"account={namespace}-{name}", "--name", name,
        "--display-name", name.title(),
    )  # fmt: skip


def test_everything_that_is_missing_is_listed_at_once(hub: Hub, acme: str) -> None:
    ran = hub.run("connect", acme, "--no-input", "--apply", "--scope", "client")
    assert ran.code == 2
    assert "Account is required: --set account=..." in ran.err
    assert "--secret-from-file apiKey=FILE or --secret-from-env apiKey=VARIABLE" in ran.err
    assert "The answer to 'Which customer?' is required: --scope-id ..." in ran.err
    assert ran.out == ""


def test_a_system_of_the_catalog_that_is_not_installed_is_told_with_the_command_that_installs_it(
    hub: Hub,
) -> None:
    ran = hub.run("connect", "zendesk", "--no-input", "--apply")
    assert ran.code == 2
    assert "IntegrationDefinition 'zendesk' is not installed in this cluster." in ran.err
    assert "'hub catalog install zendesk' installs it" in ran.err
    unknown = hub.run("connect", "no-such-system", "--no-input", "--apply")
    assert unknown.code == 2
    assert "There is no IntegrationDefinition 'no-such-system'" in unknown.err


def test_mistakes_in_flags_are_told_together_and_without_what_was_typed(
    hub: Hub, acme: str, tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("retries: many\nregion: ue\n")
    ran = hub.run(
        "connect", acme, "--no-input", "--apply", "--values", str(values), "--set", f"acount={CANARY}",
        "--set", "account=Shop", "--secret-from-file", f"apiKye={tmp_path / 'none'}", "--secret-from-env",
        "apiKey=NO_SUCH_VARIABLE", "--name", "Shop",
    )  # fmt: skip
    assert ran.code == 2
    for words in (
        "--set acount is no field of this definition (did you mean 'account'?)",
        "--set account must be lower-case letters, digits and '-'.",
        "retries must be a whole number, not text.",
        "region must be one of: eu, us",
        "--secret-from-file apiKye: the file cannot be read",
        "The environment variable that you named for 'apiKey' is not set.",
        "--name must be lower-case letters",
    ):
        assert words in ran.err, ran.err


def test_a_value_in_a_variable_that_is_no_text_is_refused(
    hub: Hub, acme: str, monkeypatch: pytest.MonkeyPatch, namespace: str
) -> None:
    monkeypatch.setenv("ACME_KEY", os.fsdecode(b"sk_\xff"))
    value = ("--secret-from-env", "apiKey=ACME_KEY")
    ran = hub.run("connect", acme, *complete(namespace, "bytes"), *value, "--apply")
    assert (ran.code, ran.err) == (2, "Error: The value of the Secret's key 'apiKey' is no text in UTF-8.\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--apply", "-o", "x"), "--apply and -o say different things"),
        ((), "Say what to do with the connection"),
        (("--apply", "--set", "account"), "must be written like subdomain=acme"),
        (("--test-only", "--no-test"), "--test-only and --no-test"),
        (("--apply", "--secret-from-file", "a=-", "--secret-from-file", "b=-"), "can be read once"),
        (("--apply", "--auth-method", "kye"), "--auth-method must be one of: key, password"),
        (("--apply", "--scope-id", "x"), "--scope-id says nothing here"),
    ],
)
def test_flags_that_make_no_sense_are_refused(hub: Hub, acme: str, words: tuple[str, ...], told: str) -> None:
    ran = hub.run("connect", acme, "--no-input", *words)
    assert ran.code == 2
    assert told in ran.err


def test_answers_in_a_pipe_are_refused_with_what_to_do(hub: Hub, acme: str) -> None:
    ran = hub.run("connect", acme, stdin="shop\n")
    assert ran.code == 2
    assert "standard input is none" in ran.err
    assert "--no-input" in ran.err


def test_a_script_makes_a_connection_and_never_overwrites_one(  # noqa: PLR0917 - fixtures
    hub: Hub, acme: str, api: Api, operator: OperatorProcess, namespace: str, target: TargetServer
) -> None:
    target.script(f"{namespace}-script", knows_the_canary)
    words = ("connect", acme, *complete(namespace, "script"), "--secret-from-file", "apiKey=-", "--apply")
    ran = hub.run(*words, stdin=CANARY)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        "secret/script-credentials created",
        "integrationinstance.integrationhub.dev/script created",
    ]
    before = get(api, "IntegrationInstance", namespace, "script")
    again = hub.run(*words, stdin=CANARY)
    assert again.code == 2
    assert "is taken: there is an IntegrationInstance 'script'" in again.err
    other = hub.run(
        "connect", acme, *complete(namespace, "other"), "--secret-name", "script-credentials",
        "--secret-from-file", "apiKey=-", "--apply", stdin="another",
    )  # fmt: skip
    assert other.code == 2
    assert "that Secret exists and is not overwritten" in other.err
    target.script(f"{namespace}-other", knows_the_canary)
    shared = hub.run(
        "connect", acme, *complete(namespace, "other"), "--secret-name", "script-credentials", "--apply"
    )
    assert shared.code == 0, shared.err
    assert shared.out.splitlines() == ["integrationinstance.integrationhub.dev/other created"]
    after = get(api, "IntegrationInstance", namespace, "script")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_a_failing_test_writes_nothing_and_no_test_writes_all_the_same(
    hub: Hub, acme: str, api: Api, namespace: str
) -> None:
    words = (*complete(namespace, "wrong"), "--secret-from-file", "apiKey=-")
    only, failed = (
        hub.run("connect", acme, *words, flag, stdin="wrong") for flag in ("--test-only", "--apply")
    )
    assert (only.code, failed.code) == (1, 1)
    assert "CredentialsRejected" in only.err
    assert "Nothing was written." in failed.err
    assert not has(api, "Secret", namespace, "wrong-credentials")
    forced = hub.run("connect", acme, *words, "--apply", "--no-test", "--no-wait", stdin="wrong")
    assert forced.code == 0, forced.err
    assert has(api, "Secret", namespace, "wrong-credentials")


def test_a_dry_run_shows_or_checks_and_writes_nothing(hub: Hub, acme: str, api: Api, namespace: str) -> None:
    words = (*complete(namespace, "dry"), "--secret-from-file", "apiKey=-", "--no-test")
    client = hub.run("connect", acme, *words, "--dry-run=client", stdin=CANARY)
    assert client.code == 0, client.err
    stored, made = yaml.safe_load_all(client.out)
    assert stored["stringData"] == {"apiKey": "(hidden)"}
    assert made["spec"]["config"] == {"account": f"{namespace}-dry"}
    server = hub.run("connect", acme, *words, "--dry-run=server", stdin=CANARY)
    assert server.code == 0, server.err
    assert "integrationinstance.integrationhub.dev/dry created (server dry run)" in server.out
    assert not has(api, "Secret", namespace, "dry-credentials")
    assert not has(api, "IntegrationInstance", namespace, "dry")


@pytest.mark.parametrize(
    ("format_", "file"),
    [
        ("example", "secret.example.yaml"),
        ("external-secret", "external-secret.yaml"),
    ],
)
def test_a_folder_for_git_never_holds_a_value(  # noqa: PLR0917 - fixtures
    hub: Hub, acme: str, namespace: str, tmp_path: Path, format_: str, file: str, kubectl: Kubectl
) -> None:
    folder = tmp_path / "git"
    words = ("connect", acme, *complete(namespace, "git"), "--secret-from-file", "apiKey=-", "--no-test")
    ran = hub.run(*words, "-o", str(folder), "--secret-format", format_, stdin=CANARY)
    assert ran.code == 0, ran.err
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(map(str, folder.iterdir())) == sorted(ran.out.splitlines())
    assert file in texts
    for text in texts.values():
        assert all(form not in text for form in forms(CANARY))
    listed = yaml.safe_load(texts["kustomization.yaml"])["resources"]
    assert ("secret.example.yaml" in texts) == (file not in listed)
    assert yaml.safe_load(texts["instance.yaml"])["metadata"] == {"name": "git", "namespace": namespace}
    assert "Secret key" in texts["README.md"]
    again = hub.run(*words, "-o", str(folder), "--secret-format", format_, stdin=CANARY)
    assert again.code == 2
    assert "would be overwritten" in again.err


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_a_list_that_a_folder_has_is_added_to_whatever_its_name(  # noqa: PLR0917 - fixtures
    hub: Hub, acme: str, namespace: str, tmp_path: Path, name: str, kubectl: Kubectl
) -> None:
    folder = tmp_path / "git"
    folder.mkdir()
    (folder / "ours.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: ours}}\n")
    (folder / name).write_text("# Ours.\nresources:\n  - ours.yaml  # by hand\n")
    words = ("connect", acme, *complete(namespace, "git"), "--secret-from-file", "apiKey=-", "--no-test")
    ran = hub.run(*words, "-o", str(folder), stdin=CANARY)
    assert ran.code == 0, ran.err
    assert str(folder / name) in ran.out.splitlines()
    assert (folder / name).read_text() == "# Ours.\nresources:\n  - ours.yaml  # by hand\n  - instance.yaml\n"
    applied = list(yaml.safe_load_all(kubectl("kustomize", folder).stdout))
    assert sorted(found["kind"] for found in applied) == ["ConfigMap", "IntegrationInstance"]


def test_a_list_that_leads_into_another_namespace_is_told(
    hub: Hub, acme: str, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "kustomization.yml").write_text("namespace: elsewhere\n")
    words = ("connect", acme, *complete(namespace, "git"), "--secret-from-file", "apiKey=-", "--no-test")
    ran = hub.run(*words, "-o", str(tmp_path), stdin=CANARY)
    assert ran.code == 0
    assert "puts all that it lists into the namespace 'elsewhere'" in ran.err
    assert (
        tmp_path / "kustomization.yml"
    ).read_text() == "namespace: elsewhere\nresources:\n- instance.yaml\n"


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (
            {"Kustomization": "resources: all\n"},
            "Kustomization' cannot be added to: its 'resources' is no list.",
        ),
        ({"Kustomization": "", "kustomization.yml": ""}, "has kustomization.yml and Kustomization, of which"),
    ],
)
def test_a_list_that_cannot_be_added_to_is_told_before_anything_is_written(  # noqa: PLR0917 - fixtures
    hub: Hub, acme: str, namespace: str, tmp_path: Path, lists: dict[str, str], said: str
) -> None:
    for name, text in lists.items():
        (tmp_path / "git" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "git" / name).write_text(text)
    words = ("connect", acme, *complete(namespace, "git"), "--secret-from-file", "apiKey=-", "--no-test")
    ran = hub.run(*words, "-o", str(tmp_path / "git"), stdin=CANARY)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert sorted(path.name for path in (tmp_path / "git").iterdir()) == sorted(lists)


@pytest.fixture
def person(
    acme: str, namespace: str, tmp_path: Path, control_plane: ControlPlaneInfo, kubectl: Kubectl
) -> Iterator[Callable[..., Hub]]:
    """`person(*verbs)` is the command of somebody who has these rights on instances, and none on Secrets."""
    role, subject = f"{namespace}-idef", f"--serviceaccount={namespace}:person"
    kubectl("create", "clusterrole", role, "--verb=get,list", "--resource=idef")
    kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", subject)

    def with_rights(*verbs: str) -> Hub:
        there = ("-n", namespace)
        kubectl("create", "serviceaccount", "person", *there)
        kubectl("create", "role", "person", *there, f"--verb={','.join(verbs)}", "--resource=iinst")
        kubectl("create", "rolebinding", "person", *there, "--role=person", subject)
        token = kubectl("create", "token", "person", *there).stdout.strip()
        file = user_kubeconfig(
            tmp_path / "person",
            server=control_plane.server,
            ca_file=control_plane.ca_file,
            namespace=namespace,
            token=token,
        )
        return Hub(tmp_path, file, CANARY, token)

    yield with_rights
    kubectl("delete", "clusterrolebinding,clusterrole", role)


def test_without_a_right_the_command_says_which(
    person: Callable[..., Hub], acme: str, namespace: str
) -> None:
    words = (*complete(namespace, "no"), "--secret-from-file", "apiKey=-", "--apply", "--no-test")
    ran = person("get", "list").run("connect", acme, *words, stdin=CANARY)
    assert ran.code == 3
    assert "You may not create IntegrationInstance 'no'" in ran.err
    assert (
        "Ask for the right to 'create' and 'patch' integrationinstances, and to 'create' secrets, or"
        in ran.err
    )
    assert ran.out == ""


def test_who_may_not_read_secrets_can_name_one_and_the_operator_tests_it(  # noqa: PLR0917 - fixtures
    person: Callable[..., Hub],
    acme: str,
    api: Api,
    namespace: str,
    operator: OperatorProcess,
    target: TargetServer,
) -> None:
    api.apply(secret(namespace, apiKey=CANARY))
    target.script(f"{namespace}-blind", knows_the_canary)
    words = (*complete(namespace, "blind"), "--secret-name", "key", "--apply")
    ran = person("get", "list", "create", "patch").run("connect", acme, *words)
    assert ran.code == 0, ran.err
    assert "You may not read Secret 'key'" in ran.err
    assert "so it is tested once it is applied" in ran.err
    assert "Ready, Connected" in ran.err


def test_a_test_alone_with_a_secret_that_may_not_be_read_has_no_answer(
    person: Callable[..., Hub], acme: str, api: Api, namespace: str
) -> None:
    api.apply(secret(namespace, apiKey=CANARY))
    words = (*complete(namespace, "blind"), "--secret-name", "key", "--test-only")
    ran = person("get", "list").run("connect", acme, *words)
    assert ran.code == 3, ran.err
    assert "You may not read Secret 'key'" in ran.err
    assert ran.err.endswith(", so nothing was tested: applied with --apply, it is tested by the operator.\n")


def test_a_secret_that_is_named_is_looked_at_by_who_may_read_no_other(  # noqa: PLR0917 - fixtures
    person: Callable[..., Hub],
    acme: str,
    api: Api,
    namespace: str,
    kubectl: Kubectl,
    target: TargetServer,
) -> None:
    api.apply(secret(namespace, apiKey=CANARY), instance(namespace, "of-another", acme, secret="another"))
    somebody, there = person("get", "list", "create", "patch"), ("-n", namespace)
    kubectl("create", "role", "key", *there, "--verb=get", "--resource=secrets", "--resource-name=key")
    kubectl("create", "rolebinding", "key", *there, "--role=key", f"--serviceaccount={namespace}:person")
    words = (
        *complete(namespace, "named"),
        "--secret-name",
        "key",
        "--secret-from-file",
        "apiKey=-",
        "--apply",
    )
    ran = somebody.run("connect", acme, *words, stdin=CANARY)
    assert ran.code == 2, ran.err
    assert "--secret-name key: that Secret exists and is not overwritten." in ran.err
    assert target.seen(f"{namespace}-named") == [], "it is refused before it is tested"


def test_a_script_finds_a_free_name_with_the_right_to_get_secrets_alone(
    person: Callable[..., Hub], acme: str, api: Api, namespace: str, kubectl: Kubectl
) -> None:
    taken = secret(namespace, apiKey=CANARY)
    api.apply({**taken, "metadata": {**taken["metadata"], "name": "free-credentials"}})
    somebody, there = person("get", "list"), ("-n", namespace)
    kubectl("create", "role", "secrets", *there, "--verb=get", "--resource=secrets")
    kubectl(
        "create", "rolebinding", "secrets", *there, "--role=secrets", f"--serviceaccount={namespace}:person"
    )
    words = (*complete(namespace, "free"), "--secret-from-file", "apiKey=-", "--no-test", "--dry-run=client")
    ran = somebody.run("connect", acme, *words, stdin=CANARY)
    assert ran.code == 0, ran.err
    stored, made = yaml.safe_load_all(ran.out)
    assert stored["metadata"]["name"] == "free-credentials-2"
    assert made["spec"]["auth"]["secretRef"] == {"name": "free-credentials-2"}


@pytest.mark.parametrize("values", [(), ("--secret-from-file", "apiKey=-")], ids=["no value", "a value"])
def test_a_secret_by_a_name_that_is_none_is_refused(
    hub: Hub, acme: str, namespace: str, values: tuple[str, ...]
) -> None:
    words = (
        *complete(namespace, "named"),
        "--secret-name",
        "../configmaps/kube root",
        *values,
        "--test-only",
    )
    ran = hub.run("connect", acme, *words, stdin=CANARY)
    assert ran.code == 2, ran.err
    assert "--secret-name" in ran.err


# Waiting, while there is no operator


def applied(hub: Hub, api: Api, acme: str, namespace: str, *flags: str) -> subprocess.Popen[str]:
    """Begin to make a connection, and return the command once it waits for the operator."""
    api.apply(secret(namespace, apiKey=CANARY))
    words = (*complete(namespace, "wait"), "--secret-name", "key", "--no-test", "--apply")
    run = hub.start("connect", acme, *words, *flags)
    wait_until(lambda: has(api, "IntegrationInstance", namespace, "wait"), bool, "the connection is applied")
    return run


def test_a_connection_that_is_deleted_meanwhile_is_waited_for_no_longer(
    hub: Hub, acme: str, api: Api, namespace: str
) -> None:
    run = applied(hub, api, acme, namespace, "--timeout", "50s")
    api.delete(get(api, "IntegrationInstance", namespace, "wait"))
    ran = hub.ended(run)
    assert ran.code == 2, ran.err
    assert f"IntegrationInstance 'wait' in namespace '{namespace}' was deleted meanwhile." in ran.err


def test_a_right_that_is_lost_meanwhile_is_named(
    person: Callable[..., Hub], acme: str, api: Api, namespace: str, kubectl: Kubectl
) -> None:
    somebody = person("get", "list", "create", "patch")
    run = applied(somebody, api, acme, namespace, "--timeout", "50s")
    kubectl("delete", "rolebinding", "person", "-n", namespace)
    ran = somebody.ended(run)
    assert ran.code == 3, ran.err
    assert f"You may not read IntegrationInstance 'wait' in namespace '{namespace}'." in ran.err


def test_who_stops_the_wait_is_told_how_to_look_at_the_connection(
    hub: Hub, acme: str, api: Api, namespace: str
) -> None:
    run = applied(hub, api, acme, namespace)
    press_ctrl_c(run)
    ran = hub.ended(run)
    assert ran.code == 130
    assert "Stopped. The connection is applied, and the operator goes on by itself: '" in ran.err
    assert ran.err.endswith(f"hub status wait -n {namespace}' shows how far it is.\n")


def test_an_operator_that_says_nothing_is_to_be_looked_for(
    hub: Hub, acme: str, api: Api, namespace: str
) -> None:
    ran = hub.ended(applied(hub, api, acme, namespace, "--timeout", "1s"))
    assert ran.code == 4, ran.err
    assert "Within 1 s it has not come so far that the connection is Ready." in ran.err
    assert "hub check" in ran.err


def test_what_an_operator_has_said_last_is_told_where_it_is_waited_for_in_vain(
    hub: Hub, acme: str, api: Api, namespace: str
) -> None:
    run = applied(hub, api, acme, namespace, "--timeout", "3s")
    made = get(api, "IntegrationInstance", namespace, "wait")
    status = ready_status("False", "SecretNotFound", "There is no Secret.")["status"]
    api.merge(made, {"status": {"observedGeneration": 1, **status}}, "/status")
    ran = hub.ended(run)
    assert ran.code == 4, ran.err
    assert "Why: The operator says: SecretNotFound: There is no Secret." in ran.err
    assert f"hub status wait -n {namespace}'" in ran.err


def test_a_folder_that_cannot_be_written_whole_is_not_begun(
    hub: Hub, acme: str, namespace: str, tmp_path: Path
) -> None:
    folder = tmp_path / "git"
    folder.mkdir()
    (folder / "README.md").symlink_to(tmp_path / "nowhere")
    words = ("connect", acme, *complete(namespace, "git"), "--secret-from-file", "apiKey=-", "--no-test")
    ran = hub.run(*words, "-o", str(folder), stdin=CANARY)
    assert (ran.code, ran.out) == (2, "")
    assert f"'{folder / 'README.md'}' is a link to '{tmp_path / 'nowhere'}'" in ran.err
    assert [path.name for path in folder.iterdir()] == ["README.md"]
    assert not (tmp_path / "nowhere").exists()


def test_without_a_cluster_or_a_definition_the_command_says_so(hub: Hub, acme: str, tmp_path: Path) -> None:
    ran = Hub(tmp_path, tmp_path / "none").run("connect", acme, "--no-input", "--apply")
    assert ran.code == 3, ran.err
    assert "Traceback" not in ran.err
    missing = hub.run("connect", f"{acme}e", "--no-input", "--apply")
    assert missing.code == 2
    assert f"did you mean '{acme}'?" in missing.err


@pytest.fixture
def only_trials(api: Api, kubectl: Kubectl, namespace: str) -> Iterator[None]:
    """An admission policy that lets instances of the namespace through on trial and refuses them for real."""
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["integrationhub.dev"],
                        "apiVersions": ["*"],
                        "operations": ["CREATE"],
                        "resources": ["integrationinstances"],
                    }
                ]
            },
            "validations": [
                {
                    "expression": f"request.namespace != '{namespace}' || (has(request.dryRun) && request.dryRun)"
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {"policyName": namespace, "validationActions": ["Deny"]},
    }
    kubectl("apply", "-f", "-", input=yaml.safe_dump_all([policy, binding]))
    numbers = count()

    def is_refused() -> bool:
        # Another one each time: the policy is about instances that are created.
        probe = yaml.safe_dump(instance(namespace, f"probe-{next(numbers)}", "any"))
        return kubectl("create", "-f", "-", input=probe, check=False).returncode != 0

    wait_until(is_refused, bool, "the policy is in force")
    yield
    kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", namespace)


def test_a_secret_goes_again_where_the_instance_is_refused(
    hub: Hub, acme: str, api: Api, namespace: str, only_trials: None
) -> None:
    words = (*complete(namespace, "refused"), "--secret-from-file", "apiKey=-", "--apply", "--no-test")
    ran = hub.run("connect", acme, *words, stdin=CANARY)
    assert ran.code != 0
    assert "secret/refused-credentials created" in ran.out
    assert "The Secret 'refused-credentials' was taken away again." in ran.err
    assert not has(api, "Secret", namespace, "refused-credentials")
    assert not has(api, "IntegrationInstance", namespace, "refused")


def test_a_definition_that_was_installed_for_it_stays_and_that_is_said(
    hub: Hub, api: Api, namespace: str, only_trials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XERO_SECRET", CANARY)
    ran = hub.run(
        "connect", "xero", "--no-input", "--install", "--apply", "--no-test", "--name", "books",
        "--auth-method", "custom-connection", "--secret-from-env", "clientId=XERO_SECRET",
        "--secret-from-env", "clientSecret=XERO_SECRET",
    )  # fmt: skip
    made: Object = {"kind": "IntegrationDefinition", "metadata": {"name": "xero"}}
    is_there = api.exists(made)
    if is_there:
        api.delete(made)
    assert ran.code == 1, ran.err
    assert is_there
    assert "The Secret 'books-credentials' was taken away again." in ran.err
    assert "The definition 'xero' stays installed." in ran.err
    assert not has(api, "IntegrationInstance", namespace, "books")


def test_what_becomes_of_the_answers_is_asked_at_the_end(
    hub: Hub, acme: str, namespace: str, tmp_path: Path
) -> None:
    words = (
        "--set",
        f"account={namespace}-asked",
        "--template",
        "europe",
        "--auth-method",
        "key",
        "--no-test",
    )
    run = Terminal(
        hub, "connect", acme, *words, "--scope", "global", "--role", "admin", "--plain", secrets=(CANARY,)
    )
    for question in (
        "server (",
        "ca (",
        "Retries (",
        "What is the connection called? (",
        "Name of the object (",
    ):
        run.answers(question, "")
    run.answers("Secret key: ", CANARY)
    run.answers("What now?", "answer")
    run.answers("Answer to change, by its number or first words: ", "99")
    run.answers("must be a number from 1 to", "6")
    run.answers("Retries (Enter for 3): ", "9")
    run.answers("must be at most 5", "4")
    seen = run.sees("What now?")
    assert "Retries: 4" in seen
    run.types("folder")
    run.answers("Folder to write (Enter for acme-europe): ", str(tmp_path / "asked"))
    run.answers("How does the Secret come to the cluster?", "external-secret")
    code, text = run.ends()
    assert code == 0, text
    made = yaml.safe_load((tmp_path / "asked" / "instance.yaml").read_text())
    assert made["spec"]["config"] == {"account": f"{namespace}-asked", "retries": 4}
    assert (tmp_path / "asked" / "external-secret.yaml").exists()
