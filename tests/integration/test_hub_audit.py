"""`hub audit verify` on logs of a real operator: whole ones, changed ones, and what is no log."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration_hub.devcluster import ControlPlane
from support.hub_command import Hub
from support.instances import Api, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import TargetServer

pytestmark = pytest.mark.cluster

NAMESPACE = "audited"
KEYRING = ("--keyring", "integration-hub/integration-hub-keyring")

Line = dict[str, Any]


@pytest.fixture(scope="module")
def log(
    spare_cluster: ControlPlane, target: TargetServer, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The log of an operator that has tested two connections and was told to stop."""
    api = Api(spare_cluster.up().kubeconfig)
    file = tmp_path_factory.mktemp("audit") / "operator.log"
    operator = OperatorProcess(spare_cluster.home.kubeconfig, file)
    made = [instance(NAMESPACE, name, NAMESPACE) for name in ("one", "two")]
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        definition(NAMESPACE, target),
        secret(NAMESPACE),
        *made,
    )
    operator.start()
    api.wait_for_all(NAMESPACE, {"one": ("True", "Connected"), "two": ("True", "Connected")})
    operator.terminate()
    operator.stop()
    api.delete(*made, definition(NAMESPACE, target))
    return file.read_text().splitlines()


@pytest.fixture
def hub(spare_cluster: ControlPlane, tmp_path: Path) -> Hub:
    api = Api(spare_cluster.up().kubeconfig)
    keyring = api.get(secret("integration-hub", "integration-hub-keyring"))
    return Hub(tmp_path, spare_cluster.home.kubeconfig, *(keyring["data"].values()))


def audit_lines(log: list[str]) -> list[int]:
    """Return the numbers of the audit lines, from 1 on."""
    return [n for n, text in enumerate(log, 1) if json.loads(text).get("logger") == "integration_hub.audit"]


def test_a_log_as_the_operator_wrote_it_is_sound(hub: Hub, log: list[str]) -> None:
    ran = hub.run("audit", "verify", *KEYRING, stdin="\n".join(log))
    assert (ran.code, ran.err) == (0, "")
    assert "it ended as it should" in ran.out
    assert (
        ran.out.splitlines()[-1] == f"Sound {len(audit_lines(log))} audit lines, as the operator wrote them."
    )
    events = [json.loads(log[number - 1])["event"] for number in audit_lines(log)]
    assert events[0] == "audit log begins"
    assert events[-1] == "audit log ends"
    assert events.count("connection tested") == 2


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _changed(text: str, **fields: object) -> str:
    return json.dumps({**json.loads(text), **fields})


Tamper = Callable[[list[str], list[int]], list[str]]

TAMPERED: dict[str, tuple[Tamper, str]] = {
    "a verdict changed": (
        lambda log, at: [*log[: at[1] - 1], _changed(log[at[1] - 1], result="Failure"), *log[at[1] :]],
        "was changed, or was not written by the operator",
    ),
    "a line taken out": (lambda log, at: [*log[: at[1] - 1], *log[at[1] :]], "number 2 is before it missing"),
    "a name put in a second time": (
        lambda log, at: [
            *log[: at[1] - 1],
            log[at[1] - 1].replace("{", '{"result": "Success", ', 1),
            *log[at[1] :],
        ],
        "was changed, or was not written by the operator",
    ),
    "something nested too deep to be read": (
        lambda log, at: [*log[: at[1] - 1], _changed(log[at[1] - 1], x=_nested(300)), *log[at[1] :]],
        "was changed, or was not written by the operator",
    ),
    "a line made longer than any of ours": (
        lambda log, at: [*log[: at[1] - 1], " " * 2**20 + log[at[1] - 1], *log[at[1] :]],
        "number 2 is before it missing",
    ),
    "a line put in": (
        lambda log, at: [*log[: at[1]], '{"logger": "integration_hub.audit", "event": "x"}', *log[at[1] :]],
        "is not sealed",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_done_to_it_is_said_with_the_line(
    hub: Hub, log: list[str], tmp_path: Path, name: str
) -> None:
    tamper, words = TAMPERED[name]
    file = tmp_path / "hub.log"
    file.write_text("\n".join(tamper(log, audit_lines(log))))
    ran = hub.run("audit", "verify", *KEYRING, str(file))
    assert ran.code == 1
    assert f"Fault {file}, line " in ran.out
    assert words in ran.out
    assert ran.out.splitlines()[-1].startswith("Not sound ")
    data = hub.run("audit", "verify", *KEYRING, str(file), "-o", "json").data
    assert data["sound"] is False
    assert [fault for fault in data["faults"] if words in fault["words"]]


def test_the_keys_may_come_from_files_and_then_no_cluster_is_asked(
    spare_cluster: ControlPlane, log: list[str], tmp_path: Path
) -> None:
    api = Api(spare_cluster.up().kubeconfig)
    folder = tmp_path / "keys"
    folder.mkdir()
    for name, value in api.get(secret("integration-hub", "integration-hub-keyring"))["data"].items():
        (folder / name).write_bytes(base64.b64decode(value))
    ran = Hub(tmp_path, None).run("audit", "verify", "--keyring-files", str(folder), stdin="\n".join(log))
    assert (ran.code, ran.err) == (0, "")


def test_what_is_in_the_way_is_told_with_what_to_do(hub: Hub, log: list[str], tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    other.write_bytes(b"\xff\x00 no log\n" + b"[" * 5000 + b"\n")
    empty = hub.run("audit", "verify", *KEYRING, str(other))
    assert empty.code == 1
    assert "There are no audit lines among 2 lines" in empty.out
    assert "--log-format json" in empty.out
    missing = hub.run("audit", "verify", str(tmp_path / "nowhere.log"))
    assert missing.code == 2
    assert "does not exist" in missing.err
    no_keyring = hub.run("audit", "verify", "--keyring", "integration-hub/none", stdin="")
    assert no_keyring.code == 2
    assert "does not exist" in no_keyring.err
    assert "--keyring-files" in no_keyring.err
    folder = tmp_path / "no-keys"
    folder.mkdir()
    no_keys = hub.run("audit", "verify", "--keyring-files", str(folder), stdin="")
    assert no_keys.code == 3
    assert "there is no key" in no_keys.err
