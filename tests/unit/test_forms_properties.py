"""Forms, whatever the definition and whatever is answered: what they promise of every manifest that they make.

To draw a definition and answers to it takes longer than to look at what comes of them, so all that is promised of one
interview is looked at together.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from integration_hub.forms.interview import Interview
from integration_hub.forms.manifests import answers_of, edited, instance_manifest, secret_manifest
from integration_hub.forms.question import Answers, read_answer, typed
from integration_hub.model.instance import IntegrationInstance
from integration_hub.reconcile.definition import CheckedDefinition
from integration_hub.reconcile.gates import pass_gates
from integration_hub.reconcile.inputs import Inputs
from integration_hub.shell.refusals import refusals
from support.form_schemas import (
    config,
    connection,
    definition,
    interview_of,
    interviewed,
    one_of,
    typed_answer,
)

MANY = settings(max_examples=150, deadline=None)


def gates_of(raw: dict[str, Any], checked: CheckedDefinition) -> Any:
    inputs = Inputs(
        IntegrationInstance.model_validate(raw), checked, None, None, datetime(2026, 11, 1, tzinfo=UTC)
    )
    return pass_gates(inputs)


@dataclass(frozen=True)
class Asked:
    """An interview in which every question was answered, and another answer to one of them."""

    checked: CheckedDefinition
    interview: Interview
    answers: Answers
    again: str
    other: Any


@st.composite
def interviews(draw: st.DrawFn) -> Asked:
    """Draw a new connection to any definition."""
    checked = definition(draw)
    interview = interview_of(checked)
    answers = interviewed(draw, interview)
    asked = [question for question in interview.questions(answers) if question.is_asked]
    again = one_of(draw, asked)
    other = read_answer(again, typed_answer(draw, again, interview.spec.config_schema))
    return Asked(checked, interview, answers, again.key, other)


@MANY
@given(interviews())
def test_whatever_is_answered(case: Asked) -> None:
    the_manifest_passes_the_operators_own_gates(case)
    what_is_written_has_the_effect_of_the_answers_and_nothing_in_it_is_needless(case)
    going_back_keeps_every_later_answer(case)
    the_questions_are_the_same_backwards(case)
    what_a_value_is_typed_as_gives_that_value_back(case)


def the_manifest_passes_the_operators_own_gates(case: Asked) -> None:
    interview, answers = case.interview, case.answers
    assert interview.problems(answers) == []
    manifest = instance_manifest(interview, answers)
    assert refusals("IntegrationInstance", manifest["spec"]) == []
    assert gates_of(manifest, case.checked).passed is not None
    secret = secret_manifest(interview, answers)
    assert secret is not None
    assert manifest["spec"]["auth"]["secretRef"]["name"] == secret["metadata"]["name"]


def what_is_written_has_the_effect_of_the_answers_and_nothing_in_it_is_needless(case: Asked) -> None:
    interview, answers = case.interview, case.answers
    form, template = interview.form(answers), interview.template(answers)
    preset = template.config if template else {}
    written = form.written(answers)
    in_force = interview.validator.effective(written, preset)
    assert in_force == interview.validator.effective(form.own(answers), preset)
    for name, value in written.items():
        without = {other: kept for other, kept in written.items() if other != name}
        if isinstance(value, (str, int, float, list)):
            assert interview.validator.effective(without, preset) != in_force, f"{name} need not be written"


def going_back_keeps_every_later_answer(case: Asked) -> None:
    interview, answers = case.interview, case.answers
    before = instance_manifest(interview, answers)
    there = answers.with_answer(case.again, case.other)
    assert all(there[key] == answers[key] for key in answers if key != case.again)
    back = there.with_answer(case.again, answers[case.again])
    assert instance_manifest(interview, back) == before


def the_questions_are_the_same_backwards(case: Asked) -> None:
    interview, answers = case.interview, case.answers
    asked = [question.key for question in interview.questions(answers) if question.is_asked]
    back, question = [asked[-1]], interview.before(asked[-1], answers)
    while question is not None:
        back.append(question.key)
        question = interview.before(question.key, answers)
    assert back[::-1] == asked


def what_a_value_is_typed_as_gives_that_value_back(case: Asked) -> None:
    for question in case.interview.questions(case.answers):
        value = case.answers.get(question.key)
        if value is not None and not question.secret:
            assert read_answer(question, typed(question, value)) == value


@dataclass(frozen=True)
class Edit:
    """A connection that there is, and its form gone through once more."""

    checked: CheckedDefinition
    interview: Interview
    before: Answers
    again: str | None
    """A question of the configuration, and another answer to it; None where nothing is asked."""
    other: Any
    all_again: Answers
    """Answers to every question, the template's first, as if it were a new connection."""

    @property
    def stands(self) -> Mapping[str, Any]:
        assert self.interview.current is not None
        return self.interview.current.spec


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """Draw a connection that somebody has written by hand, with whatever valid configuration, and an edit of it."""
    checked = definition(draw)
    assert checked.spec is not None
    schema = checked.spec.config_schema
    template = one_of(draw, [None, *checked.spec.templates])
    # What the template says whole need not stand there.
    given = {
        name
        for name, value in (template.config if template else {}).items()
        if not schema["properties"][name].get("required", ()) and "oneOf" not in schema["properties"][name]
    }
    spec: dict[str, Any] = {
        "definitionRef": {"name": "acme"},
        "config": config(draw, schema, given=given),
        "auth": {"method": "key", "secretRef": {"name": "stored"}},
        "description": "Not asked for, and kept.",
        "suspend": True,
    }
    if template is not None:
        spec["template"] = template.name
    interview = interview_of(checked, connection(spec))
    assert interview.current is not None
    before = answers_of(interview, interview.current)
    asked = [
        question
        for question in interview.questions(before)
        if question.key.startswith("config.") and question.is_asked
    ]
    again, other = None, None
    if asked:
        question = one_of(draw, asked)
        again, other = question.key, read_answer(question, typed_answer(draw, question, schema))
    return Edit(checked, interview, before, again, other, interviewed(draw, interview, before))


