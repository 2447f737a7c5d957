"""What we know: the last seen state of instances, definitions and Secret versions, and who depends on whom.

Instances are kept as compact JSON, not as models: ten thousand of them must fit into a small container. Of Secrets
only the resourceVersion is kept, never data. Every method that takes in news returns what should be looked at.

What is older than we know is no news, save where it is said to be `restored`: the API server's state was put back to
an earlier one, from a backup, and counts its versions from there again. Then nothing that we know of an object can be
compared with what we hear of it.
"""

from __future__ import annotations

import difflib
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES
from integration_hub.credentials.lifetime import act_by
from integration_hub.model import conditions as c
from integration_hub.model.base import AUTHORIZE_ANNOTATION, REQUEST_ANNOTATION
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.definition import CheckedDefinition, check_definition
from integration_hub.reconcile.times import parse_timestamp
from integration_hub.shell.keys import Key, Priority, Wake
from integration_hub.shell.record_names import record_name, uid_of_record

SecretName = tuple[str, str]
DisplayName = tuple[str, str]
"""A namespace, and a name that an instance shows in it."""
Seniority = tuple[str, str]
"""When an instance was made, and its name, which decides between those of one second."""

TOLD = 20
"""Instances of one display name that are looked at when its owner changes. To tell all of them would cost as much as
their number each time, and somebody with thousands could keep the operator busy; a message of the others may name a
former owner until something else about them changes."""
SIMILAR = 3
"""Names that are offered in place of one that was misspelt."""


@dataclass(slots=True)
class InstanceRecord:
    """One instance: what the tables need at hand, and the rest as JSON."""

    uid: str
    generation: int
    version: int
    created: str
    display_name: str
    definition: str
    secret: str
    binding: str
    """Name of the Secret for workloads, '' where none is wanted."""
    request: str
    authorize: str
    ready: str
    status_json: bytes
    object_json: bytes
    """metadata (the part that is read) and spec."""
    unwritten_json: bytes = b""
    """A newer status that differs from the written one in its clocks only; empty where there is none."""
    act_by: float | None = None
    """Unix time at which the credential ends, or the consent to it, where a person must act before; None where not."""

    def raw(self) -> dict[str, Any]:
        """Return the object as the API server would, less what nobody reads."""
        raw: dict[str, Any] = orjson.loads(self.object_json)
        raw["status"] = orjson.loads(self.unwritten_json or self.status_json)
        return raw

    def written_status(self) -> dict[str, Any]:
        """Return the status as the API server has it: what a patch starts from."""
        status: dict[str, Any] = orjson.loads(self.status_json)
        return status

    def link(self) -> str:
        """Return the link that the written status shows to people, '' where it shows none."""
        shown: dict[str, Any] = self.written_status().get("authorization") or {}
        return str(shown.get("url", ""))

    def ready_reason(self) -> str:
        """Return the reason of Ready in the written status, '' where there is none yet."""
        conditions: list[dict[str, Any]] = self.written_status().get("conditions") or []
        return next((item.get("reason", "") for item in conditions if item.get("type") == c.READY), "")


@dataclass(slots=True)
class DefinitionRecord:
    """One definition, checked once per generation."""

    checked: CheckedDefinition
    version: int
    status: dict[str, Any]


