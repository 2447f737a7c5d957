"""From flags to answers: what `--set`, `--values`, `--secret-from-file` and the others say, each by its question.

Everything that is wrong is collected and told at once. Nothing here repeats a value: it may be a secret in the wrong
place.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from integration_hub.auth.flow import SecretKey
from integration_hub.cli.errors import Exit, HubError
from integration_hub.config.values import choices, did_you_mean
from integration_hub.forms.config import key_of
from integration_hub.forms.credentials import credential_keys
from integration_hub.forms.interview import Interview
from integration_hub.forms.keys import (
    DISPLAY_NAME,
    METHOD,
    NAME,
    NEW_SECRET,
    REPLACE,
    ROLES,
    SCOPE_ID,
    SCOPE_TYPE,
    SCOPES,
    SECRET_DO,
    SECRET_KEY,
    SECRET_NAME,
    SECRET_USE,
    TEMPLATE,
)
from integration_hub.forms.naming import object_name_problem
from integration_hub.forms.question import AnswerError, Answers, Question, checked, fits, read_answer

MAX_VALUE: Final = 512 * 1024
"""Bytes of one value; an API server takes a Secret of about twice that as a whole."""


class _Said(NamedTuple):
    """One thing that a flag says of the configuration."""

    path: tuple[str, ...]
    value: Any
    flag: str
    is_text: bool
    """Whether it is to be read as if it were typed; else it has its type already."""


class Given:
    """What the flags of one run say."""

    def __init__(self, interview: Interview, flags: Mapping[str, Any], *, asks: bool) -> None:
        """`asks` says whether a person is asked for what is missing."""
        self._interview = interview
        self._flags = flags
        self._asks = asks
        self._mistakes: list[str] = []
        self.keys: set[str] = set()
        """Of the questions that were answered."""

    def added_to(self, answers: Answers) -> Answers:
        """Return the answers with those of the flags.

        Raises:
            HubError: with everything that is wrong in them.

        """
        for key, value, flag in self._choices():
            answers = self._answer(answers, key, value, flag)
        answers = self._configuration(answers)
        answers = self._credentials(answers)
        if self._mistakes:
            raise HubError("\n".join(dict.fromkeys(self._mistakes)), code=Exit.USAGE)
        return answers

    def _choices(self) -> Iterator[tuple[str, Any, str]]:
        for key, name in _PLAIN.items():
            value = self._flags.get(name)
            if value not in {None, ()}:
                yield key, value, f"--{name.replace('_', '-').removesuffix('s')}"

    def _answer(self, answers: Answers, key: str, value: Any, flag: str) -> Answers:
        question = self._interview.question(key, answers)
        if question is None:
            self._mistakes.append(_no_question(key, flag, self._interview))
            return answers
        try:
            is_list = isinstance(value, tuple)
            found = (
                checked(question, list(value)) if is_list else read_answer(question, str(value), is_flag=True)
            )
        except AnswerError as error:
            self._mistakes.append(f"{flag} {error}.")
            return answers
        self.keys.add(key)
        return answers.with_answer(key, found)

    # The configuration

    def _configuration(self, answers: Answers) -> Answers:
        waiting = [*self._from_file(), *self._set()]
        waiting.sort(key=lambda said: len(said.path))
        while waiting:
            left = []
            for said in waiting:
                after = self._set_one(answers, said)
                if after is None:
                    left.append(said)
                else:
                    answers = after
            if len(left) == len(waiting):
                self._mistakes += [self._unknown(said, answers) for said in left]
                break
            waiting = left
        return answers

    def _set(self) -> Iterator[_Said]:
        for name, text in self._flags.get("settings") or ():
            yield _Said(tuple(name.split(".")), text, f"--set {name}", is_text=True)

    def _from_file(self) -> Iterator[_Said]:
        file: Path | None = self._flags.get("values")
        if file is None:
            return
        for name, value in self._read_values(file).items():
            flag = f"{file}: {name}"
            if isinstance(value, Mapping):
                for member, entry in value.items():
                    yield _Said((name, str(member)), entry, f"{flag}.{member}", is_text=False)
                if not value:
                    yield _Said((name,), "yes", flag, is_text=True)
            elif value is not None:
                yield _Said((name,), value, flag, is_text=False)

    def _read_values(self, file: Path) -> Mapping[str, Any]:
        # Here, since few give such a file.
        from integration_hub.cli.streams import UnreadableError, text_of  # noqa: PLC0415
        from integration_hub.shell.draft import DraftError, documents  # noqa: PLC0415

        try:
            found = list(documents(text_of(file), str(file)))
        except UnreadableError as error:
            raise click.UsageError(f"--values: {file} cannot be read: {error}") from error
        except DraftError as error:
            raise click.UsageError(f"--values: {error}") from error
        if not found:
            return {}
        if len(found) > 1 or not isinstance(found[0], Mapping):
            raise click.UsageError(f"--values: {file} must hold one group of fields, like 'subdomain: acme'.")
        return {str(name): value for name, value in found[0].items()}

    def _set_one(self, answers: Answers, said: _Said) -> Answers | None:
        """Return the answers with what was said; None where there is no such question, perhaps not yet."""
        credential = self._credential(said.path[0], answers)
        if credential is not None:
            self._mistakes.append(_in_the_secret(said.flag, credential))
            return answers
        form = self._interview.form(answers)
        gate = self._interview.question(key_of(said.path[0]), answers)
        if len(said.path) > 1 and gate is not None and gate.fallback is False:
            answers = answers.with_answer(gate.key, True)  # noqa: FBT003 - the answer to whether the group is there
            self.keys.add(gate.key)
        key = form.key_at(said.path, answers)
        question = self._interview.question(key, answers) if key is not None else None
        if question is None:
            return None
        try:
            value = (
                read_answer(question, said.value, is_flag=True)
                if said.is_text
                else _typed(question, said.value)
            )
        except AnswerError as error:
            self._mistakes.append(f"{said.flag} {error}.")
            return answers
        self.keys.add(question.key)
        return answers.with_answer(question.key, value)

    def _credential(self, name: str, answers: Answers) -> SecretKey | None:
        """Return the key of the Secret that a name means, however it is spelled; None where it means a field."""
        form = self._interview.form(answers)
        if name in form.names:
            return None
        known = credential_keys(self._interview.spec, form.effective(answers))
        return next((key for key in known if _spelled_alike(key.name, name)), None)

    def _unknown(self, said: _Said, answers: Answers) -> str:
        form = self._interview.form(answers)
        name = said.path[0]
        if name not in form.names:
            has = f"it has {choices(form.names)}" if form.names else "it has none at all"
            return f"{said.flag} is no field of this definition{did_you_mean(name, form.names)}; {has}."
        members = [
            question.key.rpartition(".")[2]
            for question in self._interview.questions(answers)
            if question.key.startswith((f"{key_of(name)}.", f"{key_of(name)}("))
        ]
        has = (
            f"'{name}' has {choices(members)} with these answers"
            if members
            else f"'{name}' has no fields with these answers"
        )
        return f"{said.flag} is no field there{did_you_mean(said.path[-1], members)}; {has}."

    # Credentials

    def _credentials(self, answers: Answers) -> Answers:
        values = dict(self._values())
        name = self._flags.get("secret_name")
        known = [needed.key.name for needed in self._interview.keys(answers)]
        for key in values:
            if key not in known:
                has = f"it needs {choices(known)}" if known else "it needs none"
                self._mistakes.append(
                    f"The Secret needs no key '{key}' with this auth method{did_you_mean(key, known)}; {has}."
                )
        answers = self._secret(answers, name, has_values=bool(values))
        if self._mistakes:
            return answers
        for key, value in values.items():
            if self._interview.question(SECRET_DO + key, answers) is not None:
                answers = answers.with_answer(SECRET_DO + key, REPLACE)
                self.keys.add(SECRET_DO + key)
            answers = self._answer(answers, SECRET_KEY + key, value, f"The value of the Secret's key '{key}'")
        return answers

    def _secret(self, answers: Answers, name: str | None, *, has_values: bool) -> Answers:
        current = self._interview.current.secret_name if self._interview.current is not None else None
        is_gone = self._interview.current is not None and self._interview.current.is_secret_gone
        if has_values and is_gone and name in {None, current}:
            self.keys |= {SECRET_USE, SECRET_NAME}
            return answers.with_answer(SECRET_USE, NEW_SECRET)
        if name is None or name == current:
            return answers
        problem = object_name_problem(name)
        if problem is not None:
            self._mistakes.append(f"--secret-name {problem}.")
            return answers
        exists = self._interview.surroundings.has_secret(name)
        self.keys |= {SECRET_USE, SECRET_NAME}
        if exists or not (has_values or self._asks):
            if has_values:
                self._mistakes.append(
                    f"--secret-name {name}: that Secret exists and is not overwritten. Leave --secret-from-file and"
                    " --secret-from-env out to use it as it is, or take another name."
                )
            return answers.with_answer(SECRET_USE, name)
        return self._answer(answers.with_answer(SECRET_USE, NEW_SECRET), SECRET_NAME, name, "--secret-name")

    def _values(self) -> Iterator[tuple[str, str]]:
        """Yield the values that files and variables hold, by key of the Secret."""
        seen: set[str] = set()
        for key, source in self._flags.get("secret_files") or ():
            self._once(key, seen)
            value = self._file(key, source)
            if value is not None:
                yield key, value
        for key, variable in self._flags.get("secret_variables") or ():
            self._once(key, seen)
            value = os.environ.get(variable)
            if value is None:
                # Without the name: it may be the value itself, in the wrong place.
                self._mistakes.append(f"The environment variable that you named for '{key}' is not set.")
            else:
                yield key, value

    def _once(self, key: str, seen: set[str]) -> None:
        if key in seen:
            self._mistakes.append(f"The Secret's key '{key}' is given twice: leave one of them out.")
        seen.add(key)

    def _file(self, key: str, source: str) -> str | None:
        flag = f"--secret-from-file {key}"
        try:
            if source == "-":
                data = sys.stdin.buffer.read(MAX_VALUE + 1)
            else:
                with Path(source).open("rb") as stream:
                    data = stream.read(MAX_VALUE + 1)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no name of a file"
            self._mistakes.append(f"{flag}: the file cannot be read: {why}.")
            return None
        if len(data) > MAX_VALUE:
            self._mistakes.append(f"{flag}: the file has more than {MAX_VALUE >> 10} KiB.")
            return None
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            self._mistakes.append(f"{flag}: the file is no text in UTF-8.")
            return None


_PLAIN: Final[Mapping[str, str]] = {
    TEMPLATE: "template",
    METHOD: "auth_method",
    SCOPES: "oauth_scopes",
    DISPLAY_NAME: "display_name",
    NAME: "name",
    SCOPE_TYPE: "scope",
    SCOPE_ID: "scope_id",
    ROLES: "roles",
}
"""Questions that have a flag of their own, with click's name for it."""

