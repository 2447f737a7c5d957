"""Servers that none of us wrote and that verify signatures: Versity's S3 gateway over a folder, and its IAM service."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.certificates import Identity
from support.ports import free_port
from support.programs import fetched
from support.waiting import wait_until

REGION = "eu-central-1"
ACCESS_KEY = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+canary/EXAMPLEKEY",
}
"""Whom both servers know."""
TEMPORARY = {
    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "canary-of-a-temporary-secret",
    "sessionToken": "canary/of+a/session/token==",
}
"""Whom the IAM service knows besides, for an hour."""


@dataclass(frozen=True)
class S3Server:
    """A server that runs. Its certificate is the one that it was started with."""

    port: int
    folder: Path
    """Where buckets are folders and objects files."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


def require_program() -> Path:
    """Return what `make test` has built; CI must have it."""
    return fetched("bootstrap_s3.py", "The S3 server")


@contextmanager
def s3_server(program: Path, folder: Path, identity: Identity) -> Iterator[S3Server]:
    """Serve S3 from a new folder in `folder`."""
    buckets, accounts = folder / "buckets", folder / "accounts"
    buckets.mkdir()
    accounts.mkdir()  # without any, a key that is not known is a user that is not there: 404
    command = ("--iam-dir", str(accounts), "posix", "--nometa", str(buckets))
    with _running(program, folder, identity, REGION, *command) as port:
        yield S3Server(port, buckets)


@contextmanager
def iam_server(program: Path, folder: Path, identity: Identity) -> Iterator[S3Server]:
    """Serve IAM and STS, which follow the rules of all services but S3, and know temporary credentials.

    It gives these out to whom a public identity provider vouches for; here it finds them in its store at the start.
    """
    accounts = folder / "accounts"
    accounts.mkdir()
    (accounts / "iam.json").write_text(json.dumps({"sessions": {TEMPORARY["accessKeyId"]: _session()}}))
    with _running(program, folder, identity, "us-east-1", "iam", "--dir", str(accounts)) as port:
        yield S3Server(port, accounts)


def _session() -> dict[str, str]:
    now = datetime.now(UTC)
    return TEMPORARY | {
        "roleArn": "arn:aws:iam::000000000000:role/reader",
        "roleName": "reader",
        "roleId": "AROAIOSFODNN7EXAMPLE",
        "roleSessionName": "hub",
        "createDate": now.isoformat(),
        "expiration": (now + timedelta(hours=1)).isoformat(),
    }


@contextmanager
def _running(program: Path, folder: Path, identity: Identity, region: str, *command: str) -> Iterator[int]:
    chain, key, log = folder / "chain.pem", folder / "key.pem", folder / "server.log"
    chain.write_text(identity.chain, encoding="ascii")
    key.write_text(identity.key, encoding="ascii")
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program, "--port", f"127.0.0.1:{port}", "--cert", chain, "--key", key, "--region", region,
                "--access", ACCESS_KEY["accessKeyId"], "--secret", ACCESS_KEY["secretAccessKey"], *command,
            ],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )  # fmt: skip
    try:
        wait_until(lambda: _listens(port) or process.poll() is not None, bool, "listening")
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