@MANY
@given(edits())
def test_whatever_is_edited(case: Edit) -> None:
    an_edit_without_changes_changes_nothing(case)
    an_edit_writes_one_field_and_leaves_the_others_as_they_stand(case)
    an_edit_has_the_effect_of_its_answers_whatever_template_they_choose(case)


def an_edit_without_changes_changes_nothing(case: Edit) -> None:
    stands = copy.deepcopy(case.stands)
    assert edited(case.interview, case.before, case.before) == stands
    assert case.stands == stands


def an_edit_writes_one_field_and_leaves_the_others_as_they_stand(case: Edit) -> None:
    if case.again is None:
        return
    interview, stands = case.interview, case.stands
    answers = case.before.with_answer(case.again, case.other)
    after = edited(interview, case.before, answers)
    field = case.again.removeprefix("config.").split(".")[0].split("(")[0]
    assert {**after, "config": {}} == {**stands, "config": {}}
    kept = {name: value for name, value in stands["config"].items() if name != field}
    assert {name: value for name, value in after.get("config", {}).items() if name != field} == kept
    template = interview.template(answers)
    preset = template.config if template else {}
    wanted = interview.validator.effective(interview.form(answers).own(answers), preset)
    assert interview.validator.effective(after.get("config", {}), preset).get(field) == wanted.get(field)
    if not interview.problems(answers):
        raw = {"metadata": {"name": "mine", "namespace": "shop"}, "spec": after}
        assert gates_of(raw, case.checked).passed is not None


def an_edit_has_the_effect_of_its_answers_whatever_template_they_choose(case: Edit) -> None:
    interview, answers = case.interview, case.all_again
    after = edited(interview, case.before, answers)
    template = interview.template(answers)
    assert after.get("template") == (template.name if template else None)
    in_force = interview.validator.effective(after.get("config", {}), template.config if template else {})
    assert in_force == interview.form(answers).effective(answers)
    assert interview.problems(answers) == []
    raw = {"metadata": {"name": "mine", "namespace": "shop"}, "spec": after}
    assert gates_of(raw, case.checked).passed is not None


def test_no_answer_stands_in_the_repr() -> None:
    assert "hidden" not in repr(Answers({"secret.key.apiKey": "hidden"}))
