"""The stages of a test: how each ended, how long it took, and what was found, bounded.

What the other side can choose (its certificate, its headers) is masked, reduced to one line and cut, and all of it
together stays within `MAX_EVIDENCE`, whatever is sent to us. Bodies are no evidence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from integration_hub.model.http import Transport
from integration_hub.model.instance import Stage, StageName, StageResult, TestResult
from integration_hub.probe.facts import Facts
from integration_hub.probe.finding import Finding

MAX_EVIDENCE: Final = 1500
"""Bytes of all evidence of a test, as JSON. A test's whole status stays under 4 KiB."""
MAX_WORDS: Final = 750
"""Bytes of a message or a hint, as JSON."""

_LONG: Final = 120
_ENDED: Final[Mapping[TestResult, StageResult]] = {
    "Success": "Passed",
    "Failure": "Failed",
    "Unknown": "Unknown",
}

Evidence = dict[str, str]


def stages(facts: Facts, finding: Finding) -> tuple[Stage, ...]:
    """Return the stages from the first to the one where the test ended.

    A token is asked for before the test's own connection is made, so its stage comes before those of that
    connection, and holds what was found on its own way.
    """
    found: list[Stage] = []
    for name, makes in _order(facts):
        ended = name == finding.stage and finding.result != "Success"
        stage = makes(facts, ended=ended)
        if stage is None and ended:
            stage = Stage(name=name, result="Passed", evidence=_fault(facts))
        if stage is not None:
            found.append(stage.model_copy(update={"result": _ENDED[finding.result]}) if ended else stage)
        if ended:
            break
    return _bounded(found)


def fitted(text: str, limit: int = MAX_WORDS) -> str:
    """Return the text cut so that it takes at most `limit` bytes as JSON."""
    if _size(text) <= limit:
        return text
    low, high = 0, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(text[:middle] + "…") <= limit else (low, middle - 1)
    return text[:low] + "…"


def _order(facts: Facts) -> Iterator[tuple[StageName, Callable[..., Stage | None]]]:
    yield "config", _config
    yield "token", _token
    if not facts.is_token:
        yield "dns", _dns
        yield "connect", _connect
        yield "tls", _tls
        yield "request", _request
        yield "assertions", _assertions
        yield "identity", _identity
        yield "control", _control


def _config(facts: Facts, *, ended: bool) -> Stage:
    return Stage(name="config", result="Passed", evidence=_fault(facts) if ended else {})


def _token(facts: Facts, *, ended: bool) -> Stage | None:
    asked = [outcome for outcome in facts.outcomes if outcome.purpose == "token"]
    if not asked:
        return None
    evidence = _transport_evidence(facts, asked[-1].transport)
    if ended:
        evidence |= ({"host": facts.host} if facts.host else {}) | _answer_evidence(facts) | _fault(facts)
    elif asked[-1].response is not None:
        evidence["status"] = str(asked[-1].response.status)
    return Stage(
        name="token",
        result="Passed",
        duration_ms=_milliseconds(sum(outcome.seconds for outcome in asked)),
        evidence=evidence,
    )


def _dns(facts: Facts, *, ended: bool) -> Stage:
    transport = facts.last.transport
    if _is_reused(facts):
        return Stage(name="dns", result="Skipped", evidence={"reused": "true"} | _addresses(transport))
    evidence = _addresses(transport) | (_fault(facts) if ended else {})
    return Stage(
        name="dns",
        result="Skipped" if transport.dns is None else "Passed",  # an address need not be looked up
        duration_ms=_milliseconds(transport.dns),
        evidence=evidence,
    )


def _connect(facts: Facts, *, ended: bool) -> Stage:
    transport = facts.last.transport
    evidence = ({"address": transport.address} if transport.address else {}) | (
        _fault(facts) if ended else {}
    )
    if _is_reused(facts):
        return Stage(name="connect", result="Skipped", evidence={"reused": "true"} | evidence)
    return Stage(
        name="connect", result="Passed", duration_ms=_milliseconds(transport.connect), evidence=evidence
    )