_WHY_NOT: Final[Mapping[str, str]] = {
    TEMPLATE: "the definition has no templates",
    METHOD: "the definition has one auth method alone",
    SCOPES: "this auth method has no scopes",
    SCOPE_ID: "it belongs to '--scope client' or '--scope user'",
    NAME: "the name of a connection cannot be changed",
}


def _no_question(key: str, flag: str, interview: Interview) -> str:
    if key == METHOD:
        name = interview.spec.auth_methods[0].name
        return f"{flag} says nothing here: the definition has just one auth method, '{name}'. Leave it out."
    return f"{flag} says nothing here: {_WHY_NOT.get(key, 'nobody asks for it')}. Leave it out."


def _in_the_secret(flag: str, key: SecretKey) -> str:
    way = f"give it with --secret-from-file {key.name}=FILE or --secret-from-env {key.name}=VARIABLE."
    if key.public:
        return f"{flag} belongs into the Secret: {way}"
    return (
        f"{flag} is a secret and does not stand on a command line or in a file of values: {way} If a real one stood"
        " there, get a new one: others may have seen it."
    )


def _spelled_alike(one: str, other: str) -> bool:
    """Tell whether two names differ in nothing but the way of joining their words, as apiKey and api-key do."""
    return _run_together(one) == _run_together(other)


def _run_together(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _typed(question: Question, value: Any) -> Any:
    """Return a value that has a type already; one of the wrong type is told in the operator's words."""
    if not fits(value, question.kind):
        said = question.check(value)
        raise AnswerError(said or "has the wrong type")
    return checked(question, value)
