"""HTTP Basic authentication (RFC 7617): user name and password, or what systems put in their place."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.auth.schemas import KEY_NAME, one_line
from integration_hub.model.http import HttpRequest

_FIXED_TEXT: Final = one_line(200)


class BasicAuth:
    """The type `basicAuth`."""

    type = "basicAuth"
    title = "User name and password (HTTP Basic)"
    templates: Mapping[str, Place] = {}
    settings_schema: Mapping[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "username": {
                **_FIXED_TEXT,
                "description": "User name that is the same for everybody; then the Secret needs none.",
            },
            "usernameSuffix": {
                **_FIXED_TEXT,
                "description": "Text that is put after the Secret's user name, like Zendesk's '/token'.",
            },
            "usernameKey": {
                **KEY_NAME,
                "description": "Key in the Secret that holds the user name. Default: username.",
            },
            "password": {
                **_FIXED_TEXT,
                "description": "Password that is the same for everybody and therefore no secret: '' or 'x'"
                " for systems that take an API key as user name.",
            },
            "passwordKey": {
                **KEY_NAME,
                "description": "Key in the Secret that holds the password. Default: password.",
            },
            "passwordRequired": {
                "type": "boolean",
                "description": "Whether the Secret must have a password. Default: true. If false, an absent"
                " one is sent empty.",
            },
        },
    }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Say what the schema cannot: settings that contradict each other, and ':' in a user name."""
        found = [
            (other, f"has no use next to '{fixed}'; remove one of the two")
            for fixed, other in _EXCLUSIVE
            if fixed in settings and other in settings
        ]
        if "username" in settings and "password" in settings:
            found.append(
                ("password", "and username are both fixed, so nothing is secret; let the Secret have one")
            )
        elif _username_key(settings) == _password_key(settings):
            found.append(("passwordKey", "is the key of the user name, too; each needs a key of its own"))
        found += [(name, _COLON) for name in ("username", "usernameSuffix") if ":" in settings.get(name, "")]
        return found

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return the keys of what the definition does not fix."""
        has_password = "password" not in settings and settings.get("passwordRequired", True)
        # Where no password is needed the user name is the secret: Stripe's API key, for one.
        username = SecretKey(_username_key(settings), "the user name", public=has_password)
        password = SecretKey(_password_key(settings), "the password", required=has_password)
        return tuple(
            key for name, key in (("username", username), ("password", password)) if name not in settings
        )

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse a user name with ':': it would end the name there and shift the rest into the password."""
        if ":" in credentials.get(_username_key(settings), ""):
            return f"The value of the key '{_username_key(settings)}' is a user name, which {_COLON}."
        return None

    def secret_type(self, settings: Mapping[str, Any]) -> str | None:
        """Any: 'kubernetes.io/basic-auth' and 'Opaque' are both usual."""
        return None

    def flow(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        request: HttpRequest,
        context: AuthContext,
    ) -> Flow:
        """Yield the request with its Authorization header, from text as UTF-8 (RFC 7617 section 2.1)."""
        others = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
        yield replace(
            request, headers={**others, "Authorization": basic_value(*_pair(settings, credentials))}
        )

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return user name and password as they are sent."""
        username, password = _pair(settings, credentials)
        return {"username": username, "password": password}

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return None: no user name and no password says when it ends."""
        return None


def basic_value(username: str, password: str) -> str:
    """Return the value of an Authorization header (RFC 7617 section 2)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _username_key(settings: Mapping[str, Any]) -> str:
    return str(settings.get("usernameKey", "username"))


def _password_key(settings: Mapping[str, Any]) -> str:
    return str(settings.get("passwordKey", "password"))


def _pair(settings: Mapping[str, Any], credentials: Credentials) -> tuple[str, str]:
    username = settings.get("username")
    if username is None:
        username = credentials[_username_key(settings)] + settings.get("usernameSuffix", "")
    password = settings.get("password")
    if password is None:
        password = credentials.get(_password_key(settings), "")
    return username, password


_COLON: Final = "cannot contain ':' (RFC 7617 section 2)"

_EXCLUSIVE: Final = (
    ("username", "usernameKey"),
    ("username", "usernameSuffix"),
    ("password", "passwordKey"),
    ("password", "passwordRequired"),
)
"""(fixed, other): settings of which the second says where to get what the first already gives."""
