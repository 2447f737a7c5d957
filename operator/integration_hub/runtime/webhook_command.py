"""`hub webhook`: the admission webhook in the foreground. Flags and the process' life; `webhook` does the work."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_hub.adapters.kubeconfig import KubeconfigError, KubeConnection, load
from integration_hub.flags import AddressType, cluster_flags, log_flags

if TYPE_CHECKING:
    from integration_hub.runtime.webhook import CertificateFiles

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
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
    no_secret_check: bool,
    log_format: str,
    log_level: str,
) -> None:
    """Run the admission webhook until it is told to stop (Ctrl-C or SIGTERM).

    The API server asks it about definitions and instances before it stores them (deploy/webhook.yaml), so that
    a mistake is refused when a manifest is applied. The operator needs no webhook, and checks everything itself.

    Exit code 0 after a request to stop, 1 where it cannot go on, 2 for a mistake in the flags.
    """
    try:
        connection = load(kubeconfig, context)
    except KubeconfigError as error:
        raise click.ClickException(str(error)) from error

    # Here, since `hub webhook --help` and a mistake in a flag need neither a server nor a logger.
    from integration_hub.runtime import logs  # noqa: PLC0415
    from integration_hub.runtime.webhook import CertificateFiles  # noqa: PLC0415

    logs.configure("json" if log_format == "json" else "console", log_level)
    try:
        files = CertificateFiles(certificate, key)
    except OSError as error:
        raise click.ClickException(
            f"{certificate} and {key} are no certificate and its private key in PEM ({error.strerror or error})."
        ) from error
    try:
        asyncio.run(_serve(connection, listen, files, checks_secrets=not no_secret_check))
    except OSError as error:
        host, port = listen
        raise click.ClickException(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another address with --listen."
        ) from error


async def _serve(
    connection: KubeConnection, listen: tuple[str, int], files: CertificateFiles, *, checks_secrets: bool
) -> None:
    import structlog  # noqa: PLC0415 - as above

    from integration_hub.adapters.kube import KubeClient  # noqa: PLC0415
    from integration_hub.runtime.webhook import PATH, WebhookServer  # noqa: PLC0415
    from integration_hub.shell.reviewer import Reviewer  # noqa: PLC0415

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    kube = KubeClient(connection)
    server = WebhookServer(Reviewer(kube, checks_secrets=checks_secrets), files)
    log = structlog.get_logger("integration_hub.webhook")
    try:
        port = await server.start(*listen)
        log.info("webhook started", url=f"https://{listen[0]}:{port}{PATH}", server=connection.server)
        await stop.wait()
    finally:
        await server.stop()
        await kube.close()
    log.info("webhook stopped")
