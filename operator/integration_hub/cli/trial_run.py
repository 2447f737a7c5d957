"""What `hub test` does, from the wish to the exit code: finds the connection, tests it, asks the operator, saves."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import click

from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.adapters.kubeconfig import KubeconfigError, KubeConnection, load
from integration_hub.adapters.traffic import Traffic
from integration_hub.cli.trial_streams import UnreadableError, cannot_write, prepare, text_of
from integration_hub.cli.trial_view import View, trial_data, verdict_data
from integration_hub.cli.trial_words import hint_here, in_flags
from integration_hub.config.redaction import is_sensitive_name
from integration_hub.config.values import choices, did_you_mean
from integration_hub.flags import egress_policy
from integration_hub.model.instance import IntegrationInstance, TestResult, TestStatus
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.definition import CheckedDefinition, check_definition, listed
from integration_hub.reconcile.inputs import Inputs, SecretAnswer
from integration_hub.shell.draft import Draft, DraftError, read_draft
from integration_hub.shell.exchange import clean, one_line
from integration_hub.shell.lookup import (
    FORBIDDEN,
    CannotAskError,
    Cluster,
    NoSuchObjectError,
    as_if_applied,
    inputs_of,
)
from integration_hub.shell.operator_view import agrees, answered, ask, is_current, verdict_of
from integration_hub.shell.refusals import refusals
from integration_hub.shell.saving import apply_test, manifest, with_test
from integration_hub.shell.tryout import Trial, Tryout, UnknownTestError, Verdict

USAGE = 2
COULD_NOT_TELL = 3

FIELD_CONFLICT = 409

_CODES: Mapping[TestResult, int] = {"Success": 0, "Failure": 1, "Unknown": COULD_NOT_TELL}
_SEVERITY = (0, COULD_NOT_TELL, 1)
"""Exit codes from the best to the worst."""
_BY_HAND = "by-hand"
"""Name of a request that is tried and not saved."""

WHY_TWO_VERDICTS = (
    "This machine and the operator's cluster reach the same system by different ways: network policies, proxies, name"
    " servers, the authorities that they trust, and --allow-cidr and --allow-http may differ. Compare the stages of the"
    " two."
)

Raw = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a person asked for, checked as far as flags go."""

    name: str | None
    namespace: str | None
    kubeconfig: Path | None
    context: str | None
    policy: EgressPolicy
    tests: tuple[str, ...]
    bodies: bool
    as_json: bool
    operator: bool
    timeout: float
    file: Path | None
    """Of a draft."""
    entry: Raw | None
    """A request of the person's own."""
    save: str | None
    apply: bool
    force: bool

    @classmethod
    def of(cls, flags: Mapping[str, Any], *, entry: Raw | None) -> Self:
        """Return the wish that the command's flags express."""
        return cls(
            name=flags["name"] or flags["wanted"],
            namespace=flags["namespace"],
            kubeconfig=flags["kubeconfig"],
            context=flags["context"],
            policy=egress_policy(flags["allow_cidrs"], allow_http=flags["allow_http"]),
            tests=tuple(flags["tests"]),
            bodies=flags["show_body"],
            as_json=flags["output"] == "json",
            operator=not flags["no_operator"] and entry is None and flags["file"] is None,
            timeout=flags["timeout"],
            file=flags["file"],
            entry=entry,
            save=flags["save"],
            apply=flags["apply_"],
            force=flags["force"],
        )

    @property
    def own_test(self) -> str:
        """Name of the test that a request of the person's own is made as."""
        return self.save or _BY_HAND

    @property
    def prints_manifest(self) -> bool:
        """Whether standard output is for a manifest alone."""
        return self.save is not None and not self.apply


@dataclass(frozen=True)
class Subject:
    """A connection to test, and where its Secret is read."""

    raw: Raw
    inputs: Inputs
    secrets: Mapping[tuple[str, str], SecretAnswer]
    """Those of the draft's own file."""


