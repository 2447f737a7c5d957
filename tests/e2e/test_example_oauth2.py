"""examples/05-oauth2 as it runs: what its README shows, then what that leaves to a person at a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from integration_hub.devcluster import ControlPlane
from support.browser import approve, open_page, sign_in
from support.keycloak import require_keycloak
from support.running_example import ROOT, Hub, RunningExample, check_readme, check_suggestions, new_hub

pytestmark = pytest.mark.cluster

README = ROOT / "examples" / "05-oauth2" / "README.md"


@pytest.fixture
def example(tmp_path: Path) -> Iterator[RunningExample]:
    require_keycloak()
    hub = new_hub(tmp_path)
    try:
        running = RunningExample(hub, "05-oauth2", tmp_path / "output")
        yield running
        running.close()
    finally:
        ControlPlane(hub.home).down(purge=True)


def instance(hub: Hub, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hub.shell(f"hub dev kubectl get iinst {name} -n oauth2 -o json")[1])
    return found


def test_a_person_who_follows_the_readme_is_connected_twice(example: RunningExample, tmp_path: Path) -> None:
    hub, readme = example.hub, README.read_text()
    check_readme(README, example)
    check_suggestions(example)
    ask_password, authorize, authorize_by_code = re.findall(r"(?ms)^```sh\n(.*?)^```$", readme)
    promised = re.findall(r"(?ms)^```text\n(.*?)^```$", readme)[0]

    password = hub.shell(ask_password)[1].strip()
    authority = instance(hub, "alice")["spec"]["config"]["caCertificate"]
    with open_page(tmp_path / "user", authority) as page:
        said = consent(hub, page, authorize, "alice", password)
        assert page.locator("h1").inner_text() == "Connected"
        assert _same(said).endswith(_same(promised))
        consent(hub, page, authorize_by_code)
    assert {instance(hub, name)["status"]["identity"] for name in ("alice", "by-code")} == {"alice"}


def consent(hub: Hub, page: Page, command: str, *who: str) -> str:
    """Type a command, open the link that it prints, and consent; return what it has said at its end."""
    process = hub.start(command)
    assert process.stdout is not None
    said = ""
    while not (link := re.search(r"https://\S+", said)):
        line = process.stdout.readline()
        assert line, f"it printed no link:\n{said}"
        said += line
    if who:
        sign_in(page, link[0], *who)
    else:
        page.goto(link[0])
    approve(page)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said + rest
    return said + rest


def _same(text: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text).strip()
