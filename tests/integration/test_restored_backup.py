"""An API server that is put back from a backup counts its versions from there again, and the operator follows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from integration_hub.devcluster import ControlPlane
from support.instances import Api, account, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster


def test_what_is_changed_after_a_backup_was_restored_is_seen_although_its_version_is_older(
    spare_cluster: ControlPlane,
    spare_api: Api,
    start_operator: Callable[..., OperatorProcess],
    target: TargetServer,
    tmp_path: Path,
) -> None:
    api, acme = spare_api, definition("restored", target)
    kept, edited = (instance("restored", name, "restored") for name in ("kept", "edited"))
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "restored"}},
        acme, secret("restored"), kept, edited,
    )  # fmt: skip
    operator = start_operator()
    api.wait_for_all("restored", dict.fromkeys(("kept", "edited"), ("True", "Connected")))
    data = spare_cluster.home.root / "etcd"
    spare_cluster.down()
    shutil.copytree(data, tmp_path / "backup")
    spare_cluster.up()

    # What the backup knows nothing of: a later state of the instance, and many versions in between.
    for number in range(30):
        edited["spec"]["description"] = f"Edition {number}"
        api.apply(edited)
    moves_to(api, edited, "later")
    spare_cluster.down()
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "backup", data)
    spare_cluster.up()

    moves_to(api, edited, "anew")
    # Secrets and definitions are heard of, too.
    api.apply(secret("restored", apiKey="wrong"))
    api.wait_for_all("restored", dict.fromkeys(("kept", "edited"), ("False", "CredentialsRejected")))
    acme["spec"]["configSchema"] = {"type": "object", "if": {}}
    api.apply(acme)
    api.wait_for_all("restored", dict.fromkeys(("kept", "edited"), ("False", "DefinitionInvalid")))
    assert "taken as restored" in operator.log.read_text()
    api.delete(kept, edited, acme)


def moves_to(api: Api, obj: dict[str, object], place: str) -> None:
    """Give the instance another account, and wait until its status tells who it is connected as there."""
    spec = obj["spec"]
    assert isinstance(spec, dict)
    spec["config"]["account"] = account("restored", place)
    api.apply(obj)
    wait_until(
        lambda: api.get(obj)["status"].get("identity"),
        lambda identity: identity == f"{account('restored', place)}@acme.example",
        f"the move to '{place}' is seen",
    )
