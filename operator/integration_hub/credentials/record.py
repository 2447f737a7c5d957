"""What is kept of one instance's credentials between reconciles, and its form inside the seal."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from integration_hub.model.tokens import ConsentAttempt, DeviceCode, Tokens


class RecordError(ValueError):
    """What was opened is no record: of a newer version of the operator, perhaps. The message shows no value."""


@dataclass(frozen=True, slots=True)
class Intent:
    """That a refresh token is about to be sent, or was sent and no answer is known. Written before it is sent."""

    attempt: str
    """Random: whose answer it is that comes."""
    started_at: datetime
    """When it was written."""
    token_hash: str
    """SHA-256 of the refresh token (`model.tokens.token_hash`)."""
    tries: int = 1
    """How many times this refresh token has been sent without an answer that is known."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why tokens cannot be used or renewed any more, or why a person's consent came to nothing."""

    reason: str
    message: str
    at: datetime
    about: str = ""
    """What it is about, where that can change: once it has, it tells nothing any more."""
    attempt: str = ""
    """The intent whose answer was given up, if that is why. Should it come all the same, it counts."""


@dataclass(frozen=True, slots=True)
class CredentialRecord:
    """All that the operator keeps of an instance's credentials. Its repr shows no value: those of its parts do not."""

    tokens: Tokens | None = None
    """In use."""
    unproven: bool = False
    """Whether `tokens` had passed no test when they were stored, and neither had those that they were renewed from."""
    candidate: Tokens | None = None
    """Obtained anew by a person's wish or for another grant; takes the place of `tokens` once it was tested."""
    consent_ends_at: datetime | None = None
    """When a person must consent anew, however often `tokens` are renewed; None where that is not known."""
    intent: Intent | None = None
    ending: Ending | None = None
    """Of `tokens`: they are of no use."""
    refusal: Ending | None = None
    """Of the last consent."""
    attempts: tuple[ConsentAttempt, ...] = ()
    """Links that may still come back, the newest first."""
    device: DeviceCode | None = None
    handled: str | None = None
    """The last wish to authorise anew that was fulfilled: a value of the annotation integrationhub.dev/authorize."""
    spent: tuple[str, ...] = ()
    """SHA-256 of refresh tokens of the Secret that were used up, or may have been, the newest first."""


_ADAPTER = TypeAdapter(CredentialRecord)
_NAMES = tuple(field.name for field in fields(CredentialRecord))


def to_fields(record: CredentialRecord) -> dict[str, bytes]:
    """Return the parts of a record that hold something, each as JSON, by name."""
    values: dict[str, Any] = {name: getattr(record, name) for name in _NAMES}
    return {name: orjson.dumps(value) for name, value in values.items() if value}


def from_fields(data: dict[str, bytes]) -> CredentialRecord:
    """Return the record. RecordError where a part is unknown or not as it should be."""
    unknown = sorted(set(data) - set(_NAMES))
    if unknown:
        raise RecordError(
            f"it has parts that this version of the operator does not know: {', '.join(unknown)}"
        )
    try:
        return _ADAPTER.validate_python({name: orjson.loads(value) for name, value in data.items()})
    except orjson.JSONDecodeError:
        raise RecordError("a part of it is no JSON") from None
    except ValidationError as error:
        where = ", ".join(
            ".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False)[:3]
        )
        raise RecordError(f"parts of it are not as expected: {where}") from None


def awaits(record: CredentialRecord, attempt: str) -> bool:
    """Tell whether the answer to an attempt still has its place in a record: nothing newer has come, only doubt."""
    sent = record.intent.attempt if record.intent is not None else ""
    given_up = record.ending.attempt if record.ending is not None else ""
    return bool(attempt) and attempt in {sent, given_up}


def without_consent(record: CredentialRecord) -> CredentialRecord:
    """Return the record with no link or code that could still come back."""
    return replace(record, attempts=(), device=None)
