"""Giving tokens back before an instance goes, where its `deletionPolicy` is Revoke.

The one finalizer of the operator stands for it. It is there only while it is wanted, and never for longer than the
deadline: who deletes a namespace must not wait for an external system that is gone, too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import structlog

from integration_hub.adapters.kube import FIELD_MANAGER, INSTANCES, ApiError, KubeClient
from integration_hub.adapters.kube_api import CONFLICT
from integration_hub.adapters.traffic import Traffic
from integration_hub.auth.credentials import sensitive_values
from integration_hub.auth.flow import CredentialProblem, Credentials
from integration_hub.auth.methods import METHODS
from integration_hub.auth.tokens import TokenMethod, TokenRefused, token_method
from integration_hub.credentials.lifetime import is_alive
from integration_hub.credentials.record import CredentialRecord
from integration_hub.model.base import REVOKE_FINALIZER
from integration_hub.model.http import Outcome
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.model.tokens import Tokens
from integration_hub.probe.diagnose import diagnose
from integration_hub.reconcile.definition import CheckedDefinition
from integration_hub.reconcile.execute import read_secret, use_secret
from integration_hub.reconcile.gates import Considered, Ready, pass_gates
from integration_hub.reconcile.inputs import (
    Answer,
    Effect,
    Inputs,
    ReadRecord,
    ReadSecret,
    RecordAnswer,
    Send,
)
from integration_hub.reconcile.steps import Ended, Wire, drive
from integration_hub.reconcile.times import parse_timestamp
from integration_hub.shell import sensitive
from integration_hub.shell.done import Announcement, Done
from integration_hub.shell.hands import send
from integration_hub.shell.keys import Key
from integration_hub.shell.outside import Outside
from integration_hub.shell.record_names import record_name
from integration_hub.shell.store import InstanceRecord, Store
from integration_hub.shell.vault import Owner, Vault

DEADLINE: Final = timedelta(minutes=5)
"""After the deletion was asked for, nobody waits any longer for tokens to be given back."""
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(seconds=60)
"""Between tries. Each is about as long as all before it, so the moment of the deletion is all that is remembered."""
MAX_CONFLICTS: Final = 5
"""Writes of the finalizer that somebody else's got in the way of, before it is looked at anew."""

_REFUSED = frozenset({403, 422})
"""The finalizer may not be written: the operator lacks the right, or a policy of the cluster forbids it."""
_MAY_PASS = frozenset({408, 425, 429})
"""Refusals that say nothing of the next try, beside those of 500 and more (RFC 7009 section 2.2.1)."""
_SERVER_ERROR = 500

log = structlog.get_logger("integration_hub.revocation")
audit = structlog.get_logger("integration_hub.audit")


class Attempt(NamedTuple):
    """How it went to give back all that there is."""

    revoked: int = 0
    """Grants that were given back."""
    problem: str = ""
    """Why there is one that was not; '' where there is none."""
    lasting: bool = False
    """Whether another try would end no better."""
    pause: float = 0.0
    """Seconds that must pass before one, where the other side has said so."""


Story = Generator[Effect, Answer, Attempt]


def wants_finalizer(inputs: Inputs) -> bool | None:
    """Tell whether the instance must not go before its tokens were given back; None where what is there stays.

    Where the method keeps no tokens there is nothing to wait for. But one that was chosen before may have kept some, so
    nothing is taken away either: what the record has is seen when the instance goes.
    """
    if inputs.instance.spec.deletion_policy != "Revoke":
        return False
    if inputs.definition is None or inputs.definition.violations:
        return None
    method = Considered(inputs).method
    if method is None:
        return None
    return True if token_method(METHODS[method.type], method.settings) else None


def give_back(inputs: Inputs) -> Story:
    """Give back all tokens that the instance's record has, each to whom it is from and to nobody else."""
    answer = yield ReadRecord()
    if not isinstance(answer, RecordAnswer):
        raise TypeError("a record was asked for")
    if answer.problem is not None:
        return _unable(answer.problem)
    held = tuple(_worth_giving_back(answer.record, inputs.now))
    if not held:
        return _vanished(inputs) if answer.record is None else Attempt()
    gates = pass_gates(inputs)
    if gates.passed is None:
        return Attempt(problem=gates.conditions[-1].message, lasting=True)
    secret = yield from read_secret(inputs.instance, gates.passed)
    credentials = use_secret(inputs.instance, gates.passed, secret)
    if isinstance(credentials, CredentialProblem):
        return _unable(credentials)
    method = token_method(gates.passed.method_type, gates.passed.settings)
    if method is None:
        message = f"They are not of auth method '{gates.passed.method.name}', which keeps none."
        return Attempt(problem=message, lasting=True)
    attempts = []
    for tokens in held:
        attempt = yield from _give_back_one(inputs, gates.passed, method, credentials, tokens)
        attempts.append(attempt)
    return _summed(attempts)


