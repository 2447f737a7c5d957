"""Logging: one format, one redaction point, and no way around it for any library."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from integration_hub.credentials.audit_chain import FIELD, check_lines
from integration_hub.credentials.keyring import Keyring
from integration_hub.runtime import logs
from integration_hub.shell import audit, sensitive
from integration_hub.shell.audit import AuditSeal
from integration_hub.shell.keyring_source import KeyringUnavailableError
from support.builders import CANARY

LIBRARIES = ["kopf.objects", "aiohttp.client", "asyncio", "kubernetes", "some.other"]


class Log:
    """What was logged."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Standard error. What `configure` changes for the whole process is put back."""
    root, quiet = logging.getLogger(), [logging.getLogger(name) for name in logs._QUIET]
    handlers, levels = root.handlers[:], [(logger, logger.level) for logger in (root, *quiet)]
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    token = sensitive.in_use.set((CANARY,))
    yield stream
    sensitive.in_use.reset(token)
    root.handlers[:] = handlers
    for logger, level in levels:
        logger.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(params=["json", "console"])
def log(request: pytest.FixtureRequest, stream: io.StringIO) -> Log:
    logs.configure(request.param, "debug")
    return Log(stream)


@pytest.fixture
def json_log(stream: io.StringIO) -> Log:
    logs.configure("json", "info")
    return Log(stream)


class Shown:
    """An object of somebody else whose repr tells too much."""

    def __repr__(self) -> str:
        return f"Shown({CANARY})"


def raise_with_secret() -> None:
    """Raise, from another exception, both with the secret in them."""
    raise RuntimeError(f"could not send {CANARY}") from ValueError(CANARY)


LEAKS: dict[str, Callable[[logging.Logger], None]] = {
    "in the message": lambda logger: logger.warning("token is %s", CANARY),
    "in the format itself": lambda logger: logger.warning(f"token is {CANARY}"),  # noqa: G004
    "in the repr of an argument": lambda logger: logger.warning("%r", Shown()),
    "in a mapping": lambda logger: logger.warning("%(x)s", {"x": CANARY}),
    "in bytes": lambda logger: logger.warning("%s", CANARY.encode()),
    "in an extra field": lambda logger: logger.warning("sent", extra={"body": CANARY}),
    "in an object that is the message": lambda logger: logger.warning(Shown()),
}


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("leak", list(LEAKS))
def test_a_librarys_line_is_masked(log: Log, name: str, leak: str) -> None:
    LEAKS[leak](logging.getLogger(name))
    assert CANARY not in log.text
    assert log.text.count("\n") >= 1


@pytest.mark.parametrize("name", LIBRARIES)
def test_an_exceptions_text_and_its_causes_are_masked(log: Log, name: str) -> None:
    try:
        raise_with_secret()
    except RuntimeError:
        logging.getLogger(name).exception("failed")
    assert CANARY not in log.text
    assert "could not send ***" in log.text
    assert "ValueError: ***" in log.text
    assert "raise_with_secret" in log.text


class TestOurOwn:
    @pytest.mark.parametrize(
        "field",
        [CANARY, [CANARY], {"a": {"b": CANARY}}, (1, CANARY), CANARY.encode(), Shown(), ValueError(CANARY)],
        ids=lambda field: type(field).__name__,
    )
    def test_fields_are_masked(self, log: Log, field: object) -> None:
        structlog.get_logger("integration_hub.x").warning("sent", field=field)
        assert CANARY not in log.text
        assert "sent" in log.text

    def test_messages_and_exceptions_are_masked(self, log: Log) -> None:
        try:
            raise_with_secret()
        except RuntimeError:
            structlog.get_logger("integration_hub.x").exception(f"failed with {CANARY}", object="team-a/prod")
        assert CANARY not in log.text
        assert "could not send ***" in log.text
        assert "team-a/prod" in log.text

    def test_values_that_nobody_declared_are_masked_by_their_shape(self, log: Log) -> None:
        sensitive.in_use.set(())
        structlog.get_logger("integration_hub.x").warning(
            "sent", headers={"Authorization": "Bearer abc.def.ghi"}
        )
        logging.getLogger("aiohttp").warning("Authorization: Bearer eyJhbGciOi.J9eyJzdWIi.sig")
        assert "abc.def.ghi" not in log.text
        assert "eyJhbGciOi" not in log.text


