"""Each file of tests/bad_manifests holds one mistake; the API server itself refuses it, with words that help.

A file begins with two comments: `# path:`, the field that the refusal must name, and `# expect:`, a part of
what it must say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds_installed")]

Kubectl = Callable[..., CompletedProcess[str]]

MANIFESTS = sorted((Path(__file__).parents[1] / "bad_manifests").glob("*.yaml"))
HEADER = re.compile(r"# path: (?P<path>.+)\n# expect: (?P<expect>.+)\n")

INCOMPLETE = "* <nil>: Invalid value: null: some validation rules were not checked"
"""What the API server adds when a mistake of structure kept it from running the CEL rules."""

INSTANCE = """
apiVersion: integrationhub.dev/v1alpha1
kind: IntegrationInstance
metadata: {name: acme-production}
spec:
  definitionRef: {name: acme}
  config: {region: eu}
  scope: {type: client, id: globex}
"""


def test_there_are_enough_of_both_kinds() -> None:
    kinds = [yaml.safe_load(path.read_text())["kind"] for path in MANIFESTS]
    assert kinds.count("IntegrationDefinition") >= 25
    assert kinds.count("IntegrationInstance") >= 25


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_the_api_server_refuses(manifest: Path, kubectl: Kubectl) -> None:
    header = HEADER.match(manifest.read_text())
    assert header, "the file must begin with '# path:' and '# expect:'"

    refused = kubectl("create", "--namespace=default", "-f", manifest, check=False)

    if refused.returncode == 0:
        kubectl("delete", "--namespace=default", "-f", manifest)
        pytest.fail("was accepted")
    assert header["expect"] in refused.stderr
    assert re.search(rf'[ "]{re.escape(header["path"])}[:"]', refused.stderr)
    complaints = [line for line in refused.stderr.splitlines() if line.startswith("* ")]
    own = (f"* {header['path']}: ", INCOMPLETE)
    assert [line for line in complaints if not line.startswith(own)] == [], "more than one mistake"


@pytest.mark.parametrize(
    ("change", "path", "expect"),
    [
        (
            {"definitionRef": {"name": "other"}},
            "spec.definitionRef",
            "cannot be changed: delete this instance",
        ),
        ({"definitionRef": None}, "spec.definitionRef", "Required value"),
        ({"scope": {"id": None}}, "spec.scope.id", "must be given for types 'client' and 'user'"),
        ({"scope": {"type": "global"}}, "spec.scope.id", "left out for 'global'"),
        ({"monitor": {"interval": "1s"}}, "spec.monitor.interval", "must be a duration between 10s and 168h"),
    ],
    ids=["another-definition", "no-definition", "client-loses-id", "global-keeps-id", "interval-too-short"],
)
def test_the_api_server_refuses_a_change(
    change: dict[str, object], path: str, expect: str, kubectl: Kubectl, namespace: str
) -> None:
    kubectl("create", f"--namespace={namespace}", "-f", "-", input=INSTANCE)
    patch = json.dumps({"spec": change})

    refused = kubectl(
        "patch",
        "iinst/acme-production",
        f"--namespace={namespace}",
        "--type=merge",
        f"--patch={patch}",
        check=False,
    )

    assert refused.returncode == 1
    assert f" {path}: " in refused.stderr
    assert expect in refused.stderr


def test_the_rest_of_an_instance_can_be_changed(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", f"--namespace={namespace}", "-f", "-", input=INSTANCE)
    changed = INSTANCE.replace("eu", "us").replace("globex", "initech") + "  suspend: true\n"
    kubectl("replace", f"--namespace={namespace}", "-f", "-", input=changed)


@pytest.mark.parametrize("field", ["lastTested", "nextTestTime", "updatedAt"])
def test_a_time_in_the_status_must_be_one(field: str, kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", f"--namespace={namespace}", "-f", "-", input=INSTANCE)
    patch = json.dumps({"status": {field: "yesterday"}})

    refused = kubectl(
        "patch",
        "iinst/acme-production",
        f"--namespace={namespace}",
        "--subresource=status",
        "--type=merge",
        f"--patch={patch}",
        check=False,
    )

    assert refused.returncode == 1
    assert f"status.{field}: " in refused.stderr
    assert "must be of type date-time" in refused.stderr
