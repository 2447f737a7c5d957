"""What is wrong in the settings of `bearer` that a schema cannot express."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from integration_hub.auth.addresses import address_problem
from integration_hub.auth.api_key import header_name_problems
from integration_hub.auth.custom.exchange_jwt import jwt_header, jwt_key, jwt_problems
from integration_hub.auth.custom.token_exchange import (
    FORM,
    JSON,
    QUERY,
    exchange_keys,
    nesting_problem,
    password_key,
    type_problem,
    username_key,
)
from integration_hub.auth.oauth2.placement import token_in_problems
from integration_hub.config.renderable import header_problem

Problem = tuple[str, str]

_TOKEN_PLACES: Final = ("accessToken", "header", "text")

_IN_URL: Final = (
    "would put a secret into the URL, where logs of proxies and servers keep it; use a header, basic, or fields in a"
    " body"
)


def bearer_problems(settings: Mapping[str, Any]) -> list[Problem]:
    """Return all of it: (path below the scheme's settings, message) pairs."""
    request = settings.get("request", {})
    return [
        *_of_url(settings),
        *_of_sources(request),
        *_of_headers(request),
        *_of_jwt(request),
        *_of_fields(request),
        *_of_secrecy(request),
        *_of_answer(settings.get("answer", {})),
        *token_in_problems(settings),
    ]


def _of_url(settings: Mapping[str, Any]) -> Iterator[Problem]:
    problem = address_problem(settings["tokenURL"], parameters="request.fields")
    if problem:
        yield "tokenURL", problem


def _of_sources(request: Mapping[str, Any]) -> Iterator[Problem]:
    for group in ("headers", "fields"):
        for index, entry in enumerate(request.get(group, ())):
            path = f"request.{group}[{index}]"
            if ("value" in entry) == ("secretKey" in entry):
                yield path, "must have one of 'value' (a text) and 'secretKey' (a key of the Secret)"
            elif "prefix" in entry and "value" in entry:
                yield f"{path}.prefix", "stands before a key of the Secret; put it into 'value' here"


def _of_headers(request: Mapping[str, Any]) -> Iterator[Problem]:
    headers = request.get("headers", ())
    for path, message in header_name_problems([entry["name"] for entry in headers]):
        yield f"request.{path}", message
    for index, entry in enumerate(headers):
        problem = header_problem(entry["value"]) if "value" in entry else None
        if problem:
            yield f"request.headers[{index}].value", problem
        if entry["name"].lower() == "authorization" and "basic" in request:
            yield (
                f"request.headers[{index}].name",
                "is the header that 'basic' is sent in; remove one of the two",
            )


def _of_jwt(request: Mapping[str, Any]) -> Iterator[Problem]:
    if "jwt" not in request:
        return
    for path, message in jwt_problems(request["jwt"]):
        yield f"request.jwt.{path}", message
    name = jwt_header(request["jwt"]).lower()
    others = {entry["name"].lower(): "'headers'" for entry in request.get("headers", ())}
    others |= {"authorization": "'basic'"} if "basic" in request else {}
    if name in others:
        yield "request.jwt.header", f"is a header that {others[name]} has, too; remove one of the two"
    key = jwt_key(request["jwt"]).name
    rest = {name: part for name, part in request.items() if name != "jwt"}
    if key in {other.name for other in exchange_keys(rest)}:
        yield (
            "request.jwt.privateKeyKey",
            "is the key of something else, too; each value needs a key of its own",
        )


def _of_fields(request: Mapping[str, Any]) -> Iterator[Problem]:
    fields, encoding = request.get("fields", ()), request.get("encoding", FORM)
    if not fields and "encoding" in request:
        yield "request.encoding", "has a meaning only with fields"
    if fields and encoding != QUERY and request.get("method") == "GET":
        yield "request.encoding", "must be query with GET, which has no body"
    for index, entry in enumerate(fields):
        path = f"request.fields[{index}]"
        if "secretKey" in entry and encoding == QUERY:
            yield f"{path}.secretKey", _IN_URL
        if "type" in entry and encoding != JSON:
            yield f"{path}.type", "has a meaning only with 'encoding: json'"
        problem = type_problem(entry) if encoding == JSON else None
        if problem:
            yield f"{path}.value", problem
    problem = nesting_problem([entry["name"] for entry in fields]) if encoding == JSON else None
    if problem:
        yield "request.fields", problem


def _of_secrecy(request: Mapping[str, Any]) -> Iterator[Problem]:
    basic = request.get("basic", {})
    if "basic" in request and username_key(basic) == password_key(basic):
        yield "request.basic.passwordKey", "is the key of the user name, too; each needs a key of its own"
    if not any(True for _ in exchange_keys(request)):
        yield (
            "request",
            "has no 'basic', no 'jwt' and no entry with 'secretKey', so nothing is secret; let the Secret have one",
        )


def _of_answer(answer: Mapping[str, Any]) -> Iterator[Problem]:
    first, *others = [name for name in _TOKEN_PLACES if name in answer] or [""]
    for other in others:
        yield f"answer.{other}", f"cannot stand next to '{first}': the token is in one place"
    if "expiresIn" in answer and "expiresAt" in answer:
        yield "answer.expiresAt", "cannot stand next to 'expiresIn'; remove one of the two"
    if answer.get("text"):
        for name in ("expiresIn", "expiresAt"):
            if name in answer:
                yield f"answer.{name}", "cannot be found where the whole answer is the token; use lifetime"
