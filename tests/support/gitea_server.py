"""A Gitea server: the real program over an empty folder, with TLS, and the people and tokens that tests ask for."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from support.certificates import Authority
from support.ports import free_port
from support.programs import fetched
from support.waiting import wait_until

ADMIN, PASSWORD = "site-admin", "canary-of-a-password"

SETTINGS = """
RUN_MODE = prod
WORK_PATH = {folder}
[server]
PROTOCOL = https
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = https://127.0.0.1:{port}/
CERT_FILE = {folder}/chain.pem
KEY_FILE = {folder}/key.pem
STATIC_ROOT_PATH = {words}
OFFLINE_MODE = true
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[security]
INSTALL_LOCK = true
SECRET_KEY = of-a-server-that-lives-for-a-minute
[log]
LEVEL = warn
"""


@dataclass(frozen=True)
class GiteaServer:
    """A server that runs."""

    url: str
    trust: ssl.SSLContext

    def add_user(self, name: str) -> None:
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        self._call("POST", "/admin/users", body | {"must_change_password": False})

    def add_application(self, owner: str, redirect_uri: str) -> dict[str, str]:
        """Register one of this person, and return what a connection's Secret holds of it."""
        body = {"name": "hub", "redirect_uris": [redirect_uri], "confidential_client": True}
        made = self._call("POST", "/user/applications/oauth2", body, user=owner)
        return {"clientId": made["client_id"], "clientSecret": made["client_secret"]}

    def remove_applications(self, owner: str) -> None:
        for application in self._call("GET", "/user/applications/oauth2", user=owner):
            self._call("DELETE", f"/user/applications/oauth2/{application['id']}", user=owner)

    def lock(self, name: str) -> None:
        """As 'Disable Sign-In' does."""
        body = {"login_name": name, "source_id": 0, "active": True, "prohibit_login": True}
        self._call("PATCH", f"/admin/users/{name}", body)

    def issue_token(self, user: str, name: str, scopes: Sequence[str]) -> str:
        body = {"name": name, "scopes": list(scopes)}
        token: str = self._call("POST", f"/users/{user}/tokens", body, user=user)["sha1"]
        return token

    def revoke_token(self, user: str, name: str) -> None:
        self._call("DELETE", f"/users/{user}/tokens/{name}", user=user)

    def answers(self) -> bool:
        try:
            self._call("GET", "/version")
        except urllib.error.URLError:
            return False
        return True

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, user: str = ADMIN
    ) -> Any:
        shown = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Basic {shown}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30, context=self.trust) as answer:
            text = answer.read()
        return json.loads(text) if text else None


class Visitor:
    """Somebody at a browser who is signed in: forms are sent as they stand on the server's pages."""

    def __init__(self, server: GiteaServer, name: str) -> None:
        self._server = server
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=server.trust),
            urllib.request.HTTPCookieProcessor(),
            _StaysHere(),
        )
        self._visit("/user/login", {"user_name": name, "password": PASSWORD})

    def consents(self, link: str, *, granted: bool = True) -> dict[str, str]:
        """Open a link, answer what it asks, and return what the browser brings back to the operator."""
        page, location = self._visit(link.removeprefix(self._server.url))
        if not location:
            (form,) = re.findall(r'(?s)<form method="post" action="/login/oauth/grant">.*?</form>', page)
            fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
            answer = {name: html.unescape(value) for name, value in fields.items()}
            page, location = self._visit("/login/oauth/grant", answer | {"granted": str(granted).lower()})
        return dict(parse_qsl(urlsplit(location).query))

    def _visit(self, path: str, form: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Return the page, and where it leads elsewhere."""
        data = urlencode(form).encode() if form is not None else None
        request = urllib.request.Request(self._server.url + path, data=data)
        with self._opener.open(request, timeout=30) as answer:
            return answer.read().decode(), answer.headers.get("Location", "")


class _StaysHere(urllib.request.HTTPErrorProcessor):
    """Hands on whatever was answered, redirections too."""

    def https_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ARG002
        return response


def require_program() -> Path:
    """Return what `make test` has built; CI must have it."""
    return fetched("bootstrap_gitea.py", "Gitea")


@contextmanager
def gitea_server(program: Path, folder: Path, authority: Authority) -> Iterator[GiteaServer]:
    """Serve from a new database in `folder`, with an administrator."""
    identity = authority.issue("127.0.0.1")
    (folder / "chain.pem").write_text(identity.chain, encoding="ascii")
    (folder / "key.pem").write_text(identity.key, encoding="ascii")
    port = free_port()
    settings = folder / "app.ini"
    settings.write_text(SETTINGS.format(folder=folder, port=port, words=program.parent), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "USER": os.environ.get("USER", "root"),
        "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true",
    }
    command: list[str | Path] = [program, "--config", settings]

    def run(*words: str) -> None:
        done = subprocess.run(
            [*command, *words], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run("migrate")
    run(
        "admin", "user", "create", "--admin", "--username", ADMIN, "--password", PASSWORD,
        "--email", f"{ADMIN}@example.com", "--must-change-password=false",
    )  # fmt: skip
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "web"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip
    server = GiteaServer(f"https://127.0.0.1:{port}", ssl.create_default_context(cadata=authority.pem))
    try:
        wait_until(lambda: server.answers() or process.poll() is not None, bool, "the server answers")
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.terminate()
        process.wait(timeout=60)
