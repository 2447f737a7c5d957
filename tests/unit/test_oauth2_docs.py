"""The manifests of docs/oauth2.md fit together and hold what their client's method asks for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from integration_hub.auth.methods import METHODS
from integration_hub.config.validation import schema_violations
from integration_hub.model.instance import InstanceSpec
from integration_hub.reconcile.definition import check_definition

TEXT = (Path(__file__).parents[2] / "docs" / "oauth2.md").read_text(encoding="utf-8")
DOCUMENTS: dict[str, dict[str, Any]] = {
    document["kind"]: document
    for block in re.findall(r"(?ms)^```yaml\n(.*?)^```$", TEXT)
    for document in yaml.safe_load_all(block)
}


def test_the_definition_has_no_mistake() -> None:
    assert check_definition(DOCUMENTS["IntegrationDefinition"]).violations == ()


def test_the_instance_and_its_secret_are_what_the_definition_asks_for() -> None:
    definition, instance = DOCUMENTS["IntegrationDefinition"], DOCUMENTS["IntegrationInstance"]
    spec = InstanceSpec.model_validate(instance["spec"])
    assert spec.definition_ref.name == definition["metadata"]["name"]
    assert schema_violations(definition["spec"]["configSchema"], instance["spec"]["config"], "config") == []

    (method,) = definition["spec"]["authMethods"]
    assert spec.auth.method == method["name"]
    keys = METHODS[method["type"]].secret_keys(method["settings"])
    secret = DOCUMENTS["Secret"]
    assert {key.name for key in keys if key.required} == set(secret["stringData"])
    assert spec.auth.secret_ref is not None
    assert spec.auth.secret_ref.name == secret["metadata"]["name"]
    assert instance["metadata"]["namespace"] == secret["metadata"]["namespace"]
