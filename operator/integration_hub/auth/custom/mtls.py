"""A certificate of our own in the TLS handshake (RFC 8446 section 4.4.2). The request itself carries no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from integration_hub.auth.custom.certificate_pair import (
    CERTIFICATE_KEY,
    PRIVATE_KEY,
    pair_end,
    pair_pem,
    pair_problem,
)
from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.model.http import ClientCertificate, HttpRequest

_KEYS: Final = (
    SecretKey(
        CERTIFICATE_KEY,
        "the client's certificate, and below it those of the authorities that issued it, in PEM",
        public=True,
        multiline=True,
    ),
    SecretKey(PRIVATE_KEY, "the certificate's private key, in PEM and without a password", multiline=True),
)


class MutualTls:
    """The scheme `mtls`, with Secrets as cert-manager and kubectl make them.

    `ca.crt`, which cert-manager adds, is not read: whom we trust stands in the definition and the configuration.
    """

    type = "mtls"
    title = "Client certificate (mutual TLS)"
    templates: Mapping[str, Place] = {}
    settings_schema: Mapping[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return none: there is nothing to set."""
        return []

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        """Return the two keys that every such Secret has."""
        return _KEYS

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        """Refuse what no host can accept, whatever the time is."""
        return pair_problem(credentials[CERTIFICATE_KEY], credentials[PRIVATE_KEY])

    def secret_type(self, settings: Mapping[str, Any]) -> str | None:
        """Return the type for which the API server itself asks for both keys."""
        return "kubernetes.io/tls"

    def flow(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        request: HttpRequest,
        context: AuthContext,
    ) -> Flow:
        """Yield the request with the certificate that its connection is to be made with."""
        certificate, private_key = pair_pem(credentials[CERTIFICATE_KEY], credentials[PRIVATE_KEY])
        yield replace(request, client_certificate=ClientCertificate(certificate, private_key))

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        """Return both under the names of the Service Binding specification."""
        return {
            "certificates": credentials[CERTIFICATE_KEY],
            "private-key": credentials[PRIVATE_KEY],
        }

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        """Return when the first certificate of the chain ends."""
        return pair_end(credentials[CERTIFICATE_KEY])
