"""The HTTP adapter against servers that misbehave, over real sockets and real TLS."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp.client_reqrep import ConnectionKey
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_hub.adapters.certificate import read_certificate
from integration_hub.adapters.egress import CheckedResolver, EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.faults import fault as fault_of
from integration_hub.adapters.http import USER_AGENT, HttpClient
from integration_hub.adapters.journey import Journey
from integration_hub.model.http import (
    Failure,
    FailureKind,
    HttpRequest,
    HttpResponse,
    Outcome,
    Transport,
)
from support import fault_server
from support.certificates import DAY, Authority, Identity, self_signed
from support.fault_server import Behaviour, FaultServer, answering, response

LOOPBACK = EgressPolicy(parse_cidrs(["127.0.0.0/8"]))
LOOPBACK_HTTP = EgressPolicy(parse_cidrs(["127.0.0.0/8"]), allow_http=True)
CANARY = "canary-4711"
"""Stands in path, query, header and body of every request, and must never stand in a failure."""

CUT_OFF = (FailureKind.CONNECTION_LOST, "the connection ended before there was an answer")
TRUNCATED = (FailureKind.RESPONSE_TRUNCATED, "the connection ended before the answer was complete")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NOT_HTTP = (FailureKind.NOT_HTTP, "the answer is not HTTP")
NOT_DECODABLE = (FailureKind.ENCODING_INVALID, "the answer's encoding cannot be read")
HEADERS_TOO_LARGE = (FailureKind.RESPONSE_TOO_LARGE, "headers too large")
BODY_TOO_LARGE = (FailureKind.RESPONSE_TOO_LARGE, "more than 65536 bytes")
BOMB = (FailureKind.DECOMPRESSION_BOMB, "more than 65536 bytes when decoded")
NOT_LISTED = (FailureKind.HOST_NOT_ALLOWED, "not among the allowed hosts")
USER_NAME = (FailureKind.HOST_NOT_ALLOWED, "the URL has a user name in it")
NO_HOST = (FailureKind.HOST_NOT_ALLOWED, "the URL does not name a host in its usual spelling")
HTTPS_HERE = (FailureKind.SCHEME_NOT_ALLOWED, "only https is allowed for this host")
HTTPS_ALWAYS = (FailureKind.SCHEME_NOT_ALLOWED, "only https is possible")
EXPIRED = (FailureKind.TLS_EXPIRED, "certificate expired")
NOT_YET_VALID = (FailureKind.TLS_NOT_YET_VALID, "certificate not yet valid")
OTHER_ADDRESS = (FailureKind.TLS_HOST_MISMATCH, "certificate is for another address")
OTHER_PURPOSE = (FailureKind.TLS_UNTRUSTED, "certificate is not for servers")
SELF_SIGNED = (FailureKind.TLS_SELF_SIGNED, "self-signed certificate")
SELF_SIGNED_ABOVE = (FailureKind.TLS_SELF_SIGNED, "self-signed certificate in the chain")
TOO_WEAK = (FailureKind.TLS_TOO_OLD, "key too weak")
WANTS_OURS = (FailureKind.TLS_CLIENT_CERTIFICATE, "the host requires a client certificate")
NO_ISSUER = (FailureKind.TLS_UNTRUSTED, "the authority that issued it is not known")
INCOMPLETE = (
    FailureKind.TLS_INCOMPLETE_CHAIN,
    "the certificate was sent without that of the authority that issued it",
)


SOME_CERTIFICATE = ssl.PEM_cert_to_DER_cert(self_signed("api.example.com").chain)
ISSUER_AT = "http://pki.example.com/middle.crt"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Test Authority")


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.issue("127.0.0.1", "api.example.com")


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(LOOPBACK_HTTP)
    yield client
    await client.close()


@pytest.fixture
async def waits_briefly_to_connect() -> AsyncIterator[HttpClient]:
    client = HttpClient(LOOPBACK_HTTP, connect_timeout=0.4)
    yield client
    await client.close()


@pytest.fixture
async def waits_briefly_for_answers() -> AsyncIterator[HttpClient]:
    client = HttpClient(LOOPBACK_HTTP, connect_timeout=1.2, total_timeout=1.3)
    yield client
    await client.close()


async def ask(
    client: HttpClient,
    url: str,
    method: str = "GET",
    ca: str | None = None,
    rules: tuple[str, ...] | None = None,
) -> Outcome:
    """Send a request with the canary in every part, by default to a host that is allowed."""
    allowed = rules or ("/".join(url.split("/")[:3]),)
    request = HttpRequest(
        method,
        url + CANARY,
        {"Authorization": f"Bearer {CANARY}"},
        (("token", CANARY),),
        CANARY.encode() if method == "POST" else None,
    )
    return await client.send(request, allowed_hosts=[HostRule.parse(rule) for rule in allowed], ca_bundle=ca)


def answered(outcome: Outcome) -> HttpResponse:
    assert outcome.failure is None, outcome.failure
    assert outcome.response is not None
    return outcome.response


def failed(outcome: Outcome) -> Failure:
    assert outcome.response is None
    assert outcome.failure is not None
    assert CANARY not in repr(outcome)
    return outcome.failure


class TestAnswers:
    async def test_a_request_arrives_as_it_was_made(
        self, client: HttpClient, authority: Authority, identity: Identity
    ) -> None:
        async with FaultServer(answering(response()), identity.server_context()) as server:
            request = HttpRequest(
                "POST",
                server.url("/a%2Fb/c?x=%41+b"),
                {
                    "Authorization": "Bearer s3cret",
                    "Content-Type": "application/json",
                    "Host": "other.example",
                },
                (("q", "a b+/é&="),),
                b'{"a": 1}',
                "token",
            )
            rule = HostRule.parse(f"127.0.0.1:{server.port}")
            outcome = await client.send(request, allowed_hosts=[rule], ca_bundle=authority.pem)
        answered(outcome)
        assert outcome.purpose == "token"
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert start == "POST /a%2Fb/c?x=%41+b&q=a%20b%2B%2F%C3%A9%26%3D HTTP/1.1", (
            "signatures cover these bytes"
        )
        assert headers == {
            "Host": f"127.0.0.1:{server.port}",
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Authorization": "Bearer s3cret",
            "Content-Type": "application/json",
            "Content-Length": "8",
            "Connection": "close",
        }
        assert body == b'{"a": 1}'

    async def test_what_cannot_stand_in_a_request_is_encoded_and_nothing_is_made_up(
        self, client: HttpClient
    ) -> None:
        async with FaultServer(answering(response())) as server:
            request = HttpRequest("POST", server.url("/a b/\u00fc\r\nX-A: 1?\u00e9 f#fragment"), body=b"x")
            rule = HostRule.parse(f"http://127.0.0.1:{server.port}")
            answered(await client.send(request, allowed_hosts=[rule]))
        lines = server.requests[0].split(b"\r\n")
        assert lines[0] == b"POST /a%20b/%C3%BCX-A:%201?%C3%A9%20f HTTP/1.1"
        assert not any(line.startswith((b"X-A", b"Content-Type")) for line in lines)

    async def test_headers_are_lower_case_and_joined(self, client: HttpClient) -> None:
        data = response(b"hello", "X-A: 1", "x-a: 2", "X-Raw: caf\u00e9").replace("é".encode(), b"\xe9")
        async with FaultServer(answering(data)) as server:
            got = answered(await ask(client, server.url()))
        assert got.status == 200
        assert got.body == b"hello"
        assert got.headers == {"content-length": "5", "x-a": "1, 2", "x-raw": "caf\ufffd"}

    @pytest.mark.parametrize(
        ("data", "body"),
        [
            pytest.param(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde", id="chunked"),
            pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="no content"),
            pytest.param(
                b"HTTP/1.1 100 Continue\r\n\r\n" + response(b"x"), b"x", id="after an interim answer"
            ),
            pytest.param(response(b"x" * 65536), b"x" * 65536, id="as large as is allowed"),
        ],
    )
    async def test_bodies_of_every_framing(self, client: HttpClient, data: bytes, body: bytes) -> None:
        async with FaultServer(answering(data)) as server:
            first = answered(await ask(client, server.url()))
            second = answered(await ask(client, server.url()))
        assert first.body == second.body == body
        assert server.connections == 1, "the connection is in a state to be used again"

    async def test_a_body_that_ends_with_the_connection(self, client: HttpClient) -> None:
        data = b"HTTP/1.0 200 OK\r\n\r\nabc"
        async with FaultServer(fault_server.answering_then_closing(data)) as server:
            assert answered(await ask(client, server.url())).body == b"abc"

    async def test_a_body_that_was_encoded_although_nobody_asked(self, client: HttpClient) -> None:
        async with FaultServer(answering(fault_server.gzip_bomb(1000))) as server:
            assert answered(await ask(client, server.url())).body == bytes(1000)

    async def test_redirects_are_answers(self, client: HttpClient) -> None:
        async with FaultServer(answering(response())) as other:
            data = response(b"", f"Location: {other.url('/')}", status="302 Found")
            async with FaultServer(answering(data)) as server:
                both = (f"http://127.0.0.1:{server.port}", f"http://127.0.0.1:{other.port}")
                got = answered(await ask(client, server.url(), rules=both))
        assert got.status == 302
        assert got.headers["location"] == other.url("/")
        assert other.connections == 0

    async def test_cookies_are_not_kept(self, client: HttpClient) -> None:
        async with FaultServer(answering(response(b"", "Set-Cookie: session=1; Path=/"))) as server:
            for _ in range(2):
                await ask(client, server.url("/", host="127.0.0.1"))
        assert b"session" not in b"".join(server.requests)

    async def test_proxies_of_the_environment_are_ignored(
        self, client: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with FaultServer(answering(response())) as proxy, FaultServer(answering(response())) as server:
            monkeypatch.setenv("http_proxy", proxy.url())
            answered(await ask(client, server.url()))
        assert (proxy.connections, server.connections) == (0, 1)

    async def test_switching_protocols_is_an_answer(self, client: HttpClient) -> None:
        data = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
        async with FaultServer(answering(data)) as server:
            assert answered(await ask(client, server.url())).status == 101


class TestPool:
    async def test_one_connection_serves_all_who_trust_alike(
        self, client: HttpClient, authority: Authority, identity: Identity
    ) -> None:
        async with FaultServer(answering(response()), identity.server_context()) as server:
            for _ in range(3):
                answered(await ask(client, server.url(), ca="".join(authority.pem)))
            assert server.connections == 1
            failure = failed(await ask(client, server.url(), ca=Authority("Another").pem))
        assert failure.kind == FailureKind.TLS_UNTRUSTED, "a connection must not lend its trust to others"

    async def test_a_get_survives_that_the_server_gave_up_the_connection(self, client: HttpClient) -> None:
        async with FaultServer(fault_server.closing_on_second_request) as server:
            for _ in range(3):
                answered(await ask(client, server.url()))
        assert server.connections == 3

    async def test_a_post_is_never_sent_on_a_connection_that_may_be_gone(self, client: HttpClient) -> None:
        async with FaultServer(fault_server.closing_on_second_request) as server:
            answered(await ask(client, server.url()))
            for _ in range(2):
                answered(await ask(client, server.url(), "POST"))
        assert [request[:4] for request in server.requests] == [b"GET ", b"POST", b"POST"]
        assert server.connections == 3

    @pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1)])
    async def test_a_post_is_sent_once(self, client: HttpClient, method: str, times: int) -> None:
        async with FaultServer(fault_server.closing_at_once) as server:
            failure = failed(await ask(client, server.url(), method))
        assert failure.kind == FailureKind.CONNECTION_LOST
        assert len(server.requests) == times

    async def test_those_who_wait_for_their_turn_are_not_failed_for_it(self) -> None:
        client = HttpClient(LOOPBACK_HTTP, max_connections=1)
        async with FaultServer(answering(response())) as server:
            outcomes = await asyncio.gather(*(ask(client, server.url()) for _ in range(20)))
        await client.close()
        assert all(outcome.response for outcome in outcomes)
        assert server.connections == 1

    async def test_being_cancelled_leaves_nothing_behind(self, client: HttpClient) -> None:
        async with FaultServer(fault_server.silent) as server:
            task = asyncio.create_task(ask(client, server.url()))
            await server.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


class TestNothingIsSent:
    @pytest.mark.parametrize(
        ("rule", "url", "fault"),
        [
            ("http://127.0.0.1", "http://127.0.0.1:{port}/", NOT_LISTED),
            ("http://localhost:{port}", "http://127.0.0.1:{port}/", NOT_LISTED),
            ("http://127.0.0.1:{port}", "http://u:p@127.0.0.1:{port}/", USER_NAME),
            ("http://127.0.0.1:{port}", "http://127.0.0.1:{port}@evil.example/", USER_NAME),
            ("http://127.0.0.1:{port}", "http://2130706433:{port}/", NO_HOST),
            ("http://127.0.0.1:{port}", "http://127.1:{port}/", NO_HOST),
            ("http://127.0.0.1:{port}", "http://[::ffff:127.0.0.1]:{port}/", NOT_LISTED),
            ("http://127.0.0.1:{port}", "http:127.0.0.1:{port}/", NO_HOST),
            ("127.0.0.1:{port}", "http://127.0.0.1:{port}/", HTTPS_HERE),
            ("127.0.0.1:{port}", "ftp://127.0.0.1:{port}/", HTTPS_ALWAYS),
        ],
    )
    async def test_where_no_rule_allows_it(
        self, client: HttpClient, rule: str, url: str, fault: tuple[FailureKind, str]
    ) -> None:
        async with FaultServer(answering(response())) as server:
            failure = failed(
                await ask(client, url.format(port=server.port), rules=(rule.format(port=server.port),))
            )
        assert (failure.kind, failure.detail) == fault
        assert server.connections == 0

    async def test_in_the_clear_without_the_operators_leave(self) -> None:
        client = HttpClient(LOOPBACK)
        async with FaultServer(answering(response())) as server:
            failure = failed(await ask(client, server.url()))
        await client.close()
        assert failure.kind == FailureKind.SCHEME_NOT_ALLOWED
        assert server.connections == 0

    async def test_to_a_private_address_even_if_a_rule_allows_it(self) -> None:
        client = HttpClient(EgressPolicy(allow_http=True))
        async with FaultServer(answering(response())) as server:
            failure = failed(await ask(client, server.url()))
        await client.close()
        assert failure.kind == FailureKind.ADDRESS_NOT_ALLOWED
        assert failure.detail == "127.0.0.1 is a loopback address"
        assert failure.host == f"127.0.0.1:{server.port}"
        assert server.connections == 0

    @pytest.mark.parametrize(
        "ca", ["not a certificate", " ", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
    )
    async def test_when_the_trust_cannot_be_read(
        self, client: HttpClient, identity: Identity, ca: str
    ) -> None:
        async with FaultServer(answering(response()), identity.server_context()) as server:
            failure = failed(await ask(client, server.url(), ca=ca))
        assert failure.kind == FailureKind.TRUST_INVALID
        assert server.connections == 0

    @pytest.mark.parametrize(
        "headers", [{"X-A": "a\r\nX-B: b"}, {"X-A": "a\n"}, {"X A": "a"}, {"X-A:": "a"}, {"": "a"}]
    )
    async def test_when_a_header_would_break_the_request(
        self, client: HttpClient, headers: dict[str, str]
    ) -> None:
        request = HttpRequest("GET", "https://api.example.com/", headers)
        with pytest.raises(ValueError, match="header") as caught:
            await client.send(request, allowed_hosts=[HostRule.parse("api.example.com")])
        assert not any(value in str(caught.value) for value in headers.values() if len(value) > 1)


class TestCertificates:
    @pytest.mark.parametrize(
        ("make", "trusts_it", "fault"),
        [
            pytest.param(
                lambda a: a.issue("127.0.0.1", start=-2 * DAY, end=-DAY), True, EXPIRED, id="expired"
            ),
            pytest.param(
                lambda a: a.issue("127.0.0.1", start=DAY, end=2 * DAY),
                True,
                NOT_YET_VALID,
                id="not yet valid",
            ),
            pytest.param(lambda a: a.issue("127.0.0.2"), True, OTHER_ADDRESS, id="wrong address"),
            pytest.param(
                lambda a: a.issue("127.0.0.1", for_server=False), True, OTHER_PURPOSE, id="wrong purpose"
            ),
            pytest.param(lambda _: self_signed("127.0.0.1"), True, SELF_SIGNED, id="self-signed"),
            pytest.param(
                lambda _: Authority("Unknown").issue("127.0.0.1"), True, NO_ISSUER, id="unknown authority"
            ),
            pytest.param(
                lambda _: Authority("Middle", Authority("Unknown")).issue("127.0.0.1"),
                True,
                NO_ISSUER,
                id="unknown authority above the one that is sent",
            ),
            pytest.param(
                lambda _: Authority("Unknown").issue("127.0.0.1", with_root=True),
                True,
                SELF_SIGNED_ABOVE,
                id="unknown authority that is sent",
            ),
            pytest.param(
                lambda a: Authority("Middle", a).issue("127.0.0.1", issuer_at=ISSUER_AT).alone(),
                True,
                INCOMPLETE,
                id="authority in the middle not sent",
            ),
            pytest.param(lambda a: a.issue("127.0.0.1", weak=True), True, TOO_WEAK, id="weak key"),
            pytest.param(lambda a: a.issue("127.0.0.1"), False, NO_ISSUER, id="system trust only"),
        ],
    )
    async def test_a_bad_one_is_named_and_nothing_is_sent(
        self,
        client: HttpClient,
        authority: Authority,
        make: Callable[[Authority], Identity],
        trusts_it: bool,
        fault: tuple[FailureKind, str],
    ) -> None:
        async with FaultServer(answering(response()), make(authority).server_context()) as server:
            failure = failed(await ask(client, server.url(), ca=authority.pem if trusts_it else None))
        assert (failure.kind, failure.detail) == fault
        assert server.requests == []

    async def test_a_self_signed_one_can_be_trusted_as_such(self, client: HttpClient) -> None:
        identity = self_signed("127.0.0.1")
        async with FaultServer(answering(response()), identity.server_context()) as server:
            answered(await ask(client, server.url(), ca=identity.chain))

    async def test_an_intermediate_authority_can_be_trusted_as_such(
        self, client: HttpClient, authority: Authority
    ) -> None:
        middle = Authority("Middle", authority)
        async with FaultServer(answering(response()), middle.issue("127.0.0.1").server_context()) as server:
            answered(await ask(client, server.url(), ca=middle.pem))
            answered(await ask(client, server.url(), ca=authority.pem))

    async def test_old_protocol_versions_are_refused(
        self, client: HttpClient, authority: Authority, identity: Identity
    ) -> None:
        with fault_server.alerting_port(identity.outdated_server_context()) as port:
            failure = failed(await ask(client, f"https://127.0.0.1:{port}/", ca=authority.pem))
        assert (failure.kind, failure.detail) == (
            FailureKind.TLS_TOO_OLD,
            "TLS 1.2 or later is not supported",
        )

    async def test_plain_http_on_an_https_port(self, client: HttpClient) -> None:
        async def plain(connection: fault_server.Connection) -> None:
            await connection.send(response(b"hello", status="400 Bad Request"))
            await connection.request()

        async with FaultServer(plain) as server:
            failure = failed(await ask(client, f"https://127.0.0.1:{server.port}/"))
        assert (failure.kind, failure.detail) == (FailureKind.TLS_NOT_SPOKEN, "the port does not speak TLS")

    async def test_a_server_that_hangs_up_on_the_handshake(self, client: HttpClient) -> None:
        async def rude(connection: fault_server.Connection) -> None:
            connection.reset()

        async with FaultServer(rude) as server:
            failure = failed(await ask(client, f"https://127.0.0.1:{server.port}/"))
        assert failure.kind == FailureKind.TLS_FAILED
        assert failure.detail == "the connection was closed during the TLS handshake"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_a_server_that_wants_a_certificate_of_ours(
        self, client: HttpClient, authority: Authority, identity: Identity, version: ssl.TLSVersion
    ) -> None:
        context = identity.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = version
        with fault_server.alerting_port(context) as port:
            failure = failed(await ask(client, f"https://127.0.0.1:{port}/", ca=authority.pem))
        assert (failure.kind, failure.detail) == WANTS_OURS

    async def test_a_server_with_which_no_cipher_can_be_agreed(
        self, client: HttpClient, authority: Authority, identity: Identity
    ) -> None:
        context = identity.server_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # and its key is of another kind
        with fault_server.alerting_port(context) as port:
            failure = failed(await ask(client, f"https://127.0.0.1:{port}/", ca=authority.pem))
        assert (failure.kind, failure.detail) == (FailureKind.TLS_FAILED, "no common TLS settings")


class TestConnecting:
    async def test_refused(self, client: HttpClient) -> None:
        with fault_server.unused_port() as port:
            failure = failed(await ask(client, f"https://127.0.0.1:{port}/"))
        assert (failure.kind, failure.host) == (FailureKind.CONNECTION_REFUSED, f"127.0.0.1:{port}")

    async def test_unreachable(self, client: HttpClient) -> None:
        # The broadcast address of the loopback network: the kernel has no way to connect to it.
        failure = failed(await ask(client, "https://127.255.255.255/"))
        assert (failure.kind, failure.detail) == (FailureKind.UNREACHABLE, "no route to the network")

    @pytest.mark.parametrize(
        ("port_of", "kind"),
        [
            (fault_server.full_port, FailureKind.CONNECT_TIMEOUT),
            (fault_server.deaf_port, FailureKind.TLS_TIMEOUT),
        ],
    )
    async def test_no_answer(
        self,
        waits_briefly_to_connect: HttpClient,
        port_of: Callable[[], AbstractContextManager[int]],
        kind: FailureKind,
    ) -> None:
        with port_of() as port:
            failure = failed(await ask(waits_briefly_to_connect, f"https://127.0.0.1:{port}/"))
        assert failure.kind == kind


class TestAnswersThatFail:
    @pytest.mark.parametrize(
        ("behaviour", "fault"),
        [
            pytest.param(fault_server.closing_at_once, CUT_OFF, id="no answer"),
            pytest.param(fault_server.resetting, CUT_OFF, id="reset"),
            pytest.param(
                fault_server.answering_then_closing(response(b"x" * 500)[:-100]),
                TRUNCATED,
                id="cut in the body",
            ),
            pytest.param(
                fault_server.answering_then_closing(b"HTTP/1.1 200 OK\r\nContent-"),
                TRUNCATED,
                id="cut in the head",
            ),
            pytest.param(
                fault_server.answering_then_closing(CHUNKED + b"5\r\nab"), TRUNCATED, id="cut in a chunk"
            ),
            pytest.param(
                fault_server.answering_then_closing(CHUNKED + b"zz\r\n"), NOT_HTTP, id="not a chunk"
            ),
            pytest.param(
                fault_server.answering_then_closing(response(b"not gzip", "Content-Encoding: gzip")),
                NOT_DECODABLE,
                id="not gzip",
            ),
            pytest.param(
                fault_server.answering_then_closing(response(b"brotli", "Content-Encoding: br")),
                NOT_DECODABLE,
                id="brotli",
            ),
            pytest.param(
                fault_server.answering_then_closing(b"SSH-2.0-OpenSSH_9.2\r\n"), NOT_HTTP, id="not HTTP"
            ),
            pytest.param(
                answering(response(b"", "X: " + "x" * 100_000)), HEADERS_TOO_LARGE, id="huge header"
            ),
            pytest.param(answering(response(b"", *["X: x"] * 10_000)), HEADERS_TOO_LARGE, id="many headers"),
            pytest.param(answering(response(b"x" * 65537)), BODY_TOO_LARGE, id="one byte too many"),
            pytest.param(fault_server.flooding, BODY_TOO_LARGE, id="endless"),
            pytest.param(answering(fault_server.gzip_bomb(200_000_000)), BOMB, id="gzip bomb"),
        ],
    )
    @pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
    async def test_are_named(  # noqa: PLR0917 - fixtures and parameters
        self,
        client: HttpClient,
        authority: Authority,
        identity: Identity,
        behaviour: Behaviour,
        fault: tuple[FailureKind, str],
        secure: bool,
    ) -> None:
        async with FaultServer(behaviour, identity.server_context() if secure else None) as server:
            failure = failed(await ask(client, server.url(), ca=authority.pem if secure else None))
        assert (failure.kind, failure.detail) == fault
        assert failure.host == f"127.0.0.1:{server.port}"

    @pytest.mark.parametrize("behaviour", [fault_server.silent, fault_server.dripping])
    async def test_take_too_long(
        self,
        waits_briefly_for_answers: HttpClient,
        authority: Authority,
        identity: Identity,
        behaviour: Behaviour,
    ) -> None:
        async with FaultServer(behaviour, identity.server_context()) as server:
            failure = failed(await ask(waits_briefly_for_answers, server.url(), ca=authority.pem))
        assert failure.kind == FailureKind.RESPONSE_TIMEOUT

    async def test_take_as_long_where_framing_breaks_in_the_middle_and_are_named_all_the_same(
        self, waits_briefly_for_answers: HttpClient
    ) -> None:
        async def behave(connection: fault_server.Connection) -> None:
            await connection.request()
            await connection.send(CHUNKED + b"2\r\nab\r\n")
            await asyncio.sleep(0.1)  # so that the head has been read when the rest comes
            await connection.send(b"zz\r\n")

        async with FaultServer(behave) as server:
            outcome = await ask(waits_briefly_for_answers, server.url())
        assert failed(outcome).kind == FailureKind.NOT_HTTP
        assert outcome.transport.received == 2

    async def test_a_bomb_is_never_decoded_as_a_whole(self, client: HttpClient) -> None:
        async with FaultServer(answering(fault_server.gzip_bomb(200_000_000))) as server:
            tracemalloc.start()
            try:
                failed(await ask(client, server.url()))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 5_000_000


class Names:
    """What names resolve to: addresses, or an error to raise. It notes what it was asked."""

    def __init__(self, answer: list[str] | OSError) -> None:
        self.asked: list[str] = []
        self._answer = answer

    def __call__(self, host: str, port: int, *_: Any) -> list[Any]:
        self.asked.append(host)
        if isinstance(self._answer, OSError):
            raise self._answer
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in self._answer
        ]


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Set when the test is over, so that a lookup can hang until then."""
    event = threading.Event()
    yield event
    event.set()


