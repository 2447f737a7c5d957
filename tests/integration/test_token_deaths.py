"""The operator dies at every step of renewal and consent, for real, and what the provider has seen decides.

Each death is that of a process; the next one finds what it has left and meets its own. A refresh token that comes twice
is theft to a strict provider, so it is the provider who is asked how often each came.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from integration_hub.adapters.spool import Spool
from integration_hub.devcluster import ControlPlane
from support import dying_operator
from support.aging import make_older, stored
from support.canaries import found
from support.instances import Api, Object, condition, verdict
from support.oauth_party import LATE, Form, OAuthParty, Tenant
from support.operator_process import OperatorProcess
from support.target_server import TargetServer
from support.token_hub import ALMOST_ITS_LIFE, CONNECTED, TokenHub, open_page
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

Start = Callable[..., OperatorProcess]


LONGER_THAN_AN_ANSWER_TAKES = timedelta(minutes=1)
"""Until then another operator may still wait for it, and nothing is sent again."""

POLICIES: dict[str, dict[str, Any]] = {
    "grace": {"pardons": True},
    "strict": {},
    "reusable": {"rotates": False},
}
"""What the definition says of a refresh token that comes twice, and the provider that it is true of."""

MOST = {"grace": 2, "strict": 1, "reusable": 2}
"""How often a refresh token may come."""

RENEWAL = [
    f"{when}:{step}"
    for step in ("read", "intent", "send", "store", "test", "status")
    for when in ("before", "after")
]
"""Steps of a renewal at which the operator dies, in their order."""

UNSURE = RENEWAL[RENEWAL.index("after:intent") : RENEWAL.index("before:store") + 1]
"""Those after which nobody can tell whether the refresh token was used: a strict provider must not see it again."""

CONSENT = [
    f"{when}:{step}"
    for step in ("read", "use-state", "send", "store-candidate", "test", "store", "status")
    for when in ("before", "after")
]
UNUSED = CONSENT[: CONSENT.index("before:use-state") + 1]
"""Steps before which the link is as good as ever."""
GONE = CONSENT[CONSENT.index("after:use-state") : CONSENT.index("before:store-candidate") + 1]
"""Those after which the code is lost, and a person must be asked again."""


AT_ONCE = 2
"""Steps at which one process dies, each for other connections: it ends once all are there."""


@pytest.fixture(scope="module")
def party() -> Iterator[OAuthParty]:
    with OAuthParty() as party:
        yield party


def codes(tenant: Tenant) -> Counter[str]:
    return Counter(form["code"] for form in tenant.requests if form.get("grant_type") == "authorization_code")


@pytest.fixture
def hub(spare_api: Api, start_operator: Start, party: OAuthParty, target: TargetServer) -> Iterator[TokenHub]:
    methods = {policy: {"refresh": {"reuse": policy}} for policy in POLICIES}
    hub = TokenHub(spare_api, start_operator, party, target, f"deaths-{uuid4().hex[:6]}", methods)
    yield hub
    hub.remove()


def test_no_death_costs_a_token_that_can_be_saved_and_none_is_sent_too_often(
    hub: TokenHub, tmp_path: Path
) -> None:
    armed = tmp_path / "armed"
    renewing = {
        step: [hub.create(f"{policy}-{name_of(step)}", policy, **POLICIES[policy]) for policy in POLICIES]
        for step in RENEWAL
    }
    consenting = {step: hub.create(f"consent-{name_of(step)}", "strict") for step in CONSENT}
    renewals = [obj for objects in renewing.values() for obj in objects]

    def start() -> OperatorProcess:
        return hub.start(program=("-P", dying_operator.__file__, str(armed)))

    operator = start()
    hub.consent(*renewals)

    for first in range(0, len(CONSENT), AT_ONCE):
        due = {step: renewing[step] for step in RENEWAL[first : first + AT_ONCE]}
        all_due = [obj for objects in due.values() for obj in objects]
        awaited = {step: hub.link(consenting[step]) for step in CONSENT[first : first + AT_ONCE]}
        back = {step: hub.party.browse(link) for step, link in awaited.items()}
        steps = {hub.path(obj): step for step, objects in due.items() for obj in objects}
        steps |= {hub.path(consenting[step]): step for step in awaited}
        let_die(hub, operator, armed, steps, renewing=all_due, pages=back.values())

        operator = start()
        hub.is_seen_to(*all_due, wish="once")
        operator.wait_until_idle()
        for step, objects in due.items():
            for obj in objects:
                assert_nothing_is_lost(hub, obj, step)
        for step, link in awaited.items():
            assert_consent_goes_on(hub, consenting[step], step, link, back[step])

    # Whoever has lost the tokens consents again; then all are renewed once more, with what is stored.
    lost = [obj for obj in renewals if verdict(hub.api.get(obj)) != CONNECTED]
    assert len(lost) == len(UNSURE)
    hub.consent(*lost)
    assert_all_renew(hub, operator, [*consenting.values(), *renewals])


def let_die(
    hub: TokenHub,
    operator: OperatorProcess,
    armed: Path,
    steps: Mapping[str, str],
    *,
    renewing: Collection[Object],
    pages: Iterable[str],
) -> None:
    """Let tokens fall due and browsers come back, until the operator has died at all steps; then let a minute pass."""
    for obj in renewing:
        make_older(hub.api, obj, ALMOST_ITS_LIFE)
    part = armed.with_suffix(".part")
    part.write_text(json.dumps(steps))
    part.replace(armed)
    for obj in renewing:
        hub.wish(obj, "once")
    browsers = [threading.Thread(target=open_page, args=(page,)) for page in pages]
    for browser in browsers:
        browser.start()
    assert operator.ended() == dying_operator.DIED
    for browser in browsers:
        browser.join(60)
    armed.unlink()
    for obj in renewing:
        make_older(hub.api, obj, LONGER_THAN_AN_ANSWER_TAKES)


def name_of(step: str) -> str:
    return step.replace(":", "-")


def assert_nothing_is_lost(hub: TokenHub, obj: Object, step: str) -> None:
    """Check what has become of tokens in whose renewal the operator died."""
    now, tenant = hub.api.get(obj), hub.tenants[obj["metadata"]["name"]]
    policy, where = obj["spec"]["auth"]["method"], obj["metadata"]["name"]
    is_lost = policy == "strict" and step in UNSURE
    assert verdict(now)[1] == ("ReauthenticationRequired" if is_lost else "Connected"), condition(now)
    assert bool(now["status"].get("authorization")) is is_lost, "there is a way on where one is needed"
    assert max(Counter(tenant.refreshes()).values(), default=0) <= MOST[policy], where
    assert 0 < len(tenant.refreshes()) + is_lost <= MOST["grace"], where
    assert not tenant.ended, where
    assert policy != "strict" or tenant.reuses == 0, where


def assert_consent_goes_on(hub: TokenHub, obj: Object, step: str, link: str, back: str) -> None:
    """Check that a person who has consented while the operator died is not lost, whatever it takes of them."""
    name = obj["metadata"]["name"]
    if step in UNUSED:
        assert verdict(hub.api.get(obj))[1] == "AuthorizationRequired"
        assert open_page(back)[0] == 200, "the same page, loaded again"
    elif step in GONE:
        assert verdict(hub.api.get(obj))[1] == "AuthorizationRequired"
        assert hub.link(obj) != link
        assert open_page(back)[0] == 404, "its state is used up"
        hub.consent(obj)
    hub.wait({name: CONNECTED})
    assert set(codes(hub.tenants[name]).values()) == {1}, "no code was sent twice"


def assert_all_renew(hub: TokenHub, operator: OperatorProcess, objects: list[Object]) -> None:
    """Check that what is stored are the tokens that the providers have given out last."""
    before = {name: (len(tenant.refreshes()), tenant.refresh_token) for name, tenant in hub.tenants.items()}
    for obj in objects:
        hub.renew(obj, "twice")
    hub.is_seen_to(*objects, wish="twice")
    operator.wait_until_idle()
    hub.wait({obj["metadata"]["name"]: CONNECTED for obj in objects})
    for name, tenant in hub.tenants.items():
        count, token = before[name]
        assert tenant.refreshes()[count:] == [token], f"{name}: the last one that was given out, once"


def test_who_is_told_to_stop_in_the_middle_of_a_renewal_stores_what_comes(
    hub: TokenHub,
) -> None:
    prod = hub.create("prod", "strict")
    tenant = hub.tenants["prod"]
    operator = hub.start()
    hub.consent(prod)
    first = tenant.refresh_token
    tenant.faults.append(LATE)
    hub.renew(prod, "once")
    wait_until(tenant.refreshes, len, "the refresh token is sent")
    operator.signal(signal.SIGTERM)
    time.sleep(2.0)  # longer than the grace period: everything else has been given up by now
    hub.party.release(tenant)
    assert operator.ended() == 0
    tokens = stored(hub.api, prod).record.tokens
    assert tokens is not None
    assert tokens.refresh_token == tenant.refresh_token != first
    assert stored(hub.api, prod).record.intent is None

    hub.start()
    hub.is_seen_to(prod, wish="once")
    hub.wait({"prod": CONNECTED})
    assert tenant.refreshes() == [first]


@pytest.mark.parametrize("dies", [False, True], ids=["survives", "dies"])
def test_what_comes_while_the_api_server_is_away_is_stored_when_it_is_back(
    hub: TokenHub, spare_cluster: ControlPlane, tmp_path: Path, *, dies: bool
) -> None:
    prod = hub.create("prod", "strict")
    tenant = hub.tenants["prod"]
    flags = ("--spool", str(tmp_path / "spool")) if dies else ()
    operator = hub.start(*flags)
    hub.consent(prod)
    first = tenant.refresh_token

    def kill_the_api_server(_: Form) -> None:
        tenant.on_token_request = None
        spare_cluster.kill()

    tenant.on_token_request = kill_the_api_server
    hub.renew(prod, "once")
    operator.wait_for(lambda: "cannot store a credential yet" in operator.log.read_text(), "holding a token")
    if dies:
        assert_is_sealed(tmp_path / "spool", tenant)
        operator.kill()
        # Beside it, what is left of an instance that is deleted before the operator is back.
        Spool(tmp_path / "spool").put(str(uuid4()), {"envelope": b"{}"})
    spare_cluster.up()
    if dies:
        operator = hub.start(*flags)
    hub.is_seen_to(prod, wish="once")
    hub.wait({"prod": CONNECTED})
    tokens = stored(hub.api, prod).record.tokens
    assert tokens is not None
    assert tokens.refresh_token == tenant.refresh_token != first
    assert tenant.refreshes() == [first]
    assert not dies or list((tmp_path / "spool").iterdir()) == []


def assert_is_sealed(spool: Path, tenant: Tenant) -> None:
    """Check that one record waits on the disk, and that nobody can read it there."""
    (file,) = spool.iterdir()
    assert (file.suffix, file.stat().st_mode & 0o777) == (".record", 0o600)
    values = [b64decode(value) for value in json.loads(file.read_bytes()).values()]
    shown = file.read_text() + "".join(value.decode("latin-1") for value in values)
    assert found({"spool": shown}, {value: value for value in tenant.secrets()}) == set()
