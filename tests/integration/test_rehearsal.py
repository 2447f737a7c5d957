"""The simulated vendor finds mistakes: a definition that is changed for the worse does not pass for good.

Each mistake is one that people make, put into a definition of the catalog that is right.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from integration_hub.adapters import shipped
from integration_hub.catalog.loader import read_object
from integration_hub.catalog.vendor import Vendor
from integration_hub.catalog.vendor_rules import read_vendor
from integration_hub.shell.rehearsal import Played, play
from integration_hub.simulation.server import LOOPBACK, SimulatedVendor

Raw = dict[str, Any]
Edit = Callable[[Raw], object]

KEY: Raw = {
    "apiVersion": "integrationhub.dev/v1alpha1",
    "kind": "IntegrationDefinition",
    "metadata": {"name": "acme"},
    "spec": {
        "displayName": "Acme",
        "baseURL": "https://api.acme.example",
        "allowedHosts": ["api.acme.example"],
        "authMethods": [{"name": "key", "type": "apiKey", "settings": {"name": "X-Key"}}],
        "tests": [
            {
                "name": "me",
                "default": True,
                "request": {
                    "method": "POST",
                    "path": "/me",
                    "query": {"fields": "email"},
                    "headers": {"X-Version": "7"},
                    "body": {"query": "me"},
                },
                "identity": "response.json.email",
            }
        ],
    },
}
VENDOR: Raw = {
    "definition": "acme",
    "sources": ["https://docs.acme.example/"],
    "hosts": ["api.acme.example"],
    "methods": {
        "key": {"secret": {"apiKey": "good"}, "arrives": {"headers": {"X-Key": "{{ secret.apiKey }}"}}}
    },
    "requires": [
        {"headers": {"X-Version": "7", "User-Agent": "*"}, "otherwise": {"status": 400, "text": "version"}}
    ],
    "routes": {
        "me": {
            "method": "POST",
            "path": "/me",
            "query": {"fields": "*"},
            "body": {"query": "me"},
            "answer": {"json": {"email": "ops@acme.example"}},
        }
    },
    "refuses": {"status": 401, "json": {"error": "unauthorized"}},
    "lies": {},
    "cases": [
        {"name": "good", "kind": "good", "expect": {"reason": "Connected", "identity": "ops@acme.example"}},
        {
            "name": "bad",
            "kind": "bad-credential",
            "secret": {"apiKey": "bad"},
            "expect": {"reason": "CredentialsRejected"},
        },
    ],
}


def shipped_pair(name: str) -> tuple[Raw, Vendor]:
    definition, vendor = shipped.definition_text(name), shipped.vendor_text(name)
    assert definition is not None
    assert vendor is not None
    return read_object(definition), a_vendor(read_object(vendor))


def a_vendor(raw: Raw) -> Vendor:
    found = read_vendor(raw)
    assert isinstance(found, Vendor), found
    return found


async def played(definition: Raw, vendor: Vendor, case: str, method: str) -> Played:
    chosen = next(one for one in vendor.cases if one.name == case)
    async with SimulatedVendor(vendor.hosts) as server:
        return await play(definition, vendor, server, chosen, method)


def request(**parts: Any) -> Edit:
    return lambda raw: raw["spec"]["tests"][0]["request"].update(parts)


def settings(number: int, **parts: Any) -> Edit:
    return lambda raw: raw["spec"]["authMethods"][number]["settings"].update(parts)


def _elsewhere(raw: Raw) -> None:
    raw["spec"].update(baseURL="https://api.other.example", allowedHosts=["api.other.example"])


MISTAKES: list[tuple[str, Edit, str]] = [
    ("another path", request(path="/users/me"), "POST api.acme.example/users/me: there is no such path"),
    ("another method", request(method="GET", body=None), "does not answer GET there"),
    (
        "a parameter too many",
        request(query={"fields": "email", "page": "1"}),
        "a parameter 'page' that nobody expects",
    ),
    ("a parameter too few", request(query={}), "lacks the parameter 'fields'"),
    ("another body", request(body={"query": "you"}), "another body than the vendor wants"),
    ("no body", request(body=None), "does not say so by its Content-Type"),
    ("another version", request(headers={"X-Version": "6"}), "lacks the header X-Version"),
    ("another header for the key", settings(0, name="X-Api-Key"), "no credential came"),
    ("a prefix too many", settings(0, prefix="Bearer"), "It came to"),
    (
        "another identity",
        lambda raw: raw["spec"]["tests"][0].pop("identity"),
        "as nobody and not as 'ops@acme.example'",
    ),
    ("another host", _elsewhere, "It came to HostNotFound"),
]


class Outside:
    """Watches where this process connects to and what it looks up. What would leave the machine is kept from it."""

    def __init__(self) -> None:
        self.watching = False
        self.connected: list[tuple[Any, ...]] = []
        self.looked_up: list[Any] = []
        sys.addaudithook(self._told)

    def _told(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching or not event.startswith("socket."):
            return
        if event == "socket.getaddrinfo":
            self.looked_up.append(arguments[0])
        elif event in {"socket.connect", "socket.sendto", "socket.sendmsg"} and isinstance(
            arguments[1], tuple
        ):
            self.connected.append(arguments[1])
            if arguments[1][0] != LOOPBACK:
                raise OSError(errno.ENETUNREACH, "kept in")


@pytest.fixture(scope="module")
def hook() -> Outside:
    return Outside()


@pytest.fixture
def outside(hook: Outside) -> Iterator[Outside]:
    """What is asked for outside of the process while the test runs."""
    hook.connected.clear()
    hook.looked_up.clear()
    hook.watching = True
    yield hook
    hook.watching = False


def at(host: str) -> Raw:
    """The definition at another host, which the lint has nothing against."""
    definition = deepcopy(KEY)
    definition["spec"].update(baseURL=f"https://{host}", allowedHosts=[host])
    return definition


ADDRESSES = [
    "1.1.1.1",
    "1.1.1.1:8443",
    "[2606:4700::1111]",
    "10.0.0.1",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[::ffff:1.1.1.1]",
    "[::ffff:169.254.169.254]",
    # Of this machine, but somebody else's server; and what a NAT64 gateway takes who knows where.
    "127.0.0.1",
    "127.0.0.2:8443",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_to_an_address_nothing_is_sent(address: str, outside: Outside) -> None:
    ended = await played(at(address), a_vendor(VENDOR), "good", "key")
    assert outside.connected == []
    assert outside.looked_up == []
    assert ended.found.reason == "AddressNotAllowed"
    (_, fault) = ended.faults
    assert fault.startswith("To ")
    assert fault.endswith(
        "nothing was sent: the simulated vendor is reached by the names of its hosts, never at an address"
    )


@pytest.mark.parametrize("number", ["2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.1", "16843009"])
async def test_a_number_that_some_take_for_an_address_is_a_mistake(number: str, outside: Outside) -> None:
    ended = await played(at(number), a_vendor(VENDOR), "good", "key")
    assert ended.found.reason == "DefinitionInvalid"
    assert outside.connected == []


async def test_names_are_played_beside_an_address_and_connected_to_is_the_vendor_alone(
    outside: Outside,
) -> None:
    definition, raw = deepcopy(KEY), deepcopy(VENDOR)
    definition["spec"]["allowedHosts"] = ["1.1.1.1", "api.acme.example"]
    other = deepcopy(definition["spec"]["authMethods"][0]) | {
        "name": "addressed",
        "baseURL": "https://1.1.1.1",
    }
    definition["spec"]["authMethods"].append(other)
    raw["methods"]["addressed"] = raw["methods"]["key"]
    vendor = a_vendor(raw)
    async with SimulatedVendor(vendor.hosts) as server:
        good = vendor.cases[0]
        (detour,) = server.detours()
        ended = [await play(definition, vendor, server, good, method) for method in ("key", "addressed")]
    assert [one.found.reason for one in ended] == ["Connected", "AddressNotAllowed"]
    assert set(outside.connected) == {(LOOPBACK, detour.address_port)}
    assert outside.looked_up == []


async def test_a_token_url_at_an_address_gets_no_request(outside: Outside) -> None:
    definition, vendor = shipped_pair("slack")
    settings(1, tokenURL="https://1.1.1.1/api/oauth.v2.access")(definition)
    definition["spec"]["allowedHosts"].append("1.1.1.1")
    ended = await played(definition, vendor, "a token of an app in the workspace", "oauth")
    assert {address for address, _ in outside.connected} == {LOOPBACK}
    assert any(fault.startswith("To 1.1.1.1 nothing was sent") for fault in ended.faults), ended.faults


async def test_what_is_right_passes() -> None:
    for case in ("good", "bad"):
        assert (await played(KEY, a_vendor(VENDOR), case, "key")).faults == ()


@pytest.mark.parametrize(("edit", "said"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
async def test_a_mistake_is_found(edit: Edit, said: str) -> None:
    definition = deepcopy(KEY)
    edit(definition)
    ended = await played(definition, a_vendor(VENDOR), "good", "key")
    assert any(said in fault for fault in ended.faults), ended.faults


CONSENT: list[tuple[str, str, int, Raw, str]] = [
    ("slack", "PKCE where it does harm", 1, {"pkce": "supported"}, "sends PKCE, which does harm here"),
    (
        "slack",
        "scopes with spaces",
        1,
        {"scopeSeparator": " ", "scopes": ["team:read", "users:read"]},
        "a scope that there is not",
    ),
    (
        "slack",
        "scopes in another parameter",
        1,
        {"scopeParameter": "scopes"},
        "a parameter 'scopes' that nobody expects",
    ),
    ("slack", "a token request as JSON", 1, {"tokenRequestEncoding": "json"}, "is not written as form"),
    ("slack", "the bot's token for the person's", 2, {"tokenAnswer": {}}, "It came to"),
    (
        "stripe",
        "the client in the header",
        1,
        {"clientAuthentication": "client_secret_basic"},
        "by basic, and the vendor wants body",
    ),
    ("stripe", "another scope", 1, {"scopes": ["write_all"]}, "a scope that there is not"),
    (
        "salesforce",
        "another path of the token URL",
        1,
        {"tokenURL": "https://{{ config.hostname }}/oauth2/token"},
        "there is no such path",
    ),
    (
        "salesforce",
        "no refresh token asked for",
        1,
        {"lifetime": "1m", "refresh": {"reuse": "strict"}, "tokenAnswer": {"refreshToken": "none"}},
        "After the access token had ended",
    ),
    (
        "salesforce",
        "a token that lives too long",
        2,
        {
            "jwt": {
                "subject": "{{ config.username }}",
                "audience": "https://login.salesforce.com",
                "lifetime": "1h",
            }
        },
        "lives longer than 300 seconds",
    ),
    (
        "salesforce",
        "another audience",
        2,
        {"jwt": {"subject": "{{ config.username }}", "lifetime": "3m"}},
        "has not the claim 'aud'",
    ),
]


@pytest.mark.parametrize(
    ("name", "number", "parts", "said"),
    [(row[0], *row[2:]) for row in CONSENT],
    ids=[f"{row[0]} - {row[1]}" for row in CONSENT],
)
async def test_a_mistake_in_obtaining_tokens_is_found(name: str, number: int, parts: Raw, said: str) -> None:
    definition, vendor = shipped_pair(name)
    settings(number, **parts)(definition)
    method = definition["spec"]["authMethods"][number]["name"]
    case = next(case for case in vendor.cases if case.kind == "good" and method in (case.methods or [method]))
    ended = await played(definition, vendor, case.name, method)
    assert any(said in fault for fault in ended.faults), ended.faults


async def test_a_renewal_that_is_not_made_is_found() -> None:
    definition, vendor = shipped_pair("slack")
    # Without a place for the refresh token nothing can renew, and without an end nobody tries before it is too late.
    settings(1, tokenAnswer={"refreshToken": "nowhere", "expiresIn": "nowhere"})(definition)
    ended = await played(definition, vendor, "a token of an app in the workspace", "oauth")
    assert any("After the access token had ended" in fault for fault in ended.faults), ended.faults


async def test_a_test_that_anybody_may_make_is_found() -> None:
    raw = deepcopy(VENDOR)
    raw["routes"]["me"]["open"] = True
    ended = await played(KEY, a_vendor(raw), "good", "key")
    assert ended.faults == ("The test 'me' asks for what anybody may ask, so that it proves no credential",)


async def test_a_case_may_be_about_what_there_is_not() -> None:
    raw = deepcopy(VENDOR)
    raw["cases"][1] |= {"strays": True, "secret": {}, "expect": {"reason": "ObjectNotFound"}}
    definition = deepcopy(KEY)
    request(path="/nowhere")(definition)
    assert (await played(definition, a_vendor(raw), "bad", "key")).faults == ()


async def test_a_credential_is_bad_in_another_region() -> None:
    raw = deepcopy(VENDOR)
    raw["hosts"] = ["api.acme.example", "api.eu.acme.example"]
    raw["methods"]["key"]["knownAt"] = ["api.eu.acme.example"]
    ended = await played(KEY, a_vendor(raw), "good", "key")
    assert ended.found.reason == "CredentialsRejected"


async def test_a_secret_stands_in_no_report() -> None:
    definition, vendor = shipped_pair("salesforce")
    settings(1, clientAuthentication="client_secret_basic", scopes=["nothing"])(definition)
    ended = await played(definition, vendor, "an org", "oauth")
    assert ended.faults
    assert "HubRehearsalConsumerSecret" not in "".join((*ended.faults, ended.found.message, ended.found.hint))


async def test_a_client_certificate_is_good_that_the_vendor_knows() -> None:
    raw, definition = deepcopy(VENDOR), deepcopy(KEY)
    pair = {"tls.crt": {"generate": "client-certificate"}, "tls.key": {"generate": "client-key"}}
    raw["methods"]["key"] = {"secret": pair, "arrives": {"clientCertificate": "tls.crt"}}
    raw["cases"][1]["secret"] = pair  # of the same authority, and nobody whom the vendor knows
    definition["spec"]["authMethods"][0] |= {"type": "custom", "settings": {"mtls": {}}}
    for case in ("good", "bad"):
        assert (await played(definition, a_vendor(raw), case, "key")).faults == ()
    definition["spec"]["authMethods"][0] |= {"type": "apiKey", "settings": {"secretKey": "tls.key"}}
    ended = await played(definition, a_vendor(raw), "good", "key")
    assert ended.faults


DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.parametrize(("consent", "reason"), [("given", "Connected"), ("denied", "AuthorizationDenied")])
async def test_a_code_that_a_person_types_is_waited_for(consent: str, reason: str) -> None:
    raw, definition = deepcopy(VENDOR), deepcopy(KEY)
    granted = {"answer": {"json": {"access_token": "{{ token }}", "refresh_token": "{{ refreshToken }}"}}}
    raw["oauth"] = {
        "login": {
            "device": "https://api.acme.example/device/code",
            "token": "https://api.acme.example/token",
            "client": ["none"],
            "pkce": "ignored",
            "scopes": ["read"],
            "rotates": True,
            "grants": {DEVICE_CODE: granted, "refresh_token": granted},
        }
    }
    raw["methods"]["key"] = {
        "secret": {"clientId": "hub"},
        "oauth": "login",
        "arrives": {"headers": {"Authorization": "Bearer {{ token }}"}},
    }
    raw["cases"][0] |= {"consent": consent, "kind": "good" if consent == "given" else "other"}
    raw["cases"][0]["expect"] = {"reason": reason} | (
        {"identity": "ops@acme.example"} if consent == "given" else {}
    )
    definition["spec"]["authMethods"][0] |= {
        "type": "oauth2",
        "settings": {
            "grant": "deviceCode",
            "deviceAuthorizationURL": "https://api.acme.example/device/code",
            "tokenURL": "https://api.acme.example/token",
            "clientAuthentication": "none",
            "scopes": ["read"],
            "lifetime": "1h",
        },
    }
    ended = await played(definition, a_vendor(raw), "good", "key")
    assert ended.faults == ()
    assert ended.renewed is (consent == "given")


def by_device(**method: Any) -> tuple[Raw, Raw]:
    """A definition whose client proves itself while a code is asked about, and its vendor."""
    raw, definition = deepcopy(VENDOR), deepcopy(KEY)
    granted = {"answer": {"json": {"access_token": "{{ token }}", "refresh_token": "{{ refreshToken }}"}}}
    raw["oauth"] = {
        "login": {
            "device": "https://api.acme.example/device/code",
            "token": "https://api.acme.example/token",
            "client": ["body"],
            "pkce": "ignored",
            "rotates": True,
            "grants": {DEVICE_CODE: granted, "refresh_token": granted},
        }
    }
    raw["methods"]["key"] = {
        "secret": {"clientId": "hub", "clientSecret": "good"},
        "oauth": "login",
        "arrives": {"headers": {"Authorization": "Bearer {{ token }}"}},
    }
    raw["cases"][1]["secret"] = {"clientSecret": "bad"}
    definition["spec"]["authMethods"][0] |= {
        "type": "oauth2",
        "settings": {
            "grant": "deviceCode",
            "deviceAuthorizationURL": "https://api.acme.example/device/code",
            "tokenURL": "https://api.acme.example/token",
            "clientAuthentication": "client_secret_post",
            "lifetime": "1h",
        },
    } | method
    return raw, definition


async def test_a_code_that_is_asked_about_with_a_wrong_secret_comes_to_that() -> None:
    raw, definition = by_device()
    raw["cases"][1]["expect"] = {"reason": "TokenClientRejected", "message": ["invalid_client"]}
    assert (await played(definition, a_vendor(raw), "good", "key")).faults == ()
    assert (await played(definition, a_vendor(raw), "bad", "key")).faults == ()


async def test_a_code_that_is_asked_about_is_refused_in_the_definitions_words() -> None:
    rule = {
        "when": "response.json.error == 'invalid_client'",
        "reason": "CredentialsExpired",
        "message": "The secret is over",
        "hint": "Make another.",
    }
    raw, definition = by_device(failures=[rule])
    raw["cases"][1]["expect"] = {
        "reason": "CredentialsExpired",
        "message": ["The secret is over"],
        "hint": ["Make another."],
    }
    assert (await played(definition, a_vendor(raw), "bad", "key")).faults == ()


async def test_a_case_can_be_about_a_renewal_that_is_refused() -> None:
    raw, definition = by_device()
    refused = {"status": 400, "json": {"error": "invalid_grant"}}
    raw["cases"][1] |= {
        "secret": {},
        "kind": "other",
        "tokenEnds": True,
        "tokenAnswers": {"refresh_token": refused},
        "expect": {"reason": "ReauthenticationRequired", "message": ["invalid_grant"]},
    }
    assert (await played(definition, a_vendor(raw), "bad", "key")).faults == ()


async def test_a_renewal_is_not_looked_at_where_there_was_nothing_to_renew() -> None:
    raw, definition = by_device()
    raw["cases"][1] |= {"tokenEnds": True, "expect": {"reason": "TokenClientRejected"}}
    (fault,) = (await played(definition, a_vendor(raw), "bad", "key")).faults
    assert fault.startswith("Before the access token ended, it came to TokenClientRejected: ")
