"""AWS Signature Version 4, in headers: for AWS itself and for all that speaks S3.

The steps have the names of AWS's own description ("Create a signed AWS API request", IAM User Guide), so that each can
be compared with it: canonical request, string to sign, signing key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlsplit

from integration_hub.auth.api_key import HEADER_VALUE, HEADER_VALUE_REFUSED, in_header
from integration_hub.auth.custom.sent_form import (
    NEVER_AS_GIVEN,
    SentForm,
    body_digest,
    encoded,
    sent_form,
    sorted_query,
)
from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.auth.schemas import KEY_NAME, ascii_line
from integration_hub.model.http import HttpRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
DEFAULT_REGION: Final = "us-east-1"
"""Where AWS's global services are signed for, and what most servers that speak S3 call themselves."""

_S3: Final = frozenset({"s3", "s3-outposts", "s3-object-lambda"})
"""Services whose paths are keys of objects: encoded once, and never normalised."""
_WITH_BODY_HASH: Final = _S3 | {"aoss"}
"""Services that want the body's hash in a header of its own; to the others its place in the signature is enough."""

_NOT_SIGNED: Final = NEVER_AS_GIVEN | {"authorization", "x-amzn-trace-id"}

_TEXT: Final = ascii_line(200)
_ACCESS_KEY_ID: Final = re.compile(r"[!-+\--<>-~]+")
"""Visible ASCII without ',' and '=', which end it in the Authorization header."""
_AWS_KEY_ID: Final = re.compile(r"(AKIA|ASIA)[A-Z2-7]{16}")
_TEMPORARY: Final = "ASIA"


@dataclass(frozen=True, slots=True, repr=False)
class AccessKey:
    """What signs. No repr shows it."""

    id: str
    secret: str
    session_token: str | None = None
    """Temporary credentials are of no use without."""

    def __repr__(self) -> str:
        """Show nothing."""
        return "AccessKey()"


class AwsSigV4:
    """The scheme `awsSigV4`."""

    type = "awsSigV4"
    title = "AWS Signature Version 4"
    templates: Mapping[str, Place] = {"region": Place.HEADER, "service": Place.HEADER}
    settings_schema: Mapping[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["service"],
        "properties": {
            "service": {
                **_TEXT,
                "description": "The service's name in signatures, like 's3', 'execute-api' or 'sts'.",
            },
            "region": {
                **_TEXT,
                "description": f"The region, like 'eu-central-1'. Default: {DEFAULT_REGION}.",
            },
            "accessKeyIdKey": {
                **KEY_NAME,
                "description": "Key in the Secret that holds the access key's ID. Default: accessKeyId.",
            },
            "secretAccessKeyKey": {
                **KEY_NAME,
                "description": "Key in the Secret that holds the secret access key. Default: secretAccessKey.",
            },
            "sessionTokenKey": {
                **KEY_NAME,
                "description": "Key in the Secret that holds the token of temporary credentials; it may be absent."
                " Default: sessionToken.",
            },
        },
    }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say that each value needs a key of its own."""
        names = [name for _, _, name in _keys(settings)]
        return [
            (setting, "is a key that another value has, too; each needs a key of its own")
            for number, (setting, _, name) in enumerate(_keys(settings))
            if name in names[:number]
        ]

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return the access key's two halves, and the token that temporary ones have."""
        access, secret, token = (name for _, _, name in _keys(settings))
        return (
            SecretKey(access, "the access key's ID", public=True),
            SecretKey(secret, "the secret access key"),
            SecretKey(token, "the session token of temporary credentials", required=False),
        )

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse what cannot be sent, the two halves in each other's place, and half of temporary credentials."""
        access, secret, token = (name for _, _, name in _keys(settings))
        if _AWS_KEY_ID.fullmatch(credentials[secret]):
            return (
                f"The value of the key '{secret}' is an access key's ID, not the secret that belongs to it."
            )
        if not _ACCESS_KEY_ID.fullmatch(credentials[access]):
            return f"The value of the key '{access}' contains characters that no access key's ID has."
        if token in credentials:
            if not HEADER_VALUE.fullmatch(credentials[token]):
                return f"The value of the key '{token}' contains {HEADER_VALUE_REFUSED}."
        elif _AWS_KEY_ID.fullmatch(credentials[access]) and credentials[access].startswith(_TEMPORARY):
            return (
                f"The value of the key '{access}' begins with '{_TEMPORARY}', which AWS gives to temporary"
                f" credentials, and these need their session token in the key '{token}'."
            )
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
        """Yield the request, signed for the moment of the context."""
        access, secret, token = (name for _, _, name in _keys(settings))
        key = AccessKey(credentials[access], credentials[secret], credentials.get(token))
        yield signed(request, key, _region(settings), settings.get("service", ""), context.now)

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """None: an access key does not say when it ends, and neither does a session token."""
        return None

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return the access key under the names that we give it, whatever the Secret calls them, and the region."""
        found = {ours: credentials[name] for _, ours, name in _keys(settings) if name in credentials}
        return found | {"region": _region(settings)}


def signed(request: HttpRequest, key: AccessKey, region: str, service: str, now: datetime) -> HttpRequest:
    """Return the request with its Authorization header, and the others that belong to a signature."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    digest = body_digest(request).hex()
    if service in _S3:
        request = _plainly_addressed(request)
    request = in_header(request, "X-Amz-Date", stamp)
    if service in _WITH_BODY_HASH:
        request = in_header(request, "X-Amz-Content-Sha256", digest)
    if key.session_token is not None:
        request = in_header(request, "X-Amz-Security-Token", key.session_token)
    form = sent_form(request)
    headers = signed_headers(request, form)
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = string_to_sign(canonical_request(form, headers, digest, service=service), stamp, scope)
    day_key = signing_key(key.secret, stamp[:8], region, service)
    signature = hmac.digest(day_key, text.encode(), "sha256").hex()
    return in_header(
        request,
        "Authorization",
        f"{ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={';'.join(headers)}, Signature={signature}",
    )


