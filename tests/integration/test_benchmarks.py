"""The instruments of the benchmarks, tried on what is known: a wrong figure there would praise or blame wrongly.

The benchmarks themselves take minutes and need the machine for themselves.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from pathlib import Path

import aiohttp
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from arrivals import lateness, most_at_once, most_within, off_grid, quantile  # noqa: E402
from outside import Outside, account, instance, outside_hosts  # noqa: E402
from watched import open_periods  # noqa: E402


def test_lateness_is_counted_from_the_earliest_of_an_instance_even_where_its_grid_wraps() -> None:
    # Due at 9.9 in each interval of ten seconds; one came 0.4 s late, and so in the next interval.
    late = lateness([9.9, 19.9, 30.3, 39.95], 10)
    assert sorted(round(each, 6) for each in late) == [0.0, 0.0, 0.05, 0.4]


def test_an_instance_that_was_asked_once_or_never_is_not_late() -> None:
    assert lateness([], 10) == []
    assert lateness([12.5], 10) == [0.0]


def test_a_lateness_that_all_tests_share_shows_against_the_grid_that_is_known() -> None:
    late = off_grid([1.25 + 0.3, 11.25 + 0.3, 21.25 - 0.1], 10, 0.125)
    assert [round(each, 6) for each in late] == [0.3, 0.3, -0.1]


def test_a_window_finds_the_busiest_stretch_wherever_it_begins() -> None:
    assert most_within([0.0, 0.9, 1.0, 1.1, 1.8, 5.0], 1) == 4
    assert most_within([], 1) == 0


def test_what_ends_as_another_begins_is_not_at_once_with_it() -> None:
    assert most_at_once([(0, 1), (1, 2), (1.5, 3), (1.7, 1.8)]) == 3
    assert most_at_once([]) == 0


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(range(100), 0.99) == 99
    assert quantile([], 0.99) == 0


def test_a_dead_host_may_be_probed_once_for_each_open_period_that_has_ended() -> None:
    # They end after 10, 30 and 70 seconds.
    assert [open_periods(seconds) for seconds in (9, 10, 65, 71)] == [0, 1, 2, 3]


async def ask(outside: Outside, number: int) -> int:
    """Ask a host as an instance of that number would, on a connection of its own."""
    trust = ssl.create_default_context(cadata=outside.ca)
    url = f"{outside.url(number)}/v1/{account(number)}/whoami"
    headers = {"Authorization": f"Bearer {outside.key}"}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as session,
        session.get(url, headers=headers, ssl=trust) as response,
    ):
        return response.status


async def test_a_host_remembers_what_it_was_asked_and_who_knocked_while_it_was_dead(tmp_path: Path) -> None:
    async with outside_hosts(tmp_path, 2) as outside:
        address = outside.addresses[0]
        assert await asyncio.gather(*(ask(outside, number) for number in range(5))) == [200] * 5
        await outside.order("answer", address=address, status=429, headers={"Retry-After": "20"})
        assert await ask(outside, 0) == 429

        await outside.order("die", address=address, how="refuse")
        for _ in range(3):
            with pytest.raises(aiohttp.ClientConnectorError):
                await ask(outside, 0)
        await outside.order("live", address=address)
        assert await ask(outside, 0) == 429
        refused = (await outside.seen())[address]

        await outside.order("die", address=address, how="hang")
        with pytest.raises(TimeoutError):
            await ask(outside, 0)
        await outside.order("live", address=address)
        assert await ask(outside, 0) == 429
        first, second = (await outside.seen()).values()

    asked = [(one.account, one.status) for one in first.requests]
    assert sorted(asked[:3]) == [(account(number), 200) for number in (0, 2, 4)]
    assert asked[3:] == [(account(0), 429)] * 3
    assert {one.account for one in second.requests} == {account(1), account(3)}
    assert first.most_in_flight <= 3
    assert len(refused.knocks) == 3 * refused.counts_refused
    assert len(first.knocks) == len(refused.knocks) + 1


async def test_the_floor_asks_what_the_operator_would_and_counts_it(tmp_path: Path) -> None:
    async with outside_hosts(tmp_path, 1) as outside:
        url = f"{outside.url(0)}/v1/{{}}/whoami"
        urls = [(url.format(account(number)), number / 4) for number in range(4)]
        plan = {"urls": urls, "ca": outside.ca, "key": outside.key, "interval": 1, "seconds": 2}
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(BENCHMARKS / "pace.py"),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        told, _ = await process.communicate(json.dumps(plan).encode() + b"\n")
        seen = await outside.seen()
    (host,) = seen.values()
    assert json.loads(told)["requests"] > 0
    assert {(one.account, one.status) for one in host.requests} == {
        (account(number), 200) for number in range(4)
    }


def test_instances_differ_in_whose_account_they_ask_for_so_that_no_two_share_a_request() -> None:
    configs = [instance("here", number, "https://127.0.1.1", {})["spec"]["config"] for number in range(3)]
    assert len({config["account"] for config in configs}) == 3
