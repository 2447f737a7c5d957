"""What a person sees of a test by hand: each stage as it ends, then the verdict. Words and layout only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from integration_hub.cli.explain import link_of
from integration_hub.cli.terminal import OF_READY, Busy, Screen, State, wants_plain
from integration_hub.config.plain_text import one_line
from integration_hub.credentials.lifetime import end_words
from integration_hub.model.instance import Stage, TestResult, TestStatus
from integration_hub.reconcile.ends import earliest
from integration_hub.reconcile.gates import PlannedTest
from integration_hub.reconcile.times import parse_timestamp
from integration_hub.shell.exchange import ShownBody, ShownExchange
from integration_hub.shell.tryout import Observer, Trial, Tried, Verdict

_WORDS: Mapping[TestResult, str] = {"Success": "Success", "Failure": "Failure", "Unknown": "Could not tell"}
_NEXT = {"config": "dns", "token": "dns", "dns": "connect", "connect": "tls", "tls": "request"}
"""The stage that is under way when another has ended."""
_WIDE = 60
"""Characters of evidence that stand on the line of their stage; more goes below it."""


class View(Observer):
    """Writes to one stream what happens; a spinner shows on a terminal what is under way."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        """`out` gets what was found, `err` what is under way."""
        self._screen = Screen(out, err, plain=wants_plain())
        self._busy: Busy | None = None
        """What is under way, where a terminal shows it."""
        self._exchanges: list[ShownExchange] = []
        self._last: Tried | None = None
        """The test that ended last. How it ended is written where another follows it: else the verdict says it."""

    def close(self) -> None:
        """Take away what shows that something is under way."""
        self._spin(None)

    def say(self, text: str = "") -> None:
        """Write lines. What others have said in them was made harmless before."""
        self._spin(None)
        self._screen.say(text)

    def busy(self, text: str) -> None:
        """Show what is under way, on a terminal."""
        self._spin(text)

    # What the engine tells

    def test_began(self, planned: PlannedTest) -> None:
        """Write which test it is."""
        self._show_last()
        kind = "default" if planned.test.default else "" if planned.test.required else "optional"
        self.say(f"Test '{planned.test.name}'{f' ({kind})' if kind else ''}")
        self._exchanges = []
        self._spin("dns")

    def waiting(self, planned: PlannedTest, seconds: float) -> None:
        """Say what is waited for."""
        self.say(f"  waits {seconds:.0f} s for its turn: the host is asked only so often")
        self._spin("waiting")

    def stage_ended(self, planned: PlannedTest, stage: Stage) -> None:
        """Write the stage's line."""
        self.show_stage(stage)
        if stage.result in {"Passed", "Skipped"} and stage.name in _NEXT:
            self._spin(_NEXT[stage.name])

    def exchange_ended(self, planned: PlannedTest, exchange: ShownExchange) -> None:
        """Keep it until the stages are told."""
        self._exchanges.append(exchange)

    def test_ended(self, tried: Tried) -> None:
        """Write what was sent and answered."""
        for exchange in self._exchanges:
            self.say()
            for line in _exchange_lines(exchange):
                self.say(f"    {line}")
        self.say()
        self._last = tried

    def _show_last(self) -> None:
        if self._last is None:
            return
        self.show_result(self._last.status)
        if not self._last.counts:
            self.say("  This test is optional: it does not count.")
        self.say()
        self._last = None

    # Parts

    def show_stage(self, stage: Stage) -> None:
        """Write one stage: its name, how it ended, how long it took, and what was found."""
        took = "" if stage.duration_ms is None else f"{stage.duration_ms} ms"
        if self._screen.plain:
            self.say(f"  {stage.name}: {', '.join(word for word in (stage.result.lower(), took) if word)}")
            for name, value in stage.evidence.items():
                self.say(f"    {one_line(name)}: {one_line(value)}")
            return
        evidence = [f"{one_line(name)}={one_line(value)}" for name, value in stage.evidence.items()]
        result = self._shown(f"{stage.result.lower():<8}", stage.result)
        beside = "  ".join(evidence)
        line = f"  {stage.name:<11} {result} {took:>8}"
        if len(beside) <= _WIDE:
            self.say(f"{line}  {beside}".rstrip())
            return
        self.say(line.rstrip())
        for entry in evidence:
            self.say(f"{'':<14}{entry}")

    def show_result(self, status: TestStatus) -> None:
        """Write how one test ended."""
        result = status.last_result or status.result
        reason = one_line(status.last_reason or status.reason or "")
        shown = self._shown(_WORDS[result], result)
        self.say(f"  {shown}, {reason}: {one_line(status.message)}")

    def show_verdict(self, verdict: Verdict, label: str = "Result", here: str | None = None) -> None:
        """Write the verdict, what to do, and where to read more; first what helps with the command that runs."""
        shown = self._shown(_WORDS[verdict.result], verdict.result)
        self.say(f"{label}: {shown}, {one_line(verdict.reason)}")
        self.say(f"  {one_line(verdict.message)}")
        if here is not None:
            self.say(f"  Here: {here}")
        if verdict.hint and verdict.hint not in verdict.message:
            self.say(f"  What to do: {one_line(verdict.hint)}")
        link = link_of(verdict.reason)
        if link:
            self.say(f"  More: {link}")

    def show_trial(self, trial: Trial, here: str | None = None) -> None:
        """Write what follows the tests: those that were spared, and the verdict with what helps `here`."""
        if len(trial.tests) > 1 or not all(tried.counts for tried in trial.tests):
            self._show_last()
        self._last = None
        if not trial.tests:
            self.show_stage(Stage(name="config", result="Failed"))
            self.say()
        if trial.spared:
            names = ", ".join(f"'{name}'" for name in trial.spared)
            self.say(f"Not made, since they cannot get through before the default test does: {names}")
            self.say()
        if trial.exposed:
            where = one_line(", ".join(trial.exposed))
            self.say(f"A credential stands in clear in {where}: who may read the instance may read it.")
            self.say(
                "  Take it out; the auth method adds it from the Secret. If it was applied, get a new credential."
            )
            self.say()
        ends = earliest(parse_timestamp(tried.status.credential_expires_at) for tried in trial.tests)
        if ends is not None:
            self.say(f"The credential ends {end_words(ends)}.")
            self.say()
        self.show_verdict(trial.verdict, here=here)

    def _shown(self, text: str, result: str) -> str:
        return self._screen.status(OF_READY.get(result, State.UNKNOWN), text)

    def _spin(self, text: str | None) -> None:
        if self._busy is not None:
            self._busy.end()
            self._busy = None
        if text is not None and self._screen.is_terminal:
            self._busy = self._screen.busy(text)
            self._busy.begin()


