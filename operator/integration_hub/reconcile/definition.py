"""What is wrong in a definition, by path, and the parts of it that are prepared once for all of its instances."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.auth.templates import asked_addresses, possible_settings, template_violations
from integration_hub.auth.tokens import token_method
from integration_hub.config.allowed import missing_host
from integration_hub.config.pem import pem_fault
from integration_hub.config.profile import preset_violations, profile_violations, secret_fields
from integration_hub.config.renderable import (
    allowed_host_problem,
    base_url_problem,
)
from integration_hub.config.templates import template_problem
from integration_hub.config.validation import ConfigValidator
from integration_hub.config.values import did_you_mean
from integration_hub.config.violation import Violation
from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition, merge_conditions
from integration_hub.model.definition import (
    AuthMethod,
    DefinitionSpec,
    DefinitionStatus,
    IntegrationDefinition,
)
from integration_hub.model.reasons import Reason, token_reason_problem
from integration_hub.reconcile.checks import check_failures, check_headers, check_test

MAX_NAMED = 5
"""Mistakes that one message names; the rest are counted."""


@dataclass(frozen=True, slots=True)
class CheckedDefinition:
    """A definition with its mistakes. `spec` and `validator` are None where mistakes keep them from being made."""

    name: str
    uid: str
    generation: int
    spec: DefinitionSpec | None
    validator: ConfigValidator | None
    violations: tuple[Violation, ...]


def check_definition(raw: Mapping[str, Any]) -> CheckedDefinition:
    """Read an IntegrationDefinition as the API server sends it and check what its CRD cannot state."""
    metadata = raw.get("metadata") or {}
    spec: DefinitionSpec | None = None
    validator: ConfigValidator | None = None
    try:
        spec = IntegrationDefinition.model_validate({"metadata": metadata, "spec": raw.get("spec")}).spec
    except ValidationError as error:
        violations = [
            parse_violation(problem) for problem in error.errors(include_url=False, include_input=False)
        ]
    else:
        violations = list(_violations(spec))
        if not profile_violations(spec.config_schema):
            validator = ConfigValidator(spec.config_schema)
            violations += _preset_violations(spec)
    return CheckedDefinition(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        spec=spec,
        validator=validator,
        violations=tuple(violations),
    )


def definition_status(checked: CheckedDefinition, previous: DefinitionStatus, now: str) -> DefinitionStatus:
    """Return the status that says whether instances can use the definition. `now` is RFC 3339."""
    if checked.violations:
        message = listed(checked.violations)
        conditions = [
            Condition(type=c.READY, status="False", reason=Reason.DEFINITION_INVALID, message=message),
            Condition(type=c.STALLED, status="True", reason=Reason.DEFINITION_INVALID, message=message),
        ]
    else:
        conditions = [
            Condition(
                type=c.READY, status="True", reason=Reason.VALID, message="Instances can use this definition."
            )
        ]
    return DefinitionStatus(
        observed_generation=checked.generation,
        conditions=merge_conditions(previous.conditions, conditions, generation=checked.generation, now=now),
    )


def listed(violations: Iterable[Violation]) -> str:
    """Return the first mistakes as one line, with the number of those left out."""
    every = [str(violation) for violation in violations]
    more = f" (and {len(every) - MAX_NAMED} more)" if len(every) > MAX_NAMED else ""
    return "; ".join(every[:MAX_NAMED]) + more


def parse_violation(problem: Mapping[str, Any]) -> Violation:
    """Return one of pydantic's errors as a violation with a path like 'spec.tests[0].name'."""
    path = ""
    for step in problem["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return Violation(path or "spec", str(problem["msg"]))


def _violations(spec: DefinitionSpec) -> Iterator[Violation]:
    known = field_names(spec)
    yield from (Violation(f"spec.{v.path}", v.message) for v in profile_violations(spec.config_schema))
    yield from _template_violations(spec)
    for index, method in enumerate(spec.auth_methods):
        yield from _method_violations(f"spec.authMethods[{index}]", method, spec)
    if sum(test.default for test in spec.tests) != 1:
        yield Violation("spec.tests", "exactly one test must have 'default: true'")
    for index, test in enumerate(spec.tests):
        yield from check_test(
            f"spec.tests[{index}]", test, test.request, known=known, secret=secret_fields(spec.config_schema)
        )
    for number, step in enumerate(spec.wizard.steps if spec.wizard else ()):
        for name in step.fields:
            if name not in known:
                yield Violation(
                    f"spec.wizard.steps[{number}].fields", f"'{name}' is no field of configSchema"
                )


def _method_violations(path: str, method: AuthMethod, spec: DefinitionSpec) -> Iterator[Violation]:
    found = settings_violations(method.type, method.settings)
    for violation in found:
        yield Violation(f"{path}.{violation.path}", violation.message)
    yield from _request_violations(path, method, spec)
    yield from check_failures(
        f"{path}.failures",
        method.failures,
        token_reason_problem,
        known=field_names(spec),
        secret=secret_fields(spec.config_schema),
    )
    if not found:
        yield from _help_violations(path, method)
        if method.failures and token_method(METHODS[method.type], method.settings) is None:
            yield Violation(
                f"{path}.failures",
                "are about requests for tokens, and this method makes none: write them under a test's failures",
            )
    known = METHODS.get(method.type)
    if known is None:
        return
    for violation in template_violations(
        known, method.settings, known=field_names(spec), secret=secret_fields(spec.config_schema)
    ):
        yield Violation(f"{path}.{violation.path}", violation.message)
    for where, address in asked_addresses(known, method.settings):
        missing = missing_host(address, spec.allowed_hosts)
        if missing is not None:
            yield Violation(
                f"{path}.{where}", f"is asked by the operator, so spec.allowedHosts must have '{missing}'"
            )


def _request_violations(path: str, method: AuthMethod, spec: DefinitionSpec) -> Iterator[Violation]:
    """Yield what is wrong in that which a method says of tests and their requests."""
    tests = {test.name for test in spec.tests}
    if method.test is not None and method.test not in tests:
        names = ", ".join(f"'{name}'" for name in sorted(tests))
        yield Violation(
            f"{path}.test",
            f"there is no test '{method.test}'{did_you_mean(method.test, tests)}; spec.tests has {names}",
        )
    known, secret = field_names(spec), secret_fields(spec.config_schema)
    if method.base_url is not None:
        yield from _base_url_violations(f"{path}.baseURL", method.base_url, known, secret)
    yield from check_headers(f"{path}.headers", method.headers, known=known, secret=secret)


def _help_violations(path: str, method: AuthMethod) -> Iterator[Violation]:
    """Yield the keys that are explained and never read. The method's settings must have no violations."""
    type_ = METHODS[method.type]
    read = {
        key.name for settings in possible_settings(method.settings) for key in type_.secret_keys(settings)
    }
    for index, entry in enumerate(method.credentials):
        if entry.key not in read:
            names = ", ".join(f"'{name}'" for name in sorted(read))
            yield Violation(
                f"{path}.credentials[{index}].key",
                f"the method does not read '{entry.key}'{did_you_mean(entry.key, read)}; it reads {names}",
            )


def _base_url_violations(
    path: str, text: str, known: Collection[str], secret: Collection[str]
) -> Iterator[Violation]:
    if problem := template_problem(text, known, secret) or base_url_problem(text):
        yield Violation(path, problem)


def _template_violations(spec: DefinitionSpec) -> Iterator[Violation]:
    known, secret = field_names(spec), secret_fields(spec.config_schema)
    for path, text in _templated(spec):
        problem = template_problem(text, known, secret)
        if problem:
            yield Violation(path, problem)
    yield from _base_url_violations("spec.baseURL", spec.base_url, known, secret)
    for index, host in enumerate(spec.allowed_hosts):
        if problem := allowed_host_problem(host):
            yield Violation(f"spec.allowedHosts[{index}]", problem)
    bundle = spec.trust.ca_bundle if spec.trust else None
    fault = pem_fault(bundle) if bundle and "{{" not in bundle else None
    if fault:
        yield Violation("spec.trust.caBundle", f"is no PEM certificate: {fault}")


def _templated(spec: DefinitionSpec) -> Iterator[tuple[str, str]]:
    """Yield the strings outside of tests in which '{{ config.x }}' may stand, with their paths; addresses are apart."""
    for index, host in enumerate(spec.allowed_hosts):
        yield f"spec.allowedHosts[{index}]", host
    if spec.trust and spec.trust.ca_bundle:
        yield "spec.trust.caBundle", spec.trust.ca_bundle


def _preset_violations(spec: DefinitionSpec) -> Iterator[Violation]:
    """Check each template: it need not be complete, but with a wrong value no instance could use it."""
    for index, template in enumerate(spec.templates):
        yield from preset_violations(spec.config_schema, template.config, f"spec.templates[{index}].config")


def field_names(spec: DefinitionSpec) -> frozenset[str]:
    """Return the names of the configSchema's top-level fields: those that texts may refer to."""
    properties = spec.config_schema.get("properties")
    return frozenset(properties) if isinstance(properties, Mapping) else frozenset()
