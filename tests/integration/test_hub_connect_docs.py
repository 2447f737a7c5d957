"""docs/connect.md shows what is so: its screens are played on a terminal, and what stands there is compared."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from integration_hub.devcluster import ControlPlaneInfo
from support.hub_command import Hub, admin_kubeconfig
from support.instances import Api
from support.operator_process import OperatorProcess
from support.shop import acme
from support.shown_pages import shows
from support.target_server import GOOD_KEY, TargetServer
from support.wizard import CTRL_C, Terminal

pytestmark = pytest.mark.cluster

PAGE = Path(__file__).parents[2] / "docs" / "connect.md"


def screens() -> Iterator[tuple[str, str]]:
    """Yield each command of the page with what it shows below."""
    for block in re.findall(r"(?ms)^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8")):
        command, _, output = block.removeprefix("$ ").replace("\\\n", "").partition("\n")
        if output.strip():
            yield command, output


TYPED: Sequence[Sequence[tuple[str, str]]] = (
    (
        ("Account: ", "My shop"),
        ("Account: ", "{account}"),
        ("Region (Enter for eu): ", ""),
        ("What is the connection called? (Enter for Acme) ", "Billing"),
        ("Name of the object (Enter for billing): ", ""),
        ("Secret key: ", "not-the-right-one"),
        ("Whom does the connection belong to? (optional) ", ""),
        ("Which roles may use it? (optional) ", ""),
        ("What now? (Enter for Change an answer) ", "credentials"),
        ("Secret key (entered before; Enter keeps it): ", GOOD_KEY),
        ("What now? (Enter for Go on) ", ""),
    ),
    (
        ("Which system? Type words to search, or a number: ", "accounting"),
        ("Which system? Type words to search, or a number: ", "2"),
        ("Organisation (tenant ID) (optional): ", CTRL_C),
    ),
    (),
    (),
    (),
    (),
    (
        ("What now? (Enter for Change an answer) ", "credentials"),
        ("Where are the credentials? (now The one that it has, 'billing-credentials'; Enter keeps it) ", ""),
        ("Secret key, which is stored (Enter for Keep it): ", ""),
        ("What now? (Enter for Change an answer) ", "stop"),
    ),
)
"""What is typed into each screen, at which words."""


def on_terminal(hub: Hub, words: Sequence[str], answers: Sequence[tuple[str, str]], namespace: str) -> str:
    """Return what a terminal shows in the end."""
    run = Terminal(hub, *words, secrets=("not-the-right-one", GOOD_KEY))
    for question, answer in answers:
        run.sees(question)
        if answer == CTRL_C:
            run.presses(answer)
        else:
            run.types(answer.format(account=f"{namespace}-billing"))
    return run.ends()[1]


def in_pipe(hub: Hub, words: Sequence[str]) -> str:
    """Return what a run without questions writes."""
    return subprocess.run(
        [sys.executable, "-m", "integration_hub", *words],
        env=hub.environment() | {"ACME_KEY": GOOD_KEY},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    ).stdout  # fmt: skip


def test_the_page_shows_what_is_so(  # noqa: PLR0917 - fixtures
    operator: OperatorProcess,
    api: Api,
    namespace: str,
    target: TargetServer,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api.apply(acme(f"{namespace}-acme", target))
    kubeconfig = admin_kubeconfig(tmp_path, control_plane, namespace)
    hub = Hub(tmp_path, kubeconfig)
    monkeypatch.chdir(tmp_path)
    for name in ("quickbooks", "stripe", "xero"):
        # The page is about a cluster that does not have them.
        if api.exists(one := {"kind": "IntegrationDefinition", "metadata": {"name": name}}):
            api.delete(one)
    found = list(screens())
    assert len(found) == len(TYPED)
    for (command, promised), answers in zip(found, TYPED, strict=True):
        words = shlex.split(
            command.replace("acme", f"{namespace}-acme", 1).replace("shop-orders", f"{namespace}-orders")
        )[1:]
        words += ["--allow-cidr", "127.0.0.0/8"]
        shown = on_terminal(hub, words, answers, namespace) if answers else in_pipe(hub, words)
        as_said = shown.replace(f"{namespace}-acme", "acme").replace(namespace, "shop")
        assert shows(promised, as_said), f"the page says of '{command}':\n{promised}\nso it is:\n{as_said}"