def _tls(facts: Facts, *, ended: bool) -> Stage:
    transport = facts.last.transport
    evidence = _tls_evidence(facts, transport) | (_fault(facts) if ended else {})
    if facts.plan.request.url.startswith("http://"):
        return Stage(name="tls", result="Skipped")
    if _is_reused(facts):
        return Stage(name="tls", result="Skipped", evidence={"reused": "true"} | evidence)
    return Stage(name="tls", result="Passed", duration_ms=_milliseconds(transport.tls), evidence=evidence)


def _request(facts: Facts, *, ended: bool) -> Stage:
    transport = facts.last.transport
    evidence = _answer_evidence(facts) | (_fault(facts) if ended else {})
    if transport.received is not None:
        evidence.setdefault("bytes", str(transport.received))
    seconds = transport.request if transport.request is not None else facts.last.seconds
    return Stage(name="request", result="Passed", duration_ms=_milliseconds(seconds), evidence=evidence)


def _assertions(facts: Facts, *, ended: bool) -> Stage | None:
    count = len(facts.plan.test.expect.assertions)
    if not count:
        return None
    broken = facts.broken_rule if ended else None
    evidence = {"assertion": str(broken.number)} if broken else {"assertions": str(count)}
    return Stage(name="assertions", result="Passed", evidence=evidence)


def _identity(facts: Facts, *, ended: bool) -> Stage | None:
    return Stage(name="identity", result="Passed") if facts.plan.test.identity else None


def _control(facts: Facts, *, ended: bool) -> Stage | None:
    control = facts.control
    if control is None:
        return None
    evidence = {"status": str(control.status)} if control.response is not None else _fault(control)
    seconds = _milliseconds(control.last.seconds)
    return Stage(name="control", result="Passed", duration_ms=seconds, evidence=evidence)


def _is_reused(facts: Facts) -> bool:
    return facts.last.transport.reused


def _fault(facts: Facts) -> Evidence:
    """Return why no answer came, in the adapter's own words."""
    detail = facts.failure.detail if facts.failure else ""
    return {"fault": facts.showing.line(detail, _LONG)} if detail else {}


def _addresses(transport: Transport) -> Evidence:
    return {"addresses": ", ".join(transport.addresses)} if transport.addresses else {}


def _transport_evidence(facts: Facts, transport: Transport) -> Evidence:
    reused = {"reused": "true"} if transport.reused else {}
    address = {"address": transport.address} if transport.address else {}
    return reused | address | _tls_evidence(facts, transport)


def _tls_evidence(facts: Facts, transport: Transport) -> Evidence:
    found = {"tlsVersion": transport.tls_version}
    if transport.certificate:
        certificate = transport.certificate
        found |= {
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "notBefore": certificate.not_before,
            "notAfter": certificate.not_after,
            "names": ", ".join(certificate.names),
        }
    return {name: facts.showing.line(value, _LONG) for name, value in found.items() if value}


def _answer_evidence(facts: Facts) -> Evidence:
    if facts.response is None:
        return {}
    failed = not facts.is_expected or facts.is_error
    pause, skew = facts.again_in, facts.skew
    found = {
        "status": str(facts.status),
        "contentType": facts.media_type,
        "bytes": str(len(facts.body)),
        "retryAfterSeconds": str(round(pause)) if pause is not None else "",
        "errorCode": (facts.error_code or "") if failed or facts.is_token else "",
        "clockSkewSeconds": str(round(skew)) if skew is not None and facts.is_skewed else "",
        "locationHost": facts.location_host or "",
    }
    return {name: value for name, value in found.items() if value}


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _bounded(found: Sequence[Stage]) -> tuple[Stage, ...]:
    """Cut the longest evidence until all of it fits."""
    bounded = [stage.model_copy(update={"evidence": dict(stage.evidence)}) for stage in found]
    limit = _LONG * 3
    while limit > 1 and sum(_size(stage.evidence) for stage in bounded) > MAX_EVIDENCE:
        limit = limit * 3 // 4
        for stage in bounded:
            for name, value in stage.evidence.items():
                stage.evidence[name] = fitted(value, limit)
    return tuple(bounded)


def _size(value: object) -> int:
    """Return how many bytes a value takes as JSON; the API server writes '<' and its like in six."""
    text = json.dumps(value, ensure_ascii=False)
    return len(text.encode("utf-8", "surrogatepass")) + 5 * sum(
        text.count(sign) for sign in "<>&\u2028\u2029"
    )
