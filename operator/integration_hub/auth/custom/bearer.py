"""A token that is had by one request of a system's own making, and is then sent with every other one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import Any, Final, NoReturn

import orjson

from integration_hub.auth.api_key import (
    HEADER_VALUE,
    HEADER_VALUE_REFUSED,
    NAME_SETTING,
    PREFIX_SETTING,
)
from integration_hub.auth.custom.bearer_problems import bearer_problems
from integration_hub.auth.custom.exchange_answer import exchanged
from integration_hub.auth.custom.exchange_jwt import SCHEMA as JWT_SCHEMA
from integration_hub.auth.custom.exchange_jwt import TEMPLATES as JWT_TEMPLATES
from integration_hub.auth.custom.exchange_jwt import jwt_fault
from integration_hub.auth.custom.token_exchange import (
    ENCODINGS,
    TYPES,
    UnfitValueError,
    exchange_keys,
    exchange_request,
    username_key,
)
from integration_hub.auth.ends import earliest_end
from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.auth.oauth2.placement import TOKEN_IN, with_token
from integration_hub.auth.schemas import DURATION, KEY_NAME, PLACE, ascii_line, one_line
from integration_hub.auth.tokens import Acquisition, DevicePending, Steps, TokenRefused, TokenRules
from integration_hub.config.durations import parse_duration
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens

_AT_PERCENT: Final = 80

_SECRET_KEY: Final = {
    **KEY_NAME,
    "description": "Key in the Secret that holds the value.",
}


def _place(description: str) -> dict[str, Any]:
    return {**PLACE, "description": description}


def _group(description: str, properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "description": description,
        "required": list(required),
        "properties": properties,
    }


_HEADER: Final = _group(
    "A header of the token request.",
    {
        "name": {**NAME_SETTING, "description": "Name of the header."},
        "value": {
            **ascii_line(1000),
            "description": "Text that is no secret; '{{ config.x }}' may stand in it.",
        },
        "secretKey": _SECRET_KEY,
        "prefix": PREFIX_SETTING,
    },
    "name",
)
_FIELD: Final = _group(
    "A field of the token request.",
    {
        "name": {
            **one_line(200, least=1),
            "description": "Name of the field. In JSON, dots lead into groups and numbers into lists, like"
            " 'auth.methods.0'.",
        },
        "value": {
            **one_line(1000),
            "description": "Text that is no secret; '{{ config.x }}' may stand in it, and where it is empty then,"
            " the field is not sent.",
        },
        "secretKey": _SECRET_KEY,
        "type": {
            "enum": list(TYPES),
            "description": "What the value is in JSON: text (default), number or boolean.",
        },
    },
    "name",
)


class Bearer:
    """The scheme `bearer`."""

    type = "bearer"
    title = "Token from a request of the system's own making"
    templates: Mapping[str, Place] = {
        "tokenURL": Place.ASKED_URL,
        "request.headers[].value": Place.HEADER,
        "request.fields[].value": Place.TEXT,
        **{f"request.jwt.{path}": place for path, place in JWT_TEMPLATES.items()},
    }
    settings_schema: Mapping[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["tokenURL"],
        "properties": {
            "tokenURL": {
                "type": "string",
                "maxLength": 1000,
                "description": "Where tokens are given; '{{ config.x }}' may stand in it. Its host must be among"
                " the definition's allowedHosts.",
            },
            "request": _group(
                "The request for a token.",
                {
                    "method": {"enum": ["POST", "GET", "PUT"], "description": "Default: POST."},
                    "headers": {
                        "type": "array",
                        "maxItems": 10,
                        "description": "Headers, each with a text or a key of the Secret.",
                        "items": _HEADER,
                    },
                    "fields": {
                        "type": "array",
                        "maxItems": 50,
                        "description": "Fields, each with a text or a key of the Secret.",
                        "items": _FIELD,
                    },
                    "encoding": {
                        "enum": list(ENCODINGS),
                        "description": "Where the fields are: in a form (default), in JSON, or in the query, which"
                        " no secret may be in.",
                    },
                    "basic": _group(
                        "User name and password from the Secret, as HTTP Basic.",
                        {
                            "usernameKey": {
                                **_SECRET_KEY,
                                "description": "Key in the Secret that holds the user name. Default: username.",
                            },
                            "passwordKey": {
                                **_SECRET_KEY,
                                "description": "Key in the Secret that holds the password. Default: password.",
                            },
                        },
                    ),
                    "jwt": JWT_SCHEMA,
                },
            ),
            "answer": _group(
                "Where the answer has what.",
                {
                    "accessToken": _place("Place of the token in JSON. Default: access_token."),
                    "header": {
                        **NAME_SETTING,
                        "description": "Header that holds the token, in place of accessToken.",
                    },
                    "text": {
                        "type": "boolean",
                        "description": "Whether the whole answer is the token, in place of accessToken.",
                    },
                    "expiresIn": _place("Place of the seconds that it lives. Default: expires_in."),
                    "expiresAt": _place(
                        "Place of the moment at which it ends, in place of expiresIn: ISO 8601, or seconds or"
                        " milliseconds since 1970."
                    ),
                },
            ),
            "lifetime": {
                **DURATION,
                "description": "How long a token lives whose answer does not say, like '1h'.",
            },
            "tokenIn": TOKEN_IN,
            "refresh": _group(
                "When the next token is asked for.",
                {
                    "atPercent": {
                        "type": "integer",
                        "minimum": 50,
                        "maximum": 95,
                        "description": "After which part of a token's life, in percent. Default: 80.",
                    }
                },
            ),
        },
    }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say what the schema cannot."""
        return bearer_problems(settings)

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return each key that the token request needs once, as it is needed first."""
        found: dict[str, SecretKey] = {}
        for key in exchange_keys(settings.get("request", {})):
            found.setdefault(key.name, key)
        return tuple(found.values())

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse characters that a header cannot carry, ':' in a user name, and a key that cannot sign."""
        request = settings.get("request", {})
        for entry in request.get("headers", ()):
            key = entry.get("secretKey")
            if key is not None and HEADER_VALUE.fullmatch(credentials[key]) is None:
                return f"The value of the key '{key}' contains {HEADER_VALUE_REFUSED}."
        name = username_key(request["basic"]) if "basic" in request else None
        if name is not None and ":" in credentials[name]:
            return f"The value of the key '{name}' is a user name, which cannot contain ':' (RFC 7617 section 2)."
        return jwt_fault(request["jwt"], credentials) if "jwt" in request else None

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
        """Yield the request with the token in its header. A header that is there already is replaced."""
        if credentials.tokens is None:
            raise ValueError("tokens are obtained before a request is authenticated with them")
        yield with_token(settings, request, credentials.tokens.access_token)

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return the access token and its type."""
        tokens = credentials.tokens
        return {"accessToken": tokens.access_token, "tokenType": tokens.token_type} if tokens else {}

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return when the first of the keys ends that is a JSON Web Token and says so."""
        return earliest_end(credentials.values())

    # -- Tokens ------------------------------------------------------------------------------------

    def keeps_tokens(self, settings: Mapping[str, Any]) -> bool:
        """Return True: that is what this scheme is for."""
        return True

    def token_rules(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> TokenRules:
        """Return that a new token is obtained as the first one was."""
        return TokenRules(
            acquisition=Acquisition.BY_ITSELF,
            grant=_fingerprint(settings, credentials, context),
            refresh_share=settings.get("refresh", {}).get("atPercent", _AT_PERCENT) / 100,
            lifetime=parse_duration(settings["lifetime"]) if "lifetime" in settings else None,
        )

    def obtain(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> Steps[Tokens | TokenRefused]:
        """Make the declared request."""
        try:
            request = exchange_request(
                settings["tokenURL"], settings.get("request", {}), credentials, context
            )
        except UnfitValueError as error:
            return TokenRefused(message=str(error))
        response = yield request
        return exchanged(
            response, settings, credentials, context, _fingerprint(settings, credentials, context)
        )

    def refresh(
        self, settings: Mapping[str, Any], credentials: Credentials, tokens: Tokens, context: AuthContext
    ) -> Steps[Tokens | TokenRefused]:
        """Obtain another: there are no refresh tokens."""
        return self.obtain(settings, credentials.with_tokens(tokens), context)

    def authorization_link(
        self, settings: Mapping[str, Any], credentials: Credentials, state: str, context: AuthContext
    ) -> Steps[ConsentAttempt | TokenRefused]:
        """Refuse: nobody is asked."""
        _nobody_is_asked()

    def exchange(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        attempt: ConsentAttempt,
        answer: ConsentAnswer,
        context: AuthContext,
    ) -> Steps[Tokens | TokenRefused]:
        """Refuse: nobody is asked."""
        _nobody_is_asked()

    def start_device(
        self, settings: Mapping[str, Any], credentials: Credentials, context: AuthContext
    ) -> Steps[DeviceCode | TokenRefused]:
        """Refuse: nobody is asked."""
        _nobody_is_asked()

    def poll_device(
        self, settings: Mapping[str, Any], credentials: Credentials, device: DeviceCode, context: AuthContext
    ) -> Steps[Tokens | DevicePending | TokenRefused]:
        """Refuse: nobody is asked."""
        _nobody_is_asked()

    def revoke(
        self, settings: Mapping[str, Any], credentials: Credentials, tokens: Tokens, context: AuthContext
    ) -> Steps[TokenRefused | None]:
        """Do nothing: the rules say that there is no URL for that."""
        yield from ()
        return None


def _nobody_is_asked() -> NoReturn:
    raise TypeError("tokens are obtained by themselves here, as token_rules has said")


def _fingerprint(settings: Mapping[str, Any], credentials: Credentials, context: AuthContext) -> str:
    """Return a text that is equal for equal requests with equal credentials: tokens of others are of no use."""
    asked = {
        "type": "bearer",
        "tokenURL": settings["tokenURL"],
        "request": settings.get("request", {}),
        "answer": settings.get("answer", {}),
        "api": context.api,
        "credentials": list(chain.from_iterable(sorted(credentials.items()))),
    }
    return sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