class Store:
    """The tables. Not safe for threads: the operator's loop is its only user."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self.instances: dict[Key, InstanceRecord] = {}
        self.definitions: dict[str, DefinitionRecord] = {}
        self._by_uid: dict[str, Key] = {}
        self._secrets: dict[SecretName, int] = {}
        self._by_definition: defaultdict[str, set[Key]] = defaultdict(set)
        self._by_secret: defaultdict[SecretName, set[Key]] = defaultdict(set)
        self._by_display_name: defaultdict[DisplayName, list[Seniority]] = defaultdict(list)
        """The oldest first: it owns the name."""

    # News of instances

    def put_instance(
        self, raw: Mapping[str, Any], priority: Priority = Priority.USER, *, restored: bool = False
    ) -> list[Wake]:
        """Take in an instance as a watch, a list or a write's answer shows it. Older news than we have is ignored."""
        key = instance_key(raw)
        known = self.instances.get(key)
        new = record_of(raw)
        if known is not None and new.version <= known.version and not restored:
            return []
        if known is not None and known.uid == new.uid and known.status_json == new.status_json:
            new.unwritten_json = known.unwritten_json
        self.instances[key] = new
        if known is not None:
            self._by_uid.pop(known.uid, None)
        self._by_uid[new.uid] = key
        rivals = self._relink(key, known, new)
        if known is None or known.uid != new.uid or restored:
            return [Wake(key, priority), *rivals]
        if _wishes(known) != _wishes(new):
            return [Wake(key, Priority.USER), *rivals]
        # Somebody else wrote the status: look again, so that it tells the truth.
        return [Wake(key, Priority.INPUT)] if known.status_json != new.status_json else []

    def put_own_write(self, raw: Mapping[str, Any]) -> None:
        """Take in the answer to our own status write, so that its echo from the watch is no news."""
        key = instance_key(raw)
        known = self.instances.get(key)
        if known is not None and known.uid == raw["metadata"]["uid"]:
            new = record_of(raw)
            if _wishes(new) == _wishes(known) and new.version > known.version:
                self.instances[key] = new
            # Else somebody changed the object meanwhile: the watch brings that, or has brought it, as news of its own.

    def put_unwritten_status(self, key: Key, status: Mapping[str, Any]) -> None:
        """Remember a status that says nothing new but its clocks and was therefore not written."""
        known = self.instances.get(key)
        if known is not None:
            known.unwritten_json = _packed(status)

    def remove_instance(self, key: Key) -> list[Wake]:
        """Forget a deleted instance. Whoever shared its display name may have it now."""
        known = self.instances.pop(key, None)
        if known is None:
            return []
        self._by_uid.pop(known.uid, None)
        # Itself too: a reconcile that is under way may leave something behind that the next one clears.
        return [Wake(key, Priority.INPUT), *self._relink(key, known, None)]

    # News of definitions

    def put_definition(
        self, raw: Mapping[str, Any], priority: Priority = Priority.INPUT, *, restored: bool = False
    ) -> list[Wake]:
        """Take in a definition; its instances are looked at again when it is another or changed."""
        metadata = raw["metadata"]
        name, version = metadata["name"], int(metadata["resourceVersion"])
        known = self.definitions.get(name)
        if known is not None and version <= known.version and not restored:
            return []
        about = (metadata["uid"], metadata.get("generation", 0))
        unchanged = (
            known is not None and (known.checked.uid, known.checked.generation) == about and not restored
        )
        checked = known.checked if known is not None and unchanged else check_definition(raw)
        self.definitions[name] = DefinitionRecord(checked, version, dict(raw.get("status") or {}))
        wakes = [Wake(definition_key(name), priority)]
        return wakes if unchanged else wakes + self._wakes(self._by_definition.get(name, ()), priority)

    def put_own_definition_write(self, raw: Mapping[str, Any]) -> None:
        """Take in the answer to our own status write of a definition."""
        metadata = raw["metadata"]
        known, version = self.definitions.get(metadata["name"]), int(metadata["resourceVersion"])
        about = (metadata["uid"], metadata["generation"])
        if (
            known is not None
            and (known.checked.uid, known.checked.generation) == about
            and version > known.version
        ):
            self.definitions[metadata["name"]] = DefinitionRecord(
                known.checked, version, dict(raw.get("status") or {})
            )

    def remove_definition(self, name: str) -> list[Wake]:
        """Forget a deleted definition; its instances must say so."""
        if self.definitions.pop(name, None) is None:
            return []
        return self._wakes(self._by_definition.get(name, ()), Priority.INPUT)

    # News of Secrets

    def put_secret(
        self, raw: Mapping[str, Any], priority: Priority = Priority.INPUT, *, restored: bool = False
    ) -> list[Wake]:
        """Take in that a Secret has a version. Of `raw` only the metadata is read."""
        metadata = raw["metadata"]
        name = (metadata["namespace"], metadata["name"])
        version = int(metadata["resourceVersion"])
        if self._secrets.get(name, -1) >= version and not restored:
            return []
        self._secrets[name] = version
        return self._wakes(self._by_secret.get(name, ()), priority)

    def remove_secret(self, namespace: str, name: str) -> list[Wake]:
        """Forget a deleted Secret; whoever uses it must say so, and so must whose record it was."""
        if self._secrets.pop((namespace, name), None) is None:
            return []
        owner = self._by_uid.get(uid_of_record(name) or "")
        if owner is not None:
            return [Wake(owner, Priority.INPUT)]
        return self._wakes(self._by_secret.get((namespace, name), ()), Priority.INPUT)

    # Questions

    def secret_version(self, namespace: str, name: str) -> str | None:
        """Return the last seen resourceVersion of a Secret, None where there is none."""
        version = self._secrets.get((namespace, name))
        return None if version is None else str(version)

    def record_version(self, key: Key) -> str | None:
        """Return the last seen resourceVersion of what the operator keeps for an instance, None where there is none."""
        known = self.instances.get(key)
        return self.secret_version(key.namespace, record_name(known.uid)) if known is not None else None

    def locked_out(self) -> list[Key]:
        """Return the instances that say that a key is missing: to open what was stored for them, or to seal it."""
        return [
            key
            for key, record in self.instances.items()
            if record.ready != "True" and record.ready_reason() in _LOCKED_OUT
        ]

    def key_of_uid(self, uid: str) -> Key | None:
        """Return the instance of that `metadata.uid`."""
        return self._by_uid.get(uid)

    def link_of(self, key: Key) -> str:
        """Return the link that an instance shows to people, '' where it shows none."""
        record = self.instances.get(key)
        return record.link() if record is not None else ""

    def uids(self) -> frozenset[str]:
        """Return the `metadata.uid` of all instances."""
        return frozenset(self._by_uid)

    def versions(self, plural: str) -> dict[Key, int]:
        """Return the keys and resourceVersions of all objects known of a resource, as a copy."""
        if plural == DEFINITIONS.plural:
            return {definition_key(name): record.version for name, record in self.definitions.items()}
        if plural == INSTANCES.plural:
            return {key: record.version for key, record in self.instances.items()}
        return {Key(plural, *name): version for name, version in self._secrets.items()}

    def secret_count(self) -> int:
        """Return how many Secrets are known."""
        return len(self._secrets)

    def name_owner(self, key: Key) -> str | None:
        """Return the name of the oldest other instance with the same display name, if it is older than this one."""
        owner = self._by_display_name[_display_name(key, self.instances[key])][0][1]
        return None if owner == key.name else owner

    def similar_definitions(self, name: str) -> tuple[str, ...]:
        """Return the names of definitions that are spelt like this one, the most alike first."""
        return tuple(difflib.get_close_matches(name.lower(), self.definitions, n=SIMILAR))

    # Inside

    def _relink(self, key: Key, old: InstanceRecord | None, new: InstanceRecord | None) -> list[Wake]:
        """Put an instance where it belongs in the indexes; wake whose claim to a display name that changes."""
        if old is not None and new is not None and _links(key, old) == _links(key, new):
            return []
        names = {_display_name(key, record) for record in (old, new) if record is not None}
        before = {name: self._owner(name) for name in names}
        if old is not None:
            self._unlink(key, old)
        if new is not None:
            self._link(key, new)
        return [
            Wake(rival, Priority.INPUT)
            for name in sorted(names)
            if self._owner(name) != before[name]
            for _, rival_name in self._by_display_name.get(name, ())[:TOLD]
            if (rival := key._replace(name=rival_name)) != key
        ]

    def _owner(self, name: DisplayName) -> Seniority | None:
        return next(iter(self._by_display_name.get(name, ())), None)

    def _link(self, key: Key, record: InstanceRecord) -> None:
        self._by_definition[record.definition].add(key)
        for name in _secrets_of(record):
            self._by_secret[key.namespace, name].add(key)
        insort(self._by_display_name[_display_name(key, record)], _seniority(key, record))

    def _unlink(self, key: Key, record: InstanceRecord) -> None:
        _discard(self._by_definition, record.definition, key)
        for secret in _secrets_of(record):
            _discard(self._by_secret, (key.namespace, secret), key)
        name = _display_name(key, record)
        same = self._by_display_name[name]
        del same[bisect_left(same, _seniority(key, record))]
        if not same:
            del self._by_display_name[name]

    @staticmethod
    def _wakes(keys: Iterable[Key], priority: Priority) -> list[Wake]:
        return [Wake(key, priority) for key in keys]