def signed_headers(request: HttpRequest, form: SentForm) -> dict[str, str]:
    """Return the headers that the signature covers, sorted: all that arrive as they are given."""
    found: dict[str, list[str]] = {"host": [form.host]}
    for name, value in request.headers.items():
        if name.lower() not in _NOT_SIGNED:
            found.setdefault(name.lower(), []).append(re.sub("[ \t]+", " ", value.strip(" \t")))
    return {name: ",".join(values) for name, values in sorted(found.items())}


def canonical_request(form: SentForm, headers: Mapping[str, str], digest: str, *, service: str) -> str:
    """Return what is signed, in the one spelling that both sides arrive at."""
    path = form.path if service in _S3 else encoded(_normalised(form.path), keep="/")
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    return "\n".join((form.method, path, sorted_query(form.query), lines, ";".join(headers), digest))


def string_to_sign(canonical: str, stamp: str, scope: str) -> str:
    """Return what the signing key is applied to."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}"


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """Return the key for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _plainly_addressed(request: HttpRequest) -> HttpRequest:
    """Return the request with its path in the one spelling that S3 signs, so that it is also what is sent.

    Some servers sign the path that they received and some the one that they would have written themselves.
    """
    path = sent_form(request).path
    plain = encoded(unquote_to_bytes(path), keep="/")
    if plain == path:
        return request
    return replace(request, url=urlsplit(request.url)._replace(path=plain).geturl())


def _normalised(path: str) -> str:
    """Return the path without '.' and '..' (RFC 3986 section 5.2.4) and, as AWS has it, without empty segments."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def _keys(settings: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return (setting, the name that we give, the name in the Secret) of access key ID, secret and token."""
    return tuple(
        (f"{name}Key", name, str(settings.get(f"{name}Key", name)))
        for name in ("accessKeyId", "secretAccessKey", "sessionToken")
    )


def _region(settings: Mapping[str, Any]) -> str:
    return str(settings.get("region", DEFAULT_REGION))
