"""Traffic to real servers: each host's budget holds as counted there, and identical requests arrive once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import count, pairwise
from typing import Any, ClassVar

import pytest

from integration_hub.adapters import traffic as traffic_module
from integration_hub.adapters.budget import Later, Limits
from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.traffic import Traffic
from integration_hub.model.http import Failure, FailureKind, HttpRequest, HttpResponse, Outcome
from support.certificates import Authority
from support.fault_server import Behaviour, Connection, FaultServer, answering, response, silent, unused_port

LOOPBACK_HTTP = EgressPolicy(parse_cidrs(["127.0.0.0/8"]), allow_http=True)
WIDE = Limits(concurrency=100, per_second=1000, burst=1000)
ROOMY_HOUR = Limits(concurrency=100, per_second=0.001, burst=3)
"""Three requests at once, and then none for longer than any test takes."""
DOWN_FOR_LONG = replace(WIDE, first_pause=1, first_open=1000, longest_open=1000, probe_spacing=0.01)
"""A host that is down stays so for all that do not hurry, however slow the machine is that this runs on."""
CANARY = "canary-4711"

TOO_MANY = response(b"slow down", status="429 Too Many Requests")
BAD_GATEWAY = response(b"nobody there", status="502 Bad Gateway")
COME_BACK_LATER = response(b"slow down", "Retry-After: 1800", status="429 Too Many Requests")

MakeTraffic = Callable[..., Traffic]


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(LOOPBACK_HTTP)
    yield client
    await client.close()


@pytest.fixture
async def make_traffic(client: HttpClient) -> AsyncIterator[MakeTraffic]:
    made: list[Traffic] = []

    def make(limits: Limits | None = None) -> Traffic:
        made.append(Traffic(client, limits))
        return made[-1]

    yield make
    for traffic in made:
        await traffic.close()


@pytest.fixture
def traffic(make_traffic: MakeTraffic) -> Traffic:
    return make_traffic(WIDE)


def get(url: str, **changes: Any) -> HttpRequest:
    request = HttpRequest("GET", url, {"Authorization": f"Bearer {CANARY}"}, (("a", "b"),))
    return replace(request, **changes)


def rules_for(url: str) -> list[HostRule]:
    return [HostRule.parse("/".join(url.split("/")[:3]))]


async def send(traffic: Traffic, request: HttpRequest, **options: Any) -> Outcome | Later:
    return await traffic.send(request, **{"allowed_hosts": rules_for(request.url)} | options)


def answered(found: Outcome | Later) -> HttpResponse:
    assert isinstance(found, Outcome), found
    assert found.response is not None, found.failure
    return found.response


def failed(found: Outcome | Later) -> Failure:
    assert isinstance(found, Outcome), found
    assert found.failure is not None
    assert CANARY not in repr(found)
    return found.failure


class Gate:
    """A behaviour that answers what it was asked only when it is told to."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.ended = asyncio.Event()
        """Set when a client has closed its connection."""

    async def __call__(self, connection: Connection) -> None:
        while await connection.request() is not None:
            await self.opened.wait()
            await connection.send(response())

    async def told_of_the_end(self, connection: Connection) -> None:
        """Never answer, and tell when the client has gone."""
        await connection.request()
        assert await connection.request() is None
        self.ended.set()


def numbered() -> Behaviour:
    """Answer each request with its number."""
    numbers = count(1)

    async def behave(connection: Connection) -> None:
        while await connection.request() is not None:
            await connection.send(response(str(next(numbers)).encode()))

    return behave


