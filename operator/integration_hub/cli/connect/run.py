"""What `hub connect` and `hub edit` do, from the first question to the exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

import click

from integration_hub.cli.cluster import Cluster
from integration_hub.cli.connect.ask import asker_of
from integration_hub.cli.connect.choices import choices
from integration_hub.cli.connect.definitions import Definitions, Missing, refuse_missing, told
from integration_hub.cli.connect.dialogue import Dialogue, LeftError
from integration_hub.cli.connect.given import Given
from integration_hub.cli.connect.home import home_of
from integration_hub.cli.connect.left_behind import NOTHING
from integration_hub.cli.connect.place import Place
from integration_hub.cli.connect.result import Result, result_of
from integration_hub.cli.connect.trial import Trials
from integration_hub.cli.connect.wish import Wish
from integration_hub.cli.connect.writing import Writing
from integration_hub.cli.errors import Exit, HubError, foreseen_in
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import typed
from integration_hub.config.plain_text import clean
from integration_hub.forms.interview import Interview
from integration_hub.forms.manifests import answers_of, secret_changes
from integration_hub.forms.ownership import keeper_of
from integration_hub.forms.question import Answers
from integration_hub.forms.surroundings import Current
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.definition import CheckedDefinition
from integration_hub.shell.git_folder import FORMATS
from integration_hub.shell.kustomization import UnusableListError, listing_of

NOT_FOR_GIT: Final = "A folder for Git cannot change a value of the Secret that the connection has"


class Verdict(Enum):
    """What is known of the answers."""

    NONE = "none"
    """They were not tested, or only the operator can test them, who may read the Secret."""
    HELD = "held"
    """Only the operator can test them, who holds the tokens or will."""
    PASSED = "passed"
    FAILED = "failed"
    """Or it could not be told."""


_TEST_CODES: Final = {
    Verdict.PASSED: Exit.OK,
    Verdict.FAILED: Exit.FAILED,
    Verdict.HELD: Exit.FAILED,
    Verdict.NONE: Exit.UNREACHABLE,
}
"""Exit codes where nothing but the test was asked for."""


@dataclass
class _Talk:
    """What a conversation is about."""

    interview: Interview
    before: Answers | None
    """Answers that the connection has, None for a new one."""
    managed: bool
    """Whether a tool keeps it, so that a change belongs into a folder."""
    is_due: bool
    """Whether a test is made before the next question."""
    code: Exit = Exit.OK
    """What it ends with where nothing is written: how the last test, or the last try to write, has ended."""


def connect(definition: str | None, flags: Mapping[str, Any]) -> Exit:
    """Make a new connection."""
    return _run(flags, lambda session: session.connect(definition))


def edit(name: str, flags: Mapping[str, Any]) -> Exit:
    """Change a connection."""
    return _run(flags, lambda session: session.edit(name))


def _run(flags: Mapping[str, Any], do: Callable[[Session], Exit]) -> Exit:
    session = Session(flags)
    try:
        return do(session)
    except KeyboardInterrupt:
        click.echo(clean(f"\nStopped. {session.writing.left}"), err=True)
        return Exit.INTERRUPTED


class Session:
    """One run of a command."""

    def __init__(self, flags: Mapping[str, Any]) -> None:
        """Ask nothing yet, of nobody."""
        self._flags = flags
        self.wish = Wish.of(flags)
        self._screen = Screen.current()
        self._dialogue = Dialogue(asker_of(self._screen), self._screen) if self.wish.asks else None
        self._place = Place(Cluster.of(flags))
        self._definitions = Definitions(self._place, self._screen)
        self._missing: Missing | None = None
        """The definition, where the cluster does not have it."""
        self.writing = Writing(self._place, self._screen, self._definitions, self._dialogue, flags)

    # Beginnings

    def connect(self, definition: str | None) -> Exit:
        """Ask for a new connection and make it."""
        if definition is None and self._dialogue is None:
            raise click.UsageError(
                f"Name the definition to connect to: '{typed('get', 'definitions')}' lists those of the"
                " cluster, 'hub catalog list' those of the catalog."
            )
        if self.wish.folder is not None:
            listing_of(self.wish.folder)  # what is wrong with it is told before a question is asked
        left: dict[str, Answers] = {}
        while True:
            name = definition or self._pick()
            checked, self._missing = self._definitions.find(name)
            if self._missing is not None:
                refuse_missing(self._missing, self.wish)
            interview = self._interview(checked)
            answers, keys = self._given(interview, left.get(name, Answers()))
            if self._dialogue is None:
                self._refuse_incomplete(interview, answers)
                break
            self._dialogue.introduce(interview, told(self._missing, self.wish) if self._missing else "")
            try:
                answers = self._dialogue.interview(
                    interview, answers, given=keys, may_leave=definition is None
                )
                break
            except LeftError as error:
                left[name] = error.answers
        return self._finish(checked, interview, answers, before=None)

    def edit(self, name: str) -> Exit:
        """Ask what is to be changed in a connection and change it."""
        current = self._place.current(name)
        checked = self._place.definition(current.spec["definitionRef"]["name"])
        interview = self._interview(checked, current)
        keeper = keeper_of(current.raw["metadata"])
        if keeper is not None:
            self._screen.note(
                f"{keeper} keeps this connection as it is in its source: what is changed here alone does not last."
                " Write the manifests with -o DIR, and commit them there."
            )
        before = answers_of(interview, current)
        answers, _ = self._given(interview, before)
        self._refuse_lost_values(interview, answers)
        if self.wish.folder is not None:
            # Before it is tested, or a question is asked.
            home_of(self.wish.folder, current.raw, listing_of(self.wish.folder))
        if self._dialogue is None:
            self._refuse_incomplete(interview, answers)
        return self._finish(checked, interview, answers, before=before, managed=keeper is not None)

    def _pick(self) -> str:
        if self._dialogue is None:
            raise ValueError("nobody is there to be asked")
        return self._dialogue.pick(self._definitions.offers())

    def _interview(self, checked: CheckedDefinition, current: Current | None = None) -> Interview:
        if checked.spec is None or checked.validator is None:
            raise ValueError("a definition without mistakes has both")
        around = self._place.surroundings(self._flags["secret_name"], asks=self._dialogue is not None)
        return Interview(checked.name, checked.spec, checked.validator, around, current)

    def _given(self, interview: Interview, answers: Answers) -> tuple[Answers, set[str]]:
        given = Given(interview, self._flags, asks=self.wish.asks)
        found = given.added_to(answers)
        return found, given.keys

    def _refuse_incomplete(self, interview: Interview, answers: Answers) -> None:
        """List everything that is missing or wrong, each with the flag that gives it."""
        problems = interview.problems(answers)
        if not problems:
            return
        lines = [f"  {problem.remedy}" for problem in problems]
        raise HubError("Some answers are missing or wrong:\n" + "\n".join(lines), code=Exit.USAGE)

    def _refuse_lost_values(self, interview: Interview, answers: Answers) -> None:
        """Refuse values that were given for nothing, before they are tested or a question is asked."""
        if self.wish.folder is not None and secret_changes(interview, answers) is not None:
            raise HubError(
                f"{NOT_FOR_GIT}.",
                todo="Replace it where the Secret comes from, or in the cluster with --apply in place of -o. Or put"
                " all values into a new Secret with --secret-name NAME, which --secret-format sealed-secret seals.",
                code=Exit.USAGE,
            )

    # From answers to the end

    def _finish(
        self,
        checked: CheckedDefinition,
        interview: Interview,
        answers: Answers,
        *,
        before: Answers | None,
        managed: bool = False,
    ) -> Exit:
        """Test the answers and write them. `before` are those that a connection has; `managed`: a tool keeps it."""
        trials = Trials(self._place, checked, self.wish.policy)
        if self._dialogue is None or self.wish.test_only:
            return self._finish_alone(trials, self._result(interview, answers, before))
        talk = _Talk(
            interview, before, managed=managed, is_due=before is None or dict(before) != dict(answers)
        )
        return self._converse(self._dialogue, trials, talk, answers)

    def _finish_alone(self, trials: Trials, result: Result) -> Exit:
        """Go through to the end without another question."""
        verdict = self._test(trials, result) if self.wish.tests else Verdict.NONE
        if self.wish.test_only:
            return _TEST_CODES[verdict]
        if verdict is Verdict.FAILED:
            self._screen.note(f"{NOTHING} Correct the answers, or leave the test out with --no-test.")
            return Exit.FAILED
        code = self.writing.write(result, self.wish)
        if code is None:
            raise ValueError("nobody is asked, so nobody declines")
        return code

    def _converse(self, dialogue: Dialogue, trials: Trials, talk: _Talk, answers: Answers) -> Exit:
        """Show the answers, test them, and ask what to do, until they are written or a person has had enough."""
        interview = talk.interview
        while True:
            answers = dialogue.mended(interview, answers)
            result, failed = self._looked_at(dialogue, trials, talk, answers)
            talk.is_due = True  # whatever is chosen now, it comes back here to be tested
            chosen = dialogue.choose(
                "What now?", choices(result, self.wish, failed=failed, managed=talk.managed)
            )
            match chosen:
                case "answer":
                    answers = dialogue.change(interview, answers)
                case "all":
                    answers = dialogue.interview(interview, answers)
                case "credentials":
                    answers = dialogue.change_credentials(interview, answers)
                case "test":
                    pass
                case "stop":
                    self._screen.note(NOTHING)
                    return talk.code
                case _:
                    code = self._written(dialogue, talk, chosen, result)
                    if code is not None:
                        return code
                    talk.is_due = False  # nothing is other than before

    def _looked_at(
        self, dialogue: Dialogue, trials: Trials, talk: _Talk, answers: Answers
    ) -> tuple[Result, bool]:
        """Show what comes of the answers, and test it where that is due; return it, and whether the test failed."""
        dialogue.summary(talk.interview, answers, name=talk.interview.display_name(answers))
        result = self._result(talk.interview, answers, talk.before)
        verdict = Verdict.NONE
        if self.wish.tests and talk.is_due:
            self._screen.note("")
            verdict = self._test(trials, result)
            talk.code = Exit.FAILED if verdict is Verdict.FAILED else Exit.OK
        if result.secret_patch is not None and not (self.wish.apply or self.wish.dry_run):
            self._screen.note(
                f"{NOT_FOR_GIT}: replace it where the Secret comes from, or choose a new Secret, which can be sealed."
            )
        return result, verdict is Verdict.FAILED

    def _written(self, dialogue: Dialogue, talk: _Talk, chosen: str, result: Result) -> Exit | None:
        """Write as was chosen and return the exit code; None where nothing was, so that no answer is lost."""
        code = None
        try:
            wish = self._target(dialogue, chosen, result)
            if self._agrees(dialogue, wish):
                code = self.writing.write(result, wish)
        except (HubError, UnusableListError) as error:
            known = foreseen_in(error)
            if known is None or self.writing.is_done:
                raise
            known.show()
            talk.code = known.code
        if code is None:
            self._screen.note(NOTHING)
        return code

    def _result(self, interview: Interview, answers: Answers, before: Answers | None) -> Result:
        return result_of(
            interview, answers, before, missing=self._missing, cluster_flags=self._cluster_flags()
        )

    def _cluster_flags(self) -> tuple[str, ...]:
        named = (("--kubeconfig", self._flags["kubeconfig"]), ("--context", self._flags["context"]))
        return tuple(word for flag, value in named if value for word in (flag, str(value)))

    def _test(self, trials: Trials, result: Result) -> Verdict:
        instead = self._instead_of_a_test(result)
        trial = trials.make(result.interview, result.answers, result.raw, instead=instead)
        if trial.for_operator:
            return Verdict.NONE if trial.verdict.reason == Reason.SECRET_FORBIDDEN else Verdict.HELD
        return Verdict.PASSED if trial.verdict.result == "Success" else Verdict.FAILED

    def _instead_of_a_test(self, result: Result) -> str:
        """Return what is so where only the operator can test it."""
        if not self.wish.test_only:
            return "so it is tested once it is applied"
        if result.needs_consent and result.interview.current is None:
            return "so it cannot be tested before it is applied and somebody has consented"
        return "so nothing was tested: applied with --apply, it is tested by the operator"

    def _target(self, dialogue: Dialogue, chosen: str, result: Result) -> Wish:
        """Return the wish with what a person has chosen to do."""
        if chosen == "target":
            return self.wish
        if chosen == "apply":
            return replace(self.wish, apply=True)
        folder = Path(dialogue.text("Folder to write", fallback=result.name)).expanduser()
        wish = replace(self.wish, folder=folder)
        if result.new_secret is not None:
            words = ("An example, with instructions", "A SealedSecret", "An ExternalSecret to complete")
            chosen = dialogue.choose(
                "How does the Secret come to the cluster?", list(zip(FORMATS, words, strict=True))
            )
            wish = replace(wish, secret_format=chosen)
        return wish

    def _agrees(self, dialogue: Dialogue, wish: Wish) -> bool:
        """Ask whether the definition is installed, where that is needed and was not said."""
        missing = self._missing
        if missing is None or not wish.apply or wish.install or wish.dry_run is not None:
            return True
        self._screen.note("")
        self._screen.note(
            f"The connection needs the definition '{missing.name}' in the cluster. It describes {missing.system} for"
            " all namespaces, and holds no credentials."
        )
        options = [("yes", "Yes, install it and apply the connection"), ("no", "No")]
        return dialogue.choose(f"Install the definition '{missing.name}' in the cluster?", options) == "yes"
