"""Who gets an answer of the admission webhook: real TLS connections to its server, with each kind of certificate."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import structlog
from click.testing import CliRunner, Result

from integration_hub.adapters.kube import KubeClient
from integration_hub.adapters.kubeconfig import KubeConnection, TokenSource
from integration_hub.cli.main import main
from integration_hub.runtime import webhook_certificates
from integration_hub.runtime.listening import Patience
from integration_hub.runtime.webhook import PATH, WebhookServer
from integration_hub.runtime.webhook_certificates import CertificateError, CertificateFiles
from integration_hub.shell.reviewer import Reviewer
from support.certificates import DAY, Authority, Identity, self_signed, show

SERVER = Authority("Webhook Authority")
CALLERS = Authority("Callers Authority")
OTHERS = Authority("Others Authority")
API_SERVER = CALLERS.issue("kube-apiserver", for_server=False)
ANSWERED = 400
"""What is no JSON is answered like this, and needs no API server."""


@dataclass(frozen=True)
class Files:
    certificate: Path
    key: Path
    client_ca: Path

    @property
    def flags(self) -> list[str]:
        return ["--certificate", str(self.certificate), "--key", str(self.key)]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "callers.crt")
    issued = SERVER.issue("127.0.0.1")
    found.certificate.write_text(issued.chain)
    found.key.write_text(issued.key)
    found.client_ca.write_text(CALLERS.pem)
    return found


@dataclass(frozen=True)
class Running:
    server: WebhookServer
    files: CertificateFiles
    port: int

    @asynccontextmanager
    async def caller(self, shown: Identity | None, most: ssl.TLSVersion | None = None) -> AsyncIterator[Ask]:
        """One caller, who keeps the connection where it is let."""
        context = ssl.create_default_context(cadata=SERVER.pem)
        if shown is not None:
            show(context, shown)
        if most is not None:
            context.maximum_version = most
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:

            async def ask(path: str = PATH) -> int:
                method = "POST" if path == PATH else "GET"
                url = f"https://127.0.0.1:{self.port}{path}"
                async with session.request(method, url, data=b"{") as response:
                    return response.status

            yield ask

    async def ask(self, shown: Identity | None, path: str = PATH) -> int:
        async with self.caller(shown) as ask:
            return await ask(path)

    async def is_refused(self, shown: Identity | None, most: ssl.TLSVersion | None = None) -> bool:
        """Whether there is no answer, since there is no connection."""
        async with self.caller(shown, most) as ask:
            try:
                await ask()
            except (aiohttp.ClientError, OSError):
                return True
        return False


Ask = Callable[..., Awaitable[int]]


@asynccontextmanager
async def running(
    files: Files,
    *names: str,
    client_ca: bool = True,
    patience: Patience = Patience(),  # noqa: B008 - never changes
) -> AsyncIterator[Running]:
    kube = KubeClient(KubeConnection("https://127.0.0.1:1", ssl.create_default_context(), TokenSource()))
    used = CertificateFiles(files.certificate, files.key, files.client_ca if client_ca else None)
    server = WebhookServer(Reviewer(kube, checks_secrets=True), used, names, patience=patience)
    try:
        yield Running(server, used, await server.start("127.0.0.1", 0))
    finally:
        await server.stop()
        await kube.close()


async def test_who_connects_and_begins_no_handshake_loses_the_connection(files: Files) -> None:
    async with running(files, patience=Patience(handshake=0.2)) as webhook:
        reader, writer = await asyncio.open_connection("127.0.0.1", webhook.port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        assert await webhook.ask(API_SERVER) == ANSWERED


@pytest.mark.parametrize(
    "begun", [b"", b"POST /validate HTTP/1.1\r\nHost: "], ids=["nothing", "half a request"]
)
async def test_who_asks_nothing_after_the_handshake_loses_the_connection(files: Files, begun: bytes) -> None:
    async with running(files, client_ca=False, patience=Patience(idle=0.2)) as webhook:
        context = ssl.create_default_context(cadata=SERVER.pem)
        reader, writer = await asyncio.open_connection("127.0.0.1", webhook.port, ssl=context)
        writer.write(begun)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_who_says_nothing_to_the_probes_loses_the_connection(files: Files) -> None:
    async with running(files, patience=Patience(idle=0.2)) as webhook:
        port = await webhook.server.start_health("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_without_an_authority_whoever_comes_is_answered(files: Files) -> None:
    async with running(files, client_ca=False) as webhook:
        assert await webhook.ask(None) == ANSWERED
        assert await webhook.ask(API_SERVER) == ANSWERED


REFUSED: dict[str, Identity | None] = {
    "no certificate": None,
    "one of another authority": OTHERS.issue("kube-apiserver", for_server=False),
    "one of an authority of the same name": Authority("Callers Authority").issue(
        "kube-apiserver", for_server=False
    ),
    "one that it signed itself": self_signed("kube-apiserver"),
    "one that has ended": CALLERS.issue("kube-apiserver", for_server=False, start=-2 * DAY, end=-DAY),
    "one that is not valid yet": CALLERS.issue("kube-apiserver", for_server=False, start=DAY, end=2 * DAY),
    "one for servers": CALLERS.issue("kube-apiserver"),
    "one of the authority of the webhook's own": SERVER.issue("127.0.0.1", for_server=False),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_who_shows_no_certificate_of_the_authority_gets_no_connection(files: Files, name: str) -> None:
    async with running(files) as webhook:
        assert await webhook.is_refused(REFUSED[name])
        assert await webhook.ask(API_SERVER) == ANSWERED


async def test_neither_probes_nor_older_protocols_are_a_way_around(files: Files) -> None:
    async with running(files) as webhook:
        with pytest.raises(aiohttp.ClientError):
            await webhook.ask(None, "/healthz")
        assert await webhook.is_refused(None, ssl.TLSVersion.TLSv1_2)
        assert await webhook.is_refused(API_SERVER, ssl.TLSVersion.TLSv1_2)
        assert await webhook.ask(API_SERVER, "/healthz") == 200


async def test_probes_need_no_certificate_at_an_address_of_their_own_and_find_nothing_else(
    files: Files,
) -> None:
    async with running(files) as webhook, aiohttp.ClientSession() as session:
        port = await webhook.server.start_health("127.0.0.1", 0)
        for path, expected in {"/healthz": 200, "/readyz": 200, PATH: 404}.items():
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                assert response.status == expected


async def test_an_authority_below_another_is_trusted_by_itself(files: Files) -> None:
    """Whoever gives the one that signs does not want all others that the one above has signed for."""
    root = Authority("Root")
    below, beside = Authority("Below", root), Authority("Beside", root)
    files.client_ca.write_text(below.pem)
    async with running(files) as webhook:
        assert await webhook.ask(below.issue("kube-apiserver", for_server=False)) == ANSWERED
        assert await webhook.is_refused(beside.issue("kube-apiserver", for_server=False))


async def test_an_authority_without_key_identifiers_is_as_good(files: Files) -> None:
    """Python began to ask for them in 3.13; Kubernetes does not."""
    old = Authority("Old Authority", identifiers=False)
    files.client_ca.write_text(old.pem)
    async with running(files) as webhook:
        assert await webhook.ask(old.issue("kube-apiserver", for_server=False)) == ANSWERED


@pytest.mark.parametrize(
    ("names", "status"),
    [
        ((), ANSWERED),
        (("kube-apiserver",), ANSWERED),
        (("another", "kube-apiserver"), ANSWERED),
        (("front-proxy",), 403),
        (("10.0.0.1",), 403),
        (("kube-api",), 403),
        (("another",), 403),
    ],
    ids=str,
)
async def test_a_name_is_the_certificates_common_name(
    files: Files, names: tuple[str, ...], status: int
) -> None:
    shown = CALLERS.issue("kube-apiserver", "front-proxy", "10.0.0.1", for_server=False)
    async with running(files, *names) as webhook:
        with structlog.testing.capture_logs() as logged:
            assert await webhook.ask(shown) == status
            assert await webhook.ask(shown, "/healthz") == (200 if status == ANSWERED else 403)
    told = [line for line in logged if line["log_level"] == "warning"]
    assert [line["names"] for line in told] == [["kube-apiserver"]] * (2 if status == 403 else 0)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no certificate", "peer did not return a certificate"),
        ("one of another authority", "unable to get local issuer certificate"),
        ("one that has ended", "certificate has expired"),
    ],
)
async def test_why_somebody_gets_no_connection_is_logged_and_not_without_end(
    files: Files, name: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_certificates, "TOLD_SECONDS", 3600.0)
    monkeypatch.setattr(webhook_certificates._Telling, "_told_at", -3600.0 - time.monotonic())
    async with running(files) as webhook:
        with structlog.testing.capture_logs() as logged:
            for _ in range(3):
                assert await webhook.is_refused(REFUSED[name])
            await asyncio.sleep(0.05)
    assert [(line["event"], line["why"]) for line in logged] == [("a caller got no connection", why)]


async def test_a_file_that_cannot_be_used_is_told_once(files: Files) -> None:
    async with running(files) as webhook:
        with structlog.testing.capture_logs() as logged:
            files.client_ca.write_text("garbage")
            for _ in range(3):
                webhook.files.look()
        assert len(logged) == 1
        files.client_ca.write_text(OTHERS.pem)
        webhook.files.look()
        assert await webhook.ask(OTHERS.issue("kube-apiserver", for_server=False)) == ANSWERED


class TestARotation:
    """The files change while the server runs."""

    async def test_a_new_authority_takes_the_place_of_the_old_one(self, files: Files) -> None:
        newer = OTHERS.issue("kube-apiserver", for_server=False)
        async with running(files) as webhook:
            assert await webhook.is_refused(newer)
            files.client_ca.write_text(CALLERS.pem + OTHERS.pem)
            webhook.files.look()
            assert await webhook.ask(API_SERVER) == await webhook.ask(newer) == ANSWERED
            files.client_ca.write_text(OTHERS.pem)
            webhook.files.look()
            assert await webhook.ask(newer) == ANSWERED
            assert await webhook.is_refused(API_SERVER)
            with structlog.testing.capture_logs() as logged:
                webhook.files.look()
            assert logged == []

    async def test_who_is_connected_gets_one_answer_more_and_must_connect_again(self, files: Files) -> None:
        async with running(files) as webhook, webhook.caller(API_SERVER) as ask:
            assert await ask() == await ask() == ANSWERED
            files.client_ca.write_text(OTHERS.pem)
            webhook.files.look()
            assert await ask() == ANSWERED
            with pytest.raises(aiohttp.ClientError):
                await ask()

    @pytest.mark.parametrize("text", ["", "half of a file", API_SERVER.chain])
    async def test_a_file_that_cannot_be_used_leaves_everything_as_it_was(
        self, files: Files, text: str
    ) -> None:
        async with running(files) as webhook:
            files.client_ca.write_text(text)
            with structlog.testing.capture_logs() as logged:
                webhook.files.look()
            assert "cannot be used; those before stay" in logged[0]["event"]
            assert str(files.client_ca) in logged[0]["error"]
            assert await webhook.ask(API_SERVER) == ANSWERED
            assert await webhook.is_refused(None)

    async def test_a_file_that_is_gone_leaves_everything_as_it_was(self, files: Files) -> None:
        async with running(files) as webhook:
            files.client_ca.unlink()
            webhook.files.look()
            assert await webhook.ask(API_SERVER) == ANSWERED
            assert await webhook.is_refused(None)


ENDED = Authority("Ended Authority", start=-3 * DAY, end=-DAY)
LATER = Authority("Later Authority", start=DAY, end=2 * DAY)
MISTAKES = {
    "empty": ("", "it has no line '-----BEGIN CERTIFICATE-----'"),
    "no PEM": ("the authority\n", "it has no line '-----BEGIN CERTIFICATE-----'"),
    "a key": (API_SERVER.key, "it holds a private key, which the webhook does not need"),
    "a certificate with its key": (CALLERS.pem + API_SERVER.key, "it holds a private key"),
    "half of it": (CALLERS.pem[:300], "it has no line '-----END CERTIFICATE-----'"),
    "garbled": (CALLERS.pem.replace("MII", "MIJ"), "a certificate in it is garbled"),
    "a caller's": (API_SERVER.chain, "the certificate 'kube-apiserver' in it is not that of an authority"),
    "a caller's beside": (
        CALLERS.pem + API_SERVER.chain,
        "'kube-apiserver' in it is not that of an authority",
    ),
    "one that has ended": (ENDED.pem, "the certificate 'Ended Authority' in it ended on "),
    "one for later": (LATER.pem, "the certificate 'Later Authority' in it is not valid before "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_in_the_authoritys_file_is_told_by_name(files: Files, name: str) -> None:
    text, words = MISTAKES[name]
    files.client_ca.write_text(text)
    with pytest.raises(CertificateError) as error:
        CertificateFiles(files.certificate, files.key, files.client_ca)
    assert str(error.value).startswith(f"{files.client_ca} cannot be used as --client-ca: ")
    assert words in str(error.value)
    assert text not in str(error.value) or not text


def test_one_that_has_ended_may_stand_beside_one_that_has_not(files: Files) -> None:
    files.client_ca.write_text(ENDED.pem + CALLERS.pem + LATER.pem)
    CertificateFiles(files.certificate, files.key, files.client_ca)


def kubeconfig(folder: Path) -> Path:
    path = folder / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(
        "{current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}],"
        " clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]}"
    )
    return path


class TestTheCommand:
    """What `hub webhook` says of flags, before it listens."""

    @staticmethod
    def run(files: Files, *flags: str) -> Result:
        words = ["webhook", "--kubeconfig", str(kubeconfig(files.key.parent)), *files.flags, *flags]
        return CliRunner().invoke(main, words)

    def test_a_file_that_is_not_there(self, files: Files) -> None:
        done = self.run(files, "--client-ca", str(files.client_ca.with_name("nothing.crt")))
        assert done.exit_code == 2
        assert "'--client-ca': File" in done.output
        assert "nothing.crt' does not exist" in done.output

    def test_a_file_that_cannot_be_used(self, files: Files) -> None:
        files.client_ca.write_text(API_SERVER.key)
        done = self.run(files, "--client-ca", str(files.client_ca))
        assert done.exit_code == 1
        assert "it holds a private key" in " ".join(done.output.split())
        assert "Traceback" not in done.output

    def test_a_certificate_of_its_own_that_is_none(self, files: Files) -> None:
        files.certificate.write_text("half of a file")
        done = self.run(files)
        assert done.exit_code == 1
        assert "are no certificate and its private key in PEM" in " ".join(done.output.split())

    def test_a_name_needs_an_authority(self, files: Files) -> None:
        done = self.run(files, "--client-name", "kube-apiserver")
        assert done.exit_code == 2
        assert "--client-ca" in done.output

    def test_a_name_is_not_empty(self, files: Files) -> None:
        done = self.run(files, "--client-ca", str(files.client_ca), "--client-name", "")
        assert done.exit_code == 2
        assert "a name is empty" in done.output
