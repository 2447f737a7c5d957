"""What must hold before a test makes sense, in order. Each gate is a pure function named after its condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from integration_hub.auth.flow import AuthContext, AuthMethodType
from integration_hub.auth.methods import METHODS
from integration_hub.auth.templates import render_settings
from integration_hub.config.profile import secret_fields
from integration_hub.config.templates import TemplateError, render_base_url
from integration_hub.config.validation import ConfigValidator
from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition
from integration_hub.model.definition import AuthMethod, ConfigTemplate, DefinitionSpec
from integration_hub.model.reasons import Reason
from integration_hub.probe.diagnose import unknown
from integration_hub.probe.plan import ProbePlan, plan_probe
from integration_hub.reconcile.definition import CheckedDefinition, field_names, listed
from integration_hub.reconcile.inputs import Inputs
from integration_hub.reconcile.suite import SuiteTest, suite_of, suite_violations


class PlannedTest(NamedTuple):
    """A test and its request."""

    test: SuiteTest
    plan: ProbePlan


@dataclass(frozen=True, slots=True)
class Ready:
    """What the gates let through: everything that tests need but the credentials."""

    tests: tuple[PlannedTest, ...]
    """The default test first."""
    method: AuthMethod
    method_type: AuthMethodType
    settings: Mapping[str, Any]
    """The method's settings, with the configuration filled in."""
    base_url: str
    """The address below which tests go, with the configuration filled in."""
    context: AuthContext
    """What auth flows may know besides settings and credentials."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """The conditions that the gates decided, and what they let through (None where one is not True)."""

    conditions: tuple[Condition, ...]
    passed: Ready | None
    method: AuthMethod | None


class Considered:
    """The inputs, and what follows from them; each thing is worked out once, when a gate first asks for it.

    Everything below `spec` is asked for only after `definition_resolved` has let the definition through.
    """

    def __init__(self, inputs: Inputs) -> None:
        """Work out nothing yet."""
        self.inputs = inputs

    @cached_property
    def checked(self) -> CheckedDefinition:
        """The definition."""
        if self.inputs.definition is None:
            raise ValueError("no gate after the first is asked without a definition")
        return self.inputs.definition

    @cached_property
    def spec(self) -> DefinitionSpec:
        """The definition's spec."""
        if self.checked.spec is None:
            raise ValueError("no gate after the first is asked about a definition that cannot be read")
        return self.checked.spec

    @cached_property
    def validator(self) -> ConfigValidator:
        """The definition's configSchema, compiled."""
        if self.checked.validator is None:
            raise ValueError("no gate after the first is asked about a definition with an unusable schema")
        return self.checked.validator

    @cached_property
    def template(self) -> ConfigTemplate | None:
        """The template that the instance names, None where it names none or there is none of that name."""
        wanted = self.inputs.instance.spec.template
        return next((template for template in self.spec.templates if template.name == wanted), None)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration in force: defaults of the schema, then the template's preset, then the instance's own."""
        preset: Mapping[str, Any] = self.template.config if self.template else {}
        return self.validator.effective(self.inputs.instance.spec.config, preset)

    @cached_property
    def tests(self) -> tuple[PlannedTest, ...]:
        """The tests, made ready. TemplateError where a value cannot stand where a test puts it."""
        suite = suite_of(self.inputs.instance.spec, self.spec, self.inputs.timing, self.method)
        return tuple(PlannedTest(test, self._plan(test)) for test in suite)

    def _plan(self, test: SuiteTest) -> ProbePlan:
        return plan_probe(self.spec, test.settings, test.request, self.config, self.method)

    @cached_property
    def base_url(self) -> str:
        """The base URL: the method's own, else the definition's. TemplateError where a value cannot stand there."""
        return render_base_url(self.spec.base_url_of(self.method), self.config)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The auth method's settings, with the configuration filled in. TemplateError where a value cannot stand."""
        if self.method is None:
            return {}
        return render_settings(METHODS[self.method.type], self.method.settings, self.config)

    @cached_property
    def method(self) -> AuthMethod | None:
        """The auth method that the instance names, or the only one where it names none."""
        if self.inputs.definition is None or self.inputs.definition.spec is None:
            return None
        methods = self.inputs.definition.spec.auth_methods
        wanted = self.inputs.instance.spec.auth.method
        if wanted is None:
            return methods[0] if len(methods) == 1 else None
        return next((method for method in methods if method.name == wanted), None)


