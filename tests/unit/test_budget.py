"""One budget for each host: never more often and never more at once than the limits, in the order of asking."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from integration_hub.adapters import budget as budget_module
from integration_hub.adapters.budget import (
    DOWN_FAILURES,
    DOWN_STATUSES,
    FORGOTTEN_AFTER,
    GRACE,
    NOT_SENT,
    PROBE_PATIENCE,
    Admitted,
    Budgets,
    HostBudget,
    Later,
    Limits,
    Refused,
)
from integration_hub.model.http import Failure, FailureKind, HttpResponse, Outcome

WALL = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LIMITS = Limits(concurrency=100, per_second=10, burst=3)
NARROW = Limits(concurrency=2, per_second=1000, burst=1000)


def answer(status: int = 200, seconds: float = 0.1, **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Outcome(HttpResponse(status, named, b""), None, seconds)


def failure(kind: FailureKind = FailureKind.CONNECTION_REFUSED) -> Outcome:
    return Outcome(None, Failure(kind, "api.example.com:443"), 0.1)


class Host:
    """A budget with a clock that goes only where a test tells it to."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.now = 100.0
        self.budget = HostBudget(limits, self.now)
        self._strangers = itertools.count()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def admit(self, who: Hashable = None, *, urgent: bool = False) -> Admitted | Later | Refused:
        """Ask for somebody, by default for one who was never seen before."""
        return self.budget.admit(self.now, who or next(self._strangers), urgent=urgent)

    def end(self, outcome: Outcome | None, *, was_probe: bool = False) -> None:
        self.budget.ended(self.now, WALL + timedelta(seconds=self.now - 100), outcome, was_probe=was_probe)

    def ask(self, outcome: Outcome, *, urgent: bool = False) -> Admitted:
        """Send one request, which has to be admitted, and end it."""
        admitted = self.admit(urgent=urgent)
        assert isinstance(admitted, Admitted), admitted
        self.end(outcome, was_probe=admitted.probe)
        return admitted

    def later(self, who: Hashable = None, *, urgent: bool = False) -> float:
        """Ask for one who has to wait, and tell for how long."""
        later = self.admit(who, urgent=urgent)
        assert isinstance(later, Later), later
        return later.seconds

    def refused(self, kind: FailureKind, *, urgent: bool = False) -> Refused:
        refused = self.admit(urgent=urgent)
        assert isinstance(refused, Refused), refused
        assert refused.kind is kind
        return refused

    def go_down(self) -> None:
        """Fail until nobody is let through."""
        for _ in range(LIMITS.open_after):
            self.ask(failure())
            self.pass_time(1)
        assert self.budget.is_open


