"""What auth flows are handed in tests: a clock that stands and randomness that is none; and parts that keep tokens."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from integration_hub.adapters.kube import KubeClient
from integration_hub.auth.flow import AuthContext
from integration_hub.shell.binding import BindingKeeper
from integration_hub.shell.keyring_source import FileKeyring
from integration_hub.shell.vault import Vault

CONTEXT = AuthContext(
    now=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
    random=lambda size: bytes(number % 251 + 1 for number in range(size)),
    redirect_uri="https://hub.example.com/oauth/callback",
)


def parts(kube: object = None) -> dict[str, Any]:
    """Return the parts of a Reconciler that tests without tokens never come to."""
    client = cast("KubeClient", kube)
    return {
        "vault": Vault(client, FileKeyring(Path()), secrets.token_bytes),
        "binder": BindingKeeper(client),
    }