def _give_back_one(
    inputs: Inputs, passed: Ready, method: TokenMethod, credentials: Credentials, tokens: Tokens
) -> Story:
    rules = method.token_rules(passed.settings, credentials, passed.context)
    if tokens.grant != rules.grant:
        # Who gave them out is not known any more, and nobody else must see them.
        message = "They were granted before the client, its scopes or an address have changed."
        return Attempt(problem=message, lasting=True)
    if not rules.revocable:
        return Attempt(problem="The definition names no URL at which tokens can be given back.", lasting=True)
    plan, shown = passed.tests[0].plan, credentials.with_tokens(tokens)
    wire = Wire(plan.allowed_hosts, plan.ca_bundle, sensitive_values(shown), urgent=True)
    ended = yield from drive(method.revoke(passed.settings, shown, tokens, passed.context), wire)
    return _told(inputs, passed, shown, ended)


def _told(
    inputs: Inputs, passed: Ready, credentials: Credentials, ended: Ended[TokenRefused | None]
) -> Attempt:
    """Say what came of it: an answer, good or bad, or none."""
    if ended.postponed is not None:
        return Attempt(problem="The host is asked too often already.", pause=ended.postponed.seconds)
    last = ended.outcomes[-1] if ended.outcomes else None
    if last is not None and last.response is None:
        found = diagnose(
            passed.tests[0].plan, ended.outcomes, now=inputs.now, credentials=credentials, sent=ended.sent
        )
        lasting = REASONS[found.reason].course is Course.STALLED
        return Attempt(problem=found.message, lasting=lasting, pause=found.again_in or 0.0)
    if ended.result is None:
        return Attempt(revoked=1)
    return Attempt(problem=_words(ended.result, last), lasting=last is None or not _may_pass(last))


def _words(refused: TokenRefused, last: Outcome | None) -> str:
    if refused.message:
        return refused.message
    status = last.response.status if last is not None and last.response is not None else "none"
    code = f", code '{refused.code}'" if refused.code else ""
    return f"The external system refuses to take them back (HTTP status {status}{code})."


def _may_pass(last: Outcome) -> bool:
    status = last.response.status if last.response is not None else 0
    return status in _MAY_PASS or status >= _SERVER_ERROR


def _worth_giving_back(record: CredentialRecord | None, now: datetime) -> Iterator[Tokens]:
    """Yield what is of any use to whoever has it, each grant once; what is in use comes last."""
    known: set[str] = set()
    for tokens in (record.candidate, record.tokens) if record is not None else ():
        if tokens is None:
            continue
        shown = tokens.refresh_token or tokens.access_token
        useful = tokens.refresh_token is not None or (tokens.access_token and is_alive(tokens, now))
        if useful and shown not in known:
            known.add(shown)
            yield tokens


def _vanished(inputs: Inputs) -> Attempt:
    """Say of a record that is not there that it is missing, where the status tells that there were tokens in it."""
    status = inputs.instance.status
    credential, awaited = status.credential, status.authorization is not None
    keeps_none = inputs.definition is not None and wants_finalizer(inputs) is None
    if credential is None or credential.id is None or keeps_none:
        return Attempt()
    if awaited and credential.expires_at is None:
        return Attempt()  # nobody has consented yet
    name = record_name(inputs.instance.metadata.uid)
    return Attempt(problem=f"Secret '{name}', which held them, is gone.", lasting=True)


_FOR_OTHERS_TO_GIVE = frozenset({Reason.SECRET_FORBIDDEN})
"""Rights that are missing may come; by its course this reason only waits for a person."""


def _unable(problem: CredentialProblem) -> Attempt:
    may_pass = REASONS[problem.reason].course is Course.RETRYING or problem.reason in _FOR_OTHERS_TO_GIVE
    return Attempt(problem=problem.message, lasting=not may_pass)


def _summed(attempts: list[Attempt]) -> Attempt:
    """Return one for all. What may yet succeed is worth another try: giving back twice does no harm."""
    failed = [attempt for attempt in attempts if attempt.problem]
    passing = [attempt for attempt in failed if not attempt.lasting]
    return Attempt(
        revoked=sum(attempt.revoked for attempt in attempts),
        problem=next((attempt.problem for attempt in (*passing, *failed)), ""),
        lasting=bool(failed) and not passing,
        pause=max((attempt.pause for attempt in passing), default=0.0),
    )


