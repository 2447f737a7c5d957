"""The engine of tests by hand: what an observer is told and when, what is masked, what a manifest is refused for."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from integration_hub.adapters.egress import EgressPolicy, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.traffic import Traffic
from integration_hub.config.redaction import MASK
from integration_hub.model.http import HttpRequest, HttpResponse, Outcome
from integration_hub.model.instance import IntegrationInstance, Stage
from integration_hub.reconcile.definition import check_definition
from integration_hub.reconcile.gates import PlannedTest
from integration_hub.reconcile.inputs import SecretAnswer, SecretState
from integration_hub.shell.draft import DraftError, read_draft
from integration_hub.shell.exchange import (
    MAX_BODY,
    ShownExchange,
    exposed,
    public_texts,
    secrets_in,
    secrets_of,
    shown,
    shown_body,
)
from integration_hub.shell.lookup import as_if_applied, inputs_of
from integration_hub.shell.refusals import refusals
from integration_hub.shell.saving import manifest, with_test
from integration_hub.shell.tryout import Observer, Trial, Tried, Tryout, UnknownTestError
from support.instances import definition, instance
from support.target_server import GOOD_KEY, Answer, Seen, TargetServer

CANARY = "canary-0d1f7a93+/=äß"
"""With characters that every encoding writes in another way."""


# Watching a test


class Diary(Observer):
    """Writes down what it is told, and what the external system had seen by then."""

    def __init__(self, target: TargetServer, account: str) -> None:
        self.told: list[tuple[str, str, int]] = []
        self.exchanges: list[ShownExchange] = []
        self.stages: list[Stage] = []
        self._seen: Callable[[], int] = lambda: target.count(account)

    def stage_ended(self, planned: PlannedTest, stage: Stage) -> None:  # noqa: ARG002
        self.told.append((stage.name, stage.result, self._seen()))
        self.stages.append(stage)

    def exchange_ended(self, planned: PlannedTest, exchange: ShownExchange) -> None:  # noqa: ARG002
        self.exchanges.append(exchange)

    def test_ended(self, tried: Tried) -> None:
        self.told.append(("end", tried.status.result, self._seen()))


@pytest.fixture
def named() -> Iterator[TargetServer]:
    """A server that is found by a name; connections to it are closed before it ends."""
    with TargetServer("localhost") as server:
        yield server


@pytest.fixture
async def traffic() -> AsyncIterator[Traffic]:
    http = HttpClient(EgressPolicy(allowed_cidrs=parse_cidrs(["127.0.0.0/8", "::1/128"])))
    traffic = Traffic(http)
    yield traffic
    await traffic.close()
    await http.close()


async def tried(
    traffic: Traffic,
    target: TargetServer,
    name: str,
    *only: str,
    key: str = GOOD_KEY,
    observer: Observer | None = None,
    tests: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> Trial:
    async def read(_: str) -> SecretAnswer:
        return SecretAnswer(SecretState.FOUND, uid="u", version="7", data={"apiKey": key.encode()})

    raw = as_if_applied(instance("ns", name, "acme", tests=tests or [], **spec), None)
    inputs = await inputs_of(raw, check_definition(definition("acme", target)), None)
    return await Tryout(traffic, read, observer=observer).run(inputs, only)


async def test_stages_are_told_as_they_end_and_each_once(traffic: Traffic, target: TargetServer) -> None:
    diary = Diary(target, "ns-watched")
    trial = await tried(traffic, target, "watched", observer=diary)
    assert [name for name, _, _ in diary.told] == [
        "config", "dns", "connect", "tls", "request", "identity", "end"
    ]  # fmt: skip
    # The way to the host was told before the request had arrived there.
    assert [seen for name, _, seen in diary.told if name in {"dns", "connect", "tls"}] == [0, 0, 0]
    assert [stage.name for stage in trial.tests[0].status.stages] == [name for name, _, _ in diary.told[:-1]]
    assert (trial.verdict.result, trial.verdict.reason) == ("Success", "Connected")
    assert trial.secret_version == "7"


async def test_a_lookup_is_told_with_what_it_found(named: TargetServer, traffic: Traffic) -> None:
    diary = Diary(named, "x")
    config = {"account": "x", "server": f"https://localhost:{named.port}"}
    trial = await tried(traffic, named, "named", observer=diary, config=config)
    assert trial.verdict.result == "Success"
    dns = next(stage for stage in diary.stages if stage.name == "dns")
    assert (dns.result, dns.duration_ms is not None) == ("Passed", True)
    assert "127.0.0.1" in dns.evidence["addresses"]
    assert len(diary.stages) == len({stage.name for stage in diary.stages})


async def test_a_test_that_cannot_get_through_spares_the_others(
    traffic: Traffic, target: TargetServer
) -> None:
    more = [{"name": "more", "request": {"path": "/v1/ns-spared/more"}}]
    trial = await tried(traffic, target, "spared", key="wrong-key", tests=more)
    assert (trial.verdict.result, trial.verdict.reason) == ("Failure", "CredentialsRejected")
    assert trial.spared == ("more",)
    assert target.count("ns-spared") == 1


async def test_an_optional_test_does_not_count_unless_it_is_asked_for(
    traffic: Traffic, target: TargetServer
) -> None:
    def answer(seen: Seen) -> Answer:
        return Answer(500) if seen.path.endswith("/frail") else Answer()

    target.script("ns-optional", answer)
    frail = [{"name": "frail", "optional": True, "request": {"path": "/v1/ns-optional/frail"}}]
    whole = await tried(traffic, target, "optional", tests=frail)
    assert [test.status.result for test in whole.tests] == ["Success", "Failure"]
    assert whole.verdict.result == "Success"
    alone = await tried(traffic, target, "optional", "frail", tests=frail)
    assert [test.status.name for test in alone.tests] == ["frail"]
    assert alone.verdict.result == "Failure"


async def test_a_test_that_there_is_not_is_refused_before_anything_is_sent(
    traffic: Traffic, target: TargetServer
) -> None:
    with pytest.raises(UnknownTestError) as caught:
        await tried(traffic, target, "unknown-test", "whoareyou")
    assert caught.value.known == ("whoami",)
    assert target.count("ns-unknown-test") == 0


async def test_a_gate_stops_with_its_reason_and_its_remedy(traffic: Traffic, target: TargetServer) -> None:
    trial = await tried(traffic, target, "stopped", config={"acount": "x"})
    assert (trial.verdict.result, trial.verdict.reason) == ("Failure", "ConfigInvalid")
    assert "spec.config.acount" in trial.verdict.message
    assert trial.verdict.hint
    assert trial.tests == ()


async def test_a_credential_in_the_manifest_is_masked_in_what_is_said_and_named_by_its_path(
    traffic: Traffic, target: TargetServer
) -> None:
    target.script("ns-pasted", Answer(404))
    pasted = [{"name": "pasted", "request": {"path": f"/v1/ns-pasted/{GOOD_KEY}"}}]
    trial = await tried(traffic, target, "pasted", "pasted", tests=pasted)
    assert "/v1/ns-pasted/***" in trial.verdict.message
    assert GOOD_KEY not in repr(trial.tests)
    assert trial.exposed == ("spec.tests[0].request.path",)
    assert (await tried(traffic, target, "clean")).exposed == ()


def test_a_short_credential_within_a_word_is_no_credential_in_clear() -> None:
    value = {"a": ["shops", "shop"], "b.c": {"d": f"x{CANARY}"}, "e": "x"}
    assert list(exposed(value, ["shop\n", CANARY, "x"], "spec")) == ["spec.a[1]", 'spec["b.c"].d']


# What is shown of an exchange

PLANNED = HttpRequest("GET", "https://api.example/v1", {"Accept": "application/json"}, (("page", "1"),))


def sent_with(canary: str) -> HttpRequest:
    headers = {"Accept": "application/json", "X-Whatever": f"Zz {canary}"}
    return HttpRequest("GET", PLANNED.url, headers, (("page", "1"), ("appid", canary)))


def test_what_the_auth_method_adds_is_masked_whole_whatever_its_name_and_length() -> None:
    exchange = shown(PLANNED, sent_with("x1"), answer(b""), (), bodies=True)
    assert exchange.headers == {"Accept": "application/json", "X-Whatever": MASK}
    assert exchange.url == f"https://api.example/v1?page=1&appid={MASK}"


def test_a_value_that_authenticated_is_a_secret_from_then_on() -> None:
    found = secrets_in(PLANNED, sent_with(CANARY), answer(b""))
    assert {CANARY, f"Zz {CANARY}"} <= found
    assert "1" not in found


def test_what_the_manifest_says_stays_readable_unless_the_auth_method_uses_it() -> None:
    config = {
        "namespace": "shop",
        "list": [{"ca": "a certificate"}],
        "user": "alice",
        "password": "by mistake",
    }
    public = public_texts(
        IntegrationInstance.model_validate(instance("team", "billing", "acme", config=config))
    )
    data = {
        "namespace": b"shop", "ca.crt": b"a certificate\n", "own": b"billing", "where": b"team",
        "user": b"alice", "token": CANARY.encode(), "other": b"by mistake", "more": b"unknown\n",
    }  # fmt: skip
    found = secrets_of(data, used=[CANARY, "alice"], public=public)
    assert found == {CANARY, "alice", "by mistake", "unknown", "unknown\n"}


def test_a_token_that_was_asked_for_is_a_secret_and_its_body_is_never_shown() -> None:
    request = HttpRequest("POST", "https://api.example/token", {}, body=b"grant", purpose="token")
    outcome = answer(json.dumps({"access_token": CANARY, "scope": "all"}).encode(), purpose="token")
    assert CANARY in secrets_in(PLANNED, request, outcome)
    exchange = shown(PLANNED, request, outcome, (), bodies=True)
    assert exchange.body is None
    assert exchange.answer_body is None


@given(before=st.text(max_size=50), after=st.text(max_size=50), key=st.text(max_size=10))
def test_no_form_of_a_secret_leaves_a_body(before: str, after: str, key: str) -> None:
    encoded = base64.b64encode(f"user:{CANARY}".encode()).decode()
    texts = (f"{before}{CANARY}{after}", json.dumps({key: [before, CANARY, {"b": encoded}]}))
    for text in texts:
        body = shown_body(text.encode("utf-8", "surrogatepass"), [CANARY])
        if body is None or body.text is None:
            continue
        assert "canary-0d1f7a93" not in body.text
        assert encoded not in body.text


def test_a_secret_at_the_edge_of_what_is_shown_is_masked_before_the_cut() -> None:
    body = shown_body(b"x" * (MAX_BODY - 6) + CANARY.encode(), [CANARY])
    assert body is not None
    assert body.text == "x" * (MAX_BODY - 6) + MASK


@pytest.mark.parametrize("body", [b"\x00\x01", b"\xff\xfe", b"PK\x03\x04\x00"])
def test_what_is_no_text_is_shown_as_its_size(body: bytes) -> None:
    found = shown_body(body, ())
    assert found is not None
    assert (found.text, found.size) == (None, len(body))


def test_an_answer_cannot_steer_the_terminal() -> None:
    body = shown_body(b"a\x1b[2Jb\x9b", ())
    assert body is None or body.text is None or "\x1b" not in body.text
    exchange = shown(PLANNED, PLANNED, answer(b"", {"x-evil": "a\x1b]0;title\x07b"}), (), bodies=True)
    assert exchange.answer_headers == {"x-evil": "a\ufffd]0;title\ufffdb"}


def answer(body: bytes, headers: dict[str, str] | None = None, purpose: str = "test") -> Outcome:
    return Outcome(HttpResponse(200, headers or {}, body), None, 0.1, purpose)


# What a manifest is refused for


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        (
            {"definitionRef": {"name": "a"}, "displyName": "A"},
            "spec.displyName",
            "did you mean 'displayName'?",
        ),
        ({}, "spec.definitionRef", "is required"),
        ({"definitionRef": {"name": "A B"}}, "spec.definitionRef.name", "must be the name of an object"),
        ({"definitionRef": {"name": "a"}, "suspend": "yes"}, "spec.suspend", "must be true or false"),
        (
            {"definitionRef": {"name": "a"}, "monitor": {"interval": "1s"}},
            "spec.monitor.interval",
            "between 10s and 168h",
        ),
        (
            {"definitionRef": {"name": "a"}, "tests": [{"name": "t", "request": {"pth": "/x"}}]},
            "spec.tests[0].request.pth",
            "did you mean 'path'?",
        ),
        (
            {"definitionRef": {"name": "a"}, "tests": [{"name": "t", "request": {"path": "/x?y=1"}}]},
            "spec.tests[0].request.path",
            "must not have a query",
        ),
        (
            {"definitionRef": {"name": "a"}, "tests": [{"name": "t"}, {"name": "t"}]},
            "spec.tests[1].name",
            "is the same as of an entry before it",
        ),
        ({"definitionRef": {"name": "a"}, "scope": {"type": "user"}}, "spec.scope.id", "must be given"),
    ],
)
def test_what_the_api_server_would_refuse_is_named_by_path(spec: Any, path: str, words: str) -> None:
    found = refusals("IntegrationInstance", spec)
    assert [violation.path for violation in found] == [path]
    assert words in found[0].message


def test_what_it_would_take_is_taken(target: TargetServer) -> None:
    assert refusals("IntegrationDefinition", definition("acme", target)["spec"]) == []
    whole = instance("ns", "x", "acme", config={"anything": {"goes": [1, None]}}, displayName=None)
    assert refusals("IntegrationInstance", whole["spec"]) == []


INSTANCE = """
apiVersion: integrationhub.dev/v1alpha1
kind: IntegrationInstance
metadata: {name: x}
spec:
  definitionRef: {name: acme}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "f.yaml, line 1: is not valid YAML"),
        ("a:\n\tb: 2", "f.yaml, line 2: is not valid YAML: there is a tab; YAML is indented with spaces"),
        ("a:\n  b: 2\n c: 1", "look at the indentation"),
        ("a: 1\nb: 2\na: 3", "f.yaml, line 3: is not valid YAML: a field stands there twice"),
        ("kind: List\nitems: 5", "f.yaml: items: must be a list"),
        ("a: &a [*a]", "holds more than 1000000 values"),
        (f"{INSTANCE}---{INSTANCE}", "document 2 (IntegrationInstance 'x'): stands in the file twice"),
        ("a: 1\n\tb: 2", "f.yaml, line 2: is not valid YAML"),
        ("- 1", "document 1: is no object"),
        ("kind: Namespace", "there is no IntegrationInstance in it"),
        (INSTANCE.replace("v1alpha1", "v1"), "there are IntegrationInstance and IntegrationDefinition in"),
        (INSTANCE.replace("kind: Integration", "kind: Integratoin"), "did you mean 'IntegrationInstance'?"),
        (INSTANCE.replace("{name: x}", "{}"), "metadata.name: is required"),
        (INSTANCE.replace("{name: x}", "{name: x, namespace: 5}"), "metadata.namespace: must be text"),
        (
            INSTANCE + "sepc: {}",
            "(IntegrationInstance 'x'): sepc: is not a known field (did you mean 'spec'?)",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(DraftError) as caught:
        read_draft(text, source="f.yaml", namespace="ns")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (f"data: {{key: '{CANARY}'}}", "data.key: is no base64"),
        ("stringData: {key: 730142}", "stringData.key: must be text; put the value in quotes"),
        (f"type: [{CANARY}]", "type: must be text, like 'kubernetes.io/tls'"),
        (f"stringData: {{key: *{CANARY}}}", "is not valid YAML"),
        (f"stringData: {{key: !{CANARY} x}}", "is not valid YAML"),
    ],
)
def test_a_mistake_in_a_secret_is_told_without_its_value(part: str, words: str) -> None:
    text = f"{INSTANCE}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{part}\n"
    with pytest.raises(DraftError) as caught:
        read_draft(text, source="f.yaml", namespace="ns")
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "730142" not in str(caught.value)


