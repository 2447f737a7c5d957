"""The callback server over real sockets: what it takes, what it refuses, that it tells nothing, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
import structlog
from yarl import URL

from integration_hub.devcluster import ControlPlane
from integration_hub.model.tokens import ConsentAnswer
from integration_hub.runtime import callback as module
from integration_hub.runtime.callback import (
    MAX_BODY,
    MAX_QUERY,
    MOST_CONNECTIONS,
    UNREADABLE_ERROR,
    CallbackServer,
)
from integration_hub.shell.consent import ConsentOutcome, ConsentResult
from support.browser import open_page
from support.hub_command import user_kubeconfig
from support.instances import Api, definition, instance, secret
from support.operator_process import OperatorProcess
from support.ports import free_port
from support.target_server import TargetServer
from support.waiting import wait_until

STATE = "0b9a5e1c111142228333944455556666." + "canary-state-Zm9vYmFy_0123456789abcdefghijk"
CODE = "canary-code-4/0AVG7fiQ"
DESCRIPTION = "canary-description-9d3c"
GOOD = {"state": STATE, "code": CODE}


class Rig:
    """A server, what was handed in, and what is answered."""

    def __init__(self) -> None:
        self.handed_in: list[ConsentAnswer] = []
        self.outcome = ConsentOutcome(
            "connected",
            namespace="shop",
            name="billing",
            display_name="Billing",
            system="Acme",
            identity="ann",
        )
        self.waits: asyncio.Event | None = None
        self.came = asyncio.Event()
        self.fails = False
        self.server = CallbackServer(self.hand_in, "https://hub.example.com/hub/back")
        self.port = 0

    async def hand_in(self, answer: ConsentAnswer) -> ConsentOutcome:
        self.handed_in.append(answer)
        self.came.set()
        if self.fails:
            raise RuntimeError("a mistake of ours")
        if self.waits is not None:
            await self.waits.wait()
        return self.outcome

    async def ask(
        self, path: str = "/oauth/callback", method: str = "GET", **options: Any
    ) -> tuple[aiohttp.ClientResponse, str]:
        """Ask once, as a browser without cookies does; no redirect is followed."""
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with (
            aiohttp.ClientSession(max_line_size=2**17) as session,
            session.request(method, url, allow_redirects=False, **options) as response,
        ):
            return response, await response.text()

    async def raw(self, request: bytes) -> bytes:
        """Write bytes and return all that comes back until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with closing(writer):
            writer.write(request)
            try:
                return await asyncio.wait_for(reader.read(), 30)
            except ConnectionResetError:
                return b""


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    rig.port = await rig.server.start("127.0.0.1", 0)
    yield rig
    await rig.server.stop(5)
    with pytest.raises(aiohttp.ClientConnectionError):
        await rig.ask()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """All that is logged, of ours and of libraries', whatever its level."""
    found: list[str] = []
    handler = logging.Handler(logging.NOTSET)
    handler.emit = lambda record: found.append(  # type: ignore[method-assign]
        f"{record.name} {record.getMessage()} {record.args} {record.exc_info}"
    )
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with structlog.testing.capture_logs() as ours:
        yield found
        found.extend(map(str, ours))
    root.removeHandler(handler)
    root.setLevel(before)


def query(**fields: str) -> str:
    return "?" + str(URL.build(query=fields).raw_query_string)


# What is taken


async def test_an_answer_is_handed_in_and_its_outcome_is_a_page(rig: Rig) -> None:
    response, text = await rig.ask("/oauth/callback" + query(**GOOD, iss="https://login.example.com"))
    assert rig.handed_in == [ConsentAnswer(STATE, code=CODE, iss="https://login.example.com")]
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1" in text
    assert "&#39;Billing&#39; has been tested with Acme" in text


async def test_the_path_of_the_address_that_browsers_know_is_answered_too(rig: Rig) -> None:
    await rig.ask("/hub/back" + query(**GOOD))
    assert rig.handed_in == [ConsentAnswer(STATE, code=CODE)]


async def test_a_form_is_as_good_as_a_query(rig: Rig) -> None:
    response, _ = await rig.ask(method="POST", data=GOOD)
    assert response.status == 200
    assert rig.handed_in == [ConsentAnswer(STATE, code=CODE)]


async def test_what_stands_in_the_address_of_a_form_counts_for_nothing(rig: Rig) -> None:
    response, _ = await rig.ask("/oauth/callback" + query(**GOOD), method="POST", data={"x": "y"})
    assert response.status == 400
    assert rig.handed_in == []


