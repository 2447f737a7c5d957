"""What stands before an answer, and what a typed line means: the words that people see and use."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Any

import pexpect
import pytest

from integration_hub.cli.connect.ask import BackError, _Words, prompt_of, understood
from integration_hub.cli.connect.dialogue import _meant, _none_meant
from integration_hub.cli.terminal import Screen
from integration_hub.forms.question import AnswerError, Choice, Kind, Page, Question


def question(title: str = "Port", kind: Kind = Kind.INTEGER, **fields: Any) -> Question:
    return Question("config.port", title, page=Page("Page"), kind=kind, **fields)


CHOICES = (Choice("eu", "Europe"), Choice("us", "United States"))


@pytest.mark.parametrize(
    ("asked", "current", "words"),
    [
        (question(required=True), None, "Port: "),
        (question(), None, "Port (optional): "),
        (question(fallback=443), None, "Port (Enter for 443): "),
        (question(), 8443, "Port (now 8443; Enter keeps it, - empties it): "),
        (question(required=True), 8443, "Port (now 8443; Enter keeps it): "),
        (question(fallback=443), 8443, "Port (now 8443; Enter keeps it, - is for 443): "),
        (question("Verify?", Kind.BOOLEAN, fallback=False), None, "Verify? (yes or no, Enter for no) "),
        (
            question("Region", Kind.CHOICE, choices=CHOICES, fallback="eu"),
            None,
            "Region (Enter for Europe): ",
        ),
        (question("Key", Kind.TEXT, secret=True), "hidden", "Key (entered before; Enter keeps it): "),
        (question("CA", Kind.TEXT, fallback="-----BEGIN\nabc"), None, "CA (Enter for -----BEGIN ...): "),
    ],
)
def test_a_prompt_says_what_enter_does(asked: Question, current: Any, words: str) -> None:
    assert prompt_of(asked, current, editable=False) == words


def test_the_word_goes_back_and_can_be_an_answer_itself() -> None:
    text = question("Name", Kind.TEXT)
    for word in ("back", " Back "):
        with pytest.raises(BackError):
            understood(text, word, None)
    assert understood(text, "\\back", None) == "back"
    assert understood(text, "backend", None) == "backend"


def test_enter_keeps_what_there_is_and_spaces_are_no_secret() -> None:
    assert understood(question(), "", 8443) == 8443
    with pytest.raises(AnswerError):
        understood(question(required=True), " ", None)
    secret = question("Key", Kind.TEXT, secret=True, required=True)
    assert understood(secret, "", "kept") == "kept"


METHODS = question(
    "How does it authenticate?",
    Kind.CHOICE,
    has_names=True,
    required=True,
    fallback="key",
    choices=(
        Choice("key", "API key"),
        Choice("bearer", "Bearer token"),
        Choice("open", "Without a credential"),
    ),
)


def test_where_an_answer_stands_in_the_line_the_prompt_says_what_holds_without_it() -> None:
    assert prompt_of(METHODS, "bearer", editable=True) == "How does it authenticate? (left empty: API key) "
    assert prompt_of(METHODS, "key", editable=True) == "How does it authenticate? "
    assert prompt_of(question(), 8443, editable=True) == "Port (optional): "


def test_a_choice_is_listed_with_the_name_that_texts_have_for_it() -> None:
    stream = io.StringIO()
    _Words(Screen(stream, stream)).head(METHODS)
    assert "3  Without a credential (open)\n" in stream.getvalue()


def test_numbers_of_choices_line_up() -> None:
    stream = io.StringIO()
    many = tuple(Choice(f"c{n}", f"choice {'x' * n}") for n in range(10))
    _Words(Screen(stream, stream)).head(question("Which", Kind.CHOICE, choices=many))
    lines = [line for line in stream.getvalue().splitlines() if "choice" in line]
    assert {line.index("choice") for line in lines} == {6}


ASKED = (
    question("How does it authenticate?"),
    question("Port"),
    question("Proxy port"),
    question("Proxy host"),
)


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("2", ["Port"]),
        ("how does", ["How does it authenticate?"]),
        ("port", ["Port"]),
        ("proxy p", ["Proxy port"]),
        ("proxy", ["Proxy port", "Proxy host"]),
        ("9", []),
        ("0", []),
    ],
)
def test_an_answer_to_change_is_meant_by_its_number_or_its_first_words(text: str, titles: list[str]) -> None:
    assert [question.title for question in _meant(ASKED, text)] == titles
    assert (_none_meant(ASKED, text) is None) == (len(titles) == 1)


def test_what_is_wrong_takes_as_many_lines_as_it_needs_on_a_narrow_terminal() -> None:
    program = (
        "from integration_hub.cli.connect.prompt import Prompt\n"
        "def wrong(text): return 'How it is must be one of: one, two, three, four, five, six, the-very-last'\n"
        "Prompt(colour=False).line('Say> ', default='', problem=wrong, options=(), secret=False, multiline=False)\n"
    )
    words = ["-c", program]
    child = pexpect.spawn(sys.executable, words, encoding="utf-8", timeout=10, dimensions=(24, 40))
    try:
        child.expect_exact("Say>")
        child.send("x")
        child.expect_exact("the-very-last")
    finally:
        child.close(force=True)


def test_what_a_choice_has_explained_is_not_explained_again_below() -> None:
    stream = io.StringIO()
    words = _Words(Screen(stream, stream))
    words.head(question("How", Kind.CHOICE, choices=(Choice("key", "API key", "Made under Settings."),)))
    words.head(replace(question("Secret key"), page=Page("Credentials: API key", "Made under Settings.")))
    assert stream.getvalue().count("Made under Settings.") == 1
    assert "Credentials: API key" in stream.getvalue()