def test_a_file_gives_what_is_in_it_and_a_date_stays_text() -> None:
    encoded = base64.b64encode(b"old").decode()
    text = (
        f"{INSTANCE}  displayName: 2026-01-01\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n"
        f"data: {{a: {encoded}, b: {encoded}}}\nstringData: {{b: new}}\n"
    )
    draft = read_draft(text, source="f.yaml", namespace="ns")
    assert draft.instances[0]["spec"]["displayName"] == "2026-01-01"
    assert draft.secrets["ns", "s"].data == {"a": b"old", "b": b"new"}
    assert "new" not in repr(draft)


@pytest.mark.parametrize(
    ("part", "meant"), [("", "Opaque"), ("type: kubernetes.io/tls\n", "kubernetes.io/tls")]
)
def test_a_secret_in_a_file_is_of_the_type_that_it_would_get(part: str, meant: str) -> None:
    text = f"{INSTANCE}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{part}"
    draft = read_draft(text, source="f.yaml", namespace="ns")
    assert draft.secrets["ns", "s"].type == meant


# Saving


def test_a_saved_test_replaces_its_namesake_where_it_stands() -> None:
    raw = instance("ns", "x", "acme", tests=[{"name": "a"}, {"name": "b", "request": {}}, {"name": "c"}])
    saved = with_test(raw, {"name": "b", "request": {"path": "/new"}})
    assert [test["name"] for test in saved["spec"]["tests"]] == ["a", "b", "c"]
    assert saved["spec"]["tests"][1] == {"name": "b", "request": {"path": "/new"}}
    assert raw["spec"]["tests"][1] == {"name": "b", "request": {}}


