"""Taking keys out of a keyring such that none is lost that a record needs: look again, and put back in any doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum

import click

from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.adapters.kube_api import CONFLICT
from integration_hub.cli.keys.view import names
from integration_hub.cli.words import typed
from integration_hub.credentials.keyring import Keyring, KeyringError, without
from integration_hub.shell.keyring_source import StoredKeyring, read_keyring, replace_keyring
from integration_hub.shell.rewrap import usage_of_keys

PUT_BACK_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between tries to put keys back, while the API server does not take them."""

_REFUSED = range(400, 500)


class _State(Enum):
    UNTOUCHED = "untouched"
    OUT = "out"
    """They were taken out, or may have been; this process has them, and perhaps nobody else."""
    BACK = "back"
    DONE = "done"


class Removal:
    """Keys that are to be taken out of a keyring, and what has become of them so far."""

    def __init__(self, stored: StoredKeyring, numbers: Sequence[int], secret: str) -> None:
        """`secret` is the Secret of the keyring, in a sentence."""
        self._stored = stored
        self._numbers = numbers
        self._secret = secret
        self._state = _State.UNTOUCHED

    @property
    def is_back(self) -> bool:
        """Whether the keys were put back."""
        return self._state is _State.BACK

    def so_far(self) -> str:
        """Say what has become of the keys."""
        keyring, several = self._stored.keyring, len(self._numbers) > 1
        were, they = ("were", "them") if several else ("was", "it")
        checks = " and ".join(f"key-{number} (check {keyring.check(number)})" for number in self._numbers)
        words = {
            _State.UNTOUCHED: "Nothing was changed.",
            _State.OUT: f"{names(self._numbers)} {were} taken out of {self._secret}, and could not be put back. A"
            f" record that was written with {they} at that moment cannot be opened: if '{typed('keys', 'list')}' counts"
            f" such records, take {checks} from your backup of the keyring and put {they} back (docs/keys.md, 'When a"
            " key is lost').",
            _State.BACK: f"{names(self._numbers)} {were} put back, so all keys are there.",
            _State.DONE: f"{names(self._numbers)} {were} removed.",
        }
        return words[self._state]

    async def make(self, kube: KubeClient) -> list[int]:
        """Take the keys out, and look again: what was written under one of them meanwhile would be lost without it.

        Returns those that a record needs; all were put back then, if that could be done. ApiError where the API server
        does not let it be done, 409 where somebody else has changed the keyring; `so_far` tells what was done.
        """
        try:
            await self._take_out(kube)
            usage = await usage_of_keys(kube)
        except (ApiError, asyncio.CancelledError):
            await self._put_back(kube)
            raise
        used = [number for number in self._numbers if usage.of(self._stored.keyring, number)]
        if used:
            await self._put_back(kube)
        else:
            self._state = _State.DONE
        return used

    async def _take_out(self, kube: KubeClient) -> None:
        keyring = self._stored.keyring
        for number in self._numbers:
            keyring = without(keyring, number)
        self._state = _State.OUT
        try:
            await replace_keyring(kube, self._stored, keyring)
        except ApiError as error:
            if error.status == CONFLICT and await self._is_stored(kube, keyring):
                return  # our own write, whose answer was lost on the way
            if error.status in _REFUSED:
                self._state = _State.UNTOUCHED
            raise

    async def _is_stored(self, kube: KubeClient, keyring: Keyring) -> bool:
        try:
            return (await self._read(kube)).keyring == keyring
        except KeyringError:
            return False

    async def _put_back(self, kube: KubeClient) -> None:
        """Put the keys beside those that are there now, and do not give up soon: nobody else has them."""
        if self._state is not _State.OUT:
            return
        for tried, pause in enumerate((*PUT_BACK_PAUSES, None)):
            try:
                await self._put_back_once(kube)
            except KeyringError:
                return
            except ApiError:
                if pause is None:
                    return
                if not tried:
                    click.echo(
                        f"Putting {names(self._numbers)} back. Please do not stop this command.", err=True
                    )
                await asyncio.sleep(pause)
            else:
                self._state = _State.BACK
                return

    async def _put_back_once(self, kube: KubeClient) -> None:
        now = await self._read(kube)
        taken = {number: self._stored.keyring.keys[number] for number in self._numbers}
        whole = Keyring({**taken, **now.keyring.keys})
        if whole != now.keyring:
            await replace_keyring(kube, now, whole)

    async def _read(self, kube: KubeClient) -> StoredKeyring:
        about = self._stored.raw["metadata"]
        return await read_keyring(kube, about["namespace"], about["name"])
