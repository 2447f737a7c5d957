"""What the operator knows: the tables, and whom which news wakes."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from integration_hub.shell.keys import Key, Priority, Wake
from integration_hub.shell.store import TOLD, Store, definition_key, instance_key
from support.builders import CANARY, definition, instance, secret

NAMES, DEFINITIONS, SECRETS, TITLES = ["a", "b", "c"], ["acme", "other"], ["s1", "s2"], ["Prod", "Test"]
NAMESPACES = ["n1", "n2"]


@dataclass
class Model:
    """The truth on the API server, as far as the store was told of it."""

    instances: dict[Key, dict[str, Any]] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], int] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """The store against a model, with news in any order, old news among them."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.model, self.version = Store(), Model(), 0

    def next_version(self) -> int:
        self.version += 1
        return self.version

    @rule(
        namespace=st.sampled_from(NAMESPACES),
        name=st.sampled_from(NAMES),
        of=st.sampled_from(DEFINITIONS),
        uses=st.none() | st.sampled_from(SECRETS),
        title=st.none() | st.sampled_from(TITLES),
        anew=st.booleans(),
        old=st.booleans(),
    )
    def put_instance(  # noqa: PLR0917
        self, namespace: str, name: str, of: str, uses: str | None, title: str | None, anew: bool, old: bool
    ) -> None:
        known = self.model.instances.get(Key("integrationinstances", namespace, name))
        version = self.next_version()
        uid = known["metadata"]["uid"] if known and not anew else f"u-{version}"
        generation = known["metadata"]["generation"] + 1 if known and not anew else 1
        created = (
            known["metadata"]["creationTimestamp"]
            if known and not anew
            else f"2026-01-01T00:{version % 60:02}:00Z"
        )
        raw = instance(
            name,
            namespace=namespace,
            uid=uid,
            generation=generation,
            version=int(known["metadata"]["resourceVersion"]) if known and old else version,
            created=created,
            definitionRef={"name": of},
            auth={"secretRef": {"name": uses}} if uses else {},
            displayName=title,
        )
        wakes = self.store.put_instance(raw)
        if known and old:
            assert wakes == [], "old news"
        else:
            assert Wake(instance_key(raw), Priority.USER) in wakes
            self.model.instances[instance_key(raw)] = raw

    @rule(namespace=st.sampled_from(NAMESPACES), name=st.sampled_from(NAMES))
    def remove_instance(self, namespace: str, name: str) -> None:
        key = Key("integrationinstances", namespace, name)
        known = self.model.instances.pop(key, None)
        assert bool(self.store.remove_instance(key)) == (known is not None)

    @rule(name=st.sampled_from(DEFINITIONS), changed=st.booleans())
    def put_definition(self, name: str, changed: bool) -> None:
        known = self.model.definitions.get(name)
        generation = known["metadata"]["generation"] + changed if known else 1
        raw = definition(name, generation=generation, version=self.next_version())
        woken = {wake.key for wake in self.store.put_definition(raw)} - {definition_key(name)}
        self.model.definitions[name] = raw
        assert woken == (self.users(of=name) if changed or known is None else set())

    @rule(name=st.sampled_from(DEFINITIONS))
    def remove_definition(self, name: str) -> None:
        known = self.model.definitions.pop(name, None)
        woken = {wake.key for wake in self.store.remove_definition(name)}
        assert woken == (self.users(of=name) if known else set())

    @rule(namespace=st.sampled_from(NAMESPACES), name=st.sampled_from(SECRETS), old=st.booleans())
    def put_secret(self, namespace: str, name: str, old: bool) -> None:
        known = self.model.secrets.get((namespace, name))
        version = known if old and known is not None else self.next_version()
        woken = {
            wake.key for wake in self.store.put_secret(secret(name, namespace=namespace, version=version))
        }
        self.model.secrets[namespace, name] = version
        assert woken == (self.users(uses=(namespace, name)) if version != known else set())

    @rule(namespace=st.sampled_from(NAMESPACES), name=st.sampled_from(SECRETS))
    def remove_secret(self, namespace: str, name: str) -> None:
        known = self.model.secrets.pop((namespace, name), None)
        woken = {wake.key for wake in self.store.remove_secret(namespace, name)}
        assert woken == (self.users(uses=(namespace, name)) if known is not None else set())

    def users(self, *, of: str | None = None, uses: tuple[str, str] | None = None) -> set[Key]:
        return {
            key
            for key, raw in self.model.instances.items()
            if (of is not None and raw["spec"]["definitionRef"]["name"] == of)
            or (uses is not None and (key.namespace, self.reference(raw)) == uses)
        }

    @staticmethod
    def reference(raw: dict[str, Any]) -> str | None:
        name: str | None = raw["spec"]["auth"].get("secretRef", {}).get("name")
        return name

    @invariant()
    def holds_what_there_is_and_nothing_else(self) -> None:
        assert self.store.instances.keys() == self.model.instances.keys()
        assert self.store.definitions.keys() == self.model.definitions.keys()
        assert self.store.secret_count() == len(self.model.secrets)
        for key, raw in self.model.instances.items():
            held = self.store.instances[key].raw()
            assert held == raw | {"status": {}}
        for (namespace, name), version in self.model.secrets.items():
            assert self.store.secret_version(namespace, name) == str(version)

    @invariant()
    def no_index_keeps_a_dead_entry(self) -> None:
        for table in (self.store._by_definition, self.store._by_secret):
            assert all(keys for keys in table.values()), "an empty set is kept"
        held = [key for keys in self.store._by_definition.values() for key in keys]
        assert sorted(held) == sorted(self.model.instances), "each instance has one definition"
        users = [key for keys in self.store._by_secret.values() for key in keys]
        assert set(users) <= set(self.model.instances)
        assert {uid: key for key, record in self.store.instances.items() for uid in [record.uid]} == (
            self.store._by_uid
        )
        names = self.store._by_display_name
        assert all(names.values()), "an empty list is kept"
        assert sorted(
            (namespace, name) for (namespace, _), same in names.items() for _, name in same
        ) == sorted((key.namespace, key.name) for key in self.model.instances), (
            "each instance stands once in each index"
        )

    @invariant()
    def the_oldest_owns_a_name(self) -> None:
        by_name: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for key, raw in self.model.instances.items():
            title = raw["spec"].get("displayName") or key.name
            by_name.setdefault((key.namespace, title), []).append(
                (raw["metadata"]["creationTimestamp"], key.name)
            )
        for key, raw in self.model.instances.items():
            oldest = min(by_name[key.namespace, raw["spec"].get("displayName") or key.name])[1]
            assert self.store.name_owner(key) == (None if oldest == key.name else oldest)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def key(name: str = "prod") -> Key:
    return Key("integrationinstances", "team-a", name)


