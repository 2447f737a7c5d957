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

from integration_hub.runtime import logs
from integration_hub.shell import sensitive
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
