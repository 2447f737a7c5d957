"""The table of authentication methods, and the check of a definition's settings against it.

A new method is one file next to this one and one entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from integration_hub.auth.api_key import ApiKey
from integration_hub.auth.basic_auth import BasicAuth
from integration_hub.auth.custom.method import Custom
from integration_hub.auth.flow import AuthMethodType
from integration_hub.auth.oauth2 import OAuth2
from integration_hub.config.validation import schema_violations
from integration_hub.config.values import choices, did_you_mean
from integration_hub.config.violation import Violation

METHODS: Final[dict[str, AuthMethodType]] = {
    method.type: method for method in (ApiKey(), BasicAuth(), Custom(), OAuth2())
}


def settings_violations(type_: str, settings: Mapping[str, Any]) -> list[Violation]:
    """Return what is wrong with `authMethods[].settings`, sorted by path.

    Paths start with 'settings', or are 'type' when the type itself is unknown. What the method checks beyond
    its schema is looked at only when the schema holds, so a method can rely on the shape.
    """
    method = METHODS.get(type_)
    if method is None:
        return [
            Violation(
                "type",
                f"is not a known type{did_you_mean(type_, METHODS)}; known: {choices(sorted(METHODS))}",
            )
        ]
    found = schema_violations(method.settings_schema, settings, "settings")
    if not found:
        found = [
            Violation(f"settings{path}", message) for path, message in _rooted(method.problems(settings))
        ]
    return sorted(found, key=lambda violation: (violation.path, violation.message))


def _rooted(problems: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the problems with a '.' before paths that begin with a setting's name."""
    return [(path if not path or path.startswith("[") else f".{path}", message) for path, message in problems]