async def test_an_error_is_handed_in_by_its_code_alone(rig: Rig) -> None:
    await rig.ask(
        "/oauth/callback"
        + query(state=STATE, error="access_denied", error_description=DESCRIPTION, error_uri="x")
    )
    assert rig.handed_in == [ConsentAnswer(STATE, error="access_denied")]


@pytest.mark.parametrize("error", ["no such thing", "<script>", "x" * 200, "é"])
async def test_an_error_code_without_the_form_of_one_is_not_passed_on(rig: Rig, error: str) -> None:
    await rig.ask("/oauth/callback" + query(state=STATE, error=error))
    assert rig.handed_in == [ConsentAnswer(STATE, error=UNREADABLE_ERROR)]


async def test_what_providers_add_is_ignored(rig: Rig) -> None:
    response, _ = await rig.ask(
        "/oauth/callback" + query(**GOOD, session_state="s", scope="a b", hd="x.example")
    )
    assert response.status == 200
    assert rig.handed_in == [ConsentAnswer(STATE, code=CODE)]


async def test_long_codes_pass(rig: Rig) -> None:
    long = "c" * 5000
    await rig.ask("/oauth/callback" + query(state=STATE, code=long))
    assert rig.handed_in == [ConsentAnswer(STATE, code=long)]


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("stored", 200),
        ("pending", 202),
        ("unknown-link", 404),
        ("not-taken", 409),
        ("outdated", 410),
        ("busy", 503),
        ("refused", 200),
    ],
)
async def test_every_outcome_has_its_status(rig: Rig, result: Any, status: int) -> None:
    rig.outcome = ConsentOutcome(result)
    response, _ = await rig.ask("/oauth/callback" + query(**GOOD))
    assert response.status == status
    assert ("Retry-After" in response.headers) == (status == 503)


# What is refused


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "?",
        f"?state={STATE}",
        f"?code={CODE}",
        f"?state={STATE}&code=",
        f"?state=&code={CODE}",
        f"?state={STATE}&code={CODE}&error=access_denied",
        f"?state={STATE}&code={CODE}&code={CODE}",
        f"?state={STATE}&code={CODE}&code=another",
        f"?state={STATE}&state=another&code={CODE}",
        f"?state={STATE}&code={CODE}&iss=a&iss=b",
        f"?state={STATE}&code={CODE}&scope=a&scope=b",
        f"?state={STATE}&code=%ff%fe",
        f"?state={STATE}&code=a%00b",
        f"?state={STATE}&code=a%0d%0aSet-Cookie:%20x=y",
        f"?state={STATE}&code=a%e2%80%ae",
        f"?state={'s' * 300}&code={CODE}",
        f"?state={STATE}&code={'c' * 7000}",
        f"?state={STATE}&code={CODE}" + "".join(f"&x{n}=1" for n in range(100)),
    ],
    ids=lambda fields: fields.replace(STATE, "S").replace(CODE, "C")[:40],
)
async def test_what_is_not_the_end_of_a_sign_in_is_handed_in_to_nobody(rig: Rig, fields: str) -> None:
    response, text = await rig.ask("/oauth/callback" + fields)
    assert response.status == 400
    assert "This is not the end of a sign-in" in text
    assert rig.handed_in == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_refused(rig: Rig, method: str) -> None:
    response, text = await rig.ask("/oauth/callback" + query(**GOOD), method=method)
    assert response.status == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert "<h1" in text
    assert rig.handed_in == []


async def test_whoever_only_looks_uses_nothing(rig: Rig) -> None:
    response, text = await rig.ask("/oauth/callback" + query(**GOOD), method="HEAD")
    assert (response.status, text, rig.handed_in) == (200, "", [])


@pytest.mark.parametrize(
    "path",
    ["/favicon.ico", "/oauth/callback/", "/oauth//callback", "/OAUTH/CALLBACK", "/../etc/passwd", "/docs"],
)
async def test_there_is_nothing_else_and_nobody_is_sent_elsewhere(rig: Rig, path: str) -> None:
    response, text = await rig.ask(path + query(**GOOD), headers={"Host": "evil.example"})
    assert response.status == 404
    assert "Location" not in response.headers
    assert "evil.example" not in text
    assert rig.handed_in == []


