"""What a definition can say about OAuth 2.0: the schema of the settings. What it cannot express is in `problems.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from integration_hub.auth.flow import Place
from integration_hub.auth.oauth2.grants import CLIENT_AUTHENTICATIONS, GRANTS
from integration_hub.auth.oauth2.placement import TOKEN_IN
from integration_hub.auth.schemas import DURATION, KEY_NAME, PLACE, ascii_line, one_line, text
from integration_hub.auth.signed_token import ALGORITHMS
from integration_hub.auth.tokens import Reuse


def _text(description: str, most: int = 1000) -> dict[str, Any]:
    return {**one_line(most), "description": description}


def _url(description: str) -> dict[str, Any]:
    return {"type": "string", "maxLength": 1000, "description": description}


def _key(description: str) -> dict[str, Any]:
    return {**KEY_NAME, "description": description}


def _word(description: str) -> dict[str, Any]:
    return {**text("^[A-Za-z0-9_-]{1,60}$", "letters, digits, '_' or '-'"), "description": description}


def _place(description: str) -> dict[str, Any]:
    return {**PLACE, "description": description}


def _texts(description: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": one_line(1000), "description": description}


def _scopes(description: str) -> dict[str, Any]:
    return {
        "type": "array",
        "maxItems": 100,
        "uniqueItems": True,
        "description": description,
        "items": ascii_line(300),
    }


def _group(description: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "description": description,
        "properties": properties,
    }


SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "grant": {
            "enum": list(GRANTS),
            "description": "How tokens are obtained. Default: authorizationCode, by which a person consents.",
        },
        "issuer": _url(
            "Address of the authorization server, from whose metadata the other addresses are taken"
            " (RFC 8414, OpenID Connect Discovery). One that is set below goes before."
        ),
        "discovery": {
            "enum": ["openid", "oauth"],
            "description": "Where the issuer's metadata is: openid (default) for"
            " ISSUER/.well-known/openid-configuration, oauth for RFC 8414's oauth-authorization-server.",
        },
        "authorizationURL": _url("Where a person consents."),
        "tokenURL": _url("Where tokens are given out."),
        "deviceAuthorizationURL": _url("Where a device code is given out (RFC 8628)."),
        "revocationURL": _url("Where tokens can be given back (RFC 7009)."),
        "clientAuthentication": {
            "enum": list(CLIENT_AUTHENTICATIONS),
            "description": "How the client proves who it is at the token URL. Default: client_secret_basic,"
            " with the grant jwtBearer none.",
        },
        "clientId": _text("Client id that is the same for everybody; then the Secret needs none."),
        "clientIdKey": _key("Key in the Secret that holds the client id. Default: clientId."),
        "clientSecretKey": _key("Key in the Secret that holds the client secret. Default: clientSecret."),
        "privateKeyKey": _key("Key in the Secret that holds the private key as PEM. Default: privateKey."),
        "refreshTokenKey": _key(
            "Key in the Secret that holds the refresh token of the grant refreshToken. Default: refreshToken."
        ),
        "pkce": {
            "enum": ["required", "supported", "off"],
            "description": "Proof key for code exchange (RFC 7636): required (default) and supported send"
            " it with S256, and required refuses a server whose metadata leaves S256 out; off sends none.",
        },
        "scopes": _scopes("Scopes that are asked for, beside those in the instance's spec.auth.scopes."),
        "requiredScopes": _scopes(
            "Scopes without which a connection is of no use, beside those in the instance's spec.auth.scopes."
        ),
        "scopeAliases": _texts(
            "What the system calls scopes once they are granted, by the names that they are asked for with."
        ),
        "scopeSeparator": {
            **text("^[ ,;+|]{1,3}$", "a space, ',' or the like"),
            "description": "What stands between two scopes. Default: one space.",
        },
        "scopeParameter": _word("Name of the parameter with the scopes. Default: scope."),
        "authorizationParameters": _texts("Further parameters of the link, by name."),
        "tokenParameters": _texts("Further parameters of every token request, by name."),
        "refreshParameters": _texts("Further parameters of token requests that renew tokens, by name."),
        "audience": _text("Parameter 'audience': which API the tokens are for."),
        "resource": {
            "type": "array",
            "minItems": 1,
            "maxItems": 10,
            "description": "Parameter 'resource', once for each entry: whom the tokens are for (RFC 8707).",
            "items": one_line(1000, least=1),
        },
        "tokenRequestEncoding": {
            "enum": ["form", "json"],
            "description": "How token requests are written. Default: form.",
        },
        "tokenAnswer": _group(
            "Where the token URL's answer has what, as names with '.' between them.",
            {
                "accessToken": _place("The access token. Default: access_token."),
                "refreshToken": _place("The refresh token. Default: refresh_token."),
                "expiresIn": _place("Seconds that the access token lives. Default: expires_in."),
                "refreshExpiresIn": _place(
                    "Seconds that the refresh token lives. Default: refresh_token_expires_in, and other usual names."
                ),
                "scope": _place("The scopes that were granted. Default: scope."),
                "tokenType": _place("The token's type. Default: token_type."),
                "error": _place("The error code. Default: error."),
                "endedCodes": {
                    "type": "array",
                    "maxItems": 50,
                    "description": "Error codes, beyond the usual ones, that say that a person must consent again.",
                    "items": text("^[A-Za-z0-9_.-]{1,64}$", "letters, digits, '_', '.' or '-'"),
                },
            },
        ),
        "lifetime": {
            **DURATION,
            "description": "How long an access token lives whose answer does not say, like '2h'.",
        },
        "refresh": _group(
            "How tokens are renewed.",
            {
                "atPercent": {
                    "type": "integer",
                    "minimum": 50,
                    "maximum": 95,
                    "description": "After how much of an access token's life it is renewed. Default: 80.",
                },
                "reuse": {
                    "enum": [reuse.value for reuse in Reuse],
                    "description": "What the system makes of a refresh token that comes twice, as it may after"
                    " a lost answer: grace (default) accepts it for a while, strict ends the grant, reusable"
                    " never gives out another.",
                },
                "redirectURI": {
                    "type": "boolean",
                    "description": "Whether renewing repeats the redirect_uri of the consent. Default: false.",
                },
            },
        ),
        "jwt": _group(
            "The JSON Web Token of the grants jwtBearer and signedJWT, and of private_key_jwt (RFC 7523).",
            {
                "algorithm": {
                    "enum": list(ALGORITHMS),
                    "description": "How it is signed. Default: RS256.",
                },
                "issuer": _text("Claim 'iss' of the grant's token. Default: the client id."),
                "subject": _text(
                    "Claim 'sub' of the grant's token. Default: the issuer; with '' there is none."
                ),
                "audience": _text(
                    "Claim 'aud'. Default: the setting issuer, else the token URL; for signedJWT none."
                ),
                "lifetime": {
                    **DURATION,
                    "description": "From 'iat' to 'exp'. Default: 1m; for signedJWT 1h.",
                },
                "keyId": _text("The header 'kid', where the system has several keys of the client."),
                "certificateThumbprint": _text(
                    "The header 'x5t#S256': SHA-256 of the certificate that the system knows, in base64url."
                ),
                "claims": _texts("Further claims of the grant's token, by name."),
                "scopeClaim": _word(
                    "Claim that the scopes go into, separated as scopeSeparator says, instead of a parameter."
                ),
            },
        ),
        "tokenIn": TOKEN_IN,
    },
}

TEMPLATES: Final[Mapping[str, Place]] = {
    "issuer": Place.URL,
    "authorizationURL": Place.URL,
    "tokenURL": Place.ASKED_URL,
    "deviceAuthorizationURL": Place.ASKED_URL,
    "revocationURL": Place.ASKED_URL,
    "clientId": Place.TEXT,
    "scopes[]": Place.TEXT,
    "requiredScopes[]": Place.TEXT,
    "authorizationParameters.*": Place.TEXT,
    "tokenParameters.*": Place.TEXT,
    "refreshParameters.*": Place.TEXT,
    "audience": Place.TEXT,
    "resource[]": Place.TEXT,
    "jwt.issuer": Place.TEXT,
    "jwt.subject": Place.TEXT,
    "jwt.audience": Place.TEXT,
    "jwt.keyId": Place.TEXT,
    "jwt.certificateThumbprint": Place.TEXT,
    "jwt.claims.*": Place.TEXT,
}
