"""What makes a definition worth publishing: rules for authors, beyond what the operator needs to use it at all.

Each rule is a function that yields findings; `RULES` is the table of them, and docs/catalog-authoring.md explains each.
They are asked only of a definition that the operator could use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from integration_hub.auth.methods import METHODS
from integration_hub.auth.templates import asked_addresses
from integration_hub.config.profile import secret_fields
from integration_hub.config.values import did_you_mean
from integration_hub.config.violation import joined
from integration_hub.model.base import GROUP
from integration_hub.model.definition import AuthMethod, DefinitionSpec
from integration_hub.model.testing import FailureRule
from integration_hub.probe.expressions import compile_expression
from integration_hub.probe.identity import fields_read
from integration_hub.reconcile.checks import expressions_of

Raw = Mapping[str, Any]

UNVERIFIED: Final = f"{GROUP}/unverified"
"""Annotation: what in the definition nobody has checked against the vendor's documentation, a line each, like
'spec.tests[account].request: the cheapest request that tells who is connected'."""
SELF_HOSTED: Final = f"{GROUP}/self-hosted"
"""Annotation, 'true': the system has no home of its own, so an instance says where its credentials go."""
NO_IDENTITY: Final = f"{GROUP}/no-identity"
"""Annotation: why the system does not tell who is connected."""

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
_FIELD: Final = re.compile(r"\{\{\s*config\.([A-Za-z0-9_]+)\s*\}\}")
_FIXED_END: Final = re.compile(r"(\.[A-Za-z0-9-]+){2,}(:\d+)?")
_CLOSED_PATTERN: Final = re.compile(r"\^.*(\\\.[a-z0-9-]+){2,}\$", re.DOTALL)
_PATH_STEP: Final = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([^\[\]]+)\]")
_LINE: Final = re.compile(r"(?P<path>spec[^\s:]*): (?P<words>.+)")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend, or to think about, and where."""

    level: Literal["error", "warning"]
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A definition that is looked at."""

    raw: Raw
    spec: DefinitionSpec

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        return (self.raw.get("metadata") or {}).get("annotations") or {}

    @property
    def is_self_hosted(self) -> bool:
        """Whether people run the system themselves."""
        return self.annotations.get(SELF_HOSTED) == "true"

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of its configSchema."""
        found: Mapping[str, Any] = self.spec.config_schema.get("properties") or {}
        return found

    @property
    def required(self) -> frozenset[str]:
        """The fields that an instance must give, secrets among them."""
        return frozenset(self.spec.config_schema.get("required") or ())


def lint(raw: Raw, spec: DefinitionSpec) -> list[Finding]:
    """Return what the rules find, errors first, each kind by path."""
    subject = Subject(raw, spec)
    found = [finding for rule in RULES for finding in rule(subject)]
    return sorted(found, key=lambda finding: (finding.level, finding.path))


def _error(path: str, message: str) -> Finding:
    return Finding("error", path, message)


def _warning(path: str, message: str) -> Finding:
    return Finding("warning", path, message)


