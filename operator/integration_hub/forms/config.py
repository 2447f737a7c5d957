"""The part of a form that asks for a configuration: questions from a configSchema, and the configuration they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from integration_hub.config.profile import secret_fields
from integration_hub.config.validation import ConfigValidator, discriminator, schema_violations
from integration_hub.config.values import as_text, same
from integration_hub.forms.question import Answers, Check, Choice, Kind, Page, Question
from integration_hub.model.definition import DefinitionSpec

ROOT: Final = "config"
OTHERS: Final = Page("Further settings")

Schema = Mapping[str, Any]

_KINDS: Final = {"string": Kind.TEXT, "integer": Kind.INTEGER, "number": Kind.NUMBER, "boolean": Kind.BOOLEAN}


def key_of(*names: str, branch: Any = None) -> str:
    """Return the key of a field's question. Fields of a oneOf's branch have it in theirs: each keeps its own answer."""
    first, *rest = names
    return ".".join([ROOT, first if branch is None else f"{first}({as_text(branch)})", *rest])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field stands, and what holds where nothing is said."""

    key: str
    flag: str
    page: Page
    required: bool
    fallback: Any
    preset: bool
    """Whether the template has answered it."""
    source: str
    """How the template is called."""


class ConfigForm:
    """Questions and answers of one definition with one template."""

    def __init__(
        self,
        spec: DefinitionSpec,
        validator: ConfigValidator,
        *,
        preset: Mapping[str, Any],
        template: str | None = None,
    ) -> None:
        """`preset` is the configuration of the template of that name."""
        self._spec = spec
        self._validator = validator
        self._schema: Schema = spec.config_schema
        self._secret = frozenset(secret_fields(self._schema))
        self._fields: dict[str, Schema] = {
            name: field
            for name, field in self._schema.get("properties", {}).items()
            if name not in self._secret
        }
        self._required = frozenset(self._schema.get("required", ()))
        self._preset = preset
        self._template = template
        self._base = validator.effective({}, preset)

    # Questions

    def questions(self, answers: Answers) -> Iterator[Question]:
        """Yield the questions in the order of the wizard, then of fields that no step names; each once."""
        for page, name in self._order():
            yield from self._of(name, page, answers)

    def _order(self) -> Iterator[tuple[Page, str]]:
        seen: set[str] = set()
        for step in self._spec.wizard.steps if self._spec.wizard else ():
            page = Page(step.title, step.help or "")
            for name in step.fields:
                if name in self._fields and name not in seen:
                    seen.add(name)
                    yield page, name
        rest = [name for name in self._fields if name not in seen]
        for name in sorted(rest, key=lambda name: self._fields[name].get("x-hub-order", _LAST)):
            group = self._fields[name].get("x-hub-group")
            yield Page(group) if group else (OTHERS if seen else Page("Settings")), name

    def _of(self, name: str, page: Page, answers: Answers) -> Iterator[Question]:
        field = self._fields[name]
        place = _Place(
            key_of(name),
            name,
            page,
            name in self._required,
            self._base.get(name),
            name in self._preset,
            f"template '{self._template}'",
        )
        if "oneOf" in field:
            yield from self._of_branches(name, field, place, answers)
        elif field["type"] == "object":
            yield from self._of_group(name, field, place, answers)
        elif not _is_fixed(field, place.required):
            yield _scalar(name, field, place)

    def _of_group(self, name: str, field: Schema, place: _Place, answers: Answers) -> Iterator[Question]:
        if self._has_gate(name):
            yield Question(
                place.key,
                f"Set '{_title(name, field)}'?",
                page=place.page,
                kind=Kind.BOOLEAN,
                help=field.get("description", ""),
                flag=f"--set {name}=true",
                fallback=False,
                check=_type_check(Kind.BOOLEAN),
            )
            if not answers.get(place.key):
                return
        base = self._base.get(name)
        yield from self._members(name, field, place.page, base, key_of(name))

    def _has_gate(self, name: str) -> bool:
        """Tell whether a person decides if a group is there at all."""
        return name not in self._required and name not in self._base

    def _of_branches(self, name: str, field: Schema, place: _Place, answers: Answers) -> Iterator[Question]:
        key = _discriminator(field)
        base = self._base.get(name, {}).get(key)
        options = tuple(
            Choice(
                _const(branch, key),
                _title(as_text(_const(branch, key)), branch),
                branch.get("description", ""),
            )
            for branch in field["oneOf"]
        )
        yield Question(
            place.key,
            _title(name, field),
            page=place.page,
            kind=Kind.CHOICE,
            help=field.get("description", ""),
            flag=f"--set {name}.{key}={as_text(options[0].value)}",
            required=place.required,
            fallback=base,
            choices=options,
            has_names=True,
            is_asked=not place.preset,
            answered_by=place.source if place.preset else "",
            check=_one_of(options),
        )
        chosen = self._chosen(name, answers)
        if chosen is None:
            return
        branch = _branch(field, key, chosen)
        below = self._base[name] if base is not None and base == chosen else None
        for question in self._members(name, branch, place.page, below, key_of(name, branch=chosen)):
            if question.key != f"{key_of(name, branch=chosen)}.{key}":
                yield question

    def _members(
        self, name: str, group: Schema, page: Page, base: Mapping[str, Any] | None, stem: str
    ) -> Iterator[Question]:
        """Yield the questions of a group's members; `base` is what holds of the group without any answer."""
        members: Mapping[str, Schema] = group.get("properties", {})
        preset = self._preset.get(name) if base is not None else None
        for member in sorted(members, key=lambda member: members[member].get("x-hub-order", _LAST)):
            field = members[member]
            required = member in group.get("required", ())
            if _is_fixed(field, required):
                continue
            fallback = (base or {}).get(member, field.get("default"))
            is_preset = isinstance(preset, Mapping) and member in preset
            yield _scalar(
                member,
                field,
                _Place(
                    f"{stem}.{member}",
                    f"{name}.{member}",
                    page,
                    required,
                    fallback,
                    is_preset,
                    f"template '{self._template}'",
                ),
            )

    # The configuration

    def own(self, answers: Answers) -> dict[str, Any]:
        """Return what the answers say, field by field, whether or not it holds without saying it."""
        found = {}
        for name, field in self._fields.items():
            value = self._own(name, field, answers)
            if value is not None:
                found[name] = value
        return found

    def _own(self, name: str, field: Schema, answers: Answers) -> Any:
        if "oneOf" in field:
            chosen = self._chosen(name, answers)
            if chosen is None:
                return None
            key = _discriminator(field)
            members = _branch(field, key, chosen)
            return {key: chosen, **_answered(members, answers, key_of(name, branch=chosen), without=key)}
        if field["type"] == "object":
            if self._has_gate(name) and not answers.get(key_of(name)):
                return None
            return _answered(field, answers, key_of(name))
        if _is_fixed(field, name in self._required):
            return field["const"]
        return answers.get(key_of(name))

    def _chosen(self, name: str, answers: Answers) -> Any:
        """Return which branch of a oneOf is selected, None where none is."""
        key = _discriminator(self._fields[name])
        chosen = answers.get(key_of(name))
        return self._base.get(name, {}).get(key) if chosen is None else chosen

    def written(self, answers: Answers) -> dict[str, Any]:
        """Return the configuration to write: only what template and defaults do not say already."""
        found: dict[str, Any] = {}
        for name, value in self.own(answers).items():
            kept = self._differing(name, value)
            if kept is not _NOTHING:
                found[name] = kept
        return found

    def _differing(self, name: str, value: Any) -> Any:
        """Return the part of a field's value that must be written."""
        below = self._base.get(name, _NOTHING)
        if not isinstance(value, dict):
            return _NOTHING if same(below, value) else value
        field = self._fields[name]
        key = _discriminator(field) if "oneOf" in field else None
        if key is not None and (below is _NOTHING or below.get(key) != value[key]):
            defaults = _defaults(_branch(field, key, value[key]))
            return {
                key: value[key],
                **{
                    member: v
                    for member, v in value.items()
                    if member != key and not same(defaults.get(member), v)
                },
            }
        held = _defaults(field) if below is _NOTHING else below
        kept = {member: v for member, v in value.items() if not (member in held and same(held[member], v))}
        return kept if kept or below is _NOTHING else _NOTHING

    def effective(self, answers: Answers) -> dict[str, Any]:
        """Return the configuration that will be in force."""
        return self.in_force(self.written(answers))

    def in_force(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a configuration comes to, with the template and the defaults."""
        return self._validator.effective(config, self._preset)

    # Answers from a configuration

    def answers(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answers that a configuration gives. Fields that the form does not know give none."""
        found: dict[str, Any] = {}
        for name, value in config.items():
            field = self._fields.get(name)
            if field is None or value is None:
                continue
            if "oneOf" in field:
                found |= self._branch_answers(name, field, value)
            elif field["type"] == "object":
                if isinstance(value, Mapping):
                    found |= ({key_of(name): True} if self._has_gate(name) else {}) | _member_answers(
                        field, value, key_of(name)
                    )
            elif not _is_fixed(field, name in self._required):
                found[key_of(name)] = value
        return found

    def _branch_answers(self, name: str, field: Schema, value: Any) -> dict[str, Any]:
        key = _discriminator(field)
        if not isinstance(value, Mapping):
            return {}
        chosen = value.get(key, self._base.get(name, {}).get(key))
        if not any(_const(branch, key) == chosen for branch in field["oneOf"]):
            return {}
        members = {member: entry for member, entry in value.items() if member != key}
        said = {key_of(name): chosen} if key in value else {}
        return said | _member_answers(_branch(field, key, chosen), members, key_of(name, branch=chosen))

    def key_at(self, path: tuple[str, ...], answers: Answers) -> str | None:
        """Return the key of the question for a place in the configuration, like ('proxy', 'host'); None for none."""
        name, *rest = path
        field = self._fields.get(name)
        if field is None or len(rest) > 1:
            return None
        if not rest:
            return key_of(name)
        if "oneOf" in field:
            key = _discriminator(field)
            chosen = self._chosen(name, answers)
            return key_of(name) if rest[0] == key else key_of(name, rest[0], branch=chosen)
        return key_of(name, rest[0])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields that are asked for."""
        return tuple(self._fields)


_LAST: Final = 2**31
_NOTHING: Final[Any] = object()


def _scalar(name: str, field: Schema, place: _Place) -> Question:
    """Return the question for a field that is no group."""
    is_list = field["type"] == "array"
    entry = field["items"] if is_list else field
    options = tuple(Choice(value, as_text(value)) for value in _values(field)) if not is_list else ()
    kind = Kind.LIST if is_list else Kind.CHOICE if options else _KINDS[field["type"]]
    return Question(
        place.key,
        _title(name, field),
        page=place.page,
        kind=kind,
        help=_help(field),
        flag=f"--set {place.flag}=...",
        required=place.required,
        fallback=place.fallback,
        examples=tuple(field.get("examples", ())),
        choices=options,
        entries=_KINDS[entry["type"]],
        multiline=bool(field.get("x-hub-multiline")) or _is_pem(field),
        is_asked=not place.preset,
        answered_by=place.source if place.preset else "",
        check=_check(field),
    )


def _help(field: Schema) -> str:
    said = [str(field["description"])] if field.get("description") else []
    if field["type"] == "array" and "enum" in field["items"]:
        said.append(f"Choose from: {', '.join(map(as_text, field['items']['enum']))}.")
    return " ".join(said)


def _is_pem(field: Schema) -> bool:
    """Tell whether a text is a PEM, though its author has not marked it: it has several lines in any case."""
    words = f"{field.get('title', '')} {field.get('description', '')}"
    return field["type"] == "string" and "PEM" in words.replace("(", " ").replace(")", " ").split()


def _values(field: Schema) -> tuple[Any, ...]:
    if "const" in field:
        return (field["const"],)
    return tuple(field.get("enum", ()))


def _is_fixed(field: Schema, required: bool) -> bool:
    """Tell whether there is nothing to ask: the field must be there, and has one value."""
    return required and "const" in field


def _check(field: Schema) -> Check:
    """Return the operator's own check of one field."""

    def problem(value: Any) -> str | None:
        found = schema_violations(field, value, "")
        return f"{_entry_word(found[0].path)}{found[0].message}" if found else None

    return problem


def _entry_word(path: str) -> str:
    number = path.strip("[]")
    return f"entry {int(number) + 1} " if number.isdigit() else ""


def _type_check(kind: Kind) -> Check:
    return _check({"type": kind.value})


def _one_of(options: tuple[Choice, ...]) -> Check:
    return _check({"enum": [choice.value for choice in options]})


def _discriminator(field: Schema) -> str:
    key = discriminator(field["oneOf"])
    if key is None:
        raise ValueError("a schema outside of the profile makes no form")
    return key


def _const(branch: Schema, key: str) -> Any:
    return branch["properties"][key]["const"]


def _branch(field: Schema, key: str, chosen: Any) -> Schema:
    return next(branch for branch in field["oneOf"] if _const(branch, key) == chosen)


def _answered(group: Schema, answers: Answers, stem: str, without: str = "") -> dict[str, Any]:
    """Return the members of a group that were answered, and those that have one value and must be there."""
    found = {}
    for member, field in group.get("properties", {}).items():
        if member == without:
            continue
        fixed = _is_fixed(field, member in group.get("required", ()))
        value = field["const"] if fixed else answers.get(f"{stem}.{member}")
        if value is not None:
            found[member] = value
    return found


def _member_answers(group: Schema, value: Mapping[str, Any], stem: str) -> dict[str, Any]:
    members = group.get("properties", {})
    required = group.get("required", ())
    return {
        f"{stem}.{member}": entry
        for member, entry in value.items()
        if member in members and entry is not None and not _is_fixed(members[member], member in required)
    }


def _defaults(group: Schema) -> dict[str, Any]:
    return {
        name: field["default"] for name, field in group.get("properties", {}).items() if "default" in field
    }


def _title(name: str, field: Schema) -> str:
    return str(field.get("title") or name)
