"""`hub run`: the operator in the foreground. Flags only; `runtime.operator` does the work."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click

from integration_hub.adapters.budget import Limits
from integration_hub.adapters.kubeconfig import KubeconfigError, load
from integration_hub.flags import (
    AddressType,
    Command,
    DurationType,
    cluster_flags,
    egress_flags,
    egress_policy,
    log_flags,
)
from integration_hub.reconcile.inputs import Timing
from integration_hub.runtime.callback_url import EXAMPLE, default_url, url_problem


class _CallbackAddressType(AddressType):
    name = "host:port|off"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        return _OFF if value == "off" else super().convert(value, param, ctx)


class _ObjectType(click.ParamType[tuple[str, str]]):
    name = "namespace/name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        namespace, separator, name = str(value).partition("/")
        if not (separator and namespace and name) or "/" in name:
            self.fail(f"'{value}' is not written as NAMESPACE/NAME", param, ctx)
        return namespace, name


_OFF = ("", 0)
_DURATION = DurationType()
_PERIOD = DurationType(least=timedelta(seconds=10))
"""As short as the CRD lets an instance's own interval be: whatever is done that often is done all the time."""


@click.command(cls=Command)
@cluster_flags
@egress_flags
@click.option(
    "--workers", type=click.IntRange(1, 500), default=40, show_default=True, help="Reconciles at once."
)
@click.option(
    "--interval",
    type=_PERIOD,
    default="10m",
    show_default=True,
    help="Between tests of a connection that works.",
)
@click.option(
    "--host-rate",
    type=click.FloatRange(0.1, 10_000),
    default=10.0,
    show_default=True,
    help="Requests that are begun in a second at one external host, for all its connections together.",
)
@click.option(
    "--host-concurrency",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="Requests at once at one external host, for all its connections together.",
)
@click.option(
    "--status-refresh",
    type=_DURATION,
    default="5m",
    show_default=True,
    help="Least time between writes that say nothing new.",
)
@click.option(
    "--relist",
    type=_PERIOD,
    default="10m",
    show_default=True,
    help="Between full comparisons with the API server.",
)
@click.option(
    "--grace",
    type=_DURATION,
    default="20s",
    show_default=True,
    help="For running tests to end after a request to stop.",
)
@click.option(
    "--listen",
    type=AddressType(),
    default="127.0.0.1:8080",
    show_default=True,
    help="Address of /healthz, /readyz and /metrics; port 0 takes a free one.",
)
@click.option(
    "--callback-listen",
    type=_CallbackAddressType(),
    default="127.0.0.1:8081",
    show_default=True,
    help="Address to which browsers come back when somebody has consented to a connection; port 0 takes a free one,"
    " 'off' none.",
)
@click.option(
    "--callback-url",
    metavar="URL",
    help="The same address as browsers reach it, to register at external systems."
    " [default: http://localhost:PORT/oauth/callback, where browsers run on this machine]",
)
@click.option(
    "--keyring",
    type=_ObjectType(),
    metavar="NAMESPACE/NAME",
    help="Secret with the keys that seal what the operator obtains; made where there is none."
    " [default: integration-hub-keyring in the operator's own namespace]",
)
@click.option(
    "--keyring-files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with such keys, in place of the Secret: a volume of a KMS or CSI driver.",
)
@click.option(
    "--spool",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which sealed tokens wait while the API server does not answer, so that a restart loses none."
    " [default: they wait in memory]",
)
@log_flags
def run(  # noqa: PLR0913, PLR0917
    kubeconfig: Path | None,
    context: str | None,
    allow_cidrs: tuple[str, ...],
    allow_http: bool,
    connect_to: tuple[str, ...],
    workers: int,
    interval: timedelta,
    host_rate: float,
    host_concurrency: int,
    status_refresh: timedelta,
    relist: timedelta,
    grace: timedelta,
    listen: tuple[str, int],
    callback_listen: tuple[str, int],
    callback_url: str | None,
    keyring: tuple[str, str] | None,
    keyring_files: Path | None,
    spool: Path | None,
    log_format: str,
    log_level: str,
) -> None:
    """Run the operator until it is told to stop (Ctrl-C or SIGTERM).

    Exit code 0 after a request to stop, 1 where it cannot go on, 2 for a mistake in the flags.
    """
    policy = egress_policy(allow_cidrs, allow_http=allow_http, connect_to=connect_to)
    _check_callback(callback_listen, callback_url)
    if keyring is not None and keyring_files is not None:
        raise click.UsageError("--keyring and --keyring-files exclude each other: keys come from one place.")
    try:
        connection = load(kubeconfig, context)
    except KubeconfigError as error:
        raise click.ClickException(str(error)) from error

    # Here, since `hub run --help` and a mistake in a flag need neither kopf nor a logger.
    from integration_hub.runtime import logs  # noqa: PLC0415
    from integration_hub.runtime.lifecycle import run as run_operator  # noqa: PLC0415
    from integration_hub.runtime.operator import CannotStartError, Options  # noqa: PLC0415
    from integration_hub.shell.audit import AuditSeal  # noqa: PLC0415
    from integration_hub.shell.keyring_source import DEFAULT_NAME, own_namespace  # noqa: PLC0415
    from integration_hub.wiring import Storage  # noqa: PLC0415

    seal = AuditSeal(secrets.token_bytes)
    logs.configure("json" if log_format == "json" else "console", log_level, seal)
    # What keeps the operator from starting is told below, in plain words; of kopf's lines about it only those with a
    # traceback, which is a mistake of ours, say more.
    logging.getLogger("kopf.activities.startup").addFilter(lambda record: record.exc_info is not None)
    options = Options(
        connection=connection,
        policy=policy,
        timing=Timing(interval=interval, status_refresh=status_refresh),
        limits=Limits(
            concurrency=host_concurrency, per_second=host_rate, burst=max(host_concurrency, round(host_rate))
        ),
        storage=Storage(
            keyring_secret=keyring or (own_namespace(), DEFAULT_NAME),
            keyring_files=keyring_files,
            spool=spool,
        ),
        audit_seal=seal,
        workers=workers,
        listen=listen,
        callback_listen=None if callback_listen == _OFF else callback_listen,
        callback_url=callback_url,
        relist_seconds=relist.total_seconds(),
        grace_seconds=grace.total_seconds(),
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run_operator(options))
    except CannotStartError as error:
        raise click.ClickException(str(error)) from error


def _check_callback(listen: tuple[str, int], url: str | None) -> None:
    """Refuse flags with which no browser could come back, or not safely."""
    if url is not None:
        problem = url_problem(url)
        if problem is not None:
            raise click.BadParameter(f"{problem}.", param_hint="--callback-url")
        if listen == _OFF:
            raise click.UsageError(
                "--callback-url is of no use without a server behind it: leave '--callback-listen off' out."
            )
    elif listen != _OFF and default_url(*listen) is None:
        raise click.UsageError(
            f"--callback-listen {listen[0]}:{listen[1]} is for browsers on other machines: add --callback-url, the"
            f" address at which they reach it, like {EXAMPLE}."
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where it is installed: a fifth less CPU in the benchmark."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    return uvloop.new_event_loop
