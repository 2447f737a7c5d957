"""Raw objects as the API server sends them, the inputs of a reconcile, and a hand that drives its story."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.definition import DefinitionSpec
from integration_hub.model.http import Failure, FailureKind, HttpResponse, Outcome
from integration_hub.model.instance import InstanceStatus, IntegrationInstance, TestStatus
from integration_hub.model.testing import ConnectionTest
from integration_hub.probe.plan import ProbePlan, plan_probe
from integration_hub.reconcile.definition import check_definition
from integration_hub.reconcile.gates import pass_gates
from integration_hub.reconcile.inputs import (
    Answer,
    AskTurn,
    Decision,
    Effect,
    Inputs,
    ReadSecret,
    SecretAnswer,
    SecretState,
    Send,
    Timing,
)
from integration_hub.reconcile.pipeline import reconcile
from support.status_rules import assert_keeps_the_rules

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LATER = timedelta(seconds=1)
CANARY = "canary-7f3a91c2d4"
"""A credential that must never show anywhere."""

Raw = dict[str, Any]


def definition(
    name: str = "acme", *, generation: int = 1, uid: str = "d-1", version: int = 1, **spec: Any
) -> Raw:
    """A definition with one API key method and one test. A field given as None is left out."""
    whole = {
        "displayName": "Acme",
        "configSchema": {
            "type": "object",
            "required": ["region"],
            "properties": {"region": {"type": "string", "enum": ["eu", "us"]}, "team": {"type": "string"}},
        },
        "baseURL": "https://{{ config.region }}.acme.example",
        "allowedHosts": ["*.acme.example"],
        "authMethods": [{"name": "key", "type": "apiKey", "settings": {"prefix": "Bearer"}}],
        "tests": [
            {
                "name": "account",
                "default": True,
                "request": {"path": "/v1/account"},
                "identity": "response.json.email",
            }
        ],
    } | spec
    return {
        "metadata": {"name": name, "uid": uid, "generation": generation, "resourceVersion": str(version)},
        "spec": {key: value for key, value in whole.items() if value is not None},
    }


def instance(
    name: str = "prod",
    *,
    namespace: str = "team-a",
    uid: str = "i-1",
    generation: int = 1,
    version: int = 1,
    created: str = "2026-01-01T00:00:00Z",
    request: str | None = None,
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Raw:
    """An instance of `definition()` that uses the Secret 'acme-key'. A field given as None is left out."""
    whole = {
        "definitionRef": {"name": "acme"},
        "config": {"region": "eu"},
        "auth": {"secretRef": {"name": "acme-key"}},
    } | spec
    metadata: Raw = {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "generation": generation,
        "resourceVersion": str(version),
        "creationTimestamp": created,
    }
    if request is not None:
        metadata["annotations"] = {REQUEST_ANNOTATION: request}
    raw: Raw = {
        "metadata": metadata,
        "spec": {key: value for key, value in whole.items() if value is not None},
    }
    if status is not None:
        raw["status"] = dict(status)
    return raw


def secret(name: str = "acme-key", *, namespace: str = "team-a", version: int = 1) -> Raw:
    """The metadata of a Secret, which is all that is listed and watched."""
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": str(version)}}


def found(version: str = "7", **data: str) -> SecretAnswer:
    """A Secret that was read. Without data it holds the canary as API key."""
    values = data or {"apiKey": CANARY}
    encoded = {key: value.encode() for key, value in values.items()}
    return SecretAnswer(SecretState.FOUND, uid="s-1", version=version, data=encoded)


def jwt(ends_at: datetime) -> str:
    """An API key that says of itself when it ends."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part({'exp': int(ends_at.timestamp())})}.c2lnbmF0dXJl"


def answered(status: int = 200, body: object = None, *, headers: Mapping[str, str] | None = None) -> Outcome:
    """An exchange that ended with an answer. Without a body, one that tells an identity."""
    content = json.dumps({"email": "ops@acme.example"} if body is None else body).encode()
    return Outcome(HttpResponse(status, headers or {}, content), None, seconds=0.25)


def failed(kind: FailureKind, detail: str = "", *, again_in: float | None = None) -> Outcome:
    """An exchange that ended without an answer."""
    return Outcome(None, Failure(kind, "eu.acme.example:443", detail, again_in), seconds=0.25)


