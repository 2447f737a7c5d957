"""What TAB offers after `hub` and `kubectl hub`: asked with a real bash and kubectl, against a real API server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from support.hub_command import Hub, user_kubeconfig
from support.instances import Api, Object, definition, instance
from support.target_server import TargetServer

pytestmark = pytest.mark.cluster

SCRIPTS = Path(sys.executable).parent
"""Where `hub`, `kubectl-hub` and `kubectl_complete-hub` are installed."""


@pytest.fixture
def two(api: Api, namespace: str, target: TargetServer) -> list[Object]:
    """Two instances and a definition."""
    saved = [{"name": "orders", "request": {"path": "/orders"}}]
    return api.apply(
        definition(namespace, target),
        instance(namespace, "billing", namespace, tests=saved),
        instance(namespace, "crm", namespace),
    )


def environment(hub: Hub) -> dict[str, str]:
    return hub.environment() | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}


def in_bash(hub: Hub, *words: str) -> list[str]:
    """Return what a bash offers that has read the script; the last word is where TAB is pressed."""
    bash = shutil.which("bash")
    assert bash is not None
    program = (
        "source <(hub completion bash)\n"
        "function=$(complete -p hub | sed -E 's/.* -F ([^ ]+) .*/\\1/')\n"
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
        '"$function" hub "${COMP_WORDS[$COMP_CWORD]}"\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        [bash, "--norc", "-c", program, "bash", "hub", *words],
        env=environment(hub), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout.split()


def of_kubectl(hub: Hub, cluster: ControlPlane, *words: str) -> list[str]:
    """Return what kubectl offers after `kubectl hub`; the last line is the directive."""
    done = subprocess.run(
        [*cluster.kubectl_command()[:2], "__complete", "hub", *words],
        env=environment(hub), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_bash_is_offered_commands_and_names_of_the_cluster(
    hub: Hub, namespace: str, two: list[Object]
) -> None:
    assert in_bash(hub, "sta") == ["status"]
    assert in_bash(hub, "status", "") == ["billing", "crm"]
    assert in_bash(hub, "status", "bi") == ["billing"]
    assert in_bash(hub, "get", "billing", "") == ["crm"]
    assert namespace in in_bash(hub, "get", "definitions", "")
    assert {namespace, "stripe"} <= set(in_bash(hub, "connect", ""))
    assert in_bash(hub, "status", "-n", namespace) == [namespace]
    assert in_bash(hub, "get", "-o", "j") == ["json", "jsonpath="]
    assert in_bash(hub, "explain", "hostnotf") == ["HostNotFound"]
    assert "orders" in in_bash(hub, "test", "billing", "--test", "")
    assert {namespace, "instance/billing"} <= set(in_bash(hub, "usage", ""))
    assert {"billing", "crm", f"definition/{namespace}"} <= set(in_bash(hub, "export", ""))
    assert in_bash(hub, "export", "billing", "iinst/") == ["iinst/crm"]
    assert in_bash(hub, "status", "iinst/b") == ["iinst/billing"]


def test_kubectl_offers_the_same_after_its_plugin(
    hub: Hub, cluster: ControlPlane, namespace: str, two: list[Object]
) -> None:
    assert of_kubectl(hub, cluster, "status", "") == ["billing", "crm", ":4"]
    offered = of_kubectl(hub, cluster, "sus")
    assert offered == ["suspend\tLet no tests of an instance be made.", ":4"]
    assert of_kubectl(hub, cluster, "status", "-n", namespace) == [namespace, ":4"]
    assert of_kubectl(hub, cluster, "diff", "-f", "") == [":0"]


@pytest.mark.parametrize("kubeconfig", ["missing", "broken", "unreachable"])
def test_nothing_is_offered_and_nothing_is_said_where_the_cluster_cannot_be_asked(
    control_plane: ControlPlaneInfo, tmp_path: Path, kubeconfig: str
) -> None:
    file = tmp_path / kubeconfig
    if kubeconfig == "broken":
        file.write_text("{")
    if kubeconfig == "unreachable":
        user_kubeconfig(file, server="https://127.0.0.1:1", ca_file=control_plane.ca_file, token="x")
    hub = Hub(tmp_path, file)
    assert in_bash(hub, "status", "") == []
    done = subprocess.run(
        [SCRIPTS / "kubectl_complete-hub", "status", ""],
        env=environment(hub), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (":4\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_one_that_it_can_read(tmp_path: Path, shell: str) -> None:
    ran = Hub(tmp_path, None).run("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_HUB_COMPLETE={shell}_complete" in ran.out
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=ran.out, text=True, check=True)


def test_a_shell_that_is_not_known_is_refused_with_those_that_are(tmp_path: Path) -> None:
    ran = Hub(tmp_path, None).run("completion", "tcsh")
    assert ran.code == 2
    assert "'bash', 'zsh', 'fish'" in ran.err
