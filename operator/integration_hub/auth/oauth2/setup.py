"""One instance's settings as they are meant: with their defaults, the Secret's values, and what the instance adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from integration_hub.auth.flow import AuthContext, Credentials, SecretKey
from integration_hub.auth.oauth2.grants import (
    AUTHORIZATION_CODE,
    BASIC,
    GRANTS,
    JWT_BEARER,
    NONE,
    POST,
    PRIVATE_KEY_JWT,
    REFRESH_TOKEN,
    SIGNED_JWT,
    Grant,
)


class Role(NamedTuple):
    """A value that the Secret can hold."""

    key_setting: str
    """The setting that names its key."""
    default_key: str
    words: str
    public: bool = False
    multiline: bool = False


CLIENT_ID: Final = Role("clientIdKey", "clientId", "the client id of the application", public=True)
CLIENT_SECRET: Final = Role("clientSecretKey", "clientSecret", "the client secret of the application")
PRIVATE_KEY: Final = Role(
    "privateKeyKey", "privateKey", "the private key that the application signs with, as PEM", multiline=True
)
REFRESH: Final = Role("refreshTokenKey", "refreshToken", "a refresh token, to begin with")
ROLES: Final = (CLIENT_ID, CLIENT_SECRET, PRIVATE_KEY, REFRESH)


def authentication_of(settings: Mapping[str, Any]) -> str:
    """Return how the client authenticates at the token URL."""
    default = {JWT_BEARER: NONE, SIGNED_JWT: NONE}.get(grant_of(settings), BASIC)
    return str(settings.get("clientAuthentication", default))


def grant_of(settings: Mapping[str, Any]) -> str:
    """Return the name of the grant."""
    return str(settings.get("grant", AUTHORIZATION_CODE))


def key_of(settings: Mapping[str, Any], role: Role) -> str:
    """Return the key in the Secret for what plays this role."""
    return str(settings.get(role.key_setting, role.default_key))


def roles_of(settings: Mapping[str, Any]) -> tuple[Role, ...]:
    """Return what the Secret must hold."""
    return tuple(role for role in ROLES if _NEEDED[role](settings))


def _needs_client_id(settings: Mapping[str, Any]) -> bool:
    if "clientId" in settings:
        return False
    issuer_told = GRANTS[grant_of(settings)].signs and "issuer" in settings.get("jwt", {})
    return not (issuer_told and authentication_of(settings) == NONE)


_NEEDED: Final[Mapping[Role, Callable[[Mapping[str, Any]], bool]]] = {
    CLIENT_ID: _needs_client_id,
    CLIENT_SECRET: lambda settings: authentication_of(settings) in {BASIC, POST},
    PRIVATE_KEY: lambda settings: (
        authentication_of(settings) == PRIVATE_KEY_JWT or GRANTS[grant_of(settings)].signs
    ),
    REFRESH: lambda settings: grant_of(settings) == REFRESH_TOKEN,
}


def secret_keys(settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
    """Return the keys of what the definition does not fix."""
    return tuple(
        SecretKey(key_of(settings, role), role.words, public=role.public, multiline=role.multiline)
        for role in roles_of(settings)
    )


@dataclass(frozen=True, slots=True, repr=False)
class Setup:
    """What every step is handed."""

    settings: Mapping[str, Any]
    """Rendered, and without problems."""
    credentials: Credentials
    context: AuthContext

    def __repr__(self) -> str:
        """Show the grant, and nothing else."""
        return f"Setup({self.grant})"

    @property
    def grant(self) -> str:
        """The grant's name."""
        return grant_of(self.settings)

    @property
    def row(self) -> Grant:
        """What the grant needs."""
        return GRANTS[self.grant]

    @property
    def authentication(self) -> str:
        """How the client authenticates."""
        return authentication_of(self.settings)

    @property
    def issuer(self) -> str | None:
        """The authorization server's identifier, where the settings have it."""
        return self.settings.get("issuer")

    @property
    def client_id(self) -> str:
        """From the settings or the Secret; '' where neither has one."""
        fixed = self.settings.get("clientId")
        return str(fixed) if fixed is not None else self.value(CLIENT_ID)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is asked for. An entry that a template has filled in may hold several."""
        return _words((*self.settings.get("scopes", ()), *self.context.scopes))

    @property
    def required_scopes(self) -> tuple[str, ...]:
        """What must be granted, as it is named then.

        Many systems grant offline_access and do not name it in their answer: a refresh token is how they say so.
        """
        asked = tuple(scope for scope in self.context.scopes if scope != "offline_access")
        aliases = self.settings.get("scopeAliases", {})
        required = _words((*self.settings.get("requiredScopes", ()), *asked))
        return _words(tuple(aliases.get(scope, scope) for scope in required))

    @property
    def scope_text(self) -> str:
        """The scopes as one text."""
        return str(self.settings.get("scopeSeparator", " ")).join(self.scopes)

    @property
    def jwt(self) -> Mapping[str, Any]:
        """The settings of signed tokens."""
        found: Mapping[str, Any] = self.settings.get("jwt", {})
        return found

    def value(self, role: Role) -> str:
        """Return what the Secret has for this role, '' where it has nothing."""
        return self.credentials.get(key_of(self.settings, role), "")

    def scope_parameters(self) -> list[tuple[str, str]]:
        """Return the parameter with the scopes, unless there are none or they stand in a signed token."""
        if not self.scopes or "scopeClaim" in self.jwt:
            return []
        return [(str(self.settings.get("scopeParameter", "scope")), self.scope_text)]

    def target_parameters(self) -> list[tuple[str, str]]:
        """Return the parameters that say whom tokens are for."""
        audience = self.settings.get("audience")
        resources = [("resource", resource) for resource in self.settings.get("resource", ()) if resource]
        return [*([("audience", audience)] if audience else []), *resources]

    def secrets(self) -> tuple[str, ...]:
        """Return the values that nothing from an answer may repeat where it is shown."""
        tokens = self.credentials.tokens
        obtained = (tokens.access_token, tokens.refresh_token or "") if tokens else ()
        own = (value for name, value in self.credentials.items() if name not in self.credentials.public)
        return tuple(value for value in (*own, *obtained) if value)


def _words(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of all texts, each once and in their order."""
    return tuple(dict.fromkeys(word for text in texts for word in text.split()))
