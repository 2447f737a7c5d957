"""`hub webhook` as a process of its own, and what registers it at an API server."""

from __future__ import annotations

import base64
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from support.certificates import Authority, Identity, show
from support.instances import Object
from support.ports import free_port
from support.waiting import wait_until

ROOT = Path(__file__).parents[2]
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy" / "webhook.yaml").read_text()))


class Webhook:
    """Starts and ends `hub webhook`."""

    def __init__(self, kubeconfig: Path, folder: Path, authority: Authority) -> None:
        self.kubeconfig, self.folder, self.authority = kubeconfig, folder, authority
        self.port = free_port()
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.log = folder / "webhook.log"
        self.caller: Identity | None = None
        """Whose certificate is shown where this object asks."""
        self.issue()
        self._process: subprocess.Popen[bytes] | None = None

    def issue(self) -> None:
        issued = self.authority.issue("127.0.0.1")
        self.certificate.write_text(issued.chain)
        self.key.write_text(issued.key)

    def start(self, *flags: str) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-W", "error", "-m", "integration_hub", "webhook",
                    "--kubeconfig", str(self.kubeconfig), "--listen", f"127.0.0.1:{self.port}",
                    "--certificate", str(self.certificate), "--key", str(self.key),
                    "--log-format", "json", "--log-level", "debug", *flags,
                ],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_until(self.has_started, bool, "the webhook answers")

    def has_started(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        return self.ask("/healthz")[0] == 200

    def stop(self) -> int | None:
        if self._process is None:
            return None
        self._process.terminate()
        code = self._process.wait(timeout=30)
        self._process = None
        return code

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, str]:
        """Return the status and the text of the answer; a status of 0 where there is no connection."""
        context = ssl.create_default_context(cadata=self.authority.pem)
        if self.caller is not None:
            show(context, self.caller)
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", data=body)
        try:
            with urllib.request.urlopen(request, timeout=5, context=context) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""


def configuration(webhook: Webhook) -> Object:
    """Return the ValidatingWebhookConfiguration of deploy/ with the process' address in the Service's place."""
    (found,) = (one for one in MANIFESTS if one["kind"] == "ValidatingWebhookConfiguration")
    (entry,) = found["webhooks"]
    bundle = base64.b64encode(webhook.authority.pem.encode()).decode()
    path = entry["clientConfig"]["service"]["path"]
    there = {"url": f"https://127.0.0.1:{webhook.port}{path}", "caBundle": bundle}
    return {**found, "webhooks": [{**entry, "clientConfig": there}]}
