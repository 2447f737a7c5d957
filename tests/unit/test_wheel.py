"""What is installed elsewhere: a wheel, built as for a release, whose commands find all that they need in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "integration_hub"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`run(*words)` runs `hub` out of the unpacked wheel, in a folder from which the repository is not seen."""
    site, elsewhere = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=elsewhere, env={**os.environ, "PYTHONPATH": str(site), "HOME": str(elsewhere)},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    where = run("-c", "import integration_hub; print(integration_hub.__file__)").stdout
    assert where.startswith(str(site)), where
    return run


def hub(run: Run, *words: str) -> str:
    done = run("-m", "integration_hub", *words)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_catalog_its_vendors_and_the_kinds_are_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    data = [
        file
        for file in PACKAGE.rglob("*")
        if file.suffix in {".yaml", ".jsonl", ".html", ".go", ".mod", ".sum"}
    ]
    assert len([file for file in data if file.parent.name == "definitions"]) > 40
    wanted = {str(file.relative_to(PACKAGE.parent)) for file in data}
    wanted |= {f"integration_hub/crds/{file.name}" for file in (ROOT / "crds").glob("*.yaml")}
    assert wanted - packed == set()


def test_it_brings_the_three_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        lines = archive.read(name).decode().splitlines()
    assert {line.partition(" = ")[0] for line in lines} >= {"hub", "kubectl-hub", "kubectl_complete-hub"}


def test_its_catalog_is_found_shown_played_and_exported(run: Run, tmp_path: Path) -> None:
    assert hub(run, "catalog", "search", "salesfroce", "-o", "name").splitlines()[0].endswith("salesforce")
    assert hub(run, "catalog", "show", "stripe").startswith("Stripe (stripe ")
    assert "as expected" in hub(run, "definition", "test", "stripe")
    hub(run, "catalog", "export", str(tmp_path), "--all")
    assert (tmp_path / "gitea.yaml").read_text() == (
        PACKAGE / "catalog" / "definitions" / "gitea.yaml"
    ).read_text()