def pass_gates(inputs: Inputs) -> GateResult:
    """Decide the conditions that need no credentials; stop at the first that is not True."""
    considered = Considered(inputs)
    found: list[Condition] = []
    for gate in GATES:
        condition = gate(considered)
        if condition is not None:
            found.append(condition)
            if condition.status != "True":
                return GateResult(tuple(found), None, considered.method)
    if considered.method is None:
        raise ValueError("the last gate lets nothing through without an auth method")
    return GateResult(
        tuple(found),
        Ready(
            considered.tests,
            considered.method,
            METHODS[considered.method.type],
            considered.settings,
            considered.base_url,
            replace(inputs.context, api=_origin(considered.base_url)),
        ),
        considered.method,
    )


def _origin(url: str) -> str:
    """Return scheme, host and port of an absolute URL."""
    return "/".join(url.split("/", 3)[:3])


def definition_resolved(considered: Considered) -> Condition:
    """Tell whether the definition exists and can be used."""
    definition, name = considered.inputs.definition, considered.inputs.instance.spec.definition_ref.name
    if definition is None:
        similar = " or ".join(f"'{known}'" for known in considered.inputs.similar_definitions)
        message = f"There is no IntegrationDefinition '{name}'." + (
            f" Did you mean {similar}?" if similar else ""
        )
        return _false(c.DEFINITION_RESOLVED, Reason.DEFINITION_NOT_FOUND, message)
    if definition.violations:
        message = f"IntegrationDefinition '{name}' has mistakes: {listed(definition.violations)}."
        return _false(c.DEFINITION_RESOLVED, Reason.DEFINITION_INVALID, message)
    return Condition(
        type=c.DEFINITION_RESOLVED,
        status="True",
        reason=Reason.RESOLVED,
        message=f"IntegrationDefinition '{name}' is valid.",
    )


def config_valid(considered: Considered) -> Condition:
    """Tell whether the configuration, with its template, satisfies the schema and can stand where it is used."""
    inputs = considered.inputs
    if inputs.name_owner is not None:
        message = f"'{inputs.instance.display_name}' is the display name of the older instance '{inputs.name_owner}'."
        return _false(c.CONFIG_VALID, Reason.DISPLAY_NAME_TAKEN, message)
    wanted = inputs.instance.spec.template
    if wanted is not None and considered.template is None:
        names = ", ".join(f"'{template.name}'" for template in considered.spec.templates)
        has = f"it has {names}" if names else "it has none at all"
        message = f"spec.template: the definition has no template '{wanted}'; {has}."
        return _false(c.CONFIG_VALID, Reason.TEMPLATE_NOT_FOUND, message)
    violations = considered.validator.violations(considered.config)
    if violations:
        return _false(c.CONFIG_VALID, Reason.CONFIG_INVALID, f"{listed(violations)}.")
    mistakes = list(
        suite_violations(
            inputs.instance.spec,
            considered.spec,
            considered.method,
            known=field_names(considered.spec),
            secret=secret_fields(considered.spec.config_schema),
        )
    )
    if mistakes:
        return _false(c.CONFIG_VALID, Reason.TESTS_INVALID, f"{listed(mistakes)}.")
    try:
        # Without a method nobody knows the address; which fields are needed is told once a method is chosen.
        _ = (considered.tests, considered.settings) if considered.method is not None else ()
    except TemplateError as error:
        return _false(c.CONFIG_VALID, Reason.CONFIG_INVALID, f"spec.config.{error.field}: {error}.")
    return Condition(
        type=c.CONFIG_VALID, status="True", reason=Reason.VALID, message="The configuration is valid."
    )


def auth_method_chosen(considered: Considered) -> Condition | None:
    """Tell which auth method is missing; say nothing where one is chosen: whether its credentials are there is open."""
    if considered.method is not None:
        return None
    names = ", ".join(f"'{method.name}'" for method in considered.spec.auth_methods)
    wanted = considered.inputs.instance.spec.auth.method
    said = (
        f"the definition has no auth method '{wanted}'"
        if wanted
        else "the definition has several auth methods"
    )
    return _false(
        c.CREDENTIALS_AVAILABLE,
        Reason.AUTH_METHOD_NOT_FOUND,
        f"spec.auth.method: {said}; choose one of {names}.",
    )


GATES: tuple[Callable[[Considered], Condition | None], ...] = (
    definition_resolved,
    config_valid,
    auth_method_chosen,
)
"""In the order of `DOMAIN_CONDITIONS`; a later gate may rely on the earlier ones."""


def undecided(decided: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return the domain conditions that the decided ones leave open, as not known."""
    have = {condition.type for condition in decided}
    return tuple(unknown(type_) for type_ in c.DOMAIN_CONDITIONS if type_ not in have)


def _false(type_: str, reason: Reason, message: str) -> Condition:
    return Condition(type=type_, status="False", reason=reason, message=message)