class TestTheRate:
    def test_a_host_at_rest_may_be_asked_in_a_burst_and_then_at_the_rate(self) -> None:
        host = Host()
        for _ in range(3):
            host.ask(answer())
        assert host.later() == pytest.approx(0.1)

    def test_those_who_are_too_many_are_spread_out_in_the_order_of_asking(self) -> None:
        host = Host()
        for _ in range(3):
            host.ask(answer())
        waits = [host.later(f"caller-{n}") for n in range(50)]
        assert waits == pytest.approx([0.1 * (n + 1) for n in range(50)])

    def test_who_comes_back_in_time_is_admitted_and_nobody_who_came_later_is_before_him(self) -> None:
        host = Host()
        for _ in range(3):
            host.ask(answer())
        for n in range(20):
            host.later(n + 1)
        for n in range(20):
            host.pass_time(0.1)
            assert isinstance(host.admit(), Later), "a newcomer goes to the end"
            assert isinstance(host.admit(n + 1), Admitted)

    def test_who_does_not_come_back_holds_nobody_up_for_long(self) -> None:
        host = Host()
        for _ in range(3):
            host.ask(answer())
        for _ in range(30):
            host.later()
        host.pass_time(3 + GRACE + 0.1)
        assert [type(host.admit()) for _ in range(3)] == [Admitted] * 3

    def test_who_gives_up_his_place_holds_nobody_up(self) -> None:
        host = Host()
        for _ in range(3):
            host.ask(answer())
        host.later("gone")
        assert host.later("next") == pytest.approx(0.2)
        host.budget.leave("gone")
        assert host.later("next") == pytest.approx(0.1)

    def test_a_line_that_is_too_long_keeps_no_more_places(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(budget_module, "LONGEST_LINE", 5)
        host = Host()
        for _ in range(3):
            host.ask(answer())
        assert [host.later() for _ in range(8)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6])

    def test_asking_for_a_turn_takes_nothing_and_keeps_a_place(self) -> None:
        host = Host()
        for _ in range(20):
            assert host.budget.turn(host.now, "somebody", urgent=False) is None
        assert host.budget.in_flight == 0
        for _ in range(3):
            host.ask(answer())
        later = host.budget.turn(host.now, "first", urgent=False)
        assert isinstance(later, Later)
        assert host.later("second") == pytest.approx(0.2)
        host.pass_time(later.seconds)
        assert isinstance(host.admit("second"), Later)
        assert isinstance(host.admit("first"), Admitted)

    @pytest.mark.parametrize("burst", [1, 10])
    def test_those_that_nobody_waits_for_are_overtaken_and_not_starved(self, burst: int) -> None:
        # Thirty who ask by hand all the time, and five that fall due.
        budget, outcome = (
            HostBudget(Limits(burst=burst), 0.0),
            Outcome(HttpResponse(200, {}, b""), None, 0.01),
        )
        comes = {(urgent, number): 0.0 for urgent, many in ((True, 30), (False, 5)) for number in range(many)}
        sent = {True: 0, False: 0}
        for tick in range(1, 3000):
            now = tick / 100
            for who in [who for who, when in comes.items() if when <= now]:
                answer = budget.admit(now, who, urgent=who[0])
                if isinstance(answer, Admitted):
                    sent[who[0]] += 1
                    budget.ended(now, datetime.now(UTC), outcome, was_probe=False)
                comes[who] = now + (answer.seconds if isinstance(answer, Later) else 0.0)
        assert sent[True] > 250
        assert sent[False] >= (5 if burst > 1 else 0)

    def test_an_urgent_one_overtakes_all_that_are_not(self) -> None:
        host = Host()
        for _ in range(3):
            host.ask(answer())
        host.later("first")
        host.later("second")
        assert host.later("urgent", urgent=True) == pytest.approx(0.1)
        assert host.later("urgent too", urgent=True) == pytest.approx(0.2)
        host.pass_time(0.1)
        assert host.later("first") == pytest.approx(0.2)
        assert isinstance(host.admit("urgent", urgent=True), Admitted)
        host.pass_time(0.1)
        assert isinstance(host.admit("urgent too", urgent=True), Admitted)
        host.pass_time(0.1)
        assert host.later("second") == pytest.approx(0.1)
        assert isinstance(host.admit("first"), Admitted)

    def test_asking_again_does_not_take_a_second_place(self) -> None:
        host = Host()
        for _ in range(3):
            host.ask(answer())
        assert [host.later("same") for _ in range(5)] == pytest.approx([0.1] * 5)

    @pytest.mark.parametrize("kind", sorted(NOT_SENT))
    def test_what_was_never_sent_costs_nothing(self, kind: FailureKind) -> None:
        host = Host()
        for _ in range(50):
            host.ask(failure(kind))
        assert not host.budget.is_open

    def test_a_cancelled_request_was_sent_for_all_we_know(self) -> None:
        host = Host()
        for _ in range(3):
            assert isinstance(host.admit(), Admitted)
            host.end(None)
        assert host.later() == pytest.approx(0.1)

    @pytest.mark.parametrize("name", ["concurrency", "per_second", "burst", "open_after"])
    def test_limits_that_let_nothing_through_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="at least one"):
            Limits(**{name: 0})


