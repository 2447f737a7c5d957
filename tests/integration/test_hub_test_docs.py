"""docs/hub-test.md shows what is so: its commands are typed, and what they print is compared."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from integration_hub.devcluster import ControlPlaneInfo
from support.hub_command import admin_kubeconfig
from support.instances import Api, account, definition, instance, secret
from support.operator_process import OperatorProcess
from support.shown_pages import shows
from support.target_server import TargetServer

pytestmark = pytest.mark.cluster

PAGE = Path(__file__).parents[2] / "docs" / "hub-test.md"


def steps() -> Iterator[tuple[str, str]]:
    """Yield each command of the page with the output that it shows below."""
    for block in re.findall(r"(?ms)^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8")):
        command, _, output = block.removeprefix("$ ").partition("\n")
        yield command, output


def test_the_page_shows_what_is_so(  # noqa: PLR0917 - fixtures
    operator: OperatorProcess,
    api: Api,
    namespace: str,
    target: TargetServer,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
) -> None:
    acme = f"{namespace}-acme"
    api.apply(definition(acme, target), secret(namespace), secret(namespace, "old", apiKey="an-old-key"))
    (billing, expired) = api.apply(
        instance(namespace, "billing", acme), instance(namespace, "expired", acme, secret="old")
    )
    api.wait_for_verdict(billing, "True", "Connected")
    api.wait_for_verdict(expired, "False", "CredentialsRejected")
    draft = [
        definition("acme", target),
        secret("shop"),
        instance("shop", "draft", "acme", displyName="Draft"),
    ]
    (tmp_path / "draft.yaml").write_text(yaml.safe_dump_all(draft))
    kubeconfig = admin_kubeconfig(tmp_path, control_plane, namespace)
    hub = shlex.join([sys.executable, "-m", "integration_hub", "test", "--allow-cidr", "127.0.0.0/8"])
    found = list(steps())
    assert len(found) == 4
    for command, promised in found:
        typed = command.replace("hub test", hub, 1).replace("shop-billing", account(namespace, "billing"))
        shown = subprocess.run(
            ["/bin/sh", "-c", typed],
            cwd=tmp_path,
            env=os.environ | {"KUBECONFIG": str(kubeconfig)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        ).stdout  # fmt: skip
        as_said = shown.replace(acme, "acme").replace(namespace, "shop")
        assert shows(promised, as_said), f"the page says of '{command}':\n{promised}\nso it is:\n{as_said}"
