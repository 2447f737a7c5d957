"""Requests signed with a shared key (HMAC, RFC 2104), in the way that a definition describes.

The definition says what is signed, in `parts`, and where the signature goes, in `headers`. Both are texts with places
for what belongs to the request, so that nothing of an external system's recipe needs code of ours.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final, NamedTuple

from integration_hub.auth.api_key import (
    HEADER_VALUE,
    HEADER_VALUE_REFUSED,
    KEY_NAME_PATTERN,
    NAME_SETTING,
    PREFIX_SETTING,
    header_name_problems,
    in_header,
    joined_prefix,
)
from integration_hub.auth.custom.placeholders import Placeholder, filled, placeholders_in
from integration_hub.auth.custom.sent_form import (
    NEVER_AS_GIVEN,
    SentForm,
    body_digest,
    sent_form,
    sorted_query,
)
from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.config.values import choices, did_you_mean
from integration_hub.model.http import HttpRequest

_DEFAULT_KEY: Final = "signingKey"
_DEFAULT_KEY_ID: Final = "keyId"
_MAX_PARTS: Final = 20
_MAX_HEADERS: Final = 10
_NONCE_BYTES: Final = 16

_ENCODINGS: Final[Mapping[str, Callable[[bytes], str]]] = {
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


_KEY_ENCODINGS: Final[Mapping[str, tuple[Callable[[str], bytes], str]]] = {
    "text": (str.encode, "text"),
    "base64": (lambda text: base64.b64decode(text, validate=True), "base64"),
    "base64url": (_from_base64url, "base64 in its form for URLs"),
    "hex": (bytes.fromhex, "hexadecimal"),
}
"""From the Secret's text to the key's bytes, and what the text is called."""

_TIMESTAMPS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "unix": lambda now: str(int(now.timestamp())),
    "unixMillis": lambda now: str(int(now.timestamp() * 1000)),
    "iso8601": lambda now: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso8601Millis": lambda now: f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z",
    "iso8601Basic": lambda now: now.strftime("%Y%m%dT%H%M%SZ"),
    "rfc7231": lambda now: format_datetime(now, usegmt=True),
    "rfc2822": lambda now: format_datetime(now.replace(tzinfo=None)),
}

_NONCES: Final[Mapping[str, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "uuid": lambda data: str(uuid.UUID(bytes=data, version=4)),
}

_HASHES: Final = ("sha256", "sha384", "sha512", "sha1")


class _Signing(NamedTuple):
    """What a place is filled from."""

    settings: Mapping[str, Any]
    credentials: Credentials
    request: HttpRequest
    form: SentForm
    timestamp: str
    nonce: str
    signature: str = ""


_IN_PARTS: Final[Mapping[str, Callable[[_Signing, str], str | bytes | None]]] = {
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
    "keyId": lambda of, _: of.credentials.get(_key_id_key(of.settings)),
    "secret": lambda of, key: of.credentials.get(key),
}
"""Places in `parts`, by name."""

_IN_HEADERS: Final[Mapping[str, Callable[[_Signing, str], str | bytes | None]]] = {
    name: _IN_PARTS[name] for name in ("timestamp", "nonce", "bodyHash", "keyId", "secret")
} | {"signature": lambda of, _: of.signature}
"""Places in `headers[].value`: what fits into a header, and the signature itself."""

_WITH_ARGUMENT: Final[Mapping[str, str]] = {"header": "{header:Content-Type}", "secret": "{secret:apiKey}"}
"""Places that need something after a ':', with an example."""

_SERVES: Final[Mapping[str, str]] = {
    "timestampFormat": "timestamp",
    "nonceFormat": "nonce",
    "bodyHashAlgorithm": "bodyHash",
    "bodyHashEncoding": "bodyHash",
    "keyIdKey": "keyId",
}
"""Settings that mean nothing without a place, and the place."""


class Hmac:
    """The scheme `hmac`."""

    type = "hmac"
    title = "Requests signed with a shared key (HMAC)"
    templates: Mapping[str, Place] = {
        "parts[]": Place.TEXT,
        "headers[].value": Place.HEADER,
    }
    settings_schema: Mapping[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["parts", "headers"],
        "properties": {
            "algorithm": {
                "enum": list(_HASHES),
                "description": "The hash function below the HMAC. Default: sha256.",
            },
            "allowSha1": {
                "type": "boolean",
                "description": "Must be true for 'algorithm: sha1': says that the external system offers nothing"
                " better.",
            },
            "secretKey": {
                "type": "string",
                "pattern": KEY_NAME_PATTERN,
                "description": f"Key in the Secret that holds the signing key. Default: {_DEFAULT_KEY}.",
            },
            "keyEncoding": {
                "enum": list(_KEY_ENCODINGS),
                "description": "How the signing key is written in the Secret. Default: text, whose UTF-8 is the key.",
            },
            "keyIdKey": {
                "type": "string",
                "pattern": KEY_NAME_PATTERN,
                "description": "Key in the Secret that holds the public name of the signing key, for"
                f" '{{keyId}}'. Default: {_DEFAULT_KEY_ID}.",
            },
            "parts": {
                "type": "array",
                "minItems": 1,
                "maxItems": _MAX_PARTS,
                "description": "What is signed: texts with places like '{method}', in order.",
                "items": {"type": "string", "pattern": "^[^\\x00]{1,1000}$"},
            },
            "separator": {
                "type": "string",
                "maxLength": 10,
                "description": "What stands between the parts. Default: a line break.",
            },
            "encoding": {
                "enum": list(_ENCODINGS),
                "description": "How the signature is written. Default: hex.",
            },
            "headers": {
                "type": "array",
                "minItems": 1,
                "maxItems": _MAX_HEADERS,
                "description": "The headers that are added, at least one of them with '{signature}'.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "value"],
                    "properties": {
                        "name": {**NAME_SETTING, "description": "Name of the header, like 'X-Signature'."},
                        "value": {
                            "type": "string",
                            "pattern": "^[ -~]{1,1000}$",
                            "description": "Text with places like '{signature}' and '{timestamp}'.",
                        },
                        "valueEncoding": {
                            "enum": ["base64"],
                            "description": "'base64' writes the whole value so, as HTTP Basic wants it.",
                        },
                        "prefix": {
                            **PREFIX_SETTING,
                            "description": "What stands before a value with 'valueEncoding', like 'Basic'.",
                        },
                    },
                },
            },
            "timestampFormat": {
                "enum": list(_TIMESTAMPS),
                "description": "How '{timestamp}' is written. Default: unix, whole seconds since 1970.",
            },
            "nonceFormat": {
                "enum": list(_NONCES),
                "description": "How '{nonce}' is written, 16 random bytes. Default: hex.",
            },
            "bodyHashAlgorithm": {
                "enum": list(_HASHES[:3]),
                "description": "The hash function of '{bodyHash}'. Default: sha256.",
            },
            "bodyHashEncoding": {
                "enum": list(_ENCODINGS),
                "description": "How '{bodyHash}' is written. Default: hex.",
            },
        },
    }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say what the schema cannot: places that are none, settings that need or exclude each other."""
        found = [(path, message) for path, holds, message in _RULES if holds(settings)]
        found += header_name_problems([entry["name"] for entry in settings["headers"]])
        for path, text, known in _texts(settings):
            found += (
                (path, problem) for place in placeholders_in(text) if (problem := _problem(place, known))
            )
        found += (
            (f"headers[{index}].prefix", "has a meaning only with 'valueEncoding'; put it into 'value'")
            for index, entry in enumerate(settings["headers"])
            if "prefix" in entry and "valueEncoding" not in entry
        )
        found += (
            (setting, f"has no use: neither parts nor headers have '{{{name}}}'")
            for setting, name in _SERVES.items()
            if setting in settings and name not in _names(settings)
        )
        return found

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return the signing key, and what else of the Secret has a place."""
        key_id = SecretKey(_key_id_key(settings), "the signing key's public name", public=True)
        others = (
            SecretKey(key, "what is sent or signed besides")
            for name, key in _used(settings)
            if name == "secret" and key not in {key_id.name, _signing_key_key(settings)}
        )
        return (
            SecretKey(_signing_key_key(settings), "the key that requests are signed with"),
            *([key_id] if "keyId" in _names(settings) else []),
            *others,
        )

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse a signing key that is not written as the definition says, and what a header cannot carry."""
        name = _signing_key_key(settings)
        if _key_bytes(settings, credentials) is None:
            words = _KEY_ENCODINGS[settings["keyEncoding"]][1]
            return f"The value of the key '{name}' is not {words}, which the definition expects."
        for key in _keys_in_headers(settings):
            if not HEADER_VALUE.fullmatch(credentials[key]):
                return f"The value of the key '{key}' contains {HEADER_VALUE_REFUSED}."
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
        """Yield the request with its signature. Clock and randomness are asked once for each request."""
        signing = _Signing(
            settings,
            credentials,
            request,
            sent_form(request),
            timestamp=_TIMESTAMPS[settings.get("timestampFormat", "unix")](context.now.astimezone(UTC)),
            nonce=_nonce(settings, context),
        )
        signing = signing._replace(signature=_signature(signing))
        for entry in settings["headers"]:
            if value := _filled(entry.get("value", ""), _IN_HEADERS, signing):
                encode = _ENCODINGS[entry["valueEncoding"]] if "valueEncoding" in entry else bytes.decode
                request = in_header(
                    request, entry["name"], joined_prefix(entry.get("prefix", "")) + encode(value)
                )
        yield request

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """None: a signing key does not say when it ends."""
        return None

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return each key under the name that it has in the Secret."""
        return dict(credentials)


def string_to_sign(signing: _Signing) -> bytes:
    """Return what the signature is made over."""
    separator: str = signing.settings.get("separator", "\n")
    return separator.encode().join(_filled(part, _IN_PARTS, signing) for part in signing.settings["parts"])


def _signature(signing: _Signing) -> str:
    key = _key_bytes(signing.settings, signing.credentials) or b""
    digest = hmac.digest(key, string_to_sign(signing), signing.settings.get("algorithm", "sha256"))
    return _ENCODINGS[signing.settings.get("encoding", "hex")](digest)


def _nonce(settings: Mapping[str, Any], context: AuthContext) -> str:
    """Return a nonce where one has a place: who needs no randomness need not be handed any."""
    if "nonce" not in _names(settings):
        return ""
    return _NONCES[settings.get("nonceFormat", "hex")](context.random(_NONCE_BYTES))


def _filled(
    text: str, known: Mapping[str, Callable[[_Signing, str], str | bytes | None]], signing: _Signing
) -> bytes:
    def value(place: Placeholder) -> bytes | None:
        found = known[place.name](signing, place.argument) if place.name in known else None
        return found.encode() if isinstance(found, str) else found

    return filled(text, value)


def _header(request: HttpRequest, name: str) -> str:
    return next((value for key, value in request.headers.items() if key.lower() == name.lower()), "")


def _body_hash(of: _Signing) -> str:
    digest = body_digest(of.request, of.settings.get("bodyHashAlgorithm", "sha256"))
    return _ENCODINGS[of.settings.get("bodyHashEncoding", "hex")](digest)


def _signing_key_key(settings: Mapping[str, Any]) -> str:
    return str(settings.get("secretKey", _DEFAULT_KEY))


def _key_id_key(settings: Mapping[str, Any]) -> str:
    return str(settings.get("keyIdKey", _DEFAULT_KEY_ID))


def _key_bytes(settings: Mapping[str, Any], credentials: Credentials) -> bytes | None:
    """Return the signing key, None where it is not written as the definition says."""
    decode, _ = _KEY_ENCODINGS[settings.get("keyEncoding", "text")]
    try:
        return decode(credentials[_signing_key_key(settings)]) or None
    except (binascii.Error, ValueError):
        return None


def _texts(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield path, text, and the places that it may have."""
    for index, part in enumerate(settings["parts"]):
        yield f"parts[{index}]", part, _IN_PARTS
    for index, entry in enumerate(settings["headers"]):
        yield f"headers[{index}].value", entry.get("value", ""), _IN_HEADERS