class TestNames:
    async def test_a_name_is_looked_up_once_and_its_certificate_checked(
        self, authority: Authority, identity: Identity
    ) -> None:
        names = Names(["127.0.0.1"])
        client = HttpClient(LOOPBACK, getaddrinfo=names)
        async with FaultServer(answering(response()), identity.server_context()) as server:
            for url in (server.url(host="api.example.com"), server.url(host="API.Example.com.")):
                rules = (f"api.example.com:{server.port}",)
                answered(await ask(client, url, ca=authority.pem, rules=rules))
        await client.close()
        assert names.asked == ["api.example.com"], "both spellings are one host, with one connection"
        assert b"Host: api.example.com:" in server.requests[1]

    async def test_a_certificate_for_another_name(self, authority: Authority, identity: Identity) -> None:
        client = HttpClient(LOOPBACK, getaddrinfo=Names(["127.0.0.1"]))
        async with FaultServer(answering(response()), identity.server_context()) as server:
            failure = failed(await ask(client, server.url(host="www.example.com"), ca=authority.pem))
        await client.close()
        assert failure.kind == FailureKind.TLS_HOST_MISMATCH
        assert failure.detail == "certificate is for another name"
        assert server.requests == []

    @pytest.mark.parametrize(
        ("addresses", "detail"),
        [
            (["127.0.0.1", "10.0.0.1"], "10.0.0.1 is a private address"),
            (["10.0.0.1", "127.0.0.1"], "10.0.0.1 is a private address"),
            # Turned round by the name server, it is still the same that is told: another message would be news.
            (["10.0.0.2", "10.0.0.1"], "10.0.0.1 is a private address"),
            (["127.0.0.1", "::1"], "::1 is a loopback address"),
            (["169.254.169.254"], "169.254.169.254 is the address of the cloud's metadata service"),
            (["fe80::1%lo"], "fe80::1%lo has a zone"),
        ],
    )
    async def test_one_forbidden_address_is_enough(self, addresses: list[str], detail: str) -> None:
        client = HttpClient(LOOPBACK_HTTP, getaddrinfo=Names(addresses))
        async with FaultServer(answering(response())) as server:
            failure = failed(await ask(client, server.url(host="api.example.com")))
        await client.close()
        assert (failure.kind, failure.detail) == (FailureKind.ADDRESS_NOT_ALLOWED, detail)
        assert server.connections == 0

    async def test_addresses_that_do_not_answer_are_passed_over(self) -> None:
        client = HttpClient(LOOPBACK_HTTP, getaddrinfo=Names(["127.0.0.2", "127.255.255.255", "127.0.0.1"]))
        async with FaultServer(answering(response())) as server:
            answered(await ask(client, server.url(host="api.example.com")))
        await client.close()

    async def test_the_most_telling_of_several_failures_is_named(self) -> None:
        client = HttpClient(LOOPBACK, getaddrinfo=Names(["127.255.255.255", "127.0.0.1"]))
        with fault_server.unused_port() as port:
            failure = failed(await ask(client, f"https://api.example.com:{port}/"))
        await client.close()
        assert failure.kind == FailureKind.CONNECTION_REFUSED

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (socket.EAI_NONAME, FailureKind.HOST_NOT_FOUND),
            (socket.EAI_NODATA, FailureKind.HOST_NOT_FOUND),
            (socket.EAI_AGAIN, FailureKind.DNS_FAILED),
            (socket.EAI_FAIL, FailureKind.DNS_FAILED),
            (socket.EAI_MEMORY, FailureKind.DNS_FAILED),
        ],
    )
    async def test_lookups_that_fail(self, code: int, kind: FailureKind) -> None:
        client = HttpClient(LOOPBACK, getaddrinfo=Names(socket.gaierror(code, CANARY)))
        outcomes = await asyncio.gather(*(ask(client, "https://api.example.com/") for _ in range(3)))
        await client.close()
        assert [failed(outcome).kind for outcome in outcomes] == [kind] * 3

    async def test_a_lookup_without_an_address(self) -> None:
        client = HttpClient(LOOPBACK, getaddrinfo=Names([]))
        failure = failed(await ask(client, "https://api.example.com/"))
        await client.close()
        assert failure.kind == FailureKind.HOST_NOT_FOUND

    async def test_a_lookup_that_hangs(self, held: threading.Event) -> None:
        def hang(*_: Any) -> list[Any]:
            held.wait()
            return []

        client = HttpClient(LOOPBACK, connect_timeout=1.0, getaddrinfo=hang)
        outcomes = await asyncio.gather(*(ask(client, "https://api.example.com/") for _ in range(3)))
        held.set()
        await client.close()
        assert {failed(outcome).kind for outcome in outcomes} == {FailureKind.DNS_TIMEOUT}

    async def test_a_domain_whose_name_servers_are_silent_leaves_threads_to_others(
        self, held: threading.Event
    ) -> None:
        def look_up(host: str, port: int, *rest: Any) -> list[Any]:
            if host.endswith(".silent.example"):
                held.wait()
            return Names(["127.0.0.1"])(host, port, *rest)

        client = HttpClient(LOOPBACK_HTTP, connect_timeout=1.0, getaddrinfo=look_up)
        many = range(2 * CheckedResolver.THREADS)
        urls = [f"https://tenant-{number}.silent.example/" for number in many]
        silent = asyncio.gather(*(ask(client, url) for url in urls))
        async with FaultServer(answering(response())) as server:
            await asyncio.sleep(0)
            answered(await ask(client, server.url(host="api.example.com")))
        assert {failed(outcome).kind for outcome in await silent} == {FailureKind.DNS_TIMEOUT}
        held.set()
        async with FaultServer(answering(response())) as server:
            answered(await ask(client, server.url(host="tenant-0.silent.example")))
        await client.close()

    @pytest.mark.parametrize(
        ("patience", "kind"), [(0.0, FailureKind.DNS_TIMEOUT), (60.0, FailureKind.DNS_FAILED)]
    )
    async def test_no_answer_is_silence_only_if_it_took_as_long(
        self, monkeypatch: pytest.MonkeyPatch, patience: float, kind: FailureKind
    ) -> None:
        monkeypatch.setattr(CheckedResolver, "SHORTEST_TIMEOUT", patience)
        client = HttpClient(LOOPBACK, getaddrinfo=Names(socket.gaierror(socket.EAI_AGAIN, CANARY)))
        failure = failed(await ask(client, "https://api.example.com/"))
        await client.close()
        assert failure.kind == kind


LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]


class TestTheWay:
    """What an exchange tells of its way, on the loop of production as on the other."""

    @pytest.mark.parametrize("new_loop", LOOPS)
    def test_of_a_new_connection_and_of_one_that_is_used_again(
        self, authority: Authority, identity: Identity, new_loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        async def story() -> list[Outcome]:
            client = HttpClient(LOOPBACK, getaddrinfo=Names(["127.0.0.1", "127.0.0.3"]))
            async with FaultServer(answering(response(b"hello")), identity.server_context()) as server:
                url = server.url(host="api.example.com")
                outcomes = [
                    await ask(client, url, method, ca=authority.pem) for method in ("GET", "GET", "POST")
                ]
            await client.close()
            return outcomes

        with asyncio.Runner(loop_factory=new_loop) as runner:
            outcomes = runner.run(story())
        first, second, third = (outcome.transport for outcome in outcomes)
        for way in (first, third):
            assert (way.addresses, way.address, way.reused) == (
                ("127.0.0.1", "127.0.0.3"),
                "127.0.0.1",
                False,
            )
            times = [way.dns, way.connect, way.tls, way.request]
            assert all(time is not None and time > 0 for time in times)
            assert sum(time or 0 for time in times) <= outcomes[0].seconds + outcomes[2].seconds
        assert first.tls_version == "TLSv1.3"
        assert first.certificate is not None
        assert first.certificate.names == ("127.0.0.1", "api.example.com")
        assert first.received == 5
        assert second == replace(
            first, reused=True, dns=None, connect=None, tls=None, request=second.request
        ), "a connection that is used again tells who was found when it was made"
        assert second.request is not None

    @pytest.mark.parametrize("new_loop", LOOPS)
    def test_tells_a_slow_handshake_from_a_slow_connection(
        self, authority: Authority, identity: Identity, new_loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        async def story() -> Outcome:
            client = HttpClient(LOOPBACK)
            with fault_server.slow_to_shake_hands(identity.server_context(), 0.5) as port:
                outcome = await ask(client, f"https://127.0.0.1:{port}/", ca=authority.pem)
            await client.close()
            return outcome

        with asyncio.Runner(loop_factory=new_loop) as runner:
            way = runner.run(story()).transport
        assert way.tls is not None
        assert way.connect is not None
        assert way.tls > 0.4, "but for what two clocks differ by"
        assert way.connect < 0.4

    async def test_without_tls_and_without_a_name(self, client: HttpClient) -> None:
        async with FaultServer(answering(response())) as server:
            way = (await ask(client, server.url())).transport
        assert (way.addresses, way.address) == (("127.0.0.1",), "127.0.0.1")
        assert (way.dns, way.tls, way.tls_version, way.certificate) == (None, None, "", None)
        assert way.connect
        assert way.request

    async def test_of_ten_addresses_at_most(self) -> None:
        names = Names([f"127.0.0.{number}" for number in range(1, 20)])
        client = HttpClient(LOOPBACK_HTTP, getaddrinfo=names)
        async with FaultServer(answering(response())) as server:
            way = (await ask(client, server.url(host="api.example.com"))).transport
        await client.close()
        assert way.addresses == tuple(f"127.0.0.{number}" for number in range(1, 11))

    async def test_when_many_ask_at_once_for_a_name_that_is_looked_up_once(self) -> None:
        names = Names(["127.0.0.1"])
        client = HttpClient(LOOPBACK_HTTP, getaddrinfo=names)
        async with FaultServer(answering(response())) as server:
            url = server.url(host="api.example.com")
            outcomes = await asyncio.gather(*(ask(client, url) for _ in range(5)))
        await client.close()
        assert len(names.asked) == 1
        assert {outcome.transport.addresses for outcome in outcomes} == {("127.0.0.1",)}
        assert all(outcome.transport.dns for outcome in outcomes), "each of them waited for it"

    async def test_when_a_connection_turns_out_to_be_closed(self, client: HttpClient) -> None:
        async with FaultServer(fault_server.closing_on_second_request) as server:
            ways = [(await ask(client, server.url())).transport for _ in range(2)]
        assert [way.reused for way in ways] == [False, False]
        assert all(way.connect for way in ways), "the one that answered is the one that counts"

    async def test_past_an_address_that_does_not_answer(self) -> None:
        client = HttpClient(LOOPBACK_HTTP, getaddrinfo=Names(["127.0.0.2", "127.0.0.1"]))
        async with FaultServer(answering(response())) as server:
            way = (await ask(client, server.url(host="api.example.com"))).transport
        await client.close()
        assert (way.addresses, way.address) == (("127.0.0.2", "127.0.0.1"), "127.0.0.1")

    async def test_past_an_address_whose_certificate_is_not_accepted(
        self, authority: Authority, identity: Identity
    ) -> None:
        async with FaultServer(answering(response()), identity.server_context()) as good:
            wrong = self_signed("api.example.com").server_context()
            async with FaultServer(answering(response()), wrong, address="127.0.0.2", port=good.port):
                client = HttpClient(LOOPBACK, getaddrinfo=Names(["127.0.0.2", "127.0.0.1"]))
                outcome = await ask(client, good.url(host="api.example.com"), ca=authority.pem)
                await client.close()
        answered(outcome)
        assert outcome.transport.address == "127.0.0.1"
        assert outcome.transport.certificate is not None
        assert outcome.transport.certificate.issuer == "CN=Test Authority"

    async def test_as_far_as_a_lookup_that_failed(self) -> None:
        answers: list[list[str] | OSError] = [["127.0.0.1"], socket.gaierror(socket.EAI_NONAME, CANARY)]

        def look_up(host: str, port: int, *_: Any) -> list[Any]:
            return Names(answers.pop(0))(host, port)

        client = HttpClient(LOOPBACK_HTTP, getaddrinfo=look_up)
        with fault_server.unused_port() as port:
            refused = (await ask(client, f"http://api.example.com:{port}/")).transport
        failed_lookup = (await ask(client, "http://api.example.com:1/")).transport
        await client.close()
        assert (refused.addresses, refused.address) == (("127.0.0.1",), "")
        assert refused.connect
        assert refused.tls is refused.request is None
        assert failed_lookup.dns
        assert replace(failed_lookup, dns=None) == Transport(), "what the name had before is not what it has"

    async def test_as_far_as_an_address_that_is_forbidden(self, client: HttpClient) -> None:
        names = Names(["127.0.0.1", "10.0.0.1"])
        named = HttpClient(LOOPBACK_HTTP, getaddrinfo=names)
        way = (await ask(named, "http://api.example.com/")).transport
        await named.close()
        assert way.addresses == ("127.0.0.1", "10.0.0.1")
        assert way.connect is None
        literal = (await ask(client, "http://10.0.0.1/")).transport
        assert literal == Transport(("10.0.0.1",))

    @pytest.mark.parametrize(
        ("port_of", "connected_to"), [(fault_server.full_port, ""), (fault_server.deaf_port, "127.0.0.1")]
    )
    async def test_as_far_as_it_got_in_the_time_to_connect(
        self, port_of: Callable[[], AbstractContextManager[int]], connected_to: str
    ) -> None:
        client = HttpClient(LOOPBACK, connect_timeout=0.4, getaddrinfo=Names(["127.0.0.1"]))
        with port_of() as port:
            way = (await ask(client, f"https://api.example.com:{port}/")).transport
        await client.close()
        assert (way.addresses, way.address) == (("127.0.0.1",), connected_to)
        assert way.dns
        assert way.connect
        assert bool(way.tls) == bool(connected_to)
        assert way.request is None

    async def test_as_far_as_it_got_in_the_time_to_answer(
        self, waits_briefly_for_answers: HttpClient, authority: Authority, identity: Identity
    ) -> None:
        async with FaultServer(fault_server.dripping, identity.server_context()) as server:
            way = (await ask(waits_briefly_for_answers, server.url(), ca=authority.pem)).transport
        assert way.certificate is not None
        assert way.tls
        assert way.request
        assert way.received

    @pytest.mark.parametrize(
        ("data", "received"),
        [(response(b"x" * 500)[:-100], 400), (CHUNKED + b"5\r\nab", 2), (b"HTTP/1.1 200 OK\r\nCon", None)],
    )
    async def test_as_far_as_the_body_was_read(
        self, client: HttpClient, data: bytes, received: int | None
    ) -> None:
        async with FaultServer(fault_server.answering_then_closing(data)) as server:
            outcome = await ask(client, server.url())
        assert failed(outcome).kind == FailureKind.RESPONSE_TRUNCATED
        assert outcome.transport.received == received

    async def test_nowhere_if_nothing_is_sent(self, client: HttpClient) -> None:
        outcome = await ask(client, "https://127.0.0.1/", rules=("api.example.com",))
        assert outcome.transport == Transport()


class TestWhatACertificateSays:
    async def test_of_a_host_that_is_not_trusted(self, client: HttpClient, authority: Authority) -> None:
        identity = authority.issue("127.0.0.1", "other.example.com", start=-2 * DAY, end=-DAY)
        async with FaultServer(answering(response()), identity.server_context()) as server:
            outcome = await ask(client, server.url(), ca=authority.pem)
        assert failed(outcome).kind == FailureKind.TLS_EXPIRED
        way, shown = outcome.transport, outcome.transport.certificate
        assert shown is not None
        assert (shown.subject, shown.issuer) == ("CN=127.0.0.1", "CN=Test Authority")
        assert shown.names == ("127.0.0.1", "other.example.com")
        assert datetime.fromisoformat(shown.not_after) - datetime.fromisoformat(shown.not_before) == DAY
        assert (way.address, way.tls_version) == ("127.0.0.1", "TLSv1.3")
        assert way.tls
        assert server.requests == [], "looking at it sends nothing"

    @pytest.mark.parametrize("new_loop", LOOPS)
    def test_is_looked_at_on_every_loop_and_no_connection_is_left(
        self, new_loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        async def story(port: int) -> Outcome:
            client = HttpClient(LOOPBACK, getaddrinfo=Names(["127.0.0.1"]))
            outcome = await ask(client, f"https://api.example.com:{port}/")
            await client.close()
            return outcome

        identity = self_signed("api.example.com")
        with (
            fault_server.counting_ends(identity.server_context()) as (port, ends),
            asyncio.Runner(loop_factory=new_loop) as runner,
        ):
            outcome = runner.run(story(port))
        assert len(ends) == 2, "one that did not accept the certificate, and one that looked at it"
        assert failed(outcome).kind == FailureKind.TLS_SELF_SIGNED
        assert outcome.transport.certificate is not None
        assert outcome.transport.certificate.subject == "CN=api.example.com"

    async def test_is_left_out_if_it_is_not_shown_twice(self, client: HttpClient) -> None:
        with fault_server.shaking_hands_once(self_signed("127.0.0.1").server_context()) as port:
            outcome = await ask(client, f"https://127.0.0.1:{port}/")
        assert failed(outcome).kind == FailureKind.TLS_SELF_SIGNED
        assert outcome.transport.certificate is None

    async def test_is_shown_without_what_could_deceive(
        self, client: HttpClient, authority: Authority
    ) -> None:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "line\nbreak \u202e\x1b[31m" + "x" * 40),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "y" * 64),
                x509.NameAttribute(NameOID.LOCALITY_NAME, "z" * 128),
            ]
        )
        names = ["127.0.0.1", *(f"host-{number}.example.com" for number in range(20))]
        identity = authority.issue(*names, subject=subject)
        async with FaultServer(answering(response()), identity.server_context()) as server:
            shown = (await ask(client, server.url(), ca=authority.pem)).transport.certificate
        assert shown is not None
        assert shown.subject.isprintable()
        assert len(shown.subject) == 200
        assert shown.names == tuple(names[:10])

    async def test_of_a_host_without_a_subject_is_its_first_name(
        self, client: HttpClient, authority: Authority
    ) -> None:
        identity = authority.issue("127.0.0.1", subject=x509.Name([]))
        async with FaultServer(answering(response()), identity.server_context()) as server:
            shown = (await ask(client, server.url(), ca=authority.pem)).transport.certificate
        assert shown is not None
        assert shown.subject == "127.0.0.1"

    @pytest.mark.parametrize("der", [None, b"", b"no certificate", b"0\x82\x01\x00" + bytes(256)])
    def test_is_nothing_if_it_cannot_be_read(self, der: bytes | None) -> None:
        assert read_certificate(der) is None

    @settings(max_examples=300)
    @given(
        st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4)
    )
    def test_is_read_or_not_however_it_is_garbled(self, changes: list[tuple[float, int]]) -> None:
        garbled = bytearray(SOME_CERTIFICATE)
        for place, byte in changes:
            garbled[int(place * len(garbled))] = byte
        found = read_certificate(bytes(garbled))
        assert found is None or found.subject.isprintable()

    def test_of_an_impossible_version_is_not_read(self) -> None:
        version = SOME_CERTIFICATE.index(b"\xa0\x03\x02\x01\x02") + 4
        garbled = SOME_CERTIFICATE[:version] + b"\x55" + SOME_CERTIFICATE[version + 1 :]
        assert read_certificate(SOME_CERTIFICATE) is not None
        assert read_certificate(garbled) is None


