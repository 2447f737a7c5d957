"""The provider that fails does what its word is, or the tests that rely on it would prove something else."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import RemoteDisconnected
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from support.oauth_party import (
    CLIENT_ID,
    CLIENT_SECRET,
    INVALID_GRANT,
    LOST_ANSWER,
    LOST_REQUEST,
    Fault,
    OAuthParty,
    Tenant,
)


@pytest.fixture(scope="module")
def party() -> Iterator[OAuthParty]:
    with OAuthParty() as party:
        yield party


def post(party: OAuthParty, tenant: Tenant, **form: str) -> tuple[int, dict[str, str]]:
    """Ask the token URL as the client."""
    whole = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} | form
    request = urllib.request.Request(f"{tenant.url}/token", urlencode(whole).encode())
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cadata=party.ca)) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def consented(party: OAuthParty, tenant: Tenant) -> dict[str, str]:
    """Return the tokens of a code; the challenge is that of RFC 7636, appendix B."""
    query = {
        "redirect_uri": "http://localhost:1/oauth/callback",
        "state": "s",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    }
    back = dict(parse_qsl(urlsplit(party.browse(f"{tenant.url}/authorize?{urlencode(query)}")).query))
    assert (back["state"], back["iss"]) == ("s", tenant.url)
    form = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "redirect_uri": query["redirect_uri"],
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    }
    status, tokens = post(party, tenant, **form)
    assert status == 200, tokens
    assert post(party, tenant, **form) == (400, {"error": "invalid_grant"})
    return tokens


def renewed(party: OAuthParty, tenant: Tenant, token: str) -> tuple[int, dict[str, str]]:
    return post(party, tenant, grant_type="refresh_token", refresh_token=token)


def test_a_refresh_token_that_comes_twice_ends_the_grant(party: OAuthParty) -> None:
    tenant = party.tenant("strict")
    first = consented(party, tenant)["refresh_token"]
    status, second = renewed(party, tenant, first)
    assert status == 200
    assert second["refresh_token"] == tenant.refresh_token
    assert second["access_token"] in tenant.live()
    assert renewed(party, tenant, first) == (400, {"error": "invalid_grant"})
    assert (tenant.reuses, tenant.ended, tenant.live()) == (1, True, set())
    assert renewed(party, tenant, second["refresh_token"])[0] == 400
    assert tenant.refreshes() == [first, first, second["refresh_token"]]


def test_a_lost_answer_has_used_the_token_up_and_a_pardon_accepts_it_again(party: OAuthParty) -> None:
    tenant = party.tenant("grace", pardons=True, faults=[LOST_ANSWER])
    with pytest.raises(RemoteDisconnected):
        consented(party, tenant)
    first = consented(party, tenant)["refresh_token"]
    tenant.faults.append(LOST_ANSWER)
    with pytest.raises(RemoteDisconnected):
        renewed(party, tenant, first)
    assert tenant.refresh_token != first
    assert renewed(party, tenant, first)[0] == 200
    assert (tenant.reuses, tenant.ended) == (1, False)


def test_a_lost_request_has_used_nothing_up(party: OAuthParty) -> None:
    tenant = party.tenant("lost")
    first = consented(party, tenant)["refresh_token"]
    tenant.faults.append(LOST_REQUEST)
    with pytest.raises(RemoteDisconnected):
        renewed(party, tenant, first)
    assert tenant.refresh_token == first
    assert renewed(party, tenant, first)[0] == 200
    assert tenant.reuses == 0


def test_faults_come_in_their_order_and_then_all_is_well(party: OAuthParty) -> None:
    tenant = party.tenant("faults", lifetime=None, gives_refresh_token=False, scope="read")
    tenant.faults += [INVALID_GRANT, Fault(429, "slow_down", {"Retry-After": "7"})]
    answers = [post(party, tenant, grant_type="client_credentials") for _ in range(3)]
    assert answers[:2] == [(400, {"error": "invalid_grant"}), (429, {"error": "slow_down"})]
    status, tokens = answers[2]
    assert status == 200
    assert set(tokens) == {"access_token", "token_type", "scope"}
    assert post(party, tenant, grant_type="client_credentials", client_secret="wrong")[0] == 401
    assert {tokens["access_token"], CLIENT_SECRET} <= tenant.secrets()