async def test_the_first_page_says_what_this_is(rig: Rig) -> None:
    response, text = await rig.ask("/")
    assert response.status == 200
    assert "signed in to an external system" in text


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"state": "x", "code": "y"}', "application/json", 415),
        (b"state=x&code=y", "text/plain", 415),
        (b"state=x&code=" + b"y" * MAX_BODY, "application/x-www-form-urlencoded", 413),
        ("state=x&code=é".encode(), "application/x-www-form-urlencoded", 400),
    ],
    ids=["JSON", "text", "too large", "not encoded"],
)
async def test_a_body_that_is_no_form_of_ours_is_refused(
    rig: Rig, body: bytes, kind: str, status: int
) -> None:
    response, _ = await rig.ask(method="POST", data=body, headers={"Content-Type": kind})
    assert response.status == status
    assert rig.handed_in == []


async def test_what_is_too_large_is_refused(rig: Rig) -> None:
    long = b"GET /oauth/callback?state=x&code=" + b"c" * MAX_QUERY + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert b" 413 " in (await rig.raw(long)).splitlines()[0]
    heads = b"".join(b"X-%d: %s\r\n" % (number, b"h" * 1000) for number in range(20))
    many = b"GET /oauth/callback?state=x&code=c HTTP/1.1\r\nHost: x\r\n" + heads + b"\r\n"
    assert b" 200 " not in await rig.raw(many)
    endless = b"GET /" + b"a" * 1_000_000
    assert b" 200 " not in await rig.raw(endless)
    assert rig.handed_in == []


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS, of a browser that was sent to https://
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"POST /oauth/callback HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["TLS", "nonsense", "upgrade", "two lengths"],
)
async def test_what_is_no_request_is_answered_shortly_and_not_logged(
    rig: Rig, lines: list[str], request_: bytes
) -> None:
    await rig.raw(request_)
    assert rig.handed_in == []
    assert [line for line in lines if "uvicorn" in line] == []
    response, _ = await rig.ask("/")
    assert response.status == 200


# What is told


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/", "GET"),
        ("/oauth/callback" + query(**GOOD), "GET"),
        ("/oauth/callback", "GET"),
        ("/nowhere", "GET"),
        ("/oauth/callback", "PUT"),
        ("/oauth/callback?x=" + "y" * MAX_QUERY, "GET"),
    ],
    ids=["home", "good", "bad", "not found", "method", "too large"],
)
async def test_every_answer_has_the_headers_that_keep_it_safe(rig: Rig, path: str, method: str) -> None:
    response, text = await rig.ask(path, method)
    headers = response.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Connection"] == "close"
    assert not {"Set-Cookie", "Server", "Location", "Access-Control-Allow-Origin"} & set(headers)
    assert headers.getall("Date")[1:] == []
    assert CODE not in text


async def test_nothing_of_a_request_is_logged_or_shown(rig: Rig, lines: list[str]) -> None:
    canaries = (STATE, CODE, DESCRIPTION, "canary")
    fields = query(**GOOD, iss="https://canary-iss.example", error_description=DESCRIPTION)
    texts = []
    for result in get_args(ConsentResult):
        rig.outcome = ConsentOutcome(result, namespace="shop", name="billing")
        texts.append((await rig.ask("/oauth/callback" + fields))[1])
        texts.append((await rig.ask(method="POST", data=GOOD))[1])
    rig.fails = True
    response, text = await rig.ask("/oauth/callback" + fields)
    assert response.status == 500
    texts.append(text)
    for path in ("/canary-path", "/oauth/callback" + fields + "&code=again", "/canary?x=canary"):
        _, text = await rig.ask(path, headers={"X-Canary": "canary", "Referer": "https://canary.example"})
        texts += [text]
    told = [line for line in lines if "aiohttp" not in line.split()[0]]
    assert [canary for canary in canaries if any(canary in text for text in (*texts, *told))] == []


async def test_what_came_of_it_is_logged_by_the_names_of_ours(rig: Rig) -> None:
    with structlog.testing.capture_logs() as logged:
        await rig.ask("/oauth/callback" + query(**GOOD))
    (line,) = logged
    assert (line["log_level"], line["result"], line["instance"]) == ("info", "connected", "shop/billing")


async def test_a_flood_of_made_up_states_is_no_flood_of_log_lines(rig: Rig) -> None:
    rig.outcome = ConsentOutcome("unknown-link")
    with structlog.testing.capture_logs() as logged:
        await rig.ask("/oauth/callback" + query(**GOOD))
    assert [line["log_level"] for line in logged] == ["debug"]


# Patience


