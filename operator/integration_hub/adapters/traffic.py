"""All requests to external systems on their way to `HttpClient`: within each host's budget, and identical ones once.

What may not be sent now is never queued here for long: a waiting coroutine holds a worker's place. It is refused, as an
outcome that says so, or sent back with the time at which its turn comes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from urllib.parse import urlsplit

from integration_hub.adapters.budget import Admitted, Budgets, HostBudget, Later, Limits, Refused
from integration_hub.adapters.egress import DEFAULT_PORTS, HostRule, normalise_host
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.progress import OnProgress
from integration_hub.model.http import Failure, HttpRequest, Outcome

CONTROL_PURPOSE = "control"
"""What was just asked is asked once more, without the credential."""

UNSHARED_PURPOSE = "token"
"""What a test asks is a question, by whatever method: GraphQL asks by POST, and who declares a test declares that it
may be repeated at any time. A token is somebody's own: requests for it are never shared, not even identical ones."""

SHARED_SECONDS = 1.0
"""For how long after its end an outcome answers identical requests, like those of instances that fall due together."""

PATIENCE = 0.5
URGENT_PATIENCE = 3.0
"""The longest wait for which it is not worth coming back; longer where a person waits."""


class _Exchange:
    """One request on its way, or just ended, and those who wait for its outcome."""

    def __init__(self, task: asyncio.Task[Outcome]) -> None:
        self.task = task
        self.abandoned = False
        self.askers: set[Hashable] = set()
        """Who has its outcome, or waits for it. Who asks again wants to know what has become of it since."""
        self._waiting = 0

    async def outcome(self, asker: Hashable | None) -> Outcome:
        """Wait for the outcome. Who is cancelled leaves it to the others; with the last one, the request ends."""
        self._waiting += 1
        if asker is not None:
            self.askers.add(asker)
        try:
            await asyncio.wait((self.task,))
        except asyncio.CancelledError:
            if self._waiting == 1 and not self.task.done():
                self.abandoned = True
                self.task.cancel()
                await asyncio.wait((self.task,))
            raise
        finally:
            self._waiting -= 1
        return self.task.result()