class TestHowManyAtOnce:
    def test_no_more_are_in_flight_than_may_be(self) -> None:
        host = Host(NARROW)
        assert isinstance(host.admit(), Admitted)
        assert isinstance(host.admit(), Admitted)
        later = host.admit("third")
        assert isinstance(later, Later)
        assert later.why == "concurrency"
        host.pass_time(60)
        assert isinstance(host.admit("third"), Later)
        host.end(answer())
        assert isinstance(host.admit("third"), Admitted)

    def test_the_slower_the_host_the_later_those_come_back_who_wait_for_room(self) -> None:
        quick, slow = Host(NARROW), Host(NARROW)
        for _ in range(10):
            quick.ask(answer(seconds=0.1))
            slow.ask(answer(seconds=4))
        for host in (quick, slow):
            assert [type(host.admit()) for _ in range(2)] == [Admitted] * 2
        assert slow.later() > 10 * quick.later()

    def test_room_goes_to_who_has_waited_longest(self) -> None:
        host = Host(NARROW)
        for _ in range(2):
            host.admit()
        host.later("first")
        host.later("second")
        host.end(answer())
        assert isinstance(host.admit("second"), Later)
        assert isinstance(host.admit("first"), Admitted)


class TestPauses:
    def test_a_host_that_says_for_how_long_is_left_alone_for_so_long(self) -> None:
        host = Host()
        host.ask(answer(429, retry_after="30"))
        assert host.refused(FailureKind.HOST_PAUSED).again_in == pytest.approx(30)
        host.pass_time(29.9)
        refused = host.refused(FailureKind.HOST_PAUSED, urgent=True)
        assert refused.again_in == pytest.approx(0.1)
        assert refused.detail == "it answered 429 and said for how long to wait"
        host.pass_time(0.2)
        host.ask(answer())

    def test_a_maintenance_that_says_when_it_ends_is_a_pause_and_no_failure(self) -> None:
        host = Host()
        for _ in range(10):
            host.ask(answer(503, retry_after="30"))
            assert host.refused(FailureKind.HOST_PAUSED).again_in == pytest.approx(30)
            host.pass_time(31)
        assert not host.budget.is_open

    def test_a_good_answer_may_say_that_it_was_the_last_one_for_now(self) -> None:
        host = Host()
        host.ask(answer(200, x_ratelimit_remaining="0", x_ratelimit_reset="30"))
        assert host.refused(FailureKind.HOST_PAUSED).again_in == pytest.approx(30)

    def test_a_host_that_says_only_that_it_is_too_much_is_left_alone_for_longer_each_time(self) -> None:
        host, pauses = Host(), []
        for _ in range(9):
            host.ask(answer(429))
            pauses.append(host.refused(FailureKind.HOST_PAUSED).again_in)
            host.pass_time(pauses[-1] + 1)
        assert pauses == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300, 300])
        host.ask(answer(404))
        host.ask(answer(429))
        assert host.refused(FailureKind.HOST_PAUSED).again_in == pytest.approx(5), "it has answered meanwhile"

    def test_several_answers_of_one_wave_count_once(self) -> None:
        host = Host()
        for _ in range(3):
            host.admit()
        for status in (429, 200, 429):
            host.end(answer(status))
        assert host.refused(FailureKind.HOST_PAUSED).again_in == pytest.approx(5)
        host.pass_time(6)
        host.ask(answer(429))
        assert host.refused(FailureKind.HOST_PAUSED).again_in == pytest.approx(10)

    def test_a_shorter_wish_does_not_end_a_longer_one(self) -> None:
        host = Host()
        host.admit()
        host.admit()
        host.end(answer(429, retry_after="60"))
        host.end(answer(429, retry_after="1"))
        assert host.refused(FailureKind.HOST_PAUSED).again_in == pytest.approx(60)

    def test_nobody_silences_a_host_for_longer_than_the_limit(self) -> None:
        host = Host(Limits(longest_pause=100))
        host.ask(answer(429, retry_after="86400"))
        assert host.refused(FailureKind.HOST_PAUSED).again_in == pytest.approx(100)

    def test_after_a_pause_nobody_waits_for_those_who_were_in_line_before_it(self) -> None:
        host = Host()
        for _ in range(3):
            host.admit()
        for _ in range(10):
            host.later()
        host.end(answer(429, retry_after="1"))
        host.pass_time(1.1)
        assert isinstance(host.admit(), Admitted)

    def test_after_a_pause_there_is_no_burst(self) -> None:
        host = Host()
        host.ask(answer(429, retry_after="30"))
        host.pass_time(30)
        assert isinstance(host.admit(), Admitted)
        assert host.later() == pytest.approx(0.1)


