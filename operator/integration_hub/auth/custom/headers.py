"""Several headers that only together say who asks: fixed texts, texts from the configuration, and keys of the Secret.

Where every header is a key of the Secret, `apiKey` with `headers` does; this is for those that mix.
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
    PREFIX_TWICE,
    has_prefix_twice,
    header_name_problems,
    in_header,
    joined_prefix,
)
from integration_hub.auth.ends import earliest_end
from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.auth.schemas import KEY_NAME, ascii_line
from integration_hub.model.http import HttpRequest

_MAX_HEADERS: Final = 10


class Headers:
    """The scheme `headers`."""

    type = "headers"
    title = "Several headers, of fixed texts and keys of the Secret"
    templates: Mapping[str, Place] = {"headers[].value": Place.HEADER}
    settings_schema: Mapping[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["headers"],
        "properties": {
            "headers": {
                "type": "array",
                "minItems": 1,
                "maxItems": _MAX_HEADERS,
                "description": "The headers, each with a text or a key of the Secret.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {
                        "name": {**NAME_SETTING, "description": "Name of the header, like 'X-Client-Id'."},
                        "value": {
                            **ascii_line(1000),
                            "description": "Text that is no secret; '{{ config.x }}' may stand in it. Where"
                            " it is empty once that is filled in, the header is not sent.",
                        },
                        "secretKey": {
                            **KEY_NAME,
                            "description": "Key in the Secret that holds the header's value.",
                        },
                        "prefix": PREFIX_SETTING,
                    },
                },
            },
        },
    }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say what the schema cannot: each header has one source, no name comes twice, and something is secret."""
        entries = settings["headers"]
        found = header_name_problems([entry["name"] for entry in entries])
        for index, entry in enumerate(entries):
            path = f"headers[{index}]"
            if ("value" in entry) == ("secretKey" in entry):
                found.append(
                    (path, "must have one of 'value' (a text) and 'secretKey' (a key of the Secret)")
                )
            elif "prefix" in entry and "value" in entry:
                found.append(
                    (f"{path}.prefix", "stands before a key of the Secret; put it into 'value' here")
                )
        if not any("secretKey" in entry for entry in entries):
            found.append(
                ("headers", "has no entry with 'secretKey', so nothing is secret; let the Secret have one")
            )
        return found

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return one required key for each distinct key that is sent."""
        names = {
            entry["secretKey"]: entry["name"]
            for entry in reversed(settings["headers"])
            if "secretKey" in entry
        }
        return tuple(
            SecretKey(key, f"what is sent in the header {name}") for key, name in reversed(names.items())
        )

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse characters that a header cannot carry."""
        for entry in settings["headers"]:
            key = entry.get("secretKey")
            if key is not None and has_prefix_twice(joined_prefix(entry.get("prefix", "")), credentials[key]):
                return f"The value of the key '{key}' {PREFIX_TWICE}."
        for name, value in credentials.items():
            if HEADER_VALUE.fullmatch(value) is None:
                return f"The value of the key '{name}' contains {HEADER_VALUE_REFUSED}."
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
        """Yield the request with every header. One that is there already is replaced."""
        for entry in settings["headers"]:
            if "secretKey" in entry:
                value = joined_prefix(entry.get("prefix", "")) + credentials[entry["secretKey"]]
                request = in_header(request, entry["name"], value)
            elif "value" in entry:
                request = in_header(request, entry["name"], entry["value"])
        yield request

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return each key under the name that it has in the Secret."""
        return dict(credentials)

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return when the first of the keys ends that is a JSON Web Token and says so."""
        return earliest_end(credentials.values())
