"""The request for a token as a definition declares it: fields and headers, each a text or a key of the Secret.

Texts and keys stand apart because of what they are: which value is secret can be seen in the definition, is known
before anything is sent, and is never a matter of how some text is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson

from integration_hub.auth.api_key import joined_prefix
from integration_hub.auth.basic_auth import basic_value
from integration_hub.auth.custom.exchange_jwt import jwt_header, jwt_key, jwt_value
from integration_hub.auth.flow import AuthContext, Credentials, SecretKey
from integration_hub.model.http import HttpRequest

USERNAME_KEY: Final = "username"
PASSWORD_KEY: Final = "password"  # noqa: S105 - the default name of a key

FORM: Final = "form"
JSON: Final = "json"
QUERY: Final = "query"

Fields = Sequence[tuple[str, Any]]


class UnfitValueError(ValueError):
    """A value is not of the type that its field needs. The message names the field and never shows a value."""


class Body(NamedTuple):
    """Where a request has its fields."""

    query: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    content_type: str = ""


def exchange_keys(request: Mapping[str, Any]) -> Iterator[SecretKey]:
    """Yield the keys of the Secret that are sent, some perhaps several times."""
    basic = request.get("basic")
    if basic is not None:
        yield SecretKey(username_key(basic), "the user name that asks for tokens", public=True)
        yield SecretKey(password_key(basic), "the password that asks for tokens")
    if "jwt" in request:
        yield jwt_key(request["jwt"])
    for what in ("header", "field"):
        for entry in request.get(f"{what}s", ()):
            if "secretKey" in entry:
                yield SecretKey(
                    entry["secretKey"], f"what the token request has in the {what} {entry['name']}"
                )


def username_key(basic: Mapping[str, Any]) -> str:
    """Return the key of the user name."""
    return str(basic.get("usernameKey", USERNAME_KEY))


def password_key(basic: Mapping[str, Any]) -> str:
    """Return the key of the password."""
    return str(basic.get("passwordKey", PASSWORD_KEY))


def exchange_request(
    url: str, request: Mapping[str, Any], credentials: Credentials, context: AuthContext
) -> HttpRequest:
    """Return the request for a token.

    Raises:
        UnfitValueError: a text from the configuration is no number, or neither true nor false, where that is needed.

    """
    fields = [
        (entry["name"], _typed(entry, value)) for entry, value in _given(request, "fields", credentials)
    ]
    body = _PLACES[request.get("encoding", FORM)](fields) if fields else Body()
    headers = {"Accept": "application/json"}
    if body.content_type:
        headers["Content-Type"] = body.content_type
    basic = request.get("basic")
    if basic is not None:
        headers["Authorization"] = basic_value(
            credentials[username_key(basic)], credentials[password_key(basic)]
        )
    if "jwt" in request:
        headers[jwt_header(request["jwt"])] = jwt_value(request["jwt"], credentials, context)
    for entry, value in _given(request, "headers", credentials):
        # Of two spellings of one name the definition's counts: it knows what the system wants to Accept.
        headers = {name: held for name, held in headers.items() if name.lower() != entry["name"].lower()}
        headers[entry["name"]] = joined_prefix(entry.get("prefix", "")) + value
    method = request.get("method", "POST")
    return HttpRequest(method, url, headers, body.query, body.content, purpose="token")


def _given(
    request: Mapping[str, Any], group: str, credentials: Credentials
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield entries with their values. One whose text is empty once it is filled in has none, and is not sent."""
    for entry in request.get(group, ()):
        if "secretKey" in entry:
            yield entry, credentials[entry["secretKey"]]
        elif "value" in entry:
            yield entry, entry["value"]


# -- Fields ----------------------------------------------------------------------------------------


def _number(text: str) -> Any:
    number = orjson.loads(text)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError
    return number


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


_TYPES: Final[Mapping[str, tuple[Callable[[str], Any], str]]] = {
    "text": (str, "a text"),
    "number": (_number, "a number"),
    "boolean": (_boolean, "'true' or 'false'"),
}

TYPES: Final = tuple(_TYPES)


def _typed(entry: Mapping[str, Any], value: str) -> Any:
    read, words = _TYPES[entry.get("type", "text")]
    try:
        return read(value)
    except (ValueError, TypeError, KeyError):
        raise UnfitValueError(f"The field '{entry['name']}' of the token request must be {words}.") from None


def type_problem(entry: Mapping[str, Any]) -> str | None:
    """Return why a text that is fixed in the definition is not of the type that it says."""
    if "value" not in entry or "{{" in entry["value"]:
        return None
    try:
        _typed(entry, entry["value"])
    except UnfitValueError:
        return f"must be {_TYPES[entry['type']][1]}, as its type says"
    return None


def nesting_problem(names: Sequence[str]) -> str | None:
    """Return why names like 'a.b' and 'a.0' cannot be the places of one JSON document."""
    places = [tuple(name.split(".")) for name in names]
    for index, place in enumerate(places):
        if not all(place):
            return f"the name '{names[index]}' has nothing before, after or between its dots"
        for other in places[:index]:
            shorter = min(len(place), len(other))
            if place[:shorter] == other[:shorter]:
                return f"the names '{'.'.join(other)}' and '{names[index]}' are for the same place"
    return None


def _as_form(fields: Fields) -> Body:
    return Body(
        content=urlencode(_texts(fields)).encode("ascii"), content_type="application/x-www-form-urlencoded"
    )


def _as_query(fields: Fields) -> Body:
    return Body(query=tuple(_texts(fields)))


def _texts(fields: Fields) -> list[tuple[str, str]]:
    return [
        (name, value if isinstance(value, str) else orjson.dumps(value).decode()) for name, value in fields
    ]


def _as_json(fields: Fields) -> Body:
    document: dict[str, Any] = {}
    for name, value in fields:
        *groups, last = name.split(".")
        place = document
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    return Body(content=orjson.dumps(_with_lists(document)), content_type="application/json")


def _with_lists(value: Any) -> Any:
    """Return the document with a list wherever all names of a group are numbers, in their order."""
    if not isinstance(value, dict):
        return value
    if value and all(name.isdecimal() for name in value):
        return [_with_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _with_lists(below) for name, below in value.items()}


_PLACES: Final[Mapping[str, Callable[[Fields], Body]]] = {FORM: _as_form, JSON: _as_json, QUERY: _as_query}

ENCODINGS: Final = tuple(_PLACES)