def connector_error(error: OSError) -> aiohttp.ClientConnectorError:
    key = ConnectionKey(
        "api.example.com", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
    )
    return aiohttp.ClientConnectorError(key, error)


class TestErrorsThatNoServerCanBringAbout:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (connector_error(OSError(errno.ETIMEDOUT, CANARY)), FailureKind.CONNECT_TIMEOUT),
            (connector_error(OSError(errno.EPROTO, CANARY)), FailureKind.UNREACHABLE),
            (connector_error(OSError(CANARY)), FailureKind.UNREACHABLE),
            (aiohttp.ClientConnectionResetError(CANARY), FailureKind.CONNECTION_LOST),
        ],
    )
    def test_are_named_without_their_text(self, error: Exception, kind: FailureKind) -> None:
        fault = fault_of(error, Journey())
        assert fault is not None
        assert fault[0] == kind
        assert CANARY not in fault[1]

    @pytest.mark.parametrize(
        "error",
        [connector_error(OSError(errno.EMFILE, "too many open files")), aiohttp.InvalidURL("x"), OSError()],
    )
    def test_are_ours_if_nothing_else(self, error: Exception) -> None:
        assert fault_of(error, Journey()) is None


async def test_closing_without_use_and_using_again() -> None:
    client = HttpClient(LOOPBACK_HTTP)
    await client.close()
    async with FaultServer(answering(response())) as server:
        answered(await ask(client, server.url()))
        await client.close()
        answered(await ask(client, server.url()))
    await client.close()


def test_a_time_to_connect_that_no_exchange_would_have() -> None:
    with pytest.raises(ValueError, match="shorter"):
        HttpClient(LOOPBACK, connect_timeout=10, total_timeout=10)
