"""Client certificates over real TLS: who is believed, who is refused and why, and that none is taken for another."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import stat
import tempfile
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from integration_hub.adapters import tls
from integration_hub.adapters.client_certificate import CertificateUnusableError, show
from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.tls import client_context
from integration_hub.adapters.traffic import Traffic
from integration_hub.auth.credentials import read_credentials
from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import METHODS
from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from integration_hub.model.http import ClientCertificate, FailureKind, HttpRequest, Outcome
from integration_hub.model.reasons import Reason
from integration_hub.probe.diagnose import Diagnosis, diagnose
from support.auth import CONTEXT
from support.builders import plan
from support.certificates import DAY, Authority, Identity
from support.fault_server import Connection, FaultServer, alerting_port, response

LOOPBACK = EgressPolicy(parse_cidrs(["127.0.0.0/8"]))
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
Client = Callable[..., ClientCertificate]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Test Authority")


@pytest.fixture(scope="module")
def clients() -> Authority:
    """Who signs certificates of clients; another one than of servers, as is usual."""
    return Authority("Clients")


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(LOOPBACK)
    yield client
    await client.close()


def shown(identity: Identity) -> ClientCertificate:
    return ClientCertificate(identity.chain, identity.key)


def named(clients: Authority, name: str = "hub", **how: object) -> ClientCertificate:
    return shown(clients.issue(name, for_server=False, **how))  # type: ignore[arg-type]


def wanting(
    authority: Authority, clients: Authority, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """A server that believes nobody without a certificate of `clients`."""
    context = authority.issue("127.0.0.1").server_context()
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=clients.pem)
    return context


async def saying_who_asks(connection: Connection) -> None:
    """Answer each request with the name in the certificate that its connection was made with."""
    while await connection.request() is not None:
        shown = connection._writer.get_extra_info("peercert") or {}
        names = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
        await connection.send(response((names or ["nobody"])[0].encode()))


async def ask(
    client: HttpClient | Traffic, port: int, authority: Authority, certificate: ClientCertificate | None
) -> Outcome:
    url = f"https://127.0.0.1:{port}/who"
    outcome = await client.send(
        HttpRequest("GET", url, client_certificate=certificate),
        allowed_hosts=[HostRule.parse(f"https://127.0.0.1:{port}")],
        ca_bundle=authority.pem,
    )
    assert isinstance(outcome, Outcome)
    return outcome


def name_in(outcome: Outcome) -> str:
    assert outcome.response is not None, outcome.failure
    return outcome.response.body.decode()


# -- Who is believed ---------------------------------------------------------------------------------


@versions
async def test_a_host_that_wants_a_certificate_gets_ours(
    client: HttpClient, authority: Authority, clients: Authority, version: ssl.TLSVersion
) -> None:
    async with FaultServer(saying_who_asks, wanting(authority, clients, version)) as server:
        outcome = await ask(client, server.port, authority, named(clients, "jane"))
        assert name_in(outcome) == "jane"
        assert outcome.transport.tls_version == version.name.replace("v1_", "v1.")


async def test_a_chain_is_sent_whole(client: HttpClient, authority: Authority, clients: Authority) -> None:
    below = Authority("Department", clients)
    async with FaultServer(saying_who_asks, wanting(authority, clients)) as server:
        assert name_in(await ask(client, server.port, authority, named(below, "jane"))) == "jane"


async def test_a_host_that_wants_none_gets_none(
    client: HttpClient, authority: Authority, clients: Authority
) -> None:
    async with FaultServer(saying_who_asks, authority.issue("127.0.0.1").server_context()) as server:
        assert name_in(await ask(client, server.port, authority, named(clients))) == "nobody"


def asking_late(context: ssl.SSLContext, connection: socket.socket) -> None:
    """Ask for a certificate only when the request has been read (RFC 8446 section 4.6.2)."""
    with context.wrap_socket(connection, server_side=True) as shaken:
        shaken.recv(65536)
        shaken.verify_client_post_handshake()
        shaken.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # carries the wish for a certificate along
        shaken.settimeout(0.5)
        with suppress(TimeoutError):
            shaken.recv(1)  # takes the certificate in; there is nothing else to read
        shaken.settimeout(10)
        subject = (shaken.getpeercert() or {}).get("subject", ())
        names = [str(part[0][1]) for part in subject if isinstance(part, tuple)]
        shaken.sendall(response((names or ["nobody"])[0].encode()))


@contextmanager
def serving(serve: Callable[[ssl.SSLContext, socket.socket], None], context: ssl.SSLContext) -> Iterator[int]:
    """A port that serves one connection after the other, in a thread."""

    def serve_all() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            with connection, suppress(OSError):
                serve(context, connection)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve_all)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_a_host_may_ask_when_it_knows_what_is_asked_for(
    client: HttpClient, authority: Authority, clients: Authority
) -> None:
    context = wanting(authority, clients)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.post_handshake_auth = True
    with serving(asking_late, context) as port:
        assert name_in(await ask(client, port, authority, named(clients, "jane"))) == "jane"


# -- Who is refused ----------------------------------------------------------------------------------


Make = Callable[[Authority], ClientCertificate | None]

REFUSED: list[tuple[str, Make, str, Reason]] = [
    (
        "of another authority",
        lambda _: named(Authority("Others")),
        "the host does not know the authority that issued it",
        Reason.CREDENTIALS_REJECTED,
    ),
    (
        "of a namesake of the authority",
        lambda _: named(Authority("Clients")),
        "",  # OpenSSL's alert depends on how it finds out
        Reason.CREDENTIALS_REJECTED,
    ),
    (
        "of yesterday",
        lambda clients: named(clients, start=-2 * DAY, end=-DAY),
        "the host says that it has expired or is not valid yet",
        Reason.CREDENTIALS_EXPIRED,
    ),
    (
        "of tomorrow",
        lambda clients: named(clients, start=DAY, end=2 * DAY),
        "",
        Reason.CREDENTIALS_REJECTED,
    ),
    (
        "for servers",
        lambda clients: shown(clients.issue("hub")),
        "the host takes no certificates of its kind or purpose",
        Reason.CREDENTIALS_REJECTED,
    ),
    (
        "none",
        lambda _: None,
        "the host requires a client certificate",
        Reason.CLIENT_CERTIFICATE_REQUIRED,
    ),
]


@versions
@pytest.mark.parametrize(
    ("make", "words", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_a_refusal_is_told_apart_from_the_wish_for_a_certificate(  # noqa: PLR0917
    client: HttpClient,
    authority: Authority,
    clients: Authority,
    make: Make,
    words: str,
    reason: Reason,
    version: ssl.TLSVersion,
) -> None:
    certificate = make(clients)
    with alerting_port(wanting(authority, clients, version)) as port:
        # In TLS 1.3 the refusal comes when the request is on its way already: more than one order is possible.
        for _ in range(10):
            outcome = await ask(client, port, authority, certificate)
            assert outcome.failure is not None
            assert outcome.failure.kind is FailureKind.TLS_CLIENT_CERTIFICATE
            assert outcome.failure.detail == words or (not words and outcome.failure.detail)
            assert told(outcome, certificate).reason is reason


def told(outcome: Outcome, certificate: ClientCertificate | None) -> Diagnosis:
    planned = plan()
    sent = replace(planned.request, client_certificate=certificate)
    now = datetime.now(UTC)
    return diagnose(planned, (outcome,), now=now, sent=sent)


def hanging_up(context: ssl.SSLContext, connection: socket.socket) -> None:
    """Say why, and close without reading on, which resets the connection: the usual way of servers."""
    context.wrap_socket(connection, server_side=True).close()


@versions
@pytest.mark.parametrize("body", [None, b"x" * 100_000], ids=["small", "large"])
async def test_a_refusal_is_heard_although_it_is_lost_on_its_way(
    client: HttpClient, authority: Authority, clients: Authority, version: ssl.TLSVersion, body: bytes | None
) -> None:
    with serving(hanging_up, wanting(authority, clients, version)) as port:
        request = HttpRequest("POST" if body else "GET", f"https://127.0.0.1:{port}/", body=body)
        request = replace(request, client_certificate=named(Authority("Others")))
        rules = [HostRule.parse(f"https://127.0.0.1:{port}")]
        for _ in range(15):
            outcome = await client.send(request, allowed_hosts=rules, ca_bundle=authority.pem)
            assert outcome.failure is not None
            assert outcome.failure.kind is FailureKind.TLS_CLIENT_CERTIFICATE
            assert outcome.failure.detail == "the host does not know the authority that issued it"


async def test_a_host_that_believes_us_and_hangs_up_is_no_refusal(
    client: HttpClient, authority: Authority, clients: Authority
) -> None:
    certificate = named(clients)
    with serving(hanging_up, wanting(authority, clients)) as port:
        outcome = await ask(client, port, authority, certificate)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.CONNECTION_LOST
    assert told(outcome, certificate).reason is Reason.CONNECTION_LOST


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda pair, _: replace(pair, private_key="none"), "it cannot be loaded (unreadable)"),
        (
            lambda pair, other: replace(pair, private_key=other.key),
            "it cannot be loaded (key values mismatch)",
        ),
        (lambda pair, _: replace(pair, private_key=encrypted(pair.private_key)), "its key is encrypted"),
    ],
    ids=["no key", "somebody else's key", "an encrypted key"],
)
async def test_a_pair_that_openssl_cannot_use_is_not_sent_and_nobody_is_asked_for_a_password(
    client: HttpClient,
    authority: Authority,
    clients: Authority,
    spoil: Callable[[ClientCertificate, Identity], ClientCertificate],
    words: str,
) -> None:
    certificate = spoil(named(clients), clients.issue("other", for_server=False))
    async with FaultServer(saying_who_asks, wanting(authority, clients)) as server:
        outcome = await ask(client, server.port, authority, certificate)
        assert server.connections == 0
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.detail) == (FailureKind.TLS_CLIENT_CERTIFICATE, words)
    assert told(outcome, certificate).reason is Reason.CREDENTIALS_REJECTED


def encrypted(key: str) -> str:
    loaded = serialization.load_pem_private_key(key.encode(), None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()


# -- Nobody is taken for somebody else ---------------------------------------------------------------


async def test_no_connection_is_used_by_anybody_but_whom_it_was_made_for(
    client: HttpClient, authority: Authority, clients: Authority
) -> None:
    jane, joe = named(clients, "jane"), named(clients, "joe")
    context = wanting(authority, clients)
    context.verify_mode = ssl.CERT_OPTIONAL
    async with FaultServer(saying_who_asks, context) as server:
        for _ in range(3):
            for certificate, name in ((jane, "jane"), (joe, "joe"), (None, "nobody")):
                assert name_in(await ask(client, server.port, authority, certificate)) == name
        assert server.connections == 3, "one for each of them, used three times"


async def test_many_at_once_are_each_themselves(
    client: HttpClient, authority: Authority, clients: Authority
) -> None:
    names = [f"client-{number}" for number in range(8)]
    pairs = [named(clients, name) for name in names]
    async with FaultServer(saying_who_asks, wanting(authority, clients)) as server:
        for _ in range(3):
            asked = (ask(client, server.port, authority, pair) for pair in pairs)
            assert [name_in(outcome) for outcome in await asyncio.gather(*asked)] == names


async def test_after_a_rotation_the_new_certificate_is_shown_at_once(
    client: HttpClient, authority: Authority, clients: Authority
) -> None:
    async with FaultServer(saying_who_asks, wanting(authority, clients)) as server:
        for name in ("before", "after", "before"):
            assert name_in(await ask(client, server.port, authority, named(clients, name))) == name


async def test_an_answer_is_shared_only_by_those_who_show_the_same_certificate(
    client: HttpClient, authority: Authority, clients: Authority
) -> None:
    jane, joe = named(clients, "jane"), named(clients, "joe")
    traffic = Traffic(client)
    async with FaultServer(saying_who_asks, wanting(authority, clients)) as server:
        asked = [ask(traffic, server.port, authority, pair) for pair in (jane, joe, jane, joe)]
        assert [name_in(outcome) for outcome in await asyncio.gather(*asked)] == [
            "jane",
            "joe",
            "jane",
            "joe",
        ]
        assert len(server.requests) == 2
    await traffic.close()


# -- What is kept, and for how long ------------------------------------------------------------------


def test_the_same_pair_and_trust_is_the_same_context(authority: Authority, clients: Authority) -> None:
    pair, other = named(clients), named(clients)
    again = ClientCertificate("".join(list(pair.certificate)), "".join(list(pair.private_key)))
    assert client_context(authority.pem, pair) is client_context(authority.pem, again)
    distinct = {
        client_context(authority.pem, pair),
        client_context(authority.pem, other),
        client_context(clients.pem, pair),
        client_context(authority.pem),
    }
    assert len(distinct) == 4


def test_contexts_with_a_certificate_verify_as_all_others_do(
    authority: Authority, clients: Authority
) -> None:
    context = client_context(authority.pem, named(clients))
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_number_of_contexts_is_bounded_and_the_one_used_least_goes_first(
    authority: Authority, clients: Authority
) -> None:
    pairs = [named(clients) for _ in range(tls.MAX_SHOWING + 2)]
    first, second = (weakref.ref(client_context(authority.pem, pair)) for pair in pairs[:2])
    for pair in pairs[2:]:
        client_context(authority.pem, pairs[0])
        client_context(authority.pem, pair)
    gc.collect()
    assert len(tls._SHOWING) == tls.MAX_SHOWING
    assert first() is not None
    assert second() is None


def test_a_context_that_nobody_uses_any_more_is_let_go(
    authority: Authority, clients: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = weakref.ref(client_context(authority.pem, named(clients)))
    monkeypatch.setattr(tls, "IDLE_SECONDS", 0.0)
    new = client_context(authority.pem, named(clients))
    gc.collect()
    assert old() is None
    assert len(tls._SHOWING) == 1
    assert new is not None


def test_one_that_cannot_be_made_changes_nothing(authority: Authority, clients: Authority) -> None:
    kept = client_context(authority.pem, pair := named(clients))
    with pytest.raises(CertificateUnusableError):
        client_context(authority.pem, replace(pair, private_key="none"))
    assert client_context(authority.pem, pair) is kept


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "in a folder"])
def test_a_key_is_left_nowhere_and_is_at_no_time_for_others_to_read(
    clients: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_memory: bool
) -> None:
    if in_memory and not hasattr(os, "memfd_create"):
        pytest.skip("this system has no files in memory")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    pair = named(clients)
    seen: list[tuple[bool, list[tuple[str, int]]]] = []

    class Watching(ssl.SSLContext):
        def load_cert_chain(self, path: str, **how: object) -> None:  # type: ignore[override]
            holds_key = pair.private_key.strip().encode() in Path(path).read_bytes()
            files = sorted(tmp_path.rglob("*"))
            seen.append((holds_key, [(p.suffix, stat.S_IMODE(p.stat().st_mode)) for p in files]))
            super().load_cert_chain(path, **how)  # type: ignore[arg-type]

    before = open_files()
    show(Watching(ssl.PROTOCOL_TLS_CLIENT), pair)
    assert seen == [(True, [] if in_memory else [("", 0o700), (".pem", 0o600)])]
    assert list(tmp_path.iterdir()) == []
    assert open_files() == before


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


# -- The scheme, and a server that none of us wrote --------------------------------------------------

MTLS: dict[str, Any] = {"mtls": {}}


def held(certificate: str, key: str) -> Credentials:
    keys = METHODS["custom"].secret_keys(MTLS)
    data = {"tls.crt": certificate.encode(), "tls.key": key.encode()}
    found = read_credentials(keys, data, secret_name="sec")
    assert isinstance(found, Credentials)
    assert METHODS["custom"].credential_problem(MTLS, found) is None
    return found


@pytest.mark.cluster
async def test_an_api_server_takes_its_admin_by_the_certificate_and_nobody_of_another_authority(
    client: HttpClient, cluster: ControlPlane, control_plane: ControlPlaneInfo
) -> None:
    pki = cluster.home.pki
    admin = held((pki / "admin.crt").read_text(), (pki / "admin.key").read_text())
    stranger = Authority("Others").issue("admin", for_server=False)
    host = control_plane.server.removeprefix("https://")
    planned = plan(
        baseURL=control_plane.server,
        allowedHosts=[host],
        trust={"caBundle": control_plane.ca_file.read_text()},
        tests=[{"name": "t", "default": True, "request": {"path": "/api/v1/namespaces/kube-system"}}],
    )

    async def tested(credentials: Credentials) -> Diagnosis:
        (request,) = METHODS["custom"].flow(MTLS, credentials, planned.request, CONTEXT)
        rules = [HostRule.parse(host)]
        outcome = await client.send(request, allowed_hosts=rules, ca_bundle=planned.ca_bundle)
        now = datetime.now(UTC)
        return diagnose(planned, (outcome,), now=now, credentials=credentials, sent=request)

    accepted = await tested(admin)
    assert (accepted.result, accepted.reason) == ("Success", Reason.CONNECTED), accepted.message
    refused = await tested(held(stranger.chain, stranger.key))
    assert (refused.result, refused.reason) == ("Failure", Reason.CREDENTIALS_REJECTED), refused.message
    assert "401 Unauthorized" in refused.message
    again = await tested(admin)
    assert again.reason is Reason.CONNECTED, "the stranger's connection is nobody else's"
