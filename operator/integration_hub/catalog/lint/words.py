"""Rules about what people read: names, fields, the wizard, credentials, templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from integration_hub.auth.methods import METHODS
from integration_hub.catalog.lint.subject import Finding, Subject, error, warning
from integration_hub.config.profile import secret_fields
from integration_hub.config.values import did_you_mean
from integration_hub.config.violation import joined

CATEGORIES: Final = (
    "accounting",
    "analytics",
    "communication",
    "crm",
    "data",
    "design",
    "developer-tools",
    "e-commerce",
    "email",
    "finance",
    "generic",
    "hr",
    "identity",
    "infrastructure",
    "it-service",
    "machine-learning",
    "marketing",
    "monitoring",
    "payments",
    "productivity",
    "project-management",
    "security",
    "storage",
    "support",
)
"""Categories that a catalog sorts by."""

_SEMVER: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")

_MONOGRAM: Final = re.compile(r"[^\W\d_][^\W_]{0,2}")


def is_described(subject: Subject) -> Iterator[Finding]:
    """Names, version and pages by which people find and judge the definition."""
    spec = subject.spec
    for path, value, what in (
        ("spec.vendor", spec.vendor, "who makes the system"),
        ("spec.description", spec.description, "what a connection to the system gives, in a sentence"),
        ("spec.documentationURL", spec.documentation_url, "the vendor's page about credentials"),
    ):
        if not value:
            yield error(path, f"is missing: say {what}")
    if spec.version is None or not _SEMVER.fullmatch(spec.version):
        yield error("spec.version", "must be a version like '1.0.0' (semver.org), raised with each change")
    if spec.icon is None or not _MONOGRAM.fullmatch(spec.icon):
        yield error("spec.icon", "must be a monogram of one to three letters: no trademarks, nothing to load")
    if not spec.categories:
        yield error("spec.categories", f"is empty: name one or two of {', '.join(CATEGORIES)}")
    for index, category in enumerate(spec.categories):
        if category not in CATEGORIES:
            yield error(
                joined("spec.categories", index),
                f"is no category of the catalog{did_you_mean(category, CATEGORIES)}; there are"
                f" {', '.join(CATEGORIES)}",
            )


def fields_are_explained(subject: Subject) -> Iterator[Finding]:
    """Every field has a title and a description, and one that is text shows what it may look like."""
    for name, field in subject.fields.items():
        path = joined("spec.configSchema.properties", name)
        for keyword in ("title", "description"):
            if not field.get(keyword):
                yield error(joined(path, keyword), "is missing: forms show it, and people go by it")
        if (
            field.get("type") == "string"
            and not any(keyword in field for keyword in ("enum", "const", "default", "examples"))
            and not field.get("x-hub-secret")
            and not field.get("x-hub-multiline")
        ):
            yield warning(joined(path, "examples"), "is missing: people type what they see")
        if "pattern" in field and "x-hub-pattern-message" not in field:
            yield warning(
                joined(path, "x-hub-pattern-message"), "is missing: say in words what the pattern wants"
            )


def wizard_asks_once(subject: Subject) -> Iterator[Finding]:
    """Ask for every required field exactly once, and for no other field twice."""
    steps = subject.spec.wizard.steps if subject.spec.wizard else []
    asked = [name for step in steps for name in step.fields]
    hidden = secret_fields(subject.spec.config_schema)
    for name, field in subject.fields.items():
        count = asked.count(name)
        if count > 1:
            yield error("spec.wizard.steps", f"ask for '{name}' {count} times; once is enough")
        elif name in hidden and count:
            yield error(
                "spec.wizard.steps",
                f"ask for '{name}', which is a secret: credentials are asked for by themselves",
            )
        elif not count and name not in hidden:
            level = error if name in subject.required else warning
            group = field.get("x-hub-group")
            heading = f"below '{group}'" if group else "without a heading of its own"
            words = "which is required" if name in subject.required else f"so it is asked for last, {heading}"
            yield level("spec.wizard.steps", f"do not ask for '{name}', {words}: add it to a step's fields")


def auth_methods_are_explained(subject: Subject) -> Iterator[Finding]:
    """Every auth method has a name and says where its credential is to be had; so has every key of its Secret."""
    for method in subject.spec.auth_methods:
        path = f"spec.authMethods[{method.name}]"
        if not method.display_name:
            yield error(f"{path}.displayName", "is missing: it is what people choose from")
        if not method.description:
            yield error(
                f"{path}.description",
                "is missing: say where to click to get the credential, in the vendor's words",
            )
        kind = METHODS.get(method.type)
        keys = [key.name for key in kind.secret_keys(method.settings)] if kind is not None else []
        if not keys and method is subject.spec.auth_methods[0]:
            yield warning(
                f"{path}.settings",
                "need no Secret, so whoever connects proves nothing: let another method come first",
            )
        words = {entry.key: entry for entry in method.credentials}
        for key in keys:
            if key not in words:
                yield error(
                    f"{path}.credentials",
                    f"say nothing of the key '{key}': add its displayName and description",
                )
                continue
            for part in ("display_name", "description"):
                if not getattr(words[key], part):
                    name = "displayName" if part == "display_name" else part
                    yield error(
                        f"{path}.credentials[{key}].{name}", "is missing: forms ask for the key with it"
                    )


def presets_are_explained(subject: Subject) -> Iterator[Finding]:
    """Every template says when to choose it."""
    for template in subject.spec.templates:
        path = f"spec.templates[{template.name}]"
        if not template.display_name:
            yield error(f"{path}.displayName", "is missing: it is what people choose from")
        if not template.description:
            yield error(f"{path}.description", "is missing: say when to choose it")
