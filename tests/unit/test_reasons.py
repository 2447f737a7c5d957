"""The table of reasons is complete, and the pages that are made of it say what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from integration_hub.model import conditions as c
from integration_hub.model.reasons import (
    COULD_NOT_TELL,
    DEAD_CREDENTIALS,
    REASONS,
    SELECTABLE,
    TOKEN_SELECTABLE,
    Course,
    Reason,
    info,
    reason_problem,
    token_reason_problem,
)
from integration_hub.probe.diagnosis_table import TABLE

ROOT = Path(__file__).parents[2]
TOOL, PAGE = ROOT / "tools" / "generate_docs.py", ROOT / "docs" / "conditions.md"
TROUBLE = ROOT / "docs" / "troubleshooting.md"
TYPES = {c.READY, c.RECONCILING, c.STALLED, c.DELIVERED, *c.DOMAIN_CONDITIONS}

TELL_OF_THE_CONNECTION = {
    Reason.HOST_NOT_FOUND,
    Reason.CONNECTION_REFUSED,
    Reason.HOST_UNREACHABLE,
    Reason.CONNECT_TIMEOUT,
    Reason.TLS_NOT_YET_VALID,
    Reason.TLS_TIMEOUT,
    Reason.TLS_FAILED,
    Reason.RESPONSE_TIMEOUT,
    Reason.CONNECTION_LOST,
    Reason.TOKEN_ENDPOINT_UNAVAILABLE,
    Reason.RESPONSE_TRUNCATED,
    Reason.REQUEST_TIMEOUT,
    Reason.CONFLICT,
    Reason.SERVER_ERROR,
    Reason.GATEWAY_ERROR,
    Reason.SERVICE_UNAVAILABLE,
    Reason.JSON_TRUNCATED,
}
"""May pass by themselves, and say nevertheless that the connection does not work now."""

MAY_BE_ASKED_AGAIN = {
    Reason.CREDENTIAL_UNPROVEN,
    Reason.CLOCK_SKEW,
    Reason.CLIENT_ADDRESS_BLOCKED,
    Reason.TOKEN_REQUEST_REJECTED,
    Reason.TOKEN_ENDPOINT_NOT_FOUND,
    Reason.TOKEN_ANSWER_INVALID,
}
"""Stand at Authenticated and wait for a person, though not because of the credential: no account is locked by it."""

every_reason = pytest.mark.parametrize("reason", list(Reason))


class TestTable:
    def test_has_a_row_for_every_reason_and_no_other(self) -> None:
        assert set(REASONS) == set(Reason)

    @every_reason
    def test_every_row_names_known_conditions(self, reason: Reason) -> None:
        assert REASONS[reason].conditions
        assert set(REASONS[reason].conditions) <= TYPES

    @every_reason
    def test_a_reason_is_one_camel_case_word(self, reason: Reason) -> None:
        # The API server's own pattern for reasons of metav1.Condition allows more; people read words.
        assert re.fullmatch(r"[A-Z][A-Za-z]{2,40}", reason)

    @every_reason
    def test_every_row_says_a_whole_sentence(self, reason: Reason) -> None:
        assert re.fullmatch(r"[A-Zs].{10,250}\.", REASONS[reason].meaning)

    @every_reason
    def test_whoever_must_act_is_told_what_to_do(self, reason: Reason) -> None:
        row = REASONS[reason]
        needed = row.course in {Course.STALLED, Course.WAITING, Course.PAUSED, Course.RETRYING}
        assert bool(row.remedy) == (needed and reason is not Reason.RETRYING)

    @every_reason
    def test_the_value_is_the_name_in_camel_case(self, reason: Reason) -> None:
        assert reason.name.replace("_", "").lower() == reason.value.lower()

    def test_is_asked_by_value(self) -> None:
        assert info("SecretNotFound").course is Course.WAITING

    def test_every_domain_condition_has_a_good_reason(self) -> None:
        good = {t for row in REASONS.values() if row.course is Course.GOOD for t in row.conditions}
        assert good == {*c.DOMAIN_CONDITIONS, c.DELIVERED, c.READY}

    def test_whoever_tests_can_end_with_many_distinct_reasons(self) -> None:
        assert len(SELECTABLE) >= 40
        assert all(len(REASONS[reason].conditions) == 1 for reason in SELECTABLE)

    def test_what_could_not_be_told_is_tried_again(self) -> None:
        assert COULD_NOT_TELL <= SELECTABLE
        assert {REASONS[reason].course for reason in COULD_NOT_TELL} == {Course.RETRYING}

    def test_of_what_is_tried_again_each_reason_is_said_to_tell_something_or_not(self) -> None:
        retried = {reason for reason in SELECTABLE if REASONS[reason].course is Course.RETRYING}
        assert not COULD_NOT_TELL & TELL_OF_THE_CONNECTION
        assert retried == COULD_NOT_TELL | TELL_OF_THE_CONNECTION

    def test_of_what_waits_at_authenticated_each_reason_is_said_to_be_of_a_dead_credential_or_not(
        self,
    ) -> None:
        waiting = {
            reason
            for reason in SELECTABLE
            if REASONS[reason].course is Course.STALLED and REASONS[reason].conditions == (c.AUTHENTICATED,)
        }
        assert not DEAD_CREDENTIALS & MAY_BE_ASKED_AGAIN
        assert waiting == DEAD_CREDENTIALS | MAY_BE_ASKED_AGAIN

    def test_credentials_that_are_dead_wait_for_a_person(self) -> None:
        assert DEAD_CREDENTIALS <= SELECTABLE
        assert {REASONS[reason].conditions for reason in DEAD_CREDENTIALS} == {(c.AUTHENTICATED,)}
        assert {REASONS[reason].course for reason in DEAD_CREDENTIALS} == {Course.STALLED}

    def test_no_two_reasons_say_the_same(self) -> None:
        meanings = [row.meaning for row in REASONS.values()]
        assert len(set(meanings)) == len(meanings)


def test_who_connects_is_advised_first_and_who_wrote_the_definition_last() -> None:
    advice = REASONS[Reason.CREDENTIAL_UNPROVEN].remedy
    assert advice.startswith("Have the system protected.")
    assert advice.index("sends no credential") < advice.index("the definition's author")


class TestChoice:
    """Of a reason by a definition's failure rule."""

    @pytest.mark.parametrize("reason", sorted(SELECTABLE))
    def test_what_a_test_can_end_with_may_be_named(self, reason: Reason) -> None:
        assert reason_problem(reason.value) is None

    @pytest.mark.parametrize("reason", sorted(set(Reason) - SELECTABLE))
    def test_what_no_test_can_end_with_may_not(self, reason: Reason) -> None:
        problem = reason_problem(reason.value)
        assert problem is not None
        assert "no reason that a test can end with" in problem

    def test_a_slip_is_corrected(self) -> None:
        assert reason_problem("CredentialRejected") == (
            "'CredentialRejected' is no reason; did you mean 'CredentialsRejected'?"
        )

    def test_what_is_like_nothing_is_told_where_to_look(self) -> None:
        assert reason_problem("Xyz") == "'Xyz' is no reason; docs/troubleshooting.md lists those there are"


