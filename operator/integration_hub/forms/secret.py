"""The part of a form that asks for credentials: which Secret holds them, and what becomes of each of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from integration_hub.config.values import choices
from integration_hub.forms.checks import key_value
from integration_hub.forms.credentials import NeededKey, fits
from integration_hub.forms.keys import (
    KEEP,
    NEW_SECRET,
    REMOVE,
    REPLACE,
    SECRET_DO,
    SECRET_KEY,
    SECRET_NAME,
    SECRET_USE,
)
from integration_hub.forms.naming import free_object_name, object_name_problem
from integration_hub.forms.question import Answers, Choice, Kind, Page, Question
from integration_hub.forms.surroundings import Current, SecretSeen, Surroundings


@dataclass(frozen=True, slots=True)
class SecretForm:
    """Questions and answers about the Secret of one connection with one auth method."""

    page: Page
    """Says how the connection authenticates."""
    keys: tuple[NeededKey, ...]
    """Of the Secret; none where the method needs none, and nothing is asked."""
    type: str | None
    """The type that the Secret must have, None where any will do."""
    connection: str
    """The connection's name, after which a new Secret is called."""
    surroundings: Surroundings
    current: Current | None
    """The connection that is edited."""

    # What the answers choose

    def name(self, answers: Answers) -> str | None:
        """Return the Secret's name, None where no Secret is needed."""
        if not self.keys:
            return None
        used = self._used(answers)
        return str(answers.get(SECRET_NAME) or self._proposed) if used == NEW_SECRET else used

    def is_new(self, answers: Answers) -> bool:
        """Tell whether a Secret is made."""
        return bool(self.keys) and self._used(answers) == NEW_SECRET

    def entered(self, answers: Answers) -> dict[str, str]:
        """Return the values that were entered and are to be written, by key."""
        found = {}
        for needed in self.keys:
            value = answers.get(SECRET_KEY + needed.key.name)
            if value is not None and self._is_entered(needed, answers):
                found[needed.key.name] = str(value)
        return found

    def removed(self, answers: Answers) -> tuple[str, ...]:
        """Return the keys that are to be taken out of the Secret."""
        stored = self._stored(answers)
        if stored is None:
            return ()
        return tuple(
            needed.key.name
            for needed in self.keys
            if needed.key.name in stored.keys and answers.get(SECRET_DO + needed.key.name) == REMOVE
        )

    def _used(self, answers: Answers) -> str:
        """Return the name of the Secret that is used as it is, or NEW_SECRET."""
        return str(answers.get(SECRET_USE) or self._current_name or NEW_SECRET)

    @property
    def _current_name(self) -> str | None:
        return self.current.secret_name if self.current is not None else None

    @property
    def _is_gone(self) -> bool:
        return self.current is not None and self.current.is_secret_gone

    @property
    def _proposed(self) -> str:
        if self._is_gone:
            return str(self._current_name)
        return free_object_name(f"{self.connection}-credentials", self.surroundings.has_secret)

    def _stored(self, answers: Answers) -> SecretSeen | None:
        """Return the current connection's Secret, if it goes on using that."""
        if self.current is None or self._used(answers) != self._current_name:
            return None
        return self.current.secret

    def _is_entered(self, needed: NeededKey, answers: Answers) -> bool:
        used = self._used(answers)
        if used == NEW_SECRET:
            return True
        if used != self._current_name:
            return False
        stored = self._stored(answers)
        is_open = stored is not None and needed.key.name not in stored.keys
        return is_open or answers.get(SECRET_DO + needed.key.name) == REPLACE

    # Questions

    def questions(self, answers: Answers) -> Iterator[Question]:
        """Yield where the credentials are, and what becomes of each key."""
        if not self.keys:
            return
        yield self._use_question()
        used = self._used(answers)
        if used == NEW_SECRET:
            yield Question(
                SECRET_NAME,
                "Name of the Secret",
                page=self.page,
                flag="--secret-name ...",
                required=True,
                fallback=self._proposed,
                is_asked=False,
                check=self._name_problem,
            )
        stored = self._stored(answers)
        is_current = used != NEW_SECRET and used == self._current_name
        if is_current and self._is_gone:
            return
        for needed in self.keys:
            if is_current and (stored is None or needed.key.name in stored.keys):
                yield _keep_question(needed, self.page, stored, self._others(used))
            if self._is_entered(needed, answers):
                yield self._key_question(needed, answers)

    def _others(self, secret: str) -> tuple[str, ...]:
        """Return the names of the other connections that use a Secret."""
        own = self.current.name if self.current is not None else None
        return tuple(name for name in self.surroundings.users.get(secret, ()) if name != own)

    def _use_question(self) -> Question:
        current = self._current_name
        fitting = [
            seen.name
            for seen in (self.surroundings.secrets or {}).values()
            if seen.name != current and not seen.is_made and fits(self.keys, seen.keys, seen.type, self.type)
        ]
        words = (
            f"The one that it names, '{current}', which does not exist"
            if self._is_gone
            else f"The one that it has, '{current}'"
        )
        options = [Choice(current, words)] if current is not None else []
        options += [Choice(NEW_SECRET, "A new Secret")]
        options += [Choice(name, f"The Secret '{name}'") for name in sorted(fitting)]
        return Question(
            SECRET_USE,
            "Where are the credentials?",
            page=self.page,
            kind=Kind.CHOICE,
            help="A Secret that fits can serve several connections.",
            flag="--secret-name ...",
            required=True,
            fallback=current or NEW_SECRET,
            choices=tuple(options),
            is_asked=len(options) > 1,
        )

    def _key_question(self, needed: NeededKey, answers: Answers) -> Question:
        key = needed.key
        return Question(
            SECRET_KEY + key.name,
            needed.title,
            page=self.page,
            help=needed.help,
            flag=f"--secret-from-file {key.name}=FILE or --secret-from-env {key.name}=VARIABLE",
            required=key.required,
            examples=(needed.example,) if needed.example else (),
            multiline=key.multiline,
            secret=True,
            check=key_value(key, self.name(answers) or ""),
        )

    def _name_problem(self, value: Any) -> str | None:
        if self.surroundings.has_secret(str(value)):
            return "is the name of a Secret that exists; it is not overwritten: take another, or choose that Secret"
        return object_name_problem(str(value))


def _keep_question(
    needed: NeededKey, page: Page, stored: SecretSeen | None, others: tuple[str, ...]
) -> Question:
    options = [Choice(KEEP, "Keep it"), Choice(REPLACE, "Replace it by a new value")]
    if not needed.key.required and stored is not None:
        options.append(Choice(REMOVE, "Remove it"))
    return Question(
        SECRET_DO + needed.key.name,
        f"{needed.title}, which is stored",
        page=page,
        kind=Kind.CHOICE,
        help=" ".join(_about_stored(stored, others)),
        flag=f"--secret-from-file {needed.key.name}=FILE",
        required=True,
        fallback=KEEP,
        choices=tuple(options),
    )


def _about_stored(stored: SecretSeen | None, others: tuple[str, ...]) -> Iterator[str]:
    """Yield what there is to know before a stored value is replaced."""
    if stored is None:
        yield "Whether it is stored cannot be seen: you may not read the Secret."
    else:
        yield f"Stored, changed {stored.changed}." if stored.changed else "Stored."
    if others:
        yield f"What is changed here is changed for others, too: {choices(others)}."
    if stored is not None and stored.keeper is not None:
        yield f"{stored.keeper} keeps the Secret: what is replaced here alone does not last."
