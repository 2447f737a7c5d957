"""The protocol that every authentication method follows. It does no I/O: flows yield requests and receive responses.

The shape is httpx's `Auth.auth_flow`: the last request that a flow yields is the one that was asked for, now
authenticated; whatever it yields before (a token request) is marked with another `purpose`. A flow can so be driven
by the operator, by the command line, or by a test with nothing but a list of responses.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from integration_hub.model.http import HttpRequest, HttpResponse
from integration_hub.model.reasons import Reason

Flow = Generator[HttpRequest, HttpResponse, None]


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key that a method reads from the credential Secret."""

    name: str
    description: str
    required: bool = True
    public: bool = False
    """Whether the value may be shown as the identity, like a user name beside its password. Logs mask it too."""


@dataclass(frozen=True, slots=True)
class CredentialProblem:
    """Why the Secret's data cannot be used. The message names keys and never shows a value."""

    reason: Reason
    message: str


class Credentials(Mapping[str, str]):
    """The keys of a Secret that a method declared, as text. Neither repr nor str shows a value."""

    __slots__ = ("_values", "public")

    def __init__(self, values: Mapping[str, str], *, public: frozenset[str] = frozenset()) -> None:
        """Keep the values; the caller drops this object when the reconcile ends. `public` names keys."""
        self._values = dict(values)
        self.public = public

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self._values))})"


class AuthMethodType(Protocol):
    """One type of authentication, stateless: `METHODS` holds one object of each."""

    type: str
    """The word in a definition's `authMethods[].type`."""
    title: str
    """The words that a person reads."""
    settings_schema: Mapping[str, Any]
    """JSON Schema of `authMethods[].settings`; every property has a description."""

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

    def flow(self, settings: Mapping[str, Any], credentials: Credentials, request: HttpRequest) -> Flow:
        """Yield requests until the last one is `request`, authenticated."""
        ...
