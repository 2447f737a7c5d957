"""`hub connect` where a person must consent: from the flags to the link, over the operator's callback, to Ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from integration_hub.devcluster import ControlPlane
from support.hub_command import Hub, admin_kubeconfig
from support.instances import Api
from support.oauth_party import CLIENT_SECRET, Fault, OAuthParty
from support.operator_process import OperatorProcess
from support.target_server import TargetServer
from support.token_hub import TokenHub, open_page
from support.wizard import Terminal

pytestmark = pytest.mark.cluster


@pytest.fixture(params=[{"link": {}}], ids=["link"])
def tokens(
    request: pytest.FixtureRequest,
    spare_api: Api,
    start_operator: Callable[..., OperatorProcess],
    target: TargetServer,
) -> Iterator[TokenHub]:
    """An operator with a callback server, and a definition whose method asks for consent."""
    with OAuthParty() as party:
        hub = TokenHub(spare_api, start_operator, party, target, f"wizard-{uuid4().hex[:6]}", request.param)
        yield hub
        hub.remove()


def test_nothing_can_be_tested_alone_before_somebody_has_consented(
    tokens: TokenHub, spare_cluster: ControlPlane, tmp_path: Path
) -> None:
    hub = Hub(tmp_path, admin_kubeconfig(tmp_path, spare_cluster.up(), tokens.namespace), CLIENT_SECRET)
    ran = hub.run(
        "connect", tokens.namespace, "--no-input", "--test-only", "--set", "account=people", "--secret-name", "key",
        "--allow-cidr", "127.0.0.0/8",
    )  # fmt: skip
    assert (ran.code, ran.out) == (1, ""), ran.err
    assert ran.err.endswith(
        "Only the operator holds this connection's tokens, so it cannot be tested before it is applied and somebody has"
        " consented.\n"
    )


def test_the_link_is_shown_once_it_is_applied_and_waited_for(
    tokens: TokenHub, spare_cluster: ControlPlane, tmp_path: Path
) -> None:
    tokens.start()
    info = spare_cluster.up()
    file = admin_kubeconfig(tmp_path, info, tokens.namespace)
    account = f"{tokens.namespace}-people"
    tokens.tenants["people"] = tokens.party.tenant(account)
    run = Terminal(
        Hub(tmp_path, file), "connect", tokens.namespace, "--plain", "--apply", "--set", f"account={account}",
        "--allow-cidr", "127.0.0.0/8", "--name", "people", "--secret-name", "key", "--display-name", "People",
        "--no-browser", secrets=(CLIENT_SECRET,),
    )  # fmt: skip
    run.answers("ca (", "")
    run.answers("server (", "")
    run.answers("Whom does the connection belong to?", "")
    run.answers("Which roles may use it?", "")
    seen = run.sees("What now?")
    assert "so it is tested once it is applied" in seen
    run.types("")
    run.sees("Open this link:")
    run.process.expect(r"(https://\S+/authorize\?\S+)")
    link = run.process.match.group(1)
    status, _ = open_page(tokens.party.browse(link))
    assert status == 200
    code, text = run.ends()
    assert code == 0, text
    assert "Connected" in text


@pytest.mark.parametrize("tokens", [{"device": {"grant": "deviceCode"}}], indirect=True, ids=["device"])
def test_a_device_code_is_shown_with_its_page_and_waited_for(
    tokens: TokenHub, spare_cluster: ControlPlane, tmp_path: Path
) -> None:
    tokens.start()
    account = f"{tokens.namespace}-screen"
    # Nobody has typed the code yet.
    tenant = tokens.party.tenant(account, faults=[Fault(400, "authorization_pending")] * 100)
    hub = Hub(tmp_path, admin_kubeconfig(tmp_path, spare_cluster.up(), tokens.namespace))
    run = Terminal(
        hub, "connect", tokens.namespace, "--no-input", "--plain", "--apply", "--set", f"account={account}",
        "--allow-cidr", "127.0.0.0/8", "--name", "screen", "--secret-name", "key", secrets=(CLIENT_SECRET,),
    )  # fmt: skip
    run.sees("so it is tested once it is applied")
    run.sees("Open this link, and type the code there if you are asked for it:")
    run.sees(f"{tenant.url}/activate")
    run.sees("Code: WDJB-MJHT")
    run.sees("Waiting for you to finish there.")
    tenant.faults.clear()
    code, text = run.ends()
    assert code == 0, text
    assert "Result: Success, Connected" in text
    assert tenant.identity in text
    assert all(value not in text for value in tenant.secrets()), (
        "the code that the operator polls with is secret"
    )


def test_a_changed_secret_is_judged_by_what_the_operator_finds_then(
    tokens: TokenHub, spare_api: Api, spare_cluster: ControlPlane, tmp_path: Path
) -> None:
    """And not by a verdict of before the edit, which stands in status still."""
    tokens.start()
    people = tokens.create("people", "link")
    tokens.consent(people)
    hub = Hub(tmp_path, admin_kubeconfig(tmp_path, spare_cluster.up(), tokens.namespace), CLIENT_SECRET)
    tested = len(tokens.tenants["people"].tests)
    ran = hub.run(
        "edit", "people", "--no-input", "--no-test", "--apply", "--secret-from-file", "clientSecret=-",
        "--allow-cidr", "127.0.0.0/8", stdin=f"{CLIENT_SECRET}-new",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "Ready, Connected" in ran.err
    assert len(tokens.tenants["people"].tests) > tested
    assert spare_api.get(people)["status"]["lastHandledRequest"]
