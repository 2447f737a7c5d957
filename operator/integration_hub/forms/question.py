"""One question of a guided form, and how an answer to it is read. Data and pure functions; nobody is asked here."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from integration_hub.config.plain_text import is_text
from integration_hub.config.values import as_text, choices, did_you_mean, type_of


class Kind(StrEnum):
    """What an answer is."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several answers."""

    value: Any
    title: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What several questions have in common: a heading, and help below it."""

    title: str
    help: str = ""


Check = Callable[[Any], str | None]
"""Returns what is wrong with a value, in words that end a sentence about it; None where nothing is."""


def _anything(_: Any) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Question:
    """A question, without its answer."""

    key: str
    """Unique in a form, the same whatever was answered, like 'config.proxy.host'."""
    title: str
    page: Page
    kind: Kind = Kind.TEXT
    help: str = ""
    flag: str = ""
    """The flag that answers it on a command line, like '--set proxy.host=...'."""
    required: bool = False
    """Whether it cannot be left empty, unless there is a fallback."""
    fallback: Any = None
    """What holds where it is left empty; None where nothing does."""
    examples: tuple[Any, ...] = ()
    choices: tuple[Choice, ...] = ()
    has_names: bool = False
    """Whether the values of its choices are names that stand elsewhere, as in a manifest or in the definition's texts:
    a name that differs from the title is shown beside it."""
    entries: Kind = Kind.TEXT
    """Of a list, what each entry is."""
    multiline: bool = False
    secret: bool = False
    """Whether the answer is never shown, nor kept anywhere but in the Secret."""
    is_asked: bool = True
    """Whether it is asked in its turn; else the template has answered it, or hardly anybody needs it, and it can be
    changed afterwards."""
    answered_by: str = ""
    """What has answered it already, like "template 'sandbox'"."""
    check: Check = field(default=_anything, repr=False, compare=False)

    @property
    def must_be_answered(self) -> bool:
        """Whether the form is incomplete without an answer."""
        return self.required and self.fallback is None


class Answers(Mapping[str, Any]):
    """Answers by their questions' keys. Never changes. Its repr shows no value: some are secret.

    None is an answer, too: the question was left empty.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] = {}) -> None:
        """Keep a copy."""
        self._values = dict(values)

    def with_answer(self, key: str, value: Any) -> Answers:
        """Return the same answers and this one; those to other questions stay, even if they are not asked now."""
        return Answers({**self._values, key: value})

    def without(self, key: str) -> Answers:
        """Return the same answers without this one."""
        return Answers({name: value for name, value in self._values.items() if name != key})

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Answers({', '.join(sorted(self._values))})"


class AnswerError(Exception):
    """An answer cannot be taken. The message ends a sentence about the question; it does not repeat the answer."""


def read_answer(question: Question, text: str, *, is_flag: bool = False) -> Any:
    """Return the value that a typed answer stands for; None where the question is left empty.

    Of a flag (`is_flag`), a choice is taken by its whole name alone: what a script says must mean the same tomorrow.

    Raises:
        AnswerError: it is none, or the operator would not take it.

    """
    if not text.strip() and not (question.secret and text):
        if question.must_be_answered and question.kind is not Kind.LIST:
            raise AnswerError("is required")
        if not question.must_be_answered:
            return None
    if is_flag and question.kind is Kind.CHOICE:
        return checked(question, _choice_of_flag(question, text))
    return checked(question, _READERS[question.kind](question, text))


def checked(question: Question, value: Any) -> Any:
    """Return the value; AnswerError where the operator would not take it."""
    problem = question.check(value) if _is_text(value) else NO_TEXT
    if problem is not None:
        raise AnswerError(problem)
    return value


def problem_of(question: Question, text: str) -> str | None:
    """Return what is wrong with a typed answer, None where it can be taken."""
    try:
        read_answer(question, text)
    except AnswerError as error:
        return str(error)
    return None


def typed(question: Question, value: Any) -> str:
    """Return what a person would type for a value: `read_answer` gives that value back."""
    if value is None:
        return ""
    if isinstance(value, list):
        return _typed_list(value)
    if question.kind is Kind.CHOICE:
        return _typed_choice(question, value)
    if question.kind is Kind.INTEGER and isinstance(value, float):
        return as_text(int(value))
    return as_text(value)


def about(title: str, said: str) -> str:
    """Return what is wrong with the answer to a question of this title, as a sentence without its full stop."""
    return f"The answer to '{title}' {said}" if title.endswith("?") else f"{title} {said}"


def labels(question: Question) -> Iterator[str]:
    """Yield each choice as a person sees it: its title, and the name that it has elsewhere where that differs."""
    for choice in question.choices:
        name = as_text(choice.value)
        has_other_name = question.has_names and name.lower() != choice.title.lower()
        yield f"{choice.title} ({name})" if has_other_name else choice.title