def _exchange_lines(exchange: ShownExchange) -> Iterator[str]:
    """Yield a request and its answer as curl shows them: '>' is what was sent, '<' what came."""
    yield f"> {exchange.method} {exchange.url}"
    yield from (f"> {name}: {value}" for name, value in exchange.headers.items())
    if exchange.body is not None:
        yield from _body_lines(exchange.body, ">")
    if exchange.status is None:
        yield "< no answer" if exchange.was_sent else "  (not sent: there was no connection)"
        return
    yield f"< {exchange.status}"
    yield from (f"< {name}: {value}" for name, value in (exchange.answer_headers or {}).items())
    if exchange.answer_body is not None:
        yield from _body_lines(exchange.answer_body, "<")


def _body_lines(body: ShownBody, sign: str) -> Iterator[str]:
    yield sign
    if body.text is None:
        yield f"{sign} ({body.size} bytes that are no text)"
        return
    yield from (f"{sign} {line}" for line in body.text.splitlines())
    if body.cut or not body.size:
        yield f"{sign} (the beginning of {body.size} bytes)" if body.cut else f"{sign} (no body)"


# As data


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict for a program."""
    return {
        "result": verdict.result,
        "reason": verdict.reason,
        "message": verdict.message,
        "hint": verdict.hint,
        "link": link_of(verdict.reason),
    }


def trial_data(trial: Trial) -> dict[str, Any]:
    """Return what was found for a program."""
    return {
        **verdict_data(trial.verdict),
        "tests": [_tried_data(tried) for tried in trial.tests],
        "notMade": list(trial.spared),
        "exposed": list(trial.exposed),
    }


def _tried_data(tried: Tried) -> dict[str, Any]:
    status = tried.status
    return {
        "name": status.name,
        **verdict_data(Verdict(status.result, status.reason, status.message, status.hint)),
        "counts": tried.counts,
        "identity": tried.identity,
        "credentialExpiresAt": status.credential_expires_at,
        "time": status.time,
        "durationMilliseconds": status.duration_ms,
        "stages": [stage.to_wire() for stage in status.stages],
        "exchanges": [_exchange_data(exchange) for exchange in tried.exchanges],
    }


def _exchange_data(exchange: ShownExchange) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": exchange.method,
        "url": exchange.url,
        "headers": dict(exchange.headers),
    }
    if exchange.body is not None:
        request["body"] = _body_data(exchange.body)
    answer: dict[str, Any] | None = None
    if exchange.status is not None:
        answer = {"status": exchange.status, "headers": dict(exchange.answer_headers or {})}
        if exchange.answer_body is not None:
            answer["body"] = _body_data(exchange.answer_body)
    return {
        "purpose": exchange.purpose,
        "durationMilliseconds": round(exchange.seconds * 1000),
        "sent": exchange.was_sent,
        "request": request,
        "response": answer,
    }


def _body_data(body: ShownBody) -> dict[str, Any]:
    return {"text": body.text, "bytes": body.size, "cut": body.cut}
