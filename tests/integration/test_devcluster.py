"""The embedded control plane does what a cluster does, and survives what a laptop does to it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from integration_hub.devcluster import ControlPlane, ControlPlaneInfo, ProgressPrinter, ensure_binary
from integration_hub.devcluster.paths import cache_folder

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]  # the first start may include the build

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets, singular: widget}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""

OPERATOR_FOLDER = Path(__file__).parents[2] / "operator"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ProgressPrinter(sys.stderr) as progress:
        ensure_binary(progress)
    plane = ControlPlane(tmp_path_factory.mktemp("cluster") / "home")
    yield plane
    plane.down(purge=True)


@pytest.fixture
def info(plane: ControlPlane) -> ControlPlaneInfo:
    """Whatever the test before did to it, it runs again."""
    return plane.up()


def kubectl(plane: ControlPlane, *arguments: str, stdin: str | None = None) -> str:
    answer = subprocess.run(
        [*plane.kubectl_command(), *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def get(plane: ControlPlane, *arguments: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(kubectl(plane, "get", *arguments, "-o", "json"))
    return content


def hub_dev(plane: ControlPlane, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from integration_hub.cli.dev import dev; dev(prog_name='hub dev')",
            *arguments,
        ],
        env=os.environ
        | {"PYTHONPATH": str(OPERATOR_FOLDER), "HUB_DEV_HOME": str(plane.home.root)}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_client_and_server_are_the_version_that_go_mod_names(
    plane: ControlPlane, info: ControlPlaneInfo
) -> None:
    versions = json.loads(kubectl(plane, "version", "-o", "json"))
    assert versions["clientVersion"]["gitVersion"] == versions["serverVersion"]["gitVersion"] == "v1.36.3"
    assert plane.status().version == "v1.36.3"


def test_a_deleted_namespace_goes_with_all_that_is_in_it(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    kubectl(plane, "create", "namespace", "passing")
    kubectl(plane, "-n", "passing", "create", "configmap", "inside")
    kubectl(plane, "delete", "namespace", "passing", "--timeout=60s")
    names = [item["metadata"]["name"] for item in get(plane, "namespaces")["items"]]
    assert "passing" not in names


def test_what_a_custom_resource_owns_goes_with_it(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    kubectl(plane, "apply", "-f", "-", stdin=WIDGETS)
    kubectl(plane, "wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=60s")

    def widget(name: str, **metadata: Any) -> str:
        return json.dumps(
            {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name} | metadata}
        )

    kubectl(plane, "apply", "-f", "-", stdin=widget("owner"))
    uid = get(plane, "widget", "owner")["metadata"]["uid"]
    reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "owner", "uid": uid}
    kubectl(plane, "apply", "-f", "-", stdin=widget("dependent", ownerReferences=[reference]))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "owned", "ownerReferences": [reference]},
    }
    kubectl(plane, "apply", "-f", "-", stdin=json.dumps(secret))

    kubectl(plane, "delete", "widget", "owner")
    kubectl(plane, "wait", "--for=delete", "widget/dependent", "secret/owned", "--timeout=90s")


def test_a_service_account_secret_is_filled_and_its_token_logs_in(
    plane: ControlPlane, info: ControlPlaneInfo
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "default-token",
            "annotations": {"kubernetes.io/service-account.name": "default"},
        },
    }
    kubectl(plane, "apply", "-f", "-", stdin=json.dumps(secret))
    kubectl(plane, "wait", "--for=jsonpath={.data.token}", "secret/default-token", "--timeout=60s")
    encoded = get(plane, "secret", "default-token")["data"]
    assert set(encoded) == {"token", "ca.crt", "namespace"}
    template = "go-template={{.data.token | base64decode}}"
    token = kubectl(plane, "get", "secret", "default-token", "-o", template)
    assert whoami(plane, token) == "system:serviceaccount:default:default"


def test_a_requested_token_logs_in(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    kubectl(plane, "create", "serviceaccount", "robot")
    token = kubectl(plane, "create", "token", "robot").strip()
    assert whoami(plane, token) == "system:serviceaccount:default:robot"


def whoami(plane: ControlPlane, token: str) -> str:
    # Without the administrator's certificate, which would win over the token.
    review = json.loads(
        kubectl(
            plane,
            "--kubeconfig=/dev/null",
            f"--server={plane.status().server}",
            f"--certificate-authority={plane.home.ca_file}",
            f"--token={token}",
            "auth",
            "whoami",
            "-o",
            "json",
        )
    )
    assert review["kind"] == "SelfSubjectReview"
    return str(review["status"]["userInfo"]["username"])


def test_a_service_account_may_do_only_what_rbac_grants(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    kubectl(plane, "create", "namespace", "guarded")
    kubectl(plane, "-n", "guarded", "create", "serviceaccount", "reader")
    account = "--as=system:serviceaccount:guarded:reader"
    can_list = ("auth", "can-i", "list", "configmaps", "-n", "guarded", account)
    refused = subprocess.run(
        [*plane.kubectl_command(), *can_list], capture_output=True, text=True, check=False
    )
    assert refused.stdout.strip() == "no"
    # The aggregated role `view` holds its rules only because a controller collects them.
    binding = ("create", "rolebinding", "readers", "--clusterrole=view", "--serviceaccount=guarded:reader")
    kubectl(plane, "-n", "guarded", *binding)
    assert kubectl(plane, *can_list).strip() == "yes"


def test_data_outlive_a_stop(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    kubectl(plane, "create", "configmap", "kept")
    assert plane.down()
    assert not plane.status().running
    again = plane.up()
    assert again.started
    assert again.server == info.server, "a kubeconfig that was handed out must stay valid"
    assert get(plane, "configmap", "kept")["metadata"]["name"] == "kept"


def test_data_outlive_a_crash(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    kubectl(plane, "create", "configmap", "written-before-the-crash")
    plane.kill()
    assert not plane.status().running
    assert plane.home.lock.read_text().strip() == str(info.pid), "the crashed server's number is still there"
    assert plane.up().pid != info.pid
    assert get(plane, "configmap", "written-before-the-crash")


def test_a_stop_does_not_wait_for_watchers(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    watch = [*plane.kubectl_command(), "get", "namespaces", "--watch", "-o", "name"]
    with subprocess.Popen(watch, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watcher:
        assert watcher.stdout is not None
        watcher.stdout.readline()  # it is connected
        assert plane.down()
        watcher.terminate()
    assert "panic" not in plane.home.log.read_text()


def test_starting_twice_changes_nothing(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    again = plane.up()
    assert (again.started, again.pid, again.server) == (False, info.pid, info.server)


def test_of_many_who_start_it_at_once_one_does(plane: ControlPlane) -> None:
    plane.down()
    with ThreadPoolExecutor(max_workers=4) as pool:
        infos = list(pool.map(lambda _: ControlPlane(plane.home.root).up(), range(4)))
    assert len({info.pid for info in infos}) == 1
    assert sum(info.started for info in infos) == 1


def test_a_taken_port_is_replaced_and_the_kubeconfig_follows(
    plane: ControlPlane, info: ControlPlaneInfo
) -> None:
    plane.down()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int(info.server.rpartition(":")[2])))
        squatter.listen()
        moved = plane.up()
    assert moved.server != info.server
    assert moved.server in moved.kubeconfig.read_text()
    kubectl(plane, "get", "namespaces")


def test_a_foreign_process_with_the_old_number_is_left_alone(plane: ControlPlane) -> None:
    plane.down()
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as bystander:
        try:
            plane.home.lock.write_text(f"{bystander.pid}\n")
            assert not plane.status().running
            assert not plane.down()
            plane.kill()
            assert plane.up().pid != bystander.pid
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_damaged_certificate_is_made_anew(plane: ControlPlane) -> None:
    plane.down()
    (plane.home.pki / "server.crt").write_text("no certificate")
    plane.up()
    kubectl(plane, "get", "namespaces")


def test_it_listens_on_loopback_only(info: ControlPlaneInfo) -> None:
    links = [link.readlink().name for link in Path(f"/proc/{info.pid}/fd").iterdir() if link.is_symlink()]
    inodes = {name.removeprefix("socket:[").removesuffix("]") for name in links if name.startswith("socket:")}
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        path = Path(f"/proc/{info.pid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            connected = table.startswith("tcp") and fields[3] != "0A"
            if fields[9] in inodes and not connected:
                listening.append((table, fields[1]))
    port = int(info.server.rpartition(":")[2])
    assert listening == [("tcp", f"0100007F:{port:04X}")]


def test_nobody_else_may_read_its_folder(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    assert plane.home.root.stat().st_mode & 0o777 == 0o700
    readable = [
        path for path in plane.home.root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o007
    ]
    assert readable == []
    assert plane.home.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_anonymous_requests_are_refused(info: ControlPlaneInfo) -> None:
    trust = ssl.create_default_context(cafile=str(info.ca_file))
    connection = http.client.HTTPSConnection(info.server.removeprefix("https://"), context=trust, timeout=10)
    try:
        connection.request("GET", "/version")
        assert connection.getresponse().status == http.client.UNAUTHORIZED
    finally:
        connection.close()


def test_the_users_own_kubeconfig_is_never_touched(plane: ControlPlane, tmp_path: Path) -> None:
    theirs = {
        tmp_path / ".kube" / "config": b"current-context: production\n",
        tmp_path / "other": b"kind: x\n",
    }
    for path, content in theirs.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    environment = {
        "HOME": str(tmp_path),
        "KUBECONFIG": str(tmp_path / "other"),
        "XDG_CACHE_HOME": str(cache_folder().parent),
    }
    plane.down()
    for command in (
        ("up",),
        ("kubectl", "get", "namespaces"),
        ("kubectl", "config", "set-context", "--current", "--namespace=kube-system"),
        ("down",),
        ("up",),
    ):
        answer = hub_dev(plane, *command, **environment)
        assert answer.returncode == 0, answer.stderr
    assert {path: path.read_bytes() for path in theirs} == theirs
    assert not (tmp_path / ".kube" / "cache").exists()
    namespace = kubectl(plane, "config", "view", "--minify", "-o", "jsonpath={..namespace}")
    assert namespace == "kube-system", "what a person set in our kubeconfig outlives a restart"
    kubectl(plane, "config", "set-context", "--current", "--namespace=default")


def test_commands_tell_how_it_went_by_their_exit_code(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    assert hub_dev(plane, "status").returncode == 0
    as_json = json.loads(hub_dev(plane, "status", "-o", "json").stdout)
    assert as_json["running"]
    assert as_json["pid"] == info.pid
    assert as_json["memory"] > 0
    assert hub_dev(plane, "kubectl", "get", "configmap", "absent").returncode == 1
    answer = hub_dev(plane, "kubectl", "get", "namespace", "default", "-o", "name")
    assert (answer.returncode, answer.stdout.strip()) == (0, "namespace/default")
    assert hub_dev(plane, "kubeconfig").stdout.strip() == str(info.kubeconfig)
    assert hub_dev(plane, "kubeconfig", "--raw").stdout == info.kubeconfig.read_text()
    assert hub_dev(plane, "down").returncode == 0
    assert hub_dev(plane, "down").returncode == 0
    assert hub_dev(plane, "status").returncode == 1


def test_a_purge_removes_the_cluster_and_nothing_else(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path / "short-lived")
    plane.up()
    (plane.home.root / "notes.txt").write_text("mine")
    assert plane.down(purge=True)
    assert [path.name for path in plane.home.root.iterdir()] == ["notes.txt"]


def test_no_thread_or_child_is_left_behind(plane: ControlPlane, info: ControlPlaneInfo) -> None:
    assert [thread for thread in threading.enumerate() if not thread.daemon] == [threading.main_thread()]
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    assert not children.exists() or str(info.pid) not in children.read_text().split()
