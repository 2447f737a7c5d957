"""What `hub keys` does, from the flags to the exit code: reads the keyring, decides, writes, tells."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, Self

import click

from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.adapters.kube_api import CONFLICT, FORBIDDEN, UNAUTHORIZED
from integration_hub.adapters.kubeconfig import KubeConnection
from integration_hub.cli.connecting import connection_of, farewell
from integration_hub.cli.errors import Exit, HubError, NotFoundError, UnreachableError
from integration_hub.cli.keys.removal import Removal
from integration_hub.cli.keys.view import Course, names, print_list, print_report
from integration_hub.cli.output import Form
from integration_hub.cli.words import age_of, capital, counted, dry_words, typed
from integration_hub.credentials.keyring import Keyring, KeyringError, with_new_key, without
from integration_hub.shell.explaining import Deed, explanation
from integration_hub.shell.keyring_source import (
    DEFAULT_NAMESPACE,
    StoredKeyring,
    read_keyring,
    replace_keyring,
    would_replace_keyring,
)
from integration_hub.shell.rewrap import Usage, rewrap_all, usage_of_keys

SETTLED = timedelta(minutes=10)
"""After which every operator has heard of a new key, also one that has lost the API server for a while."""

LOOK = Deed("read", "'get' the keyring's Secret, and to 'list' Secrets in all namespaces")
CHANGE = Deed(
    "change",
    "'get' and 'update' the keyring's Secret, and to 'list', 'get' and 'update' Secrets in all namespaces",
)


@dataclass(frozen=True)
class Where:
    """The cluster and the Secret that are meant."""

    kubeconfig: Path | None
    context: str | None
    namespace: str
    name: str

    @classmethod
    def of(cls, *, kubeconfig: Path | None, context: str | None, namespace: str | None, keyring: str) -> Self:
        """Return what the flags say."""
        in_name, slash, name = keyring.rpartition("/")
        if not name or "/" in in_name or bool(slash) != bool(in_name):
            raise click.UsageError(f"--keyring is NAME or NAMESPACE/NAME, and '{keyring}' is neither.")
        if namespace and in_name and namespace != in_name:
            raise click.UsageError("-n and --keyring name different namespaces: leave one of them out.")
        return cls(kubeconfig, context, in_name or namespace or DEFAULT_NAMESPACE, name)

    @property
    def secret(self) -> str:
        """The Secret, in a sentence."""
        return f"the Secret '{self.name}' in namespace '{self.namespace}'"


# The commands


def list_keys(where: Where, form: Form, *, headers: bool) -> int:
    """Print the keys."""

    async def work(kube: KubeClient) -> int:
        stored = await _stored(kube, where)
        print_list(stored, await usage_of_keys(kube), form, headers=headers)
        return Exit.OK

    return _run(where, work, deed=LOOK)


def rotate(where: Where, *, resume: bool, wait: bool, dry_run: str | None = None) -> int:
    """Add a key unless an earlier rotation is resumed, and seal all records with the active one.

    With `dry_run` it is only said what would be done.
    """
    course = Course()

    async def work(kube: KubeClient) -> int:
        stored = await _stored(kube, where)
        keyring = stored.keyring if resume else with_new_key(stored.keyring, secrets.token_bytes)
        if dry_run:
            if dry_run == "server" and not resume:
                await would_replace_keyring(kube, stored, keyring)
            usage = await usage_of_keys(kube)
            older = sum(usage.of(keyring, number) for number in keyring.numbers if number != keyring.active)
            added = "" if resume else f"key-{keyring.active} would be added, and "
            click.echo(
                f"{added}{counted(older, 'record')} would be sealed with key-{keyring.active} ({dry_words(dry_run)})."
            )
            return Exit.OK
        if not resume:
            stored = await _replace(kube, where, stored, keyring)
            course.added = keyring.active
        if not wait:
            click.echo(
                f"key-{stored.keyring.active} is the active key. The operator seals the records with it in the"
                " background."
            )
            return Exit.OK
        course.begun = True
        report = await rewrap_all(kube, stored.keyring, secrets.token_bytes, on_progress=course.show)
        course.end()
        return Exit.OK if print_report(report, stored.keyring.active) else Exit.FAILED

    return _run(where, work, so_far=course.so_far)


def prune(where: Where, numbers: Sequence[int], *, yes: bool, now: bool, dry_run: str | None = None) -> int:
    """Remove keys that no record needs; with `dry_run` it is only said which."""
    found: list[tuple[StoredKeyring, list[int]]] = []

    async def look(kube: KubeClient) -> int:
        stored = await _stored(kube, where)
        chosen = _prunable(stored, await usage_of_keys(kube), numbers)
        if chosen:
            _refuse_too_early(stored, now=now)
        if chosen and dry_run:
            if dry_run == "server":
                await would_replace_keyring(kube, stored, reduce(without, chosen, stored.keyring))
            click.echo(f"{names(chosen)} would be removed ({dry_words(dry_run)}).")
        elif chosen:
            found.append((stored, chosen))
        else:
            click.echo("No key is without use: nothing was removed.")
        return Exit.OK

    code = _run(where, look)
    if not found:
        return code
    stored, chosen = found[0]
    removal = Removal(stored, chosen, where.secret)

    async def remove(kube: KubeClient) -> int:
        await _remove(kube, where, removal)
        click.echo(f"Removed {names(chosen)}.")
        return Exit.OK

    # Outside of a loop, which would keep Ctrl-C from ending the question.
    refusal = None if yes else _refusal(chosen, where)
    return _shown(refusal) if refusal else _run(where, remove, so_far=removal.so_far)


# What is asked of the cluster


async def _stored(kube: KubeClient, where: Where) -> StoredKeyring:
    try:
        return await read_keyring(kube, where.namespace, where.name)
    except KeyringError as error:
        raise HubError(f"{capital(where.secret)} does not hold a keyring: {error}.") from error
    except ApiError as error:
        if not error.gone:
            raise
        raise NotFoundError(
            f"There is no keyring: {where.secret} does not exist. The operator makes it when it starts.",
            todo="If the operator was given another place, name that with --keyring NAMESPACE/NAME. If it reads its"
            " keys from files, rotate them where they come from.",
        ) from error


async def _replace(kube: KubeClient, where: Where, stored: StoredKeyring, keyring: Keyring) -> StoredKeyring:
    try:
        return await replace_keyring(kube, stored, keyring)
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        raise _changed_meanwhile(where) from error


async def _remove(kube: KubeClient, where: Where, removal: Removal) -> None:
    try:
        used = await removal.make(kube)
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        raise _changed_meanwhile(where) from error
    if used:
        become = "so all keys were put back." if removal.is_back else f"but: {removal.so_far()}"
        raise HubError(
            f"A record was written with {names(used)} at this moment, {become} An operator does not know the active key"
            " yet: see that it runs and can read the keyring, then try again."
        )


def _changed_meanwhile(where: Where) -> HubError:
    return HubError(
        f"{capital(where.secret)} was changed by somebody else at this moment. Look at it with"
        f" '{typed('keys', 'list')}' and try again."
    )


# Decisions


def _prunable(stored: StoredKeyring, usage: Usage, numbers: Sequence[int]) -> list[int]:
    """Return the keys to remove. HubError where one was named that must stay."""
    keyring = stored.keyring
    for number in numbers:
        if number not in keyring.keys:
            raise NotFoundError(f"There is no key-{number}: there are {names(keyring.numbers)}.")
        if number == keyring.active:
            raise HubError(
                f"key-{number} is the active key, and new records are sealed with it. Add another one first, with"
                f" '{typed('keys', 'rotate')}'."
            )
    older = [number for number in keyring.numbers if number != keyring.active]
    chosen = [number for number in older if not numbers or number in numbers]
    needed = [number for number in chosen if usage.of(keyring, number)]
    for number in needed:
        words = (
            f"key-{number} is needed by {counted(usage.of(keyring, number), 'record')} and stays."
            f" '{typed('keys', 'rotate', '--resume')}' seals what is under older keys with the active one."
        )
        if numbers:
            raise HubError(words)
        click.echo(words, err=True)
    return [number for number in chosen if number not in needed]


def _refuse_too_early(stored: StoredKeyring, *, now: bool) -> None:
    active = stored.keyring.active
    since = stored.since(active)
    age = None if since is None else datetime.now(UTC) - since
    if age is not None and age < SETTLED and not now:
        raise HubError(
            f"key-{active} is only {age_of(age)} old, and an operator that has not heard of it yet goes on using an"
            f" older one. Wait until it is {age_of(SETTLED)} old, or add --now if all operators know it."
        )


def _refusal(chosen: Sequence[int], where: Where) -> HubError | None:
    """Ask whether keys may be removed. Return what to say where they may not."""
    if not sys.stdin or not sys.stdin.isatty():
        words = "There is nobody to ask: add --yes to remove keys without being asked."
        return HubError(words, code=Exit.USAGE)
    they = "it" if len(chosen) == 1 else "them"
    question = (
        f"Remove {names(chosen)} from {where.secret}? Backups from before cannot be read without {they}."
    )
    try:
        may = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        return HubError("Stopped. Nothing was removed.", code=Exit.INTERRUPTED)
    return None if may else HubError("Nothing was removed.")


# Running


def _run(
    where: Where,
    work: Callable[[KubeClient], Coroutine[Any, Any, int]],
    *,
    deed: Deed = CHANGE,
    so_far: Callable[[], str] = lambda: "Nothing was changed.",
) -> int:
    """Do the work with a client of the cluster; turn what is in the way into words and an exit code."""

    async def main(connection: KubeConnection) -> int:
        kube = KubeClient(connection)
        try:
            return await work(kube)
        finally:
            await kube.close()
            await farewell()

    server = ""
    try:
        connection = connection_of(where.kubeconfig, where.context)
        server = connection.server
        return asyncio.run(main(connection))
    except KeyboardInterrupt:
        click.echo(f"\nStopped. {so_far()}", err=True)
        return Exit.INTERRUPTED
    except HubError as error:
        return _shown(error)
    except ApiError as error:
        return _shown(_explained(error, server, deed, so_far()))


def _shown(error: HubError) -> int:
    error.show()
    return error.code


def _explained(error: ApiError, server: str, deed: Deed, so_far: str) -> HubError:
    """Return why the API server did not do what was asked; `so_far` is what has been done before."""
    if error.status in {0, UNAUTHORIZED, FORBIDDEN}:
        found = explanation(error, "the keyring", server, deed)
        return UnreachableError(f"{found.what} {so_far}", todo=found.todo)
    return HubError(f"The API server at {server} failed: {error}. {so_far}")