def is_described(subject: Subject) -> Iterator[Finding]:
    """Names, version and pages by which people find and judge the definition."""
    spec = subject.spec
    for path, value, what in (
        ("spec.vendor", spec.vendor, "who makes the system"),
        ("spec.description", spec.description, "what a connection to the system gives, in a sentence"),
        ("spec.documentationURL", spec.documentation_url, "the vendor's page about credentials"),
    ):
        if not value:
            yield _error(path, f"is missing: say {what}")
    if spec.version is None or not _SEMVER.fullmatch(spec.version):
        yield _error("spec.version", "must be a version like '1.0.0' (semver.org), raised with each change")
    if spec.icon is None or not _MONOGRAM.fullmatch(spec.icon):
        yield _error(
            "spec.icon", "must be a monogram of one to three letters: no trademarks, nothing to load"
        )
    if not spec.categories:
        yield _error("spec.categories", f"is empty: name one or two of {', '.join(CATEGORIES)}")
    for index, category in enumerate(spec.categories):
        if category not in CATEGORIES:
            yield _error(
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
                yield _error(joined(path, keyword), "is missing: forms show it, and people go by it")
        if (
            field.get("type") == "string"
            and not any(keyword in field for keyword in ("enum", "const", "default", "examples"))
            and not field.get("x-hub-secret")
            and not field.get("x-hub-multiline")
        ):
            yield _warning(joined(path, "examples"), "is missing: people type what they see")
        if "pattern" in field and "x-hub-pattern-message" not in field:
            yield _warning(
                joined(path, "x-hub-pattern-message"), "is missing: say in words what the pattern wants"
            )


def wizard_asks_once(subject: Subject) -> Iterator[Finding]:
    """Ask for every required field exactly once, and for no other field twice."""
    steps = subject.spec.wizard.steps if subject.spec.wizard else []
    asked = [name for step in steps for name in step.fields]
    hidden = secret_fields(subject.spec.config_schema)
    for name in subject.fields:
        count = asked.count(name)
        if count > 1:
            yield _error("spec.wizard.steps", f"ask for '{name}' {count} times; once is enough")
        elif name in hidden and count:
            yield _error(
                "spec.wizard.steps",
                f"ask for '{name}', which is a secret: credentials are asked for by themselves",
            )
        elif not count and name not in hidden:
            level = _error if name in subject.required else _warning
            words = "which is required" if name in subject.required else "so nobody is asked"
            yield level("spec.wizard.steps", f"do not ask for '{name}', {words}: add it to a step's fields")


def placeholders_resolve(subject: Subject) -> Iterator[Finding]:
    """Find fields that every connection needs and that may be left out; one that some methods need, they ask for."""
    sure = subject.required | {name for name, field in subject.fields.items() if "default" in field}
    needs = [_needs(subject.spec, method) for method in subject.spec.auth_methods]
    for name in subject.fields:
        if name not in sure and all(name in need for need in needs):
            yield _error(
                needs[0][name],
                f"needs 'config.{name}', which may have no value: make the field required, or give it a default",
            )


def _needs(spec: DefinitionSpec, method: AuthMethod) -> dict[str, str]:
    """Return the fields that a connection by this method cannot do without, each with where it stands."""
    test = spec.test_of(method)
    kind = METHODS.get(method.type)
    asked = asked_addresses(kind, method.settings) if kind is not None else ()
    texts = (
        (
            "spec.baseURL" if method.base_url is None else f"spec.authMethods[{method.name}].baseURL",
            spec.base_url_of(method),
        ),
        (f"spec.tests[{test.name}].request.path", test.request.path),
        *((f"spec.authMethods[{method.name}].{where}", address) for where, address in asked),
    )
    return {name: where for where, text in reversed(texts) for name in _FIELD.findall(text)}


def hosts_are_closed(subject: Subject) -> Iterator[Finding]:
    """Nobody who writes an instance can choose the host that credentials go to, unless the system is self-hosted."""
    is_self_hosted = subject.is_self_hosted
    is_open = False
    for index, host in enumerate(subject.spec.allowed_hosts):
        name = _open_field(subject, host)
        if name is None:
            continue
        is_open = True
        if not is_self_hosted:
            yield _error(
                joined("spec.allowedHosts", index),
                f"lets 'config.{name}' choose any host, so that credentials can be sent anywhere: end it with the"
                " vendor's domain, give the field an enum or a pattern that ends with that domain, or, of a system that"
                f' people run themselves, set the annotation {SELF_HOSTED}: "true"',
            )
    if is_self_hosted and not is_open:
        yield _warning(
            f"metadata.annotations.{SELF_HOSTED}", "is not needed: every entry of allowedHosts is closed"
        )


def _open_field(subject: Subject, host: str) -> str | None:
    """Return the field that can choose any host; None where the entry is closed."""
    names = _FIELD.findall(host)
    if not names or _FIXED_END.fullmatch(_FIELD.split(host)[-1]):
        return None
    # What comes last decides whose domain it is.
    field = subject.fields.get(names[-1], {})
    is_closed = "enum" in field or "const" in field or _ends_with_a_domain(str(field.get("pattern", "")))
    return None if is_closed else str(names[-1])


def _ends_with_a_domain(pattern: str) -> bool:
    """Tell whether all that a pattern matches ends with the same domain."""
    if not _CLOSED_PATTERN.fullmatch(pattern):
        return False
    depth = 0
    for sign in re.sub(r"\\.|\[[^\]]*\]", "", pattern):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth == 0:
            return False
    return True


def auth_methods_are_explained(subject: Subject) -> Iterator[Finding]:
    """Every auth method has a name and says where its credential is to be had; so has every key of its Secret."""
    for method in subject.spec.auth_methods:
        path = f"spec.authMethods[{method.name}]"
        if not method.display_name:
            yield _error(f"{path}.displayName", "is missing: it is what people choose from")
        if not method.description:
            yield _error(
                f"{path}.description",
                "is missing: say where to click to get the credential, in the vendor's words",
            )
        kind = METHODS.get(method.type)
        keys = [key.name for key in kind.secret_keys(method.settings)] if kind is not None else []
        if not keys and method is subject.spec.auth_methods[0]:
            yield _warning(
                f"{path}.settings",
                "need no Secret, so whoever connects proves nothing: let another method come first",
            )
        words = {entry.key: entry for entry in method.credentials}
        for key in keys:
            if key not in words:
                yield _error(
                    f"{path}.credentials",
                    f"say nothing of the key '{key}': add its displayName and description",
                )
                continue
            for part in ("display_name", "description"):
                if not getattr(words[key], part):
                    name = "displayName" if part == "display_name" else part
                    yield _error(
                        f"{path}.credentials[{key}].{name}", "is missing: forms ask for the key with it"
                    )


def tests_tell_who(subject: Subject) -> Iterator[Finding]:
    """Tests that prove methods say who is connected, or the definition says why not; every test has a name."""
    said = subject.annotations.get(NO_IDENTITY, "").strip()
    proofs = {test.name: test for test in map(subject.spec.test_of, subject.spec.auth_methods)}
    for name, test in proofs.items():
        if test.identity is None and not said:
            yield _error(
                f"spec.tests[{name}].identity",
                "is missing: name the place in the answer that says who is connected, or say in the annotation"
                f" {NO_IDENTITY} why there is none",
            )
    if said and all(test.identity is not None for test in proofs.values()):
        yield _warning(f"metadata.annotations.{NO_IDENTITY}", "is not needed: there is an identity")
    for test in subject.spec.tests:
        path = f"spec.tests[{test.name}]"
        if test.request.method not in {"GET", "HEAD", "POST"}:
            yield _error(f"{path}.request.method", "changes something, and a test is made again and again")
        if not test.display_name:
            yield _error(f"{path}.displayName", "is missing: it says what is tried")
        if not test.failures:
            yield _warning(
                f"{path}.failures",
                "is empty: say what only the vendor's documentation explains, like a missing permission",
            )


def tests_prove_something(subject: Subject) -> Iterator[Finding]:
    """Where nobody knows what a system lets anybody ask for, a success without an identity is held against another."""
    if not subject.is_self_hosted:
        return
    # A signature is looked at wherever there is one, also where anybody may ask.
    unsigned = (method for method in subject.spec.auth_methods if "awsSigV4" not in method.settings)
    for name, test in {test.name: test for test in map(subject.spec.test_of, unsigned)}.items():
        if test.identity is None and not test.prove_credential:
            yield _warning(
                f"spec.tests[{name}].proveCredential",
                "is not set: whoever runs such a system may let anybody ask for this, and without an identity nothing"
                " would tell; with 'true' the same is asked for without the credential, too",
            )


def configuration_is_asked_for(subject: Subject) -> Iterator[Finding]:
    """Expressions ask for a field that may have no value before they read it; a failure's condition then is not met."""
    sure = subject.required | {name for name, field in subject.fields.items() if "default" in field}
    for test in subject.spec.tests:
        known = sure | set(_FIELD.findall(test.request.path))
        read = [(where, text, compile_expression(text).config) for where, text in expressions_of(test)]
        if test.identity is not None:
            read.append(("identity", test.identity, fields_read(test.identity)))
        for where, text, fields in read:
            for name in fields:
                if name not in known and not re.search(rf"\bhas\(\s*config\.{name}\s*\)", text):
                    yield _error(
                        f"spec.tests[{test.name}].{where}",
                        f"reads 'config.{name}', which may have no value: make the field required, give it a default,"
                        f" or ask for it first, like '!has(config.{name}) || ...'",
                    )


def failures_tell_more(subject: Subject) -> Iterator[Finding]:
    """Each failure rule can be told, and those about token requests say more than their reason does."""
    for method in subject.spec.auth_methods:
        path = f"spec.authMethods[{method.name}].failures"
        yield from _told_before(path, method.failures)
        for index, rule in enumerate(method.failures):
            if not rule.message:
                yield _error(
                    f"{path}[{index}].message",
                    "is missing: say what the vendor's documentation knows of this refusal, and the reason does not",
                )
    for test in subject.spec.tests:
        yield from _told_before(f"spec.tests[{test.name}].failures", test.failures)


def _told_before(path: str, rules: Sequence[FailureRule]) -> Iterator[Finding]:
    """Yield the rules that are never told, because one before them holds whenever they do."""
    conditions = [" ".join(rule.when.split()) for rule in rules]
    for index, condition in enumerate(conditions):
        first = conditions.index(condition)
        if first < index:
            yield _error(
                f"{path}[{index}].when", f"is the same as that of {path}[{first}], which is told in its place"
            )


def presets_are_explained(subject: Subject) -> Iterator[Finding]:
    """Every template says when to choose it."""
    for template in subject.spec.templates:
        path = f"spec.templates[{template.name}]"
        if not template.display_name:
            yield _error(f"{path}.displayName", "is missing: it is what people choose from")
        if not template.description:
            yield _error(f"{path}.description", "is missing: say when to choose it")


def unverified_is_listed(subject: Subject) -> Iterator[Finding]:
    """Each line of the annotation names a place of the definition, and what about it is not checked."""
    path = f"metadata.annotations.{UNVERIFIED}"
    for number, line in enumerate(subject.annotations.get(UNVERIFIED, "").splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            yield _error(
                path, f"line {number} must be written 'spec.tests[NAME].request: what nobody has checked'"
            )
        elif not stands(subject.raw, match["path"]):
            yield _error(path, f"line {number} names '{match['path']}', which there is not in the definition")


def unverified(raw: Raw) -> list[tuple[str, str]]:
    """Return the places of a definition that nobody has checked, each with what about it."""
    text = ((raw.get("metadata") or {}).get("annotations") or {}).get(UNVERIFIED, "")
    matches = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [(match["path"], match["words"]) for match in matches if match]


def stands(value: Any, path: str) -> bool:
    """Tell whether there is something at a path like 'spec.tests[account].request'; entries of lists by their name."""
    for step in _PATH_STEP.finditer(path):
        name = step[1] or step[2]
        if isinstance(value, Mapping):
            if name not in value:
                return False
            value = value[name]
        elif isinstance(value, list):
            entry = next(
                (one for index, one in enumerate(value) if name in {str(index), _name_of(one)}),
                None,
            )
            if entry is None:
                return False
            value = entry
        else:
            return False
    return True


def _name_of(entry: Any) -> str | None:
    return entry.get("name") if isinstance(entry, Mapping) else None


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

__all__ = ["CATEGORIES", "RULES", "UNVERIFIED", "Finding", "lint", "stands", "unverified"]
