"""The protocol that every authentication method follows. It does no I/O: flows yield requests and receive responses.

The shape is httpx's `Auth.auth_flow`: the last request that a flow yields is the one that was asked for, now
authenticated; whatever it yields before (a token request) is marked with another `purpose`. A flow can so be driven
by the operator, by the command line, or by a test with nothing but a list of responses.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from integration_hub.model.http import HttpRequest, HttpResponse
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import Tokens

Flow = Generator[HttpRequest, HttpResponse, None]


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key that a method reads from the credential Secret."""

    name: str
    description: str
    required: bool = True
    public: bool = False
    """Whether the value may be shown as the identity, like a user name beside its password. Logs mask it too."""
    multiline: bool = False
    """Whether the value is a PEM text or the like, in which line breaks belong."""


@dataclass(frozen=True, slots=True)
class CredentialProblem:
    """Why the Secret's data cannot be used. The message names keys and never shows a value."""

    reason: Reason
    message: str


class Credentials(Mapping[str, str]):
    """The keys of a Secret that a method declared, as text. Neither repr nor str shows a value."""

    __slots__ = ("_values", "public", "tokens")

    def __init__(
        self,
        values: Mapping[str, str],
        *,
        public: frozenset[str] = frozenset(),
        tokens: Tokens | None = None,
    ) -> None:
        """Keep the values; the caller drops this object when the reconcile ends. `public` names keys."""
        self._values = dict(values)
        self.public = public
        self.tokens = tokens
        """What the operator obtained itself with these values, None where it did not."""

    def with_tokens(self, tokens: Tokens) -> Credentials:
        """Return the same credentials with these tokens."""
        return Credentials(self._values, public=self.public, tokens=tokens)

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self._values))})"


def no_randomness(size: int) -> bytes:
    """Refuse: a flow that needs randomness must be handed some."""
    raise RuntimeError("whoever drives a flow hands in where its randomness comes from")


@dataclass(frozen=True, slots=True)
class AuthContext:
    """What a flow may know besides settings and credentials. Clock and randomness are handed in, never taken."""

    now: datetime
    """In UTC."""
    random: Callable[[int], bytes] = field(default=no_randomness, repr=False)
    """Returns so many random bytes, fit for secrets."""
    redirect_uri: str = ""
    """Where the operator's callback server is reached from a browser; '' where there is none."""
    scopes: tuple[str, ...] = ()
    """The scopes in the instance's spec.auth.scopes."""
    api: str = ""
    """Scheme, host and port of the system that tokens are shown to. A part of what a person consents to: whoever may
    change the configuration must not send a token that was consented to before to another host."""


class Place(StrEnum):
    """Where the text of a setting lands, which decides how '{{ config.x }}' is filled in."""

    URL = "url"
    """An address: a value may fill (part of) a host's label, or a segment of the path."""
    ASKED_URL = "asked-url"
    """One that is asked wherever it is set, and so is at a host that the definition allows."""
    TEXT = "text"
    """Any text, which whoever uses it encodes."""
    HEADER = "header"
    """A header's value."""
    SIGNED = "signed"
    """A text that is signed, with places like '{body}' of the definition's own, of which a value makes none."""
    SIGNED_HEADER = "signed-header"
    """The same in a header's value."""


class AuthMethodType(Protocol):
    """One type of authentication, stateless: `METHODS` holds one object of each."""

    type: str
    """The word in a definition's `authMethods[].type`."""
    title: str
    """The words that a person reads."""
    settings_schema: Mapping[str, Any]
    """JSON Schema of `authMethods[].settings`; every property has a description."""
    templates: Mapping[str, Place]
    """Settings in which '{{ config.x }}' may stand, by path like 'tokenURL', 'headers[].value' or 'parameters.*'."""

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return what the schema cannot say about settings that satisfy it: (path below settings, message) pairs."""
        ...

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return the keys that the credential Secret must or may have."""
        ...

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Return why these credentials can never be sent, like a user name with ':'; None when they can.

        Asked after every declared key was read and before `flow`, which can then rely on it: a flow has no way to
        report. The sentence names keys and never shows a value.
        """
        ...

    def secret_type(self, settings: Mapping[str, Any]) -> str | None:
        """Return the type that the credential Secret must have, like 'kubernetes.io/tls'; None where any will do."""
        ...

    def flow(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        request: HttpRequest,
        context: AuthContext,
    ) -> Flow:
        """Yield requests until the last one is `request`, authenticated.

        Methods that keep tokens (`auth.tokens`) find them in `credentials.tokens`.
        """
        ...

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return what a workload gets that uses the connection.

        Under the well-known keys of the Service Binding specification where there are any (`username`, `password`,
        `certificates`, `private-key`), else under the method's own, like `accessToken`.

        Never a refresh token or a client secret: whoever has those can go on without the operator.
        """
        ...

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return when the credential itself ends, where it says so: a certificate, or a JWT in an API key's place.

        Of what a person stored in the Secret. When the operator's own tokens end stands in `credentials.tokens`.
        """
        ...
