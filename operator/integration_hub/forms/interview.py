"""The whole interview for one connection: every question in its order, and what is still wrong with the answers.

Which questions there are follows from the answers alone, so that going back and forth needs no state but them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from integration_hub.config.validation import ConfigValidator
from integration_hub.forms.checks import each, one_line, one_of, scope_problem
from integration_hub.forms.config import ConfigForm
from integration_hub.forms.credentials import (
    NeededKey,
    credentials_problem,
    method_type,
    needed_keys,
    rendered_settings,
)
from integration_hub.forms.keys import (
    DISPLAY_NAME,
    DROP,
    METHOD,
    NAME,
    ROLES,
    SCOPE_ID,
    SCOPE_TYPE,
    SCOPES,
    SECRET_KEY,
    TEMPLATE,
)
from integration_hub.forms.naming import display_name_problem, free_name, object_name, object_name_problem
from integration_hub.forms.question import Answers, Choice, Kind, Page, Question, about
from integration_hub.forms.secret import SecretForm
from integration_hub.forms.surroundings import Current, Surroundings
from integration_hub.model.definition import AuthMethod, ConfigTemplate, DefinitionSpec


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps the answers from making a connection."""

    key: str | None
    """Of the question to answer otherwise, None where no single one can be blamed."""
    message: str
    """Ends a sentence about the question's title; a whole sentence where there is no title."""
    flag: str = ""
    """The flag that gives what is missing."""
    title: str = ""
    together: tuple[str, ...] = ()
    """Keys of all questions that are to be answered anew, where the answers are wrong only together."""

    @property
    def sentence(self) -> str:
        """What is wrong."""
        return f"{about(' '.join(self.title.split()), self.message)}." if self.title else self.message

    @property
    def remedy(self) -> str:
        """What is wrong, with the flag that gives what is missing."""
        return f"{self.sentence.removesuffix('.')}: {self.flag}" if self.flag else self.sentence


