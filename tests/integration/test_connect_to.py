"""--connect-to: a definition of the catalog, as it is, is tested by `hub test` at another address than the vendor's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_hub.adapters import shipped
from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs, parse_detours
from integration_hub.adapters.http import HttpClient
from integration_hub.model.http import FailureKind, HttpRequest
from support.certificates import Authority
from support.fault_server import FaultServer, answering, response
from support.hub_command import Hub, Ran
from support.simulated_vendor import StandingVendor


@pytest.fixture
def stripe(tmp_path: Path) -> Iterator[StandingVendor]:
    with StandingVendor("stripe", tmp_path) as vendor:
        yield vendor


def draft(secret: dict[str, str], config: dict[str, Any]) -> str:
    """A connection to Stripe, with all that it needs, as a file that nobody has applied."""
    api = "integrationhub.dev/v1alpha1"
    instance = {
        "apiVersion": api,
        "kind": "IntegrationInstance",
        "metadata": {"name": "payments"},
        "spec": {
            "definitionRef": {"name": "stripe"},
            "config": config,
            "auth": {"method": "api-key", "secretRef": {"name": "key"}},
            "tests": [{"name": "balance"}],
        },
    }
    held = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": secret}
    return "---\n".join(
        (shipped.definition_text("stripe") or "", json.dumps(instance) + "\n", json.dumps(held))
    )


def outcome_of(hub: Hub, vendor: StandingVendor, text: str, *flags: str, trusts: bool = True) -> Ran:
    environment = hub.environment() | (vendor.environment() if trusts else {})
    done = subprocess.run(
        [sys.executable, "-m", "integration_hub", "test", "--draft", "-f", "-", "-o", "json", *flags],
        input=text,
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_a_definition_is_tested_as_it_is(stripe: StandingVendor, tmp_path: Path) -> None:
    scene = stripe.play("api-key")
    ran = outcome_of(Hub(tmp_path, None), stripe, draft(scene.secret(), scene.config()), *stripe.flags())
    assert ran.code == 0, ran
    assert ran.data["result"] == "Success"
    assert (scene.seen, scene.notes) == (["account", "balance"], [])


def test_the_name_must_still_be_the_hosts(stripe: StandingVendor, tmp_path: Path) -> None:
    scene = stripe.play("api-key")
    text = draft(scene.secret(), scene.config())
    ran = outcome_of(Hub(tmp_path, None), stripe, text, *stripe.flags(), trusts=False)
    assert ran.code == 1
    assert ran.data["reason"] in {"TLSUntrusted", "TLSSelfSigned", "TLSIncompleteChain"}
    assert scene.seen == []


def test_the_address_must_still_be_allowed(stripe: StandingVendor, tmp_path: Path) -> None:
    scene = stripe.play("api-key")
    ran = outcome_of(Hub(tmp_path, None), stripe, draft(scene.secret(), scene.config()), *stripe.flags()[2:])
    assert ran.code == 1
    assert ran.data["reason"] == "AddressNotAllowed"
    assert scene.seen == []


def test_a_detour_that_is_none_is_a_mistake_in_the_command(tmp_path: Path) -> None:
    ran = Hub(tmp_path, None).run("test", "name", "--connect-to", "api.stripe.com=127.0.0.1")
    assert ran.code == 2
    assert "--connect-to" in ran.err
    assert "HOST:PORT=ADDRESS:PORT" in ran.err


async def test_a_certificate_that_is_not_accepted_is_looked_at_where_it_is() -> None:
    identity = Authority("Nobody's").issue("another.example")
    async with FaultServer(answering(response()), identity.server_context()) as server:
        policy = EgressPolicy(
            parse_cidrs(["127.0.0.1"]),
            detours=parse_detours([f"api.example.com:443=127.0.0.1:{server.port}"]),
        )
        client = HttpClient(policy)
        outcome = await client.send(
            HttpRequest("GET", "https://api.example.com/"), allowed_hosts=[HostRule.parse("api.example.com")]
        )
        await client.close()
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.TLS_UNTRUSTED
    assert outcome.failure.host == "api.example.com:443"
    assert outcome.transport.certificate is not None
    assert outcome.transport.certificate.names == ("another.example",)
