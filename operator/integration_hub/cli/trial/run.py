"""What `hub test` does, from the wish to the exit code: tests each connection, shows it, saves."""

from __future__ import annotations

import asyncio
import json
import re
import sys

from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.kube import SECRETS, ApiError
from integration_hub.adapters.kube_api import CONFLICT
from integration_hub.adapters.traffic import Traffic
from integration_hub.cli.connecting import farewell
from integration_hub.cli.errors import Exit, HubError, foreseen_in
from integration_hub.cli.output import Form, write
from integration_hub.cli.terminal import Screen
from integration_hub.cli.trial.operator import OtherSide, why_not
from integration_hub.cli.trial.subjects import Access, Subject, Subjects
from integration_hub.cli.trial.view import View, trial_data
from integration_hub.cli.trial.wish import CODES, SEVERITY, Raw, Wish
from integration_hub.cli.trial.words import hint_here, in_flags
from integration_hub.config.plain_text import one_line
from integration_hub.config.values import choices, did_you_mean
from integration_hub.model.conditions import Condition
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.gates import pass_gates
from integration_hub.reconcile.inputs import SecretAnswer
from integration_hub.shell.draft import DraftError, NoDraftError
from integration_hub.shell.explaining import reading
from integration_hub.shell.lookup import CannotAskError, NoSuchObjectError
from integration_hub.shell.saving import apply_test, manifest
from integration_hub.shell.tryout import Trial, Tryout, UnknownTestError, refuse_unknown


def run(wish: Wish) -> int:
    """Fulfil a wish and return the exit code."""
    try:
        return asyncio.run(_run(wish))
    except (HubError, NoSuchObjectError, CannotAskError, DraftError) as error:
        code = Exit.USAGE if isinstance(error, NoDraftError) else CODES["Failure"]
        told = foreseen_in(error) or HubError(str(error), code=code)
        if not wish.form.is_table:
            _print({"error": str(error), "exitCode": told.code}, wish.form)
        told.show()
        return told.code


def _print(data: Raw, form: Form) -> None:
    """Print data for a program; as JSON in the order in which things happened."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    if form.kind == "json":
        Screen.current().data(text)
    else:
        # By way of JSON, since results and exit codes are more than the plain values that YAML knows.
        write(Screen.current(), form, json.loads(text))


async def _run(wish: Wish) -> int:
    session = Session(wish)
    try:
        return await session.run()
    finally:
        await session.close()
        await farewell()


class Session:
    """One run of the command."""

    def __init__(self, wish: Wish) -> None:
        """Open nothing yet."""
        self.wish = wish
        is_data = not wish.form.is_table or wish.prints_manifest
        self.view = View(sys.stderr if is_data else sys.stdout, sys.stderr)
        self._http = HttpClient(wish.policy)
        self._traffic = Traffic(self._http)
        self._access = Access(wish)
        self._has_printed = False
        self._operator = OtherSide(wish, self._access, self.view)

    async def close(self) -> None:
        """Close all connections and leave the terminal as it was."""
        self.view.close()
        await self._traffic.close()
        await self._http.close()
        await self._access.close()

    async def run(self) -> int:
        """Test all that was asked for; return the worst of the exit codes."""
        found: list[Raw] = []
        subjects = await Subjects(self.wish, self._access).all()
        for subject in subjects:
            self._refuse_mistakes(subject)
        for subject in subjects:
            found.append(await self._test(subject))
            self.view.say()
        code: int = max((data["exitCode"] for data in found), key=SEVERITY.index)
        if not self.wish.form.is_table:
            _print(found[0] if len(found) == 1 else {"items": found, "exitCode": code}, self.wish.form)
        return code

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
        if trial.for_operator:
            return data | await self._operator.take_over(subject, trial)
        self.view.show_trial(trial, hint_here(trial.verdict.reason, is_draft=self.wish.file is not None))
        data |= trial_data(trial) | {"operator": None}
        code = CODES[trial.verdict.result]
        if self.wish.operator:
            data["operator"], theirs = await self._operator.compare(subject.inputs, trial)
            code = Exit(max(code, theirs, key=SEVERITY.index))
        if self.wish.save is not None:
            data["saved"] = await self._save(subject, trial)
            code = code if data["saved"] or code else CODES["Failure"]
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
                return await self._access.cluster().kube.read_secret(namespace, name)
            except ApiError as error:
                deed = reading(SECRETS, "get", namespace=namespace)
                raise self._access.cluster().explained(error, f"Secret '{name}'", deed) from error

        tryout = Tryout(self._traffic, read, observer=self.view, bodies=self.wish.bodies)
        return await tryout.run(subject.inputs, self._only)

    @property
    def _only(self) -> tuple[str, ...]:
        """Names of the tests that are made; all where there are none."""
        return (self.wish.own_test,) if self.wish.entry is not None else self.wish.tests

    def _refuse_mistakes(self, subject: Subject) -> None:
        """Say what is wrong in the command itself, before anything is told or sent."""
        gates = pass_gates(subject.inputs)
        if gates.passed is None:
            self._refuse_own_mistakes(subject, gates.conditions[-1])
            return
        try:
            refuse_unknown(gates.passed.tests, self._only)
        except UnknownTestError as error:
            raise HubError(
                f"IntegrationInstance '{subject.inputs.instance.metadata.name}' has no test"
                f" '{error.name}'{did_you_mean(error.name, error.known)}; it has {choices(error.known)}.",
                code=Exit.USAGE,
            ) from error

    def _refuse_own_mistakes(self, subject: Subject, stopped: Condition) -> None:
        """Say in the words of the flags what is wrong in the person's own request, if nothing else is."""
        if self.wish.entry is None or stopped.reason != Reason.TESTS_INVALID:
            return
        names = [test["name"] for test in subject.raw["spec"]["tests"]]
        own = names.index(self.wish.own_test)
        if set(re.findall(r"spec\.tests\[(\d+)\]", stopped.message)) == {str(own)}:
            raise HubError(f"The request cannot be tried: {in_flags(stopped.message, own)}", code=Exit.USAGE)

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
            Screen.current().data("---\n" * self._has_printed + manifest(raw), nl=False)
            self._has_printed = True
            return True
        try:
            await apply_test(self._access.cluster().kube, raw, entry)
        except ApiError as error:
            if error.status == CONFLICT:
                why = f"somebody else manages a test of this name, so change it there: {error}"
                code = Exit.FAILED
            else:
                why, code = why_not(error), Exit.UNREACHABLE
            raise HubError(f"The test could not be saved: {why}", code=code) from error
        self.view.say(
            f"\nSaved as '{name}' in spec.tests. If the instance comes from Git, commit it there too."
        )
        return True