def filled(*raws: dict[str, Any]) -> Store:
    store = Store()
    for raw in raws:
        store.put_instance(raw)
    return store


CONNECTED = {"conditions": [{"type": "Ready", "status": "True"}]}


class TestNewsOfInstances:
    @pytest.mark.parametrize(
        ("raw", "expected", "reason"),
        [
            (instance(version=2, generation=2), Priority.USER, "the spec changed: a person waits"),
            (instance(version=2, request="1"), Priority.USER, "somebody asks for a test"),
            (instance(version=2, status=CONNECTED), Priority.INPUT, "somebody else wrote the status"),
            (instance(version=2, uid="i-2"), Priority.USER, "another object of the same name"),
            (instance(version=2), None, "labels, annotations and owners of others are no news"),
            (instance(version=1, generation=2), None, "the same version cannot have changed"),
            (instance(version=0, generation=2), None, "old news"),
            (instance(version=0, uid="i-0"), None, "old news of an object that was here before"),
        ],
    )
    def test_what_wakes(self, raw: dict[str, Any], expected: Priority | None, reason: str) -> None:
        wakes = filled(instance()).put_instance(raw)
        assert wakes == ([Wake(key(), expected)] if expected is not None else []), reason

    def test_what_is_new_waits_as_urgently_as_it_was_told(self) -> None:
        assert Store().put_instance(instance(), Priority.STARTUP) == [Wake(key(), Priority.STARTUP)]

    def test_our_own_write_is_no_news_when_the_watch_brings_it(self) -> None:
        store = filled(instance())
        written = instance(version=2, status=CONNECTED)
        store.put_own_write(written)
        assert store.instances[key()].ready == "True"
        assert store.put_instance(written) == []

    def test_an_answer_that_comes_after_newer_news_does_not_undo_them(self) -> None:
        store = filled(instance())
        store.put_instance(instance(version=3, status=CONNECTED))
        store.put_own_write(instance(version=2))
        assert (store.instances[key()].version, store.instances[key()].ready) == (3, "True")

    @pytest.mark.parametrize(
        "answer",
        [instance(version=2, generation=2), instance(version=2, request="1"), instance(version=2, uid="i-2")],
        ids=["spec", "request", "another object"],
    )
    def test_a_change_that_our_writes_answer_shows_is_still_news(self, answer: dict[str, Any]) -> None:
        store = filled(instance())
        store.put_own_write(answer)
        assert store.put_instance(answer)[0] == Wake(key(), Priority.USER)

    def test_a_status_that_was_not_written_is_remembered(self) -> None:
        store = filled(instance(status=CONNECTED))
        store.put_unwritten_status(key(), CONNECTED | {"lastTested": "now"})
        assert store.instances[key()].raw()["status"]["lastTested"] == "now"
        store.put_unwritten_status(key("gone"), {})

    def test_an_own_write_of_a_deleted_instance_brings_nothing_back(self) -> None:
        store = Store()
        store.put_own_write(instance())
        assert store.instances == {}

    def test_only_what_is_read_is_kept(self) -> None:
        raw = instance(request="1")
        raw["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = CANARY
        raw["metadata"]["managedFields"] = [CANARY]
        kept = filled(raw).instances[key()]
        assert CANARY not in repr(kept)
        assert kept.raw()["metadata"]["annotations"] == {"integrationhub.dev/request": "1"}

    def test_deleted_it_is_looked_at_once_more(self) -> None:
        # A reconcile that is under way leaves a time in the timetable, which the next one drops.
        store = filled(instance())
        assert store.remove_instance(key()) == [Wake(key(), Priority.INPUT)]
        assert store.remove_instance(key()) == []


class TestDisplayNames:
    OLD = instance("old", uid="1", created="2026-01-01T00:00:00Z", displayName="Prod")
    YOUNG = instance("young", uid="2", created="2026-01-02T00:00:00Z", displayName="Prod")
    TOLD = Wake(key("young"), Priority.INPUT)

    def test_the_younger_is_told_when_the_older_goes(self) -> None:
        assert self.TOLD in filled(self.OLD, self.YOUNG).remove_instance(key("old"))

    def test_the_younger_is_told_when_the_older_takes_another_name(self) -> None:
        store = filled(self.OLD, self.YOUNG)
        renamed = instance("old", uid="1", version=2, generation=2, displayName="Other")
        assert self.TOLD in store.put_instance(renamed)
        assert store.name_owner(key("young")) is None

    def test_the_younger_is_told_when_the_older_takes_its_name(self) -> None:
        # Else two would show the same name until the next periodic test.
        store = filled(instance("old", uid="1", displayName="Other"), self.YOUNG)
        renamed = instance("old", uid="1", version=2, generation=2, displayName="Prod")
        assert self.TOLD in store.put_instance(renamed)
        assert store.name_owner(key("young")) == "old"

    def test_the_younger_is_told_when_the_older_is_seen_later(self) -> None:
        assert self.TOLD in filled(self.YOUNG).put_instance(self.OLD)

    def test_the_younger_is_told_when_the_older_is_made_anew_and_so_the_youngest(self) -> None:
        store = filled(self.OLD, self.YOUNG)
        anew = instance("old", uid="3", version=2, created="2026-02-01T00:00:00Z", displayName="Prod")
        assert self.TOLD in store.put_instance(anew)
        assert (store.name_owner(key("young")), store.name_owner(key("old"))) == (None, "young")

    def test_nobody_is_told_of_a_change_that_leaves_the_name(self) -> None:
        store = filled(self.OLD, self.YOUNG)
        changed = instance(
            "old", uid="1", version=2, generation=2, displayName="Prod", config={"region": "us"}
        )
        assert store.put_instance(changed) == [Wake(key("old"), Priority.USER)]

    def test_in_another_namespace_the_name_is_free(self) -> None:
        store = filled(self.OLD, instance("young", namespace="team-b", uid="2", displayName="Prod"))
        assert store.name_owner(Key("integrationinstances", "team-b", "young")) is None

    def test_an_objects_own_name_counts_where_none_is_given(self) -> None:
        store = filled(instance("Prod", uid="1"), self.YOUNG)
        assert store.name_owner(key("young")) == "Prod"

    def test_made_in_the_same_second_the_name_decides(self) -> None:
        store = filled(instance("b", uid="1", displayName="X"), instance("a", uid="2", displayName="X"))
        assert (store.name_owner(key("a")), store.name_owner(key("b"))) == (None, "a")


class TestManyWithOneDisplayName:
    """A namespace full of instances that share a name costs no more than their number."""

    MANY = 500
    RAWS = tuple(
        instance(
            f"i-{n:03}", uid=f"u-{n}", created=f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z", displayName="Prod"
        )
        for n in range(MANY)
    )

    def test_one_more_that_is_younger_wakes_none_of_them(self) -> None:
        store = Store()
        assert [store.put_instance(raw) for raw in self.RAWS] == [
            [Wake(instance_key(raw), Priority.USER)] for raw in self.RAWS
        ]

    def test_a_younger_one_that_goes_wakes_none_of_them(self) -> None:
        store = filled(*self.RAWS)
        for raw in self.RAWS[:0:-1]:
            assert store.remove_instance(instance_key(raw)) == [Wake(instance_key(raw), Priority.INPUT)]

    def test_the_owner_that_goes_wakes_the_next_and_a_bounded_number_of_others(self) -> None:
        store = filled(*self.RAWS)
        for old, heir in itertools.pairwise(map(instance_key, self.RAWS)):
            woken = [wake.key for wake in store.remove_instance(old)]
            assert woken[1] == heir
            assert len(woken) <= 1 + TOLD
            assert store.name_owner(heir) is None

    def test_seen_from_the_youngest_on_each_tells_a_bounded_number(self) -> None:
        store = Store()
        for raw in reversed(self.RAWS):
            assert len(store.put_instance(raw)) <= 1 + TOLD


class TestSimilarDefinitions:
    def test_the_most_alike_come_first_and_no_more_than_three(self) -> None:
        store = Store()
        for name in ("salesforce", "salesforce-eu", "salesforce-us", "salesforce-ap", "stripe"):
            store.put_definition(definition(name))
        similar = store.similar_definitions("salesfroce")
        assert similar[0] == "salesforce"
        assert len(similar) == 3
        assert "stripe" not in similar

    @pytest.mark.parametrize("name", ["", "zzz", "x" * 300])
    def test_where_none_is_alike_none_is_offered(self, name: str) -> None:
        store = Store()
        store.put_definition(definition("salesforce"))
        assert store.similar_definitions(name) == ()

    def test_a_deleted_one_is_not_offered(self) -> None:
        store = Store()
        store.put_definition(definition("salesforce"))
        assert store.similar_definitions("Salesforce") == ("salesforce",)
        store.remove_definition("salesforce")
        assert store.similar_definitions("salesforc") == ()


class TestNewsOfDefinitions:
    def test_its_own_status_write_is_no_news(self) -> None:
        store = filled(instance())
        store.put_definition(definition())
        written = definition(version=2) | {"status": {"observedGeneration": 1}}
        store.put_own_definition_write(written)
        assert store.put_definition(written) == []
        assert store.definitions["acme"].status == {"observedGeneration": 1}

    def test_a_status_write_wakes_no_instance(self) -> None:
        store = filled(instance())
        store.put_definition(definition())
        assert store.put_definition(definition(version=2)) == [Wake(definition_key("acme"), Priority.INPUT)]

    def test_it_is_checked_once_per_generation(self) -> None:
        store = Store()
        store.put_definition(definition())
        checked = store.definitions["acme"].checked
        store.put_definition(definition(version=2))
        assert store.definitions["acme"].checked is checked
        store.put_definition(definition(version=3, generation=2))
        assert store.definitions["acme"].checked is not checked

    @pytest.mark.parametrize("changed", [{"generation": 2}, {"uid": "d-2"}])
    def test_a_change_wakes_its_instances(self, changed: dict[str, Any]) -> None:
        store = filled(instance(), instance("other", uid="i-2", definitionRef={"name": "other"}))
        store.put_definition(definition())
        assert store.put_definition(definition(version=2, **changed)) == [
            Wake(definition_key("acme"), Priority.INPUT),
            Wake(key(), Priority.INPUT),
        ]

    @pytest.mark.parametrize("old", [{"generation": 0}, {"uid": "d-0"}])
    def test_old_news_change_nothing(self, old: dict[str, Any]) -> None:
        store = Store()
        store.put_definition(definition(version=5))
        assert store.put_definition(definition(version=4, **old)) == []
        assert (store.definitions["acme"].version, store.definitions["acme"].checked.uid) == (5, "d-1")

    def test_an_answer_that_comes_after_newer_news_does_not_undo_them(self) -> None:
        store = Store()
        store.put_definition(definition(version=3))
        store.put_own_definition_write(definition(version=2) | {"status": {"observedGeneration": 0}})
        assert store.definitions["acme"].version == 3


def test_of_a_secret_nothing_but_its_version_is_kept() -> None:
    store = Store()
    store.put_secret(secret() | {"data": {"apiKey": CANARY}})
    assert CANARY not in repr(vars(store))
    assert store.versions("secrets") == {Key("secrets", "team-a", "acme-key"): 1}


def test_versions_are_a_copy() -> None:
    store = filled(instance())
    store.put_definition(definition(version=4))
    assert store.versions("integrationinstances") == {key(): 1}
    assert store.versions("integrationdefinitions") == {definition_key("acme"): 4}
    store.versions("integrationinstances").clear()
    assert store.versions("integrationinstances") == {key(): 1}


def test_a_record_takes_little_more_memory_than_its_json() -> None:
    raws = [
        instance(f"i-{number}", uid=f"u-{number}", status={"identity": "x" * 1500}) for number in range(500)
    ]
    store = Store()
    tracemalloc.start()
    try:
        for raw in raws:
            store.put_instance(raw)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    written = sum(len(record.status_json) + len(record.object_json) for record in store.instances.values())
    assert taken < written + 1500 * len(raws), "three kilobytes of air for every record, as orjson has them"


def test_only_those_that_wait_for_a_key_are_locked_out() -> None:
    store = Store()
    verdicts = {
        "lost": ("False", "CredentialUnreadable"),
        "early": ("False", "KeyringUnavailable"),
        "works": ("True", "Connected"),
        "fails": ("False", "CredentialsRejected"),
    }
    for name, (status, reason) in verdicts.items():
        ready = {"type": "Ready", "status": status, "reason": reason}
        store.put_instance(instance(name, uid=f"i-{name}", status={"conditions": [ready]}))
    store.put_instance(instance("new", uid="i-new"))
    assert {key.name for key in store.locked_out()} == {"lost", "early"}
