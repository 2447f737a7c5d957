"""A connection with `oauth2` at a real server, taken step by step through the operator's HTTP client."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.auth.flow import AuthContext
from integration_hub.auth.tokens import Steps, TokenRefused
from integration_hub.model.http import HttpRequest, HttpResponse, Outcome
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, Tokens
from support.oauth2 import METHOD, credentials_of

T = TypeVar("T")
LOOPBACK = EgressPolicy(parse_cidrs(["127.0.0.0/8"]))


class Sender:
    """The operator's HTTP client on a loop of its own: Playwright's runs in the tests' thread."""

    def __init__(self, url: str, ca: str) -> None:
        """It may speak to the server at this address alone, whose authority is given."""
        self.host, self.ca = HostRule.parse(url.removeprefix("https://")), ca
        self.client = HttpClient(LOOPBACK)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def exchange(self, request: HttpRequest) -> Outcome:
        sent = self.client.send(request, allowed_hosts=[self.host], ca_bundle=self.ca)
        return asyncio.run_coroutine_threadsafe(sent, self.loop).result(30)

    def send(self, request: HttpRequest) -> HttpResponse:
        outcome = self.exchange(request)
        assert outcome.response is not None, outcome.failure
        return outcome.response

    def close(self) -> None:
        async def closed() -> None:
            await self.client.close()
            await asyncio.sleep(0.25)  # aiohttp returns before its TLS connections have said goodbye

        asyncio.run_coroutine_threadsafe(closed(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class OAuth2Connection:
    """One instance's settings, as they are rendered, and its Secret."""

    def __init__(
        self, sender: Sender, settings: Mapping[str, Any], redirect_uri: str = "", **secret: str
    ) -> None:
        self.sender = sender
        self.settings = settings
        self.credentials = credentials_of(self.settings, secret)
        self.redirect_uri = redirect_uri

    @property
    def asked(self) -> tuple[Any, Any, AuthContext]:
        """What every step is handed."""
        context = AuthContext(datetime.now(UTC), secrets.token_bytes, self.redirect_uri)
        return self.settings, self.credentials, context

    def driven(self, steps: Steps[T]) -> T:
        """Send what the steps yield until they return."""
        try:
            request = next(steps)
            while True:
                request = steps.send(self.sender.send(request))
        except StopIteration as end:
            result: T = end.value
            return result

    def signed(self, request: HttpRequest, tokens: Tokens) -> HttpRequest:
        """Return the request with these tokens' proof."""
        settings, credentials, context = self.asked
        (sent,) = METHOD.flow(settings, credentials.with_tokens(tokens), request, context)
        return sent

    def obtained(self) -> Tokens | TokenRefused:
        return self.driven(METHOD.obtain(*self.asked))

    def renewed(self, tokens: Tokens) -> Tokens | TokenRefused:
        settings, credentials, context = self.asked
        return self.driven(METHOD.refresh(settings, credentials, tokens, context))

    def link(self) -> ConsentAttempt:
        settings, credentials, context = self.asked
        state = secrets.token_urlsafe(24)
        attempt = self.driven(METHOD.authorization_link(settings, credentials, state, context))
        assert isinstance(attempt, ConsentAttempt), attempt
        return attempt

    def exchanged(
        self, attempt: ConsentAttempt, brought: dict[str, str], **changed: Any
    ) -> Tokens | TokenRefused:
        answer = ConsentAnswer(
            **{name: brought[name] for name in ("state", "code", "iss", "error") if name in brought}
        )
        settings, credentials, context = self.asked
        steps = METHOD.exchange(settings, credentials, attempt, replace(answer, **changed), context)
        return self.driven(steps)
