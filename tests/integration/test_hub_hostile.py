"""Objects whose every free text would steer a terminal, shown by every command that shows objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import yaml

from conftest import ROOT, run_kubectl
from integration_hub.devcluster import ControlPlane
from support.hub_command import Hub
from support.instances import Api, Object, definition, instance, ready_status, secret
from support.target_server import TargetServer
from support.wizard import CTRL_C, Terminal

pytestmark = pytest.mark.cluster

STEERS = "\x1b]0;pwned\x07\x1b[2J\x9b2J\r\x1b[31m\u202e"
"""A new title for the window, an empty screen, another colour, and text that runs backwards."""
OURS = re.compile(r"\x1b\[(?:0|1|38;5;\d+)m|\r\x1b\[2K|\r\n")
"""What `hub` itself sends to a terminal: styles, a line that is written anew, line breaks."""
ADMITTED = ("--allow-cidr", "127.0.0.0/8")

SHOWN = [
    ("get",),
    ("get", "-A", "-o", "wide"),
    ("get", "definitions", "-o", "wide"),
    ("status", "evil"),
    ("status", "git"),
    ("tree", "evil"),
    ("usage", "DEFINITION"),
    ("usage", "iinst/evil"),
    ("events",),
    ("events", "evil"),
    ("export", "evil"),
    ("diff", "-f", "FILE"),
    ("reconcile", "evil", "--timeout", "1s"),
    ("reconcile", "evil", "--no-wait"),
    ("suspend", "git", "--dry-run=server"),
    ("suspend", "git"),
    ("resume", "git", "--no-wait"),
    ("test", "evil", "--timeout", "1", *ADMITTED),
    ("test", "evil", "--timeout", "1s"),
    ("test", "--draft", "-f", "DRAFT", *ADMITTED),
    ("authorize", "evil", "--timeout", "1s"),
    ("connect", "DEFINITION", "--no-input", "--no-test", "--dry-run"),
    ("edit", "git", "--no-input", "--dry-run", "--set", "account=other", "--no-test"),
    ("check",),
]


SAYS_LITTLE = frozenset({"authorize", "check", "reconcile", "resume"})
"""Commands that show none of these texts as things are here: nothing that they show may steer all the same."""
DATA = frozenset({"export"})
"""What goes through a pipe as it is, since programs read it."""


def filled(schema: Object, name: str = "") -> Any:  # noqa: PLR0911 - one for each type
    """Return what a schema allows, with a text that steers wherever it limits none."""
    match schema.get("type"):
        case "object" if "additionalProperties" in schema:
            return {f"k{STEERS}": filled(schema["additionalProperties"], name)}
        case "object":
            return {key: filled(value, key) for key, value in schema.get("properties", {}).items()}
        case "array":
            return [filled(schema["items"], name)]
        case "string" if "enum" in schema:
            return schema["enum"][1]
        case "string" if schema.get("format") == "date-time":
            return "2026-01-01T00:00:00Z"
        case "string":
            return f"{name}{STEERS}"
        case _:
            return 1


def status_schema() -> Object:
    crd = yaml.safe_load((ROOT / "crds" / "integrationinstances.yaml").read_text())
    found: Object = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    return found


@pytest.fixture(scope="module")
def namespace(cluster: ControlPlane) -> Iterator[str]:
    """One namespace for all, since nobody changes what is evil in it."""
    name = f"test-{uuid4().hex[:10]}"
    run_kubectl(cluster, "create", "namespace", name)
    yield name
    run_kubectl(cluster, "delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def names(
    cluster: ControlPlane,
    crds_installed: None,
    namespace: str,
    target: TargetServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """An instance whose status is evil, one of Git's whose annotation is, their definition, and an Event."""
    of, api = f"{namespace}-evil", Api(cluster.up().kubeconfig)
    method = {
        "name": "key", "type": "apiKey", "displayName": f"Key{STEERS}", "description": f"Where{STEERS}",
        "settings": {"prefix": "Bearer"},
        "credentials": [{"key": "apiKey", "displayName": f"K{STEERS}", "description": STEERS, "example": STEERS}],
    }  # fmt: skip
    account = {"type": "string", "title": f"Account{STEERS}", "description": STEERS, "examples": [STEERS]}
    raw = definition(
        of, target,
        displayName=f"Evil{STEERS}", vendor=STEERS, description=STEERS, categories=[STEERS], version=STEERS,
        documentationURL=f"https://docs.example.com/{STEERS}", authMethods=[method],
    )  # fmt: skip
    raw["spec"]["configSchema"]["properties"]["account"] = account
    raw["spec"]["tests"][0]["displayName"] = STEERS
    evil = instance(namespace, "evil", of, displayName=f"Evil{STEERS}", config={"account": STEERS})
    git = instance(namespace, "git", of, displayName=f"Git{STEERS}")
    git["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": f"app{STEERS}"}
    api.apply(raw, secret(namespace), evil, git)
    status = filled(status_schema())
    ready = ready_status("False", f"Reason{STEERS}", f"Message{STEERS}")["status"]["conditions"][0]
    api.merge(evil, {"status": status | {"conditions": [ready]}}, "/status")
    about = {"apiVersion": raw["apiVersion"], "kind": evil["kind"], "name": "evil", "namespace": namespace}
    event = {
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "evil", "namespace": namespace},
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "integrationhub.dev/operator",
        "reportingInstance": "operator", "action": f"A{STEERS}", "reason": f"Reason{STEERS}",
        "note": f"Note{STEERS}", "type": "Warning", "regarding": about,
    }  # fmt: skip
    run_kubectl(cluster, "create", "-f", "-", input=json.dumps(event))
    folder = tmp_path_factory.mktemp("hostile")
    files = {"FILE": instance(namespace, "evil", of), "DRAFT": evil}
    for name, manifest in files.items():
        (folder / f"{name}.json").write_text(json.dumps(manifest))
    return {"DEFINITION": of} | {name: str(folder / f"{name}.json") for name in files}