class TestChoiceAtTokenURL:
    """Of a reason by a rule about refused requests for tokens."""

    def test_all_are_reasons_of_an_answer(self) -> None:
        assert TOKEN_SELECTABLE < SELECTABLE
        assert all(REASONS[reason].conditions != (c.REACHABLE,) for reason in TOKEN_SELECTABLE)

    @pytest.mark.parametrize("reason", sorted(TOKEN_SELECTABLE))
    def test_what_a_token_request_can_end_with_may_be_named(self, reason: Reason) -> None:
        assert token_reason_problem(reason.value) is None

    @pytest.mark.parametrize("reason", sorted(set(Reason) - TOKEN_SELECTABLE))
    def test_what_it_cannot_is_refused_with_the_list(self, reason: Reason) -> None:
        problem = token_reason_problem(reason.value)
        assert problem is not None
        assert problem.startswith(
            f"'{reason}' is no reason that a request for a token can end with; there are "
        )
        assert all(known in problem for known in TOKEN_SELECTABLE)

    def test_a_slip_is_corrected(self) -> None:
        assert token_reason_problem("CredentialExpired") == (
            "'CredentialExpired' is no reason; did you mean 'CredentialsExpired'?"
        )

    def test_they_stand_where_no_other_test_is_made(self) -> None:
        # Elsewhere the others would stay due, and be tried at once, again and again, in vain.
        assert {REASONS[reason].conditions for reason in TOKEN_SELECTABLE} == {(c.AUTHENTICATED,)}

    def test_the_documentation_lists_them(self) -> None:
        text = (ROOT / "docs" / "definition-format.md").read_text(encoding="utf-8")
        chapter = text.partition("### Refused requests for tokens\n")[2].partition("\n- A rule tells")[0]
        listed = chapter.partition("can end with:")[2].partition(". It decides")[0]
        assert set(re.findall(r"`(\w+)`", listed)) == set(TOKEN_SELECTABLE)


class TestPage:
    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, TOOL, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(ROOT / "operator")},
        )

    def test_is_up_to_date(self) -> None:
        done = self.check("--check")
        assert (done.returncode, done.stderr) == (0, "")

    def test_what_differs_is_named(self, tmp_path: Path) -> None:
        page = tmp_path / "conditions.md"
        page.write_text(PAGE.read_text(encoding="utf-8").replace("Stalled", "Stuck", 1), encoding="utf-8")
        done = self.check("--check", "--folder", str(tmp_path))
        assert done.returncode == 1
        assert f"{page} differs from the tables: run 'make generate'\n" in done.stderr

    def test_what_is_missing_is_named(self, tmp_path: Path) -> None:
        done = self.check("--check", "--folder", str(tmp_path))
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            f"{tmp_path / name} is missing: run 'make generate'"
            for name in ("conditions.md", "troubleshooting.md")
        ]

    def test_what_is_written_passes_the_check(self, tmp_path: Path) -> None:
        assert self.check("--folder", str(tmp_path)).returncode == 0
        assert self.check("--check", "--folder", str(tmp_path)).returncode == 0

    @every_reason
    def test_has_every_reason_in_the_table_of_its_conditions(self, reason: Reason) -> None:
        sections = dict(
            re.findall(
                r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
            )
        )
        for type_ in REASONS[reason].conditions:
            assert re.search(rf"^\| \[?`{reason}`", sections[type_], re.MULTILINE)

    def test_no_cell_breaks_its_table(self) -> None:
        rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}

    @every_reason
    def test_trouble_has_a_section_that_says_what_to_do(self, reason: Reason) -> None:
        sections = dict(
            re.findall(
                r"^### (\w+)\n(.*?)(?=^##|\Z)", TROUBLE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
            )
        )
        if REASONS[reason].course is Course.GOOD:
            assert reason not in sections
            return
        section = sections[reason]
        assert REASONS[reason].meaning in section
        assert REASONS[reason].remedy in section
        assert f"(troubleshooting.md#{reason.lower()})" in PAGE.read_text(encoding="utf-8")
        for row in TABLE:
            assert (row.when in section) == (row.reason is reason)