def test_a_manifest_to_commit_has_nothing_that_the_api_server_has_added() -> None:
    raw = instance("ns", "x", "acme")
    raw["metadata"] |= {"uid": "u", "resourceVersion": "1", "labels": {"team": "a"}, "managedFields": [{}]}
    raw["status"] = {"phase": "Connected"}
    assert yaml.safe_load(manifest(raw)) == {
        "apiVersion": "integrationhub.dev/v1alpha1",
        "kind": "IntegrationInstance",
        "metadata": {"name": "x", "namespace": "ns", "labels": {"team": "a"}},
        "spec": raw["spec"],
    }


def test_a_certificate_is_written_as_people_write_it() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    written = manifest(instance("ns", "x", "acme", config={"ca": pem}, displayName="Büro"))
    assert "    ca: |\n      -----BEGIN CERTIFICATE-----\n      MIIB\n      -----END" in written
    assert "displayName: Büro" in written


@given(st.text(max_size=60))
@example("a\u0085b\nc\u2028")
def test_every_text_survives_being_written(text: str) -> None:
    written = manifest(instance("ns", "x", "acme", config={"text": text, "lines": f"{text}\n{text}"}))
    assert yaml.safe_load(written)["spec"]["config"] == {"text": text, "lines": f"{text}\n{text}"}