class Revoker:
    """Puts the finalizer on instances that want it, and takes it away once nothing keeps them any more."""

    def __init__(
        self,
        kube: KubeClient,
        traffic: Traffic,
        vault: Vault,
        store: Store,
        *,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`random` returns so many bytes, fit for secrets."""
        self._kube = kube
        self._traffic = traffic
        self._vault = vault
        self._store = store
        self._random = random
        self._noticed: dict[str, datetime] = {}
        """When the deletion of an instance was first seen, by its UID: the API server's clock may be wrong."""
        self.outside = Outside()
        """Who waits for an external system: to be shared with whoever else lets keys wait."""

    async def attend(  # noqa: PLR0913, PLR0917 - what is known of an instance
        self,
        key: Key,
        record: InstanceRecord,
        raw: Mapping[str, Any],
        instance: IntegrationInstance | None,
        definition: CheckedDefinition | None,
        now: datetime,
    ) -> Done | None:
        """See to the finalizer; None where there is nothing to do and the reconcile goes on.

        An instance that is being deleted is never gone on with. ApiError where the API server could not be told.

        Args:
            key: whose it is.
            record: what the store has of it.
            raw: the same, as the API server would show it.
            instance: the same, None where it cannot be read.
            definition: its definition, None where there is none.
            now: in UTC.

        """
        metadata = raw["metadata"]
        marked = REVOKE_FINALIZER in (metadata.get("finalizers") or ())
        inputs = None if instance is None else self._inputs(instance, definition, now)
        if metadata.get("deletionTimestamp"):
            return await self._attend_end(key, record, raw, inputs, now) if marked else Done()
        wanted = None if inputs is None else wants_finalizer(inputs)
        if wanted is None or wanted is marked:
            return None
        if not await self._mark(key, raw, wanted=wanted):
            return None
        # What was decided from is older than what is there now: once more, with that.
        return Done(due=now, wrote=True)

    def _inputs(
        self, instance: IntegrationInstance, definition: CheckedDefinition | None, now: datetime
    ) -> Inputs:
        return Inputs(
            instance=instance,
            definition=definition,
            secret_version=None,
            name_owner=None,  # whose name it is does not matter any more
            now=now,
            random=self._random,
        )

    # The finalizer

    async def _mark(self, key: Key, raw: Mapping[str, Any], *, wanted: bool) -> bool:
        """Write the finalizer or take it away, and nothing else; tell whether the object has changed."""
        found: Mapping[str, Any] | None = raw
        for _ in range(MAX_CONFLICTS):
            if found is None or _is_settled(found["metadata"], raw["metadata"]["uid"], wanted=wanted):
                return True
            patch = _patch(found["metadata"], wanted=wanted)
            try:
                written = await self._kube.merge(
                    INSTANCES, key.namespace, key.name, patch, manager=FIELD_MANAGER
                )
            except ApiError as error:
                if wanted and error.status in _REFUSED:
                    log.warning("may not hold back deletions", instance=str(key), error=error.reason)
                    return False
                if error.status != CONFLICT and not error.gone:
                    raise
                found = await self._look_again(key)
            else:
                self._store.put_own_write(written)
                return True
        raise ApiError(CONFLICT, "Conflict", f"{key} changes all the time")

    async def _look_again(self, key: Key) -> dict[str, Any] | None:
        try:
            return await self._kube.read(INSTANCES, key.namespace, key.name)
        except ApiError as error:
            if error.gone:
                return None
            raise

    # The end

    async def _attend_end(
        self,
        key: Key,
        record: InstanceRecord,
        raw: Mapping[str, Any],
        inputs: Inputs | None,
        now: datetime,
    ) -> Done:
        """Give tokens back; then, or when that has become pointless, let the instance go."""
        asked = parse_timestamp(raw["metadata"]["deletionTimestamp"]) or now
        deleted_at = min(asked, self._noticed.setdefault(record.uid, now))
        attempt = await self._try(key, inputs, is_last=now >= deleted_at + DEADLINE)
        if attempt.problem and not attempt.lasting and now < deleted_at + DEADLINE:
            due = min(now + _pause(now - deleted_at, attempt.pause), deleted_at + DEADLINE)
            log.warning(
                "tokens are not given back yet; will try again", instance=str(key), why=attempt.problem
            )
            return Done(due=due, definition=record.definition)
        await self._mark(key, raw, wanted=False)
        self._noticed.pop(record.uid, None)
        await self._vault.forget(record.uid)
        return Done(announcement=_announce(key, record, attempt), definition=record.definition, wrote=True)

    async def _try(self, key: Key, inputs: Inputs | None, *, is_last: bool) -> Attempt:
        if inputs is None:
            return Attempt(problem="The operator cannot read the instance.", lasting=True)
        if inputs.instance.spec.deletion_policy != "Revoke":
            return Attempt()  # somebody has thought better of it
        try:
            return await self._perform_all(key, inputs)
        except ApiError as error:
            return Attempt(problem=f"The API server did not help ({error.reason}).")
        except Exception:
            if not is_last:
                raise
            # A mistake of ours must not keep a namespace for ever.
            log.exception("a mistake in the operator", instance=str(key))
            return Attempt(problem="The operator has made a mistake.", lasting=True)

    async def _perform_all(self, key: Key, inputs: Inputs) -> Attempt:
        """Drive the story. What is in use stays in `sensitive.in_use` when it ends; the caller clears it."""
        sensitive.in_use.set(())
        story = give_back(inputs)
        try:
            effect = next(story)
            while True:
                effect = story.send(await self._perform(key, inputs.instance.metadata.uid, effect))
        except StopIteration as end:
            attempt: Attempt = end.value
            return attempt
        finally:
            story.close()

    async def _perform(self, key: Key, uid: str, effect: Effect) -> Answer:
        match effect:
            case ReadRecord():
                return await self._vault.read(Owner(key.namespace, key.name, uid))
            case ReadSecret(name):
                answer = await self._kube.read_secret(key.namespace, name)
                sensitive.in_use.set(tuple(value.decode(errors="replace") for value in answer.data.values()))
                return answer
            case Send():
                sensitive.in_use.set(effect.sensitive)
                async with self.outside.waiting(key, may_end=False):
                    return await send(self._traffic, effect, key)
            case _:
                raise TypeError("nothing else is asked for where tokens are given back")


def _is_settled(metadata: Mapping[str, Any], uid: str, *, wanted: bool) -> bool:
    """Tell whether nothing is to be written: it is as wanted, another object, or one that may get no finalizer."""
    marked = REVOKE_FINALIZER in (metadata.get("finalizers") or ())
    too_late = wanted and bool(metadata.get("deletionTimestamp"))
    return metadata["uid"] != uid or marked is wanted or too_late


def _patch(metadata: Mapping[str, Any], *, wanted: bool) -> dict[str, Any]:
    """Return a merge patch of the finalizers alone.

    A list is patched as a whole, so what it is made from goes along: where the object is another one by now, or has
    changed, the API server answers 409, and no finalizer of somebody else's is lost or comes back.
    """
    others = [name for name in metadata.get("finalizers") or () if name != REVOKE_FINALIZER]
    finalizers = [*others, REVOKE_FINALIZER] if wanted else others
    return {
        "metadata": {
            "uid": metadata["uid"],
            "resourceVersion": str(metadata["resourceVersion"]),
            "finalizers": finalizers or None,
        }
    }


def _pause(waited: timedelta, told: float) -> timedelta:
    return max(min(max(waited, SHORTEST_PAUSE), LONGEST_PAUSE), timedelta(seconds=told))


def _announce(key: Key, record: InstanceRecord, attempt: Attempt) -> Announcement | None:
    """Write down what has become of the tokens, and return what an Event says; None where there were none."""
    facts = {"instance": str(key), "uid": record.uid, "definition": record.definition}
    if attempt.problem:
        message = (
            f"The tokens were not given back: {attempt.problem} Revoke this connection's access at the external"
            " system by hand."
        )
        log.warning("revocation given up", instance=str(key), why=attempt.problem)
        audit.info("revocation given up", **facts, grants_revoked=attempt.revoked, why=attempt.problem)
        return _announcement(key, record, Reason.REVOCATION_GIVEN_UP, message)
    audit.info("credential revoked" if attempt.revoked else "nothing to revoke", **facts)
    if not attempt.revoked:
        return None
    return _announcement(key, record, Reason.CREDENTIAL_REVOKED, REASONS[Reason.CREDENTIAL_REVOKED].meaning)


def _announcement(key: Key, record: InstanceRecord, reason: Reason, message: str) -> Announcement:
    return Announcement(
        kind=INSTANCES.kind,
        namespace=key.namespace,
        name=key.name,
        uid=record.uid,
        warning=reason is Reason.REVOCATION_GIVEN_UP,
        reason=reason,
        message=message,
    )
