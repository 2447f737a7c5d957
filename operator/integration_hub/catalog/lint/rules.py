"""All rules, as a table; docs/catalog-authoring.md explains each.

Each is a function that yields findings. They are asked only of a definition that the operator could use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from integration_hub.catalog.lint.addresses import hosts_are_closed, placeholders_resolve
from integration_hub.catalog.lint.proofs import (
    configuration_is_asked_for,
    failures_tell_more,
    tests_prove_something,
    tests_tell_who,
)
from integration_hub.catalog.lint.subject import Finding, Raw, Subject
from integration_hub.catalog.lint.unverified import unverified_is_listed
from integration_hub.catalog.lint.words import (
    auth_methods_are_explained,
    fields_are_explained,
    is_described,
    presets_are_explained,
    wizard_asks_once,
)
from integration_hub.model.definition import DefinitionSpec

RULES: Final[tuple[Callable[[Subject], Iterator[Finding]], ...]] = (
    is_described,
    fields_are_explained,
    wizard_asks_once,
    placeholders_resolve,
    hosts_are_closed,
    auth_methods_are_explained,
    tests_tell_who,
    tests_prove_something,
    configuration_is_asked_for,
    failures_tell_more,
    presets_are_explained,
    unverified_is_listed,
)
"""In the order in which a definition is read."""


def lint(raw: Raw, spec: DefinitionSpec) -> list[Finding]:
    """Return what the rules find, errors first, each kind by path."""
    subject = Subject(raw, spec)
    found = [finding for rule in RULES for finding in rule(subject)]
    return sorted(found, key=lambda finding: (finding.level, finding.path))
