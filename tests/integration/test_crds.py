"""What a real API server and kubectl make of the CRDs."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds_installed")]

Kubectl = Callable[..., CompletedProcess[str]]

CRDS = Path(__file__).parents[2] / "crds"
NO_DIFFERENCE = 0
"""`kubectl diff` exits 0 when there is no difference, 1 when there is one, and higher when it failed."""

DEFINITION = """
apiVersion: integrationhub.dev/v1alpha1
kind: IntegrationDefinition
metadata: {name: NAME}
spec:
  displayName: Acme
  baseURL: https://api.acme.example
  allowedHosts: [api.acme.example]
  authMethods: [{name: api-key, type: apiKey}]
  tests: [{name: whoami, default: true}]
"""
INSTANCE = """
apiVersion: integrationhub.dev/v1alpha1
kind: IntegrationInstance
metadata: {name: acme-production}
spec:
  definitionRef: {name: acme}
"""
FULL_DEFINITION = """
apiVersion: integrationhub.dev/v1alpha1
kind: IntegrationDefinition
metadata: {name: NAME}
spec:
  displayName: Acme
  description: Orders and customers.
  vendor: Acme Ltd
  categories: [crm, orders]
  icon: AC
  documentationURL: https://docs.acme.example/api
  version: 1.2.0
  configSchema:
    type: object
    required: [server]
    properties:
      server: {type: string, title: Server, default: https://eu.acme.example, x-hub-order: 1}
  baseURL: '{{ config.server }}'
  allowedHosts: ['*.acme.example', 'acme.internal:8443', 'http://localhost:8080', '{{ config.host }}']
  trust: {caBundle: '{{ config.caCertificate }}'}
  authMethods:
  - {name: api-key, type: apiKey, displayName: API key, settings: {in: header, name: X-API-Key}}
  - {name: basic, type: basicAuth, description: For servers before version 3.}
  tests:
  - name: whoami
    displayName: Who am I
    default: true
    request:
      method: POST
      path: /v1/me
      query: {verbose: '1'}
      headers: {Accept: application/json}
      body: [1, {a: b}]
    expect: {status: [200, 204]}
    identity: response.json.user.email
  - {name: orders, default: false, request: {path: ''}}
  templates:
  - {name: sandbox, displayName: Sandbox, description: For trials., config: {server: https://sandbox.acme.example}}
  wizard:
    steps:
    - {title: Where it is, help: Ask your administrator., fields: [server]}
"""
FULL_INSTANCE = """
apiVersion: integrationhub.dev/v1alpha1
kind: IntegrationInstance
metadata: {name: acme-production}
spec:
  displayName: Acme - Production
  description: Orders of the shop.
  definitionRef: {name: acme.v2}
  template: sandbox
  config: {server: https://eu.acme.example, limits: {perSecond: 5}, regions: [eu, us]}
  auth: {method: api-key, secretRef: {name: acme-token}}
  scope: {type: client, id: globex}
  permissions: {roles: [support, billing]}
  monitor: {interval: 1h30m}
  suspend: false
"""
STATUS = {
    "observedGeneration": 1,
    "phase": "Connected",
    "identity": "ops@globex.example",
    "lastTested": "2026-01-31T12:00:00Z",
    "credential": {"id": "5f0c", "expiresAt": "2999-12-31T23:59:59Z"},
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Connected",
            "message": "The connection works.",
            "lastTransitionTime": "2026-01-31T12:00:00Z",
        }
    ],
}


@pytest.fixture
def definition_name(kubectl: Kubectl) -> Iterator[str]:
    """A name of its own: definitions belong to the whole cluster, which other tests share."""
    name = f"acme-{uuid.uuid4().hex[:8]}"
    yield name
    kubectl("delete", "integrationdefinition", name, "--ignore-not-found")


@pytest.fixture
def instance(kubectl: Kubectl, namespace: str) -> str:
    """The name of an instance that has a status."""
    kubectl("create", f"--namespace={namespace}", "-f", "-", input=FULL_INSTANCE)
    patch = json.dumps({"status": STATUS})
    kubectl(
        "patch",
        "iinst/acme-production",
        f"--namespace={namespace}",
        "--subresource=status",
        "--type=merge",
        f"--patch={patch}",
    )
    return "acme-production"


def cells(line: str) -> list[str]:
    """The cells of a line of a table: kubectl puts three spaces between columns, and a name may hold one."""
    return re.split(r" {2,}", line.strip())


class TestTheCrdsThemselves:
    @pytest.mark.parametrize("mode", [(), ("--server-side", "--force-conflicts")], ids=["client", "server"])
    def test_the_api_server_adds_nothing(self, mode: tuple[str, ...], kubectl: Kubectl) -> None:
        kubectl("apply", *mode, "-f", CRDS)
        difference = kubectl("diff", *mode, "-f", CRDS, check=False)
        assert (difference.returncode, difference.stdout) == (NO_DIFFERENCE, "")

    @pytest.mark.parametrize("plural", ["integrationdefinitions", "integrationinstances"])
    def test_the_api_server_has_no_objection(self, plural: str, kubectl: Kubectl) -> None:
        found = json.loads(kubectl("get", "crd", f"{plural}.integrationhub.dev", "-o=json").stdout)
        conditions = {condition["type"]: condition["status"] for condition in found["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert conditions["NamesAccepted"] == "True"
        assert conditions.get("NonStructuralSchema", "False") == "False"

    def test_every_field_is_described_to_clients(self, kubectl: Kubectl) -> None:
        document = json.loads(kubectl("get", "--raw", "/openapi/v3/apis/integrationhub.dev/v1alpha1").stdout)
        schemas = {
            name: schema
            for name, schema in document["components"]["schemas"].items()
            if name.startswith("dev.integrationhub.") and not name.endswith("List")
        }
        assert len(schemas) == 2
        assert [path for name, schema in schemas.items() for path in undescribed(name, schema)] == []


def undescribed(path: str, schema: dict[str, Any]) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            yield f"{path}.{name}"
        yield from undescribed(f"{path}.{name}", field)
        yield from undescribed(f"{path}.{name}[]", field.get("items", {}))


class TestExplain:
    def test_how_an_instance_authenticates(self, kubectl: Kubectl) -> None:
        text = " ".join(kubectl("explain", "iinst.spec.auth").stdout.split())
        assert "KIND: IntegrationInstance" in text
        assert "DESCRIPTION: How this connection authenticates." in text
        assert (
            "method <string> Name of one of the definition's auth methods."
            " May be left out when the definition has just one."
        ) in text
        assert "secretRef <Object> The Secret that holds the credentials, under the keys" in text

    def test_alternatives_and_needs_show(self, kubectl: Kubectl) -> None:
        scope = " ".join(kubectl("explain", "iinst.spec.scope").stdout.split())
        assert "type <string> -required- enum: global, client, user" in scope

    @pytest.mark.parametrize(
        "path",
        [
            "iinst",
            "iinst.metadata",
            "iinst.spec",
            "iinst.spec.config",
            "iinst.spec.definitionRef",
            "iinst.status.conditions",
            "iinst.status.tests",
            "idef.spec",
            "idef.spec.authMethods.settings",
            "idef.spec.tests.request.body",
            "idef.status",
        ],
    )
    def test_no_description_is_empty(self, path: str, kubectl: Kubectl) -> None:
        text = kubectl("explain", path).stdout
        assert re.search(r"DESCRIPTION:\n +\S", text)
        assert "<empty>" not in text
        assert "<no description>" not in text


class TestAcceptance:
    @pytest.mark.parametrize("manifest", [DEFINITION, FULL_DEFINITION], ids=["minimal", "full"])
    def test_a_good_definition(self, manifest: str, kubectl: Kubectl, definition_name: str) -> None:
        kubectl("create", "-f", "-", input=manifest.replace("NAME", definition_name))

    @pytest.mark.parametrize("manifest", [INSTANCE, FULL_INSTANCE], ids=["minimal", "full"])
    def test_a_good_instance(self, manifest: str, kubectl: Kubectl, namespace: str) -> None:
        kubectl("create", f"--namespace={namespace}", "-f", "-", input=manifest)

    @pytest.mark.parametrize("interval", ["10s", "90s", "5m", "1h30m", "168h", "604800s"])
    def test_a_good_interval(self, interval: str, kubectl: Kubectl, namespace: str) -> None:
        manifest = INSTANCE + f"  monitor: {{interval: {interval}}}\n"
        kubectl("create", f"--namespace={namespace}", "-f", "-", input=manifest)

    @pytest.mark.parametrize(
        ("base_url", "host"),
        [
            ("https://{{ config.subdomain }}.acme.example/api/v2", "{{ config.subdomain }}.acme.example"),
            ("{{config.server}}", "*.acme.example"),
            ("https://acme.internal:8443/a@b", "acme.internal:8443"),
            ("http://localhost:8080", "http://localhost:8080"),
        ],
    )
    def test_a_good_address(self, base_url: str, host: str, kubectl: Kubectl, definition_name: str) -> None:
        manifest = (
            DEFINITION.replace("NAME", definition_name)
            .replace("https://api.acme.example", f"'{base_url}'")
            .replace("[api.acme.example]", f"['{host}']")
        )
        kubectl("create", "-f", "-", input=manifest)


class TestGitOps:
    """What a GitOps tool applies again and again must stay what it applied."""

    @pytest.mark.parametrize("mode", [(), ("--server-side",)], ids=["client", "server"])
    @pytest.mark.parametrize(
        ("definition", "instance"),
        [(DEFINITION, INSTANCE), (FULL_DEFINITION, FULL_INSTANCE)],
        ids=["minimal", "full"],
    )
    def test_applying_twice_changes_nothing(
        self,
        *,
        mode: tuple[str, ...],
        definition: str,
        instance: str,
        kubectl: Kubectl,
        namespace: str,
        definition_name: str,
    ) -> None:
        manifests = f"{definition.replace('NAME', definition_name)}---{instance}"
        where = (f"--namespace={namespace}", "-f", "-")
        first = kubectl(
            "apply", *mode, "-o=jsonpath={.items[*].metadata.resourceVersion}", *where, input=manifests
        )
        second = kubectl(
            "apply", *mode, "-o=jsonpath={.items[*].metadata.resourceVersion}", *where, input=manifests
        )
        difference = kubectl("diff", *mode, *where, input=manifests, check=False)

        assert len(first.stdout.split()) == 2
        assert first.stdout == second.stdout
        assert (difference.returncode, difference.stdout) == (NO_DIFFERENCE, "")

    def test_nothing_is_defaulted(self, kubectl: Kubectl, namespace: str) -> None:
        stored = kubectl("create", f"--namespace={namespace}", "-o=json", "-f", "-", input=INSTANCE).stdout
        assert json.loads(stored)["spec"] == {"definitionRef": {"name": "acme"}}

    def test_parts_of_an_open_object_have_owners_of_their_own(self, kubectl: Kubectl, namespace: str) -> None:
        where = (f"--namespace={namespace}", "--server-side", "-f", "-")
        base = INSTANCE + "  config: {region: eu}\n"
        overlay = INSTANCE + "  config: {limit: 5}\n"
        kubectl("apply", "--field-manager=base", *where, input=base)
        both = kubectl("apply", "--field-manager=overlay", "-o=json", *where, input=overlay).stdout
        assert json.loads(both)["spec"]["config"] == {"region": "eu", "limit": 5}


class TestGet:
    COLUMNS = ("NAME", "READY", "REASON", "DEFINITION", "IDENTITY", "EXPIRES", "LAST TESTED", "AGE")

    def test_an_instance(self, kubectl: Kubectl, namespace: str, instance: str) -> None:
        header, row = kubectl("get", "iinst", f"--namespace={namespace}").stdout.splitlines()
        assert cells(header) == list(self.COLUMNS)
        assert cells(row)[:6] == [
            instance,
            "True",
            "Connected",
            "acme.v2",
            "ops@globex.example",
            "2999-12-31T23:59:59Z",
        ]
        assert re.fullmatch(r"\w+", cells(row)[6])

    def test_wide_adds_the_message(self, kubectl: Kubectl, namespace: str, instance: str) -> None:
        header, row = kubectl("get", "iinst", "-o=wide", f"--namespace={namespace}").stdout.splitlines()
        assert cells(header) == [*self.COLUMNS, "MESSAGE"]
        assert cells(row)[0] == instance
        assert cells(row)[-1] == "The connection works."

    def test_a_definition(self, kubectl: Kubectl, definition_name: str) -> None:
        kubectl("create", "-f", "-", input=FULL_DEFINITION.replace("NAME", definition_name))
        header, _ = kubectl("get", "idef", definition_name).stdout.splitlines()
        wide, _ = kubectl("get", "idef", definition_name, "-o=wide").stdout.splitlines()
        assert cells(header) == ["NAME", "READY", "REASON", "VERSION", "DISPLAY NAME", "AGE"]
        assert cells(wide) == [*cells(header), "MESSAGE"]

    def test_both_kinds_at_once(
        self, kubectl: Kubectl, namespace: str, instance: str, definition_name: str
    ) -> None:
        kubectl("create", "-f", "-", input=DEFINITION.replace("NAME", definition_name))
        names = kubectl("get", "hub", "-o=name", f"--namespace={namespace}").stdout.split()
        assert f"integrationdefinition.integrationhub.dev/{definition_name}" in names
        assert f"integrationinstance.integrationhub.dev/{instance}" in names

    @pytest.mark.parametrize(
        ("selector", "found"),
        [
            ("status.phase=Connected", True),
            ("status.phase!=Connected", False),
            ("spec.definitionRef.name=acme.v2", True),
            ("spec.definitionRef.name=other", False),
            ("spec.auth.secretRef.name=acme-token", True),
            ("spec.auth.secretRef.name=other", False),
            ("status.phase=Connected,spec.definitionRef.name=acme.v2", True),
        ],
    )
    def test_by_field(
        self, selector: str, found: bool, kubectl: Kubectl, namespace: str, instance: str
    ) -> None:
        names = kubectl(
            "get", "iinst", f"--field-selector={selector}", "-o=name", f"--namespace={namespace}"
        ).stdout
        assert names.split() == ([f"integrationinstance.integrationhub.dev/{instance}"] if found else [])

    def test_waiting_for_ready(self, kubectl: Kubectl, namespace: str, instance: str) -> None:
        kubectl(
            "wait", f"iinst/{instance}", "--for=condition=Ready", "--timeout=5s", f"--namespace={namespace}"
        )
