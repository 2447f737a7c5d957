"""While a person is awaited: what the provider is asked meanwhile, whatever else happens to the connection."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

import pytest

from support.instances import Api, secret
from support.oauth_party import CLIENT_ID, CLIENT_SECRET, Fault, Form, OAuthParty
from support.operator_process import OperatorProcess
from support.target_server import TargetServer
from support.token_hub import CONNECTED, TokenHub, open_page
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

Start = Callable[..., OperatorProcess]
Answer = tuple[int, Mapping[str, str], str]

INTERVAL = 3


@pytest.fixture(scope="module")
def party() -> Iterator[OAuthParty]:
    with OAuthParty() as party:
        yield party


@pytest.fixture
def hub(spare_api: Api, start_operator: Start, party: OAuthParty, target: TargetServer) -> Iterator[TokenHub]:
    methods = {"link": {}, "device": {"grant": "deviceCode"}}
    hub = TokenHub(spare_api, start_operator, party, target, f"awaiting-{uuid4().hex[:6]}", methods)
    yield hub
    hub.remove()


def pending(_form: Form) -> Answer:
    return 400, {}, json.dumps({"error": "authorization_pending"})


def test_a_code_is_asked_about_no_sooner_than_allowed_however_often_the_connection_is_looked_at(
    hub: TokenHub,
) -> None:
    asked: list[float] = []
    hub.start()
    obj = hub.create(
        "device",
        "device",
        interval=INTERVAL,
        faults=[Fault(says=pending)] * 4,
        on_token_request=lambda _: asked.append(time.monotonic()),
    )
    hub.link(obj)
    for number in range(12):
        hub.wish(obj, f"look-{number}")
        hub.is_seen_to(obj, wish=f"look-{number}")
        if number % 3 == 2:
            polls = number // 3
            wait_until(lambda: len(asked), polls.__le__, "it is asked about")
    hub.wait({"device": CONNECTED})
    assert len(asked) == 5
    assert min(later - sooner for sooner, later in pairwise(asked)) > INTERVAL * 0.9


def test_a_code_that_is_asked_about_with_a_wrong_secret_is_given_up_until_the_secret_is_corrected(
    hub: TokenHub,
) -> None:
    hub.api.apply(secret(hub.namespace, clientId=CLIENT_ID, clientSecret="of-before-the-rotation"))
    operator = hub.start()
    obj = hub.create("device", "device")
    found = hub.wait({"device": ("False", "TokenClientRejected")})["device"]
    assert "authorization" not in found["status"]
    asked = len(hub.tenants["device"].requests)
    operator.kill()
    hub.start().wait_until_idle()
    assert len(hub.tenants["device"].requests) == asked, "a dead credential is spared, also after a restart"
    hub.api.apply(secret(hub.namespace, clientId=CLIENT_ID, clientSecret=CLIENT_SECRET))
    hub.wait({"device": CONNECTED})
    assert hub.api.get(obj)["status"]["identity"] == hub.tenants["device"].identity


def test_made_up_callbacks_cost_no_look_at_the_connection_and_links_outlive_a_restart(hub: TokenHub) -> None:
    operator = hub.start()
    obj = hub.create("link", "link")
    back = hub.back(obj)
    address, _, fields = back.partition("?")
    uid, _, _ = parse_qs(fields)["state"][0].partition(".")

    def flood(operator: OperatorProcess) -> None:
        operator.wait_until_idle()
        before = operator.reconciles()
        for number in range(50):
            status, text = open_page(f"{address}?{urlencode({'state': f'{uid}.{number:043}', 'code': 'x'})}")
            assert status == 404, text
        assert operator.reconciles() == before

    flood(operator)
    operator.kill()
    operator = hub.start()
    flood(operator)
    status, text = open_page(back)
    assert (status, "Connected" in text) == (200, True), text
    flood(operator)
