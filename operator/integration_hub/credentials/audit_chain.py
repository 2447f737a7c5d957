"""The audit log as a chain: each line is sealed together with the seal of the one before it.

A seal is an HMAC (RFC 2104) under a key of the keyring, so nobody who merely keeps the log can make one. Between the
first and the last line of a chain, a line that was changed, added, left out or moved is found. A chain is one run of
the operator; its last line says that it is, so that what is missing at the end is missed, too.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from integration_hub.credentials.keyring import Keyring, name_of

FIELD: Final = "audit"
"""Where in a line its link stands."""
LAST: Final = "last"
"""In a link, True on the line that ends its chain."""

_CONTEXT: Final = b"integrationhub.dev/audit"
_SEAL: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CHAIN: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_CHECK: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)

Line = Mapping[str, Any]
"""One line of the log, as the JSON object that it is."""


@dataclass(frozen=True, slots=True)
class Link:
    """What ties a line to the one before it."""

    chain: str
    """Random: which run of the operator."""
    seq: int
    """From 1 on."""
    key: int
    """Number of the key that seals it."""
    check: str
    """As `Keyring.check` gives it: another key may have had the number before."""
    after: str
    """The seal of the line before; '' in the first."""
    last: bool
    """Whether the chain ends here."""
    seal: str

    def to_wire(self) -> dict[str, Any]:
        """Return the link as it stands in the line."""
        wire = {name: getattr(self, name) for name in ("chain", "seq", "key", "check", "after", "seal")}
        return wire | ({LAST: True} if self.last else {})


def linked(line: Line, keyring: Keyring, *, chain: str, before: Link | None, last: bool = False) -> Link:
    """Return the link of a line that comes after another. `chain` has 16 hexadecimal digits."""
    number = keyring.active
    link = Link(
        chain=chain,
        seq=before.seq + 1 if before else 1,
        key=number,
        check=keyring.check(number),
        after=before.seal if before else "",
        last=last,
        seal="",
    )
    return Link(**{**_parts(link), "seal": _seal_of(line, link, keyring.keys[number])})


def link_of(line: Line) -> Link | None:
    """Return the link that a line has; None where it has none, or none that could be one."""
    wire = line.get(FIELD)
    if not isinstance(wire, dict) or set(wire) - {LAST} != {"chain", "seq", "key", "check", "after", "seal"}:
        return None
    texts = ((_CHAIN, "chain"), (_CHECK, "check"), (_SEAL, "seal"))
    if not all(isinstance(wire[name], str) and form.fullmatch(wire[name]) for form, name in texts):
        return None
    numbers = [wire["seq"], wire["key"]]
    if not all(isinstance(number, int) and not isinstance(number, bool) and number > 0 for number in numbers):
        return None
    if not isinstance(wire["after"], str) or wire.get(LAST, True) is not True:
        return None
    return Link(**{LAST: False, **wire})


def _seal_of(line: Line, link: Link, key: bytes) -> str:
    own = hmac.new(
        key, _CONTEXT, hashlib.sha256
    ).digest()  # a key seals records, too: never the same bytes for both
    parts = {name: part for name, part in _parts(link).items() if name != "seal"}
    content = {name: value for name, value in line.items() if name != FIELD}
    text = orjson.dumps([parts, content], option=orjson.OPT_SORT_KEYS)
    return hmac.new(own, text, hashlib.sha256).hexdigest()


def _is_sealed_with(line: Line, link: Link, key: bytes) -> bool:
    try:
        return hmac.compare_digest(_seal_of(line, link, key), link.seal)
    except TypeError:  # too deeply nested, or a number too large, for any line of ours
        return False


def _parts(link: Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in Link.__slots__}


# Checking


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with the log."""

    where: str
    """Like 'line 12' or 'audit.log, line 12'."""
    words: str

    def __str__(self) -> str:
        return f"{self.where}: {self.words}"


@dataclass(slots=True)
class ChainReport:
    """What was found of one chain."""

    chain: str
    first: int
    """Number of its first line that is there."""
    seen: int
    """Number of the last one so far."""
    lines: int = 0
    ended: bool = False
    """Whether its last line is there."""


@dataclass(slots=True)
class Report:
    """What was found in a log."""

    lines: int = 0
    """Audit lines."""
    chains: dict[str, ChainReport] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether there are lines, and nothing is wrong with any."""
        return self.lines > 0 and not self.faults


def check_lines(lines: Iterable[tuple[str, Line]], keyring: Keyring) -> Report:
    """Check audit lines in the order in which they stand; each comes with where that is.

    Several runs of the operator, and several operators, may be mixed. Of a chain whose first line is not there, what is
    there is checked: logs are rotated.
    """
    report, before = Report(), dict[str, Link]()
    for where, line in lines:
        report.lines += 1
        link = link_of(line)
        if link is None:
            report.faults.append(Fault(where, "is not sealed, or its seal was damaged"))
            continue
        report.faults += (
            Fault(where, words) for words in _faults(line, link, before.get(link.chain), keyring)
        )
        found = report.chains.setdefault(link.chain, ChainReport(link.chain, link.seq, link.seq))
        found.lines += 1
        found.ended = found.ended or link.last
        if link.seq >= found.seen:
            found.seen, before[link.chain] = link.seq, link
    return report


def _faults(line: Line, link: Link, before: Link | None, keyring: Keyring) -> Iterator[str]:
    key = keyring.keys.get(link.key)
    if key is None or keyring.check(link.key) != link.check:
        yield f"is sealed with {name_of(link.key)} ({link.check}), which the keyring does not have"
    elif not _is_sealed_with(line, link, key):
        yield "was changed, or was not written by the operator: its seal does not fit"
    if before is None:
        return
    if link.seq <= before.seq:
        yield f"is number {link.seq} of its chain and comes after number {before.seq}: moved, or there twice"
    elif link.seq > before.seq + 1:
        missing = _span(before.seq + 1, link.seq - 1)
        yield f"is number {link.seq} of its chain; {missing} before it missing"
    elif link.after != before.seal:
        yield f"does not follow the line before it, which is number {before.seq}: one of the two is another one"
    elif before.last:
        yield "comes after the line that ends its chain"


def _span(first: int, last: int) -> str:
    return f"number {first} is" if first == last else f"numbers {first} to {last} are"
