"""Forms, whatever the definition and whatever is answered: what they promise of every manifest that they make."""

from __future__ import annotations

import copy
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
from support.form_schemas import configs, connection, definitions, interview_of, interviewed, typed_answers

FEW = settings(max_examples=60, deadline=None)
MANY = settings(max_examples=150, deadline=None)


def gates_of(raw: dict[str, Any], checked: CheckedDefinition) -> Any:
    inputs = Inputs(
        IntegrationInstance.model_validate(raw), checked, None, None, datetime(2026, 11, 1, tzinfo=UTC)
    )
    return pass_gates(inputs)


@MANY
@given(definitions(), st.data())
def test_any_valid_answers_make_a_manifest_that_passes_the_operators_own_gates(
    checked: CheckedDefinition, data: st.DataObject
) -> None:
    interview = interview_of(checked)
    answers = interviewed(data, interview)
    assert interview.problems(answers) == []
    manifest = instance_manifest(interview, answers)
    assert refusals("IntegrationInstance", manifest["spec"]) == []
    assert gates_of(manifest, checked).passed is not None
    secret = secret_manifest(interview, answers)
    assert secret is not None
    assert manifest["spec"]["auth"]["secretRef"]["name"] == secret["metadata"]["name"]


@MANY
@given(definitions(), st.data())
def test_what_is_written_has_the_effect_of_the_answers_and_nothing_in_it_is_needless(
    checked: CheckedDefinition, data: st.DataObject
) -> None:
    interview = interview_of(checked)
    answers = interviewed(data, interview)
    form, template = interview.form(answers), interview.template(answers)
    preset = template.config if template else {}
    written = form.written(answers)
    in_force = interview.validator.effective(written, preset)
    assert in_force == interview.validator.effective(form.own(answers), preset)
    for name, value in written.items():
        without = {other: kept for other, kept in written.items() if other != name}
        if isinstance(value, (str, int, float, list)):
            assert interview.validator.effective(without, preset) != in_force, f"{name} need not be written"


@FEW
@given(definitions(), st.data())
def test_going_back_keeps_every_later_answer(checked: CheckedDefinition, data: st.DataObject) -> None:
    interview = interview_of(checked)
    answers = interviewed(data, interview)
    before = instance_manifest(interview, answers)
    asked = [question for question in interview.questions(answers) if question.is_asked]
    again = data.draw(st.sampled_from(asked))
    other = data.draw(typed_answers(again, interview.spec.config_schema))
    there = answers.with_answer(again.key, read_answer(again, other))
    assert all(there[key] == answers[key] for key in answers if key != again.key)
    back = there.with_answer(again.key, answers[again.key])
    assert instance_manifest(interview, back) == before


@FEW
@given(definitions(), st.data())
def test_the_questions_are_the_same_backwards(checked: CheckedDefinition, data: st.DataObject) -> None:
    interview = interview_of(checked)
    answers = interviewed(data, interview)
    asked = [question.key for question in interview.questions(answers) if question.is_asked]
    back, question = [asked[-1]], interview.before(asked[-1], answers)
    while question is not None:
        back.append(question.key)
        question = interview.before(question.key, answers)
    assert back[::-1] == asked


@st.composite
def existing(draw: st.DrawFn) -> tuple[CheckedDefinition, Interview]:
    """Draw a connection that somebody has written by hand, with whatever valid configuration."""
    checked = draw(definitions())
    assert checked.spec is not None
    template = draw(st.sampled_from([None, *(each.name for each in checked.spec.templates)]))
    spec: dict[str, Any] = {
        "definitionRef": {"name": "acme"},
        "config": draw(configs(checked.spec.config_schema)),
        "auth": {"method": "key", "secretRef": {"name": "stored"}},
        "description": "Not asked for, and kept.",
        "suspend": True,
    }
    if template is not None:
        spec["template"] = template
    return checked, interview_of(checked, connection(spec))


@MANY
@given(existing())
def test_an_edit_without_changes_changes_nothing(case: tuple[CheckedDefinition, Interview]) -> None:
    _, interview = case
    assert interview.current is not None
    stands = copy.deepcopy(interview.current.spec)
    answers = answers_of(interview, interview.current)
    assert edited(interview, answers, answers) == stands
    assert interview.current.spec == stands


@MANY
@given(existing(), st.data())
def test_an_edit_writes_one_field_and_leaves_the_others_as_they_stand(
    case: tuple[CheckedDefinition, Interview], data: st.DataObject
) -> None:
    checked, interview = case
    assert interview.current is not None
    before = answers_of(interview, interview.current)
    asked = [
        question
        for question in interview.questions(before)
        if question.key.startswith("config.") and question.is_asked
    ]
    if not asked:
        return
    question = data.draw(st.sampled_from(asked))
    text = data.draw(typed_answers(question, interview.spec.config_schema))
    answers = before.with_answer(question.key, read_answer(question, text))
    after = edited(interview, before, answers)
    field = question.key.removeprefix("config.").split(".")[0].split("(")[0]
    stands = interview.current.spec
    assert {**after, "config": {}} == {**stands, "config": {}}
    kept = {name: value for name, value in stands["config"].items() if name != field}
    assert {name: value for name, value in after.get("config", {}).items() if name != field} == kept
    template = interview.template(answers)
    preset = template.config if template else {}
    wanted = interview.validator.effective(interview.form(answers).own(answers), preset)
    assert interview.validator.effective(after.get("config", {}), preset).get(field) == wanted.get(field)
    if not interview.problems(answers):
        raw = {"metadata": {"name": "mine", "namespace": "shop"}, "spec": after}
        assert gates_of(raw, checked).passed is not None


@MANY
@given(definitions(), st.data())
def test_what_a_value_is_typed_as_gives_that_value_back(
    checked: CheckedDefinition, data: st.DataObject
) -> None:
    interview = interview_of(checked)
    answers = interviewed(data, interview)
    for question in interview.questions(answers):
        value = answers.get(question.key)
        if value is not None and not question.secret:
            assert read_answer(question, typed(question, value)) == value


def test_no_answer_stands_in_the_repr() -> None:
    assert "hidden" not in repr(Answers({"secret.key.apiKey": "hidden"}))