class TestTheBreaker:
    @pytest.mark.parametrize("kind", sorted(DOWN_FAILURES))
    def test_failures_of_the_host_in_a_row_open_it(self, kind: FailureKind) -> None:
        host = Host()
        for _ in range(5):
            assert not host.budget.is_open
            host.ask(failure(kind))
            host.pass_time(1)
        refused = host.refused(FailureKind.HOST_UNAVAILABLE)
        assert refused.again_in == pytest.approx(9)
        assert refused.detail == f"{DOWN_FAILURES[kind]}, and nothing better since 2026-03-01T12:00:00Z"

    @pytest.mark.parametrize("status", sorted(DOWN_STATUSES))
    def test_so_do_answers_of_what_stands_before_the_host(self, status: int) -> None:
        host = Host()
        for _ in range(5):
            host.ask(answer(status))
            host.pass_time(1)
        assert host.refused(FailureKind.HOST_UNAVAILABLE).detail.startswith(f"it answered {status}")

    @pytest.mark.parametrize(
        "sign_of_life",
        [
            answer(200),
            answer(401),
            answer(500),
            failure(FailureKind.TLS_EXPIRED),
            failure(FailureKind.NOT_HTTP),
        ],
        ids=["200", "401", "500", "certificate", "not HTTP"],
    )
    def test_any_sign_of_life_ends_the_row(self, sign_of_life: Outcome) -> None:
        host = Host()
        for _ in range(10):
            for _ in range(4):
                host.ask(failure())
                host.pass_time(1)
            host.ask(sign_of_life)
        assert not host.budget.is_open

    def test_what_never_reached_the_host_neither_ends_the_row_nor_adds_to_it(self) -> None:
        host = Host()
        for _ in range(4):
            host.ask(failure())
            host.pass_time(1)
        host.ask(failure(FailureKind.ADDRESS_NOT_ALLOWED))
        assert not host.budget.is_open
        host.ask(failure())
        assert host.budget.is_open

    def test_one_request_finds_out_and_the_others_wait_for_it(self) -> None:
        host = Host()
        host.go_down()
        host.pass_time(10)
        probe = host.admit()
        assert probe == Admitted(probe=True)
        for urgent in (False, True):
            refused = host.refused(FailureKind.HOST_UNAVAILABLE, urgent=urgent)
            assert 0 < refused.again_in <= PROBE_PATIENCE
        host.pass_time(PROBE_PATIENCE + 1)
        host.refused(FailureKind.HOST_UNAVAILABLE, urgent=True)
        host.end(answer(), was_probe=True)
        assert host.ask(answer()) == Admitted(probe=False)

    def test_the_end_of_another_request_does_not_let_a_second_one_find_out(self) -> None:
        host = Host()
        assert isinstance(host.admit(), Admitted)
        host.go_down()
        host.pass_time(10)
        assert host.admit() == Admitted(probe=True)
        host.end(failure())
        host.pass_time(2)
        host.refused(FailureKind.HOST_UNAVAILABLE, urgent=True)

    def test_each_failed_probe_doubles_the_time_up_to_the_limit(self) -> None:
        host, times = Host(), []
        host.go_down()
        host.pass_time(10)
        for _ in range(7):
            assert host.ask(failure()).probe
            times.append(host.refused(FailureKind.HOST_UNAVAILABLE).again_in)
            host.pass_time(times[-1])
        assert times == pytest.approx([20, 40, 80, 160, 300, 300, 300])
        host.ask(answer())
        host.go_down()
        assert host.refused(FailureKind.HOST_UNAVAILABLE).again_in < 10, "it begins anew"

    def test_who_is_urgent_may_find_out_early_and_puts_nothing_off(self) -> None:
        host = Host()
        host.go_down()
        before = host.refused(FailureKind.HOST_UNAVAILABLE).again_in
        assert host.ask(failure(), urgent=True).probe
        assert host.refused(FailureKind.HOST_UNAVAILABLE).again_in == pytest.approx(before)
        assert host.refused(FailureKind.HOST_UNAVAILABLE, urgent=True).again_in == pytest.approx(1)
        host.pass_time(1)
        assert host.ask(answer(), urgent=True).probe
        host.ask(answer())

    def test_a_cancelled_probe_leaves_the_question_to_the_next(self) -> None:
        host = Host()
        host.go_down()
        host.pass_time(10)
        assert host.admit() == Admitted(probe=True)
        host.end(None, was_probe=True)
        host.refused(FailureKind.HOST_UNAVAILABLE)
        host.pass_time(1)
        assert host.ask(answer()).probe

    def test_what_was_sent_before_may_tell_as_well(self) -> None:
        host = Host(Limits(per_second=1000, burst=1000))
        assert [type(host.admit()) for _ in range(7)] == [Admitted] * 7
        for _ in range(5):
            host.end(failure())
        assert host.refused(FailureKind.HOST_UNAVAILABLE).again_in == pytest.approx(10)
        host.end(failure())
        assert host.refused(FailureKind.HOST_UNAVAILABLE).again_in == pytest.approx(10), (
            "one wave counts once"
        )
        host.end(answer())
        assert host.admit() == Admitted(probe=False)

    def test_who_waited_before_it_opened_comes_back_as_a_newcomer(self) -> None:
        host = Host(Limits(concurrency=5, per_second=1000, burst=1000))
        for _ in range(5):
            host.admit()
        host.later("waiting")
        for _ in range(5):
            host.end(failure())
        host.pass_time(10)
        assert host.admit() == Admitted(probe=True)

    def test_the_phrase_stays_the_same_while_the_host_is_down(self) -> None:
        host = Host()
        host.go_down()
        first = host.refused(FailureKind.HOST_UNAVAILABLE).detail
        host.pass_time(10)
        host.ask(failure())
        assert host.refused(FailureKind.HOST_UNAVAILABLE).detail == first


