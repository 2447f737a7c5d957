"""What to do about a finding, where definition and configuration tell more than the reason's own remedy can say."""

from __future__ import annotations

from integration_hub.probe.facts import Facts


def about_unproven(facts: Facts) -> str:
    """Say which way out there is where a credential proves nothing, in the order of who can take it."""
    plan, test = facts.plan, facts.plan.test.name
    if plan.open_methods:
        names = " or ".join(f"'{name}'" for name in plan.open_methods)
        on_purpose = f"choose the auth method {names} (spec.auth.method), which sends no credential."
    else:
        on_purpose = (
            "the definition's author can add an auth method that sends none ('custom' with 'anonymous')."
        )
    if plan.path_field is not None:
        protected = (
            f"name in spec.config.{plan.path_field}, which the test '{test}' asks for, something that only those get"
            " who have a credential."
        )
    else:
        protected = f"the author of the test '{test}' should let it ask for what only those get who have a credential."
    return f"Have the system protected. Where it is open on purpose, {on_purpose} Where it is protected, {protected}"