async def test_closing_the_window_is_no_mistake_and_the_answer_was_handed_in(
    rig: Rig, lines: list[str]
) -> None:
    rig.waits = asyncio.Event()
    _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(f"GET /oauth/callback{query(**GOOD)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await rig.came.wait()
    writer.close()
    await writer.wait_closed()
    rig.waits.set()
    await rig.ask("/")
    assert rig.handed_in == [ConsentAnswer(STATE, code=CODE)]
    assert [line for line in lines if "uvicorn" in line or "Traceback" in line] == []


async def test_a_form_that_breaks_off_is_no_mistake(rig: Rig, lines: list[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(
        b"POST /oauth/callback HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 500\r\n\r\nstate=x"
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await reader.read()
    await rig.ask("/")
    assert rig.handed_in == []
    assert [line for line in lines if "uvicorn" in line] == []


async def test_who_holds_a_connection_open_loses_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.2)
    beginnings = (
        b"",
        b"GET /oauth/callback HTTP/1.1\r\nHost:",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    )
    answers = await asyncio.gather(*map(rig.raw, beginnings))
    assert answers[:2] == [b"", b""]


async def test_who_waits_for_an_outcome_keeps_the_connection(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.05)
    rig.waits = asyncio.Event()
    waiting = asyncio.create_task(rig.ask("/oauth/callback" + query(**GOOD)))
    await rig.came.wait()
    await asyncio.sleep(0.2)
    rig.waits.set()
    response, _ = await waiting
    assert response.status == 200


async def test_connections_are_counted_and_room_is_made_again(rig: Rig) -> None:
    held = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(MOST_CONNECTIONS)]
    assert await rig.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    response, _ = await rig.ask("/")
    assert response.status == 200


async def test_stopping_lets_the_last_pages_through_and_waits_for_nobody_else(rig: Rig) -> None:
    rig.waits = asyncio.Event()
    waiting = asyncio.create_task(rig.ask("/oauth/callback" + query(**GOOD)))
    idle = asyncio.create_task(rig.raw(b"GET /"))
    await rig.came.wait()
    rig.server.close()
    with pytest.raises(aiohttp.ClientConnectionError):
        await rig.ask("/")
    rig.waits.set()
    await rig.server.stop(5)
    response, _ = await waiting
    assert response.status == 200
    assert await idle == b""


async def test_stopping_ends_what_does_not_end(rig: Rig) -> None:
    rig.waits = asyncio.Event()
    waiting = asyncio.create_task(rig.ask("/oauth/callback" + query(**GOOD)))
    await rig.came.wait()
    await rig.server.stop(0.05)
    with pytest.raises(aiohttp.ClientError):
        await waiting


# In a real browser


def test_a_real_browser_shows_the_result_first(tmp_path: Path) -> None:
    """By its accessibility tree, by light and dark, on a narrow screen, without a breach of the page's own policy."""
    rig = Rig()
    with asyncio.Runner() as runner:
        rig.port = runner.run(rig.server.start("127.0.0.1", 0))
        url = f"http://127.0.0.1:{rig.port}/oauth/callback{query(**GOOD)}"
        trouble: list[str] = []
        calm: tuple[ConsentResult, ...] = ("connected", "stored", "pending")
        alarming: tuple[ConsentResult, ...] = ("not-connected", "refused", "outdated", "not-taken")
        found: dict[str, Any] = {}

        def look() -> None:
            with open_page(tmp_path) as page:
                page.on("console", lambda message: trouble.append(message.text))
                page.set_viewport_size({"width": 320, "height": 640})
                for result in (*calm, *alarming):
                    rig.outcome = ConsentOutcome(
                        result,
                        "PermissionDenied",
                        "w" * 150,
                        "shop",
                        "a-connection-with-a-name-that-is-as-long-as-names-may-be-" + "x" * 190,
                        "Billing",
                        "Acme",
                        "somebody-with-a-very-long-address@" + "a" * 80 + ".example",
                    )
                    page.goto(url)
                    found[result] = {
                        "tree": page.locator("main").aria_snapshot(),
                        "focus": page.evaluate("document.activeElement.tagName"),
                        "wide": page.evaluate("document.documentElement.scrollWidth"),
                        "title": page.title(),
                        "styled": page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth"),
                    }
                for scheme in ("light", "dark"):
                    page.emulate_media(color_scheme=scheme)
                    found[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")

        runner.run(asyncio.to_thread(look))
        runner.run(rig.server.stop(5))
    assert [line for line in trouble if "status of 4" not in line] == []
    roles = dict.fromkeys(calm, "status") | dict.fromkeys(alarming, "alert")
    for result, role in roles.items():
        seen = found[result]
        assert seen["tree"].startswith(f"- main:\n  - {role}:\n    - heading "), seen["tree"]
        assert "[level=1]" in seen["tree"].splitlines()[2]
        assert (seen["focus"], seen["wide"], seen["styled"]) == ("H1", 320, "640px")
        heading = re.search(r'heading "(.*?)"', seen["tree"])
        assert heading is not None
        assert seen["title"].startswith(heading[1])
    assert found["light"] != found["dark"]


# In the operator


def hub_run(kubeconfig: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "integration_hub", "run", "--kubeconfig", str(kubeconfig),
         "--listen", "127.0.0.1:0", *flags],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.cluster
def test_a_port_that_is_taken_is_said_at_once(control_plane: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = hub_run(control_plane.kubeconfig, "--callback-listen", address)
    assert done.returncode == 1
    assert f"Cannot listen on {address} for browsers that come back" in done.stderr
    assert "another program uses the port" in done.stderr
    assert "--callback-listen" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--callback-listen", "0.0.0.0:8081"), "add --callback-url"),
        (("--callback-url", "http://hub.example.com/oauth/callback"), "everybody on the way could read"),
        (("--callback-url", "https://ann@hub.example.com/x"), "a user name"),
        (("--callback-listen", "off", "--callback-url", "https://hub.example.com/x"), "of no use"),
        (("--callback-listen", "8081"), "is no address like"),
    ],
)
def test_flags_with_which_no_browser_could_come_back_are_refused(
    control_plane: Any, flags: tuple[str, ...], said: str
) -> None:
    done = hub_run(control_plane.kubeconfig, *flags)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


@pytest.mark.cluster
def test_the_operator_listens_for_browsers_and_stops_in_time(
    start_operator: Any, spare_api: Api, spare_cluster: ControlPlane, target: TargetServer
) -> None:
    port = free_port()
    operator: OperatorProcess = start_operator("--callback-listen", f"127.0.0.1:{port}")
    spare_api.apply(definition("acme", target), secret("default"))
    (billing,) = spare_api.apply(instance("default", "billing", "acme"))
    spare_api.wait_for_verdict(billing, "True", "Connected")
    uid = billing["metadata"]["uid"].replace("-", "")

    async def story() -> None:
        async with aiohttp.ClientSession() as session:
            address = f"http://127.0.0.1:{port}/oauth/callback"
            made_up = {"state": "f" * 32 + "." + "r" * 43, "code": CODE}
            async with session.get(address, params=made_up) as response:
                assert response.status == 404
                assert "This link cannot be used" in await response.text()
            known = {"state": f"{uid}.{'canary-' + 'r' * 36}", "code": CODE}
            waiting = asyncio.create_task(session.get(address, params=known))
            await asyncio.sleep(0.3)
            loop = asyncio.get_running_loop()
            assert await loop.run_in_executor(None, operator.terminate) == 0
            # It is answered, whether somebody has come to act upon it or not.
            async with await waiting as response:
                assert response.status in {202, 404, 410}

    asyncio.run(story())
    log = operator.log.read_text()
    assert f'"callback": "http://localhost:{port}/oauth/callback"' in log
    assert "canary" not in log
    assert uid not in log
    assert "Traceback" not in log
    spare_api.delete(billing)


def answer(url: str) -> tuple[int, str]:
    """Return status and text; status 0 where nothing listens yet."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def test_an_operator_that_does_not_know_its_instances_yet_calls_no_link_unknown(tmp_path: Path) -> None:
    """A browser that comes back while the operator restarts has brought something good."""
    kubeconfig = user_kubeconfig(
        tmp_path / "kubeconfig",
        server=f"https://127.0.0.1:{free_port()}",
        ca_file=tmp_path / "none",
        token="any",
    )
    config = json.loads(kubeconfig.read_text())
    del config["clusters"][0]["cluster"]["certificate-authority"]
    kubeconfig.write_text(json.dumps(config))
    port = free_port()
    operator = OperatorProcess(kubeconfig, tmp_path / "log", "--callback-listen", f"127.0.0.1:{port}")
    operator.start(until_ready=False)
    try:
        url = f"http://127.0.0.1:{port}/oauth/callback{query(**GOOD)}"
        status, text = wait_until(lambda: answer(url), lambda seen: seen[0] > 0, "an answer")
        assert status == 503
        assert "Your sign-in is still good" in text
    finally:
        assert operator.terminate() == 0
