"""One reconcile done for real: gather, tell the story with real hands, write once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES, ApiError, KubeClient
from integration_hub.adapters.traffic import Traffic
from integration_hub.auth.flow import CredentialProblem
from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition, merge_conditions
from integration_hub.model.definition import DefinitionStatus
from integration_hub.model.instance import InstanceStatus, IntegrationInstance
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.reconcile.definition import CheckedDefinition, definition_status, listed, parse_violation
from integration_hub.reconcile.gates import undecided
from integration_hub.reconcile.inputs import (
    Answer,
    AskTurn,
    BindingAnswer,
    Decision,
    Effect,
    Inputs,
    KeepBinding,
    Postponed,
    ReadRecord,
    ReadSecret,
    RecordAnswer,
    Send,
    Timing,
    WriteRecord,
)
from integration_hub.reconcile.pipeline import reconcile
from integration_hub.reconcile.summary import kstatus_conditions, ready_condition, says_the_same, summarise
from integration_hub.reconcile.times import timestamp
from integration_hub.shell import sensitive
from integration_hub.shell.announcing import announced_notice, announced_ready, consent_outcome
from integration_hub.shell.audit import audit_renewal, audit_test
from integration_hub.shell.binding import BindingKeeper
from integration_hub.shell.consent import ConsentDesk, ConsentOutcome
from integration_hub.shell.done import Done
from integration_hub.shell.hands import ask_turn, send
from integration_hub.shell.keys import Key
from integration_hub.shell.merge_patch import merge_patch
from integration_hub.shell.outside import Outside
from integration_hub.shell.store import InstanceRecord, Store, record_of
from integration_hub.shell.undisturbed import undisturbed
from integration_hub.shell.vault import Owner, Vault

log = structlog.get_logger("integration_hub.reconcile")


class Farewell(Protocol):
    """Sees to what must be done before an object may go."""

    async def attend(  # noqa: PLR0913, PLR0917
        self,
        key: Key,
        record: InstanceRecord,
        raw: Mapping[str, Any],
        instance: IntegrationInstance | None,
        definition: CheckedDefinition | None,
        now: datetime,
    ) -> Done | None:
        """Do what is due; None where there is nothing, and the object is reconciled as always."""
        ...


class Reconciler:
    """Reconciles one key at a time; remembers of each instance what went wrong last, and with which credentials."""

    def __init__(  # noqa: PLR0913 - the parts that it acts through, by name
        self,
        store: Store,
        kube: KubeClient,
        traffic: Traffic,
        timing: Timing,
        *,
        vault: Vault,
        binder: BindingKeeper,
        farewell: Farewell | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` returns the moment of now, in UTC."""
        self._store = store
        self._kube = kube
        self._traffic = traffic
        self._timing = timing
        self._vault = vault
        self._binder = binder
        self._farewell = farewell
        self._clock = clock
        self.redirect_uri = ""
        """Where the callback server is reached from a browser; '' where there is none."""
        self.desk: ConsentDesk | None = None
        """Where browsers' answers are handed in."""
        self._seen: set[Key] = set()
        """Instances that were reconciled since the start."""
        self.outside = Outside()
        self._unsure: set[Key] = set()
        """Instances whose last write failed: perhaps it was done all the same, perhaps somebody else's came first."""
        self._unwritten: dict[Key, tuple[str, dict[str, Any]]] = {}
        """What was to be written then, with the object's UID."""
        self._awaited: dict[Key, datetime] = {}
        """When a consent that is under way is looked at next, where there is one."""
        self._fingerprint_key = secrets.token_bytes(32)
        self._fingerprints: dict[Key, bytes] = {}
        """Of credentials that were refused. In memory alone: status is read by many."""

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a deleted object."""
        self._seen.discard(key)
        self._unsure.discard(key)
        self._unwritten.pop(key, None)
        self._fingerprints.pop(key, None)
        self._awaited.pop(key, None)
        if self.desk is not None:
            self.desk.forget(key)

    async def reconcile(self, key: Key) -> Done:
        """Bring one object's status up to date. ApiError where the API server could not be asked or told."""
        if key.plural == DEFINITIONS.plural:
            return await self._reconcile_definition(key)
        record = self._store.instances.get(key)
        if record is not None and key in self._unsure:
            record = await self._look_again(key)
        if record is None:
            self.forget(key)
            await self._vault.forget_gone(key.namespace, key.name)
            return Done()
        return await self._reconcile_instance(key, record)

    async def _look_again(self, key: Key) -> InstanceRecord | None:
        """Read an instance of which the store may be behind, None where it is gone.

        While an API server comes back, watches are the last to tell. Without this, each try to write a verdict would
        cost the external system another test; with a wrong password, tests too many lock an account.
        """
        try:
            raw = await self._kube.read(INSTANCES, key.namespace, key.name)
        except ApiError as error:
            if not error.gone:
                raise
            return None
        self._unsure.discard(key)
        return record_of(raw) if key in self._store.instances else None

    async def _reconcile_instance(self, key: Key, record: InstanceRecord) -> Done:
        raw = record.raw()
        instance, problems = _parsed(raw)
        attended = await self._attend(key, record, raw, instance)
        if attended is not None:
            return attended
        resumed = self._resume(key, record, raw)
        if resumed:
            instance, problems = _parsed(raw)
        if instance is None:
            return await self._refuse_unreadable(key, record, problems)
        return await self._decide(key, record, self._gather(key, instance), resumed=resumed)

    async def _attend(
        self, key: Key, record: InstanceRecord, raw: dict[str, Any], instance: IntegrationInstance | None
    ) -> Done | None:
        """See to what must be done before the object may go; None where it is reconciled as always."""
        if self._farewell is not None:
            definition = self._store.definitions.get(record.definition)
            checked = definition.checked if definition is not None else None
            attended = await self._farewell.attend(key, record, raw, instance, checked, self._clock())
            if attended is not None:
                return attended
        return Done() if raw["metadata"].get("deletionTimestamp") else None

    async def _decide(self, key: Key, record: InstanceRecord, inputs: Inputs, *, resumed: bool) -> Done:
        """Have the story told, and write what it comes to."""
        stored: list[WriteRecord] = []
        try:
            decision = await self._tell(inputs, stored)
        except BaseException:
            if inputs.consent is not None:
                # Once something was stored its state is used up, and what it has brought is gone on with; else it may
                # be brought again.
                is_used = stored or self._vault.holds(record.uid)
                self._settle(key, ConsentOutcome("pending" if is_used else "busy"))
            raise
        self._seen.add(key)
        self._remember_awaited(key, decision.awaited_at)
        if self.desk is not None and decision.links is not None:
            self.desk.expect(key, decision.links)
        if decision.made:
            self._remember_refused(key, decision.fingerprint)
        if resumed:
            told = _ready_of(record.written_status()) != _ready_of(decision.status.to_wire())
            decision = replace(decision, write=True, reason_changed=told)
        for made in decision.made:
            audit_test(key, inputs, decision, made)
        if decision.renewal is not None:
            audit_renewal(key, inputs, decision)
        ready = decision.status.condition(c.READY)
        consent: str | None = None
        if inputs.consent is not None:
            outcome, consent = consent_outcome(key, inputs, decision, ready)
            self._settle(key, outcome)
        if not decision.write:
            self._store.put_unwritten_status(key, decision.status.to_wire())
        else:
            await self._write(key, record, decision.status.to_wire())
        return Done(
            due=decision.due,
            announcement=announced_ready(key, record.uid, ready)
            if decision.reason_changed and ready
            else None,
            notices=tuple(announced_notice(key, record.uid, notice) for notice in decision.notices),
            reason=ready.reason if ready else "",
            definition=record.definition,
            made=decision.made,
            tests=tuple(test.name for test in decision.status.tests),
            postponed=decision.postponed,
            wrote=decision.write,
            renewal=decision.renewal,
            consent=consent,
        )

    def _settle(self, key: Key, outcome: ConsentOutcome) -> None:
        if self.desk is not None:
            self.desk.settle(key, outcome)

    def _resume(self, key: Key, record: InstanceRecord, raw: dict[str, Any]) -> bool:
        """Go on from a status that was decided and could not be written; tell whether there is one.

        Its verdict holds while its inputs do, so the external system is not asked again only because the API server
        refused a write: with a wrong password, tests too many lock an account.
        """
        uid, status = self._unwritten.pop(key, ("", None))
        if status is None or uid != record.uid:
            return False
        raw["status"] = status
        return True

    def _remember_awaited(self, key: Key, moment: datetime | None) -> None:
        """Remember when a consent is looked at next, None where none is under way."""
        if moment is None:
            self._awaited.pop(key, None)
        else:
            self._awaited[key] = moment

    def _remember_refused(self, key: Key, fingerprint: bytes | None) -> None:
        """Remember which credentials were refused, None where those of now are not."""
        if fingerprint is None:
            self._fingerprints.pop(key, None)
        else:
            self._fingerprints[key] = fingerprint

    async def admit_mistake(self, key: Key) -> None:
        """Write that the operator met a mistake of its own: no verdict holds until the next test."""
        record = self._store.instances.get(key)
        if record is None:
            return
        previous = InstanceStatus.model_validate(record.written_status())
        ready = ready_condition(
            Condition(
                type=c.READY,
                status="Unknown",
                reason=Reason.INTERNAL_ERROR,
                message=REASONS[Reason.INTERNAL_ERROR].meaning,
            )
        )
        now = timestamp(self._clock())
        status = summarise(
            previous, ready, undecided(()), generation=record.generation, now=now, identity=None, tested=None
        )
        if not says_the_same(previous, status):
            await self._write(key, record, status.to_wire())

    def _gather(self, key: Key, instance: IntegrationInstance) -> Inputs:
        name = instance.spec.definition_ref.name
        definition = self._store.definitions.get(name)
        reference, binding = instance.spec.auth.secret_ref, instance.spec.binding
        return Inputs(
            instance=instance,
            definition=definition.checked if definition else None,
            secret_version=self._store.secret_version(key.namespace, reference.name) if reference else None,
            name_owner=self._store.name_owner(key),
            now=self._clock(),
            similar_definitions=() if definition else self._store.similar_definitions(name),
            first_look=key not in self._seen,
            timing=self._timing,
            awaited_at=self._awaited.get(key),
            fingerprint_key=self._fingerprint_key,
            tested_fingerprint=self._fingerprints.get(key),
            random=secrets.token_bytes,
            redirect_uri=self.redirect_uri,
            record_version=self._store.record_version(key),
            binding_version=self._store.secret_version(key.namespace, binding.secret_name)
            if binding
            else None,
            consent=self.desk.take(key) if self.desk is not None else None,
        )

    async def _tell(self, inputs: Inputs, stored: list[WriteRecord]) -> Decision:
        """Drive the story, doing each effect that it yields. `stored` takes what was written of the record.

        The credentials stay in `sensitive.in_use` when it ends, so that the caller can still log a failure; the
        caller clears it.
        """
        sensitive.in_use.set(())
        story = reconcile(inputs)
        leaving = False
        try:
            effect = next(story)
            while True:
                answer: Answer
                if leaving and isinstance(effect, Send):
                    answer = Postponed(0.0)  # nothing more is sent, and what was about to be is taken back
                elif leaving and not isinstance(effect, WriteRecord):
                    raise asyncio.CancelledError
                elif _must_end(effect):
                    sensitive.in_use.set(
                        effect.sensitive if isinstance(effect, Send) else sensitive.in_use.get()
                    )
                    answer, cancelled = await undisturbed(self._perform(inputs.instance, effect))
                    leaving = leaving or cancelled
                else:
                    answer = await self._perform(inputs.instance, effect)
                if (
                    isinstance(effect, WriteRecord)
                    and isinstance(answer, RecordAnswer)
                    and not answer.problem
                ):
                    stored.append(effect)
                effect = story.send(answer)
        except StopIteration as end:
            decision: Decision = end.value
            return decision
        finally:
            story.close()

    async def _perform(self, instance: IntegrationInstance, effect: Effect) -> Answer:
        about, reference = instance.metadata, instance.spec.auth.secret_ref
        key = Key(INSTANCES.plural, about.namespace, about.name)
        owner = Owner(about.namespace, about.name, about.uid)
        match effect:
            case AskTurn():
                return ask_turn(self._traffic, effect, key)
            case ReadSecret(name):
                answer = await self._kube.read_secret(
                    about.namespace, name, not_older_than=self._store.secret_version(about.namespace, name)
                )
                # All of it, until the request says which values are used.
                sensitive.in_use.set(tuple(value.decode(errors="replace") for value in answer.data.values()))
                return answer
            case Send():
                sensitive.in_use.set(effect.sensitive)
                # A token that was asked for is paid for: only the test itself may be abandoned.
                async with self.outside.waiting(key, may_end=effect.request.purpose != "token"):
                    return await send(self._traffic, effect, key)
            case ReadRecord():
                return await self._vault.read(owner)
            case WriteRecord():
                return await self._vault.write(owner, effect)
            case KeepBinding():
                return await self._keep_binding(owner, effect, reference.name if reference else None)

    async def _keep_binding(self, owner: Owner, effect: KeepBinding, source: str | None) -> BindingAnswer:
        """Write the Secret for workloads. That it cannot be written is told, and takes no verdict back."""
        try:
            return await self._binder.keep(owner, effect, source=source)
        except ApiError as error:
            message = f"Secret '{effect.name}' could not be written: {error}."
            return BindingAnswer(problem=CredentialProblem(Reason.BINDING_NOT_WRITTEN, message))

    async def _write(self, key: Key, record: InstanceRecord, status: dict[str, Any]) -> None:
        """Write what differs. ApiError passes through, but for an object that is gone."""
        patch = merge_patch(record.written_status(), status)
        try:
            written = await self._kube.patch_status(INSTANCES, key.namespace, key.name, record.version, patch)
        except ApiError as error:
            if not error.gone:
                self._unsure.add(key)
                self._unwritten[key] = (record.uid, status)
                raise
            return  # the watch tells of the deletion
        self._store.put_own_write(written)

    async def _refuse_unreadable(self, key: Key, record: InstanceRecord, problems: str) -> Done:
        """Say of an object that passed an older or newer CRD why this operator cannot read it."""
        finding = Condition(
            type=c.CONFIG_VALID, status="False", reason=Reason.SPEC_INVALID, message=f"{problems}."
        )
        ready = ready_condition(finding)
        previous = record.written_status()
        found = [ready, finding, *kstatus_conditions(ready)]
        conditions = merge_conditions(
            _readable(previous.get("conditions")),
            found,
            generation=record.generation,
            now=timestamp(self._clock()),
        )
        status = InstanceStatus(
            observed_generation=record.generation,
            phase="Error",
            conditions=conditions,
            last_handled_request=record.request or None,
        ).to_wire()
        changed = status != previous
        if changed:
            await self._write(key, record, status)
        announcement = announced_ready(key, record.uid, ready) if changed else None
        return Done(announcement=announcement, reason=ready.reason, wrote=changed)

    async def _reconcile_definition(self, key: Key) -> Done:
        record = self._store.definitions.get(key.name)
        if record is None:
            return Done()
        try:
            previous = DefinitionStatus.model_validate(record.status)
        except ValidationError:
            previous = DefinitionStatus()
        status = definition_status(record.checked, previous, timestamp(self._clock()))
        ready = status.conditions[0]
        if status == previous:
            return Done(reason=ready.reason)
        patch = merge_patch(record.status, status.to_wire())
        try:
            written = await self._kube.patch_status(DEFINITIONS, "", key.name, record.version, patch)
        except ApiError as error:
            if not error.gone:
                raise
            return Done()
        self._store.put_own_definition_write(written)
        before = next((item for item in previous.conditions if item.type == c.READY), None)
        changed = before is None or (before.status, before.reason) != (ready.status, ready.reason)
        announcement = announced_ready(key, record.checked.uid, ready) if changed else None
        return Done(announcement=announcement, reason=ready.reason, wrote=True)


def _parsed(raw: dict[str, Any]) -> tuple[IntegrationInstance | None, str]:
    """Return the instance, or why it cannot be read."""
    try:
        return IntegrationInstance.model_validate(raw), ""
    except ValidationError as error:
        return None, listed(parse_violation(p) for p in error.errors(include_url=False, include_input=False))


def _ready_of(status: dict[str, Any]) -> tuple[object, object]:
    """Return status and reason of Ready in a status as it is written."""
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    ready = next((item for item in conditions if item.get("type") == c.READY), {})
    return ready.get("status"), ready.get("reason")


def _readable(conditions: object) -> list[Condition]:
    """Return the conditions that this version of the operator understands."""
    found = []
    for item in conditions if isinstance(conditions, list) else ():
        with suppress(ValidationError):
            found.append(Condition.model_validate(item))
    return found


def _must_end(effect: Effect) -> bool:
    """Tell whether an effect must not be left in the middle: what it brings could not be asked for again."""
    return isinstance(effect, WriteRecord) or (isinstance(effect, Send) and effect.request.purpose == "token")
