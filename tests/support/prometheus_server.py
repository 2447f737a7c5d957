"""A Prometheus server: the real program over an empty folder, with TLS, and with users or open to everybody."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.certificates import Identity
from support.ports import free_port
from support.programs import fetched
from support.waiting import wait_until

USER, PASSWORD = "hub", "canary-of-a-password"
USERS = {USER: "$2b$04$CU4lNaZrW1Bmefopb5Pm.e4WVy5Cdn0niqdqYCrxYUKg.bqQuCvli"}
"""As they stand in a web configuration file: the hash is bcrypt's of the password, at its least cost."""
READY = "Server is ready to receive web requests"


def require_program() -> Path:
    """Return what `make test` has fetched, or what is on PATH; CI must have one."""
    return fetched("bootstrap_prometheus.py", "prometheus", "prometheus")


@contextmanager
def prometheus_server(
    program: Path,
    folder: Path,
    identity: Identity,
    *,
    users: Mapping[str, str] = USERS,
    prefix: str = "/",
) -> Iterator[str]:
    """Serve at the address that is yielded, below `prefix`. Without users, whoever comes is let in.

    One target is scraped, at which nobody listens: that is enough to have data of it.
    """
    port = free_port()
    target = {"job_name": "nobody", "static_configs": [{"targets": ["127.0.0.1:1"]}]}
    (folder / "prometheus.yml").write_text(
        json.dumps({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [target]})
    )
    (folder / "chain.pem").write_text(identity.chain, encoding="ascii")
    (folder / "key.pem").write_text(identity.key, encoding="ascii")
    (folder / "web.yml").write_text(
        json.dumps(
            {
                "tls_server_config": {"cert_file": "chain.pem", "key_file": "key.pem"},
                "basic_auth_users": dict(users),
            }
        )
    )
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.config.file=web.yml",
                f"--web.listen-address=127.0.0.1:{port}", f"--web.route-prefix={prefix}",
            ],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )  # fmt: skip
    try:
        wait_until(
            lambda: READY in log.read_text() or process.poll() is not None, bool, "the server is ready"
        )
        assert process.poll() is None, log.read_text()
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)