def in_turn(*answers: bytes) -> Behaviour:
    """Answer one after the other, the last one for ever."""
    waiting = list(answers)

    async def behave(connection: Connection) -> None:
        while await connection.request() is not None:
            await connection.send(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    return behave


async def in_line(traffic: Traffic, request: HttpRequest, **options: Any) -> Outcome:
    """Do what a reconcile does that is sent back: come again at the time that it was told."""
    for _ in range(50):
        found = await send(traffic, request, **options)
        if isinstance(found, Outcome):
            return found
        await asyncio.sleep(found.seconds)
    pytest.fail("its turn never came")


async def when_it_may(traffic: Traffic, request: HttpRequest, **options: Any) -> Outcome:
    """Come back as long as nothing is sent, at the times that are told, and return how it ended then."""
    for _ in range(50):
        found = await in_line(traffic, request, **options)
        if found.failure is None or found.failure.again_in is None:
            return found
        await asyncio.sleep(found.failure.again_in)
    pytest.fail("it was never sent")


async def until(holds: Callable[[], object]) -> None:
    """Let others go on until something holds."""
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never held")


class TestTheBudget:
    async def test_no_more_are_sent_than_the_rate_allows(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(ROOMY_HOUR)
        async with FaultServer(answering(response())) as server:
            found = [await send(traffic, get(server.url(f"/{n}"))) for n in range(10)]
            assert [type(item) for item in found] == [Outcome] * 3 + [Later] * 7
            waits = [item.seconds for item in found if isinstance(item, Later)]
            assert all(later - earlier == pytest.approx(1000, abs=1) for earlier, later in pairwise(waits))
            assert len(server.requests) == 3
            assert traffic.sent == {"test": 3}
            assert traffic.delayed == {"rate": 7}

    async def test_a_short_wait_is_waited_for(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(Limits(per_second=50, burst=1))
        async with FaultServer(answering(response())) as server:
            found = await asyncio.gather(*(send(traffic, get(server.url(f"/{n}"))) for n in range(10)))
            assert [answered(item).status for item in found] == [200] * 10
            assert len(server.requests) == 10
            assert traffic.delayed == {"rate": 9}

    async def test_an_urgent_one_overtakes_those_that_wait(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(Limits(per_second=10, burst=1))
        async with FaultServer(answering(response())) as server:
            answered(await send(traffic, get(server.url("/first"))))
            waiting = [
                asyncio.create_task(in_line(traffic, get(server.url(f"/periodic/{n}")))) for n in range(5)
            ]
            await asyncio.sleep(0)
            answered(await send(traffic, get(server.url("/urgent")), urgent=True))
            await asyncio.gather(*waiting)
            paths = [request.split()[1] for request in server.requests]
            assert paths.index(b"/urgent?a=b") < paths.index(b"/periodic/1?a=b")

    async def test_no_more_are_under_way_than_may_be_and_all_get_their_turn(
        self, make_traffic: MakeTraffic
    ) -> None:
        traffic = make_traffic(Limits(concurrency=2, per_second=1000, burst=1000))
        under_way, most = 0, 0

        async def counting(connection: Connection) -> None:
            nonlocal under_way, most
            while await connection.request() is not None:
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(0.02)
                under_way -= 1
                await connection.send(response())

        async with FaultServer(counting) as server:
            found = await asyncio.gather(*(in_line(traffic, get(server.url(f"/{n}"))) for n in range(20)))
            assert [answered(item).status for item in found] == [200] * 20
            assert most == 2
            assert traffic.delayed["concurrency"] > 0

    async def test_each_host_has_a_budget_of_its_own(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(ROOMY_HOUR)
        async with FaultServer(answering(response())) as one, FaultServer(answering(response())) as other:
            for n in range(4):
                await send(traffic, get(one.url(f"/{n}")))
            answered(await send(traffic, get(other.url())))

    async def test_a_token_is_of_the_same_budget(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(ROOMY_HOUR)
        async with FaultServer(answering(response())) as server:
            for n in range(3):
                answered(await send(traffic, get(server.url(f"/{n}"), purpose="token")))
            assert isinstance(await send(traffic, get(server.url())), Later)
            assert traffic.sent == {"token": 3}

    async def test_who_gives_up_waiting_leaves_his_place_to_the_next(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(Limits(per_second=0.5, burst=1))
        async with FaultServer(answering(response())) as server:
            answered(await send(traffic, get(server.url())))
            waiting = asyncio.create_task(send(traffic, get(server.url("/gone")), urgent=True))
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            later = await send(traffic, get(server.url("/next")))
            assert isinstance(later, Later)
            assert later.seconds <= 2

    async def test_a_turn_can_be_asked_for_before_anything_is_prepared(
        self, make_traffic: MakeTraffic
    ) -> None:
        traffic = make_traffic(ROOMY_HOUR)
        async with FaultServer(in_turn(response(), response(), response(), COME_BACK_LATER)) as server:
            for n in range(3):
                assert traffic.turn(server.url(), who=n) is None
                answered(await send(traffic, get(server.url(f"/{n}")), who=n))
            waits = [traffic.turn(server.url(), who=f"{n}") for n in range(3)]
            seconds = [item.seconds for item in waits if isinstance(item, Later)]
            assert seconds == pytest.approx([1000, 2000, 3000], abs=5)
            assert traffic.turn("https://no host", who="x") is None
        async with FaultServer(answering(COME_BACK_LATER)) as server:
            answered(await send(traffic, get(server.url())))
            found = traffic.turn(server.url(), who="x")
            assert found is not None
            assert failed(found).kind is FailureKind.HOST_PAUSED

    async def test_where_nothing_may_go_no_budget_is_touched(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(ROOMY_HOUR)
        async with FaultServer(answering(response())) as server:
            elsewhere = rules_for("https://api.example.com")
            for _ in range(10):
                for url in (server.url(), "http://127.1/", "http://[::1", "http://a:b/", "//"):
                    found = await traffic.send(get(url), allowed_hosts=elsewhere)
                    assert failed(found).kind in {
                        FailureKind.HOST_NOT_ALLOWED,
                        FailureKind.SCHEME_NOT_ALLOWED,
                    }
            answered(await send(traffic, get(server.url())))
            assert traffic.sent == {"test": 1}
            assert traffic.delayed == {}


class TestAHostInTrouble:
    async def test_a_host_that_says_when_to_come_back_is_left_alone(self, traffic: Traffic) -> None:
        async with FaultServer(answering(COME_BACK_LATER)) as server:
            assert answered(await send(traffic, get(server.url()))).status == 429
            for n in range(20):
                failure = failed(await send(traffic, get(server.url(f"/{n}")), urgent=bool(n % 2)))
                assert failure.kind is FailureKind.HOST_PAUSED
                assert failure.host == f"127.0.0.1:{server.port}"
                assert failure.again_in is not None
                assert 1700 < failure.again_in <= 1800
            assert len(server.requests) == 1
            assert traffic.refused == {"host-paused": 20}
            assert traffic.open_hosts() == 0

    async def test_a_host_that_answers_429_and_then_dies_is_asked_no_more_than_is_needed_to_know(
        self, make_traffic: MakeTraffic
    ) -> None:
        traffic = make_traffic(DOWN_FOR_LONG)
        async with FaultServer(in_turn(response(), TOO_MANY)) as server:
            url = server.url()
            answered(await send(traffic, get(url)))
            assert answered(await send(traffic, get(url + "busy"))).status == 429
            refused = [failed(await send(traffic, get(f"{url}{n}"))) for n in range(50)]
            assert {failure.kind for failure in refused} == {FailureKind.HOST_PAUSED}
            assert len(server.requests) == 2
        # It is gone now: its port refuses what is sent from here on.
        for n in range(5):
            assert traffic.open_hosts() == 0
            found = await when_it_may(traffic, get(f"{url}{n}"))
            assert failed(found).kind is FailureKind.CONNECTION_REFUSED
        assert traffic.open_hosts() == 1
        for probes in range(2):
            found_all = await asyncio.gather(*(send(traffic, get(f"{url}other/{n}")) for n in range(50)))
            assert {failed(item).kind for item in found_all} == {FailureKind.HOST_UNAVAILABLE}
            assert traffic.sent["test"] == 2 + 5 + probes
            found = await when_it_may(traffic, get(f"{url}probe/{probes}"), urgent=True)
            assert failed(found).kind is FailureKind.CONNECTION_REFUSED

    async def test_one_request_finds_out_that_a_host_is_back_and_then_all_may_go(
        self, make_traffic: MakeTraffic
    ) -> None:
        traffic, gate, sick = make_traffic(DOWN_FOR_LONG), Gate(), True

        async def recovering(connection: Connection) -> None:
            while await connection.request() is not None:
                if not sick:
                    await gate.opened.wait()
                await connection.send(BAD_GATEWAY if sick else response())

        async with FaultServer(recovering) as server:
            for n in range(5):
                answered(await send(traffic, get(server.url(f"/{n}"))))
            refused = failed(await send(traffic, get(server.url())))
            assert refused.kind is FailureKind.HOST_UNAVAILABLE
            assert refused.detail.startswith("it answered 502 Bad Gateway, and nothing better since 2")
            sick = False
            probe = asyncio.create_task(when_it_may(traffic, get(server.url("/probe")), urgent=True))
            await until(lambda: len(server.requests) == 6)
            for urgent in (False, True):
                asking = (send(traffic, get(server.url(f"/other/{n}")), urgent=urgent) for n in range(20))
                found = await asyncio.gather(*asking)
                assert {failed(item).kind for item in found} == {FailureKind.HOST_UNAVAILABLE}
            assert len(server.requests) == 6
            gate.opened.set()
            answered(await probe)
            assert traffic.open_hosts() == 0
            asking = (in_line(traffic, get(server.url(f"/later/{n}"))) for n in range(5))
            assert [answered(item).status for item in await asyncio.gather(*asking)] == [200] * 5

    async def test_a_host_that_is_back_is_found_without_anybodys_doing(
        self, make_traffic: MakeTraffic
    ) -> None:
        traffic = make_traffic(replace(DOWN_FOR_LONG, first_open=0.02))
        async with FaultServer(in_turn(*[BAD_GATEWAY] * 5, response())) as server:
            for n in range(5):
                answered(await send(traffic, get(server.url(f"/{n}"))))
            assert traffic.open_hosts() == 1
            assert answered(await when_it_may(traffic, get(server.url("/again")))).status == 200
            assert traffic.open_hosts() == 0

    async def test_a_new_process_knows_nothing_of_what_another_has_found(
        self, make_traffic: MakeTraffic
    ) -> None:
        async with FaultServer(in_turn(COME_BACK_LATER, response())) as server:
            before = make_traffic(WIDE)
            await send(before, get(server.url()))
            assert failed(await send(before, get(server.url("/2")))).kind is FailureKind.HOST_PAUSED
            answered(await send(make_traffic(WIDE), get(server.url())))


class TestIdenticalRequests:
    async def test_fifty_at_once_are_made_once(self, traffic: Traffic) -> None:
        gate = Gate()
        async with FaultServer(gate) as server:
            asking = [asyncio.create_task(send(traffic, get(server.url()))) for _ in range(50)]
            await server.asked.wait()
            gate.opened.set()
            found = await asyncio.gather(*asking)
            assert len(server.requests) == 1
            assert all(item is found[0] for item in found)
            assert traffic.sent == {"test": 1}
            assert traffic.shared == {"running": 49}

    async def test_an_outcome_answers_for_a_moment_after_its_end(
        self, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(traffic_module, "SHARED_SECONDS", 0.05)
        async with FaultServer(numbered()) as server:
            first = answered(await send(traffic, get(server.url())))
            assert answered(await send(traffic, get(server.url()))) is first
            assert traffic.shared == {"ended": 1}
            await until(lambda: not traffic._exchanges)
            assert answered(await send(traffic, get(server.url()))).body == b"2"

    async def test_failures_are_shared_too(self, traffic: Traffic) -> None:
        with unused_port() as port:
            url = f"http://127.0.0.1:{port}/"
            found = await asyncio.gather(*(send(traffic, get(url)) for _ in range(50)))
        assert {failed(item).kind for item in found} == {FailureKind.CONNECTION_REFUSED}
        assert traffic.sent == {"test": 1}

    async def test_those_that_share_cost_the_budget_nothing(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(ROOMY_HOUR)
        async with FaultServer(answering(response())) as server:
            for _ in range(20):
                answered(await send(traffic, get(server.url())))
            for n in range(2):
                answered(await send(traffic, get(server.url(f"/{n}"))))

    async def test_identical_ones_that_must_wait_share_one_place_in_the_line(
        self, make_traffic: MakeTraffic
    ) -> None:
        traffic = make_traffic(replace(ROOMY_HOUR, burst=1))
        async with FaultServer(answering(response())) as server:
            answered(await send(traffic, get(server.url())))
            found = [await send(traffic, get(server.url("/same"))) for _ in range(20)]
            next_one = await send(traffic, get(server.url("/next")))
            waits = [item.seconds for item in (*found, next_one) if isinstance(item, Later)]
            assert waits == pytest.approx([1000] * 20 + [2000], abs=5)

    DIFFERENCES: ClassVar[dict[str, dict[str, Any]]] = {
        "method": {"method": "HEAD"},
        "query": {"query": (("a", "c"),)},
        "query that runs together": {"query": (("ab", ""),)},
        "no query": {"query": ()},
        "credential": {"headers": {"Authorization": "Bearer other"}},
        "header": {"headers": {"Authorization": f"Bearer {CANARY}", "X": "y"}},
        "body": {"body": b"{}"},
        "empty body": {"body": b""},
    }

    @pytest.mark.parametrize("changes", DIFFERENCES.values(), ids=DIFFERENCES)
    async def test_what_differs_in_anything_is_made_by_itself(
        self, traffic: Traffic, changes: dict[str, Any]
    ) -> None:
        async with FaultServer(answering(response(b""))) as server:
            await asyncio.gather(
                send(traffic, get(server.url())), send(traffic, get(server.url(), **changes))
            )
            assert len(server.requests) == 2

    async def test_what_trusts_or_may_go_elsewhere_is_made_by_itself(self, traffic: Traffic) -> None:
        async with FaultServer(answering(response())) as server:
            rules = rules_for(server.url())
            options: list[dict[str, Any]] = [
                {},
                {"ca_bundle": Authority("one").pem},
                {"ca_bundle": Authority("other").pem},
                {"allowed_hosts": [*rules, HostRule.parse("one.example.com")]},
                {"allowed_hosts": [*rules, HostRule.parse("other.example.com")]},
            ]
            await asyncio.gather(*(send(traffic, get(server.url()), **option) for option in options))
            assert len(server.requests) == 5

    async def test_each_request_for_a_token_is_somebodys_own(self, traffic: Traffic) -> None:
        async with FaultServer(numbered()) as server:
            request = get(server.url(), method="POST", body=b"grant", purpose="token")
            found = await asyncio.gather(*(send(traffic, request) for _ in range(5)))
            assert {answered(item).body for item in found} == {b"1", b"2", b"3", b"4", b"5"}

    async def test_a_test_by_post_is_a_question_as_well(self, traffic: Traffic) -> None:
        async with FaultServer(numbered()) as server:
            request = get(server.url(), method="POST", body=b'{"query": "{ viewer { login } }"}')
            found = await asyncio.gather(*(send(traffic, request) for _ in range(5)))
            assert {answered(item).body for item in found} == {b"1"}

    async def test_who_wants_to_know_how_it_is_now_gets_no_older_outcome(self, traffic: Traffic) -> None:
        gate = Gate()
        async with FaultServer(gate) as server:
            running = asyncio.create_task(send(traffic, get(server.url())))
            await until(lambda: len(server.requests) == 1)
            fresh = asyncio.create_task(send(traffic, get(server.url()), fresh=True))
            await until(lambda: len(server.requests) == 2)
            gate.opened.set()
            answered(await running)
            answered(await fresh)
            answered(await send(traffic, get(server.url()), fresh=True))
            assert len(server.requests) == 3
            answered(await send(traffic, get(server.url())))
            assert len(server.requests) == 3, "others may have what it found"

    async def test_the_end_of_an_older_outcome_does_not_take_a_newer_one_away(
        self, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(traffic_module, "SHARED_SECONDS", 0.02)
        gate, first = Gate(), True

        async def slower(connection: Connection) -> None:
            nonlocal first
            if first:
                first = False
                await connection.request()
                await connection.send(response())
            await gate(connection)

        async with FaultServer(slower) as server:
            answered(await send(traffic, get(server.url())))
            fresh = asyncio.create_task(send(traffic, get(server.url()), fresh=True))
            await until(lambda: len(server.requests) == 2)
            await asyncio.sleep(0.05)
            joining = asyncio.create_task(send(traffic, get(server.url())))
            await until(lambda: traffic.shared or len(server.requests) > 2)
            gate.opened.set()
            assert await joining is await fresh
            assert len(server.requests) == 2

    async def test_what_is_kept_to_compare_them_holds_no_credential(self, traffic: Traffic) -> None:
        async with FaultServer(answering(response())) as server:
            await send(traffic, get(server.url()))
            for _ in range(20):
                await send(traffic, get(server.url("/2")))
            kept = [*traffic._exchanges, *traffic._budgets._table]
            assert len(kept) == 3
            assert not any(CANARY in str(key) for key in kept)
            other = Traffic(traffic._http)
            request, rules = get(server.url()), rules_for(server.url())
            assert traffic._digest(request, rules, None) != other._digest(request, rules, None)


class TestWhoGivesUp:
    async def test_one_that_is_cancelled_leaves_the_request_to_the_others(self, traffic: Traffic) -> None:
        gate = Gate()
        async with FaultServer(gate) as server:
            asking = [asyncio.create_task(send(traffic, get(server.url()))) for _ in range(5)]
            await server.asked.wait()
            for task in asking[:4]:
                task.cancel()
            await asyncio.gather(*asking[:4], return_exceptions=True)
            assert all(task.cancelled() for task in asking[:4])
            gate.opened.set()
            assert answered(await asking[4]).status == 200
            assert len(server.requests) == 1

    async def test_with_the_last_one_the_request_ends_and_gives_its_place_back(self) -> None:
        client, gate = HttpClient(LOOPBACK_HTTP, total_timeout=600), Gate()
        traffic = Traffic(client, replace(WIDE, concurrency=1))
        async with FaultServer(gate.told_of_the_end) as server, asyncio.timeout(60):
            asking = [asyncio.create_task(send(traffic, get(server.url()))) for _ in range(5)]
            await server.asked.wait()
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            await gate.ended.wait()
            assert not traffic._running
            again = asyncio.create_task(send(traffic, get(server.url())))
            await until(lambda: len(server.requests) == 2)
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)
        await client.close()

    async def test_one_that_is_cancelled_before_it_began_gives_its_place_back(
        self, make_traffic: MakeTraffic
    ) -> None:
        traffic = make_traffic(replace(WIDE, concurrency=1))
        async with FaultServer(answering(response())) as server:
            asking = asyncio.create_task(send(traffic, get(server.url())))
            asyncio.get_running_loop().call_soon(asking.cancel)
            await asyncio.gather(asking, return_exceptions=True)
            assert asking.cancelled()
            assert answered(await send(traffic, get(server.url()))).status == 200

    async def test_whoever_comes_after_the_last_has_given_up_asks_anew(self, traffic: Traffic) -> None:
        gate = Gate()
        async with FaultServer(gate) as server:
            first = asyncio.create_task(send(traffic, get(server.url())))
            await server.asked.wait()
            first.cancel()
            second = asyncio.create_task(send(traffic, get(server.url())))
            await until(lambda: len(server.requests) == 2)
            gate.opened.set()
            assert answered(await second).status == 200
            assert first.cancelled()

    async def test_a_mistake_in_the_request_is_told_to_all_who_made_it(self, traffic: Traffic) -> None:
        async with FaultServer(answering(response())) as server:
            wrong = get(server.url(), headers={"X": "line\nbreak"})
            found = await asyncio.gather(*(send(traffic, wrong) for _ in range(5)), return_exceptions=True)
            assert {type(item) for item in found} == {ValueError}
            assert server.requests == []
            assert not traffic._exchanges

    async def test_closing_ends_what_is_on_its_way(self, client: HttpClient) -> None:
        traffic = Traffic(client, WIDE)
        async with FaultServer(silent) as server:
            asking = asyncio.create_task(send(traffic, get(server.url())))
            await server.asked.wait()
            await traffic.close()
            await asyncio.gather(asking, return_exceptions=True)
            assert asking.cancelled()


def control(request: HttpRequest) -> HttpRequest:
    """The same without the credential."""
    return replace(request, headers={}, purpose="control")


class TestControls:
    """What was asked with a credential is asked once more without it, to see that the credential makes a difference."""

    async def test_one_never_waits_and_is_paid_for_afterwards(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(replace(ROOMY_HOUR, burst=1))
        async with FaultServer(answering(response())) as server:
            asked = get(server.url())
            assert answered(await send(traffic, asked)).status == 200
            waiting = await send(traffic, get(server.url("/next")))
            assert isinstance(waiting, Later)
            assert answered(await send(traffic, control(asked))).status == 200
            after = await send(traffic, get(server.url("/after")))
            assert isinstance(after, Later)
            # One place for who came before, and one for what was paid.
            assert after.seconds > waiting.seconds * 2

    async def test_all_of_many_come_to_an_end_at_a_host_that_many_ask(
        self, make_traffic: MakeTraffic
    ) -> None:
        traffic = make_traffic(Limits(concurrency=4, per_second=200, burst=2))

        async def prove(url: str) -> None:
            assert answered(await in_line(traffic, get(url), who=url)).status == 200
            assert answered(await send(traffic, control(get(url)))).status == 200

        async with FaultServer(answering(response())) as server:
            await asyncio.gather(*(prove(server.url(f"/{number}")) for number in range(60)))
            assert len(server.requests) == 120, "nothing was asked for twice"

    @pytest.mark.parametrize("told", [TOO_MANY, COME_BACK_LATER, BAD_GATEWAY])
    async def test_how_one_ends_says_nothing_of_the_host(
        self, make_traffic: MakeTraffic, told: bytes
    ) -> None:
        traffic = make_traffic(replace(WIDE, open_after=1))
        async with FaultServer(in_turn(response(), told, response())) as server:
            asked = get(server.url())
            assert answered(await send(traffic, asked)).status == 200
            assert answered(await send(traffic, control(asked))).status != 200
            assert answered(await send(traffic, asked, fresh=True)).status == 200
            assert traffic.open_hosts() == 0

    async def test_a_host_that_wants_to_be_left_alone_is_left_alone(self, make_traffic: MakeTraffic) -> None:
        traffic = make_traffic(WIDE)
        async with FaultServer(answering(COME_BACK_LATER)) as server:
            asked = get(server.url())
            assert answered(await send(traffic, asked)).status == 429
            assert failed(await send(traffic, control(asked))).kind is FailureKind.HOST_PAUSED
            assert len(server.requests) == 1
