"""Definitions and answers for property tests of forms: any schema in the profile, and any way to answer it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from integration_hub.forms.interview import Interview
from integration_hub.forms.question import Answers, Kind, Question, read_answer, typed
from integration_hub.forms.surroundings import Current, SecretSeen, Surroundings
from integration_hub.model.base import API_VERSION
from integration_hub.reconcile.definition import CheckedDefinition, check_definition

Raw = dict[str, Any]

Draw = st.DrawFn

# Each strategy is made once, and plain functions put together what is drawn of them: to make a strategy for every
# field, out of other strategies, takes many times as long as to draw a value.
_FLAGS: Final = st.booleans()
_INDEXES: Final = [st.integers(0, last) for last in range(50)]
_INNER: Final = st.text("abcdeÄ -_.'\"[:#", max_size=6)
_NUMBERS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "boolean": _FLAGS,
    "integer": st.integers(-(10**6), 10**6),
    "number": st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))
    | st.integers(-100, 100),
}
_CREDENTIALS: Final = st.text("abc123", min_size=1, max_size=5)
_NAMES_OF_THINGS: Final = st.text("abc", min_size=1, max_size=6)
_FIELDS: Final = [f"field{letter}" for letter in "ABCDEFGH"]
_ENDS: Final = "abcdeÄ-_.'\"[:#"
_KINDS: Final = [*_NUMBERS, "string"]


def _count(draw: Draw, least: int, most: int) -> int:
    return least + draw(_INDEXES[most - least])


def one_of(draw: Draw, values: Sequence[Any]) -> Any:
    """Draw one of several values."""
    return values[draw(_INDEXES[len(values) - 1])]


def _distinct(draw: Draw, values: Sequence[Any], least: int, most: int) -> list[Any]:
    rest = list(values)
    return [rest.pop(draw(_INDEXES[len(rest) - 1])) for _ in range(_count(draw, least, most))]


def _some(draw: Draw, values: Iterable[str]) -> list[str]:
    return [value for value in values if draw(_FLAGS)]


def _word(draw: Draw) -> str:
    """Draw a text that neither begins nor ends with a space."""
    first = one_of(draw, _ENDS)
    return f"{first}{draw(_INNER)}{one_of(draw, _ENDS)}" if draw(_FLAGS) else str(first)


def _value(draw: Draw, kind: str) -> Any:
    return _word(draw) if kind == "string" else draw(_NUMBERS[kind])


def _values(draw: Draw, kind: str, least: int) -> list[Any]:
    return [_value(draw, kind) for _ in range(_count(draw, least, 3))]


def _scalar(draw: Draw) -> Raw:
    """Draw a field of a single value, with whatever the profile allows it."""
    kind = one_of(draw, _KINDS)
    field: Raw = {"type": kind}
    if draw(_FLAGS):
        values = _values(draw, kind, 1)
        field["enum"] = list({str(value).lower(): value for value in values}.values())
    if draw(_FLAGS):
        field["default"] = valid_value(draw, field)
    if draw(_FLAGS):
        field |= {"title": _word(draw), "x-hub-order": _count(draw, 0, 5)}
    return field


def _list(draw: Draw) -> Raw:
    """Draw a list of single values."""
    kind = one_of(draw, _KINDS)
    field: Raw = {"type": "array", "items": {"type": kind}}
    if draw(_FLAGS):
        field["default"] = _values(draw, kind, 0)
    return field


def _group(draw: Draw, discriminator: Raw | None = None) -> Raw:
    """Draw a group of fields, or a branch."""
    fields = {name: one_of(draw, (_scalar, _list))(draw) for name in _distinct(draw, _FIELDS, 0, 3)}
    required = _some(draw, fields)
    if discriminator is not None:
        fields = {"kind": discriminator, **fields}
        required = ["kind", *required]
    return {"type": "object", "properties": fields, "required": required}


def _branching(draw: Draw) -> Raw:
    """Draw a choice between groups."""
    consts = _distinct(draw, "xyz", 1, 3)
    return {"oneOf": [_group(draw, {"type": "string", "const": const}) for const in consts]}


def _schema(draw: Draw) -> Raw:
    """Draw a configSchema."""
    kinds = (_scalar, _list, _group, _branching)
    fields = {name: one_of(draw, kinds)(draw) for name in _distinct(draw, _FIELDS, 1, 5)}
    return {"type": "object", "properties": fields, "required": _some(draw, fields)}


def valid_value(draw: Draw, field: Raw) -> Any:
    """Draw a value that a field allows."""
    if "oneOf" in field:
        return config(draw, one_of(draw, field["oneOf"]))
    if "const" in field:
        return field["const"]
    if "enum" in field:
        return one_of(draw, field["enum"])
    if field["type"] == "array":
        return _values(draw, field["items"]["type"], 0)
    if field["type"] == "object":
        return config(draw, field)
    return _value(draw, field["type"])


def config(draw: Draw, group: Raw, *, given: Collection[str] = (), partly: bool = False) -> Raw:
    """Draw a configuration of a schema or group; what is required may be left out where it is `given`, or `partly`."""
    found = {}
    for name, field in group["properties"].items():
        must = name in group.get("required", ()) and name not in given and not partly
        if must or draw(_FLAGS):
            found[name] = valid_value(draw, field)
    return found


def definition(draw: Draw) -> CheckedDefinition:
    """Draw a definition without mistakes: any schema, a wizard for a part of it, perhaps templates."""
    schema = _schema(draw)
    names = sorted(schema["properties"])
    steps = [[one_of(draw, names) for _ in range(_count(draw, 0, 3))] for _ in range(_count(draw, 0, 3))]
    templates = [
        {"name": f"preset-{number}", "config": config(draw, schema, partly=True)}
        for number in range(_count(draw, 0, 2))
    ]
    spec = {
        "displayName": "Acme",
        "configSchema": schema,
        "baseURL": "https://api.example.com",
        "allowedHosts": ["api.example.com"],
        "authMethods": [
            {"name": "key", "type": "apiKey"},
            {"name": "password", "type": "basicAuth"},
        ],
        "tests": [{"name": "t", "default": True, "request": {"path": "/"}}],
        "templates": templates,
        "wizard": {"steps": [{"title": "Step", "fields": fields} for fields in steps]},
    }
    return check_definition({"metadata": {"name": "acme", "generation": 1}, "spec": spec})


def interview_of(checked: CheckedDefinition, current: Current | None = None, **around: Any) -> Interview:
    """Return the interview about a checked definition."""
    assert checked.violations == ()
    assert checked.spec is not None
    assert checked.validator is not None
    surroundings = Surroundings("shop", **around)
    return Interview(checked.name, checked.spec, checked.validator, surroundings, current)


def field_of(question: Question, schema: Raw) -> Raw:
    """Return the schema of a question's field."""
    first, *rest = question.key.removeprefix("config.").split(".")
    name, _, branch = first.partition("(")
    field: Raw = schema["properties"][name]
    if branch:
        field = next(each for each in field["oneOf"] if each["properties"]["kind"]["const"] == branch[:-1])
    return field["properties"][rest[0]] if rest else field


