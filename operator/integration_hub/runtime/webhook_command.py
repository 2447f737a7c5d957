"""`hub webhook`: the admission webhook in the foreground. Flags and the process' life; `webhook` does the work."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from integration_hub.adapters.kubeconfig import KubeconfigError, KubeConnection, load
from integration_hub.flags import AddressType, Command, cluster_flags, log_flags

if TYPE_CHECKING:
    from integration_hub.runtime.webhook_certificates import CertificateFiles

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_UNPROTECTED = (
    "whoever reaches this address is answered, and answers tell what a user may do: nothing but a NetworkPolicy"
    " that admits the API server alone protects it; --client-ca asks callers for a certificate"
)


@click.command(cls=Command)
@cluster_flags
@click.option(
    "--listen",
    type=AddressType(),
    default="127.0.0.1:9443",
    show_default=True,
    help="Address for the API server, over HTTPS; port 0 takes a free one.",
)
@click.option(
    "--certificate",
    type=_FILE,
    required=True,
    help="PEM file with the server's certificate and those between it and its authority. It is read again when it"
    " changes, and the key, too.",
)
@click.option("--key", type=_FILE, required=True, help="PEM file with the certificate's private key.")
@click.option(
    "--client-ca",
    type=_FILE,
    help="PEM file with the authority of the API server's client certificate: without one that it signed, nobody gets"
    " a connection. It is read again when it changes. [default: whoever reaches the address is answered]",
)
@click.option(
    "--client-name",
    "client_names",
    multiple=True,
    metavar="NAME",
    help="Common name that such a certificate must have. May be repeated: one of them does. [default: any]",
)
@click.option(
    "--health-listen",
    type=AddressType(),
    help="A further address for /healthz and /readyz, over HTTP and without certificates; port 0 takes a free one."
    " Probes need it where --client-ca is given.",
)
@click.option(
    "--no-secret-check",
    is_flag=True,
    help="Do not ask whether who names a Secret in an instance may read it.",
)
@log_flags
def webhook(  # noqa: PLR0913, PLR0917
    kubeconfig: Path | None,
    context: str | None,
    listen: tuple[str, int],
    certificate: Path,
    key: Path,
    client_ca: Path | None,
    client_names: tuple[str, ...],
    health_listen: tuple[str, int] | None,
    no_secret_check: bool,
    log_format: str,
    log_level: str,
) -> None:
    """Run the admission webhook until it is told to stop (Ctrl-C or SIGTERM).

    The API server asks it about definitions and instances before it stores them (deploy/webhook.yaml), so that
    a mistake is refused when a manifest is applied. The operator needs no webhook, and checks everything itself.

    With --client-ca it answers only those who show a certificate, as an API server can (docs/production.md).

    Exit code 0 after a request to stop, 1 where it cannot go on, 2 for a mistake in the flags.
    """
    if client_names and client_ca is None:
        raise click.UsageError(
            "--client-name is a name in a certificate that --client-ca signed: give that, too."
        )
    if not all(client_names):
        raise click.BadParameter("a name is empty, which no certificate has.", param_hint="--client-name")
    try:
        connection = load(kubeconfig, context)
    except KubeconfigError as error:
        raise click.ClickException(str(error)) from error

    # Here, since `hub webhook --help` and a mistake in a flag need neither a server nor a logger.
    from integration_hub.runtime import logs  # noqa: PLC0415
    from integration_hub.runtime.webhook_certificates import CertificateError, CertificateFiles  # noqa: PLC0415

    logs.configure("json" if log_format == "json" else "console", log_level)
    try:
        files = CertificateFiles(certificate, key, client_ca)
    except CertificateError as error:
        raise click.ClickException(str(error)) from error
    asyncio.run(
        _serve(
            connection,
            Addresses(listen, health_listen),
            files,
            client_names if client_ca is not None else None,
            checks_secrets=not no_secret_check,
        )
    )


class Addresses(NamedTuple):
    """Where to listen."""

    reviews: tuple[str, int]
    health: tuple[str, int] | None


async def _serve(
    connection: KubeConnection,
    addresses: Addresses,
    files: CertificateFiles,
    client_names: Sequence[str] | None,
    *,
    checks_secrets: bool,
) -> None:
    """Serve until a signal; without client names, None, callers need no certificate."""
    import structlog  # noqa: PLC0415 - as above

    from integration_hub.adapters.kube import KubeClient  # noqa: PLC0415
    from integration_hub.runtime.webhook import PATH, WebhookServer  # noqa: PLC0415
    from integration_hub.shell.reviewer import Reviewer  # noqa: PLC0415

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    kube = KubeClient(connection)
    server = WebhookServer(Reviewer(kube, checks_secrets=checks_secrets), files, client_names or ())
    log = structlog.get_logger("integration_hub.webhook")
    try:
        url = f"https://{await _listen(server.start, addresses.reviews, '--listen')}{PATH}"
        started = {"url": url, "server": connection.server}
        if addresses.health is not None:
            health = await _listen(server.start_health, addresses.health, "--health-listen")
            started["health"] = f"http://{health}"
        log.info("webhook started", **started)
        if client_names is None:
            log.warning(_UNPROTECTED)
        await stop.wait()
    finally:
        await server.stop()
        await kube.close()
    log.info("webhook stopped")


async def _listen(start: Callable[[str, int], Awaitable[int]], address: tuple[str, int], flag: str) -> str:
    """Start to listen; return the address that it became."""
    host, port = address
    try:
        return f"{host}:{await start(host, port)}"
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another address with {flag}."
        ) from error
