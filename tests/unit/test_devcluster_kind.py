"""`--kind`, against programs of our making that keep their clusters in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from integration_hub.devcluster.errors import KindError, NotRunningError
from integration_hub.devcluster.files import try_lock
from integration_hub.devcluster.kind import KindCluster, cluster_name
from integration_hub.devcluster.paths import default_home
from integration_hub.devcluster.state import load_state

KUBECONFIG = yaml.safe_dump(
    {"clusters": [{"cluster": {"server": "https://127.0.0.1:5", "certificate-authority-data": "Y2E="}}]}
)

FAKE_KIND = """#!/bin/sh
list={folder}/clusters
case "$1 $2" in
  "get clusters") cat "$list" ;;
  "create cluster") cp {folder}/answer "$6"; echo "$8" > "$list" ;;
  "export kubeconfig") cp {folder}/answer "$4" ;;
  "delete cluster") : > "$list" ;;
  *) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "clusters").touch()
    (folder / "answer").write_text(KUBECONFIG)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    install(folder, "docker", "#!/bin/sh\nexit 0\n")
    install(folder, "kind", FAKE_KIND.format(folder=folder))
    install(folder, "kubectl", "#!/bin/sh\nexit 0\n")
    return folder


def install(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def cluster(tmp_path: Path) -> KindCluster:
    return KindCluster(tmp_path / "home")


def silent(_progress: object) -> None:
    pass


def test_a_cluster_is_made_found_and_deleted(cluster: KindCluster, programs: Path) -> None:
    info = cluster.up(silent)
    assert (info.started, info.server) == (True, "https://127.0.0.1:5")
    assert info.ca_file.read_bytes() == b"ca"
    assert load_state(cluster.home.state).kind == cluster.name
    assert cluster.up(silent).started is False
    assert cluster.status().running
    assert cluster.kubectl_program() == [str(programs / "kubectl")]
    assert cluster.down(purge=True)
    assert not cluster.home.root.exists()
    assert not cluster.status().running
    assert not cluster.down()


def test_a_missing_program_is_named(
    cluster: KindCluster, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs))
    for name in ("kind", "docker"):
        (programs / name).unlink()
        with pytest.raises(KindError, match=f"needs {name}, which is not on PATH") as caught:
            cluster.up(silent)
        assert "leave out --kind" in caught.value.remedy


def test_a_docker_that_does_not_answer_is_said_to(cluster: KindCluster, programs: Path) -> None:
    install(programs, "docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    with pytest.raises(KindError, match="Cannot connect to the Docker daemon") as caught:
        cluster.up(silent)
    assert "Start Docker" in caught.value.remedy


def test_it_does_not_take_the_folder_of_a_running_control_plane(cluster: KindCluster, programs: Path) -> None:
    cluster.home.root.mkdir()
    held = try_lock(cluster.home.lock)
    assert held is not None
    with pytest.raises(KindError, match="embedded control plane is running"):
        cluster.up(silent)


def test_without_a_cluster_there_is_no_kubectl(cluster: KindCluster) -> None:
    with pytest.raises(NotRunningError, match="hub dev up --kind"):
        cluster.kubectl_program()


def test_each_folder_has_a_cluster_of_its_own(tmp_path: Path) -> None:
    assert cluster_name(default_home({})) == "integration-hub-dev"
    assert cluster_name(tmp_path / "a") != cluster_name(tmp_path / "b")