def plan(test: ConnectionTest | None = None, **spec: Any) -> ProbePlan:
    """The plan of a definition's test for the region 'eu'."""
    parsed = DefinitionSpec.model_validate(definition(**spec)["spec"])
    test = test or parsed.default_test
    return plan_probe(parsed, test, test.request, {"region": "eu"})


def inputs(
    raw: Raw | None = None,
    of: Raw | None = None,
    *,
    without_definition: bool = False,
    secret_version: str | None = "7",
    name_owner: str | None = None,
    now: datetime = NOW,
    similar_definitions: tuple[str, ...] = (),
    first_look: bool = False,
    timing: Timing | None = None,
) -> Inputs:
    """The inputs of a reconcile of `instance()` of `definition()`, where nothing else is said."""
    return Inputs(
        instance=IntegrationInstance.model_validate(raw or instance()),
        definition=None if without_definition else check_definition(of or definition()),
        secret_version=secret_version,
        name_owner=name_owner,
        now=now,
        similar_definitions=similar_definitions,
        first_look=first_look,
        timing=timing or Timing(),
    )


@dataclass
class Told:
    """A story that was driven to its end: what it asked for, and what it decided."""

    decision: Decision
    effects: list[Effect] = field(default_factory=list)

    @property
    def status(self) -> InstanceStatus:
        return self.decision.status

    @property
    def reads(self) -> int:
        """How many Secrets were read."""
        return sum(isinstance(effect, ReadSecret) for effect in self.effects)

    @property
    def sends(self) -> int:
        """How many requests were sent."""
        return len(self.sent)

    @property
    def sent(self) -> list[Send]:
        """What was sent, in order."""
        return [effect for effect in self.effects if isinstance(effect, Send)]

    @property
    def made(self) -> list[str]:
        """The names of the tests that were made."""
        return [test.name for test in self.decision.made]

    def test(self, name: str) -> TestStatus:
        """How a test stands."""
        return next(test for test in self.status.tests if test.name == name)

    @property
    def ready(self) -> str:
        """What the Ready condition says in words."""
        condition = self.status.condition("Ready")
        return condition.message if condition else ""

    def says(self, type_: str) -> tuple[str, str] | None:
        """Status and reason of a condition, None where there is none."""
        condition = self.status.condition(type_)
        return (condition.status, condition.reason) if condition else None


def tell(given: Inputs, *answers: Answer, turn: Answer = None) -> Told:
    """Drive the story with these answers, as many as it asks for, and check the status' rules.

    `turn` answers the question whether the host may be asked now.
    """
    remaining = iter(answers)

    def hand(effect: Effect) -> Answer:
        if isinstance(effect, AskTurn):
            return turn
        answer = next(remaining, None)
        assert answer is not None, f"nothing was expected to be asked for, but: {effect}"
        return answer

    told = play(given, hand)
    assert next(remaining, None) is None, "more was expected to be asked for"
    return told


def play(given: Inputs, hand: Callable[[Effect], Answer]) -> Told:
    """Drive the story with a hand that answers each effect, and check the status' rules."""
    story, effects = reconcile(given), []
    try:
        effect = next(story)
        while True:
            effects.append(effect)
            effect = story.send(hand(effect))
    except StopIteration as end:
        decision: Decision = end.value
    if decision.write:
        generation = given.instance.metadata.generation
        assert_keeps_the_rules(
            decision.status, generation=generation, suite=suite_names(given) if decision.made else None
        )
    return Told(decision, effects)


def suite_names(given: Inputs) -> list[str]:
    """The names of an instance's tests in their order."""
    passed = pass_gates(given).passed
    return [planned.test.name for planned in passed.tests] if passed else []


def after(raw: Raw, told: Told, **changes: Any) -> Raw:
    """The instance after the decision was written; `changes` are the builder's arguments of what changed."""
    metadata = raw["metadata"]
    known = {
        "name": metadata["name"],
        "uid": metadata["uid"],
        "generation": metadata["generation"],
        "request": metadata.get("annotations", {}).get(REQUEST_ANNOTATION),
        "status": told.status.to_wire(),
    }
    return instance(**(known | raw["spec"] | changes))


def connected(raw: Raw | None = None, of: Raw | None = None, *, now: datetime = NOW) -> Raw:
    """An instance whose connection was tested at `now` and works."""
    raw = raw or instance()
    return after(raw, tell(inputs(raw, of, now=now), found(), answered()))
