"""A person at a browser: a real headless Chromium that trusts the identity provider's authority and nobody else's more.

Trust is imported as on a company's laptop, so a certificate that is wrong shows its warning page. Helpers wait for what
they need on the page and never sleep.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Page, sync_playwright

from support.programs import fetched
from support.waiting import wait_until

SECONDS = 30
"""In which a page shows what is expected, unless it never will."""

ARGUMENTS = (
    "--no-proxy-server",  # a proxy that the environment names must not be asked for loopback
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-background-networking",
    "--disable-component-update",
)


@contextmanager
def open_page(home: Path, *authorities: str) -> Iterator[Page]:
    """Yield a page of a browser whose user trusts these authorities (PEM), besides the public ones."""
    program = fetched("bootstrap_chromium.py", "Chromium or certutil")
    _trust(home, authorities)
    with sync_playwright() as playwright:
        environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS), env=environment)
        page = browser.new_page(locale="en-US")
        page.set_default_timeout(SECONDS * 1000)
        yield page
        browser.close()


def _trust(home: Path, authorities: tuple[str, ...]) -> None:
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    database = ["-d", f"sql:{store}"]
    _certutil("-N", "--empty-password", *database)
    for number, pem in enumerate(authorities):
        file = home / f"authority-{number}.pem"
        file.write_text(pem, encoding="ascii")
        _certutil("-A", "-n", f"authority {number}", "-t", "C,,", "-i", str(file), *database)


def _certutil(*words: str) -> None:
    done = subprocess.run(["certutil", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# What a person does on Keycloak's pages


def sign_in(page: Page, url: str, user: str, password: str) -> None:
    """Open a link that asks who one is, say so, and come to what follows."""
    page.goto(url)
    fill_in_who(page, user, password)


def fill_in_who(page: Page, user: str, password: str) -> None:
    """Say who one is on the sign-in page that is shown."""
    page.locator("#username").fill(user)
    page.locator("#password").fill(password)
    page.locator("#kc-login").click()


def approve(page: Page) -> None:
    """Agree to what is asked for."""
    page.get_by_role("button", name="Yes").click()


def deny(page: Page) -> None:
    """Refuse what is asked for."""
    page.get_by_role("button", name="No").click()


def enter_device_code(page: Page, url: str, code: str) -> None:
    """Open the page of the device flow and type the code in."""
    page.goto(url)
    page.locator("#device_user_code").fill(code)
    page.get_by_role("button", name="Submit").click()


class Callback:
    """Where a browser comes back to in place of the operator; keeps what it was handed."""

    def __init__(self) -> None:
        self.seen = seen = list[dict[str, str]]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                split = urlsplit(self.path)
                if split.path == "/oauth/callback":
                    seen.append(dict(parse_qsl(split.query)))
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>Back</title><h1>Back</h1>")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/oauth/callback"

    def answer(self, state: str) -> dict[str, str]:
        """Wait for a browser that comes back with this state; return all that it brings."""
        found = wait_until(
            lambda: [seen for seen in self.seen if seen.get("state") == state], bool, "the browser comes back"
        )
        return found[0]
