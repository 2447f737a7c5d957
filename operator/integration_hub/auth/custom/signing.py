"""How a request is signed with a shared key: what its places are filled with, and the signature over its parts.

Tables first: every way in which a key, a time or a signature is written is one row.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final, NamedTuple

from integration_hub.auth.api_key import joined_prefix
from integration_hub.auth.custom.placeholders import Placeholder, filled, placeholders_in
from integration_hub.auth.custom.sent_form import SentForm, body_digest, sent_form, sorted_query
from integration_hub.auth.flow import AuthContext, Credentials
from integration_hub.model.http import HttpRequest

DEFAULT_KEY: Final = "signingKey"
DEFAULT_KEY_ID: Final = "keyId"
_NONCE_BYTES: Final = 16

ENCODINGS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "hexUpper": lambda data: data.hex().upper(),
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64url": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
}


def _from_base64url(text: str) -> bytes:
    """Return the bytes of base64 in its form for URLs (RFC 4648 section 5), whose '=' at the end may be left out."""
    if set(text) & {"+", "/"}:
        raise ValueError("base64 in its other form")
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), b"-_", validate=True)


KEY_ENCODINGS: Final[Mapping[str, tuple[Callable[[str], bytes], str]]] = {
    "text": (str.encode, "text"),
    "base64": (lambda text: base64.b64decode(text, validate=True), "base64"),
    "base64url": (_from_base64url, "base64 in its form for URLs"),
    "hex": (bytes.fromhex, "hexadecimal"),
}
"""From the Secret's text to the key's bytes, and what the text is called."""

TIMESTAMPS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "unix": lambda now: str(int(now.timestamp())),
    "unixMillis": lambda now: str(int(now.timestamp() * 1000)),
    "iso8601": lambda now: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso8601Millis": lambda now: f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z",
    "iso8601Basic": lambda now: now.strftime("%Y%m%dT%H%M%SZ"),
    "rfc7231": lambda now: format_datetime(now, usegmt=True),
    "rfc2822": lambda now: format_datetime(now.replace(tzinfo=None)),
}

NONCES: Final[Mapping[str, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "uuid": lambda data: str(uuid.UUID(bytes=data, version=4)),
}

HASHES: Final = ("sha256", "sha384", "sha512", "sha1")


class Signing(NamedTuple):
    """One request that is signed: what its places are filled from."""

    settings: Mapping[str, Any]
    credentials: Credentials
    request: HttpRequest
    form: SentForm
    timestamp: str
    nonce: str
    signature: str = ""


def _other_secret(of: Signing, key: str) -> str | None:
    # A configuration could name the signing key, too, where no check of the definition sees it.
    return None if key == signing_key_name(of.settings) else of.credentials.get(key)


IN_PARTS: Final[Mapping[str, Callable[[Signing, str], str | bytes | None]]] = {
    "method": lambda of, _: of.form.method,
    "scheme": lambda of, _: of.form.scheme,
    "host": lambda of, _: of.form.host,
    "path": lambda of, _: of.form.path,
    "query": lambda of, _: sorted_query(of.form.query),
    "rawQuery": lambda of, _: of.form.query,
    "pathAndQuery": lambda of, _: of.form.target,
    "body": lambda of, _: of.request.body or b"",
    "header": lambda of, name: _header(of.request, name),
    "timestamp": lambda of, _: of.timestamp,
    "nonce": lambda of, _: of.nonce,
    "bodyHash": lambda of, _: _body_hash(of),
    "keyId": lambda of, _: of.credentials.get(key_id_name(of.settings)),
    "secret": _other_secret,
}
"""Places in `parts`, by name."""

IN_HEADERS: Final[Mapping[str, Callable[[Signing, str], str | bytes | None]]] = {
    name: IN_PARTS[name] for name in ("timestamp", "nonce", "bodyHash", "keyId", "secret")
} | {"signature": lambda of, _: of.signature}
"""Places in `headers[].value`: what fits into a header, and the signature itself."""


def _string_to_sign(signing: Signing) -> bytes:
    separator: str = signing.settings.get("separator", "\n")
    return separator.encode().join(_filled(part, IN_PARTS, signing) for part in signing.settings["parts"])


def _signature(signing: Signing) -> str:
    key = key_bytes(signing.settings, signing.credentials) or b""
    digest = hmac.digest(key, _string_to_sign(signing), signing.settings.get("algorithm", "sha256"))
    return ENCODINGS[signing.settings.get("encoding", "hex")](digest)


def signing_of(
    settings: Mapping[str, Any], credentials: Credentials, request: HttpRequest, context: AuthContext
) -> Signing:
    """Return the request with all that its places are filled from. Clock and randomness are asked once."""
    signing = Signing(
        settings,
        credentials,
        request,
        sent_form(request),
        timestamp=TIMESTAMPS[settings.get("timestampFormat", "unix")](context.now),
        nonce=_nonce(settings, context),
    )
    return signing._replace(signature=_signature(signing))


def header_value(signing: Signing, entry: Mapping[str, Any]) -> str:
    """Return what an entry of `headers` is sent as; '' for one that is not sent."""
    value = _filled(entry.get("value", ""), IN_HEADERS, signing)
    if not value or "valueEncoding" not in entry:
        return value.decode()
    return joined_prefix(entry.get("prefix", "")) + ENCODINGS[entry["valueEncoding"]](value)


def _nonce(settings: Mapping[str, Any], context: AuthContext) -> str:
    """Return a nonce where one has a place: who needs no randomness need not be handed any."""
    if "nonce" not in names_used(settings):
        return ""
    return NONCES[settings.get("nonceFormat", "hex")](context.random(_NONCE_BYTES))


def _filled(
    text: str, known: Mapping[str, Callable[[Signing, str], str | bytes | None]], signing: Signing
) -> bytes:
    def value(place: Placeholder) -> bytes | None:
        found = known[place.name](signing, place.argument) if place.name in known else None
        return found.encode() if isinstance(found, str) else found

    return filled(text, value)


def _header(request: HttpRequest, name: str) -> str:
    return next((value for key, value in request.headers.items() if key.lower() == name.lower()), "")


def _body_hash(of: Signing) -> str:
    digest = body_digest(of.request, of.settings.get("bodyHashAlgorithm", "sha256"))
    return ENCODINGS[of.settings.get("bodyHashEncoding", "hex")](digest)


def signing_key_name(settings: Mapping[str, Any]) -> str:
    """Return the key in the Secret that holds the signing key."""
    return str(settings.get("secretKey", DEFAULT_KEY))


def key_id_name(settings: Mapping[str, Any]) -> str:
    """Return the key in the Secret that holds the signing key's public name."""
    return str(settings.get("keyIdKey", DEFAULT_KEY_ID))


def key_bytes(settings: Mapping[str, Any], credentials: Credentials) -> bytes | None:
    """Return the signing key, None where it is not written as the definition says."""
    decode, _ = KEY_ENCODINGS[settings.get("keyEncoding", "text")]
    try:
        return decode(credentials[signing_key_name(settings)]) or None
    except (binascii.Error, ValueError):
        return None


def texts(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield path, text, and the places that it may have."""
    for index, part in enumerate(settings["parts"]):
        yield f"parts[{index}]", part, IN_PARTS
    for index, entry in enumerate(settings["headers"]):
        yield f"headers[{index}].value", entry.get("value", ""), IN_HEADERS


def used(settings: Mapping[str, Any]) -> list[Placeholder]:
    """Return the places of all texts, each once."""
    return list(dict.fromkeys(place for _, text, _ in texts(settings) for place in placeholders_in(text)))


def names_used(settings: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of all places."""
    return frozenset(name for name, _ in used(settings))


def keys_in_headers(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the Secret whose values stand in headers as they are."""
    for entry in settings["headers"]:
        for name, argument in placeholders_in(entry.get("value", "")) if "valueEncoding" not in entry else ():
            if name in {"keyId", "secret"}:
                yield argument or key_id_name(settings)
