"""The conversation of `hub connect` and `hub edit`: which question comes next, the summary, what can be done then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from integration_hub.catalog.offers import Offer, found, meant
from integration_hub.cli.connect.ask import Asker, BackError, menu
from integration_hub.cli.errors import HubError
from integration_hub.cli.terminal import Screen, cut
from integration_hub.config.plain_text import clean, one_line
from integration_hub.config.values import choices
from integration_hub.forms.interview import Interview
from integration_hub.forms.keys import SECRET_DO, SECRET_KEY, SECRET_NAME, SECRET_USE
from integration_hub.forms.question import Answers, Page, Question, shown

SHOWN_OFFERS: Final = 12
MAX_LINE: Final = 160
"""Columns of a line where the terminal does not say how many it has."""
CREDENTIALS: Final = (SECRET_USE, SECRET_NAME, SECRET_DO, SECRET_KEY)


class LeftError(Exception):
    """A person has gone back from the first question."""

    def __init__(self, answers: Answers) -> None:
        """`answers` are those that were given so far."""
        super().__init__()
        self.answers = answers


class Dialogue:
    """Asks for answers until there is nothing left to ask."""

    def __init__(self, asker: Asker, screen: Screen) -> None:
        """Ask nothing yet."""
        self._asker = asker
        self._screen = screen

    # Which definition

    def pick(self, offers: Sequence[Offer]) -> str:
        """Return the name of the definition that a person finds."""
        if not any(offer.is_installed for offer in offers):
            self._screen.note("")
            self._screen.note("This cluster has no definitions yet; the catalog has these.")
        matches = list(offers)
        while True:
            self._list(matches)
            answer = self._search()
            chosen = _numbered(answer, matches) or meant(matches, answer) or meant(offers, answer)
            if chosen is not None:
                return chosen.entry.name
            hits = found(offers, answer)
            if len(hits) == 1:
                self._screen.note(f"  {_named(hits[0])}")
                return hits[0].entry.name
            if hits:
                matches = hits
            else:
                self._screen.note(
                    f"  Nothing is like '{one_line(answer)}'. Try a part of the name, or who makes it."
                )

    def _search(self) -> str:
        question = Question(
            "definition", "Which system? Type words to search, or a number", page=Page(""), required=True
        )
        while True:
            try:
                return str(self._asker.ask(question))
            except BackError:
                self._screen.note("  This is the first question.")

    def _list(self, offers: list[Offer]) -> None:
        self._screen.note("")
        columns = len(str(min(len(offers), SHOWN_OFFERS)))
        for number, offer in enumerate(offers[:SHOWN_OFFERS], start=1):
            told = f": {one_line(offer.entry.description)}" if offer.entry.description else ""
            self._screen.note(
                cut(f"  {number:>{columns}}  {_named(offer)}{told}", self._screen.width or MAX_LINE)
            )
        more = len(offers) - SHOWN_OFFERS
        if more > 0:
            self._screen.note(f"  and {more} more")

    # The questions

    def introduce(self, interview: Interview, told: str = "") -> None:
        """Show what is connected to, where its maker explains it, and what else is `told` of the definition."""
        spec = interview.spec
        self._screen.note("")
        self._screen.note(self._screen.strong(one_line(spec.display_name)))
        if spec.description:
            self._screen.note(clean(spec.description))
        if spec.documentation_url:
            self._screen.note(f"Documentation: {one_line(spec.documentation_url)}")
        if told:
            self._screen.note(told)

    def interview(
        self,
        interview: Interview,
        answers: Answers,
        *,
        given: Collection[str] = (),
        may_leave: bool = False,
    ) -> Answers:
        """Ask everything that no flag has answered.

        Raises:
            LeftError: a person goes back from the first question, and there is something before it (`may_leave`).

        """
        question = _skip(interview, interview.first(answers), answers, given)
        answers = self._from(interview, question, answers, given=given, may_leave=may_leave)
        return self.mended(interview, answers, given=given)

    def _from(  # noqa: PLR0913
        self,
        interview: Interview,
        question: Question | None,
        answers: Answers,
        *,
        last: str = "",
        given: Collection[str] = (),
        may_leave: bool = False,
    ) -> Answers:
        """Ask that question and those behind it, to the end or to the last one. A person may go back before it."""
        while question is not None:
            try:
                value = self._asker.ask(question, answers.get(question.key))
            except BackError:
                before = interview.before(question.key, answers)
                while before is not None and before.key in given:
                    before = interview.before(before.key, answers)
                if before is None and may_leave:
                    raise LeftError(answers) from None
                if before is None:
                    self._screen.note("  This is the first question.")
                question = before or question
                continue
            answers = answers.with_answer(question.key, value)
            if question.key == last:
                break
            question = _skip(interview, interview.after(question.key, answers), answers, given)
        return answers

    def mended(self, interview: Interview, answers: Answers, *, given: Collection[str] = ()) -> Answers:
        """Ask again whatever is missing or wrong, such as what only a changed answer asks for."""
        while problems := interview.problems(answers):
            problem = problems[0]
            question = interview.question(problem.key, answers) if problem.key else None
            if question is None:
                raise HubError("The answers make no connection.", why=problem.sentence)
            if answers.get(question.key) is not None:
                self._screen.note(f"  Not taken: {clean(problem.sentence)}")
            if len(problem.together) > 1:
                # Enter keeps what is right; which of them that is, only a person knows.
                left = [key for key in given if key not in problem.together]
                answers = self._from(interview, question, answers, last=problem.together[-1], given=left)
            else:
                answers = self._one(question, answers.without(question.key))
        return answers

    def _one(self, question: Question, answers: Answers) -> Answers:
        while True:
            try:
                return answers.with_answer(question.key, self._asker.ask(question, answers.get(question.key)))
            except BackError:
                if not question.must_be_answered or answers.get(question.key) is not None:
                    return answers
                self._screen.note("  This must be answered first.")

    # Afterwards

    def summary(self, interview: Interview, answers: Answers, *, name: str) -> None:
        """Show every answer with its number."""
        self._screen.note("")
        self._screen.note(self._screen.strong(f"{one_line(interview.spec.display_name)}: {one_line(name)}"))
        for number, question in enumerate(interview.questions(answers), start=1):
            self._screen.note(f"  {number:>2}  {_line(question, answers)}")

    def change(self, interview: Interview, answers: Answers) -> Answers:
        """Let a person choose an answer and give another."""
        questions = interview.questions(answers)
        which = Question(
            "which",
            "Answer to change, by its number or first words",
            page=Page(""),
            required=True,
            check=lambda text: _none_meant(questions, text),
        )
        try:
            text = self._asker.ask(which)
        except BackError:
            return answers
        return self.mended(interview, self._one(_meant(questions, text)[0], answers))

    def change_credentials(self, interview: Interview, answers: Answers) -> Answers:
        """Ask for the credentials again."""
        asked: set[str] = set()
        while True:
            left = [
                question
                for question in interview.questions(answers)
                if question.key.startswith(CREDENTIALS) and question.is_asked and question.key not in asked
            ]
            if not left:
                return self.mended(interview, answers)
            asked.add(left[0].key)
            answers = self._one(left[0], answers)

    def choose(self, title: str, options: list[tuple[str, str]]) -> str:
        """Return what a person chooses to do."""
        while True:
            try:
                return str(self._asker.ask(menu(title, options)) or options[0][0])
            except BackError:
                self._screen.note("  Choose one of these.")

    def text(self, title: str, *, fallback: str) -> str:
        """Return a line, such as the name of a folder."""
        question = Question("text", title, page=Page(""), required=True, fallback=fallback)
        while True:
            try:
                return str(self._asker.ask(question) or fallback)
            except BackError:
                self._screen.note("  Answer this, or stop with Ctrl-C.")


def _numbered(answer: str, offers: list[Offer]) -> Offer | None:
    is_one = answer.isascii() and answer.isdigit() and 0 < int(answer) <= min(len(offers), SHOWN_OFFERS)
    return offers[int(answer) - 1] if is_one else None


def _named(offer: Offer) -> str:
    """Return what an offer is called in a list. The mark is a word, for whoever sees no colours, or nothing at all."""
    name = one_line(offer.entry.display_name)
    return name if offer.is_installed else f"{name} (not installed yet)"


def _skip(
    interview: Interview, question: Question | None, answers: Answers, given: Collection[str]
) -> Question | None:
    while question is not None and question.key in given:
        question = interview.after(question.key, answers)
    return question


def _title(question: Question) -> str:
    return one_line(question.title.rstrip("?"))


def _line(question: Question, answers: Answers) -> str:
    return f"{_title(question)}: {'; '.join(_told(question, answers))}"


def _told(question: Question, answers: Answers) -> Iterator[str]:
    value = answers.get(question.key)
    if value is not None:
        yield one_line(shown(question, value))
    elif question.fallback is not None:
        source = question.answered_by or ("default" if question.key.startswith("config.") else "proposed")
        yield f"{one_line(shown(question, question.fallback))} ({source})"
    else:
        yield "(empty)"


def _meant(questions: Sequence[Question], text: str) -> list[Question]:
    """Return the question of that number or title, else those whose title begins so."""
    wanted = text.strip().lower()
    if wanted.isascii() and wanted.isdigit():
        number = int(wanted)
        return [questions[number - 1]] if 0 < number <= len(questions) else []
    exact = [question for question in questions if _title(question).lower() == wanted.rstrip("?")]
    return exact[:1] or [question for question in questions if _title(question).lower().startswith(wanted)]


def _none_meant(questions: Sequence[Question], text: str) -> str | None:
    meant = _meant(questions, text)
    if len(meant) == 1:
        return None
    if meant:
        return f"is not clear: {choices([_title(question) for question in meant])} begin so"
    return f"must be a number from 1 to {len(questions)}, or how one of the answers above begins"
