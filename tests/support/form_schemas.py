"""Definitions and answers for property tests of forms: any schema in the profile, and any way to answer it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from integration_hub.forms.interview import Interview
from integration_hub.forms.question import Answers, Kind, Question, read_answer, typed
from integration_hub.forms.surroundings import Current, SecretSeen, Surroundings
from integration_hub.model.base import API_VERSION
from integration_hub.reconcile.definition import CheckedDefinition, check_definition

Raw = dict[str, Any]

NAMES = st.sampled_from([f"field{letter}" for letter in "ABCDEFGH"])
WORDS = st.text("abcdeÄ -_.'\"[:#", min_size=1, max_size=8).filter(lambda text: text == text.strip())
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))

_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": WORDS,
    "integer": st.integers(-(10**6), 10**6),
    "number": NUMBERS | st.integers(-100, 100),
    "boolean": st.booleans(),
}


@st.composite
def scalar_fields(draw: st.DrawFn) -> Raw:
    """Draw a field of a single value, with whatever the profile allows it."""
    kind = draw(st.sampled_from(sorted(_VALUES)))
    field: Raw = {"type": kind}
    values = _VALUES[kind]
    if draw(st.booleans()):
        same = (lambda value: str(value).lower()) if kind == "string" else (lambda value: value)
        field["enum"] = draw(st.lists(values, min_size=1, max_size=3, unique_by=same))
        values = st.sampled_from(field["enum"])
    if draw(st.booleans()):
        field["default"] = draw(values)
    if draw(st.booleans()):
        field |= {"title": draw(WORDS), "x-hub-order": draw(st.integers(0, 5))}
    return field


@st.composite
def lists(draw: st.DrawFn) -> Raw:
    """Draw a list of single values."""
    kind = draw(st.sampled_from(sorted(_VALUES)))
    field: Raw = {"type": "array", "items": {"type": kind}}
    if draw(st.booleans()):
        field["default"] = draw(st.lists(_VALUES[kind], max_size=3))
    return field


@st.composite
def groups(draw: st.DrawFn, discriminator: Raw | None = None) -> Raw:
    """Draw a group of fields, or a branch."""
    fields = draw(st.dictionaries(NAMES, scalar_fields() | lists(), max_size=3))
    required = draw(st.lists(st.sampled_from(sorted(fields)), unique=True)) if fields else []
    if discriminator is not None:
        fields = {"kind": discriminator, **fields}
        required = ["kind", *required]
    return {"type": "object", "properties": fields, "required": required}


@st.composite
def branchings(draw: st.DrawFn) -> Raw:
    """Draw a choice between groups."""
    consts = draw(st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True))
    return {"oneOf": [draw(groups({"type": "string", "const": const})) for const in consts]}


@st.composite
def schemas(draw: st.DrawFn) -> Raw:
    """Draw a configSchema."""
    fields = draw(
        st.dictionaries(NAMES, scalar_fields() | lists() | groups() | branchings(), min_size=1, max_size=5)
    )
    required = draw(st.lists(st.sampled_from(sorted(fields)), unique=True))
    return {"type": "object", "properties": fields, "required": required}


@st.composite
def valid_values(draw: st.DrawFn, field: Raw) -> Any:
    """Draw a value that a field allows."""
    if "oneOf" in field:
        return draw(valid_values(draw(st.sampled_from(field["oneOf"]))))
    if "const" in field:
        return field["const"]
    if "enum" in field:
        return draw(st.sampled_from(field["enum"]))
    if field["type"] == "array":
        return draw(st.lists(_VALUES[field["items"]["type"]], max_size=3))
    if field["type"] == "object":
        return draw(configs(field))
    return draw(_VALUES[field["type"]])


@st.composite
def configs(draw: st.DrawFn, group: Raw, *, partly: bool = False) -> Raw:
    """Draw a configuration of a schema or group; `partly` leaves out what is required, too."""
    found = {}
    for name, field in group["properties"].items():
        must = name in group.get("required", ()) and not partly
        if must or draw(st.booleans()):
            found[name] = draw(valid_values(field))
    return found


@st.composite
def definitions(draw: st.DrawFn) -> CheckedDefinition:
    """Draw a definition without mistakes: any schema, a wizard for a part of it, perhaps templates."""
    schema = draw(schemas())
    names = sorted(schema["properties"])
    steps = draw(st.lists(st.lists(st.sampled_from(names), max_size=3), max_size=3))
    templates = [
        {"name": f"preset-{number}", "config": draw(configs(schema, partly=True))}
        for number in range(draw(st.integers(0, 2)))
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


@st.composite
def typed_answers(draw: st.DrawFn, question: Question, schema: Raw) -> str:
    """Draw what a person types in answer to a question; an empty answer where that may be."""
    if not question.must_be_answered and draw(st.booleans()):
        return ""
    if question.secret:
        return draw(st.text("abc123", min_size=1, max_size=5))
    if question.kind is Kind.CHOICE:
        return typed(question, draw(st.sampled_from(question.choices)).value)
    if question.key.startswith("config."):
        field = field_of(question, schema)
        return typed(question, draw(st.booleans() if "properties" in field else valid_values(field)))
    return draw(st.text("abc", min_size=1, max_size=6))


def interviewed(data: st.DataObject, interview: Interview, answers: Answers = Answers()) -> Answers:  # noqa: B008 - never changed
    """Answer every question in its turn, as a person would, and check that none comes twice."""
    asked: list[str] = []
    question = interview.first(answers)
    while question is not None:
        assert question.key not in asked
        asked.append(question.key)
        text = data.draw(typed_answers(question, interview.spec.config_schema))
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
