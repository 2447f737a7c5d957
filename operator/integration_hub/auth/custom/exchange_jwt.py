"""A JSON Web Token by which a token request proves who asks: signed with a private key, and sent in a header.

No standard has it so; GitHub does, whose applications get the tokens of their installations by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from integration_hub.auth.api_key import NAME_SETTING, PREFIX_SETTING, header_name_problems, joined_prefix
from integration_hub.auth.flow import AuthContext, Credentials, Place, SecretKey
from integration_hub.auth.private_key import key_fault
from integration_hub.auth.schemas import DURATION, KEY_NAME, one_line
from integration_hub.auth.signed_token import ALGORITHMS, LIFETIME, OWN_CLAIMS, algorithm_of, signed_token
from integration_hub.config.durations import parse_duration

PRIVATE_KEY: Final = "privateKey"
_AUTHORIZATION: Final = "Authorization"
_CLAIMS: Final = {"issuer": "iss", "subject": "sub", "audience": "aud"}


def _text(description: str) -> dict[str, Any]:
    return {**one_line(1000), "description": description}


SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "description": "A JSON Web Token that is signed with a private key and sent in a header.",
    "properties": {
        "privateKeyKey": {
            **KEY_NAME,
            "description": f"Key in the Secret that holds the private key as PEM. Default: {PRIVATE_KEY}.",
        },
        "algorithm": {"enum": list(ALGORITHMS), "description": "How it is signed. Default: RS256."},
        "issuer": _text("Claim 'iss', like the application's id; '{{ config.x }}' may stand in it."),
        "subject": _text("Claim 'sub'."),
        "audience": _text("Claim 'aud'."),
        "claims": {
            "type": "object",
            "additionalProperties": one_line(1000),
            "description": "Further claims, by name.",
        },
        "keyId": _text("The header 'kid' of the token."),
        "lifetime": {**DURATION, "description": "From now to 'exp'. Default: 1m."},
        "clockDrift": {
            **DURATION,
            "description": "How long before now 'iat' is, for systems whose clocks are behind. Default: not at all.",
        },
        "header": {
            **NAME_SETTING,
            "description": "Name of the header that it is sent in. Default: Authorization.",
        },
        "prefix": {
            **PREFIX_SETTING,
            "description": "What stands before it. Default: 'Bearer' in Authorization, else nothing.",
        },
    },
}

TEMPLATES: Final[Mapping[str, Place]] = {
    **dict.fromkeys((*_CLAIMS, "keyId"), Place.TEXT),
    "claims.*": Place.TEXT,
}


def jwt_key(told: Mapping[str, Any]) -> SecretKey:
    """Return the key of the Secret that the private key is in."""
    name = str(told.get("privateKeyKey", PRIVATE_KEY))
    return SecretKey(name, "the private key that the token request is signed with, as PEM", multiline=True)


def jwt_header(told: Mapping[str, Any]) -> str:
    """Return the name of the header that the token is sent in."""
    return str(told.get("header", _AUTHORIZATION))


def jwt_problems(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the schema cannot say, by path below these settings."""
    yield from (("header", message) for _, message in header_name_problems([jwt_header(told)]))
    for name in told.get("claims", {}):
        if name in OWN_CLAIMS:
            yield f"claims.{name}", f"is set by {OWN_CLAIMS[name]}"


def jwt_fault(told: Mapping[str, Any], credentials: Credentials) -> str | None:
    """Return why the Secret's value cannot sign, as a sentence that does not show it."""
    name = jwt_key(told).name
    fault = key_fault(credentials[name], algorithm_of(told))
    return f"The value of the key '{name}' {fault}." if fault else None


def jwt_value(told: Mapping[str, Any], credentials: Credentials, context: AuthContext) -> str:
    """Return what the header holds: a new token each time."""
    claims = {claim: told[setting] for setting, claim in _CLAIMS.items() if told.get(setting)}
    token = signed_token(
        credentials[jwt_key(told).name],
        {**claims, **{name: value for name, value in told.get("claims", {}).items() if value}},
        context,
        algorithm=algorithm_of(told),
        lifetime=parse_duration(told["lifetime"]) if "lifetime" in told else LIFETIME,
        header={"kid": told["keyId"]} if told.get("keyId") else {},
        drift=parse_duration(told["clockDrift"]) if "clockDrift" in told else timedelta(0),
    )
    default = "Bearer" if jwt_header(told).lower() == _AUTHORIZATION.lower() else ""
    return joined_prefix(told.get("prefix", default)) + token
