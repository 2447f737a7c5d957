"""What is wrong with an object that is about to be stored: the gates of a reconcile, asked before it is.

It is a courtesy to whoever applies a manifest, who learns at once what the object's condition would say later. The
operator relies on none of it and asks everything again: objects can be stored while no webhook answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.definition import CheckedDefinition, check_definition, listed, parse_violation
from integration_hub.reconcile.gates import pass_gates
from integration_hub.reconcile.inputs import Inputs

Raw = Mapping[str, Any]

_OWN_MISTAKES: Final = frozenset(
    {Reason.CONFIG_INVALID, Reason.TESTS_INVALID, Reason.TEMPLATE_NOT_FOUND, Reason.AUTH_METHOD_NOT_FOUND}
)
"""What whoever writes an instance can mend in it. All else may be mended elsewhere, so that it is only warned of."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of an object; with neither, all is well."""

    refusal: str | None = None
    """Why it must not be stored."""
    warning: str | None = None
    """What whoever applies it should know."""


def is_unchanged(new: Raw, old: Raw | None) -> bool:
    """Tell whether a change leaves the spec as it was: what is wrong in it must not keep a label from being changed."""
    return old is not None and new.get("spec") == old.get("spec")


def verdict_on_definition(raw: Raw) -> Verdict:
    """Return what is wrong in a definition."""
    violations = check_definition(raw).violations
    return Verdict(refusal=f"{listed(violations)}.") if violations else Verdict()


def definition_named_by(raw: Raw) -> str | None:
    """Return the name of the definition that an instance is of; None where it names none."""
    reference = (raw.get("spec") or {}).get("definitionRef") or {}
    name = reference.get("name")
    return name if isinstance(name, str) else None


_LEADS_THE_SECRET: Final = ("template", "config", "auth", "tests", "binding")
"""Parts of the spec that say which Secret is used, where what is in it is sent, and who is handed what came of it."""


def secret_to_ask_about(new: Raw, old: Raw | None) -> str | None:
    """Return the Secret whose values an instance uses in a way that it did not before; None where there is none.

    It need not be another Secret: whoever changes the address has the same one sent elsewhere. (Its definition an
    instance keeps for life.)
    """
    spec = new.get("spec") or {}
    name = ((spec.get("auth") or {}).get("secretRef") or {}).get("name")
    if not isinstance(name, str):
        return None
    before = (old or {}).get("spec") or {}
    is_led_as_before = old is not None and all(
        spec.get(part) == before.get(part) for part in _LEADS_THE_SECRET
    )
    return None if is_led_as_before else name


def verdict_on_instance(raw: Raw, definition: CheckedDefinition | None, now: datetime) -> Verdict:
    """Return what is wrong in an instance of this definition, None where there is none of that name."""
    try:
        instance = IntegrationInstance.model_validate(raw)
    except ValidationError as error:
        problems = [parse_violation(p) for p in error.errors(include_url=False, include_input=False)]
        return Verdict(refusal=f"{listed(problems)}.")
    inputs = Inputs(instance=instance, definition=definition, secret_version=None, name_owner=None, now=now)
    last = pass_gates(inputs).conditions[-1]
    if last.status == "True":
        return Verdict()
    if last.reason in _OWN_MISTAKES:
        return Verdict(refusal=last.message)
    return Verdict(warning=last.message)
