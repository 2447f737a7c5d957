"""What must hold before a test makes sense, decided in order. Each gate is a pure function named after its condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integration_hub.auth.flow import AuthMethodType
from integration_hub.auth.methods import METHODS
from integration_hub.config.templates import TemplateError
from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition
from integration_hub.model.definition import AuthMethod, ConfigTemplate, DefinitionSpec
from integration_hub.model.reasons import Reason
from integration_hub.probe.diagnose import unknown
from integration_hub.probe.plan import ProbePlan, plan_probe
from integration_hub.reconcile.definition import listed
from integration_hub.reconcile.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Ready:
    """What the gates let through: everything that a test needs but the credentials."""

    plan: ProbePlan
    method: AuthMethod
    method_type: AuthMethodType


@dataclass(frozen=True, slots=True)
class GateResult:
    """The conditions that the gates decided, and what they let through (None where one is not True)."""

    conditions: tuple[Condition, ...]
    passed: Ready | None
    method: AuthMethod | None


def pass_gates(inputs: Inputs) -> GateResult:
    """Decide the conditions that need no credentials; stop at the first that is not True."""
    found: list[Condition] = []
    for gate in GATES:
        condition = gate(inputs)
        found.append(condition)
        if condition.status != "True":
            break
    ok = len(found) == len(GATES) and found[-1].status == "True"
    method = _chosen_method(inputs)
    if not ok or inputs.definition is None or inputs.definition.spec is None:
        return GateResult(tuple(found), None, method)
    if method is None:
        found.append(_method_not_found(inputs.definition.spec, inputs))
        return GateResult(tuple(found), None, None)
    plan = plan_probe(inputs.definition.spec, inputs.definition.spec.default_test, effective_config(inputs))
    return GateResult(tuple(found), Ready(plan, method, METHODS[method.type]), method)


def definition_resolved(inputs: Inputs) -> Condition:
    """Tell whether the definition exists and can be used."""
    name = inputs.instance.spec.definition_ref.name
    if inputs.definition is None:
        message = f"There is no IntegrationDefinition '{name}'."
        return _false(c.DEFINITION_RESOLVED, Reason.DEFINITION_NOT_FOUND, message)
    if inputs.definition.violations:
        message = f"IntegrationDefinition '{name}' has mistakes: {listed(inputs.definition.violations)}."
        return _false(c.DEFINITION_RESOLVED, Reason.DEFINITION_INVALID, message)
    return Condition(
        type=c.DEFINITION_RESOLVED, status="True", reason=Reason.RESOLVED, message=f"IntegrationDefinition '{name}' is valid."
    )


def config_valid(inputs: Inputs) -> Condition:
    """Tell whether the configuration, with its template, satisfies the schema and can stand where it is used."""
    spec = _spec(inputs)
    if inputs.name_owner is not None:
        message = f"'{inputs.instance.display_name}' is the display name of the older instance '{inputs.name_owner}'."
        return _false(c.CONFIG_VALID, Reason.DISPLAY_NAME_TAKEN, message)
    wanted = inputs.instance.spec.template
    if wanted is not None and _template(spec, wanted) is None:
        names = ", ".join(f"'{template.name}'" for template in spec.templates) or "none"
        message = f"spec.template: the definition has no template '{wanted}'; it has {names}."
        return _false(c.CONFIG_VALID, Reason.TEMPLATE_NOT_FOUND, message)
    config = effective_config(inputs)
    violations = _validator(inputs).violations(config)
    if violations:
        return _false(c.CONFIG_VALID, Reason.CONFIG_INVALID, f"{listed(violations)}.")
    try:
        plan_probe(spec, spec.default_test, config)
    except TemplateError as error:
        return _false(c.CONFIG_VALID, Reason.CONFIG_INVALID, f"spec.config.{error.field}: {error}.")
    return Condition(type=c.CONFIG_VALID, status="True", reason=Reason.VALID, message="The configuration is valid.")


GATES: tuple[Callable[[Inputs], Condition], ...] = (definition_resolved, config_valid)
"""In the order of `DOMAIN_CONDITIONS`; a later gate may rely on the earlier ones."""


def effective_config(inputs: Inputs) -> dict[str, Any]:
    """Return the configuration in force: defaults of the schema, then the template's preset, then the instance's own."""
    wanted = inputs.instance.spec.template
    template = _template(_spec(inputs), wanted) if wanted else None
    preset: Mapping[str, Any] = template.config if template else {}
    return _validator(inputs).effective(inputs.instance.spec.config, preset)


def undecided(decided: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return the domain conditions that the decided ones leave open, as not known."""
    have = {condition.type for condition in decided}
    return tuple(unknown(type_) for type_ in c.DOMAIN_CONDITIONS if type_ not in have)


def _spec(inputs: Inputs) -> DefinitionSpec:
    assert inputs.definition is not None and inputs.definition.spec is not None  # noqa: PT018, S101 - the first gate's promise
    return inputs.definition.spec


def _validator(inputs: Inputs) -> Any:
    assert inputs.definition is not None  # noqa: S101 - the first gate's promise
    return inputs.definition.validator


def _template(spec: DefinitionSpec, name: str) -> ConfigTemplate | None:
    return next((template for template in spec.templates if template.name == name), None)


def _chosen_method(inputs: Inputs) -> AuthMethod | None:
    """The method that the instance names, or the only one where it names none."""
    if inputs.definition is None or inputs.definition.spec is None:
        return None
    methods = inputs.definition.spec.auth_methods
    wanted = inputs.instance.spec.auth.method
    if wanted is None:
        return methods[0] if len(methods) == 1 else None
    return next((method for method in methods if method.name == wanted), None)


def _method_not_found(spec: DefinitionSpec, inputs: Inputs) -> Condition:
    names = ", ".join(f"'{method.name}'" for method in spec.auth_methods)
    wanted = inputs.instance.spec.auth.method
    said = f"the definition has no auth method '{wanted}'" if wanted else "the definition has several auth methods"
    return _false(c.CREDENTIALS_AVAILABLE, Reason.AUTH_METHOD_NOT_FOUND, f"spec.auth.method: {said}; choose one of {names}.")


def _false(type_: str, reason: Reason, message: str) -> Condition:
    return Condition(type=type_, status="False", reason=reason, message=message)
