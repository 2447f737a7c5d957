"""Driving the steps of `oauth2` with plain answers: what was asked, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import settings_violations
from integration_hub.auth.oauth2 import OAuth2
from integration_hub.auth.templates import render_settings
from integration_hub.auth.tokens import Steps
from integration_hub.model.http import HttpRequest, HttpResponse

METHOD = OAuth2()
T = TypeVar("T")


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_PEM, EC_PEM = pem(RSA_KEY), pem(EC_KEY)

SECRET = {
    "clientId": "id",
    "clientSecret": "s3cret-of-client",
    "refreshToken": "r-of-secret",
    "privateKey": RSA_PEM,
}


def accepted(settings: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings as a step is handed them: without problems, and rendered."""
    assert settings_violations("oauth2", settings) == []
    return dict(render_settings(METHOD, settings, config or {}))


def credentials_of(settings: Mapping[str, Any], values: Mapping[str, str] = SECRET) -> Credentials:
    keys = METHOD.secret_keys(settings)
    found = Credentials(
        {key.name: values[key.name] for key in keys},
        public=frozenset(key.name for key in keys if key.public),
    )
    assert METHOD.credential_problem(settings, found) is None
    return found


def answer(document: Any, status: int = 200, content_type: str = "application/json") -> HttpResponse:
    body = document if isinstance(document, str) else json.dumps(document)
    return HttpResponse(status, {"content-type": content_type}, body.encode())


def driven(steps: Steps[T], answers: Sequence[HttpResponse] = ()) -> tuple[list[HttpRequest], T]:
    """Give the answers in turn; all are needed, and no more."""
    sent: list[HttpRequest] = []
    left = list(answers)
    try:
        sent.append(next(steps))
        while True:
            sent.append(steps.send(left.pop(0)))
    except StopIteration as end:
        assert not left, "not every answer was asked for"
        result: T = end.value
        return sent, result


def form(request: HttpRequest) -> dict[str, str]:
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl((request.body or b"").decode(), keep_blank_values=True, strict_parsing=True))


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True))
