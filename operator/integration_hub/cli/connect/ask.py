"""Asking a person one question at a time, on whatever terminal there is. What is asked, `forms` knows.

Everything goes to standard error: standard output is for what was made. Two ways: line by line, for screen readers and
terminals that cannot move their cursor; and with validation while typing, completion and keys, where there is more.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, Final, Protocol

import click

from integration_hub.cli.terminal import Screen
from integration_hub.config.plain_text import clean, one_line
from integration_hub.forms.question import (
    AnswerError,
    Kind,
    Page,
    Question,
    about,
    are_numbered,
    labels,
    problem_of,
    read_answer,
    typed,
)

BACK: Final = "back"
"""The word that goes back; '\\back' is the answer 'back' itself."""
EMPTY: Final = "-"
"""The word that leaves a question empty that has an answer, where that cannot be edited; '\\-' is the answer '-'."""
LINE_LIMIT: Final = 4095
"""Characters of a line that a terminal takes in its own line mode; it drops the rest without a word."""
END_OF_PEM: Final = "-----END"
PASTE_SECONDS: Final = 0.3
"""How long nothing comes behind what may be the end of several lines, until it is: pasted lines come at once."""
NO_PAGE: Final = Page("")


class BackError(Exception):
    """The person wants to go back to the question before."""


class Asker(Protocol):
    """Asks."""

    def ask(self, question: Question, current: Any = None) -> Any:
        """Return the answer, None where the question is left empty. `current` is the answer that there is.

        Raises:
            BackError: the person goes back.
            KeyboardInterrupt: the person has had enough; so has a terminal that closes.

        """
        ...


def asker_of(screen: Screen) -> Asker:
    """Return the way to ask that suits the terminal.

    Raises:
        click.UsageError: standard input is no terminal.

    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            "Questions are asked on a terminal, and standard input is none. Give the answers as flags with --no-input,"
            " which lists what is missing."
        )
    if isinstance(sys.stdin, TextIOWrapper):
        # A byte that is no text is told as an answer that cannot be taken.
        sys.stdin.reconfigure(errors="surrogateescape")
    is_plain = screen.plain or os.environ.get("TERM", "dumb") == "dumb" or not sys.stderr.isatty()
    return LineAsker(screen) if is_plain else FormAsker(screen)


def menu(title: str, options: Sequence[tuple[str, str]], *, help: str = "") -> Question:  # noqa: A002
    """Return a question of the command itself: (value, words) of what can be done."""
    # Here, since this module's other names need no choices.
    from integration_hub.forms.question import Choice  # noqa: PLC0415

    choices = tuple(Choice(value, words) for value, words in options)
    return Question(
        "menu",
        title,
        page=NO_PAGE,
        kind=Kind.CHOICE,
        help=help,
        required=True,
        choices=choices,
        fallback=choices[0].value,
    )


class _Words:
    """What both ways write before they wait for an answer."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._page: Page | None = None
        self._told: set[str] = set()
        """Explanations of choices that were shown: a page about the one that was taken need not repeat it."""

    def head(self, question: Question) -> None:
        """Write the page's heading where it is another one, then help and choices."""
        if question.page != self._page:
            self._page = question.page
            if question.page.title:
                self.screen.note("")
                self.screen.note(self.screen.strong(one_line(question.page.title)))
                if question.page.help and question.page.help not in self._told:
                    self.screen.note(clean(question.page.help))
        self._told |= {choice.help for choice in question.choices}
        self.screen.note("")
        for line in self._lines(question):
            self.screen.note(f"  {line}")

    def _lines(self, question: Question) -> Iterator[str]:
        if question.help:
            yield from clean(question.help).splitlines()
        if question.examples:
            shown = ", ".join(one_line(typed(question, example)) for example in question.examples[:3])
            yield f"For example: {shown}"
        numbered = are_numbered(question)
        columns = len(str(len(question.choices)))
        for number, (choice, label) in enumerate(
            zip(question.choices, labels(question), strict=True), start=1
        ):
            head = f"{number:>{columns}}  " if numbered else ""
            told = f": {one_line(choice.help)}" if choice.help else ""
            yield f"{head}{one_line(label)}{told}"
        if question.kind is Kind.LIST:
            yield "Several are separated by commas."
        if question.multiline:
            yield "It may have several lines; an empty line ends it."


def prompt_of(question: Question, current: Any, *, editable: bool) -> str:
    """Return the words right before the answer. `editable`: what there is can be edited where it stands."""
    title = one_line(question.title)
    hints = []
    if question.kind is Kind.BOOLEAN:
        hints.append("yes or no")
    if current is not None and question.secret:
        hints.append(f"entered before; Enter keeps it{_emptying(question, current)}")
    elif current is not None and not editable:
        hints.append(f"now {_short(question, current)}; Enter keeps it{_emptying(question, current)}")
    elif current is None and question.fallback is not None:
        hints.append(f"Enter for {_short(question, question.fallback)}")
    elif question.fallback is not None:
        # What there is stands in the line, and Enter takes it.
        if current != question.fallback:
            hints.append(f"left empty: {_short(question, question.fallback)}")
    elif not question.must_be_answered and question.kind is not Kind.BOOLEAN:
        hints.append("optional")
    ends = "" if title.endswith("?") else ":"
    told = f" ({', '.join(hints)})" if hints else ""
    return f"{title}{told}{ends} "


def _emptying(question: Question, current: Any) -> str:
    """Return what else can be typed where there is an answer: what leaves it empty, and so lets the fallback hold."""
    if question.must_be_answered or current == question.fallback:
        return ""
    if question.fallback is None:
        return f", {EMPTY} empties it"
    return f", {EMPTY} is for {_short(question, question.fallback)}"


