"""The external systems that an example brings along: real servers of others, on loopback, while it runs."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from integration_hub.devcluster.files import make_private_folder, write_private
from integration_hub.examples.certificates import make_certificates
from integration_hub.examples.declaration import Service
from integration_hub.examples.errors import ExampleError
from integration_hub.examples.keycloak import Listen, find
from integration_hub.examples.manifests import fill_in_value, substitute
from integration_hub.examples.processes import Child

START_LIMIT = 120.0
"""Seconds until a server must answer. Gunicorn with pypiserver takes one on an idle machine, Keycloak ten."""

_POLL = 0.1
_TIMEOUT = 5.0


class Folders(NamedTuple):
    """Where files of the example are, and where those of the running service go."""

    example: Path
    service: Path


class _Program(NamedTuple):
    """What is started, and how one tells that it is ready."""

    command: list[str]
    environment: dict[str, str] | None = None
    ready: str = "/"
    status: int | None = None
    """What that path must answer; None: anything, since it may well ask for a password."""


class RunningService(NamedTuple):
    """A server that answers."""

    child: Child
    url: str
    variables: dict[str, str]
    """What the manifests may use of it."""


def require_programs(services: Iterable[Service]) -> None:
    """Raise ExampleError where a service needs a program that must be fetched first, with how that is done."""
    for service in services:
        missing = [name for name in service.modules if find_spec(name) is None]
        if missing:
            raise ExampleError(
                f"The service '{service.name}' of this example needs Python packages that are not installed: "
                f"{', '.join(missing)}.",
                "Run the example with 'make run EXAMPLE=...', which installs them.",
            )
        if service.keycloak:
            find()


def start_service(
    service: Service,
    folders: Folders,
    variables: Mapping[str, str],
    lock: int,
    started: Callable[[Child], object],
) -> RunningService:
    """Prepare its folder, start it, and return when it answers. `started` learns of the process at once.

    `variables` are passwords and what else files of the example may use.
    """
    folder = folders.service
    if folder.exists():
        shutil.rmtree(folder)
    make_private_folder(folder)
    for name in service.folders:
        make_private_folder(folder / name)
    authority = make_certificates(folder) if service.certificate or service.keycloak else ""
    if service.htpasswd:
        users = {user: variables[variable] for user, variable in service.htpasswd.users.items()}
        write_htpasswd(folder / service.htpasswd.file, users)
    port = free_port()
    program = (
        _keycloak(folders.example / service.keycloak, folder, port, variables)
        if service.keycloak
        else _Program(_command(service, folder, port))
    )
    child = Child(service.name, program.command, folder / "server.log", lock, program.environment)
    started(child)
    _wait_until_it_answers(child, port, authority, program)
    url = f"{'https' if authority else 'http'}://127.0.0.1:{port}"
    prefix = service.name.upper()
    found = {f"{prefix}_URL": url} | ({f"{prefix}_CA": authority} if authority else {})
    return RunningService(child, url, found)


def write_htpasswd(path: Path, users: Mapping[str, str]) -> None:
    """Write the file that Apache's `htpasswd` would, with its default hash (apr1): every server reads it."""
    try:
        with warnings.catch_warnings():
            # On Python 3.11 and 3.12 passlib looks for the standard library's crypt, which warns of its end.
            warnings.simplefilter("ignore", DeprecationWarning)
            apache = import_module("passlib.apache")
    except ImportError as error:
        raise ExampleError(
            f"{path.name} cannot be made: passlib is not installed.", "Run 'make run', which installs it."
        ) from error
    file = apache.HtpasswdFile(default_scheme="apr_md5_crypt")
    for user, password in users.items():
        file.set_password(user, password)
    write_private(path, file.to_string())


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
    return port


def _command(service: Service, folder: Path, port: int) -> list[str]:
    # Passwords are not among these: other users of the machine see command lines.
    variables = {"PORT": str(port), "DIR": str(folder)}
    words = [substitute(word, variables, f"service {service.name}: command") for word in service.command]
    return [sys.executable, *words[1:]] if words[0] == "python" else words


def _keycloak(file: Path, folder: Path, port: int, variables: Mapping[str, str]) -> _Program:
    """Lay out a Keycloak with the realm of a file; it is ready when it serves that."""
    try:
        realm = fill_in_value(json.loads(file.read_text(encoding="utf-8")), variables, f"{file}: realm")
        path = f"/realms/{realm['realm']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExampleError(f"{file} is no realm of Keycloak: {error}", "Correct the file.") from error
    keycloak, home = find(), folder / "home"
    keycloak.lay_out(home, realm)
    listen = Listen(port, free_port(), folder / "server.crt", folder / "server.key")
    ready = HTTPStatus.OK.value
    return _Program(keycloak.command(home, listen), keycloak.environment(), path, ready)


def _wait_until_it_answers(child: Child, port: int, authority: str, program: _Program) -> None:
    deadline = time.monotonic() + START_LIMIT
    while not _answers(port, authority, program):
        child.require_running()
        if time.monotonic() > deadline:
            raise ExampleError(
                f"{child.name} does not answer on 127.0.0.1:{port}.", f"See its log: {child.log}."
            )
        time.sleep(_POLL)


def _answers(port: int, authority: str, program: _Program) -> bool:
    """Whether it answers HTTP as it must."""
    try:
        connection = (
            http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=_TIMEOUT, context=ssl.create_default_context(cadata=authority)
            )
            if authority
            else http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
        )
        try:
            connection.request("GET", program.ready)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False
    return program.status in {None, answer.status}