def typed_answer(draw: Draw, question: Question, schema: Raw) -> str:
    """Draw what a person types in answer to a question; an empty answer where that may be."""
    if not question.must_be_answered and draw(_FLAGS):
        return ""
    if question.secret:
        return draw(_CREDENTIALS)
    if question.kind is Kind.CHOICE:
        return typed(question, one_of(draw, question.choices).value)
    if question.key.startswith("config."):
        field = field_of(question, schema)
        return typed(question, draw(_FLAGS) if "properties" in field else valid_value(draw, field))
    return draw(_NAMES_OF_THINGS)


def interviewed(draw: Draw, interview: Interview, answers: Answers = Answers()) -> Answers:  # noqa: B008 - never changed
    """Answer every question in its turn, as a person would, and check that none comes twice."""
    asked: list[str] = []
    question = interview.first(answers)
    while question is not None:
        assert question.key not in asked
        asked.append(question.key)
        text = typed_answer(draw, question, interview.spec.config_schema)
        answers = answers.with_answer(question.key, read_answer(question, text))
        question = interview.after(question.key, answers)
    return answers


def connection(spec: Raw, *, secret: SecretSeen | None = None) -> Current:
    """Return a connection to edit."""
    return Current(
        {
            "apiVersion": API_VERSION,
            "kind": "IntegrationInstance",
            "metadata": {"name": "mine", "namespace": "shop"},
            "spec": spec,
        },
        secret,
    )
