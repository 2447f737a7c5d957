"""A definition played against its simulated vendor: the operator's own story with real requests, and no cluster.

Each case of the vendor file becomes a connection. What it needs of a cluster is in memory: the instance, its Secret,
the record of tokens. Everything else is the operator's: gates, tokens, consent, the way over HTTPS, diagnosis, status.
Only the simulated vendor is ever connected to: a name that it does not have is found nowhere, and to an address nothing
goes at all.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from integration_hub.adapters.egress import EgressPolicy, HostRule, is_address, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.traffic import Traffic
from integration_hub.auth.methods import METHODS
from integration_hub.catalog.vendor import Case, Kind, Vendor
from integration_hub.catalog.vendor_rules import methods_of
from integration_hub.model import conditions as c
from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.definition import AuthMethod
from integration_hub.model.http import HttpRequest
from integration_hub.model.instance import InstanceStatus, IntegrationInstance
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.model.tokens import ConsentAnswer
from integration_hub.probe.diagnose import END_UNREADABLE
from integration_hub.reconcile.definition import CheckedDefinition, check_definition
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
    SecretAnswer,
    SecretState,
    Send,
    WriteRecord,
)
from integration_hub.reconcile.pipeline import reconcile
from integration_hub.reconcile.times import parse_timestamp
from integration_hub.shell import sensitive
from integration_hub.shell.hands import send
from integration_hub.simulation.scene import Scene
from integration_hub.simulation.server import LOOPBACK, SimulatedVendor

Raw = dict[str, Any]

REDIRECT_URI: Final = "https://hub.example.com/oauth/callback"
NAMESPACE: Final = "rehearsal"
SECRET: Final = "credentials"  # noqa: S105 - the name of one
UID: Final = "5b0e9b52-6f43-4f3f-9d0e-7d1f3a2b4c5d"
UNTIL_ASKED_AGAIN: Final = timedelta(minutes=11)
"""Longer than the interval between tests."""
UNTIL_POLLED: Final = timedelta(seconds=30)
"""Longer than between polls for a code that a person types."""
_FOUND: Final = 302


@dataclass(frozen=True, slots=True)
class Found:
    """What a connection came to."""

    reason: str
    message: str
    hint: str
    identity: str | None
    credential_expires_at: str | None = None
    unread: tuple[str, ...] = ()
    """Messages of tests that should have told when the credential ends, and did not."""


@dataclass(frozen=True, slots=True)
class Played:
    """How one case went with one auth method."""

    case: Case
    method: str
    found: Found
    faults: tuple[str, ...]
    """What is other than expected, each in a sentence; none where all is as it should be."""
    renewed: bool = False
    """Whether tokens were renewed, and work."""


async def rehearse(
    definition: Mapping[str, Any], vendor: Vendor, *, only: str | None = None
) -> AsyncIterator[Played]:
    """Play every case of a vendor file, the next one when its turn comes; `only` names a single one.

    The definition is raw and must have passed the lint: what is wrong in it shows in each case otherwise.
    """
    async with SimulatedVendor(vendor.hosts) as server:
        for case, method in plays(vendor):
            if only is None or case.name == only:
                yield await play(definition, vendor, server, case, method)


def only_addresses(definition: Mapping[str, Any]) -> list[str]:
    """Return what allowedHosts names, where all of it are addresses: no vendor can be played at one, only at names."""
    hosts: list[str] = definition["spec"]["allowedHosts"]
    return hosts if all(map(_is_fixed_address, hosts)) else []


def _is_fixed_address(host: str) -> bool:
    try:
        return is_address(HostRule.parse(host).host)
    except ValueError:
        return False  # the configuration says which host it is


def plays(vendor: Vendor) -> Iterator[tuple[Case, str]]:
    """Yield each case with each auth method that it is tried with, in the order of the file."""
    for case in vendor.cases:
        for method in methods_of(vendor, case):
            yield case, method


async def play(
    definition: Mapping[str, Any], vendor: Vendor, server: SimulatedVendor, case: Case, method: str
) -> Played:
    """Play one case with one auth method."""
    connection = _Connection(definition, vendor, server, case, method)
    try:
        return await connection.play()
    finally:
        await connection.close()
        server.scene = None


class _Connection:
    """One connection, what the operator keeps of it, and the clock."""

    def __init__(
        self,
        definition: Mapping[str, Any],
        vendor: Vendor,
        server: SimulatedVendor,
        case: Case,
        method: str,
    ) -> None:
        self._now = datetime.now(UTC)
        self._case, self._method = case, method
        self._server = server
        self._scene = Scene(
            vendor,
            method,
            case,
            lambda: self._now,
            authority=server.authority,
            redirect_uri=REDIRECT_URI,
            sign=server.client_pair,
        )
        server.scene = self._scene
        self._hosts = vendor.hosts
        self._definition = _trusting(definition, server.authority)
        self._proof = _proof(self._definition, method)
        self._proving: list[str] = []
        """Names of the routes that have answered the test which is to prove the credential."""
        self._addresses: list[str] = []
        """Addresses that something was to be sent to."""
        self._raw = self._instance()
        secret = self._scene.secret()
        self._secret = SecretAnswer(
            SecretState.FOUND,
            uid="secret",
            version="1",
            type=_secret_type(self._definition, method),
            data={name: value.encode() for name, value in secret.items()},
        )
        self._record = RecordAnswer()
        self._is_known = False
        policy = EgressPolicy(parse_cidrs([LOOPBACK]), detours=server.detours(), only_detours=True)
        self._http = HttpClient(policy, getaddrinfo=_nowhere)
        self._traffic = Traffic(self._http)

    async def close(self) -> None:
        await self._traffic.close()
        await self._http.close()

    async def play(self) -> Played:
        decision = await self._reconcile()
        faults: list[str] = []
        authorization = decision.status.authorization
        if authorization is not None and authorization.user_code is not None:
            self._scene.decide_on_device()
            self._now += UNTIL_POLLED
            decision = await self._reconcile()
        elif authorization is not None:
            brought = await self._consent(authorization.url)
            if isinstance(brought, str):
                faults.append(brought)
            else:
                decision = await self._reconcile(brought)
        if self._case.token_ends and not faults:
            found = _found(decision)
            if found.reason == Reason.CONNECTED:
                decision = await self._reconcile_after_the_end(decision)
            else:
                faults.append(f"Before the access token ended, it came to {found.reason}: {found.message}")
        found = _found(decision)
        faults += self._faults(found)
        renewed = False
        if self._case.kind is Kind.GOOD and self._scene.method.secret:
            faults += self._proves_nothing()
        if self._case.kind is Kind.GOOD and not faults:
            renewed, fault = await self._renew(decision)
            faults += [fault] if fault else []
        return Played(self._case, self._method, found, tuple(faults), renewed)

    def _instance(self) -> Raw:
        case, good = self._case, self._scene.method
        scopes = good.scopes if case.scopes is None else case.scopes
        spec: Raw = {
            "definitionRef": {"name": self._definition.name},
            "config": self._scene.config(),
            "auth": {"method": self._method, "secretRef": {"name": SECRET}, "scopes": list(scopes)},
            "tests": [{"name": name} for name in self._tests()],
        }
        template = case.template or good.template
        if template is not None:
            spec["template"] = template
        return {
            "metadata": {
                "name": "rehearsal",
                "namespace": NAMESPACE,
                "uid": UID,
                "generation": 1,
                "resourceVersion": "1",
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": spec,
        }

    def _tests(self) -> list[str]:
        """Return the tests to make beside the one that proves the method; none that proves another method."""
        if self._case.tests is not None:
            return list(self._case.tests)
        spec = self._definition.spec
        if spec is None or self._case.kind is not Kind.GOOD:
            return []
        proofs = {spec.default_test.name, *(method.test for method in spec.auth_methods)}
        return [test.name for test in spec.tests if test.name not in proofs]

    # The operator's part

    async def _reconcile(self, consent: ConsentAnswer | None = None) -> Decision:
        inputs = Inputs(
            instance=IntegrationInstance.model_validate(self._raw),
            definition=self._definition,
            secret_version=self._secret.version,
            name_owner=None,
            now=self._now,
            first_look=not self._is_known,
            random=secrets.token_bytes,
            redirect_uri=REDIRECT_URI,
            record_version=self._record.version or None,
            consent=consent,
        )
        story = reconcile(inputs)
        try:
            effect = next(story)
            while True:
                effect = story.send(await self._perform(effect))
        except StopIteration as end:
            decision: Decision = end.value
        finally:
            story.close()
            sensitive.in_use.set(())
        self._is_known = True
        self._raw["status"] = decision.status.to_wire()
        return decision

    async def _perform(self, effect: Effect) -> Answer:
        match effect:
            case AskTurn():
                return None
            case ReadSecret():
                return self._secret
            case ReadRecord():
                return self._record
            case WriteRecord(record):
                version = str(int(self._record.version or "0") + 1)
                self._record = RecordAnswer(record, uid="record", version=version)
                return self._record
            case KeepBinding():
                return BindingAnswer(version="1")
            case Send():
                return await self._send(effect)

    async def _send(self, effect: Send) -> Answer:
        sensitive.in_use.set(effect.sensitive)
        seen, notes = len(self._scene.seen), len(self._scene.notes)
        self._note_address(effect.request.url)
        answer = await send(self._traffic, effect)
        if isinstance(answer, Postponed):
            await asyncio.sleep(answer.seconds)
            return await self._send(effect)
        if effect.request.purpose == "control":
            del self._scene.notes[notes:]  # that no credential has come is as it should be
        elif effect.request.purpose == "test" and effect.test == self._proof:
            self._proving += self._scene.seen[seen:]
        return answer

    def _note_address(self, url: str) -> None:
        target = urlsplit(url)
        if is_address(target.hostname or "") and target.netloc not in self._addresses:
            self._addresses.append(target.netloc)

    # What a person and time do

    async def _consent(self, link: str) -> ConsentAnswer | str:
        """Open the link as a browser does; return what it brings back, or why nothing comes back."""
        rules = [HostRule.parse(host) for host in self._hosts]
        outcome = await self._http.send(
            HttpRequest("GET", link, purpose="token"),
            allowed_hosts=rules,
            ca_bundle=self._server.authority,
        )
        if outcome.response is None:
            detail = outcome.failure.detail if outcome.failure else ""
            host = urlsplit(link).netloc
            return f"The link leads to {host}, which is none of the vendor's hosts ({detail})"
        location = outcome.response.headers.get("location", "")
        if outcome.response.status != _FOUND or not location.startswith(f"{REDIRECT_URI}?"):
            return f"The page on which people consent has answered {outcome.response.status} and sends nobody back"
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        return ConsentAnswer(
            query.get("state", ""), query.get("code"), iss=query.get("iss"), error=query.get("error")
        )

    async def _renew(self, decision: Decision) -> tuple[bool, str]:
        """Let the access token end; tell whether it was renewed, and what is wrong then."""
        credential = decision.status.credential
        had_refresh_token = bool(self._scene.issued.refresh)
        if credential is None or not (had_refresh_token or credential.renews_at):
            return False, ""
        found = _found(await self._reconcile_after_the_end(decision))
        if found.reason != Reason.CONNECTED:
            return (
                False,
                f"After the access token had ended, it came to {found.reason} and not to Connected: {found.message}",
            )
        if had_refresh_token and self._scene.issued.renewals != 1:
            return False, "After the access token had ended, its refresh token was not used just once"
        return True, "; ".join(self._scene.notes)

    async def _reconcile_after_the_end(self, decision: Decision) -> Decision:
        """Let the access token end, and the operator renew it."""
        credential = decision.status.credential
        self._scene.issued.end_access()
        moments = (credential.expires_at, credential.renews_at) if credential is not None else ()
        known = [moment for moment in map(parse_timestamp, filter(None, moments)) if moment is not None]
        self._now = max(known) + timedelta(seconds=1) if known else self._now + UNTIL_ASKED_AGAIN
        self._raw["metadata"].setdefault("annotations", {})[REQUEST_ANNOTATION] = "again"
        return await self._reconcile()

    # Comparing

    def _proves_nothing(self) -> Iterator[str]:
        """Tell where the test that is to prove the credential asks for what anybody may ask."""
        routes = self._scene.vendor.routes
        if any(routes[name].is_open for name in self._proving):
            yield f"The test '{self._proof}' asks for what anybody may ask, so that it proves no credential"

    def _faults(self, found: Found) -> Iterator[str]:
        expected = self._case.expect
        if found.reason != expected.reason:
            yield f"It came to {found.reason} and not to {expected.reason.value}: {found.message}"
            yield from (
                f"To {address} nothing was sent: the simulated vendor is reached by the names of its hosts, never at an"
                " address"
                for address in self._addresses
            )
        elif found.identity != expected.identity:
            yield f"It is connected as {_quoted(found.identity)} and not as {_quoted(expected.identity)}"
        for part, words, text in (
            ("message", expected.message, found.message),
            ("hint", expected.hint, found.hint),
        ):
            for word in words:
                if word not in text:
                    yield f"The {part} does not say '{word}': {text}"
        if "credential_expires_at" in expected.model_fields_set:
            wanted, told = expected.credential_expires_at, found.credential_expires_at
            if wanted != told:
                yield f"The credential ends {told or 'never'} and not {wanted or 'never'}"
        yield from found.unread
        if not self._case.strays:
            yield from self._scene.notes


def _found(decision: Decision) -> Found:
    status: InstanceStatus = decision.status
    ready = status.condition(c.READY)
    if ready is None:
        return Found("", "", "", None)
    hint = next((test.hint for test in status.tests if test.reason == ready.reason and test.hint), None)
    return Found(
        ready.reason,
        ready.message,
        hint or REASONS[Reason(ready.reason)].remedy,
        status.identity,
        status.credential.expires_at if status.credential is not None else None,
        tuple(test.message for test in status.tests if END_UNREADABLE in test.message),
    )


def _quoted(text: str | None) -> str:
    return "nobody" if text is None else f"'{text}'"


def _trusting(definition: Mapping[str, Any], authority: str) -> CheckedDefinition:
    """Return the definition as it is, trusting the vendor's authority unless it has its own way to be told of one."""
    raw: Raw = deepcopy(dict(definition))
    raw["metadata"] = {"uid": "definition", "generation": 1, **raw.get("metadata", {})}
    raw.get("spec", {}).setdefault("trust", {"caBundle": authority})
    return check_definition(raw)


def _method(definition: CheckedDefinition, name: str) -> AuthMethod | None:
    methods = definition.spec.auth_methods if definition.spec is not None else []
    return next((method for method in methods if method.name == name), None)


def _proof(definition: CheckedDefinition, name: str) -> str:
    """Return the name of the test that is to prove the auth method's credential; '' where there is no definition."""
    spec = definition.spec
    return spec.test_of(_method(definition, name)).name if spec is not None else ""


def _secret_type(definition: CheckedDefinition, name: str) -> str:
    """Return the type that a good Secret of the auth method has."""
    method = _method(definition, name)
    kind = METHODS.get(method.type) if method is not None else None
    return (kind.secret_type(method.settings) if kind and method else None) or "Opaque"


def _nowhere(*_: object) -> list[Any]:
    raise socket.gaierror(socket.EAI_NONAME, "the vendor has no such host")
