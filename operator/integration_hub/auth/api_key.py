"""API keys: a secret in a header (most systems), several headers, a cookie, or, where it must be, the query.

A header or cookie value is sent exactly as the Secret has it, so it must be visible ASCII (RFC 9110
section 5.5; RFC 6265 section 4.1.1): what a server makes of anything else is not defined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from integration_hub.auth.ends import earliest_end
from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.auth.schemas import KEY_NAME, ascii_line, text
from integration_hub.model.http import HttpRequest

NAME_PATTERN: Final = "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,100}$"
"""A `token` of RFC 9110 section 5.6.2: the name of a header or a cookie."""

FORBIDDEN_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that decide where a message goes or where it ends (RFC 9110 section 7.6.1; RFC 9112 section 6):
a secret there would break the request, or smuggle another one."""

NAME_SETTING: Final = {
    **text("^[!-~]{1,100}$", "one name without spaces, like 'X-API-Key'"),
    "description": "Name of the header, query parameter or cookie, like 'X-API-Key'. Default of a header:"
    " Authorization.",
}
PREFIX_SETTING: Final = {
    **ascii_line(50, least=0),
    "description": "What stands before the key in a header: a word like 'Bearer' is followed by one space;"
    " a prefix that does not end in a letter or digit, like 'Token token=', stands directly before the key.",
}
_SECRET_KEY: Final = {
    **KEY_NAME,
    "description": "Key in the Secret that holds the API key. Default: apiKey.",
}

_DEFAULT_HEADER = "Authorization"
_DEFAULT_KEY = "apiKey"
HEADER_VALUE: Final = re.compile(r"[ -~]+")
"""What a key may be that is sent in a header, as a whole."""
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]+")
"""`cookie-octet` of RFC 6265 section 4.1.1: visible ASCII without '"', ',', ';' and '\\'."""


class _Placement(NamedTuple):
    """One key and where it goes."""

    where: str
    name: str
    prefix: str
    secret_key: str


class ApiKey:
    """The type `apiKey`."""

    type = "apiKey"
    title = "API key"
    templates: Mapping[str, Place] = {}
    settings_schema: Mapping[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "in": {
                "enum": ["header", "query", "cookie"],
                "description": "Where the key goes: header (default), query or cookie.",
            },
            "name": NAME_SETTING,
            "prefix": PREFIX_SETTING,
            "secretKey": _SECRET_KEY,
            "allowInQuery": {
                "type": "boolean",
                "description": "Must be true for 'in: query': says that the external system offers nothing"
                " better than a key in the URL, where logs of proxies and servers keep it.",
            },
            "headers": {
                "type": "array",
                "minItems": 1,
                "maxItems": 5,
                "description": "Several headers with a key each, instead of in, name, prefix and secretKey.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "secretKey"],
                    "properties": {
                        "name": {**NAME_SETTING, "description": "Name of the header, like 'DD-API-KEY'."},
                        "prefix": PREFIX_SETTING,
                        "secretKey": {
                            **_SECRET_KEY,
                            "description": "Key in the Secret that holds this header's key.",
                        },
                    },
                },
            },
        },
    }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say what the schema cannot: settings that exclude or need each other, names that are refused."""
        if "headers" in settings:
            return _headers_problems(settings)
        where = _where(settings)
        found = [
            (path, message)
            for path, holds, message in (
                ("in", where == "query" and settings.get("allowInQuery") is not True, _QUERY_REFUSED),
                (
                    "allowInQuery",
                    where != "query" and "allowInQuery" in settings,
                    "has a meaning only with 'in: query'",
                ),
                ("name", where != "header" and "name" not in settings, f"is required with 'in: {where}'"),
                (
                    "prefix",
                    where != "header" and "prefix" in settings,
                    "has a meaning only in a header; remove it",
                ),
            )
            if holds
        ]
        return found + _name_problems(where, "name", settings.get("name", _DEFAULT_HEADER))

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return one required key for each distinct key that is sent."""
        placements = {placement.secret_key: placement for placement in reversed(_placements(settings))}
        return tuple(
            SecretKey(
                placement.secret_key, f"the API key that is sent in the {placement.where} {placement.name}"
            )
            for placement in reversed(placements.values())
        )

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse characters that the place cannot carry; the query can carry all, percent-encoded."""
        for placement in _placements(settings):
            allowed = _ALLOWED_VALUES.get(placement.where)
            value = credentials[placement.secret_key]
            if has_prefix_twice(placement.prefix, value):
                return f"The value of the key '{placement.secret_key}' {PREFIX_TWICE}."
            if allowed is not None and not allowed[0].fullmatch(value):
                return f"The value of the key '{placement.secret_key}' contains {allowed[1]}."
        return None

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
        """Yield the request with every key in its place. A header that is there already is replaced."""
        for placement in _placements(settings):
            request = _ADD[placement.where](
                request, placement.name, placement.prefix + credentials[placement.secret_key]
            )
        yield request

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return each key under the name that it has in the Secret."""
        return dict(credentials)

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return when the first of the keys ends that is a JSON Web Token and says so."""
        return earliest_end(credentials.values())


def _where(settings: Mapping[str, Any]) -> str:
    return str(settings.get("in", "header"))


def _placements(settings: Mapping[str, Any]) -> list[_Placement]:
    entries = settings.get("headers") or [settings]
    return [
        _Placement(
            where="header" if "headers" in settings else _where(settings),
            name=entry.get("name", _DEFAULT_HEADER),
            prefix=joined_prefix(entry.get("prefix", "")),
            secret_key=entry.get("secretKey", _DEFAULT_KEY),
        )
        for entry in entries
    ]


def joined_prefix(prefix: str) -> str:
    """Return the prefix as it is written before the key; see the setting's description."""
    return f"{prefix} " if prefix[-1:].isalnum() else prefix