class Interview:
    """Every question about one connection to one definition."""

    def __init__(
        self,
        definition: str,
        spec: DefinitionSpec,
        validator: ConfigValidator,
        surroundings: Surroundings,
        current: Current | None = None,
    ) -> None:
        """Edit `current`, or make a new connection where that is None. The definition must have no mistakes."""
        self.definition = definition
        self.spec = spec
        self.validator = validator
        self.surroundings = surroundings
        self.current = current
        self._form = lru_cache(maxsize=16)(self._make_form)

    # What the answers choose

    def template(self, answers: Answers) -> ConfigTemplate | None:
        """Return the template that was chosen."""
        wanted = answers.get(TEMPLATE)
        return next((template for template in self.spec.templates if template.name == wanted), None)

    def form(self, answers: Answers) -> ConfigForm:
        """Return the part that asks for the configuration."""
        template = self.template(answers)
        return self._form(template.name if template else None)

    def _make_form(self, name: str | None) -> ConfigForm:
        preset = next((template.config for template in self.spec.templates if template.name == name), {})
        return ConfigForm(self.spec, self.validator, preset=preset, template=name)

    def method(self, answers: Answers) -> AuthMethod:
        """Return the auth method that was chosen, else the recommended one."""
        wanted = answers.get(METHOD)
        methods = self.spec.auth_methods
        return next((method for method in methods if method.name == wanted), methods[0])

    def keys(self, answers: Answers) -> tuple[NeededKey, ...]:
        """Return the keys that the Secret needs with these answers."""
        return needed_keys(self.spec, self.method(answers), self.form(answers).effective(answers))

    def secret_type(self, answers: Answers) -> str | None:
        """Return the type that the Secret must have, None where any will do."""
        method = self.method(answers)
        settings = rendered_settings(method, self.form(answers).effective(answers))
        return method_type(method).secret_type(settings)

    def name(self, answers: Answers) -> str:
        """Return the object's name."""
        if self.current is not None:
            return self.current.name
        return str(answers.get(NAME) or self._proposed_name(answers))

    def display_name(self, answers: Answers) -> str:
        """Return the name that people see."""
        return str(answers.get(DISPLAY_NAME) or self._proposed_display_name(answers))

    def secret_name(self, answers: Answers) -> str | None:
        """Return the Secret's name, None where no Secret is needed."""
        return self._secret(answers).name(answers)

    def is_new_secret(self, answers: Answers) -> bool:
        """Tell whether a Secret is made."""
        return self._secret(answers).is_new(answers)

    def entered(self, answers: Answers) -> dict[str, str]:
        """Return the values of the Secret's keys that were entered and are to be written, by key."""
        return self._secret(answers).entered(answers)

    def removed(self, answers: Answers) -> tuple[str, ...]:
        """Return the keys that are to be taken out of the Secret."""
        return self._secret(answers).removed(answers)

    def _secret(self, answers: Answers) -> SecretForm:
        """Return the part that asks for the credentials."""
        method = self.method(answers)
        return SecretForm(
            Page(f"Credentials: {_method_title(method)}", method.description or ""),
            self.keys(answers),
            self.secret_type(answers),
            self.name(answers),
            self.surroundings,
            self.current,
        )

    # Questions

    def questions(self, answers: Answers) -> tuple[Question, ...]:
        """Return every question that there is with these answers, in order."""
        return tuple(self._questions(answers))

    def _questions(self, answers: Answers) -> Iterator[Question]:
        yield from self._template_question()
        yield from self._drop_questions(answers)
        yield from self.form(answers).questions(answers)
        yield from self._method_questions(answers)
        yield from self._name_questions(answers)
        yield from self._secret(answers).questions(answers)
        yield from self._scope_questions(answers)

    def question(self, key: str, answers: Answers) -> Question | None:
        """Return the question of that key, None where there is none with these answers."""
        return next((question for question in self._questions(answers) if question.key == key), None)

    def first(self, answers: Answers) -> Question | None:
        """Return the first question to ask."""
        return next((question for question in self._questions(answers) if question.is_asked), None)

    def after(self, key: str, answers: Answers) -> Question | None:
        """Return the question to ask after that one, None at the end."""
        return _next(self.questions(answers), key)

    def before(self, key: str, answers: Answers) -> Question | None:
        """Return the question that was asked before that one, None at the beginning."""
        return _next(self.questions(answers)[::-1], key)

    def _template_question(self) -> Iterator[Question]:
        if not self.spec.templates:
            return
        options = tuple(
            Choice(template.name, template.display_name or template.name, template.description or "")
            for template in self.spec.templates
        )
        yield Question(
            TEMPLATE,
            "Which set-up is it?",
            page=Page("Set-up", "A set-up answers some questions for you."),
            kind=Kind.CHOICE,
            help="Leave it empty to answer everything yourself.",
            flag=f"--template {options[0].value}",
            choices=options,
            has_names=True,
            check=one_of(options),
        )

    def _drop_questions(self, answers: Answers) -> Iterator[Question]:
        """Ask whether fields go that the definition does not have: with them, the connection cannot be Ready."""
        if self.current is None:
            return
        known = self.form(answers).names
        for name in self.current.spec.get("config") or {}:
            if name not in known:
                yield Question(
                    f"{DROP}{name}",
                    f"Remove '{name}'?",
                    page=Page("What the definition does not have"),
                    kind=Kind.BOOLEAN,
                    help=f"The configuration has the field '{name}', which {self.spec.display_name} does not ask for.",
                    fallback=True,
                )

    def _method_questions(self, answers: Answers) -> Iterator[Question]:
        page = Page("How to authenticate")
        methods = self.spec.auth_methods
        options = tuple(Choice(each.name, _method_title(each), each.description or "") for each in methods)
        if len(options) > 1:
            yield Question(
                METHOD,
                "How does the connection authenticate?",
                page=page,
                kind=Kind.CHOICE,
                flag=f"--auth-method {options[0].value}",
                required=True,
                fallback=options[0].value,
                choices=options,
                has_names=True,
                check=one_of(options),
            )
        if self.method(answers).type == "oauth2":
            yield Question(
                SCOPES,
                "Scopes beside those that the definition asks for",
                page=page,
                kind=Kind.LIST,
                flag="--oauth-scope ...",
                is_asked=False,
                check=each(scope_problem),
            )

    def _name_questions(self, answers: Answers) -> Iterator[Question]:
        page = Page("Name")
        yield Question(
            DISPLAY_NAME,
            "What is the connection called?",
            page=page,
            help="People see this name. It is unique in the namespace.",
            flag="--display-name ...",
            required=True,
            fallback=self._proposed_display_name(answers),
            check=self._display_name_problem,
        )
        if self.current is None:
            yield Question(
                NAME,
                "Name of the object",
                page=page,
                help=f"What 'kubectl get iinst -n {self.surroundings.namespace}' shows.",
                flag="--name ...",
                required=True,
                fallback=self._proposed_name(answers),
                check=self._name_problem,
            )

    def _proposed_display_name(self, answers: Answers) -> str:
        if self.current is not None:
            return str(self.current.spec.get("displayName") or self.current.name)
        template = self.template(answers)
        suffix = f" - {template.display_name or template.name}" if template else ""
        taken = self.surroundings.names.values()
        return free_name(f"{self.spec.display_name}{suffix}"[:90], list(taken), separator=" ")

    def _proposed_name(self, answers: Answers) -> str:
        words = str(answers.get(DISPLAY_NAME) or self._proposed_display_name(answers))
        return free_name(object_name(words, otherwise=self.definition[:50]), list(self.surroundings.names))

    def _display_name_problem(self, value: Any) -> str | None:
        own = self.current.name if self.current is not None else None
        taken = {shown: name for name, shown in self.surroundings.names.items() if name != own}
        if value in taken:
            return f"is the name of the connection '{taken[value]}' already; take another"
        return display_name_problem(str(value))

    def _name_problem(self, value: Any) -> str | None:
        if value in self.surroundings.names:
            return f"is taken: there is an IntegrationInstance '{value}'; take another, or change it with 'hub edit'"
        return object_name_problem(str(value))

    def _scope_questions(self, answers: Answers) -> Iterator[Question]:
        page = Page("Who it is for")
        options = (
            Choice("global", "Everybody"),
            Choice("client", "One customer"),
            Choice("user", "One person"),
        )
        yield Question(
            SCOPE_TYPE,
            "Whom does the connection belong to?",
            page=page,
            kind=Kind.CHOICE,
            flag="--scope client",
            choices=options,
            has_names=True,
            help="Leave it empty for everybody in the namespace.",
            check=one_of(options),
        )
        chosen = answers.get(SCOPE_TYPE)
        if chosen in {"client", "user"}:
            yield Question(
                SCOPE_ID,
                "Which customer?" if chosen == "client" else "Which person?",
                page=page,
                help="Its identifier in your own systems.",
                flag="--scope-id ...",
                required=True,
                check=one_line(253),
            )
        yield Question(
            ROLES,
            "Which roles may use it?",
            page=page,
            kind=Kind.LIST,
            flag="--role ...",
            help="Leave it empty to exclude nobody.",
            check=each(one_line(100)),
        )

    # What is wrong

    def problems(self, answers: Answers) -> list[Problem]:
        """Return what keeps the answers from making a connection: what is missing, what is wrong, by question."""
        found: dict[str | None, Problem] = {}
        for question in self._questions(answers):
            problem = _answer_problem(question, answers)
            if problem is not None:
                found[question.key] = Problem(question.key, problem, question.flag, question.title)
        if not found:
            for problem_ in (*self._config_problems(answers), *self._credential_problems(answers)):
                found.setdefault(problem_.key, problem_)
        return list(found.values())

    def _config_problems(self, answers: Answers) -> Iterator[Problem]:
        form = self.form(answers)
        for violation in self.validator.violations(form.effective(answers)):
            names = tuple(violation.path.removeprefix("spec.config.").split("[")[0].split("."))
            key = form.key_at(names, answers)
            question = self.question(key, answers) if key else None
            yield Problem(
                question.key if question else None,
                violation.message,
                question.flag if question else "",
                question.title if question else violation.path,
            )

    def _credential_problems(self, answers: Answers) -> Iterator[Problem]:
        if not self.is_new_secret(answers):
            return
        keys, config = self.keys(answers), self.form(answers).effective(answers)
        name = self.secret_name(answers) or ""
        said = credentials_problem(
            self.method(answers), config, keys, self.entered(answers), secret_name=name
        )
        if said is not None:
            # The sentence names what it is about; where it names nothing, it may be about all.
            named = [needed.key.name for needed in keys if f"'{needed.key.name}'" in said]
            blamed = tuple(SECRET_KEY + name for name in named or [needed.key.name for needed in keys])
            yield Problem(blamed[0], said, together=blamed)


def _next(questions: tuple[Question, ...], key: str) -> Question | None:
    """Return the first question to ask behind that key; the very first where there is no such key any more."""
    keys = [question.key for question in questions]
    start = keys.index(key) + 1 if key in keys else 0
    return next((question for question in questions[start:] if question.is_asked), None)


def _answer_problem(question: Question, answers: Answers) -> str | None:
    value = answers.get(question.key)
    if value is None:
        return "is required" if question.must_be_answered else None
    return question.check(value)


def _method_title(method: AuthMethod) -> str:
    return method.display_name or method.name