class StopError(Exception):
    """The wish cannot be fulfilled. The message says why; `code` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code


FAREWELL_SECONDS = 0.1
"""For TLS connections to say goodbye; aiohttp closes them without waiting for that."""


def run(wish: Wish) -> int:
    """Fulfil a wish and return the exit code."""
    prepare()
    try:
        return asyncio.run(_run(wish))
    except OSError as error:
        return cannot_write(error)
    except (StopError, NoSuchObjectError, CannotAskError, DraftError) as error:
        code = _code_of(error)
        if wish.as_json:
            click.echo(json.dumps({"error": str(error), "exitCode": code}, indent=2))
        click.echo(f"Error: {clean(str(error))}", err=True)
        return code


def _code_of(error: Exception) -> int:
    match error:
        case StopError():
            return error.code
        case NoSuchObjectError():
            return USAGE
        case DraftError():
            return _CODES["Failure"]
    return COULD_NOT_TELL


async def _run(wish: Wish) -> int:
    session = Session(wish)
    try:
        return await session.run()
    finally:
        await session.close()
        await asyncio.sleep(FAREWELL_SECONDS)


class Session:
    """One run of the command."""

    def __init__(self, wish: Wish) -> None:
        """Open nothing yet."""
        self.wish = wish
        is_data = wish.as_json or wish.prints_manifest
        self.view = View(sys.stderr if is_data else sys.stdout, sys.stderr)
        self._http = HttpClient(wish.policy)
        self._traffic = Traffic(self._http)
        self._kube: KubeClient | None = None
        self._connection: KubeConnection | None = None

    async def close(self) -> None:
        """Close all connections and leave the terminal as it was."""
        self.view.close()
        await self._traffic.close()
        await self._http.close()
        if self._kube is not None:
            await self._kube.close()

    async def run(self) -> int:
        """Test all that was asked for; return the worst of the exit codes."""
        found: list[Raw] = []
        subjects = await self._subjects()
        for subject in subjects:
            found.append(await self._test(subject))
            self.view.say()
        code: int = max((data["exitCode"] for data in found), key=_SEVERITY.index)
        if self.wish.as_json:
            document = found[0] if len(found) == 1 else {"instances": found, "exitCode": code}
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return code

    # What is tested

    async def _subjects(self) -> list[Subject]:
        if self.wish.file is not None:
            return await self._drafts(self.wish.file)
        cluster = self._cluster()
        raw = await cluster.instance(self._namespace(), self.wish.name or "")
        definition = await cluster.definition(raw["spec"]["definitionRef"]["name"])
        return [await self._subject(raw, definition, cluster, {})]

    async def _drafts(self, file: Path) -> list[Subject]:
        source = "standard input" if str(file) == "-" else str(file)
        draft = read_draft(_text_of(file, source), source=source, namespace=self._namespace())
        chosen = [raw for raw in draft.instances if self.wish.name in {None, raw["metadata"]["name"]}]
        if not chosen:
            names = [raw["metadata"]["name"] for raw in draft.instances]
            raise StopError(
                f"There is no IntegrationInstance '{self.wish.name}' in {source}{did_you_mean(self.wish.name, names)};"
                f" it has {choices(names)}.",
                USAGE,
            )
        return [await self._drafted(raw, draft) for raw in chosen]

    async def _drafted(self, raw: Raw, draft: Draft) -> Subject:
        """Return a draft with what it needs: from its own file, else from the cluster."""
        name, namespace = raw["metadata"]["name"], raw["metadata"]["namespace"]
        wanted = raw["spec"]["definitionRef"]["name"]
        reference = ((raw["spec"].get("auth") or {}).get("secretRef") or {}).get("name")
        lacking = [] if wanted in draft.definitions else [f"IntegrationDefinition '{wanted}'"]
        if reference is not None and (namespace, reference) not in draft.secrets:
            lacking.append(f"Secret '{reference}' in namespace '{namespace}'")
        if not lacking:
            definition = check_definition(draft.definitions[wanted])
            return await self._subject(as_if_applied(raw, None), definition, None, draft.secrets)
        cluster = self._cluster_for(raw, lacking)
        try:
            applied = await cluster.instance(namespace, name)
        except NoSuchObjectError:
            applied = None
        definition_or_none = (
            check_definition(draft.definitions[wanted])
            if wanted in draft.definitions
            else await cluster.definition(wanted)
        )
        subject = await self._subject(as_if_applied(raw, applied), definition_or_none, cluster, draft.secrets)
        near = tuple(get_close_matches(wanted, draft.definitions, n=1)) if definition_or_none is None else ()
        similar = tuple(dict.fromkeys((*near, *subject.inputs.similar_definitions)))
        return replace(subject, inputs=replace(subject.inputs, similar_definitions=similar))

    def _cluster_for(self, raw: Raw, lacking: list[str]) -> Cluster:
        """Return the cluster, which is needed for what the file of a draft does not hold."""
        try:
            return self._cluster()
        except CannotAskError as error:
            raise CannotAskError(
                f"The file has no {' and no '.join(lacking)}, which IntegrationInstance"
                f" '{raw['metadata']['name']}' needs: add that, or let a cluster be asked. {error}"
            ) from error

    async def _subject(
        self,
        raw: Raw,
        definition: CheckedDefinition | None,
        cluster: Cluster | None,
        secrets: Mapping[tuple[str, str], SecretAnswer],
    ) -> Subject:
        if self.wish.entry is not None:
            raw = with_test(raw, self._entry())
        return Subject(raw, await inputs_of(raw, definition, cluster), secrets)

    def _entry(self) -> Raw:
        """Return the request of the person's own as an entry of spec.tests."""
        entry = {"name": self.wish.own_test, **(self.wish.entry or {})}
        for part in ("headers", "query"):
            for name in entry["request"].get(part, {}):
                if is_sensitive_name(name):
                    raise StopError(
                        f"--{part.removesuffix('s')} {name}: credentials do not stand in a test; the auth method takes"
                        " them from the Secret and adds them itself.",
                        USAGE,
                    )
        problems = refusals("IntegrationInstance", {"definitionRef": {"name": "any"}, "tests": [entry]})
        if problems:
            raise StopError(f"The request cannot be tried: {in_flags(listed(problems), 0)}.", USAGE)
        return entry

    def _refuse_own_mistakes(self, subject: Subject, trial: Trial) -> None:
        """Say in the words of the flags what is wrong in the person's own request, if nothing else is."""
        if self.wish.entry is None or trial.verdict.reason != Reason.TESTS_INVALID:
            return
        names = [test["name"] for test in subject.raw["spec"]["tests"]]
        own, words = names.index(self.wish.own_test), trial.verdict.message
        if set(re.findall(r"spec\.tests\[(\d+)\]", words)) == {str(own)}:
            raise StopError(f"The request cannot be tried: {in_flags(words, own)}", USAGE)

    # Testing

    async def _test(self, subject: Subject) -> Raw:
        """Test one connection, compare with the operator, save; return it all as data."""
        instance = subject.inputs.instance
        self._head(subject)
        trial = await self._try(subject)
        data: Raw = {
            "namespace": instance.metadata.namespace,
            "name": instance.metadata.name,
            "definition": instance.spec.definition_ref.name,
            "draft": self.wish.file is not None,
        }
        if trial.verdict.reason == Reason.SECRET_FORBIDDEN:
            return data | await self._leave_to_operator(subject, trial)
        self._refuse_own_mistakes(subject, trial)
        self.view.show_trial(trial)
        self.view.show_here(hint_here(trial.verdict.reason, is_draft=self.wish.file is not None))
        data |= trial_data(trial) | {"operator": None}
        code = _CODES[trial.verdict.result]
        if self.wish.operator:
            data["operator"], theirs = await self._compare(subject.inputs, trial)
            code = max(code, theirs, key=_SEVERITY.index)
        if self.wish.save is not None:
            data["saved"] = await self._save(subject, trial)
            code = code if data["saved"] or code else _CODES["Failure"]
        return data | {"exitCode": code}

    def _head(self, subject: Subject) -> None:
        metadata = subject.inputs.instance.metadata
        draft = ", not applied" if self.wish.file is not None else ""
        definition = subject.inputs.instance.spec.definition_ref.name
        self.view.say(one_line(f"{metadata.namespace}/{metadata.name} ({definition}{draft})"))
        if subject.inputs.instance.spec.suspend:
            self.view.say("This instance is suspended: the operator makes no tests of it.")
        self.view.say()

    async def _try(self, subject: Subject) -> Trial:
        namespace = subject.inputs.instance.metadata.namespace

        async def read(name: str) -> SecretAnswer:
            own = subject.secrets.get((namespace, name))
            if own is not None:
                return own
            try:
                return await self._cluster().kube.read_secret(namespace, name)
            except ApiError as error:
                raise self._cluster().explained(error, f"Secret '{name}'") from error

        tryout = Tryout(self._traffic, read, observer=self.view, bodies=self.wish.bodies)
        only = (self.wish.own_test,) if self.wish.entry is not None else self.wish.tests
        try:
            return await tryout.run(subject.inputs, only)
        except UnknownTestError as error:
            raise StopError(
                f"The connection has no test '{error.name}'{did_you_mean(error.name, error.known)}; it has"
                f" {choices(error.known)}.",
                USAGE,
            ) from error

    # The operator

    async def _compare(self, inputs: Inputs, trial: Trial) -> tuple[Raw | None, int]:
        """Show what the operator says, after it has looked at the same; return that and its exit code."""
        self.view.say()
        if inputs.instance.spec.suspend:
            return None, 0
        if is_current(inputs, trial) and agrees(inputs, trial):
            tested = inputs.instance.status.last_tested
            self.view.say(f"The operator says the same{f' (tested {tested})' if tested else ''}.")
            return self._operator_data(inputs.instance, asked=False, differs=False), 0
        instance = await self._ask(inputs.instance)
        has_answered = instance is not None
        if instance is None:
            if not is_current(inputs, trial):
                return {"asked": True, "answered": False}, COULD_NOT_TELL
            instance = inputs.instance  # what it has said before is about the same inputs
        inputs = replace(inputs, instance=instance)
        verdict = verdict_of(instance.status)
        differs = not agrees(inputs, trial)
        if not differs:
            self.view.say("The operator has tested it now, and says the same.")
        elif verdict is not None:
            self.view.show_verdict(verdict, "The operator says otherwise")
            self.view.say()
            self.view.say(WHY_TWO_VERDICTS)
        code = _CODES[verdict.result] if verdict is not None else COULD_NOT_TELL
        data = self._operator_data(instance, asked=True, differs=differs) | {"answered": has_answered}
        return data, code if differs else 0

    async def _ask(self, instance: IntegrationInstance) -> IntegrationInstance | None:
        """Ask the operator to test now, and wait; None where it gave no answer, which is said."""
        namespace, name = instance.metadata.namespace, instance.metadata.name
        kube = self._cluster().kube
        try:
            await ask(kube, namespace, name)
            self.view.busy("the operator tests")
            found = await answered(kube, namespace, name, self.wish.timeout)
        except ApiError as error:
            self.view.say(f"The operator cannot be asked to test: {_why_not(error)}")
            return None
        if found is None:
            self.view.say(
                f"The operator has not answered within {self.wish.timeout:g} s. Is it running? 'kubectl get pods -A'"
                " shows it; --timeout gives it longer."
            )
        return found

    async def _leave_to_operator(self, subject: Subject, trial: Trial) -> Raw:
        """Show what the operator finds where the person may not read the Secret."""
        metadata = subject.inputs.instance.metadata
        reference = subject.inputs.instance.spec.auth.secret_ref
        secret = f"Secret '{reference.name if reference else ''}' in namespace '{metadata.namespace}'"
        if not self.wish.operator:
            has_choice = self.wish.file is None and self.wish.entry is None
            else_ = ", or let the operator test: leave --no-operator out" if has_choice else ""
            raise StopError(
                f"You may not read {secret}, which the test needs. Ask for the right to 'get' it{else_}.",
                COULD_NOT_TELL,
            )
        self.view.say(f"You may not read {secret}, so the operator is asked to test.")
        self.view.say()
        instance = await self._ask(subject.inputs.instance)
        verdict = verdict_of(instance.status) if instance is not None else None
        if instance is None or verdict is None:
            message = "You may not read the Secret, and the operator has not answered."
            nothing = Verdict("Unknown", trial.verdict.reason, message)
            return verdict_data(nothing) | {
                "tests": [],
                "operator": {"asked": True, "answered": False},
                "exitCode": COULD_NOT_TELL,
            }
        tests = [
            test for test in instance.status.tests if not self.wish.tests or test.name in self.wish.tests
        ]
        for test in tests:
            self._show_theirs(test)
        self.view.show_verdict(verdict, "The operator says")
        return verdict_data(verdict) | {
            "tests": [test.to_wire() for test in tests],
            "operator": self._operator_data(instance, asked=True, differs=False),
            "exitCode": _CODES[verdict.result],
        }

    def _show_theirs(self, test: TestStatus) -> None:
        self.view.say(f"Test '{test.name}'")
        for stage in test.stages:
            self.view.show_stage(stage)
        self.view.say()
        self.view.show_result(test)
        self.view.say()

    @staticmethod
    def _operator_data(instance: IntegrationInstance, *, asked: bool, differs: bool) -> Raw:
        verdict = verdict_of(instance.status)
        return {
            "asked": asked,
            "answered": True,
            "differs": differs,
            **(verdict_data(verdict) if verdict else {}),
            "why": WHY_TWO_VERDICTS if differs else None,
            "tests": [test.to_wire() for test in instance.status.tests],
        }

    # Saving

    async def _save(self, subject: Subject, trial: Trial) -> bool:
        """Print or apply the saved test; tell whether that was done."""
        name, raw = self.wish.save or "", subject.raw
        entry = next(test for test in raw["spec"]["tests"] if test["name"] == name)
        if trial.exposed:
            self.view.say("\nNot saved, since a credential would be saved with it.")
            return False
        if trial.verdict.reason == Reason.TESTS_INVALID:
            self.view.say("\nNot saved: such a test can never be made, so --force does not save it either.")
            return False
        if trial.verdict.result != "Success" and not self.wish.force:
            self.view.say(
                "\nNot saved: the test has just not succeeded, and a saved test that fails makes the instance not"
                f" Ready. Correct the request, or save '{name}' nevertheless with --force."
            )
            return False
        if not self.wish.apply:
            click.echo(manifest(raw), nl=False)
            return True
        try:
            await apply_test(self._cluster().kube, raw, entry)
        except ApiError as error:
            if error.status == FIELD_CONFLICT:
                why = f"somebody else manages a test of this name, so change it there: {error}"
            else:
                why = _why_not(error)
            raise StopError(f"The test could not be saved: {why}", COULD_NOT_TELL) from error
        self.view.say(
            f"\nSaved as '{name}' in spec.tests. If the instance comes from Git, commit it there too."
        )
        return True

    # The cluster

    def _connect(self) -> KubeConnection:
        if self._connection is None:
            try:
                self._connection = load(self.wish.kubeconfig, self.wish.context)
            except KubeconfigError as error:
                if self.wish.kubeconfig or self.wish.context:
                    raise StopError(str(error), USAGE) from error
                raise CannotAskError(str(error)) from error
        return self._connection

    def _cluster(self) -> Cluster:
        connection = self._connect()
        if self._kube is None:
            self._kube = KubeClient(connection)
        return Cluster(self._kube, connection.server)

    def _namespace(self) -> str:
        if self.wish.namespace:
            return self.wish.namespace
        try:
            return self._connect().namespace
        except (CannotAskError, StopError):
            if self.wish.file is None:
                raise
            return "default"  # a draft may need no cluster


def _why_not(error: ApiError) -> str:
    if error.status == FORBIDDEN:
        return f"you may not 'patch' this instance. Ask for that right. The API server says: {error}"
    return str(error)


def _text_of(file: Path, source: str) -> str:
    try:
        return text_of(file)
    except UnreadableError as error:
        raise StopError(f"{source} cannot be read: {error}", USAGE) from error