def steers(text: str) -> str:
    """Return the signs in a text that steer a terminal, less what is our own."""
    return "".join(sign for sign in OURS.sub("", text) if not sign.isprintable() and sign not in "\n\t")


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_what_others_have_written_steers_no_terminal(
    hub: Hub, names: dict[str, str], words: tuple[str, ...]
) -> None:
    typed = [names.get(word, word) for word in words]
    piped = hub.run(*typed)
    assert steers(piped.err) == ""
    assert steers(piped.out) == "" or words[0] in DATA
    assert "Traceback" not in piped.err
    assert "mistake of its own" not in piped.err
    assert (
        "pwned" in piped.out + piped.err
        or words[0] in SAYS_LITTLE
        or "iinst/evil" in words
        or "--draft" in words
    )
    _, coloured = hub.on_a_terminal(*typed)
    _, plain = hub.on_a_terminal(*typed, HUB_PLAIN="1")
    assert steers(coloured) == steers(plain) == ""


@pytest.mark.parametrize("form", ["json", "yaml", "jsonpath={.metadata.annotations}"])
def test_data_are_as_they_are_in_a_pipe_and_harmless_on_a_terminal(
    hub: Hub, names: dict[str, str], form: str
) -> None:
    piped = hub.run("get", "git", "-o", form)
    if "jsonpath" not in form:
        read = json.loads if form == "json" else yaml.safe_load
        data = read(piped.out)
        assert data["metadata"]["annotations"] == {"argocd.argoproj.io/tracking-id": f"app{STEERS}"}
    _, shown = hub.on_a_terminal("get", "git", "-o", form)
    assert "pwned" in shown
    assert steers(shown) == ""


@pytest.mark.parametrize(
    "words",
    [
        ("connect", "DEFINITION"),
        ("connect", "DEFINITION", "--plain"),
        ("edit", "git"),
        ("edit", "git", "--plain"),
    ],
    ids=" ".join,
)
def test_no_question_steers_the_terminal(hub: Hub, names: dict[str, str], words: tuple[str, ...]) -> None:
    """The prompt itself moves the cursor; what others have written does not."""
    run = Terminal(hub, *[names.get(word, word) for word in words])
    run.sees("What is the connection called?" if words[0] == "edit" else "Account")
    run.sees("pwned")
    run.presses(CTRL_C)
    assert run.ends()[0] == 130
    for piece in ("\x1b]0;pwned", "\x9b", "\x1b[2J\ufffd", "\x1b[31m", "\u202e"):
        assert piece not in run.raw


def test_a_name_in_a_status_that_is_none_is_no_other_path(hub: Hub, names: dict[str, str]) -> None:
    ran = hub.run("tree", "evil")
    assert (ran.code, ran.err) == (0, "")
    assert "pwned" in ran.out
