"""How an access token goes into requests (RFC 6750 section 2.1, and what systems make of it). Never into a URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from integration_hub.auth.api_key import (
    NAME_SETTING,
    PREFIX_SETTING,
    header_name_problems,
    in_header,
    joined_prefix,
)
from integration_hub.model.http import HttpRequest

TOKEN_IN: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "description": "How the access token goes into requests.",
    "properties": {
        "header": {**NAME_SETTING, "description": "Name of the header. Default: Authorization."},
        "prefix": {
            **PREFIX_SETTING,
            "description": "What stands before the token. Default: 'Bearer' in Authorization, else nothing.",
        },
    },
}
"""Schema of the setting `tokenIn`."""

_AUTHORIZATION: Final = "Authorization"


def with_token(settings: Mapping[str, Any], request: HttpRequest, access_token: str) -> HttpRequest:
    """Return the request with the token as the setting `tokenIn` says. A header that is there already is replaced."""
    told = settings.get("tokenIn", {})
    header = told.get("header", _AUTHORIZATION)
    default = "Bearer" if header.lower() == _AUTHORIZATION.lower() else ""
    return in_header(request, header, joined_prefix(told.get("prefix", default)) + access_token)


def token_in_problems(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield why no token can go into the header that is named."""
    header = settings.get("tokenIn", {}).get("header")
    if header is not None:
        yield from (("tokenIn.header", message) for _, message in header_name_problems([header]))
