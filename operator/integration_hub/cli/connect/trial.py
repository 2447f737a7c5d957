"""The draft test of `hub connect` and `hub edit`: of what was entered, with stored values only where those are kept."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.traffic import Traffic
from integration_hub.cli.connect.place import Place
from integration_hub.cli.connecting import farewell
from integration_hub.cli.trial.view import View
from integration_hub.cli.trial.words import hint_here
from integration_hub.forms.interview import Interview
from integration_hub.forms.question import Answers
from integration_hub.reconcile.definition import CheckedDefinition
from integration_hub.reconcile.gates import PlannedTest
from integration_hub.reconcile.inputs import SecretAnswer, SecretState
from integration_hub.shell.exchange import ShownExchange
from integration_hub.shell.lookup import as_if_applied, inputs_of
from integration_hub.shell.tryout import Trial, Tryout


class _Stages(View):
    """Shows the stages as they end. The requests are for `hub test` to show."""

    def exchange_ended(self, planned: PlannedTest, exchange: ShownExchange) -> None:
        """Show nothing of it."""


class Trials:
    """Makes draft tests."""

    def __init__(self, place: Place, checked: CheckedDefinition, policy: EgressPolicy) -> None:
        """Test connections to this definition from this machine."""
        self._place = place
        self._checked = checked
        self._policy = policy

    def make(self, interview: Interview, answers: Answers, raw: Mapping[str, Any], *, instead: str) -> Trial:
        """Test the connection that the answers describe, and show it.

        `instead` says what is so where only the operator can test it, as in "so it is tested later".
        """
        view = _Stages(sys.stderr, sys.stderr)
        try:
            trial = asyncio.run(self._make(interview, answers, raw, view))
            if trial.for_operator:
                view.say(f"{trial.for_operator}, {instead}.")
            else:
                view.show_trial(trial, hint_here(trial.verdict.reason, is_draft=False))
        finally:
            view.close()
        return trial

    async def _make(
        self, interview: Interview, answers: Answers, raw: Mapping[str, Any], view: View
    ) -> Trial:
        http = HttpClient(self._policy)
        traffic = Traffic(http)
        name = interview.secret_name(answers)

        async def read(wanted: str) -> SecretAnswer:
            return self._secret(interview, answers) if wanted == name else self._place.secret_answer(wanted)

        try:
            draft = as_if_applied(dict(raw), dict(interview.current.raw) if interview.current else None)
            # Without the cluster: whether the name is taken was asked when it was chosen.
            inputs = await inputs_of(draft, self._checked, None)
            return await Tryout(traffic, read, observer=view).run(inputs)
        finally:
            view.close()
            await traffic.close()
            await http.close()
            await farewell()

    def _secret(self, interview: Interview, answers: Answers) -> SecretAnswer:
        """Return the Secret as it would be: what is stored, and what was entered over it."""
        entered = {key: value.encode() for key, value in interview.entered(answers).items()}
        if interview.is_new_secret(answers):
            kind = interview.secret_type(answers) or "Opaque"
            return SecretAnswer(SecretState.FOUND, uid="draft", type=kind, data=entered)
        stored = self._place.secret_answer(interview.secret_name(answers) or "")
        if stored.state is not SecretState.FOUND:
            return stored
        data = {key: value for key, value in stored.data.items() if key not in interview.removed(answers)}
        return SecretAnswer(
            SecretState.FOUND,
            uid=stored.uid,
            version=stored.version,
            type=stored.type,
            data={**data, **entered},
        )
