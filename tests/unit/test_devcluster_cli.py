"""`hub dev` in words and exit codes, without a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from integration_hub.cli.dev import dev


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HUB_DEV_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dev, arguments)


def test_a_stopped_cluster_has_a_status(home: Path) -> None:
    result = run("status")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].split() == ["Status:", "stopped"]
    assert str(home / "server.log") in result.stdout
    as_json = run("status", "-o", "json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["running"] is False
    assert run("status", "-o", "jsonpath={.running}").stdout == "false"
    assert "running: false" in run("status", "-o", "yaml").stdout.splitlines()
    assert run("status", "-o", "text").stdout == result.stdout
    assert not home.exists(), "asking creates nothing"


def test_stopping_what_does_not_run_is_no_error(home: Path) -> None:
    home.mkdir()
    (home / "state.json").write_text("{}")
    assert run("down").exit_code == 0
    assert "was not running" in run("down").stdout
    assert "data are removed" in run("down", "--purge").stdout
    assert not home.exists()


def test_where_there_is_no_cluster_nothing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "kubeconfig").write_text("somebody's own")
    result = run("down", "--purge", "--home", str(tmp_path))
    assert result.exit_code == 0
    assert f"no development cluster in {tmp_path}" in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kubeconfig", "pki"]


@pytest.mark.parametrize("command", [["kubectl", "get", "pods"], ["kubeconfig"], ["kubeconfig", "--raw"]])
def test_before_the_first_start_the_next_step_is_said(home: Path, command: list[str]) -> None:
    result = run(*command)
    assert result.exit_code == 1
    assert "Start it with `hub dev up`" in result.stderr


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    mode = tmp_path.stat().st_mode
    result = run("up", "--home", str(tmp_path))
    assert result.exit_code == 1
    assert "is not empty" in result.stderr
    assert tmp_path.stat().st_mode == mode


def test_bad_assets_are_an_error_before_anything_happens(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/nonexistent")
    result = run("up")
    assert result.exit_code == 1
    assert "KUBEBUILDER_ASSETS is /nonexistent" in result.stderr
    assert not home.exists()


def test_everything_behind_kubectl_is_passed_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "kubeconfig").touch()
    (home / "state.json").write_text(
        json.dumps({"port": 1, "kubectl": ["/bin/k", "kubectl"], "controllers": True, "kind": ""})
    )
    monkeypatch.setenv("KUBECONFIG", "/home/somebody/.kube/config")
    called: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr("os.execve", lambda *arguments: called.append(arguments))
    words = ["get", "pods", "-o", "json", "--help", "--home=x", "--", "-v"]
    run("kubectl", *words)
    run("kubectl", "--help")
    run("kubectl", "-n", "x", "get", "pods")
    assert [arguments[2:] for _, arguments, _ in called] == [words, ["--help"], ["-n", "x", "get", "pods"]]
    program, arguments, environment = called[0]
    assert (program, arguments[:2]) == ("/bin/k", ["/bin/k", "kubectl"])
    assert environment["KUBECONFIG"] == str(home / "kubeconfig")
    assert environment["KUBECACHEDIR"] == str(home / "kubectl-cache")


def test_the_commands_load_no_operator() -> None:
    heavy = "{'kopf', 'kubernetes', 'aiohttp', 'pydantic'}"
    code = f"import sys, integration_hub.cli.dev; sys.exit(bool({heavy} & set(sys.modules)))"
    path = str(Path(__file__).parents[2] / "operator")
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=False).returncode == 0
