"""Puts the engine together: what operator and command line share. The one place that picks the real parts."""

from __future__ import annotations

from dataclasses import dataclass

from integration_hub.adapters.budget import Limits
from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.kube import KubeClient
from integration_hub.adapters.kubeconfig import KubeConnection
from integration_hub.adapters.traffic import Traffic
from integration_hub.reconcile.inputs import Timing
from integration_hub.shell.reconciler import Reconciler
from integration_hub.shell.store import Store


@dataclass(frozen=True)
class Engine:
    """The parts that reconcile, without what drives them."""

    store: Store
    kube: KubeClient
    http: HttpClient
    traffic: Traffic
    reconciler: Reconciler

    async def close(self) -> None:
        """Close all connections."""
        await self.traffic.close()
        await self.http.close()
        await self.kube.close()


def build_engine(
    connection: KubeConnection, policy: EgressPolicy, timing: Timing, limits: Limits | None = None
) -> Engine:
    """Return an engine that opens no socket before its first use. `limits` are those of each external host."""
    store, kube, http = Store(), KubeClient(connection), HttpClient(policy)
    traffic = Traffic(http, limits or Limits())
    return Engine(store, kube, http, traffic, Reconciler(store, kube, traffic, timing))
