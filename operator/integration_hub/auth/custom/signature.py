"""Requests signed with a shared key (HMAC, RFC 2104), in the way that a definition describes.

The definition says what is signed, in `parts`, and where the signature goes, in `headers`. Both are texts with places
for what belongs to the request, so that nothing of an external system's recipe needs code of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from integration_hub.auth.api_key import (
    HEADER_VALUE,
    HEADER_VALUE_REFUSED,
    NAME_SETTING,
    PREFIX_SETTING,
    in_header,
)
from integration_hub.auth.custom.signature_problems import signature_problems
from integration_hub.auth.custom.signing import (
    DEFAULT_KEY,
    DEFAULT_KEY_ID,
    ENCODINGS,
    HASHES,
    KEY_ENCODINGS,
    NONCES,
    TIMESTAMPS,
    header_value,
    key_bytes,
    key_id_name,
    keys_in_headers,
    names_used,
    signing_key_name,
    signing_of,
    used,
)
from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.auth.schemas import KEY_NAME, ascii_line, text
from integration_hub.model.http import HttpRequest

_MAX_PARTS: Final = 20
_MAX_HEADERS: Final = 10


class Hmac:
    """The scheme `hmac`."""

    type = "hmac"
    title = "Requests signed with a shared key (HMAC)"
    templates: Mapping[str, Place] = {
        "parts[]": Place.SIGNED,
        "headers[].value": Place.SIGNED_HEADER,
    }
    settings_schema: Mapping[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["parts", "headers"],
        "properties": {
            "algorithm": {
                "enum": list(HASHES),
                "description": "The hash function below the HMAC. Default: sha256.",
            },
            "allowSha1": {
                "type": "boolean",
                "description": "Must be true for 'algorithm: sha1': says that the external system offers nothing"
                " better.",
            },
            "secretKey": {
                **KEY_NAME,
                "description": f"Key in the Secret that holds the signing key. Default: {DEFAULT_KEY}.",
            },
            "keyEncoding": {
                "enum": list(KEY_ENCODINGS),
                "description": "How the signing key is written in the Secret. Default: text, whose UTF-8 is the key.",
            },
            "keyIdKey": {
                **KEY_NAME,
                "description": "Key in the Secret that holds the public name of the signing key, for"
                f" '{{keyId}}'. Default: {DEFAULT_KEY_ID}.",
            },
            "parts": {
                "type": "array",
                "minItems": 1,
                "maxItems": _MAX_PARTS,
                "description": "What is signed: texts with places like '{method}', in order.",
                "items": text("^[^\\x00]{1,1000}$", "a text of 1 to 1000 characters"),
            },
            "separator": {
                "type": "string",
                "maxLength": 10,
                "description": "What stands between the parts. Default: a line break.",
            },
            "encoding": {
                "enum": list(ENCODINGS),
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
                            **ascii_line(1000),
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
                "enum": list(TIMESTAMPS),
                "description": "How '{timestamp}' is written. Default: unix, whole seconds since 1970.",
            },
            "nonceFormat": {
                "enum": list(NONCES),
                "description": "How '{nonce}' is written, 16 random bytes. Default: hex.",
            },
            "bodyHashAlgorithm": {
                "enum": list(HASHES[:3]),
                "description": "The hash function of '{bodyHash}'. Default: sha256.",
            },
            "bodyHashEncoding": {
                "enum": list(ENCODINGS),
                "description": "How '{bodyHash}' is written. Default: hex.",
            },
        },
    }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say what the schema cannot: places that are none, settings that need or exclude each other."""
        return signature_problems(settings)

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return the signing key, and what else of the Secret has a place."""
        key_id = SecretKey(key_id_name(settings), "the signing key's public name", public=True)
        others = (
            SecretKey(key, "what is sent or signed besides")
            for name, key in used(settings)
            if name == "secret" and key not in {key_id.name, signing_key_name(settings)}
        )
        return (
            SecretKey(signing_key_name(settings), "the key that requests are signed with"),
            *([key_id] if "keyId" in names_used(settings) else []),
            *others,
        )

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse a signing key that is not written as the definition says, and what a header cannot carry."""
        name = signing_key_name(settings)
        if key_bytes(settings, credentials) is None:
            words = KEY_ENCODINGS[settings["keyEncoding"]][1]
            return f"The value of the key '{name}' is not {words}, which the definition expects."
        for key in keys_in_headers(settings):
            if not HEADER_VALUE.fullmatch(credentials.get(key, " ")):
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
        """Yield the request with its signature."""
        signing = signing_of(settings, credentials, request, context)
        for entry in settings["headers"]:
            if value := header_value(signing, entry):
                request = in_header(request, entry["name"], value)
        yield request

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """None: a signing key does not say when it ends."""
        return None

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return each key under the name that it has in the Secret."""
        return dict(credentials)