def shown(question: Question, value: Any) -> str:
    """Return a value as a person reads it in a summary. One of a secret is never shown."""
    if question.secret:
        return "(entered, not shown)"
    if question.kind is Kind.CHOICE:
        return next((choice.title for choice in question.choices if choice.value == value), as_text(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and "\n" in value.strip():
        first, *rest = value.strip().splitlines()
        return f"{first} (and {len(rest)} more line{'s' if len(rest) > 1 else ''})"
    return typed(question, value)


NO_TEXT: Final = "is no text in UTF-8"


def _is_text(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_text(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return all(map(_is_text, value))
    return not isinstance(value, str) or is_text(value)


# How each kind is read

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,300}\.?[0-9]{0,60}|\.[0-9]{1,60})([eE][+-]?[0-9]{1,3})?")
_WORDS: Final = {
    "true": True, "yes": True, "y": True, "on": True, "false": False, "no": False, "n": False, "off": False,
}  # fmt: skip


def _text(question: Question, text: str) -> str:
    if question.multiline or question.secret:
        return text
    return text.strip()


def _integer(_: Question, text: str) -> Any:
    stripped = text.strip()
    return int(stripped) if _INTEGER.fullmatch(stripped) else stripped


def _number(_: Question, text: str) -> Any:
    stripped = text.strip()
    if _INTEGER.fullmatch(stripped):
        return int(stripped)
    value = float(stripped) if _NUMBER.fullmatch(stripped) else math.inf
    return value if math.isfinite(value) else stripped


def _boolean(_: Question, text: str) -> Any:
    return _WORDS.get(text.strip().lower(), text.strip())


def _choice(question: Question, text: str) -> Any:
    wanted = text.strip()
    found = next(_choices_named(question, wanted), None)
    if found is not None:
        return found.value
    number = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
    if are_numbered(question) and 0 < number <= len(question.choices):
        return question.choices[number - 1].value
    beginning = [choice for choice in question.choices if wanted and _begins(choice, wanted.lower())]
    if len(beginning) == 1:
        return beginning[0].value
    known = list(labels(question))
    raise AnswerError(f"must be one of: {choices(known)}{did_you_mean(wanted, known)}")


def _choice_of_flag(question: Question, text: str) -> Any:
    wanted = text.strip()
    found = next(_choices_named(question, wanted), None)
    if found is not None:
        return found.value
    known = [as_text(choice.value) for choice in question.choices]
    raise AnswerError(f"must be one of: {choices(known)}{did_you_mean(wanted, known)}")


def _choices_named(question: Question, wanted: str) -> Iterator[Choice]:
    yield from (choice for choice in question.choices if as_text(choice.value) == wanted)
    lower = wanted.lower()
    yield from (choice for choice in question.choices if as_text(choice.value).lower() == lower)
    yield from (choice for choice in question.choices if choice.title.lower() == lower)


def _begins(choice: Choice, lower: str) -> bool:
    return choice.title.lower().startswith(lower) or as_text(choice.value).lower().startswith(lower)


def _typed_choice(question: Question, value: Any) -> str:
    """Return the title of a choice, as it stands in the list; its value where the title means another one, or none."""
    title = next((choice.title for choice in question.choices if choice.value == value), "")
    found = next(_choices_named(question, title.strip()), None) if title.strip() else None
    return title if found is not None and found.value == value else as_text(value)


def are_numbered(question: Question) -> bool:
    """Tell whether choices can be made by their number: not where a choice itself is one."""
    return not any(as_text(choice.value).isdigit() or choice.title.isdigit() for choice in question.choices)


def _list(question: Question, text: str) -> Any:
    one = _READERS[question.entries]
    return [one(question, entry) for entry in _entries(text)]


def _entries(text: str) -> list[str]:
    """Return the entries of a list as typed: with commas, one a line, or as JSON."""
    stripped = text.strip()
    if stripped.startswith("["):
        try:
            found = json.loads(stripped)
        except ValueError:
            raise AnswerError(
                "begins with '[' and is no list in JSON; separate entries with commas"
            ) from None
        return [as_text(entry) for entry in found]
    found = []
    for line in stripped.splitlines():
        try:
            found += next(csv.reader([line], skipinitialspace=True, strict=True), [])
        except csv.Error:
            raise AnswerError("has a '\"' that does not end; write one within an entry twice") from None
    return [entry.strip() for entry in found if entry.strip()]


def _typed_list(values: list[Any]) -> str:
    texts = [as_text(value) for value in values]
    if all(text and text == text.strip() and text.isprintable() and text[0] != "[" for text in texts):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(texts)
        return line.getvalue()
    return json.dumps(texts)


_READERS: Final[Mapping[Kind, Callable[[Question, str], Any]]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.CHOICE: _choice,
    Kind.LIST: _list,
}
"""Each returns a value of its kind, or the text as it is: then the check says what is expected."""


def fits(value: Any, kind: Kind) -> bool:
    """Tell whether a value is of a kind, as JSON Schema sees it; any value can be a choice."""
    found = type_of(value)
    expected = {
        Kind.TEXT: {"string"},
        Kind.INTEGER: {"integer"},
        Kind.NUMBER: {"integer", "number"},
        Kind.BOOLEAN: {"boolean"},
        Kind.LIST: {"array"},
    }
    return kind is Kind.CHOICE or found in expected[kind]
