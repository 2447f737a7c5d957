"""The table of reasons is complete, and docs/conditions.md says what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from integration_hub.model import conditions as c
from integration_hub.model.reasons import REASONS, Course, Reason, info

ROOT = Path(__file__).parents[2]
TOOL, PAGE = ROOT / "tools" / "generate_docs.py", ROOT / "docs" / "conditions.md"
TYPES = {c.READY, c.RECONCILING, c.STALLED, *c.DOMAIN_CONDITIONS}

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
        assert good == {*c.DOMAIN_CONDITIONS, c.READY}


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
        assert done.stderr == f"{page} differs from the reasons: run 'make generate'\n"

    def test_what_is_missing_is_named(self, tmp_path: Path) -> None:
        done = self.check("--check", "--folder", str(tmp_path))
        assert done.returncode == 1
        assert done.stderr == f"{tmp_path / 'conditions.md'} is missing: run 'make generate'\n"

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
            assert f"| `{reason}` |" in sections[type_]

    def test_no_cell_breaks_its_table(self) -> None:
        rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
