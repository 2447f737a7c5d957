"""What the facts mean: the first row of the diagnosis table that matches, or a failure rule of the definition, told.

The words that messages may use are made here; the rows themselves stand in `diagnosis_table`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from integration_hub.model.instance import StageName, TestResult
from integration_hub.model.reasons import COULD_NOT_TELL, REASONS, SELECTABLE, TOKEN_SELECTABLE, Reason
from integration_hub.model.testing import FailureRule
from integration_hub.probe.diagnosis_table import (
    ANSWERED,
    AT_TEST,
    AT_TOKEN_URL,
    BEFORE_AN_ANSWER,
    EXPLAINS_A_REJECTED_CLIENT,
    EXPLAINS_A_REJECTION,
    TOKEN_ANSWERED,
    Row,
)
from integration_hub.probe.facts import Facts

_NAMED_STATUS: Final = re.compile(r" \(HTTP [^)]*\)")
"""What a reason's meaning says of the status does not hold where a rule has given that reason to another one."""

_NAMED_BY_RULES: Final[Mapping[bool, tuple[frozenset[Reason], Reason]]] = {
    False: (SELECTABLE, Reason.ANSWER_NOT_OK),
    True: (TOKEN_SELECTABLE, Reason.TOKEN_REQUEST_REJECTED),
}
"""The reasons that rules may name, and the one that is told else: at a token URL (True) and of a test (False)."""

_ONLY_REJECTED: Final = frozenset({Reason.CREDENTIALS_REJECTED, Reason.TOKEN_CLIENT_REJECTED})

MAX_PATH: Final = 120
MAX_RULE: Final = 300
MAX_HINT: Final = 500
"""As `FailureRule.hint` allows: what to do is of no use without its end."""


class Finding(NamedTuple):
    """What was found. `row` is None where a failure rule of the definition has found it."""

    row: Row | None
    stage: StageName
    reason: Reason
    result: TestResult
    message: str
    hint: str | None


def find(facts: Facts) -> Finding:
    """Return what the facts mean."""
    rows = BEFORE_AN_ANSWER if facts.failure else AT_TOKEN_URL if facts.is_token else AT_TEST
    if facts.rule is not None:
        rows = _explaining(facts, facts.rule)
    row = next((row for row in rows if row.matches(facts)), None)
    if row is None:
        return _told_by_rule(facts)
    message = row.message.format_map(_words(facts))
    if row.reason is not Reason.CONNECTED:
        message = _with_more(facts, message)
    return Finding(
        row=row,
        stage="token" if facts.is_token else row.stage,
        reason=row.reason,
        result=_result(row.reason),
        message=message,
        hint=(row.advice(facts) if row.advice else REASONS[row.reason].remedy) or None,
    )


def _explaining(facts: Facts, rule: FailureRule) -> Sequence[Row]:
    """Return the rows that go before a rule: those that say why, where it only says that credentials were rejected."""
    if facts.is_token:
        return EXPLAINS_A_REJECTED_CLIENT if rule.reason in _ONLY_REJECTED else ()
    return EXPLAINS_A_REJECTION if rule.reason == Reason.CREDENTIALS_REJECTED else ()


def _told_by_rule(facts: Facts) -> Finding:
    """Let the definition's own words go before ours. A reason that cannot be named there is a mistake in it."""
    rule = facts.rule
    if rule is None:
        raise ValueError("no failure rule has recognised the answer")
    known, otherwise = _NAMED_BY_RULES[facts.is_token]
    reason = Reason(rule.reason) if rule.reason in known else otherwise
    words = _words(facts)
    if rule.message:
        message = f"{words['host']}: {_sentence(rule.message)}"
    else:
        meaning = _NAMED_STATUS.sub("", REASONS[reason].meaning)
        answered = (TOKEN_ANSWERED if facts.is_token else ANSWERED).format_map(words)
        message = _with_more(facts, f"{answered}. {meaning}")
    return Finding(
        row=None,
        stage="token" if facts.is_token else "request",
        reason=reason,
        result=_result(reason),
        message=message,
        hint=(_line(rule.hint, MAX_HINT) if rule.hint else REASONS[reason].remedy) or None,
    )


def _result(reason: Reason) -> TestResult:
    if reason is Reason.CONNECTED:
        return "Success"
    return "Unknown" if reason in COULD_NOT_TELL else "Failure"


def _with_more(facts: Facts, message: str) -> str:
    """Append what is told with every row: where it happened, and the external system's own code."""
    if facts.failure:
        return f"{message[:-1]} (while asking for a token)." if facts.is_token else message
    return f"{message} Its error code is {facts.error_code}." if facts.error_code else message


def _words(facts: Facts) -> dict[str, object]:
    """Return what messages may say. All of it is ours or the definition's.

    What is another at each test, like the seconds of a pause, is evidence and no word: a message that changes is news,
    and news are written.
    """
    plan, broken = facts.plan, facts.broken_rule if facts.response and not facts.is_token else None
    token_url = f"The token URL at {facts.host}" if facts.host else "The token URL"
    return {
        "host": token_url
        if facts.is_token and facts.response
        else facts.showing.masked(facts.host) or "The address",
        "token_url": token_url,
        "request": "the request for a token" if facts.is_token else _request_words(facts),
        "status": _status_words(facts.status),
        "expected": " or ".join(map(str, plan.test.expect.status)),
        "detail": facts.showing.line(facts.failure.detail if facts.failure else "", MAX_RULE)
        or "no further detail",
        "key": facts.suspicion.key if facts.suspicion else "",
        "skew": _skew_words(facts.skew or 0.0),
        "wanted": " or ".join(facts.wanted_schemes),
        "sent": facts.sent_scheme,
        "number": broken.number if broken else 0,
        "rule": _line(broken.text).rstrip(".") if broken else "",
        "why": broken.undecidable.rstrip(".") if broken else "",
        "undecided": facts.undecided_failure,
        "path": _line(plan.test.identity or ""),
        "identity": f" as {facts.identity}" if facts.identity else "",
    }


def _request_words(facts: Facts) -> str:
    # Masked before it is cut: people do paste a credential into their configuration, and so into the path.
    path = facts.showing.masked(
        facts.plan.request.url.partition("://")[2].partition("/")[2].partition("?")[0]
    )
    shown = path if len(path) < MAX_PATH else path[: MAX_PATH - 1] + "…"
    return f"{facts.plan.request.method} /{shown}"


def _line(text: str, most: int = MAX_RULE) -> str:
    """Return words of whoever wrote the test as one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _sentence(text: str) -> str:
    """Return such words with a full stop at their end: the hint comes right behind them."""
    line = _line(text)
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."


def _status_words(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _skew_words(seconds: float) -> str:
    return f"{_span(abs(seconds))} {'ahead of' if seconds > 0 else 'behind'}"


def _span(seconds: float) -> str:
    """Return a duration in the unit that people would use."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{max(round(seconds), 1)} seconds"