class Traffic:
    """One per `HttpClient`. Its tallies are keyed by a few fixed words, never by hosts."""

    def __init__(self, http: HttpClient, limits: Limits | None = None) -> None:
        """Start with no past: every host may be asked, and nothing can be shared."""
        self._http = http
        self._budgets = Budgets(limits or Limits())
        self._exchanges: dict[bytes, _Exchange] = {}
        self._key = secrets.token_bytes(32)
        self._running: set[asyncio.Task[Outcome]] = set()
        self.sent: Counter[str] = Counter()
        """Requests that were sent: 'test', 'token', 'control'."""
        self.shared: Counter[str] = Counter()
        """Requests that had the outcome of another: 'running' when they came, or just 'ended'."""
        self.delayed: Counter[str] = Counter()
        """Requests that had to wait or to come back, by why: 'rate', 'concurrency'."""
        self.refused: Counter[str] = Counter()
        """Requests that were not sent: 'host-unavailable', 'host-paused'."""

    async def send(  # noqa: PLR0913 - what is sent, and who asks for it
        self,
        request: HttpRequest,
        *,
        allowed_hosts: Sequence[HostRule],
        ca_bundle: str | None = None,
        urgent: bool = False,
        fresh: bool = False,
        who: Hashable | None = None,
        on_progress: OnProgress | None = None,
    ) -> Outcome | Later:
        """Send a request as `HttpClient.send` does, or say when to come back with it.

        Args:
            request: what is sent.
            allowed_hosts: where it may go.
            ca_bundle: whom it trusts.
            urgent: a person waits for it, so it goes before those that fall due by themselves.
            fresh: its outcome is to be of now: no other's is good enough.
            who: who asked for its `turn` before. Without one, identical requests stand at one place in the line.
            on_progress: is told after each stage of the way to the host, where the request is sent and not shared.

        Raises:
            ValueError: the request itself is malformed; whoever shares its outcome shares that.

        """
        origin = _origin(request.url) if _is_allowed(request.url, allowed_hosts) else None
        if origin is None:  # has no budget, and is about to be refused
            return await self._http.send(request, allowed_hosts=allowed_hosts, ca_bundle=ca_bundle)
        key = self._digest(request, allowed_hosts, ca_bundle)
        asker, who = who, key if who is None else who
        loop = asyncio.get_running_loop()
        comes_back_after = loop.time() + (URGENT_PATIENCE if urgent else PATIENCE)
        waited = False
        while True:
            now = loop.time()
            budget = self._budgets.of(origin, now)
            exchange = None if fresh else self._exchange_to_share(key, asker)
            if exchange is not None:
                budget.leave(who)
                return await exchange.outcome(asker)
            if request.purpose == CONTROL_PURPOSE:
                admission: Admitted | Later | Refused = budget.admit_control(now)
            else:
                admission = budget.admit(now, who, urgent=urgent)
            if isinstance(admission, Refused):
                return self._refuse(admission, origin, request.purpose)
            if isinstance(admission, Admitted):
                sending = self._http.send(
                    request, allowed_hosts=allowed_hosts, ca_bundle=ca_bundle, on_progress=on_progress
                )
                exchange = _Exchange(asyncio.create_task(sending))
                self._began(key, exchange, request.purpose, budget, admission)
                return await exchange.outcome(asker)
            self.delayed[admission.why] += not waited
            waited = True
            if now + admission.seconds > comes_back_after:
                return admission
            try:
                await asyncio.sleep(admission.seconds)
            except asyncio.CancelledError:
                budget.leave(who)
                raise

    def turn(self, url: str, *, who: Hashable, urgent: bool = False) -> Outcome | Later | None:
        """Say whether a request may be sent now, before anything is prepared for it; None where it may.

        Who is told to come back later has kept a place in the line until then.
        """
        origin = _origin(url)
        if origin is None:
            return None
        now = asyncio.get_running_loop().time()
        answer = self._budgets.of(origin, now).turn(now, who, urgent=urgent)
        if isinstance(answer, Refused):
            return self._refuse(answer, origin, "test")
        if isinstance(answer, Later) and answer.seconds > (URGENT_PATIENCE if urgent else PATIENCE):
            self.delayed[answer.why] += 1
            return answer
        return None

    def _refuse(self, refused: Refused, origin: str, purpose: str) -> Outcome:
        self.refused[refused.kind.value] += 1
        return Outcome(None, Failure(refused.kind, origin, refused.detail, refused.again_in), 0.0, purpose)

    def open_hosts(self) -> int:
        """Return how many hosts are taken to be down."""
        return self._budgets.open_hosts()

    async def close(self) -> None:
        """End what is on its way. The client is closed by its owner."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._exchanges.clear()

    def _exchange_to_share(self, key: bytes, asker: Hashable | None) -> _Exchange | None:
        exchange = self._exchanges.get(key)
        if exchange is None or exchange.abandoned or asker in exchange.askers:
            return None
        self.shared["ended" if exchange.task.done() else "running"] += 1
        return exchange

    def _began(
        self, key: bytes, exchange: _Exchange, purpose: str, budget: HostBudget, admitted: Admitted
    ) -> None:
        """Count a request. That it has ended is told by its task: one that is cancelled at once never begins."""
        self.sent[purpose] += 1
        self._running.add(exchange.task)
        if purpose == CONTROL_PURPOSE:
            exchange.task.add_done_callback(partial(self._control_ended, budget))
        else:
            exchange.task.add_done_callback(partial(self._ended, budget, admitted))
        if purpose != UNSHARED_PURPOSE:
            self._exchanges[key] = exchange
            exchange.task.add_done_callback(lambda _: self._keep_a_little(key, exchange))

    def _ended(self, budget: HostBudget, admitted: Admitted, task: asyncio.Task[Outcome]) -> None:
        self._running.discard(task)
        outcome = None if task.cancelled() or task.exception() else task.result()
        budget.ended(asyncio.get_running_loop().time(), datetime.now(UTC), outcome, was_probe=admitted.probe)

    def _control_ended(self, budget: HostBudget, task: asyncio.Task[Outcome]) -> None:
        self._running.discard(task)
        budget.control_ended()

    def _keep_a_little(self, key: bytes, exchange: _Exchange) -> None:
        """Let an outcome answer identical requests for a moment. What has none is forgotten at once."""
        if exchange.task.cancelled() or exchange.task.exception():
            self._forget(key, exchange)
        else:
            asyncio.get_running_loop().call_later(SHARED_SECONDS, self._forget, key, exchange)

    def _forget(self, key: bytes, exchange: _Exchange) -> None:
        if self._exchanges.get(key) is exchange:
            del self._exchanges[key]

    def _digest(self, request: HttpRequest, rules: Sequence[HostRule], ca_bundle: str | None) -> bytes:
        """Return what only identical requests share. As it is kept, its key is random: no guess can be proven by it."""
        digest = blake2b(key=self._key, digest_size=32)
        for part in _parts(request, rules, ca_bundle):
            # With its length before each part, no two lists of parts run together into the same bytes.
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()


def _parts(request: HttpRequest, rules: Sequence[HostRule], ca_bundle: str | None) -> Iterator[bytes]:
    """Yield everything that is sent, shown or trusted. Lists say how long they are, and what may be absent if it is."""
    texts = [request.purpose, request.method.upper(), request.url, str(len(request.query))]
    texts += (text for pair in request.query for text in pair)
    texts.append(str(len(request.headers)))
    texts += (text for name, value in request.headers.items() for text in (name.lower(), value))
    texts.append(str(len(rules)))
    texts += map(repr, rules)
    texts += ["", ""] if ca_bundle is None else ["trusts", ca_bundle]
    shown = request.client_certificate
    texts += ["", "", ""] if shown is None else ["shows", shown.certificate, shown.private_key]
    texts.append("" if request.body is None else "body")
    for text in texts:
        yield text.encode("utf-8", "surrogatepass")
    yield request.body or b""


def _origin(url: str) -> str | None:
    """Return the host and port as `HttpClient` names them; None where the URL does not name them."""
    target = _target(url)
    if target is None:
        return None
    _, host, port = target
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_allowed(url: str, rules: Sequence[HostRule]) -> bool:
    """Tell whether a request may go there. What may not is for `HttpClient` to refuse, and costs no budget."""
    target = _target(url)
    return target is not None and any(rule.allows(*target) for rule in rules)


def _target(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port in their usual spelling."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        host = f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname or ""
        return parts.scheme, normalise_host(host), port
    except ValueError:
        return None
