"""The vault: records sealed into Secrets of the operator's own, and opened again.

A record is written where it was read from, by resourceVersion, and is stored when `write` returns. What was received
once and cannot be asked for again is never dropped: it is held here, and in the spool where there is one, until the API
server has it. Whoever reads meanwhile reads what is held.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.adapters.kube_api import CONFLICT, FORBIDDEN, NOT_FOUND
from integration_hub.adapters.spool import Spool
from integration_hub.auth.flow import CredentialProblem
from integration_hub.credentials.envelope import Random
from integration_hub.credentials.record import (
    CredentialRecord,
    Intent,
    RecordError,
    awaits,
    from_fields,
    to_fields,
)
from integration_hub.credentials.sealed import Binding, UnreadableError, open_fields, seal_fields, wrapping_of
from integration_hub.model.base import API_VERSION, GROUP
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import RecordAnswer, SecretAnswer, SecretState, WriteRecord
from integration_hub.shell.keyring_source import KeyringSource, KeyringUnavailableError
from integration_hub.shell.record_names import record_name

RECORD_TYPE = f"{GROUP}/credential"
RECORD_OF_LABEL = f"{GROUP}/credential-of"
LABELS = {"app.kubernetes.io/managed-by": "integration-hub"}

MAX_CONFLICTS = 5
"""Writes that somebody else's got in the way of, before it is looked at anew."""
PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between tries to store what cannot be asked for again, while the API server does not answer."""

ANNOUNCED_WITHIN = 5.0
"""Seconds within which an intent is stored, or it counts as none and nothing is sent: who finds it waits for an answer
from when it was written (`LOST_PAUSE`), and would else give it up too early."""

LOOK_AGAIN_SECONDS = 2.0
"""Between readings of the keyring."""

log = structlog.get_logger("integration_hub.vault")


@dataclass(frozen=True, slots=True)
class Owner:
    """The instance whose record it is."""

    namespace: str
    name: str
    uid: str

    @property
    def binding(self) -> Binding:
        """The one place where its record opens."""
        return Binding(self.namespace, record_name(self.uid), self.uid)


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    """A record that was to be stored and is not known to be."""

    data: dict[str, bytes]
    base: str
    """resourceVersion of what it was to take the place of."""
    attempt: str
    before: CredentialRecord | None = None
    """What it was made from, as long as this process lives."""
    place: tuple[str, str] = ("", "")
    """Namespace and name of the instance."""


class Vault:
    """Records of all instances. One reconcile at a time reads and writes that of its instance."""

    def __init__(
        self,
        kube: KubeClient,
        keyring: KeyringSource,
        random: Random,
        *,
        spool: Spool | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Hold nothing yet. `random` returns so many bytes, fit for keys; `clock` the moment of now, in UTC."""
        self._kube = kube
        self._keyring = keyring
        self._random = random
        self._spool = spool or Spool(None)
        self._clock = clock
        self._looked = -LOOK_AGAIN_SECONDS
        """When the keyring was last read for the sake of a record, by the loop's clock."""
        self._looking = asyncio.Lock()
        self._held: dict[str, _Held] = {}
        """By the instance's UID."""
        self._unsent: dict[str, tuple[str, Intent | None]] = {}
        """By the instance's UID: the attempt of an intent that could not be stored, and the intent before it."""

    async def read(self, owner: Owner) -> RecordAnswer:
        """Open a record as it is now, once what is held of it was stored. ApiError where the API server cannot tell."""
        held = self._held.get(owner.uid) or await self._spooled(owner.uid)
        secret = await self._kube.read_secret(owner.namespace, record_name(owner.uid))
        if self._lacks_key(secret):
            await self._look_for_keys()
        if held is None:
            return self._opened(owner, secret)
        return await self._settle(owner, held, secret)

    async def write(self, owner: Owner, effect: WriteRecord) -> RecordAnswer:
        """Store a record. ApiError where the API server cannot tell; what cannot be asked for again is held then.

        What is held already goes first, and where it cannot be stored nothing is: what comes now was made without it.
        """
        try:
            keyring = self._keyring.current()
        except KeyringUnavailableError:
            await self._look_for_keys()
        try:
            keyring = self._keyring.current()
        except KeyringUnavailableError as error:
            return RecordAnswer(problem=CredentialProblem(Reason.KEYRING_UNAVAILABLE, _sentence(str(error))))
        former = self._held.get(owner.uid)
        if former is not None:
            secret = await self._kube.read_secret(owner.namespace, record_name(owner.uid))
            settled = await self._settle(owner, former, secret)
            if settled.problem is not None and settled.problem.reason is Reason.CREDENTIAL_NOT_STORED:
                return settled
        before, intent = effect.base.record or CredentialRecord(), effect.record.intent
        # One that is put back, once it is known what has become of the one after it, is as old as it was.
        is_announced = intent is not None and intent != before.intent and not effect.attempt
        if is_announced and intent is not None:
            intent = replace(intent, started_at=self._clock())
        record = replace(effect.record, intent=intent)
        data = seal_fields(to_fields(record), owner.binding, keyring, self._random)
        held = _Held(
            data, effect.base.version, effect.attempt, effect.base.record, (owner.namespace, owner.name)
        )
        if (effect.record.tokens, effect.record.candidate) != (before.tokens, before.candidate):
            await self._hold(owner.uid, held)
        if not is_announced or intent is None:
            return await self._store(owner, held, effect.base)
        try:
            async with asyncio.timeout(ANNOUNCED_WITHIN):
                return await self._store(owner, held, effect.base)
        except (ApiError, TimeoutError) as error:
            # Perhaps it was stored all the same. But nobody is told so, and so nothing is sent.
            self._unsent[owner.uid] = (intent.attempt, before.intent)
            if isinstance(error, ApiError):
                raise
            name = record_name(owner.uid)
            message = f"Secret '{name}' could not be written within {ANNOUNCED_WITHIN:g} seconds"
            raise ApiError(0, "Timeout", message) from error

    def holds(self, uid: str) -> bool:
        """Tell whether something is held of an instance that is not known to be stored."""
        return uid in self._held

    async def forget(self, uid: str) -> None:
        """Drop what is held of an instance that was deleted."""
        self._unsent.pop(uid, None)
        held = self._held.get(uid)
        if held is not None:
            await self._release(uid, held)

    async def forget_gone(self, namespace: str, name: str) -> None:
        """Drop what is held of an instance of that name, of which there is none any more."""
        for uid, held in list(self._held.items()):
            if held.place == (namespace, name):
                await self.forget(uid)

    async def forget_all_but(self, uids: Collection[str]) -> None:
        """Drop what an operator before this one has left behind of instances that are not there any more."""
        try:
            dropped = await asyncio.to_thread(self._spool.drop_all_but, uids)
        except OSError as error:
            # Sealed as they are they do no harm; the next start tries again.
            log.warning("cannot clear the spool", error=type(error).__name__, errno=error.errno)
            return
        if dropped:
            log.info("records of instances that were deleted meanwhile were dropped", files=len(dropped))

    # Holding

    async def _hold(self, uid: str, held: _Held) -> None:
        self._held[uid] = held
        marks = {_BASE: held.base.encode(), _ATTEMPT: held.attempt.encode()}
        try:
            await asyncio.to_thread(self._spool.put, uid, {**held.data, **marks})
        except OSError as error:
            # It is in memory all the same; only the end of this process would lose it.
            log.warning("cannot write to the spool", error=type(error).__name__, errno=error.errno)

    async def _spooled(self, uid: str) -> _Held | None:
        """Return what an operator before this one has left behind."""
        data = await asyncio.to_thread(self._spool.get, uid)
        if data is None:
            return None
        base, attempt = data.pop(_BASE, b""), data.pop(_ATTEMPT, b"")
        # Damaged marks match no version and no attempt, so that what they stand beside is not put over anything.
        return _Held(data, base.decode(errors="replace"), attempt.decode(errors="replace"))

    async def _release(self, uid: str, held: _Held) -> None:
        """Hold this no longer. Where another record is held, that stays."""
        if uid in self._held and self._held[uid].data != held.data:
            return
        self._held.pop(uid, None)
        try:
            await asyncio.to_thread(self._spool.drop, uid)
        except OSError as error:
            # Who finds it later sees that it was stored, or that another record has taken its place.
            log.warning("cannot take from the spool", error=type(error).__name__, errno=error.errno)

    async def _settle(self, owner: Owner, held: _Held, secret: SecretAnswer) -> RecordAnswer:
        """Store what is held, unless it was, or somebody else has stored another since."""
        stored = self._opened(owner, secret)
        if dict(secret.data) == held.data:
            await self._release(owner.uid, held)
            return stored
        if stored.problem is not None and stored.version != held.base:
            return stored  # nobody can tell whether it is still the one before, so what is held waits
        if not self._follows(owner, held, stored):
            await self._release(owner.uid, held)
            return stored
        if _is_unreadable(self._read_back(owner, held.data)):
            log.warning("what is held of a credential does not open here and counts as none", uid=owner.uid)
            return stored
        return await self._store(owner, replace(held, base=stored.version), stored)

    def _follows(self, owner: Owner, held: _Held, stored: RecordAnswer) -> bool:
        """Tell whether a held record is the next one after the stored one: of its version, or the result of its intent.

        A version is another one also where the same record was wrapped anew.
        """
        if stored.version == held.base or (stored.record is not None and stored.record == held.before):
            return True
        if not stored.version:
            return True  # the Secret was taken away meanwhile, so what was received is all there is
        if stored.record is None or not awaits(stored.record, held.attempt):
            return False
        # Tokens that a person has consented to meanwhile cannot be had again either.
        mine = self._read_back(owner, held.data).record
        return mine is not None and mine.candidate == stored.record.candidate

    # Storing

    async def _store(self, owner: Owner, held: _Held, base: RecordAnswer) -> RecordAnswer:
        """Write sealed data in place of what it was made from."""
        for _ in range(MAX_CONFLICTS):
            try:
                written = await self._patiently(owner, held.data, base)
            except ApiError as error:
                if error.status == FORBIDDEN:
                    return RecordAnswer(problem=_not_stored(owner, error))
                if error.status not in {CONFLICT, NOT_FOUND}:
                    raise
                secret = await self._kube.read_secret(owner.namespace, record_name(owner.uid))
                if self._lacks_key(secret):
                    await (
                        self._look_for_keys()
                    )  # else one that was wrapped anew would look like somebody else's
                now = self._opened(owner, secret)
                if dict(secret.data) == held.data:
                    # It was our own write, whose answer was lost on the way.
                    await self._release(owner.uid, held)
                    return now
                if now.problem is not None:
                    return now
                if now.record != base.record and not self._follows(owner, held, now):
                    await self._release(owner.uid, held)
                    return replace(now, conflict=True)
                base = now
            else:
                self._unsent.pop(owner.uid, None)
                await self._release(owner.uid, held)
                metadata = written["metadata"]
                return replace(
                    self._read_back(owner, held.data),
                    uid=metadata["uid"],
                    version=metadata["resourceVersion"],
                )
        raise ApiError(CONFLICT, "Conflict", f"Secret '{record_name(owner.uid)}' changes all the time")

    async def _patiently(self, owner: Owner, data: Mapping[str, bytes], base: RecordAnswer) -> dict[str, Any]:
        """Write once; what is held is tried again while the API server does not answer."""
        for pause in (*PATIENCE, None):
            try:
                return await self._write_once(owner, data, base)
            except ApiError as error:
                answered = 0 < error.status < 500  # noqa: PLR2004
                if answered or pause is None or owner.uid not in self._held:
                    raise
                log.warning("cannot store a credential yet; will try again", uid=owner.uid, error=str(error))
                await asyncio.sleep(max(pause, error.retry_after or 0.0))
        raise AssertionError  # the last round returns or raises

    async def _write_once(
        self, owner: Owner, data: Mapping[str, bytes], base: RecordAnswer
    ) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "name": record_name(owner.uid),
            "namespace": owner.namespace,
            "labels": {**LABELS, RECORD_OF_LABEL: owner.uid},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "IntegrationInstance",
                    "name": owner.name,
                    "uid": owner.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        }
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": RECORD_TYPE,
            "metadata": metadata,
            "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
        }
        if not base.version:
            return await self._kube.create_secret(owner.namespace, manifest)
        metadata |= {"resourceVersion": base.version, "uid": base.uid}
        return await self._kube.replace_secret(owner.namespace, manifest)

    # Opening

    def _lacks_key(self, secret: SecretAnswer) -> bool:
        """Tell whether a record is under a key that is not known here: perhaps the keyring has a new one."""
        wrapping = wrapping_of(secret.data) if secret.state is SecretState.FOUND else None
        if wrapping is None:
            return False
        try:
            keyring = self._keyring.current()
        except KeyringUnavailableError:
            return True
        return wrapping.number not in keyring.numbers or keyring.check(wrapping.number) != wrapping.check

    async def _look_for_keys(self) -> None:
        """Read the keyring again; not at each of many records that nothing can open.

        Who comes while somebody looks waits for what that brings: else it would say that there is no key.
        """
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now < self._looked + LOOK_AGAIN_SECONDS:
                return
            try:
                with suppress(KeyringUnavailableError):  # whoever needs it is told by `current`
                    await self._keyring.refresh()
            finally:
                self._looked = asyncio.get_running_loop().time()

    def _opened(self, owner: Owner, secret: SecretAnswer) -> RecordAnswer:
        name = record_name(owner.uid)
        if secret.state is SecretState.NOT_FOUND:
            return RecordAnswer()
        if secret.state is SecretState.FORBIDDEN:
            message = f"The operator may not read Secret '{name}' in namespace '{owner.namespace}'."
            return RecordAnswer(problem=CredentialProblem(Reason.CREDENTIAL_NOT_STORED, message))
        answer = self._read_back(owner, secret.data)
        record = self._without_unsent(owner.uid, answer.record)
        return replace(answer, record=record, uid=secret.uid, version=secret.version)

    def _without_unsent(self, uid: str, record: CredentialRecord | None) -> CredentialRecord | None:
        """Return a record without an intent that was stored although we were told otherwise."""
        attempt, before = self._unsent.get(uid, ("", None))
        if record is None or record.intent is None or record.intent.attempt != attempt:
            return record
        return replace(record, intent=before)

    def _read_back(self, owner: Owner, data: Mapping[str, bytes]) -> RecordAnswer:
        where = f"Secret '{record_name(owner.uid)}' in namespace '{owner.namespace}'"
        try:
            fields = open_fields(data, owner.binding, self._keyring.current())
            return RecordAnswer(from_fields(fields))
        except KeyringUnavailableError as error:
            return RecordAnswer(problem=CredentialProblem(Reason.KEYRING_UNAVAILABLE, _sentence(str(error))))
        except (UnreadableError, RecordError) as error:
            return RecordAnswer(
                problem=CredentialProblem(Reason.CREDENTIAL_UNREADABLE, _sentence(f"{where}: {error}"))
            )


_BASE, _ATTEMPT = "spool-base", "spool-attempt"
"""What stands beside a sealed record in the spool, in clear."""


def _is_unreadable(answer: RecordAnswer) -> bool:
    return answer.problem is not None and answer.problem.reason is Reason.CREDENTIAL_UNREADABLE


def _sentence(words: str) -> str:
    """Return words as a sentence, since more follow them in Ready's message."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def _not_stored(owner: Owner, error: ApiError) -> CredentialProblem:
    name = record_name(owner.uid)
    # Its own words: beside a missing right it may be a quota, or that the namespace goes.
    message = (
        f"Secret '{name}' in namespace '{owner.namespace}' may not be written. The API server says: {error}"
    )
    return CredentialProblem(Reason.CREDENTIAL_NOT_STORED, message)
