"""Driving the steps of a token method: each request is sent as an effect, and how it all ended is told as data."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Generic, NamedTuple, TypeVar

from integration_hub.auth.flow import CredentialProblem
from integration_hub.auth.tokens import Steps, TokenRefused
from integration_hub.model.http import FailureKind, HttpRequest, Outcome
from integration_hub.reconcile.execute import Exchanges
from integration_hub.reconcile.inputs import Answer, Effect, Postponed, Send

T = TypeVar("T")

_AFTER_SENDING = frozenset(
    {
        FailureKind.RESPONSE_TIMEOUT,
        FailureKind.CONNECTION_LOST,
        FailureKind.NOT_HTTP,
        FailureKind.RESPONSE_TRUNCATED,
        FailureKind.RESPONSE_TOO_LARGE,
        FailureKind.ENCODING_INVALID,
        FailureKind.DECOMPRESSION_BOMB,
    }
)
"""Failures after which the other side may have done what it was asked to do."""

_SUCCESS = range(200, 300)
_SERVER_ERROR = range(500, 600)
_SERVICE_UNAVAILABLE = 503


class Wire(NamedTuple):
    """Where the requests of a token method may go, and what must not be logged meanwhile."""

    allowed_hosts: tuple[str, ...]
    ca_bundle: str | None
    sensitive: tuple[str, ...]
    urgent: bool

    def __repr__(self) -> str:
        """Leave out what is sensitive."""
        return f"Wire({', '.join(self.allowed_hosts)})"


class Ended(NamedTuple, Generic[T]):
    """How steps ended: with a result, or without since a request got no answer or was put off."""

    result: T | None
    outcomes: tuple[Outcome, ...]
    sent: HttpRequest | None
    """The last request."""
    postponed: Postponed | None = None
    problem: CredentialProblem | None = None
    """What was in the way before anything was sent that matters."""

    @property
    def exchanges(self) -> Exchanges | None:
        """What a diagnosis can be made of; None where nothing was sent."""
        return Exchanges(self.outcomes, self.sent) if self.outcomes and self.sent is not None else None

    @property
    def maybe_done(self) -> bool:
        """Tell whether the other side may have done what it was asked to do, and what came of it is not known."""
        if not self.outcomes or self.sent is None or self.sent.method != "POST":
            return False
        failure, response = self.outcomes[-1].failure, self.outcomes[-1].response
        if failure is not None:
            return failure.kind in _AFTER_SENDING
        unread = isinstance(self.result, TokenRefused) and not (self.result.ended or self.result.code)
        return unread and response is not None and _leaves_open(response.status)


def _leaves_open(status: int) -> bool:
    """Tell whether what was asked for may have been done, where nothing of an answer but its status could be read.

    A success says that it was. A server's error is often the word of a gateway, which has waited in vain for what
    stands behind it; save 503, by which whoever says it cannot handle requests now (RFC 9110 section 15.6.4).
    """
    return status in _SUCCESS or (status in _SERVER_ERROR and status != _SERVICE_UNAVAILABLE)


Announce = Callable[[], Generator[Effect, Answer, CredentialProblem | None]]


def drive(
    steps: Steps[T], wire: Wire, announce: Announce | None = None
) -> Generator[Effect, Answer, Ended[T]]:
    """Send what the steps yield until they return, or until a request gets no answer.

    `announce` is done once, just before the first request that is more than a question; what it returns ends them.
    """
    outcomes: list[Outcome] = []
    request: HttpRequest | None = None
    try:
        request = next(steps)
        while True:
            if announce is not None and request.method != "GET":
                problem = yield from announce()
                if problem is not None:
                    return Ended(None, tuple(outcomes), request, problem=problem)
                announce = None
            answer = yield Send(
                request, wire.allowed_hosts, wire.ca_bundle, wire.sensitive, urgent=wire.urgent, fresh=True
            )
            if isinstance(answer, Postponed):
                return Ended(None, tuple(outcomes), request, answer)
            if not isinstance(answer, Outcome):
                raise TypeError("an outcome was asked for")
            outcomes.append(answer)
            if answer.response is None:
                return Ended(None, tuple(outcomes), request)
            request = steps.send(answer.response)
    except StopIteration as end:
        return Ended(end.value, tuple(outcomes), request)
    finally:
        steps.close()
