"""What authors of definitions ask for: everything that is wrong in one, and whether its vendor file covers it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from integration_hub.catalog.lint.rules import lint
from integration_hub.catalog.lint.subject import Finding
from integration_hub.catalog.vendor import Vendor
from integration_hub.catalog.vendor_rules import gaps
from integration_hub.config.violation import Violation
from integration_hub.model.base import API_VERSION
from integration_hub.model.definition import DefinitionSpec
from integration_hub.reconcile.definition import check_definition
from integration_hub.shell.refusals import refusals

KIND = "IntegrationDefinition"


def findings(raw: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong in a definition: what the API server refuses, else the operator, else the catalog's rules.

    Each is asked only where the one before is content, since it relies on what that has checked.
    """
    spec = usable(raw)
    return lint(raw, spec) if isinstance(spec, DefinitionSpec) else spec


def usable(raw: Mapping[str, Any]) -> DefinitionSpec | list[Finding]:
    """Return what a definition says, or why nobody could use it, as `findings` does."""
    shape = list(_shape(raw))
    if shape:
        return shape
    refused = refusals(KIND, raw.get("spec"))
    if refused:
        return _errors(refused)
    checked = check_definition(raw)
    if checked.violations or checked.spec is None:
        return _errors(checked.violations)
    return checked.spec


def vendor_findings(raw: Mapping[str, Any], vendor: Vendor) -> list[Violation]:
    """Return what a vendor file lacks for a definition that has no errors."""
    spec = raw["spec"]
    ends = [test["name"] for test in spec["tests"] if test.get("credentialExpiresAt")]
    found = gaps(vendor, [method["name"] for method in spec["authMethods"]], ends)
    if vendor.definition != raw["metadata"]["name"]:
        found.insert(0, Violation("definition", f"must be '{raw['metadata']['name']}', which it is made for"))
    return found


def _shape(raw: Mapping[str, Any]) -> Iterator[Finding]:
    for part, value in (("apiVersion", API_VERSION), ("kind", KIND)):
        if raw.get(part) != value:
            yield Finding("error", part, f"must be {value}")
    metadata = raw.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        yield Finding("error", "metadata", "must be a group of fields, with the definition's name in it")
        return
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        yield Finding("error", "metadata.name", "is required")


def _errors(violations: tuple[Violation, ...] | list[Violation]) -> list[Finding]:
    return [Finding("error", violation.path, violation.message) for violation in violations]
