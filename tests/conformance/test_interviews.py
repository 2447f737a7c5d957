"""What the wizard makes of every definition of the catalog: each method, answered with what the vendor calls good."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from integration_hub.adapters import shipped
from integration_hub.catalog.loader import Raw, read_object
from integration_hub.catalog.vendor import Kind, Vendor
from integration_hub.catalog.vendor_rules import read_vendor
from integration_hub.forms.interview import Interview
from integration_hub.forms.keys import METHOD, NAME, SECRET_KEY, TEMPLATE
from integration_hub.forms.manifests import instance_manifest, secret_manifest
from integration_hub.forms.question import Answers, Question
from integration_hub.reconcile.admission import Verdict, verdict_on_instance
from integration_hub.reconcile.definition import CheckedDefinition, check_definition
from integration_hub.simulation.scene import Scene
from support.certificates import Authority
from support.form_schemas import interview_of

LONG_ENOUGH = 200
"""Questions that no definition has."""


def read(text: str | None) -> Raw:
    assert text is not None
    return read_object(text)


def vendor(name: str) -> Vendor:
    found = read_vendor(read(shipped.vendor_text(name)))
    assert isinstance(found, Vendor)
    return found


METHODS = [(name, method) for name in shipped.definition_ids() for method in vendor(name).methods]


def sign() -> tuple[str, str]:
    issued = Authority("Vendor").issue("client", for_server=False)
    return issued.chain, issued.key


def good_answers(name: str, method: str) -> dict[str, Any]:
    """Return what is answered to which question; to all others nothing is."""
    of = vendor(name)
    case = next(case for case in of.cases if case.kind is Kind.GOOD and method in (case.methods or [method]))
    scene = Scene(of, method, case, lambda: datetime.now(UTC), sign=sign)
    template = case.template or scene.method.template
    return {
        METHOD: method,
        NAME: "billing",
        **({TEMPLATE: template} if template else {}),
        **{f"config.{field}": value for field, value in scene.config().items()},
        **{f"{SECRET_KEY}{key}": value for key, value in scene.secret().items()},
    }


def interviewed(interview: Interview, wanted: dict[str, Any]) -> tuple[Answers, list[Question]]:
    """Answer one question after the other; return the answers and what was asked."""
    answers, asked = Answers(), list[Question]()
    question = interview.first(answers)
    while question is not None:
        assert len(asked) < LONG_ENOUGH
        asked.append(question)
        value = wanted.get(question.key)
        assert value is not None or not question.must_be_answered, question
        answers = answers.with_answer(question.key, value)
        question = interview.after(question.key, answers)
    # What is not asked in its turn can be answered afterwards, from the summary.
    for question in interview.questions(answers):
        if question.key in wanted and question.key not in answers:
            answers = answers.with_answer(question.key, wanted[question.key])
    return answers, asked


def checked(name: str) -> CheckedDefinition:
    return check_definition(read(shipped.definition_text(name)))


@pytest.mark.parametrize(("name", "method"), METHODS, ids=[" - ".join(pair) for pair in METHODS])
def test_good_answers_make_a_connection_that_the_operator_takes(name: str, method: str) -> None:
    definition = checked(name)
    interview, wanted = interview_of(definition), good_answers(name, method)
    answers, asked = interviewed(interview, wanted)
    keys = [question.key for question in asked]
    assert len(keys) == len(set(keys)), "a question is asked twice"
    assert interview.problems(answers) == []
    manifest = instance_manifest(interview, answers)
    assert verdict_on_instance(manifest, definition, datetime.now(UTC)) == Verdict()
    stored = secret_manifest(interview, answers)
    expected = {key.removeprefix(SECRET_KEY) for key in wanted if key.startswith(SECRET_KEY)}
    assert set((stored or {}).get("data", {})) == expected


@pytest.mark.parametrize(("name", "method"), METHODS, ids=[" - ".join(pair) for pair in METHODS])
def test_whoever_is_asked_is_told_what_is_meant_and_where_a_credential_is_found(
    name: str, method: str
) -> None:
    answers, asked = interviewed(interview_of(checked(name)), good_answers(name, method))
    assert answers.get(METHOD, method) == method
    for question in asked:
        assert question.title
        if question.key.startswith(("config.", SECRET_KEY)):
            assert question.help, f"{question.key} is asked without a word about it"
