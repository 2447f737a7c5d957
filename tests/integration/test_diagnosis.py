"""Every row of the diagnosis table is told of a real exchange, over real sockets and real TLS.

All scenarios are played once, one after the other in one event loop; each test then looks at one of them.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from integration_hub.adapters.budget import Limits
from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.traffic import Traffic
from integration_hub.auth.flow import Credentials, Flow
from integration_hub.auth.methods import METHODS
from integration_hub.model.http import ClientCertificate, HttpRequest, HttpResponse, Outcome
from integration_hub.model.reasons import COULD_NOT_TELL, Reason
from integration_hub.probe.diagnose import Diagnosis, diagnose
from integration_hub.probe.diagnosis_table import TABLE
from integration_hub.probe.facts import Facts
from integration_hub.probe.finding import Finding, find
from integration_hub.probe.plan import ProbePlan
from support import fault_server
from support.auth import CONTEXT
from support.builders import CANARY, plan
from support.certificates import DAY, Authority, Identity, self_signed
from support.fault_server import (
    Behaviour,
    Connection,
    FaultServer,
    answering,
    answering_then_closing,
    response,
)

R = Reason
LOOPBACK = EgressPolicy(parse_cidrs(["127.0.0.0/8"]), allow_http=True)
API_KEY = Credentials({"apiKey": CANARY})
NAMED = "eu.acme.example"
"""A name for scenarios in which names matter. It leads to 127.0.0.1."""

Test = Mapping[str, Any]
Send = Callable[[HttpRequest], Awaitable[Outcome]]
StepsOf = Callable[[HttpRequest], Flow]


class Exchange(NamedTuple):
    """A test that was really made."""

    plan: ProbePlan
    outcomes: Sequence[Outcome]
    sent: HttpRequest
    credentials: Credentials
    control: Outcome | None = None


class Scenario(NamedTuple):
    name: str
    reason: Reason
    stage: str
    play: Callable[[World], Awaitable[Exchange]]


@dataclass(frozen=True)
class Played:
    exchange: Exchange
    diagnosis: Diagnosis
    finding: Finding


class World:
    """What scenarios share: an authority that is trusted, and certificates of its."""

    def __init__(self) -> None:
        self.authority = Authority("Test Authority")
        self.identity = self.authority.issue("127.0.0.1", NAMED)

    def planned(self, url: str, test: Test | None = None, ca: str | None = None) -> ProbePlan:
        origin = "/".join(url.split("/")[:3])
        return plan(
            baseURL=origin,
            allowedHosts=[origin],
            tests=[{"name": "t", "default": True, "request": {"path": "/v1/account"}} | dict(test or {})],
            trust={"caBundle": ca} if ca else None,
        )


# -- Playing ---------------------------------------------------------------------------------------


def api_key(credentials: Credentials) -> StepsOf:
    return lambda request: METHODS["apiKey"].flow({"prefix": "Bearer"}, credentials, request, CONTEXT)


def without_a_credential(request: HttpRequest) -> Flow:
    return METHODS["custom"].flow({"anonymous": {}}, Credentials({}), request, CONTEXT)


def showing(start: timedelta = -DAY, end: timedelta = DAY) -> StepsOf:
    """The flow of a method that proves who we are in the handshake, to hosts that do not know the authority."""
    pair = Authority("Clients").issue("hub", start=start, end=end, for_server=False)

    def steps(request: HttpRequest) -> Generator[HttpRequest, HttpResponse, None]:
        yield replace(request, client_certificate=ClientCertificate(pair.chain, pair.key))

    return steps


def two_steps(token_url: str) -> StepsOf:
    """The flow of a method that asks for a token first, and gives up where it gets none."""

    def steps(request: HttpRequest) -> Generator[HttpRequest, HttpResponse, None]:
        body = f"grant_type=client_credentials&client_id=hub&client_secret={CANARY}".encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = yield HttpRequest("POST", token_url, form, body=body, purpose="token")
        token = json.loads(answer.body).get("access_token") if answer.status == 200 else None
        if token is not None:
            yield replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})

    return steps


async def drive(planned: ProbePlan, steps: Flow, send: Send, credentials: Credentials) -> Exchange:
    """Drive a flow to its end, as the engine does."""
    request, outcomes = next(steps), []
    while True:
        outcomes.append(await send(request))
        answer = outcomes[-1].response
        if answer is None:
            break
        try:
            request = steps.send(answer)
        except StopIteration:
            break
    steps.close()
    control = None
    if planned.test.prove_credential:
        control = await send(replace(planned.request, purpose="control"))
    return Exchange(planned, outcomes, request, credentials, control)


async def ask(
    planned: ProbePlan,
    credentials: Credentials = API_KEY,
    steps_of: StepsOf | None = None,
    also_allowed: Collection[str] = (),
    **settings: Any,
) -> Exchange:
    client = HttpClient(**({"policy": LOOPBACK} | settings))

    async def send(request: HttpRequest) -> Outcome:
        rules = [HostRule.parse(rule) for rule in (*planned.allowed_hosts, *also_allowed)]
        return await client.send(request, allowed_hosts=rules, ca_bundle=planned.ca_bundle)

    try:
        steps = (steps_of or api_key(credentials))(planned.request)
        return await drive(planned, steps, send, credentials)
    finally:
        await client.close()


Play = Callable[[World], Awaitable[Exchange]]


def served(
    behaviour: Behaviour | bytes,
    test: Test | None = None,
    *,
    secure: bool = False,
    name: str = "127.0.0.1",
    credentials: Credentials = API_KEY,
    **settings: Any,
) -> Play:
    """A server that behaves so, and a test that asks it."""

    async def play(world: World) -> Exchange:
        behave = answering(behaviour) if isinstance(behaviour, bytes) else behaviour
        context = world.identity.server_context() if secure else None
        async with FaultServer(behave, context) as server:
            url = server.url(host=name)
            planned = world.planned(url, test, world.authority.pem if secure else None)
            return await ask(planned, credentials, getaddrinfo=leading_to("127.0.0.1"), **settings)

    return play


def shown(make: Callable[[Authority], Identity]) -> Play:
    """A server with such a certificate."""

    async def play(world: World) -> Exchange:
        async with FaultServer(answering(response()), make(world.authority).server_context()) as server:
            return await ask(world.planned(server.url(), ca=world.authority.pem))

    return play


def at_port(port_of: Callable[[World], AbstractContextManager[int]], **settings: Any) -> Play:
    """A port where no server of ours listens."""

    async def play(world: World) -> Exchange:
        with port_of(world) as port:
            return await ask(world.planned(f"https://127.0.0.1:{port}/", ca=world.authority.pem), **settings)

    return play


def at(url: str, ca: str | None = None, **settings: Any) -> Play:
    async def play(world: World) -> Exchange:
        return await ask(world.planned(url, ca=ca), **settings)

    return play


def leading_to(answer: str | int) -> Callable[..., list[Any]]:
    """What a name leads to: an address, or the number of an error."""

    def look_up(_: str, port: int, *__: Any) -> list[Any]:
        if isinstance(answer, int):
            raise socket.gaierror(answer, "")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

    return look_up


async def held_lookup(world: World) -> Exchange:
    """Name servers that never answer."""
    over = threading.Event()

    def hang(*_: Any) -> list[Any]:
        over.wait()
        return []

    # The client waits for its threads when it is closed, which is after it has lost patience.
    asyncio.get_running_loop().call_later(1.0, over.set)
    planned = world.planned(f"https://{NAMED}")
    return await ask(planned, getaddrinfo=hang, connect_timeout=0.5, total_timeout=5.0)


def at_token_url(
    answer: bytes | None,
    credentials: Credentials = API_KEY,
    test: Test | None = None,
    api: bytes = response(b'{"email": "ops"}'),
) -> Play:
    """A flow that asks a token URL first; None for one that nobody listens at."""

    async def play(world: World) -> Exchange:
        async with FaultServer(answering(api)) as server, FaultServer(answering(answer or b"")) as token:
            with fault_server.unused_port() as port:
                url = token.url("/token") if answer else f"http://127.0.0.1:{port}/token"
                return await ask(
                    world.planned(server.url(), test),
                    credentials,
                    two_steps(url),
                    [url.removesuffix("/token")],
                )

    return play


async def down_for_others(world: World) -> Exchange:
    """A host that has refused others until nobody asks it any more."""
    with fault_server.unused_port() as port:
        return await refused_by_budget(world.planned(f"http://127.0.0.1:{port}/"), Limits(open_after=2))


async def paused_by_another(world: World) -> Exchange:
    """A host that has told another to come back later."""
    data = response(b"{}", "Retry-After: 1800", status="429 Too Many Requests")
    async with FaultServer(answering(data)) as server:
        return await refused_by_budget(world.planned(server.url()), Limits())


async def refused_by_budget(planned: ProbePlan, limits: Limits) -> Exchange:
    client = HttpClient(LOOPBACK)
    traffic = Traffic(client, limits)
    rules = [HostRule.parse(rule) for rule in planned.allowed_hosts]

    async def send(request: HttpRequest) -> Outcome:
        for _ in range(20):
            outcome = await traffic.send(request, allowed_hosts=rules, fresh=True)
            assert isinstance(outcome, Outcome), "the budget is wide enough for a few requests"
            if outcome.failure is not None and outcome.failure.again_in is not None:
                return outcome
        raise AssertionError("the budget never refused")

    try:
        return await drive(planned, api_key(API_KEY)(planned.request), send, API_KEY)
    finally:
        await traffic.close()
        await client.close()


# -- What servers answer ---------------------------------------------------------------------------


def said(status: str, document: object, *headers: str) -> bytes:
    return response(json.dumps(document).encode(), "Content-Type: application/json", *headers, status=status)


def page(status: str, html: str = "<!doctype html><p>Hello") -> bytes:
    return response(html.encode(), "Content-Type: text/html; charset=utf-8", status=status)


def dated(ahead: timedelta) -> str:
    return f"Date: {format_datetime(datetime.now(UTC) + ahead, usegmt=True)}"


def moved(location: str) -> bytes:
    return response(b"", f"Location: {location}", status="302 Found")


async def speaking_plainly(connection: Connection) -> None:
    await connection.send(response(b"hello", status="400 Bad Request"))
    await connection.request()


async def hanging_up(connection: Connection) -> None:
    connection.reset()


def failing_for_strangers(answer: bytes, stranger: bytes) -> Behaviour:
    """Answer who brings a credential, and another way who brings none."""

    async def behave(connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            await connection.send(answer if b"authorization:" in request.lower() else stranger)

    return behave


def wanting_a_certificate(world: World) -> AbstractContextManager[int]:
    context = world.identity.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    return fault_server.alerting_port(context)


def holding(**values: str) -> Credentials:
    return Credentials(values)


OK, UNAUTHORIZED, FORBIDDEN, BAD_REQUEST = "200 OK", "401 Unauthorized", "403 Forbidden", "400 Bad Request"
NOT_FOUND, NO_RESOURCE = "404 Not Found", {"code": "resource_missing"}
REJECTED = said(UNAUTHORIZED, {"message": "no"})
WHO = {"identity": "response.json.email"}
WE = said(OK, {"email": "ops@acme.example"})
LOGIN = '<!doctype html><form><input name="user"><input type="password" name="pass"></form>'


def status(code: int, reason: Reason, words: str = "Something") -> Scenario:
    return Scenario(f"HTTP {code}", reason, "request", served(said(f"{code} {words}", {})))


SCENARIOS: Sequence[Scenario] = (
    # Nothing is sent
    Scenario(
        "a host that is not listed",
        R.HOST_NOT_ALLOWED,
        "config",
        lambda world: ask(
            replace(world.planned("https://127.0.0.1:1"), allowed_hosts=("api.acme.example",))
        ),
    ),
    Scenario(
        "plain HTTP without leave",
        R.PLAIN_HTTP_NOT_ALLOWED,
        "config",
        at("http://127.0.0.1:1", policy=EgressPolicy(parse_cidrs(["127.0.0.0/8"]))),
    ),
    Scenario(
        "a private address",
        R.ADDRESS_NOT_ALLOWED,
        "dns",
        at(f"https://{NAMED}", policy=EgressPolicy(), getaddrinfo=leading_to("127.0.0.1")),
    ),
    Scenario(
        "trust that is no certificate", R.TRUST_INVALID, "config", at("https://127.0.0.1:1", ca="not PEM")
    ),
    Scenario("a host that is down for others", R.HOST_UNAVAILABLE, "connect", down_for_others),
    Scenario("a host that wants to be left alone", R.WAITING_FOR_QUOTA, "connect", paused_by_another),
    # Names and connections
    Scenario(
        "NXDOMAIN",
        R.HOST_NOT_FOUND,
        "dns",
        at(f"https://{NAMED}", getaddrinfo=leading_to(int(socket.EAI_NONAME))),
    ),
    Scenario("name servers that are silent", R.DNS_TIMEOUT, "dns", held_lookup),
    Scenario(
        "name servers that fail",
        R.DNS_FAILED,
        "dns",
        at(f"https://{NAMED}", getaddrinfo=leading_to(int(socket.EAI_FAIL))),
    ),
    Scenario(
        "a port where nobody listens",
        R.CONNECTION_REFUSED,
        "connect",
        at_port(lambda _: fault_server.unused_port()),
    ),
    Scenario(
        # The broadcast address of the loopback network: the kernel has no way to connect to it.
        "an address without a route", R.HOST_UNREACHABLE, "connect", at("https://127.255.255.255")
    ),
    Scenario(
        "a firewall that drops",
        R.CONNECT_TIMEOUT,
        "connect",
        at_port(lambda _: fault_server.full_port(), connect_timeout=0.5),
    ),
    # TLS
    Scenario(
        "an unknown authority",
        R.TLS_UNTRUSTED,
        "tls",
        shown(lambda _: Authority("Unknown").issue("127.0.0.1")),
    ),
    Scenario(
        "a chain without its middle",
        R.TLS_INCOMPLETE_CHAIN,
        "tls",
        shown(
            lambda authority: (
                Authority("Middle", authority).issue("127.0.0.1", issuer_at="http://pki.example.com/m.crt").alone()
            )
        ),
    ),
    Scenario(
        "a self-signed certificate", R.TLS_SELF_SIGNED, "tls", shown(lambda _: self_signed("127.0.0.1"))
    ),
    Scenario(
        "a certificate for another host",
        R.TLS_HOST_MISMATCH,
        "tls",
        shown(lambda authority: authority.issue("127.0.0.2")),
    ),
    Scenario(
        "an expired certificate",
        R.TLS_EXPIRED,
        "tls",
        shown(lambda authority: authority.issue("127.0.0.1", start=-2 * DAY, end=-DAY)),
    ),
    Scenario(
        "a certificate of tomorrow",
        R.TLS_NOT_YET_VALID,
        "tls",
        shown(lambda authority: authority.issue("127.0.0.1", start=DAY, end=2 * DAY)),
    ),
    Scenario(
        "TLS 1.1 at most",
        R.TLS_TOO_OLD,
        "tls",
        at_port(lambda world: fault_server.alerting_port(world.identity.outdated_server_context())),
    ),
    Scenario(
        "a certificate of ours whose time is over",
        R.CREDENTIALS_EXPIRED,
        "tls",
        at_port(wanting_a_certificate, steps_of=showing(start=-2 * DAY, end=-DAY)),
    ),
    Scenario(
        "a certificate of ours that the host does not know",
        R.CREDENTIALS_REJECTED,
        "tls",
        at_port(wanting_a_certificate, steps_of=showing()),
    ),
    Scenario(
        "a host that wants our certificate",
        R.CLIENT_CERTIFICATE_REQUIRED,
        "tls",
        at_port(wanting_a_certificate),
    ),
    Scenario("HTTP on an HTTPS port", R.TLS_NOT_SPOKEN, "tls", lambda world: plain(world, speaking_plainly)),
    Scenario(
        "a handshake that never ends",
        R.TLS_TIMEOUT,
        "tls",
        at_port(lambda _: fault_server.deaf_port(), connect_timeout=0.5),
    ),
    Scenario(
        "hanging up during the handshake", R.TLS_FAILED, "tls", lambda world: plain(world, hanging_up)
    ),
    # Answers that are none
    Scenario(
        "silence",
        R.RESPONSE_TIMEOUT,
        "request",
        served(fault_server.silent, secure=True, connect_timeout=1.2, total_timeout=1.3),
    ),
    Scenario(
        "hanging up on the request and, for all we know, on our certificate",
        R.CONNECTION_LOST,
        "request",
        served(fault_server.closing_at_once, secure=True, steps_of=showing()),
    ),
    Scenario("hanging up on the request", R.CONNECTION_LOST, "request", served(fault_server.closing_at_once)),
    Scenario("SSH", R.NOT_HTTP, "request", served(answering_then_closing(b"SSH-2.0-OpenSSH_9.2\r\n"))),
    Scenario(
        "half an answer",
        R.RESPONSE_TRUNCATED,
        "request",
        served(answering_then_closing(response(b"x" * 500)[:-100])),
    ),
    Scenario("an endless answer", R.RESPONSE_TOO_LARGE, "request", served(fault_server.flooding)),
    Scenario("a gzip bomb", R.DECOMPRESSION_BOMB, "request", served(fault_server.gzip_bomb(5_000_000))),
    Scenario(
        "gzip that is none",
        R.ENCODING_INVALID,
        "request",
        served(answering_then_closing(response(b"not gzip", "Content-Encoding: gzip"))),
    ),
    # Credentials that are refused
    Scenario(
        "a locked account",
        R.ACCOUNT_LOCKED,
        "request",
        served(said(UNAUTHORIZED, {"error": "account_suspended"})),
    ),
    Scenario(
        "a missing scope",
        R.INSUFFICIENT_SCOPE,
        "request",
        served(said(FORBIDDEN, {}, 'WWW-Authenticate: Bearer error="insufficient_scope", scope="read"')),
    ),
    Scenario(
        "an address that is not on the list",
        R.CLIENT_ADDRESS_BLOCKED,
        "request",
        served(said(FORBIDDEN, {"message": "Your IP address 192.0.2.1 is not allowed"})),
    ),
    Scenario(
        "403 for a rate limit",
        R.QUOTA_EXCEEDED,
        "request",
        served(said(FORBIDDEN, {}, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 600")),
    ),
    Scenario(
        "a placeholder in the Secret",
        R.SECRET_PLACEHOLDER,
        "request",
        served(REJECTED, credentials=holding(apiKey="${API_KEY}")),
    ),
    Scenario(
        "quotation marks in the Secret",
        R.SECRET_QUOTED,
        "request",
        served(REJECTED, credentials=holding(apiKey=f'"{CANARY}"')),
    ),
    Scenario(
        "'Bearer' in the Secret",
        R.SECRET_PREFIXED,
        "request",
        served(REJECTED, credentials=holding(apiKey=f"Bearer {CANARY}")),
    ),
    Scenario(
        "JSON in the Secret",
        R.SECRET_STRUCTURED,
        "request",
        served(REJECTED, credentials=holding(apiKey=f'{{"apiKey":"{CANARY}"}}')),
    ),
    Scenario(
        "base64 in the Secret",
        R.SECRET_ENCODED_TWICE,
        "request",
        served(REJECTED, credentials=holding(apiKey="Y2FuYXJ5LTdmM2E5MWMyZDQ=")),
    ),
    Scenario(
        "clocks that differ",
        R.CLOCK_SKEW,
        "request",
        served(said(UNAUTHORIZED, {}, dated(timedelta(days=1)))),
    ),
    Scenario(
        "clocks that differ, as S3 says it",
        R.CLOCK_SKEW,
        "request",
        served(
            response(
                b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>RequestTimeTooSkewed</Code></Error>',
                "Content-Type: application/xml",
                status=FORBIDDEN,
            )
        ),
    ),
    Scenario(
        "an expired token",
        R.CREDENTIALS_EXPIRED,
        "request",
        served(
            said(
                UNAUTHORIZED,
                {},
                'WWW-Authenticate: Bearer error="invalid_token", error_description="The token expired"',
            )
        ),
    ),
    Scenario(
        "a token where a password is wanted",
        R.AUTH_SCHEME_WRONG,
        "request",
        served(said(UNAUTHORIZED, {}, 'WWW-Authenticate: Basic realm="Acme"')),
    ),
    Scenario("a wrong token", R.CREDENTIALS_REJECTED, "request", served(REJECTED)),
    Scenario("nginx that cannot verify our certificate", R.CREDENTIALS_REJECTED, "request",
             served(page(BAD_REQUEST, "<title>400 The SSL certificate error</title>"))),
    Scenario("nginx that was shown no certificate", R.CLIENT_CERTIFICATE_REQUIRED, "request",
             served(page(BAD_REQUEST, "<title>400 No required SSL certificate was sent</title>"))),
    Scenario("no token where one is wanted", R.AUTH_SCHEME_WRONG, "request",
             served(REJECTED, credentials=Credentials({}), steps_of=without_a_credential)),
    Scenario("a wrong token, said with 200", R.CREDENTIALS_REJECTED, "request",
             served(said(OK, {"ok": False, "error": "invalid_auth"}))),
    Scenario("a missing permission", R.PERMISSION_DENIED, "request", served(said(FORBIDDEN, {}))),
    # Token URLs
    Scenario("a wrong client", R.TOKEN_CLIENT_REJECTED, "token",
             at_token_url(said(UNAUTHORIZED, {"error": "invalid_client"}))),
    Scenario("a wrong client, without a word", R.TOKEN_CLIENT_REJECTED, "token",
             at_token_url(said(UNAUTHORIZED, {}))),
    Scenario("a revoked grant", R.TOKEN_GRANT_REJECTED, "token",
             at_token_url(said(BAD_REQUEST, {"error": "invalid_grant"}))),
    Scenario("an unknown scope", R.TOKEN_SCOPE_REJECTED, "token",
             at_token_url(said(BAD_REQUEST, {"error": "invalid_scope"}))),
    Scenario("a grant that the client may not use", R.TOKEN_REQUEST_REJECTED, "token",
             at_token_url(said(BAD_REQUEST, {"error": "unauthorized_client"}))),
    Scenario("a token URL that asks for patience", R.TOKEN_ENDPOINT_BUSY, "token",
             at_token_url(said("429 Too Many Requests", {}))),
    Scenario("a token URL that fails", R.TOKEN_ENDPOINT_UNAVAILABLE, "token",
             at_token_url(page("503 Service Unavailable"))),
    Scenario("a token URL that is not there", R.TOKEN_ENDPOINT_NOT_FOUND, "token",
             at_token_url(page(NOT_FOUND))),
    Scenario("an answer without a token", R.TOKEN_ANSWER_INVALID, "token",
             at_token_url(said(OK, {"token_type": "bearer"}))),
    Scenario("a token URL where nobody listens", R.CONNECTION_REFUSED, "token", at_token_url(None)),
    Scenario("a placeholder as the client's secret", R.SECRET_PLACEHOLDER, "token",
             at_token_url(said(UNAUTHORIZED, {"error": "invalid_client"}), holding(clientSecret="changeme"))),
    Scenario("a token, and an API that refuses it", R.CREDENTIALS_REJECTED, "request",
             at_token_url(said(OK, {"access_token": CANARY}), api=REJECTED)),
    Scenario("a token, and an API that takes it", R.CONNECTED, "identity",
             at_token_url(said(OK, {"access_token": CANARY}), test=WHO)),
    # Statuses
    status(407, R.PROXY_AUTHENTICATION_REQUIRED),
    Scenario("a captive page", R.CAPTIVE_PAGE, "request", served(page("511 Network Authentication Required"))),
    Scenario("a redirect to another region", R.WRONG_REGION, "request",
             served(moved("https://us.acme.example/v1/account"), name=NAMED)),
    status(421, R.WRONG_REGION),
    Scenario("a redirect to a login page", R.REDIRECTED_TO_LOGIN, "request",
             served(moved("/login?next=/v1/account"))),
    Scenario("another redirect", R.REDIRECTED, "request", served(moved("https://other.example/"))),
    status(400, R.REQUEST_INVALID),
    status(402, R.PAYMENT_REQUIRED),
    Scenario("a missing object", R.OBJECT_NOT_FOUND, "request", served(said(NOT_FOUND, NO_RESOURCE))),
    Scenario("a wrong base URL", R.ENDPOINT_NOT_FOUND, "request", served(page(NOT_FOUND))),
    status(405, R.METHOD_NOT_ALLOWED),
    status(406, R.MEDIA_TYPE_NOT_SUPPORTED),
    status(408, R.REQUEST_TIMEOUT),
    status(409, R.CONFLICT),
    status(410, R.ENDPOINT_RETIRED),
    status(413, R.REQUEST_TOO_LARGE),
    status(415, R.MEDIA_TYPE_NOT_SUPPORTED),
    status(418, R.UNEXPECTED_STATUS),
    status(422, R.REQUEST_INVALID),
    status(423, R.ACCOUNT_LOCKED),
    status(426, R.UPGRADE_REQUIRED),
    status(451, R.LEGALLY_BLOCKED),
    Scenario("429 with a time", R.RATE_LIMITED, "request",
             served(said("429 Too Many Requests", {}, "Retry-After: 30"))),
    status(429, R.TOO_MANY_REQUESTS),
    status(500, R.SERVER_ERROR),
    status(502, R.GATEWAY_ERROR),
    Scenario("maintenance", R.MAINTENANCE, "request",
             served(page("503 Service Unavailable").replace(b"\r\n", b"\r\nRetry-After: 120\r\n", 1))),
    status(503, R.SERVICE_UNAVAILABLE),
    status(504, R.GATEWAY_ERROR),
    # Bodies
    Scenario("a login page with 200", R.LOGIN_PAGE, "request", served(page(OK, LOGIN))),
    Scenario("a web page with 200", R.ANSWER_IS_HTML, "request", served(page(OK), WHO)),
    Scenario("nothing with 200", R.ANSWER_EMPTY, "request", served(response(b""), WHO)),
    Scenario("cut JSON", R.JSON_TRUNCATED, "request", served(response(b'{"email": "ops@acme'), WHO)),
    Scenario("text in place of JSON", R.ANSWER_NOT_JSON, "request",
             served(response(b"email: ops", "Content-Type: text/yaml"), WHO)),
    Scenario("GraphQL errors with 200", R.GRAPHQL_ERRORS, "request",
             served(said(OK, {"data": None, "errors": [{"message": "Field 'x' does not exist"}]}))),
    Scenario("ok: false with 200", R.ANSWER_NOT_OK, "request",
             served(said(OK, {"ok": False, "error": "channel_not_found"}))),
    # What the test demands
    Scenario("a failure that the definition knows", R.PAYMENT_REQUIRED, "request",
             served(said(OK, {"state": "frozen"}),
                    {"failures": [{"when": "response.json.state == 'frozen'", "reason": "PaymentRequired"}]})),
    Scenario("a rule that does not hold", R.ASSERTION_FAILED, "assertions",
             served(WE, {"expect": {"assertions": [{"rule": "response.json.email == ''"}]}})),
    Scenario("a rule that cannot be decided", R.ASSERTION_UNDECIDABLE, "assertions",
             served(WE, {"expect": {"assertions": [{"rule": "response.json.count > 3"}]}})),
    Scenario("a failure that is too much work to recognise", R.ASSERTION_UNDECIDABLE, "assertions",
             served(said(OK, list(range(9000))), {"failures": [
                 {"when": "response.json.filter(i, i == 1).size() > 1", "reason": "PaymentRequired"}]})),
    Scenario("nobody", R.IDENTITY_MISSING, "identity", served(said(OK, {"hello": "there"}), WHO)),
    Scenario("the same for somebody without a token", R.CREDENTIAL_UNPROVEN, "control",
             served(WE, WHO | {"proveCredential": True})),
    Scenario("no telling what somebody without a token gets", R.PROOF_PENDING, "control",
             served(failing_for_strangers(WE, page("503 Service Unavailable")), WHO | {"proveCredential": True})),
    Scenario("a token that makes the difference", R.CONNECTED, "control",
             served(failing_for_strangers(WE, REJECTED), WHO | {"proveCredential": True})),
    Scenario("a connection that works", R.CONNECTED, "identity", served(WE, WHO, secure=True, name=NAMED)),
)  # fmt: skip


async def plain(world: World, behaviour: Behaviour) -> Exchange:
    """Ask over TLS where none is spoken."""
    async with FaultServer(behaviour) as server:
        return await ask(world.planned(f"https://127.0.0.1:{server.port}/"))


# -- What was found --------------------------------------------------------------------------------


async def played_all() -> dict[str, Played]:
    world, found = World(), {}
    for scenario in SCENARIOS:
        exchange = await scenario.play(world)
        given: dict[str, Any] = {
            "now": datetime.now(UTC),
            "credentials": exchange.credentials,
            "sent": exchange.sent,
            "control": exchange.control,
        }
        facts = Facts(exchange.plan, exchange.outcomes, **given)
        diagnosis = diagnose(exchange.plan, exchange.outcomes, **given)
        found[scenario.name] = Played(exchange, diagnosis, find(facts))
    return found


@pytest.fixture(scope="module")
def played() -> dict[str, Played]:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    return asyncio.run(played_all())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
class TestScenario:
    def test_is_told_by_its_reason_and_stage(self, played: dict[str, Played], scenario: Scenario) -> None:
        diagnosis = played[scenario.name].diagnosis
        assert (diagnosis.reason, diagnosis.stages[-1].name) == (scenario.reason, scenario.stage)
        expected = "Unknown" if scenario.reason in COULD_NOT_TELL else "Failure"
        assert diagnosis.result == ("Success" if scenario.reason is R.CONNECTED else expected)

    def test_says_where_what_and_what_to_do(self, played: dict[str, Played], scenario: Scenario) -> None:
        exchange, diagnosis = played[scenario.name].exchange, played[scenario.name].diagnosis
        host = urlsplit(exchange.sent.url).hostname
        assert host
        assert host in diagnosis.message
        assert diagnosis.message.endswith(".")
        assert (diagnosis.hint is None) == (diagnosis.result == "Success")

    def test_shows_no_secret(self, played: dict[str, Played], scenario: Scenario) -> None:
        assert CANARY not in repr(played[scenario.name].diagnosis)


class TestAll:
    def test_rows_of_the_table_are_told(self, played: dict[str, Played]) -> None:
        told = {id(found.finding.row) for found in played.values()}
        assert [row for row in TABLE if id(row) not in told] == []

    def test_expectations_agree(self, played: dict[str, Played]) -> None:
        expected: dict[object, tuple[Reason, str]] = {}
        for scenario in SCENARIOS:
            verdict = (scenario.reason, scenario.stage)
            assert expected.setdefault(evidence(played[scenario.name].exchange), verdict) == verdict


class TestStages:
    def test_of_a_new_connection_have_their_times_and_evidence(self, played: dict[str, Played]) -> None:
        stages = {stage.name: stage for stage in played["a connection that works"].diagnosis.stages}
        for name in ("dns", "connect", "tls", "request"):
            assert stages[name].result == "Passed"
            assert stages[name].duration_ms is not None
        assert stages["dns"].evidence["addresses"] == "127.0.0.1"
        assert stages["tls"].evidence["tlsVersion"] == "TLSv1.3"
        assert stages["tls"].evidence["names"] == f"127.0.0.1, {NAMED}"
        assert stages["request"].evidence["status"] == "200"

    def test_of_a_certificate_that_was_not_accepted_show_it(self, played: dict[str, Played]) -> None:
        evidence = played["an expired certificate"].diagnosis.stages[-1].evidence
        assert evidence["issuer"] == "CN=Test Authority"
        assert evidence["notAfter"] < datetime.now(UTC).isoformat()

    def test_of_a_host_without_an_answer_skip_what_was_not_needed(self, played: dict[str, Played]) -> None:
        stages = played["a firewall that drops"].diagnosis.stages
        assert [stage.result for stage in stages] == ["Passed", "Skipped", "Failed"]

    def test_of_a_flow_have_its_token_first(self, played: dict[str, Played]) -> None:
        stages = played["a token, and an API that refuses it"].diagnosis.stages
        assert [stage.name for stage in stages] == ["config", "token", "dns", "connect", "tls", "request"]
        assert stages[1].evidence["status"] == "200"


def evidence(exchange: Exchange) -> object:
    """What a diagnosis can be made from, to be compared: two exchanges that are the same must be told the same."""
    last = exchange.outcomes[-1]
    answer = last.response
    return (
        last.purpose,
        last.failure and last.failure.kind,
        answer and (answer.status, answer.body, tuple(sorted(answer.headers.items()))),
        exchange.plan.test.model_dump_json(),
        tuple(sorted(exchange.credentials.items())),
        exchange.sent.headers.get("Authorization", "").partition(" ")[0],
        exchange.sent.client_certificate and exchange.sent.client_certificate.certificate,
        exchange.control and exchange.control.response and exchange.control.response.status,
    )
