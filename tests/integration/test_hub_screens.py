"""The screens of docs/cli.md: typed in a real terminal, on a real cluster with the operator, and compared.

`make generate-screens` records those that have changed. Times, ages and ports differ in every run: that is no change.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from integration_hub.devcluster import ControlPlane
from support.hub_command import Hub, admin_kubeconfig
from support.instances import Api, Object, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import GOOD_KEY, TargetServer

pytestmark = pytest.mark.cluster

SCREENS = Path(__file__).parents[2] / "docs" / "screens"
RECORDING = os.environ.get("HUB_RECORD_SCREENS") == "1"
COLUMNS = 110


class Screen(NamedTuple):
    """What is typed, and under which name the documentation has it: the command, then a word of its own."""

    name: str
    typed: str


STORY = (
    Screen("get.1-instances", "hub get"),
    Screen("get.2-wide", "hub get -o wide"),
    Screen("get.3-plain", "hub get billing --plain"),
    Screen("status.1-failing", "hub status crm"),
    Screen("status.2-working", "hub status billing"),
    Screen("explain.1-reason", "hub explain SecretQuoted"),
    Screen("tree.1-instance", "hub tree billing"),
    Screen("usage.1-definition", "hub usage acme"),
    Screen("usage.2-instance", "hub usage instance/billing"),
    Screen("export.1-instance", "hub export billing"),
    Screen("diff.1-file", "hub diff -f billing.yaml"),
    Screen("reconcile.1-working", "hub reconcile billing"),
    Screen("suspend.1-instance", "hub suspend billing"),
    Screen("resume.1-instance", "hub resume billing"),
    Screen("events.1-instance", "hub events crm"),
    Screen("check.1-pre", "hub check --pre"),
    Screen("version.1-client", "hub version --client"),
    Screen("catalog-search.1-typo", "hub catalog search salesfroce"),
    Screen("catalog-show.1-stripe", "hub catalog show stripe"),
    Screen("catalog-install.1-new", "hub catalog install stripe slack"),
    Screen("catalog-install.2-same", "hub catalog install stripe"),
    Screen("definition-lint.1-good", "hub definition lint stripe"),
    Screen("definition-test.1-cases", "hub definition test stripe"),
    Screen("definition-diff.1-same", "hub definition diff stripe stripe"),
)


def normalised(text: str) -> list[str]:
    """Return lines in which what differs from run to run is the same everywhere."""
    for pattern, same in (
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"\b\d+(s|m|h|d)( ago)?\b", "AGE"),
        (r"in AGE", "AGE"),
        (r"\b\d+ ms", "MS"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"v1\.\d+\.\d+", "VERSION"),
        (r"[…]+", " "),
        (r"[ \t]+", " "),
    ):
        text = re.sub(pattern, same, text)
    return [line.strip() for line in text.splitlines()]


@pytest.fixture
def shop(
    spare_cluster: ControlPlane,
    spare_api: Api,
    start_operator: Callable[..., OperatorProcess],
    target: TargetServer,
) -> Iterator[None]:
    """A namespace with a connection that works and one that does not, as the screens show them."""
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    pod = {
        "containers": [{"name": "sync", "image": "registry.example/sync"}],
        "volumes": [{"name": "billing", "secret": {"secretName": "billing-access"}}],
    }
    workload: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "billing-sync", "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": "sync"}},
            "template": {"metadata": {"labels": {"app": "sync"}}, "spec": pod},
        },
    }
    acme = definition("acme", target, version="1.4.0")
    spare_api.apply(namespace, acme)
    spare_api.call("POST", "/apis/apps/v1/namespaces/shop/deployments", workload)
    spare_api.apply(secret("shop", "billing"), secret("shop", "crm", apiKey=f'"{GOOD_KEY}"'))
    binding = {"secretName": "billing-access"}
    billing, crm = spare_api.apply(
        instance("shop", "billing", "acme", secret="billing", binding=binding),
        instance("shop", "crm", "acme", secret="crm"),
    )
    start_operator()
    spare_api.wait_for_verdict(billing, "True", "Connected")
    spare_api.wait_for_verdict(crm, "False", "SecretQuoted")
    yield
    installed = [definition(name, target) for name in ("stripe", "slack")]
    spare_api.delete(billing, crm, acme, namespace, *(one for one in installed if spare_api.exists(one)))


def test_the_screens_of_the_documentation_are_what_is_shown(
    shop: None, spare_cluster: ControlPlane, spare_api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = spare_cluster.up()
    file = admin_kubeconfig(tmp_path, info, "shop")
    hub = Hub(tmp_path, file, GOOD_KEY)
    changed = instance(
        "shop", "billing", "acme", secret="billing-2", binding={"secretName": "billing-access"}
    )
    (tmp_path / "billing.yaml").write_text(yaml.safe_dump(changed))
    monkeypatch.chdir(tmp_path)
    wrong = []
    for name, typed in STORY:
        _, shown = hub.on_a_terminal(*shlex.split(typed)[1:], columns=COLUMNS, NO_COLOR="1")
        # A spinner may or may not have been there.
        text = (
            re.sub(r"\r\x1b\[2K([|/\\-] [^\r\n]* \.\.\.)?", "", shown).replace("\r\n", "\n").replace("\r", "")
        )
        screen = f"$ {typed}\n{text}"
        file = SCREENS / f"{name}.txt"
        if file.exists() and normalised(file.read_text(encoding="utf-8")) == normalised(screen):
            continue
        if RECORDING:
            file.write_text(screen, encoding="utf-8")
        else:
            wrong.append(f"{file.name} is not what is shown, which is:\n{screen}")
    assert not wrong, "run 'make generate-screens':\n" + "\n".join(wrong)


def test_each_screen_of_the_documentation_is_one_of_the_story() -> None:
    assert {file.stem for file in SCREENS.glob("*.txt")} == {screen.name for screen in STORY}
