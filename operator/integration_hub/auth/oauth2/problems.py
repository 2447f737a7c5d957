"""What is wrong with settings that satisfy the schema: addresses, names that collide, settings without effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from integration_hub.auth.addresses import address_problem
from integration_hub.auth.oauth2.discovery import is_as_safe
from integration_hub.auth.oauth2.grants import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    GRANTS,
    NONE,
    PRIVATE_KEY_JWT,
)
from integration_hub.auth.oauth2.placement import token_in_problems
from integration_hub.auth.oauth2.setup import ROLES, authentication_of, grant_of, key_of, roles_of
from integration_hub.auth.signed_token import OWN_CLAIMS

Settings = Mapping[str, Any]
Problem = tuple[str, str]

_URLS: Final = {
    "issuer": "",
    "authorizationURL": "authorizationParameters",
    "tokenURL": "tokenParameters",
    "deviceAuthorizationURL": "",
    "revocationURL": "",
}
"""Addresses, and the setting for what others write behind their '?'."""
_WELL_KNOWN: Final = "/.well-known/"
_PARAMETER: Final = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,60}", re.ASCII)


def problems(settings: Settings) -> list[Problem]:
    """Return every problem, by path."""
    return [problem for check in _CHECKS for problem in check(settings)]


def _malformed(settings: Settings) -> Iterator[Problem]:
    for name, parameters in _URLS.items():
        problem = address_problem(settings[name], parameters=parameters) if name in settings else None
        if problem:
            yield name, problem
    before, found, _ = settings.get("issuer", "").partition(_WELL_KNOWN)
    if found:
        yield "issuer", f"is the address of the metadata; name the issuer alone, like '{before}'"
    link = settings.get("authorizationURL", "")
    if link.startswith("http://") and not is_as_safe(link, settings.get("tokenURL", "")):
        yield "authorizationURL", "must start with https://, as tokenURL does: people sign in there"


def _missing(settings: Settings) -> Iterator[Problem]:
    if "issuer" in settings:
        return
    for name in GRANTS[grant_of(settings)].urls:
        if name not in settings:
            yield name, f"is required for the grant {grant_of(settings)}, unless 'issuer' is set"


def _without_effect(settings: Settings) -> Iterator[Problem]:
    for paths, has_effect, words in _EFFECTS:
        if not has_effect(settings):
            yield from (
                (path, f"has an effect only {words}; remove it") for path in paths if _has(settings, path)
            )


def _has(settings: Settings, path: str) -> bool:
    group, _, name = path.rpartition(".")
    return name in (settings.get(group, {}) if group else settings)


def _keys(settings: Settings) -> Iterator[Problem]:
    needed = roles_of(settings)
    for role in ROLES:
        if role.key_setting in settings and role not in needed:
            yield role.key_setting, _unused(settings, role.default_key)
    taken: dict[str, str] = {}
    for role in needed:
        key = key_of(settings, role)
        if key in taken:
            yield (
                role.key_setting,
                f"is the key of {taken[key]}, too; each value needs a key of its own",
            )
        taken[key] = role.words


def _unused(settings: Settings, name: str) -> str:
    if name == "clientId" and "clientId" in settings:
        return "has no use next to 'clientId'; remove one of the two"
    return (
        f"has no use with the grant {grant_of(settings)} and the client authentication"
        f" {authentication_of(settings)}; remove it"
    )


def _parameters(settings: Settings) -> Iterator[Problem]:
    for name, reserved in _RESERVED.items():
        for parameter in settings.get(name, {}):
            path = f"{name}.{parameter}"
            if not _PARAMETER.fullmatch(parameter):
                yield name, "has a name that no parameter has: letters, digits and any of _ . : [ ] - only"
            elif parameter in reserved:
                yield path, "is what the operator fills in itself"
            elif name != "refreshParameters" and parameter == settings.get("scopeParameter", "scope"):
                yield path, "would go before the scopes; use 'scopes'"
            elif parameter in {"audience", "resource"} and parameter in settings:
                yield path, f"stands in '{parameter}', too; remove one of the two"
    mode = settings.get("authorizationParameters", {}).get("response_mode", "query")
    if mode not in _RESPONSE_MODES and "{{" not in mode:
        yield (
            "authorizationParameters.response_mode",
            f"must be one of {' and '.join(_RESPONSE_MODES)}: what comes otherwise stays in the browser",
        )
    if settings.get("scopeParameter") in _SENT_BY_US | _RESERVED["authorizationParameters"]:
        yield "scopeParameter", "is what the operator fills in itself"
    if "grant_type" in settings.get("tokenParameters", {}) and grant_of(settings) != CLIENT_CREDENTIALS:
        yield (
            "tokenParameters.grant_type",
            f"can be of the system's own only with the grant {CLIENT_CREDENTIALS}",
        )


def _claims(settings: Settings) -> Iterator[Problem]:
    jwt = settings.get("jwt", {})
    for name in jwt.get("claims", {}):
        if name in OWN_CLAIMS:
            yield f"jwt.claims.{name}", f"is set by {OWN_CLAIMS[name]}"
    if jwt.get("scopeClaim") in {*OWN_CLAIMS, *jwt.get("claims", {})}:
        yield "jwt.scopeClaim", "is a claim that is set otherwise"


def _proves_nothing(settings: Settings) -> Iterator[Problem]:
    if grant_of(settings) == CLIENT_CREDENTIALS and authentication_of(settings) == NONE:
        yield (
            "clientAuthentication",
            f"proves nothing with the grant {CLIENT_CREDENTIALS}, where nobody consents; choose another",
        )


_CHECKS: Final[tuple[Callable[[Settings], Iterator[Problem]], ...]] = (
    _malformed,
    _missing,
    _without_effect,
    _keys,
    _parameters,
    _claims,
    _proves_nothing,
    token_in_problems,
)

_SENT_BY_US: Final = frozenset(
    {
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "code",
        "code_verifier",
        "refresh_token",
        "redirect_uri",
        "assertion",
        "device_code",
    }
)

_RESPONSE_MODES: Final = ("query", "form_post")
"""OAuth 2.0 Multiple Response Types section 2.1, Form Post Response Mode. A fragment stays in the browser."""

_RESERVED: Final[Mapping[str, frozenset[str]]] = {
    "authorizationParameters": frozenset(
        {
            "response_type",
            "client_id",
            "client_secret",
            "redirect_uri",
            "state",
            "code_challenge",
            "code_challenge_method",
        }
    ),
    "tokenParameters": _SENT_BY_US,
    "refreshParameters": _SENT_BY_US | {"grant_type"},
}
"""Parameters that prove something or say where an answer goes: another value would break, or break into, the flow."""


def _grant_is(*grants: str) -> Callable[[Settings], bool]:
    return lambda settings: grant_of(settings) in grants


def _is_renewed(settings: Settings) -> bool:
    return GRANTS[grant_of(settings)].renewable


def _asks_a_server(settings: Settings) -> bool:
    return bool(GRANTS[grant_of(settings)].urls)


def _signs(settings: Settings) -> bool:
    return GRANTS[grant_of(settings)].signs or authentication_of(settings) == PRIVATE_KEY_JWT


_EFFECTS: Final[tuple[tuple[tuple[str, ...], Callable[[Settings], bool], str], ...]] = (
    (
        ("authorizationURL", "pkce", "authorizationParameters"),
        _grant_is(AUTHORIZATION_CODE),
        f"with the grant {AUTHORIZATION_CODE}",
    ),
    (("deviceAuthorizationURL",), _grant_is("deviceCode"), "with the grant deviceCode"),
    (
        ("refreshParameters", "refresh.reuse"),
        _is_renewed,
        "with grants that renew by a refresh token",
    ),
    (("refresh.redirectURI",), _grant_is(AUTHORIZATION_CODE), f"with the grant {AUTHORIZATION_CODE}"),
    (
        ("jwt.issuer", "jwt.subject", "jwt.claims", "jwt.scopeClaim"),
        lambda settings: GRANTS[grant_of(settings)].signs,
        "with the grants jwtBearer and signedJWT",
    ),
    (
        ("lifetime",),
        _asks_a_server,
        "with a grant that asks for tokens; signedJWT has 'jwt.lifetime'",
    ),
    (("discovery",), lambda settings: "issuer" in settings, "next to 'issuer'"),
    (("jwt",), _signs, "with the grants jwtBearer and signedJWT, and with private_key_jwt"),
    (
        (
            "issuer",
            "tokenURL",
            "revocationURL",
            "clientAuthentication",
            "tokenParameters",
            "tokenAnswer",
            "requiredScopes",
            "scopeAliases",
            "tokenRequestEncoding",
            "scopeParameter",
            "audience",
            "resource",
        ),
        _asks_a_server,
        "with a grant that asks for tokens, which signedJWT does not",
    ),
)
"""(paths of settings, whether they have an effect, what they have it with)."""
