"""Names of instances and definitions as people type them: NAME alone, or with its kind as 'hub get -o name' prints it.

A command that is about one kind takes that kind before the name too, and says so where it is the other one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import click

from integration_hub.model.names import GROUP, VERSION

INSTANCE: Final = "instance"
DEFINITION: Final = "definition"
INSTANCE_WORDS: Final = ("instances", "instance", "integrationinstances", "integrationinstance", "iinst")
DEFINITION_WORDS: Final = (
    "definitions",
    "definition",
    "integrationdefinitions",
    "integrationdefinition",
    "idef",
)

_KINDS: Final = dict.fromkeys(INSTANCE_WORDS, INSTANCE) | dict.fromkeys(DEFINITION_WORDS, DEFINITION)
_GROUPS: Final = frozenset({"", GROUP, f"{VERSION}.{GROUP}"})
"""What may follow a kind and a '.', as kubectl takes it."""


class Subject(NamedTuple):
    """What a person names."""

    kind: str
    name: str


def kind_of(word: str) -> str | None:
    """Return the kind that a word means, like 'iinst' or 'integrationinstance.integrationhub.dev'; None for none."""
    kind, _, group = word.lower().partition(".")
    return _KINDS.get(kind) if group in _GROUPS else None


def subject_of(text: str, kind: str) -> Subject:
    """Return what is meant by [KIND[.GROUP]/]NAME, where `kind` is the one that is meant without a word.

    Raises:
        ValueError: what stands before the '/' is no kind of ours. Says so, and how names are written.

    """
    word, slash, name = text.partition("/")
    if not slash:
        return Subject(kind, text)
    found = kind_of(word)
    if found is None:
        raise ValueError(
            f"'{text}' is no name, since '{word}' is no kind: write NAME, instance/NAME or definition/NAME. A namespace"
            " is named with -n."
        )
    return Subject(found, name)


class NameType(click.ParamType[str]):
    """The name of an object of one kind; the kind may stand before it."""

    name = "name"

    def __init__(self, kind: str) -> None:
        """`kind` is INSTANCE or DEFINITION."""
        self._kind = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name alone; a mistake in the command where another kind is named."""
        subject = SubjectType(self._kind).convert(value, param, ctx)
        if subject.kind != self._kind:
            self.fail(f"'{value}' is of another kind, and an {self._kind} is meant here.", param, ctx)
        return subject.name


class SubjectType(click.ParamType[Subject]):
    """The name of an instance or a definition."""

    name = "name"

    def __init__(self, kind: str) -> None:
        """`kind` is meant where none is named."""
        self._kind = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Subject:
        """Return what is meant."""
        if isinstance(value, Subject):
            return value
        try:
            return subject_of(str(value), self._kind)
        except ValueError as error:
            self.fail(str(error), param, ctx)