class TestTheTable:
    def test_each_host_has_its_own_budget(self) -> None:
        budgets = Budgets(LIMITS)
        assert budgets.of("a:443", 0) is budgets.of("a:443", 1)
        assert budgets.of("a:443", 0) is not budgets.of("a:8443", 0)

    def test_hosts_at_rest_are_forgotten(self) -> None:
        budgets = Budgets(LIMITS)
        for n in range(5000):
            budget = budgets.of(f"host-{n}:443", n)
            assert isinstance(budget.admit(n, "who", urgent=False), Admitted)
            budget.ended(n, WALL, answer(), was_probe=False)
        assert len(budgets) <= 512

    def test_what_is_known_of_a_host_is_kept_while_it_matters(self) -> None:
        budgets = Budgets(LIMITS)
        ends: list[Outcome | None] = [answer(429), answer(429, retry_after="900"), failure(), None]
        for n, outcome in enumerate(ends):
            budget = budgets.of(f"{n}:443", 0)
            budget.admit(0, "who", urgent=False)
            if outcome:
                budget.ended(0, WALL, outcome, was_probe=False)
        kept = [budgets.of(f"{n}:443", 1) for n in range(4)]
        for n in range(1000):
            budgets.of(f"host-{n}:443", 600)
        assert [budgets.of(f"{n}:443", 600) for n in range(4)] == kept
        for n in range(1000):
            budgets.of(f"host-{n}:443", 600 + FORGOTTEN_AFTER + 1)
        forgotten = [budgets.of(f"{n}:443", 601 + FORGOTTEN_AFTER) is not kept[n] for n in range(4)]
        assert forgotten == [True, True, True, False], "one request is still in flight"

    def test_whatever_happens_no_more_are_remembered_than_may_be(self) -> None:
        budgets = Budgets(LIMITS, most=50)
        busy = budgets.of("busy:443", 0)
        busy.admit(0, "who", urgent=False)
        for n in range(500):
            budget = budgets.of(f"host-{n}:443", 0)
            budget.admit(0, "who", urgent=False)
            budget.ended(0, WALL, failure(), was_probe=False)
            assert len(budgets) <= 50
        assert budgets.of("busy:443", 0) is busy

    def test_it_tells_how_many_hosts_are_down(self) -> None:
        budgets = Budgets(Limits(open_after=1))
        assert budgets.open_hosts() == 0
        for name in ("a", "b"):
            budget = budgets.of(name, 0)
            budget.admit(0, "who", urgent=False)
            budget.ended(0, WALL, failure(), was_probe=False)
        assert budgets.open_hosts() == 2


