"""Rules about tests: that they prove something, say who is connected, and tell failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from integration_hub.catalog.lint.subject import NO_IDENTITY, Finding, Subject, error, warning
from integration_hub.config.templates import fields_in
from integration_hub.model.testing import FailureRule
from integration_hub.probe.expressions import compile_expression
from integration_hub.probe.identity import fields_read_unasked
from integration_hub.reconcile.checks import expressions_of


def tests_tell_who(subject: Subject) -> Iterator[Finding]:
    """Tests that prove methods say who is connected, or the definition says why not; every test has a name."""
    said = subject.annotations.get(NO_IDENTITY, "").strip()
    proofs = {test.name: test for test in map(subject.spec.test_of, subject.spec.auth_methods)}
    for name, test in proofs.items():
        if test.identity is None and not said:
            yield error(
                f"spec.tests[{name}].identity",
                "is missing: name the place in the answer that says who is connected, or say in the annotation"
                f" {NO_IDENTITY} why there is none",
            )
    if said and all(test.identity is not None for test in proofs.values()):
        yield warning(f"metadata.annotations.{NO_IDENTITY}", "is not needed: there is an identity")
    for test in subject.spec.tests:
        path = f"spec.tests[{test.name}]"
        if test.request.method not in {"GET", "HEAD", "POST"}:
            yield error(f"{path}.request.method", "changes something, and a test is made again and again")
        if not test.display_name:
            yield error(f"{path}.displayName", "is missing: it says what is tried")
        if not test.failures:
            yield warning(
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
            yield warning(
                f"spec.tests[{name}].proveCredential",
                "is not set: whoever runs such a system may let anybody ask for this, and without an identity nothing"
                " would tell; with 'true' the same is asked for without the credential, too",
            )


def configuration_is_asked_for(subject: Subject) -> Iterator[Finding]:
    """Expressions ask for a field that may have no value before they read it; a failure's condition then is not met."""
    for test in subject.spec.tests:
        known = subject.always_set | fields_in(test.request.path)
        read = [(where, compile_expression(text).unasked) for where, text in expressions_of(test)]
        if test.identity is not None:
            read.append(("identity", fields_read_unasked(test.identity)))
        for where, fields in read:
            for name in sorted(fields):
                if name not in known:
                    yield error(
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
                yield error(
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
            yield error(
                f"{path}[{index}].when", f"is the same as that of {path}[{first}], which is told in its place"
            )
