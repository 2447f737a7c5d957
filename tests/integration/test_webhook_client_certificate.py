"""A real API server that shows the webhook a certificate, set up as docs/production.md says."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from conftest import ROOT, run_kubectl
from integration_hub.devcluster import ControlPlane
from support.certificates import Authority, Identity
from support.instances import definition
from support.ports import free_port
from support.target_server import TargetServer
from support.waiting import wait_until
from support.webhook_process import Webhook, configuration

pytestmark = pytest.mark.cluster

CALLERS = Authority("Callers of webhooks")
NAME = "kube-apiserver-to-webhooks"
PAGE = (ROOT / "docs" / "production.md").read_text()
SERVICE = "integration-hub-webhook.integration-hub.svc"


class Cluster(NamedTuple):
    """A control plane whose API server knows the webhook, and has a certificate for it."""

    plane: ControlPlane
    webhook: Webhook
    shown: Path
    """The certificate of the API server, with its key, and the authority that the webhook trusts."""
    health: str = ""

    def show(self, identity: Identity) -> None:
        (self.shown / "tls.crt").write_text(identity.chain)
        (self.shown / "tls.key").write_text(identity.key)

    def apply(self, target: TargetServer, **spec: object) -> str:
        """Apply a definition that it does not store; return what kubectl says."""
        document = json.dumps(definition("probe", target, **spec))
        flags = ("--dry-run=server", "-f", "-")
        return run_kubectl(self.plane, "apply", *flags, input=document, check=False).stderr


def settings(folder: Path, port: int) -> Path:
    """Write both files of docs/production.md, with this test's paths and address, and return the first."""
    blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```$", PAGE)
    admission, kubeconfig = (
        next(block for block in blocks if f"kind: {kind}\n" in block)
        for kind in ("AdmissionConfiguration", "Config")
    )
    text = kubeconfig.replace(SERVICE, f"127.0.0.1:{port}").replace("/etc/kubernetes/webhooks", str(folder))
    assert yaml.safe_load(text)["users"][0]["name"] == f"127.0.0.1:{port}"
    (folder / "kubeconfig").write_text(text)
    path = folder / "admission.yaml"
    path.write_text(admission.replace("/etc/kubernetes/webhooks", str(folder)))
    return path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("webhooks")
    authority = folder / "callers.crt"
    authority.write_text(CALLERS.pem)
    home = tmp_path_factory.mktemp("control-plane")
    plane = ControlPlane(home, [f"--admission-control-config-file={folder / 'admission.yaml'}"])
    webhook = Webhook(
        plane.home.kubeconfig, tmp_path_factory.mktemp("webhook"), Authority("Webhook authority")
    )
    webhook.caller = CALLERS.issue(NAME, for_server=False)
    settings(folder, webhook.port)
    found = Cluster(plane, webhook, folder)
    found.show(CALLERS.issue(NAME, for_server=False))
    try:
        plane.up()
        run_kubectl(plane, "apply", "--server-side", "-f", ROOT / "crds")
        run_kubectl(plane, "wait", "--for=condition=Established", "-f", ROOT / "crds", "--timeout=60s")
        health = f"127.0.0.1:{free_port()}"
        webhook.start("--client-ca", str(authority), "--client-name", NAME, "--health-listen", health)
        run_kubectl(plane, "apply", "-f", "-", input=json.dumps(configuration(webhook)))
        yield found._replace(health=f"http://{health}/healthz")
    finally:
        webhook.stop()
        plane.down(purge=True)


def test_an_api_server_with_the_certificate_is_answered(cluster: Cluster, target: TargetServer) -> None:
    broken = {"baseURL": "https://{{ config.nothing }}.example.com"}
    said = wait_until(lambda: cluster.apply(target, **broken), bool, "the API server asks the webhook")
    assert 'admission webhook "validate.integrationhub.dev" denied the request' in said
    assert "spec.baseURL" in said
    assert cluster.apply(target) == ""


def test_nobody_else_is(cluster: Cluster) -> None:
    mine = cluster.webhook.caller
    try:
        for other in (None, Authority("Another").issue(NAME, for_server=False)):
            cluster.webhook.caller = other
            assert cluster.webhook.ask("/validate", b"{}") == (0, "")
        cluster.webhook.caller = CALLERS.issue("another-of-the-same-authority", for_server=False)
        assert cluster.webhook.ask("/validate", b"{}")[0] == 403
    finally:
        cluster.webhook.caller = mine
    assert cluster.webhook.ask("/validate", b"{}")[0] == 400


def test_probes_need_no_certificate(cluster: Cluster) -> None:
    with urllib.request.urlopen(cluster.health, timeout=10) as answer:
        assert (answer.status, answer.read()) == (200, b"ok")


def test_the_log_does_not_warn(cluster: Cluster) -> None:
    assert "whoever reaches this address is answered" not in cluster.webhook.log.read_text()


def test_an_api_server_whose_authority_is_taken_out_is_not_answered_any_more(
    cluster: Cluster, target: TargetServer
) -> None:
    """Last, since from here on the API server's certificate is of no use."""
    (cluster.shown / "callers.crt").write_text(Authority("Another").pem)
    wait_until(
        lambda: cluster.apply(target), lambda said: "failed calling webhook" in said, "the file is read again"
    )
