"""The whole interview for one connection: every question in its order, and what is still wrong with the answers.

Which questions there are follows from the answers alone, so that going back and forth needs no state but them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from integration_hub.config.validation import ConfigValidator
from integration_hub.config.values import choices
from integration_hub.forms.checks import each, key_value, one_line, one_of, scope_problem
from integration_hub.forms.config import ConfigForm
from integration_hub.forms.credentials import (
    NeededKey,
    credentials_problem,
    fits,
    method_type,
    needed_keys,
    rendered_settings,
)
from integration_hub.forms.naming import display_name_problem, free_name, object_name, object_name_problem
from integration_hub.forms.question import Answers, Choice, Kind, Page, Question
from integration_hub.forms.surroundings import Current, SecretSeen, Surroundings
from integration_hub.model.definition import AuthMethod, ConfigTemplate, DefinitionSpec

TEMPLATE: Final = "template"
METHOD: Final = "auth.method"
SCOPES: Final = "auth.scopes"
DISPLAY_NAME: Final = "displayName"
NAME: Final = "name"
SECRET_USE: Final = "secret.use"
SECRET_NAME: Final = "secret.name"
SECRET_DO: Final = "secret.do."
SECRET_KEY: Final = "secret.key."
SCOPE_TYPE: Final = "scope.type"
SCOPE_ID: Final = "scope.id"
ROLES: Final = "roles"
DROP: Final = "drop."

NEW_SECRET: Final = "new Secret"
"""No Secret can be called so."""
KEEP: Final = "keep"
REPLACE: Final = "replace"
REMOVE: Final = "remove"


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps the answers from making a connection."""

    key: str | None
    """Of the question to answer otherwise, None where no single one can be blamed."""
    message: str
    flag: str = ""
    """The flag that gives what is missing."""
    title: str = ""


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
        if not self.keys(answers):
            return None
        used = self._used(answers)
        return str(answers.get(SECRET_NAME) or self._proposed_secret(answers)) if used == NEW_SECRET else used

    def is_new_secret(self, answers: Answers) -> bool:
        """Tell whether a Secret is made."""
        return bool(self.keys(answers)) and self._used(answers) == NEW_SECRET

    def entered(self, answers: Answers) -> dict[str, str]:
        """Return the values of the Secret's keys that were entered and are to be written, by key."""
        found = {}
        for needed in self.keys(answers):
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
            for needed in self.keys(answers)
            if needed.key.name in stored.keys and answers.get(SECRET_DO + needed.key.name) == REMOVE
        )

    def _used(self, answers: Answers) -> str:
        """Return the name of the Secret that is used as it is, or NEW_SECRET."""
        return str(answers.get(SECRET_USE) or self._current_secret() or NEW_SECRET)

    def _current_secret(self) -> str | None:
        return self.current.secret_name if self.current is not None else None

    def _stored(self, answers: Answers) -> SecretSeen | None:
        """Return the current connection's Secret, if it goes on using that."""
        if self.current is None or self._used(answers) != self._current_secret():
            return None
        return self.current.secret

    def _is_entered(self, needed: NeededKey, answers: Answers) -> bool:
        used = self._used(answers)
        if used == NEW_SECRET:
            return True
        if used != self._current_secret():
            return False
        stored = self._stored(answers)
        is_open = stored is not None and needed.key.name not in stored.keys
        return is_open or answers.get(SECRET_DO + needed.key.name) == REPLACE

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
        yield from self._secret_questions(answers)
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

    def _proposed_secret(self, answers: Answers) -> str:
        if self.current is not None and self.current.is_secret_gone:
            return str(self.current.secret_name)
        return free_name(f"{self.name(answers)}-credentials", list(self.surroundings.secrets or ()))

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

    def _secret_questions(self, answers: Answers) -> Iterator[Question]:
        keys = self.keys(answers)
        if not keys:
            return
        method = self.method(answers)
        page = Page(f"Credentials: {_method_title(method)}", method.description or "")
        yield from self._use_question(keys, page, answers)
        used = self._used(answers)
        if used == NEW_SECRET:
            yield Question(
                SECRET_NAME,
                "Name of the Secret",
                page=page,
                flag="--secret-name ...",
                required=True,
                fallback=self._proposed_secret(answers),
                is_asked=False,
                check=self._secret_name_problem,
            )
        stored = self._stored(answers)
        is_current = used != NEW_SECRET and used == self._current_secret()
        if is_current and self.current is not None and self.current.is_secret_gone:
            return
        for needed in keys:
            if is_current and (stored is None or needed.key.name in stored.keys):
                yield _keep_question(needed, page, stored, self._others(used))
            if self._is_entered(needed, answers):
                yield self._key_question(needed, page, answers)

    def _others(self, secret: str) -> tuple[str, ...]:
        """Return the names of the other connections that use a Secret."""
        own = self.current.name if self.current is not None else None
        return tuple(name for name in self.surroundings.users.get(secret, ()) if name != own)

    def _use_question(self, keys: tuple[NeededKey, ...], page: Page, answers: Answers) -> Iterator[Question]:
        wanted = self.secret_type(answers)
        current = self._current_secret()
        fitting = [
            seen.name
            for seen in (self.surroundings.secrets or {}).values()
            if seen.name != current and not seen.is_made and fits(keys, seen.keys, seen.type, wanted)
        ]
        is_gone = self.current is not None and self.current.is_secret_gone
        words = (
            f"The one that it names, '{current}', which does not exist"
            if is_gone
            else f"The one that it has, '{current}'"
        )
        options = [Choice(current, words)] if current is not None else []
        options += [Choice(NEW_SECRET, "A new Secret")]
        options += [Choice(name, f"The Secret '{name}'") for name in sorted(fitting)]
        yield Question(
            SECRET_USE,
            "Where are the credentials?",
            page=page,
            kind=Kind.CHOICE,
            help="A Secret that fits can serve several connections.",
            flag="--secret-name ...",
            required=True,
            fallback=current or NEW_SECRET,
            choices=tuple(options),
            is_asked=len(options) > 1,
        )

    def _key_question(self, needed: NeededKey, page: Page, answers: Answers) -> Question:
        key = needed.key
        secret = self.secret_name(answers) or ""
        return Question(
            SECRET_KEY + key.name,
            needed.title,
            page=page,
            help=needed.help,
            flag=f"--secret-from-file {key.name}=FILE or --secret-from-env {key.name}=VARIABLE",
            required=key.required,
            examples=(needed.example,) if needed.example else (),
            multiline=key.multiline,
            secret=True,
            check=key_value(key, secret),
        )

    def _secret_name_problem(self, value: Any) -> str | None:
        if value in (self.surroundings.secrets or {}):
            return "is the name of a Secret that exists; it is not overwritten: take another, or choose that Secret"
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
            yield Problem(SECRET_KEY + keys[0].key.name, said, title="Credentials")


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
