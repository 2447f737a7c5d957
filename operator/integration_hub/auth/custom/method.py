"""The type `custom`: its settings have one key, which names a scheme, and below that key the scheme's own settings.

A scheme follows the same protocol as a method, so all that stands here is handing on. A new scheme is one file next to
this one and one entry in `SCHEMES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from integration_hub.auth.custom.anonymous import Anonymous
from integration_hub.auth.custom.aws_sigv4 import AwsSigV4
from integration_hub.auth.custom.bearer import Bearer
from integration_hub.auth.custom.headers import Headers
from integration_hub.auth.custom.mtls import MutualTls
from integration_hub.auth.custom.signature import Hmac
from integration_hub.auth.flow import AuthContext, AuthMethodType, Credentials, Flow, Place, SecretKey
from integration_hub.auth.tokens import DevicePending, Steps, TokenMethod, TokenRefused, TokenRules
from integration_hub.config.values import choices
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens

SCHEMES: Final[dict[str, AuthMethodType]] = {
    scheme.type: scheme for scheme in (Anonymous(), AwsSigV4(), Bearer(), Headers(), Hmac(), MutualTls())
}
"""Of a scheme, `type` is the key in the settings."""


class Custom:
    """The type `custom`."""

    type = "custom"
    title = "Custom"
    templates: Mapping[str, Place] = {
        f"{name}.{path}": place
        for name, scheme in SCHEMES.items()
        for path, place in scheme.templates.items()
    }
    settings_schema: Mapping[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {**scheme.settings_schema, "description": f"{scheme.title}."}
            for name, scheme in SCHEMES.items()
        },
    }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say that there must be one scheme, and what that scheme says of its settings."""
        if not settings:
            return [("", f"must have one key that names the scheme: {choices(sorted(SCHEMES))}")]
        first, *others = settings
        if others:
            return [
                (
                    other,
                    f"cannot stand next to '{first}': a method has one scheme; make a second entry of authMethods",
                )
                for other in others
            ]
        scheme, inner = _scheme(settings)
        return [(_below(first, path), message) for path, message in scheme.problems(inner)]

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return the scheme's keys."""
        scheme, inner = _scheme(settings)
        return scheme.secret_keys(inner)

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Return what the scheme refuses."""
        scheme, inner = _scheme(settings)
        return scheme.credential_problem(inner, credentials)

    def secret_type(self, settings: Mapping[str, Any]) -> str | None:
        """Return what the scheme needs."""
        scheme, inner = _scheme(settings)
        return scheme.secret_type(inner)

    def flow(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        request: HttpRequest,
        context: AuthContext,
    ) -> Flow:
        """Return the scheme's flow."""
        scheme, inner = _scheme(settings)
        return scheme.flow(inner, credentials, request, context)

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return what the scheme delivers."""
        scheme, inner = _scheme(settings)
        return scheme.delivered(inner, credentials)

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return when the scheme's credential ends."""
        scheme, inner = _scheme(settings)
        return scheme.ends_at(inner, credentials)

    # -- Tokens: asked for only where `keeps_tokens` says so ----------------------------------------

    def keeps_tokens(self, settings: Mapping[str, Any]) -> bool:
        """Tell whether the scheme keeps tokens."""
        scheme, inner = _scheme(settings)
        return isinstance(scheme, TokenMethod) and scheme.keeps_tokens(inner)

    def token_rules(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> TokenRules:
        """Return the scheme's rules."""
        scheme, inner = _token_scheme(settings)
        return scheme.token_rules(inner, credentials, context)

    def obtain(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> Steps[Tokens | TokenRefused]:
        """Return the scheme's steps."""
        scheme, inner = _token_scheme(settings)
        return scheme.obtain(inner, credentials, context)

    def refresh(
        self, settings: Mapping[str, Any], credentials: Credentials, tokens: Tokens, context: AuthContext
    ) -> Steps[Tokens | TokenRefused]:
        """Return the scheme's steps."""
        scheme, inner = _token_scheme(settings)
        return scheme.refresh(inner, credentials, tokens, context)

    def authorization_link(
        self, settings: Mapping[str, Any], credentials: Credentials, state: str, context: AuthContext
    ) -> Steps[ConsentAttempt | TokenRefused]:
        """Return the scheme's steps."""
        scheme, inner = _token_scheme(settings)
        return scheme.authorization_link(inner, credentials, state, context)

    def exchange(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        attempt: ConsentAttempt,
        answer: ConsentAnswer,
        context: AuthContext,
    ) -> Steps[Tokens | TokenRefused]:
        """Return the scheme's steps."""
        scheme, inner = _token_scheme(settings)
        return scheme.exchange(inner, credentials, attempt, answer, context)

    def start_device(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> Steps[DeviceCode | TokenRefused]:
        """Return the scheme's steps."""
        scheme, inner = _token_scheme(settings)
        return scheme.start_device(inner, credentials, context)

    def poll_device(
        self, settings: Mapping[str, Any], credentials: Credentials, device: DeviceCode, context: AuthContext
    ) -> Steps[Tokens | DevicePending | TokenRefused]:
        """Return the scheme's steps."""
        scheme, inner = _token_scheme(settings)
        return scheme.poll_device(inner, credentials, device, context)

    def revoke(
        self, settings: Mapping[str, Any], credentials: Credentials, tokens: Tokens, context: AuthContext
    ) -> Steps[TokenRefused | None]:
        """Return the scheme's steps."""
        scheme, inner = _token_scheme(settings)
        return scheme.revoke(inner, credentials, tokens, context)


def _scheme(settings: Mapping[str, Any]) -> tuple[AuthMethodType, Mapping[str, Any]]:
    """Return the scheme of settings that have no problems, and its part of them."""
    ((name, inner),) = settings.items()
    return SCHEMES[name], inner


def _token_scheme(settings: Mapping[str, Any]) -> tuple[TokenMethod, Mapping[str, Any]]:
    scheme, inner = _scheme(settings)
    if not isinstance(scheme, TokenMethod):
        raise TypeError(f"the scheme '{scheme.type}' keeps no tokens, as keeps_tokens has said")
    return scheme, inner


def _below(name: str, path: str) -> str:
    return name + (path if not path or path.startswith("[") else f".{path}")
