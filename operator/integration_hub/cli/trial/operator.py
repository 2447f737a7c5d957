"""What the operator says of a connection that `hub test` tests: compared, asked for again, or all that there is."""

from __future__ import annotations

from dataclasses import replace

from integration_hub.adapters.kube import ApiError
from integration_hub.adapters.kube_api import FORBIDDEN
from integration_hub.cli.errors import Exit, UnreachableError
from integration_hub.cli.trial.subjects import Access, Subject
from integration_hub.cli.trial.view import View, verdict_data
from integration_hub.cli.trial.wish import CODES, Raw, Wish
from integration_hub.cli.words import typed
from integration_hub.model.instance import IntegrationInstance, TestStatus
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import Inputs
from integration_hub.shell.operator_view import agrees, answered, ask, is_current, verdict_of
from integration_hub.shell.tryout import Trial, Verdict

WHY_TWO_VERDICTS = (
    "This machine and the operator's cluster reach the same system by different ways: network policies, proxies, name"
    " servers, the authorities that they trust, and --allow-cidr and --allow-http may differ. Compare the stages of the"
    " two."
)


_WAY_OUT = {
    True: "Ask for the right to 'get' it, or let the operator test: leave --no-operator out.",
    False: "Ask for the right to 'get' it.",
}
"""What to do, by whether the operator could test what is to be tested."""


class OtherSide:
    """The operator, as seen from the command line."""

    def __init__(self, wish: Wish, access: Access, view: View) -> None:
        """Ask nothing yet."""
        self._wish = wish
        self._access = access
        self._view = view

    async def compare(self, inputs: Inputs, trial: Trial) -> tuple[Raw | None, int]:
        """Show what the operator says, after it has looked at the same; return that and its exit code."""
        self._view.say()
        if inputs.instance.spec.suspend:
            return None, 0
        if is_current(inputs, trial) and agrees(inputs, trial):
            tested = inputs.instance.status.last_tested
            self._view.say(f"The operator says the same{f' (tested {tested})' if tested else ''}.")
            return self._data(inputs.instance, asked=False, differs=False), 0
        answer = await self._ask(inputs.instance)
        has_answered = not isinstance(answer, Exit)
        if isinstance(answer, Exit) and not is_current(inputs, trial):
            return {"asked": True, "answered": False}, answer
        # What it has said before is about the same inputs.
        instance = inputs.instance if isinstance(answer, Exit) else answer
        inputs = replace(inputs, instance=instance)
        verdict = verdict_of(instance.status)
        differs = not agrees(inputs, trial)
        if not differs:
            self._view.say("The operator has tested it now, and says the same.")
        elif verdict is not None:
            self._view.show_verdict(verdict, "The operator says otherwise")
            self._view.say()
            self._view.say(WHY_TWO_VERDICTS)
        code = CODES[verdict.result] if verdict is not None else Exit.UNREACHABLE
        data = self._data(instance, asked=True, differs=differs) | {"answered": has_answered}
        return data, code if differs else 0

    async def _ask(self, instance: IntegrationInstance) -> IntegrationInstance | Exit:
        """Ask the operator to test now, and wait. Where it gave no answer, that is said: return the exit code."""
        namespace, name = instance.metadata.namespace, instance.metadata.name
        kube = self._access.cluster().kube
        try:
            await ask(kube, namespace, name)
            self._view.busy("the operator tests")
            found = await answered(kube, namespace, name, self._wish.timeout)
        except ApiError as error:
            self._view.say(f"The operator cannot be asked to test: {why_not(error)}")
            return Exit.UNREACHABLE
        if found is None:
            self._view.say(
                f"The operator has not answered within {self._wish.timeout:g} s. See with '{typed('check')}'"
                " whether it runs; --timeout gives it longer."
            )
        return found or Exit.TIMEOUT

    async def take_over(self, subject: Subject, trial: Trial) -> Raw:
        """Show what the operator finds where only it can test."""
        if not self._wish.operator:
            has_choice = self._wish.file is None and self._wish.entry is None
            is_held = trial.verdict.reason == Reason.AUTHORIZATION_REQUIRED
            way_out = trial.verdict.hint if is_held else _WAY_OUT[has_choice]
            raise UnreachableError(f"{trial.for_operator}, which the test needs.", todo=way_out or "")
        self._view.say(f"{trial.for_operator}, so the operator is asked to test.")
        self._view.say()
        answer = await self._ask(subject.inputs.instance)
        verdict = None if isinstance(answer, Exit) else verdict_of(answer.status)
        if isinstance(answer, Exit) or verdict is None:
            self._show_earlier(subject.inputs.instance)
            message = f"{trial.for_operator}, and the operator has not answered."
            nothing = Verdict("Unknown", trial.verdict.reason, message)
            return verdict_data(nothing) | {
                "tests": [],
                "operator": {"asked": True, "answered": False},
                "exitCode": answer if isinstance(answer, Exit) else Exit.UNREACHABLE,
            }
        instance = answer
        tests = [
            test for test in instance.status.tests if not self._wish.tests or test.name in self._wish.tests
        ]
        for test in tests:
            self._show_theirs(test)
        self._view.show_verdict(verdict, "The operator says")
        return verdict_data(verdict) | {
            "tests": [test.to_wire() for test in tests],
            "operator": self._data(instance, asked=True, differs=False),
            "exitCode": CODES[verdict.result],
        }

    def _show_earlier(self, instance: IntegrationInstance) -> None:
        """Show what it has said before, with its time: whether the Secret is still the same cannot be seen."""
        earlier, tested = verdict_of(instance.status), instance.status.last_tested
        if earlier is not None:
            self._view.say()
            when = f" (tested {tested})" if tested else ""
            self._view.show_verdict(earlier, f"What the operator has said before{when}")

    def _show_theirs(self, test: TestStatus) -> None:
        self._view.say(f"Test '{test.name}'")
        for stage in test.stages:
            self._view.show_stage(stage)
        self._view.say()
        self._view.show_result(test)
        self._view.say()

    @staticmethod
    def _data(instance: IntegrationInstance, *, asked: bool, differs: bool) -> Raw:
        verdict = verdict_of(instance.status)
        return {
            "asked": asked,
            "answered": True,
            "differs": differs,
            **(verdict_data(verdict) if verdict else {}),
            "why": WHY_TWO_VERDICTS if differs else None,
            "tests": [test.to_wire() for test in instance.status.tests],
        }


def why_not(error: ApiError) -> str:
    """Return why the API server did not take a change, and what to do."""
    if error.status == FORBIDDEN:
        return f"you may not 'patch' this instance. Ask for that right. The API server says: {error}"
    return str(error)