def instance_key(raw: Mapping[str, Any]) -> Key:
    """Return the key of an instance as the API server shows it."""
    return Key(INSTANCES.plural, raw["metadata"]["namespace"], raw["metadata"]["name"])


def definition_key(name: str) -> Key:
    """Return the key of a definition."""
    return Key(DEFINITIONS.plural, "", name)


_LOCKED_OUT = frozenset({Reason.KEYRING_UNAVAILABLE, Reason.CREDENTIAL_UNREADABLE})

_WISHES = (REQUEST_ANNOTATION, AUTHORIZE_ANNOTATION)

_METADATA = (
    "name",
    "namespace",
    "uid",
    "generation",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
)
_CREDENTIAL_TIMES = ("expiresAt", "renewsAt", "authorizationExpiresAt")


def record_of(raw: Mapping[str, Any]) -> InstanceRecord:
    """Return what is kept of an instance as the API server shows it."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    kept: dict[str, Any] = {name: metadata[name] for name in _METADATA if metadata.get(name) is not None}
    annotations: dict[str, str] = metadata.get("annotations") or {}
    wishes = {name: annotations[name] for name in _WISHES if annotations.get(name)}
    if wishes:
        kept["annotations"] = wishes
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    ready = next((item for item in conditions if item.get("type") == c.READY), {})
    return InstanceRecord(
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        version=int(metadata["resourceVersion"]),
        created=metadata.get("creationTimestamp", ""),
        display_name=spec.get("displayName") or metadata["name"],
        definition=(spec.get("definitionRef") or {}).get("name", ""),
        secret=((spec.get("auth") or {}).get("secretRef") or {}).get("name", ""),
        binding=(spec.get("binding") or {}).get("secretName", ""),
        request=wishes.get(REQUEST_ANNOTATION, ""),
        authorize=wishes.get(AUTHORIZE_ANNOTATION, ""),
        ready=ready.get("status", "Unknown"),
        status_json=_packed(status),
        object_json=_packed({"metadata": kept, "spec": spec}),
        act_by=_act_by(status.get("credential") or {}),
    )


def _act_by(credential: Mapping[str, Any]) -> float | None:
    times = (parse_timestamp(credential.get(name)) for name in _CREDENTIAL_TIMES)
    moment = act_by(*times)
    return None if moment is None else moment.timestamp()


def _packed(value: Mapping[str, Any]) -> bytes:
    """Return the JSON in as many bytes as it has: orjson's own keep the room of the buffer they were written to."""
    return bytes(memoryview(orjson.dumps(value)))


def _wishes(record: InstanceRecord) -> tuple[int, str, str]:
    """Return what a person changes: the spec, and requests by annotation."""
    return record.generation, record.request, record.authorize


def _secrets_of(record: InstanceRecord) -> set[str]:
    """Return the names of the Secrets that an instance names."""
    return {record.secret, record.binding} - {""}


def _links(key: Key, record: InstanceRecord) -> tuple[str, set[str], DisplayName, Seniority]:
    return record.definition, _secrets_of(record), _display_name(key, record), _seniority(key, record)


def _display_name(key: Key, record: InstanceRecord) -> DisplayName:
    return key.namespace, record.display_name


def _seniority(key: Key, record: InstanceRecord) -> Seniority:
    return record.created, key.name


def _discard(table: dict[Any, set[Key]], entry: Any, key: Key) -> None:
    table[entry].discard(key)
    if not table[entry]:
        del table[entry]