OUTCOMES = st.sampled_from(
    [
        answer(),
        answer(200),
        answer(502),
        answer(429),
        answer(429, retry_after="2"),
        failure(),
        failure(FailureKind.RESPONSE_TIMEOUT),
        failure(FailureKind.TLS_EXPIRED),
        failure(FailureKind.ADDRESS_NOT_ALLOWED),
        None,
    ]
)


class BudgetMachine(RuleBasedStateMachine):
    """Whoever asks, whenever, and however it ends: the limits hold."""

    LIMITS: ClassVar = Limits(
        concurrency=3, per_second=4, burst=5, open_after=2, first_open=3, longest_open=9
    )

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.budget = HostBudget(self.LIMITS, 0.0)
        self.in_flight: list[tuple[float, bool]] = []
        self.sent: list[float] = []
        self.probes: list[float] = []
        self.promised: dict[tuple[int, bool], float] = {}

    @rule(seconds=st.one_of(st.floats(0, 0.5), st.floats(0, 15)))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.promised)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        who, urgent = data.draw(st.sampled_from(sorted(self.promised)))
        self.now = max(self.now, self.promised[who, urgent])
        self.ask(who, urgent)

    @rule(who=st.integers(0, 20), urgent=st.booleans())
    def ask(self, who: int, urgent: bool) -> None:
        self.promised.pop((who, urgent), None)
        found = self.budget.admit(self.now, who, urgent=urgent)
        match found:
            case Later(seconds):
                assert 0 < seconds < 60
                self.promised[who, urgent] = self.now + seconds
            case Refused(_, again_in):
                assert 0 < again_in <= 3600
            case Admitted(probe):
                self.in_flight.append((self.now, probe))
                if probe:
                    assert not self.probes or self.now - self.probes[-1] >= 1
                    self.probes.append(self.now)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), outcome=OUTCOMES)
    def end(self, data: st.DataObject, outcome: Outcome | None) -> None:
        began, probe = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        if outcome is None or outcome.failure is None or outcome.failure.kind not in NOT_SENT:
            self.sent.append(began)
        wall = WALL + timedelta(seconds=self.now)
        self.budget.ended(self.now, wall, outcome, was_probe=probe)

    @invariant()
    def no_more_at_once_than_may_be(self) -> None:
        assert len(self.in_flight) <= self.LIMITS.concurrency
        assert self.budget.in_flight == len(self.in_flight)

    @invariant()
    def one_probe_at_a_time(self) -> None:
        assert sum(probe for _, probe in self.in_flight) <= 1

    @invariant()
    def no_more_in_any_window_than_may_be(self) -> None:
        sent = sorted(self.sent)
        for first, begin in enumerate(sent):
            for last in range(first, len(sent)):
                most = self.LIMITS.burst + self.LIMITS.per_second * (sent[last] - begin)
                assert last - first + 1 <= most + 1e-3

    def teardown(self) -> None:
        """Whatever was, an hour later the host is asked again, and once it has answered at the full rate."""
        if not hasattr(self, "budget"):
            return
        while self.in_flight:
            _, probe = self.in_flight.pop()
            self.budget.ended(self.now, WALL, None, was_probe=probe)
        for _ in range(2):
            self.now += FORGOTTEN_AFTER
            admitted = self.budget.admit(self.now, "the last", urgent=False)
            assert isinstance(admitted, Admitted)
            self.budget.ended(self.now, WALL, answer(), was_probe=admitted.probe)
        self.now += FORGOTTEN_AFTER
        burst = [self.budget.admit(self.now, object(), urgent=False) for _ in range(self.LIMITS.concurrency)]
        assert burst == [Admitted(probe=False)] * self.LIMITS.concurrency


BudgetMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestWhateverHappens = BudgetMachine.TestCase
