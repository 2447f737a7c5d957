"""What stands before an answer, and what a typed line means: the words that people see and use."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.cli.connect.ask import BackError, prompt_of, understood
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
