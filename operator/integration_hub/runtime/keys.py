"""Watching the keyring: when it has a new key, records are wrapped anew, and who could not be opened is tried again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import structlog

from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.credentials.keyring import Keyring
from integration_hub.shell.keyring_source import KeyringSource, KeyringUnavailableError
from integration_hub.shell.rewrap import rewrap_all

LOOK_SECONDS = 30.0
"""Between looks at the keyring. Who meets a record under a key that is not known here looks at once (`shell.vault`)."""

log = structlog.get_logger("integration_hub.keyring")


class KeyWatch:
    """Looks at the keyring from time to time."""

    def __init__(self, keyring: KeyringSource, kube: KubeClient, wake: Callable[[], object]) -> None:
        """`wake` has instances looked at again whose credentials could not be opened or stored."""
        self._keyring = keyring
        self._seen: Keyring | None = None
        """The keyring as this watch last saw it: others read it again, too, and nobody is woken for that."""
        self._kube = kube
        self._wake = wake
        self._wrapped = False
        """Whether all records are under the key of now, as far as this operator knows."""

    async def run(self) -> None:
        """Look for ever. What cannot be done now is done at the next look."""
        told = ""
        while True:
            try:
                await self.look()
                told = ""
            except KeyringUnavailableError as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("there are no keys to seal credentials with", error=told)
            except ApiError as error:
                log.warning("cannot wrap records anew yet; will try again", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once. With another keyring than before, those are tried again who waited, and all records wrapped anew.

        Raises:
            KeyringUnavailableError: it cannot be read.
            ApiError: the records cannot be listed.

        """
        await self._keyring.refresh()
        keyring = self._keyring.current()
        if keyring != self._seen:
            self._seen = keyring
            self._wrapped = False
            self._wake()
        if not self._wrapped:
            await self._wrap()

    async def _wrap(self) -> None:
        """Wrap every record under the newest key: those that an operator before this one has left, too."""
        keyring = self._keyring.current()
        if len(keyring.numbers) == 1:
            # There is no other key that a record could be under, so that a start reads none of them.
            self._wrapped = True
            return
        report = await rewrap_all(self._kube, keyring, secrets.token_bytes)
        self._wrapped = not report.left
        if report.done or report.left or report.unreadable:
            log.info(
                "records wrapped anew",
                done=report.done,
                left=len(report.left),
                unreadable=len(report.unreadable),
            )
