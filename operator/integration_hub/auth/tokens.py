"""What authentication methods add that work with tokens: how these are obtained, renewed and given back.

Every step is a generator that yields requests (purpose 'token') and receives their answers, whatever the status; it
returns what came of it. Where a request gets no answer its driver closes it, so a generator never learns of that. What
a refused request means in words is for the diagnosis to say, which sees the same answer.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

from integration_hub.auth.flow import AuthContext, AuthMethodType, Credentials
from integration_hub.model.http import HttpRequest, HttpResponse
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens


class Acquisition(StrEnum):
    """How a method comes by its first tokens."""

    BY_ITSELF = "by-itself"
    """With what the Secret has: client credentials, an assertion, a refresh token, a declared exchange."""
    LINK = "link"
    """A person opens a link and consents: authorization code."""
    DEVICE = "device"
    """A person types a code at a URL: device authorization."""


class Reuse(StrEnum):
    """Whether a refresh token is sent once more where it is not known if the first time has arrived."""

    GRACE = "grace"
    """Once: the provider accepts the previous token again for a while."""
    STRICT = "strict"
    """Never: the provider takes a second use for theft and ends the grant."""
    REUSABLE = "reusable"
    """Always: the provider never rotates refresh tokens."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What the operator must know to keep tokens, of one instance's settings."""

    acquisition: Acquisition
    grant: str
    """Fingerprint of what is asked for; when it changes, tokens must be obtained anew. Never made of a secret value,
    save that methods of `BY_ITSELF` add a hash of what they obtain tokens with: with another they must do so anew."""
    required_scopes: tuple[str, ...] = ()
    """Scopes without which the connection is of no use."""
    refresh_share: float = 0.8
    """The share of an access token's life after which it is renewed."""
    lifetime: timedelta | None = None
    """How long an access token lives whose answer does not say; None: until it is refused."""
    reuse: Reuse = Reuse.GRACE
    consumes: str = ""
    """Hash of what obtaining uses up of the Secret, as a refresh token that the provider rotates; '' for nothing."""
    revocable: bool = False
    """Whether there is a URL at which tokens can be given back (RFC 7009), or may be one by discovery."""


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """No tokens came of it."""

    code: str = ""
    """The provider's error code, of limited form and length (RFC 6749 section 5.2); '' where there is none."""
    ended: bool = False
    """Whether what was shown (refresh token, code, assertion) is of no use ever again, like 'invalid_grant'."""
    message: str = ""
    """A sentence where no answer of the other side explains it, like an `iss` that does not match."""


@dataclass(frozen=True, slots=True)
class DevicePending:
    """The person has not decided yet."""

    interval: float
    """Seconds until the next poll; larger than before after 'slow_down'."""


_T_co = TypeVar("_T_co", covariant=True)

Steps = Generator[HttpRequest, HttpResponse, _T_co]


@runtime_checkable
class TokenMethod(Protocol):
    """The part of a method that works with tokens. Settings are rendered, credentials were read and checked."""

    def keeps_tokens(self, settings: Mapping[str, Any]) -> bool:
        """Tell whether these settings need tokens. Where they do not, nothing below is asked."""
        ...

    def token_rules(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> TokenRules:
        """Return how tokens are kept."""
        ...

    def obtain(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> Steps[Tokens | TokenRefused]:
        """Obtain first tokens without a person. Asked only of `Acquisition.BY_ITSELF`."""
        ...

    def refresh(
        self, settings: Mapping[str, Any], credentials: Credentials, tokens: Tokens, context: AuthContext
    ) -> Steps[Tokens | TokenRefused]:
        """Renew tokens by their refresh token; one that is not in the answer is kept (RFC 6749 section 6)."""
        ...

    def authorization_link(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        state: str,
        context: AuthContext,
    ) -> Steps[ConsentAttempt | TokenRefused]:
        """Make a link for a person. Its `generation` and `expires_at` are the caller's to replace."""
        ...

    def exchange(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        attempt: ConsentAttempt,
        answer: ConsentAnswer,
        context: AuthContext,
    ) -> Steps[Tokens | TokenRefused]:
        """Exchange the code that a person's browser has brought. `state` was checked; `iss` is checked here."""
        ...

    def start_device(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> Steps[DeviceCode | TokenRefused]:
        """Ask for a device code and the code that a person types."""
        ...

    def poll_device(
        self, settings: Mapping[str, Any], credentials: Credentials, device: DeviceCode, context: AuthContext
    ) -> Steps[Tokens | DevicePending | TokenRefused]:
        """Ask once whether the person has consented."""
        ...

    def revoke(
        self, settings: Mapping[str, Any], credentials: Credentials, tokens: Tokens, context: AuthContext
    ) -> Steps[TokenRefused | None]:
        """Give tokens back (RFC 7009): the refresh token, else the access token. None where that is done."""
        ...


def token_method(method: AuthMethodType, settings: Mapping[str, Any]) -> TokenMethod | None:
    """Return the method as one that keeps tokens; None where it does not, with these settings."""
    return method if isinstance(method, TokenMethod) and method.keeps_tokens(settings) else None