def _used(settings: Mapping[str, Any]) -> list[Placeholder]:
    """Return the places of all texts, each once."""
    return list(dict.fromkeys(place for _, text, _ in _texts(settings) for place in placeholders_in(text)))


def _names(settings: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, _ in _used(settings))


def _keys_in_headers(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the Secret whose values stand in headers as they are."""
    for entry in settings["headers"]:
        for name, argument in placeholders_in(entry.get("value", "")) if "valueEncoding" not in entry else ():
            if name in {"keyId", "secret"}:
                yield argument or _key_id_key(settings)


def _problem(place: Placeholder, known: Mapping[str, Any]) -> str | None:
    return next((message(place, known) for holds, message in _PLACE_RULES if holds(place, known)), None)


_SHA1: Final = (
    "is a hash function that new systems do not use; choose another if the external system offers one, else add"
    " 'allowSha1: true' to say that this is on purpose"
)

_RULES: Final[tuple[tuple[str, Callable[[Mapping[str, Any]], bool], str], ...]] = (
    ("algorithm", lambda of: of.get("algorithm") == "sha1" and of.get("allowSha1") is not True, _SHA1),
    (
        "allowSha1",
        lambda of: "allowSha1" in of and of.get("algorithm") != "sha1",
        "has a meaning only with 'algorithm: sha1'",
    ),
    (
        "headers",
        lambda of: "signature" not in _names(of),
        "has no '{signature}', so nothing proves who asks",
    ),
    (
        "keyIdKey",
        lambda of: "keyId" in _names(of) and _key_id_key(of) == _signing_key_key(of),
        "is the key of the signing key, too; each needs a key of its own",
    ),
    (
        "secretKey",
        lambda of: Placeholder("secret", _signing_key_key(of)) in _used(of),
        "is the signing key, which signs and never goes anywhere itself: '{secret:...}' cannot name it",
    ),
)
"""(path, what is wrong, message)."""

_PLACE_RULES: Final[
    tuple[
        tuple[
            Callable[[Placeholder, Mapping[str, Any]], bool], Callable[[Placeholder, Mapping[str, Any]], str]
        ],
        ...,
    ]
] = (
    (
        lambda place, known: place.name == "signature" and place.name not in known,
        lambda *_: "cannot have '{signature}', which is made of the parts",
    ),
    (
        lambda place, known: place.name in _IN_PARTS and place.name not in known,
        lambda place, _: f"cannot have '{place}' in a header; only in parts",
    ),
    (
        lambda place, known: place.name not in known,
        lambda place, known: (
            f"has '{{{place.name}}}', which is nothing that can be filled in"
            f"{did_you_mean(place.name, known)}; known: {choices(sorted(known))}"
        ),
    ),
    (
        lambda place, _: place.name in _WITH_ARGUMENT and not place.argument,
        lambda place, _: f"has '{place}', which needs a name, like '{_WITH_ARGUMENT[place.name]}'",
    ),
    (
        lambda place, _: place.name not in _WITH_ARGUMENT and bool(place.argument),
        lambda place, _: f"has '{place}', and '{place.name}' takes nothing after a ':'",
    ),
    (
        lambda place, _: place.name == "header" and place.argument.lower() in NEVER_AS_GIVEN,
        lambda place, _: (
            f"has '{place}', a header that is not sent as it is given"
            + ("; use '{host}'" if place.argument.lower() == "host" else "")
        ),
    ),
)
"""(what is wrong, message): the first that holds is reported."""
