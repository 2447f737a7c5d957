"""What examples/05-oauth2 leaves to a person: its README's commands, typed, while somebody signs in at a browser."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from integration_hub.devcluster import ControlPlane
from integration_hub.devcluster.paths import cache_folder
from support.browser import approve, open_page, sign_in
from support.keycloak import require_keycloak
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
RUNNING = "The operator is running. Press Ctrl-C to stop."
HUB = [sys.executable, "-m", "integration_hub"]


class Example:
    """The example as it runs, on a control plane of its own, and a shell beside it."""

    def __init__(self, folder: Path) -> None:
        self.home, self._log = folder / "home", folder / "output"
        self._environment = os.environ | {
            "HOME": str(folder),
            "HUB_DEV_HOME": str(self.home),
            "XDG_CACHE_HOME": str(cache_folder().parent),  # what was built and fetched already
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*HUB, "example", "05-oauth2"],
                cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def wait_until_it_runs(self) -> None:
        wait_until(
            self._log.read_text,
            lambda text: RUNNING in text or self._process.poll() is not None,
            "the example runs",
            180,
        )
        assert self._process.poll() is None, self._log.read_text()

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(120)

    def start(self, commands: str) -> subprocess.Popen[str]:
        """Type what the README says, with the `hub` of this test run."""
        here = re.sub(r"(?m)(^|\$\()[\w./-]*\bhub(?= )", rf"\1{shlex.join(HUB)}", commands)
        return subprocess.Popen(
            ["/bin/bash", "-euc", here],
            cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def instance(self, name: str) -> dict[str, Any]:
        process = self.start(f"hub dev kubectl get iinst {name} -n oauth2 -o json")
        said, _ = process.communicate(timeout=60)
        found: dict[str, Any] = json.loads(said)
        return found


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    require_keycloak()
    example = Example(tmp_path)
    try:
        example.wait_until_it_runs()
        yield example
    finally:
        example.end()
        ControlPlane(example.home).down(purge=True)


def test_a_person_who_follows_the_readme_is_connected_twice(example: Example, tmp_path: Path) -> None:
    readme = (ROOT / "examples" / "05-oauth2" / "README.md").read_text()
    ask_password, authorize, authorize_by_code = re.findall(r"(?ms)^```sh\n(.*?)^```$", readme)
    promised = re.findall(r"(?ms)^```text\n(.*?)^```$", readme)[0]

    password = example.start(ask_password).communicate(timeout=60)[0].strip()
    authority = example.instance("alice")["spec"]["config"]["caCertificate"]
    with open_page(tmp_path / "user", authority) as page:
        said = consent(example, page, authorize, "alice", password)
        assert page.locator("h1").inner_text() == "Connected"
        assert _same(said).endswith(_same(promised))
        consent(example, page, authorize_by_code)
    assert {example.instance(name)["status"]["identity"] for name in ("alice", "by-code")} == {"alice"}


def consent(example: Example, page: Page, command: str, *who: str) -> str:
    """Type a command, open the link that it prints, and consent; return what it has said at its end."""
    process = example.start(command)
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
