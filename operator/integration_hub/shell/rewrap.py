"""A walk over all sealed records: counting what is under which key, and wrapping what is under an older one anew.

It looks only at what is there, so whoever begins again goes on where the last one stopped. It lists names by pages and
reads a few records at a time; what is sealed in a record is never opened on the way.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from integration_hub.adapters.kube import SECRETS, ApiError, KubeClient
from integration_hub.adapters.kube_api import CONFLICT
from integration_hub.credentials.envelope import Random
from integration_hub.credentials.keyring import Keyring
from integration_hub.credentials.sealed import Binding, UnreadableError, Wrapping, rewrap, wrapping_of
from integration_hub.shell.keyring_source import data_of, encoded
from integration_hub.shell.record_names import uid_of_record

_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
AT_ONCE = 4
"""Records that are read or written at a time: a rotation is in no hurry, and the API server has other work."""
ATTEMPTS = 5
"""With one record that somebody else writes at the same time."""


class Place(NamedTuple):
    """Where a record is, and whose it is."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        """Return it as people name a Secret."""
        return f"{self.namespace}/{self.name}"


@dataclass
class RewrapReport:
    """What has come of it, so far or in the end."""

    done: int = 0
    """Wrapped anew under the active key."""
    already: int = 0
    """That were under the active key, or have gone meanwhile."""
    left: dict[Place, str] = field(default_factory=dict)
    """Still under an older key, and why. Another walk may succeed."""
    unreadable: dict[Place, str] = field(default_factory=dict)
    """That do not open, and why. No other walk will succeed unless a key is restored."""

    @property
    def seen(self) -> int:
        """How many records were looked at."""
        return self.done + self.already + len(self.left) + len(self.unreadable)


@dataclass
class Usage:
    """How many records are under which key."""

    records: Counter[Wrapping] = field(default_factory=Counter)
    """By the key; what has no envelope that could be read is not in it."""
    unreadable: list[Place] = field(default_factory=list)
    """Records without such an envelope."""

    def of(self, keyring: Keyring, number: int) -> int:
        """Return how many are under this very key, not one that had its number before."""
        return self.records[Wrapping(number, keyring.check(number))]

    def lost(self, keyring: Keyring) -> dict[Wrapping, int]:
        """Return the keys that the keyring does not have, with how many are under each."""
        known = {Wrapping(number, keyring.check(number)) for number in keyring.numbers}
        return {wrapping: count for wrapping, count in sorted(self.records.items()) if wrapping not in known}


async def rewrap_all(
    kube: KubeClient,
    keyring: Keyring,
    random: Random,
    *,
    on_progress: Callable[[RewrapReport], object] = lambda _: None,
) -> RewrapReport:
    """Wrap every record that is not under the active key anew. `on_progress` is called after each record.

    Raises:
        ApiError: the API server could not be asked, or did not permit it. What was done by then stays done.

    """
    report = RewrapReport()

    async def each(place: Place) -> None:
        await _rewrap_one(kube, place, keyring, random, report)
        on_progress(report)

    await _for_each_record(kube, each)
    return report


async def usage_of_keys(kube: KubeClient) -> Usage:
    """Return how many records are under which key. ApiError as in `rewrap_all`."""
    usage = Usage()

    async def each(place: Place) -> None:
        raw = await _read(kube, place)
        if raw is None:
            return
        wrapping = wrapping_of(data_of(raw))
        if wrapping is None:
            usage.unreadable.append(place)
        else:
            usage.records[wrapping] += 1

    await _for_each_record(kube, each)
    return usage


async def _rewrap_one(
    kube: KubeClient, place: Place, keyring: Keyring, random: Random, report: RewrapReport
) -> None:
    for _ in range(ATTEMPTS):
        raw = await _read(kube, place)
        if raw is None:
            report.already += 1
            return
        try:
            data = rewrap(data_of(raw), Binding(*place), keyring, random)
        except UnreadableError as error:
            report.unreadable[place] = str(error)
            return
        if data is None:
            report.already += 1
            return
        if await _replaced(kube, place, raw | {"data": encoded(data)}):
            report.done += 1
            return
    report.left[place] = "it was being written by somebody else all the time"


async def _replaced(kube: KubeClient, place: Place, secret: Mapping[str, Any]) -> bool:
    """Write a record over the version that it was made from; tell whether that was still the one."""
    try:
        await kube.replace_secret(place.namespace, secret)
    except ApiError as error:
        if error.status == CONFLICT or error.gone:
            return False
        raise
    return True


async def _read(kube: KubeClient, place: Place) -> dict[str, Any] | None:
    """Return a record's Secret as of now; None where it is gone."""
    try:
        return await kube.read(SECRETS, place.namespace, place.name)
    except ApiError as error:
        if error.gone:
            return None
        raise


async def _for_each_record(kube: KubeClient, each: Callable[[Place], Any]) -> None:
    """Do something with each record, a few at a time and a page after the other."""
    async for places in _pages(kube):
        waiting = iter(places)

        async def worker() -> None:
            for place in waiting:  # noqa: B023 - all workers of a page end before the next one
                await each(place)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(places))):
                    group.create_task(worker())
        except* ApiError as errors:
            raise _first(errors) from None


def _first(errors: ExceptionGroup[ApiError]) -> ApiError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ApiError)  # noqa: S101 - for mypy: the group holds nothing else
    return error


async def _pages(kube: KubeClient) -> AsyncIterator[list[Place]]:
    """Yield the records of one page of the list after the other; many pages have none.

    Only metadata is listed, so the data of other Secrets never comes here.
    """
    token = ""
    while True:
        objects, token, _ = await kube.list_page(SECRETS, token)
        yield [place for raw in objects if (place := _place_of(raw["metadata"])) is not None]
        if not token:
            return


def _place_of(metadata: Mapping[str, Any]) -> Place | None:
    """Return a record's place; None for other Secrets. Known by its name: a label can be taken off, a name cannot."""
    uid = uid_of_record(metadata["name"])
    if uid is None or not _UID.fullmatch(uid):
        return None
    return Place(metadata["namespace"], metadata["name"], uid)