class TestFormat:
    def test_a_line_is_an_object_with_what_one_searches_for(self, json_log: Log) -> None:
        structlog.get_logger("integration_hub.x").warning("will try again", object="team-a/prod", pause=0.5)
        logging.getLogger("kopf.x").warning("from %s", "kopf")
        ours, theirs = json_log.lines
        assert ours.pop("timestamp").endswith("Z")
        assert ours == {
            "event": "will try again",
            "level": "warning",
            "logger": "integration_hub.x",
            "object": "team-a/prod",
            "pause": 0.5,
        }
        assert (theirs["event"], theirs["level"], theirs["logger"]) == ("from kopf", "warning", "kopf.x")

    def test_a_line_stays_one_line(self, json_log: Log) -> None:
        try:
            raise_with_secret()
        except RuntimeError:
            structlog.get_logger("integration_hub.x").exception("one\ntwo")
        assert len(json_log.lines) == 1

    def test_below_the_level_nothing_is_logged(self, json_log: Log) -> None:
        structlog.get_logger("integration_hub.x").debug("too much")
        logging.getLogger("some.other").debug("too much")
        logging.getLogger("kopf.x").info("kopf tells of every object")
        assert json_log.text == ""

    def test_configured_twice_each_line_is_logged_once(
        self, json_log: Log, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logs.configure("json", "info")
        logging.getLogger("some.other").warning("once")
        assert (json_log.text, capsys.readouterr().err.count("once")) == ("", 1)


class TestSeal:
    """Lines of the audit log are sealed as they are written, after everything else was done to them."""

    @pytest.fixture
    def seal(self) -> AuditSeal:
        seal = AuditSeal(lambda size: bytes(range(size)))
        seal.keyring = Keys(RING)
        return seal

    @pytest.fixture
    def sealed(self, stream: io.StringIO, seal: AuditSeal) -> Log:
        logs.configure("json", "info", seal)
        return Log(stream)

    @pytest.fixture
    def read_by_people(self, stream: io.StringIO, seal: AuditSeal) -> Log:
        logs.configure("console", "info", seal)
        return Log(stream)

    def test_what_was_masked_is_what_was_sealed(self, sealed: Log) -> None:
        audit.audit_begins("1")
        structlog.get_logger(audit.LOGGER).info("connection tested", instance="team/prod", path=f"/{CANARY}")
        structlog.get_logger("integration_hub.x").info("something else")
        audit.audit_ends()
        assert [(FIELD in line, line["event"]) for line in sealed.lines] == [
            (True, "audit log begins"),
            (True, "connection tested"),
            (False, "something else"),
            (True, "audit log ends"),
        ]
        assert CANARY not in sealed.text
        report = check_lines((("", line) for line in sealed.lines if line["logger"] == audit.LOGGER), RING)
        assert report.is_sound
        assert [chain.ended for chain in report.chains.values()] == [True]

    def test_without_a_keyring_lines_are_written_all_the_same(self, sealed: Log, seal: AuditSeal) -> None:
        seal.keyring = None
        audit.audit_begins("1")
        seal.keyring = Keys(None)
        audit.audit_ends()
        assert [FIELD in line for line in sealed.lines] == [False, False]

    def test_for_people_lines_have_no_seal(self, read_by_people: Log) -> None:
        audit.audit_begins("1")
        assert "audit log begins" in read_by_people.text
        assert "seal" not in read_by_people.text


RING = Keyring({1: bytes(range(32))})


class Keys:
    """A keyring that is there, or is not."""

    def __init__(self, keyring: Keyring | None) -> None:
        self._keyring = keyring

    def current(self) -> Keyring:
        if self._keyring is None:
            raise KeyringUnavailableError("it cannot be read")
        return self._keyring

    async def refresh(self) -> bool:
        return False
