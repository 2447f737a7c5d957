"""How to reach the API server: a kubeconfig file, or the service account of the pod that we run in.

A loader of our own, because the command line must start in well under half a second and the official client's import
alone takes longer (docs/decisions/0003-own-api-client.md). Client certificates, tokens, token files and exec plugins
are read; what would make kubectl connect in another way is refused by its name, with a word on what to use: an entry
that is passed over in silence makes somebody else of the caller.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from integration_hub.config.pem import certificates
from integration_hub.config.yaml_text import NoYamlError, read_documents

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_REREAD_SECONDS = 60.0
"""Bound service account tokens are rotated in place; client-go rereads them as often."""
EXEC_TIMEOUT_SECONDS = 60


class KubeconfigError(Exception):
    """The way to the API server could not be worked out. The message says what, where and what to do."""


@dataclass
class TokenSource:
    """A bearer token that may change: fixed, in a file, or given out by an exec plugin. The repr shows none."""

    fixed: str | None = field(default=None, repr=False)
    file: Path | None = None
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    _token: str = field(default="", repr=False)
    _valid_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def token(self) -> str | None:
        """Return the token of now, None where the connection uses none. Blocks while a plugin runs."""
        if self.fixed is not None:
            return self.fixed
        # Requests that begin together would each run the plugin, which may ask a person or be limited in its rate.
        with self._lock:
            return self._current()

    def _current(self) -> str | None:
        if time.monotonic() < self._valid_until:
            return self._token
        if self.file is not None:
            self._token = _token_in(self.file)
            self._valid_until = time.monotonic() + TOKEN_REREAD_SECONDS
        elif self.command:
            self._token, seconds = _run_plugin(self.command, self.environment)
            self._valid_until = time.monotonic() + seconds
        else:
            return None
        return self._token


@dataclass(frozen=True)
class KubeConnection:
    """All that a client needs to reach an API server."""

    server: str
    ssl_context: ssl.SSLContext
    tokens: TokenSource
    namespace: str = "default"
    tls_server_name: str | None = None
    """The name that the server's certificate must have, where it is another than the address'."""


_REFUSED_OF_CLUSTER = {
    "proxy-url": "give the API server's own address; the operator uses no proxy to reach it"
}
_IMPERSONATION = "give the operator an identity of its own in place of one that it impersonates"
_REFUSED_OF_USER = {
    "as": _IMPERSONATION,
    "as-uid": _IMPERSONATION,
    "as-groups": _IMPERSONATION,
    "as-user-extra": _IMPERSONATION,
    "auth-provider": "it is no longer supported; use an exec plugin",
    "username": "username and password are no longer supported; use an exec plugin",
}
"""Settings that change who connects or how, and that are not supported, with what to do instead."""


def load(kubeconfig: str | Path | None = None, context: str | None = None) -> KubeConnection:
    """Return the connection that kubectl would use.

    In this order: the file given, the files in KUBECONFIG, the pod's service account, ~/.kube/config.
    """
    if kubeconfig is None and not os.environ.get("KUBECONFIG") and (SERVICE_ACCOUNT / "token").exists():
        return _in_cluster()
    named = (
        str(kubeconfig)
        if kubeconfig
        else os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    )
    # A list of files is what KUBECONFIG can hold; a file that is given may have ':' in its name.
    parts = [named] if kubeconfig else named.split(os.pathsep)
    try:
        paths = [path for part in parts if part and (path := Path(part).expanduser()).exists()]
    except (OSError, RuntimeError) as error:  # a folder that may not be entered; a '~' of nobody
        raise _unusable(f"{named} cannot be looked for: {_why(error)}") from error
    documents = [(path, _read(path)) for path in paths]
    if not documents:
        raise KubeconfigError(
            f"There is no kubeconfig at {named}. Name one with --kubeconfig or KUBECONFIG, or start a local control"
            " plane with 'hub dev up' and use the file that 'hub dev kubeconfig' prints."
        )
    return _from_documents(documents, context)


def _in_cluster() -> KubeConnection:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise KubeconfigError("A service account token is mounted, but KUBERNETES_SERVICE_HOST is not set.")
    bracketed = f"[{host}]" if ":" in host else host
    namespace, authority = SERVICE_ACCOUNT / "namespace", SERVICE_ACCOUNT / "ca.crt"
    try:
        context = _trusting(authority.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise KubeconfigError(
            f"No API server can be trusted: the certificate authority in {authority} cannot be used"
            f" ({error.strerror or type(error).__name__ if isinstance(error, OSError) else error})."
        ) from error
    return KubeConnection(
        server=f"https://{bracketed}:{port}",
        ssl_context=context,
        tokens=TokenSource(file=SERVICE_ACCOUNT / "token"),
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        documents = read_documents(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise _unusable(
            f"{path} cannot be read: {(error.strerror or type(error).__name__).lower()}"
        ) from error
    except UnicodeDecodeError as error:
        raise _unusable(f"{path} is no text in UTF-8") from error
    except NoYamlError as error:
        raise _unusable(error.at(str(path))) from error
    found = [document for document in documents if document is not None]
    if len(found) > 1:
        raise _unusable(f"{path} holds {len(found)} documents, of which there may be one")
    if not found or not isinstance(found[0], dict):
        raise _unusable(f"{path} is empty, or no group of fields")
    return found[0]


def _why(error: Exception) -> str:
    """Return what the system says, which begins in small letters there."""
    return ((error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__).lower()


def _unusable(what: str) -> KubeconfigError:
    return KubeconfigError(
        f"The kubeconfig {what}. Mend it, or name another with --kubeconfig or KUBECONFIG."
    )


_TEXT = "must be text, in quotes where it looks like a number"
_WORDS: Mapping[type, str] = {
    str: _TEXT,
    bool: "must be true or false",
    dict: "must be a group of fields",
    list: "must be a list",
}
_MATERIAL = ("certificate-authority", "client-certificate", "client-key")
_SHAPES: Mapping[str, Mapping[str, type]] = {
    "contexts": dict.fromkeys(("cluster", "user", "namespace"), str),
    "clusters": {
        **dict.fromkeys(("server", "tls-server-name", _MATERIAL[0], f"{_MATERIAL[0]}-data"), str),
        "insecure-skip-tls-verify": bool,
    },
    "users": {
        **dict.fromkeys(
            ("token", "tokenFile", *_MATERIAL[1:], *(f"{name}-data" for name in _MATERIAL[1:])), str
        ),
        "exec": dict,
    },
}
"""Of each section, what is read of its entries."""
_EXEC: Mapping[str, type] = {"apiVersion": str, "command": str, "args": list, "env": list}


@dataclass(frozen=True)
class _Entry:
    """A named entry of a section, and where it stands: relative paths are meant from there."""

    fields: dict[str, Any] = field(repr=False)
    path: Path
    place: str
    """Like 'users[0].user'."""

    def wrong(self, name: str, problem: str) -> KubeconfigError:
        """Return that a field of it cannot be used."""
        return _unusable(f"{self.path}: {self.place}.{name}: {problem}")


def _from_documents(documents: list[tuple[Path, dict[str, Any]]], wanted: str | None) -> KubeConnection:
    for path, document in documents:
        _check(document, {"current-context": str} | dict.fromkeys(_SHAPES, list), f"{path}: ")
    current = wanted or next((d["current-context"] for _, d in documents if d.get("current-context")), None)
    if not current:
        raise KubeconfigError(
            f"The kubeconfig {documents[0][0]} sets no current-context; choose one with --context."
        )
    context = _entry(documents, "contexts", "context", current).fields
    cluster = _entry(documents, "clusters", "cluster", context.get("cluster") or "")
    user = _Entry({}, cluster.path, "")
    if context.get("user"):
        user = _entry(documents, "users", "user", context["user"])
    _refuse(cluster, _REFUSED_OF_CLUSTER, f"cluster '{context.get('cluster')}'")
    _refuse(user, _REFUSED_OF_USER, f"user '{context.get('user')}'")
    server = (cluster.fields.get("server") or "").rstrip("/")
    if not _is_address(server):
        raise KubeconfigError(
            f"Context '{current}' in {cluster.path}: the server must be an https:// address, like"
            f" https://api.example:6443; see {cluster.place}.server."
        )
    try:
        ssl_context = _ssl_context(cluster, user)
    # SSLError is an OSError; wrong base64 is a ValueError; a '~' of nobody is a RuntimeError.
    except (OSError, ValueError, RuntimeError) as error:
        what = type(error).__name__
        if isinstance(error, OSError) and error.filename:
            what = f"{error.filename}: {error.strerror}"
        raise KubeconfigError(
            f"Context '{current}' in {cluster.path}: its certificates or key cannot be read ({what})."
        ) from error
    return KubeConnection(
        server=server,
        ssl_context=ssl_context,
        tokens=_token_source(user),
        namespace=context.get("namespace") or "default",
        tls_server_name=cluster.fields.get("tls-server-name") or None,
    )


def _is_address(server: str) -> bool:
    """Tell whether this is where an API server can be: its port is looked at only when it is asked for."""
    try:
        address = urlsplit(server)
        return address.scheme == "https" and bool(address.hostname) and address.port != 0
    except ValueError:
        return False


def _refuse(entry: _Entry, refused: Mapping[str, str], what: str) -> None:
    for name, advice in refused.items():
        if entry.fields.get(name):
            raise KubeconfigError(f"{entry.path}: {what} sets '{name}', which is not supported: {advice}.")


def _check(fields: Mapping[str, Any], kinds: Mapping[str, type], place: str) -> None:
    """Raise KubeconfigError where a field has another type; `place` stands before its name."""
    for name, kind in kinds.items():
        _check_one(fields.get(name), kind, f"{place}{name}")


def _check_one(value: Any, kind: type, place: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise _unusable(f"{place}: {_WORDS[kind]}")


def _entry(documents: list[tuple[Path, dict[str, Any]]], section: str, key: str, name: str) -> _Entry:
    """Return a named entry. What is wrong in others is no concern of whoever asks for this one."""
    for path, document in documents:
        for number, entry in enumerate(document.get(section) or []):
            place = f"{section}[{number}]"
            if not isinstance(entry, dict):
                raise _unusable(f"{path}: {place}: {_WORDS[dict]}")
            if entry.get("name") == name:
                _check(entry, {key: dict}, f"{path}: {place}.")
                fields = entry.get(key) or {}
                _check(fields, _SHAPES[section], f"{path}: {place}.{key}.")
                return _Entry(fields, path, f"{place}.{key}")
    known = ", ".join(str(e.get("name")) for _, d in documents for e in d.get(section) or []) or "none"
    raise KubeconfigError(
        f"The kubeconfig {documents[0][0]} has no entry '{name}' in {section}; it has: {known}."
    )


def _ssl_context(cluster_entry: _Entry, user_entry: _Entry) -> ssl.SSLContext:
    cluster, user = cluster_entry.fields, user_entry.fields
    ca = _material(cluster, _MATERIAL[0], cluster_entry.path.parent)
    context = _trusting(ca.decode(errors="replace") if ca else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = (_material(user, name, user_entry.path.parent) for name in _MATERIAL[1:])
    if certificate and key:
        # The ssl module reads a key from files only: keep it for no longer than the call, readable by nobody else.
        with tempfile.TemporaryDirectory(prefix="hub-") as folder:
            chain, secret = Path(folder, "chain.pem"), Path(folder, "key.pem")
            chain.write_bytes(certificate)
            secret.touch(mode=0o600)
            secret.write_bytes(key)
            context.load_cert_chain(chain, secret)
    return context


def _trusting(authorities: str | None) -> ssl.SSLContext:
    """Return a context that trusts what kubectl does, whichever Python this is; None stands for the system's.

    A text without a certificate does not: whoever has any public certificate would get the token. ValueError then.
    """
    found = certificates(authorities) if authorities is not None else None
    if found is not None and not found:
        raise ValueError("there is no certificate in PEM")
    context = ssl.create_default_context(cadata="\n".join(found) if found else None)
    # From 3.13 on, Python refuses certificates without key identifiers, which those of long-lived clusters may lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Before, it refused an authority below another one where only that one is given.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _material(entry: dict[str, Any], name: str, folder: Path) -> bytes | None:
    if data := entry.get(f"{name}-data"):
        return base64.b64decode(data)
    if path := entry.get(name):
        return (folder / Path(path).expanduser()).read_bytes()
    return None


def _token_source(user: _Entry) -> TokenSource:
    if token := (user.fields.get("token") or "").strip():
        if not _is_token(token):
            raise user.wrong("token", f"holds no token: {_OF_TOKENS}")
        return TokenSource(fixed=token)
    if name := user.fields.get("tokenFile"):
        try:
            source = TokenSource(file=user.path.parent / Path(name).expanduser())
            source.token()
        except RuntimeError:  # a '~' of nobody
            raise user.wrong("tokenFile", f"'{name}' cannot be read: there is no such home") from None
        except KubeconfigError as error:
            raise user.wrong("tokenFile", str(error).rstrip(".")) from error
        return source
    plugin = user.fields.get("exec")
    return TokenSource() if plugin is None else _plugin(user, plugin)


def _plugin(user: _Entry, plugin: dict[str, Any]) -> TokenSource:
    _check(plugin, _EXEC, f"{user.path}: {user.place}.exec.")
    command = plugin.get("command")
    if not command:
        raise user.wrong("exec.command", "is required")
    arguments, variables = plugin.get("args") or [], plugin.get("env") or []
    for number, argument in enumerate(arguments):
        if isinstance(argument, dict | list):
            raise user.wrong(f"exec.args[{number}]", _TEXT)
    environment = {}
    for number, variable in enumerate(variables):
        if not isinstance(variable, dict):
            raise user.wrong(f"exec.env[{number}]", _WORDS[dict])
        for name in ("name", "value"):
            if variable.get(name) is None:
                raise user.wrong(f"exec.env[{number}].{name}", "is required")
            if isinstance(variable[name], dict | list):
                raise user.wrong(f"exec.env[{number}].{name}", _TEXT)
        environment[str(variable["name"])] = str(variable["value"])
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(
        {
            "apiVersion": plugin.get("apiVersion") or "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
    )
    if (
        os.sep in command
    ):  # as client-go does: a bare name is looked up in PATH, a path is meant from the file
        command = str(user.path.parent / command)
    return TokenSource(command=(command, *map(str, arguments)), environment=environment)


_OF_TOKENS = "one is a single line of ASCII without spaces"


def _is_token(text: str) -> bool:
    """Tell whether a text can stand in a header."""
    return text.isascii() and text.isprintable() and " " not in text


def _token_in(file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise KubeconfigError(f"The token file {file} cannot be read: {_why(error)}.") from error
    except ValueError as error:  # no UTF-8, or no path
        raise KubeconfigError(f"The token file {file} cannot be read: it is no text.") from error
    if not _is_token(token):
        raise KubeconfigError(f"The token file {file} holds no token: {_OF_TOKENS}.")
    return token


def _run_plugin(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, float]:
    """Run a client-go credential plugin; return its token and how long it is good for, in seconds."""
    try:
        done = subprocess.run(  # noqa: S603 - the command stands in the user's own kubeconfig
            command,
            env={**os.environ, **environment},
            capture_output=True,
            timeout=EXEC_TIMEOUT_SECONDS,
            check=True,
        )
        status = json.loads(done.stdout)["status"]
        if status.get("clientCertificateData"):
            raise KubeconfigError(
                f"The credential plugin '{command[0]}' gives out a client certificate, which is not supported: use one"
                " that gives out a token, or put the certificate into the kubeconfig."
            )
        token = str(status["token"])
        expires = status.get("expirationTimestamp")
        seconds = (
            (datetime.fromisoformat(expires) - datetime.now().astimezone()).total_seconds()
            if expires
            else 300.0
        )
    except FileNotFoundError as error:
        raise KubeconfigError(
            f"The credential plugin '{command[0]}' named in the kubeconfig is not installed."
        ) from error
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KubeconfigError(
            f"The credential plugin '{command[0]}' gave no token ({type(error).__name__})."
        ) from error
    return token, max(seconds - 60, 1.0)