def has_prefix_twice(joined: str, value: str) -> bool:
    """Tell whether a value was stored with what is written before it anyway, as 'Bearer abc' is copied from a curl."""
    return joined.endswith(" ") and value.lower().startswith(joined.lower())


PREFIX_TWICE: Final = "begins with the prefix that the definition writes before it; store it without"


def _headers_problems(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [
        (other, "cannot stand next to 'headers'; move it into an entry of headers")
        for other in ("in", "name", "prefix", "secretKey", "allowInQuery")
        if other in settings
    ]
    return found + header_name_problems([entry["name"] for entry in settings["headers"]])


def header_name_problems(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return what is wrong in the names of 'headers[].name': that none can hold a key, that one comes twice."""
    found: list[tuple[str, str]] = []
    for index, name in enumerate(names):
        path = f"headers[{index}].name"
        found += _name_problems("header", path, name)
        if name.lower() in {earlier.lower() for earlier in names[:index]}:
            found.append((path, "names a header that an earlier entry names too"))
    return found


def _name_problems(where: str, path: str, name: str) -> list[tuple[str, str]]:
    return [(path, message) for place, refused, message in _NAME_RULES if place == where and refused(name)][
        :1
    ]


def in_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    """Return the request with this header, in place of one of the same name."""
    others = {key: held for key, held in request.headers.items() if key.lower() != name.lower()}
    return replace(request, headers={**others, name: value})


def _in_cookie(request: HttpRequest, name: str, value: str) -> HttpRequest:
    before = next((held for key, held in request.headers.items() if key.lower() == "cookie"), "")
    return in_header(request, "Cookie", f"{before}; {name}={value}" if before else f"{name}={value}")


def _in_query(request: HttpRequest, name: str, value: str) -> HttpRequest:
    others = tuple(pair for pair in request.query if pair[0] != name)
    return replace(request, query=(*others, (name, value)))


_QUERY_REFUSED: Final = (
    "puts a secret into the URL, where logs of proxies and servers keep it; use a header if the external"
    " system offers one, else add 'allowInQuery: true' to say that this is on purpose"
)

_NOT_A_NAME: Final = "must be letters, digits, '-' or '_', like 'X-API-Key'"

_NAME_RULES: Final[tuple[tuple[str, Callable[[str], bool], str], ...]] = (
    ("header", lambda name: not re.fullmatch(NAME_PATTERN, name), _NOT_A_NAME),
    (
        "header",
        lambda name: name.lower() == "cookie",
        "is the header of cookies, for which apiKey has 'in: cookie' and the cookie's name",
    ),
    (
        "header",
        lambda name: name.lower() in FORBIDDEN_HEADERS,
        "is a header that frames the message and cannot hold a key",
    ),
    ("cookie", lambda name: not re.fullmatch(NAME_PATTERN, name), _NOT_A_NAME),
    ("query", lambda name: bool(re.search(r"[&=#?%+;]", name)), "cannot contain & = # ? % + or ;"),
)
"""(place, what is refused, message): the first that holds is reported."""

_ADD: Final = {"header": in_header, "cookie": _in_cookie, "query": _in_query}

HEADER_VALUE_REFUSED: Final = (
    "characters that a header cannot carry: only visible ASCII characters can be sent"
)
"""What is said of a value that `HEADER_VALUE` does not match."""

_ALLOWED_VALUES: Final = {
    "header": (HEADER_VALUE, HEADER_VALUE_REFUSED),
    "cookie": (
        _COOKIE_VALUE,
        "characters that a cookie cannot carry: spaces, quotes, commas, semicolons, backslashes or non-ASCII",
    ),
}
