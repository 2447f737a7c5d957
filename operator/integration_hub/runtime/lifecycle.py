"""Kopf's part: it runs the operator's life. It signals, starts and stops; and admission webhooks will be its too.

Watching is not its part any more, and its change handlers, timers, daemons and indexes never were: they write
annotations and finalizers to users' objects, or keep whole objects in memory (docs/decisions/0004).
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

import kopf

from integration_hub.adapters.kube import new_session
from integration_hub.adapters.kubeconfig import KubeConnection
from integration_hub.model.base import GROUP
from integration_hub.runtime.operator import CannotStartError, Operator, Options

GOODBYE_SECONDS = 0.25
"""For TLS connections to say goodbye. aiohttp closes them without waiting, and a loop that ends before can be busy."""


async def run(options: Options) -> None:
    """Run the operator until SIGINT or SIGTERM. Raise CannotStartError, or what kopf raises, where it cannot go on."""
    operator = Operator(options)
    settings = kopf.OperatorSettings()
    configure(settings, options)
    stop = asyncio.Event()
    failures: list[CannotStartError] = []
    try:
        await kopf.operator(
            registry=registry(operator, options.connection, stop, failures),
            settings=settings,
            standalone=True,
            clusterwide=True,
            stop_flag=stop,
        )
    except Exception:
        if failures:
            raise failures[0] from None
        raise
    finally:
        await asyncio.sleep(GOODBYE_SECONDS)


def configure(settings: kopf.OperatorSettings, options: Options) -> None:
    """Set everything that matters; each value has its reason."""
    settings.posting.enabled = False  # Events are posted by us, bounded
    settings.scanning.disabled = (
        True  # nothing is watched by kopf, so no CRDs or namespaces need watching either
    )
    settings.peering.standalone = True  # kopf's peering is no leader election
    settings.persistence.finalizer = (
        f"{GROUP}/unused"  # never added; should it ever be, not under kopf's name
    )
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = (
        1,
        1,
        2,
        3,
        5,
        8,
        *(15,) * 240,
    )  # an hour without an API server is survived
    settings.networking.enforce_retry_after = True
    settings.execution.max_workers = 1  # for synchronous handlers, of which there are none
    settings.process.ultimate_exiting_timeout = (
        options.grace_seconds + 20
    )  # below the pod's grace period of 60 s


def registry(
    operator: Operator, connection: KubeConnection, stop: asyncio.Event, failures: list[CannotStartError]
) -> kopf.OperatorRegistry:
    """Return kopf's registry with our few handlers. Ids are given: kopf's own are function names, which collide.

    What keeps the operator from starting is put into `failures`.
    """
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(id="login", registry=handlers, errors=kopf.ErrorsMode.TEMPORARY, backoff=5)
    async def login(**_: Any) -> kopf.AiohttpSession:
        # Our session: a bounded pool, and tokens that are reread.
        return kopf.AiohttpSession(
            aiohttp_session=new_session(connection),
            server=connection.server,
            default_namespace=connection.namespace,
        )

    @kopf.on.startup(id="startup", registry=handlers)
    async def startup(**_: Any) -> None:
        try:
            await operator.start()
        except CannotStartError as error:
            # Of another exception kopf would print a traceback, and try the same again after a minute.
            failures.append(error)
            stop.set()
            await operator.stop()
            raise kopf.PermanentError(str(error)) from None
        except asyncio.CancelledError:
            # Told to stop while it waits for an API server: of a startup that did not end kopf does no cleanup.
            stop.set()
            await operator.stop()
            raise

    @kopf.on.cleanup(id="cleanup", registry=handlers)
    async def cleanup(**_: Any) -> None:
        # At its start kopf lists what the API server has. Told to stop it goes on, and calls closed connections errors.
        logging.getLogger("kopf._core.reactor.observation").setLevel(logging.CRITICAL)
        # Kopf waits 5 s for this flag if it stops for another cause, and its own signal handlers fail with a traceback
        # when a second signal follows the first.
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await operator.stop()

    return handlers
