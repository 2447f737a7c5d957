"""Token requests: parameters, proof of the client and further parameters, as a form or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from integration_hub.auth.oauth2.client_authentication import proof
from integration_hub.auth.oauth2.setup import Setup
from integration_hub.model.http import HttpRequest

Parameters = list[tuple[str, str]]

_ACCEPT: Final = {"Accept": "application/json"}
"""Without it GitHub answers with a form."""


def discovery_request(url: str) -> HttpRequest:
    """Return the request for an authorization server's metadata."""
    return HttpRequest("GET", url, _ACCEPT, purpose="token")


def token_request(
    setup: Setup, url: str, parameters: Parameters, further: Mapping[str, str], token_url: str = ""
) -> HttpRequest:
    """Return a request that is authenticated as the client. What is `further` goes before what has the same name."""
    headers, own = proof(setup, token_url or url)
    kept = [pair for pair in parameters if pair[0] not in further]
    content_type, body = _ENCODINGS[setup.settings.get("tokenRequestEncoding", "form")](
        [*kept, *further.items(), *own]
    )
    return HttpRequest(
        "POST", url, {**_ACCEPT, "Content-Type": content_type, **headers}, body=body, purpose="token"
    )


def _form(parameters: Parameters) -> tuple[str, bytes]:
    return "application/x-www-form-urlencoded", urlencode(parameters).encode("ascii")


def _json(parameters: Parameters) -> tuple[str, bytes]:
    return "application/json", orjson.dumps(_grouped(parameters))


def _grouped(parameters: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the parameters by name; one that comes several times as a list."""
    found: dict[str, list[str]] = {}
    for name, value in parameters:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


_ENCODINGS: Final = {"form": _form, "json": _json}
