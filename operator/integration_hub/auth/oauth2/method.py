"""The type `oauth2`: which file answers what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.auth.oauth2 import device as device_steps
from integration_hub.auth.oauth2 import link, obtaining, revocation, setup
from integration_hub.auth.oauth2.credential_problems import credential_problem
from integration_hub.auth.oauth2.fingerprint import fingerprint
from integration_hub.auth.oauth2.grants import GRANTS, REFRESH_TOKEN
from integration_hub.auth.oauth2.placement import with_token
from integration_hub.auth.oauth2.problems import problems
from integration_hub.auth.oauth2.settings import SCHEMA, TEMPLATES
from integration_hub.auth.oauth2.setup import REFRESH, Setup
from integration_hub.auth.tokens import DevicePending, Reuse, Steps, TokenRefused, TokenRules
from integration_hub.config.durations import parse_duration
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens, token_hash

_AT_PERCENT: Final = 80


class OAuth2:
    """The type `oauth2`."""

    type = "oauth2"
    title = "OAuth 2.0"
    templates: Mapping[str, Place] = TEMPLATES
    settings_schema: Mapping[str, Any] = SCHEMA

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say what the schema cannot: addresses that are missing or malformed, settings without effect."""
        return problems(settings)

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return what the client and its grant need and the definition does not fix."""
        return setup.secret_keys(settings)

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse a client id that cannot be one, and a private key that cannot sign."""
        return credential_problem(settings, credentials)

    def secret_type(self, settings: Mapping[str, Any]) -> str | None:
        """Any: it is the keys that count."""
        return None

    def flow(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        request: HttpRequest,
        context: AuthContext,
    ) -> Flow:
        """Yield the request with the access token in its header. A header that is there already is replaced."""
        if credentials.tokens is None:
            raise ValueError("tokens are obtained before a request is authenticated with them")
        yield with_token(settings, request, credentials.tokens.access_token)

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return the access token and its type."""
        tokens = credentials.tokens
        return {"accessToken": tokens.access_token, "tokenType": tokens.token_type} if tokens else {}

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return None: neither a client secret nor a private key says when it ends, and tokens are renewed."""
        return None

    # -- Tokens ------------------------------------------------------------------------------------

    def keeps_tokens(self, settings: Mapping[str, Any]) -> bool:
        """Return True: every grant ends with a token."""
        return True

    def token_rules(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> TokenRules:
        """Return how tokens are kept."""
        found = Setup(settings, credentials, context)
        renewing = settings.get("refresh", {})
        reuse = Reuse(renewing.get("reuse", Reuse.GRACE))
        return TokenRules(
            acquisition=GRANTS[found.grant].acquisition,
            grant=fingerprint(found),
            required_scopes=found.required_scopes,
            refresh_share=renewing.get("atPercent", _AT_PERCENT) / 100,
            lifetime=_lifetime(settings),
            reuse=reuse,
            consumes=token_hash(found.value(REFRESH))
            if found.grant == REFRESH_TOKEN and reuse is not Reuse.REUSABLE
            else "",
            revocable="revocationURL" in settings or "issuer" in settings,
        )

    def obtain(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> Steps[Tokens | TokenRefused]:
        """Obtain tokens with what the Secret has."""
        return obtaining.obtain(Setup(settings, credentials, context))

    def refresh(
        self, settings: Mapping[str, Any], credentials: Credentials, tokens: Tokens, context: AuthContext
    ) -> Steps[Tokens | TokenRefused]:
        """Renew tokens."""
        return obtaining.refresh(Setup(settings, credentials, context), tokens)

    def authorization_link(
        self, settings: Mapping[str, Any], credentials: Credentials, state: str, context: AuthContext
    ) -> Steps[ConsentAttempt | TokenRefused]:
        """Make a link for a person."""
        return link.authorization_link(Setup(settings, credentials, context), state)

    def exchange(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        attempt: ConsentAttempt,
        answer: ConsentAnswer,
        context: AuthContext,
    ) -> Steps[Tokens | TokenRefused]:
        """Exchange the code that a browser has brought."""
        return link.exchange(Setup(settings, credentials, context), attempt, answer)

    def start_device(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> Steps[DeviceCode | TokenRefused]:
        """Ask for a device code."""
        return device_steps.start_device(Setup(settings, credentials, context))

    def poll_device(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        device: DeviceCode,
        context: AuthContext,
    ) -> Steps[Tokens | DevicePending | TokenRefused]:
        """Ask once whether the person has consented."""
        return device_steps.poll_device(Setup(settings, credentials, context), device)

    def revoke(
        self, settings: Mapping[str, Any], credentials: Credentials, tokens: Tokens, context: AuthContext
    ) -> Steps[TokenRefused | None]:
        """Give tokens back."""
        return revocation.revoke(Setup(settings, credentials, context), tokens)


def _lifetime(settings: Mapping[str, Any]) -> timedelta | None:
    return parse_duration(settings["lifetime"]) if "lifetime" in settings else None
