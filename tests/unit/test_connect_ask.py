"""What stands before an answer, and what a typed line means: the words that people see and use."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from textwrap import dedent
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
        (
            question("Key", Kind.TEXT, secret=True, required=True),
            "hidden",
            "Key (entered before; Enter keeps it): ",
        ),
        (
            question("Key", Kind.TEXT, secret=True),
            "hidden",
            "Key (entered before; Enter keeps it, - empties it): ",
        ),
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


def test_a_sign_empties_what_there_is_and_can_be_an_answer_itself() -> None:
    secret = question("Key", Kind.TEXT, secret=True)
    assert understood(secret, "-", "kept") is None
    assert understood(secret, "\\-", "kept") == "-"
    assert understood(secret, "-", None) == "-"
    assert understood(replace(secret, required=True), "-", "kept") == "-"
    assert understood(question(), "-", 8443) is None
    assert understood(question("Name", Kind.TEXT), "\\-", "kept") == "-"


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


# On a real terminal

ASKING = dedent(
    """
    import sys
    from integration_hub.cli.connect.ask import BackError, asker_of
    from integration_hub.cli.terminal import Screen
    from integration_hub.forms.question import Page, Question

    answers = {}
    asker = asker_of(Screen(sys.stdout, sys.stderr, plain=sys.argv[1] == "line"))
    for title in sys.argv[2:]:
        secret, multiline = "secret" in title, "lines" in title
        question = Question(
            title, title, page=Page(""), secret=secret, multiline=multiline, required="optional" not in title
        )
        answers[title] = asker.ask(question, answers.get(title))
        print(f"Taken as {title}: {answers[title]!r}.")
    """
)
"""Asks for what its arguments name; the first says how."""

Ask = Callable[..., Any]


@pytest.fixture(params=["line", "form"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """`ask(*titles)` is a terminal on which these questions are asked, in both ways."""
    started = []

    def start(*titles: str) -> Any:
        words = ["-W", "error", "-c", ASKING, request.param, *titles]
        environment = {**os.environ, "TERM": "xterm"}
        child: Any = pexpect.spawn(
            sys.executable,
            words,
            env=environment,
            encoding="utf-8",
            codec_errors="replace",
            timeout=10,
            dimensions=(60, 200),
        )
        child.delaybeforesend = None
        child.enter = "\n" if request.param == "line" else "\r"
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


@pytest.mark.parametrize("title", ["secret", "secret lines"])
def test_an_optional_secret_that_was_entered_can_be_emptied(ask: Ask, title: str) -> None:
    child = ask(f"optional {title}", f"optional {title}")
    ends = child.enter * (2 if "lines" in title else 1)
    child.expect_exact("(optional):")
    child.send(f"first{ends}")
    child.expect_exact(f"Taken as optional {title}: 'first")
    child.expect_exact("Enter keeps it, - empties it):")
    child.send(f"-{ends}")
    child.expect_exact(f"Taken as optional {title}: None.")


def pem(words: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{words}\n-----END CERTIFICATE-----\n"


CHAIN = pem("bGVhZg==") + pem("cm9vdA==")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CHAIN, id="one after the other"),
        pytest.param(CHAIN.replace("-----BEGIN", "\n# an authority\n-----BEGIN"), id="with lines between"),
    ],
)
@pytest.mark.parametrize("title", ["lines", "secret lines"])
def test_a_certificate_chain_is_pasted_whole(ask: Ask, title: str, text: str) -> None:
    child = ask(title, "word")
    child.expect_exact(f"{title}:")
    text = text.removeprefix("\n")
    child.send(text.replace("\n", child.enter))
    child.expect_exact(f"Taken as {title}: {text!r}.")
    child.expect_exact("word:")
    child.send(f"other{child.enter}")
    child.expect_exact("Taken as word: 'other'.")


def test_a_chain_that_is_pasted_without_its_last_line_break_ends_with_enter(ask: Ask) -> None:
    child = ask("lines", "word")
    child.expect_exact("lines:")
    child.send(CHAIN.strip().replace("\n", child.enter))
    child.send(child.enter)
    child.expect_exact(f"Taken as lines: {CHAIN!r}.")


def test_lines_that_are_typed_end_with_an_empty_one(ask: Ask) -> None:
    child = ask("lines", "word")
    child.expect_exact("lines:")
    for line in ("one", "back", ""):
        child.send(line + child.enter)
    child.expect_exact("Taken as lines: 'one\\nback\\n'.")


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
@pytest.mark.parametrize("title", ["word", "secret", "lines", "secret lines"])
def test_a_byte_that_is_no_text_is_told_and_asked_for_again(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, title: str, errors: str
) -> None:
    # Which of the two Python does with input depends on the locale.
    monkeypatch.setenv("PYTHONIOENCODING", f"utf-8:{errors}")
    child = ask(title)
    child.expect_exact(f"{title}:")
    ends = child.enter * (2 if "lines" in title else 1)
    os.write(child.child_fd, b"sk_\xff" + ends.encode())
    child.expect_exact(f"{title} is no text in UTF-8")
    if child.enter == "\r":
        child.send("\x7f" * 6)  # there it still stands in the line
    else:
        child.expect_exact(f"{title}:")
    child.send(f"other{ends}")
    child.expect("Taken as [a-z ]+: 'other")


@pytest.mark.parametrize("ask", ["line"], indirect=True)
@pytest.mark.parametrize("title", ["lines", "secret lines"])
def test_a_line_that_a_terminal_cuts_is_told_and_nothing_of_its_text_is_an_answer(
    ask: Ask, title: str
) -> None:
    child = ask(title, "word")
    child.expect_exact(f"{title}:")
    child.send(pem("A" * 5000) + pem("cm9vdA=="))
    child.expect_exact(f"Not taken: {title} has a line that is longer than this terminal takes; give it with")
    child.expect_exact(f"{title}:")
    child.send(CHAIN)
    child.expect_exact(f"Taken as {title}: {CHAIN!r}.")
    child.expect_exact("word:")
    child.send("other\n")
    child.expect_exact("Taken as word: 'other'.")


def test_what_a_choice_has_explained_is_not_explained_again_below() -> None:
    stream = io.StringIO()
    words = _Words(Screen(stream, stream))
    words.head(question("How", Kind.CHOICE, choices=(Choice("key", "API key", "Made under Settings."),)))
    words.head(replace(question("Secret key"), page=Page("Credentials: API key", "Made under Settings.")))
    assert stream.getvalue().count("Made under Settings.") == 1
    assert "Credentials: API key" in stream.getvalue()
