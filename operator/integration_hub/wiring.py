"""Puts the engine together: what operator and command line share. The one place that picks the real parts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from integration_hub.adapters.budget import Limits
from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.kube import KubeClient
from integration_hub.adapters.kubeconfig import KubeConnection
from integration_hub.adapters.spool import Spool
from integration_hub.adapters.traffic import Traffic
from integration_hub.reconcile.inputs import Timing
from integration_hub.shell.binding import BindingKeeper
from integration_hub.shell.keyring_source import (
    DEFAULT_NAME,
    DEFAULT_NAMESPACE,
    FileKeyring,
    KeyringSource,
    SecretKeyring,
)
from integration_hub.shell.reconciler import Reconciler
from integration_hub.shell.revocation import Revoker
from integration_hub.shell.store import Store
from integration_hub.shell.vault import Vault


@dataclass(frozen=True)
class Engine:
    """The parts that reconcile, without what drives them."""

    store: Store
    kube: KubeClient
    http: HttpClient
    traffic: Traffic
    keyring: KeyringSource
    vault: Vault
    reconciler: Reconciler

    async def close(self) -> None:
        """Close all connections."""
        await self.traffic.close()
        await self.http.close()
        await self.kube.close()


@dataclass(frozen=True)
class Storage:
    """Where keys come from and where records wait."""

    keyring_secret: tuple[str, str] = (DEFAULT_NAMESPACE, DEFAULT_NAME)
    """Namespace and name."""
    keyring_files: Path | None = None
    """A folder with keys, in place of the Secret."""
    spool: Path | None = None
    """A folder in which sealed records wait for the API server."""


def build_engine(
    connection: KubeConnection,
    policy: EgressPolicy,
    timing: Timing,
    limits: Limits | None = None,
    storage: Storage | None = None,
) -> Engine:
    """Return an engine that opens no socket before its first use. `limits` are those of each external host."""
    store, kube, http = Store(), KubeClient(connection), HttpClient(policy)
    traffic = Traffic(http, limits or Limits())
    storage = storage or Storage()
    keyring: KeyringSource = (
        FileKeyring(storage.keyring_files)
        if storage.keyring_files is not None
        else SecretKeyring(kube, *storage.keyring_secret, secrets.token_bytes)
    )
    vault = Vault(kube, keyring, secrets.token_bytes, spool=Spool(storage.spool))
    revoker = Revoker(kube, traffic, vault, store)
    reconciler = Reconciler(
        store,
        kube,
        traffic,
        timing,
        vault=vault,
        binder=BindingKeeper(kube, keyring=None if storage.keyring_files else storage.keyring_secret),
        farewell=revoker,
    )
    revoker.outside = reconciler.outside
    return Engine(store, kube, http, traffic, keyring, vault, reconciler)