def _short(question: Question, value: Any) -> str:
    title = next((choice.title for choice in question.choices if choice.value == value), None)
    if title is not None:
        return one_line(title)
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = typed(question, value)
    first, *rest = text.strip().splitlines() or [""]
    return one_line(f"{first} ...") if rest else one_line(first)


def understood(question: Question, text: str, current: Any) -> Any:
    """Return what a line means: a word for the form, what there is already, or an answer. AnswerError, BackError."""
    if text.strip().lower() == BACK:
        raise BackError
    if _empties(question, text, current):
        return read_answer(question, "")
    if not text.strip("\r\n") and current is not None:
        return current
    return read_answer(question, _meant(text))


def _empties(question: Question, text: str, current: Any) -> bool:
    """Tell whether a line takes away the answer that there is. Of a secret that must be, it is the secret."""
    return (
        text.strip() == EMPTY and current is not None and not (question.secret and question.must_be_answered)
    )


def _meant(text: str) -> str:
    """Return the answer that a line is: one that is a word for the form stands there behind a backslash."""
    word = text.strip().removeprefix("\\")
    return word if text.strip() in {f"\\{BACK}", f"\\{EMPTY}"} else text


# Line by line


class LineAsker:
    """Asks in lines of plain text."""

    def __init__(self, screen: Screen) -> None:
        """Write to the screen's standard error, read standard input."""
        self._words = _Words(screen)
        self._screen = screen
        screen.note(f"Ctrl-C stops and writes nothing. The word '{BACK}' goes back to the question before.")

    def ask(self, question: Question, current: Any = None) -> Any:
        """See Asker."""
        self._words.head(question)
        while True:
            try:
                return understood(question, self._read(question, current), current)
            except AnswerError as error:
                self._screen.note(f"  Not taken: {about(one_line(question.title), clean(str(error)))}.")

    def _read(self, question: Question, current: Any) -> str:
        prompt = prompt_of(question, current, editable=False)
        read = _lines if question.multiline else _line
        if not question.secret:
            click.echo(prompt, nl=False, err=True)
            return read()
        with _no_echo():
            # Only now: whoever sees the question may type at once.
            click.echo(prompt, nl=False, err=True)
            try:
                return read()
            finally:
                click.echo("", err=True)  # the line break that was not echoed


def _line() -> str:
    line = _read_line()
    if not line:
        raise KeyboardInterrupt
    if _is_cut(line):
        raise AnswerError(f"is longer than a line that this terminal takes; {_OTHERWISE}")
    return line.removesuffix("\n")


def _lines() -> str:
    """Return lines up to an empty one, or to the end of a PEM text, behind which nothing comes at once.

    The first one alone may be a word for the form, or be empty.
    """
    found: list[str] = []
    while line := _read_line():
        is_empty = not line.strip()
        if not found and (is_empty or line.strip().lower() == BACK):
            return line
        found.append(line)
        if (is_empty or line.startswith(END_OF_PEM)) and not _comes_more():
            break
    if not found:
        raise KeyboardInterrupt
    if any(_is_cut(line) for line in found):
        while _comes_more() and _read_line():
            pass  # the rest of it answers nothing
        raise AnswerError(f"has a line that is longer than this terminal takes; {_OTHERWISE}")
    while not found[-1].strip():
        found.pop()
    return "".join(found)


_OTHERWISE: Final = "give it with --secret-from-file or --values"


def _read_line() -> str:
    return sys.stdin.readline()


def _is_cut(line: str) -> bool:
    return len(line.encode(errors="surrogateescape")) >= LINE_LIMIT


def _comes_more() -> bool:
    """Tell whether another line is there, or comes in a moment. A terminal gives out its lines one by one."""
    return bool(select.select([sys.stdin], [], [], PASTE_SECONDS)[0])


@contextmanager
def _no_echo() -> Iterator[None]:
    """Let the terminal show nothing of what is typed."""
    # Here, since the module does not exist on Windows.
    import termios  # noqa: PLC0415

    stream = sys.stdin.fileno()
    before = termios.tcgetattr(stream)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(stream, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(stream, termios.TCSADRAIN, before)


# With validation while typing


class FormAsker:
    """Asks with what a terminal can do: mistakes are told while typing, answers can be edited, secrets are dots."""

    def __init__(self, screen: Screen) -> None:
        """Write to standard error, read standard input."""
        # Here, since it takes longer to load than `hub --help` may take.
        from integration_hub.cli.connect.prompt import Prompt  # noqa: PLC0415

        self._words = _Words(screen)
        self._prompt = Prompt(colour=not os.environ.get("NO_COLOR"))
        screen.note(
            f"Ctrl-C stops and writes nothing. Shift-Tab, or the word '{BACK}', goes back to the question before."
        )

    def ask(self, question: Question, current: Any = None) -> Any:
        """See Asker."""
        self._words.head(question)
        shown = "" if question.secret or current is None else typed(question, current)
        text = self._prompt.line(
            prompt_of(question, current, editable=True),
            default=shown,
            problem=lambda typed_: _problem(question, typed_, current),
            options=_options(question),
            secret=question.secret,
            multiline=question.multiline,
        )
        # What was edited away is left empty; a secret is not shown, so an empty line keeps it.
        return understood(question, text, current if question.secret else None)


def _problem(question: Question, text: str, current: Any) -> str | None:
    """Return what is wrong with what is typed so far."""
    word = text.strip()
    stays = question.secret and current is not None and (not word or _empties(question, text, current))
    if word.lower() == BACK or stays:
        return None
    said = problem_of(question, _meant(text))
    return None if said is None else about(one_line(question.title), said)


def _options(question: Question) -> list[str]:
    if question.kind is Kind.BOOLEAN:
        return ["yes", "no"]
    return [typed(question, choice.value) for choice in question.choices if choice.value != ""]
