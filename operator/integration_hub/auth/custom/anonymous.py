"""No credential at all, for systems that are open on purpose, like a metrics server within a network of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.model.http import HttpRequest


class Anonymous:
    """The scheme `anonymous`: requests are sent as they are, and no Secret is read."""

    type = "anonymous"
    title = "No credential"
    templates: Mapping[str, Place] = {}
    settings_schema: Mapping[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return none: there is nothing to set."""
        return []

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return none."""
        return ()

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Return none: nothing is sent."""
        return None

    def secret_type(self, settings: Mapping[str, Any]) -> str | None:
        """Any: no Secret is needed."""
        return None

    def flow(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        request: HttpRequest,
        context: AuthContext,
    ) -> Flow:
        """Yield the request as it is."""
        yield request

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return nothing: a workload needs the address alone."""
        return {}

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return none."""
        return None
