"""What is wrong in a test, by path: the same rules for a definition's test and for a saved one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from integration_hub.auth.api_key import FORBIDDEN_HEADERS
from integration_hub.config.renderable import header_name_problem, header_problem, path_problem
from integration_hub.config.templates import template_problem
from integration_hub.config.values import did_you_mean
from integration_hub.config.violation import Violation
from integration_hub.model.reasons import reason_problem
from integration_hub.model.testing import FailureRule, TestRequest, TestSettings
from integration_hub.probe.expressions import compile_expression
from integration_hub.probe.identity import fields_read, parse_path

_REFUSED_HEADERS: Final = (
    (
        frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"}),
        "is a header of credentials, which the auth method takes from the Secret; they never stand here",
    ),
    (
        FORBIDDEN_HEADERS - {"content-type"},
        "is a header that frames the message, which the operator does itself; remove it",
    ),
)
"""(names in lower case, message): headers that a test's request cannot have of its own."""


def check_test(
    path: str, test: TestSettings, request: TestRequest, *, known: Collection[str], secret: Collection[str]
) -> Iterator[Violation]:
    """Yield the mistakes of a test at `path`.

    `known` are the fields of the configSchema that its texts may refer to, `secret` those among them that never
    stand in a request.
    """
    for where, text in _templated(f"{path}.request", request):
        problem = template_problem(text, known, secret)
        if problem:
            yield Violation(where, problem)
    if problem := path_problem(request.path):
        yield Violation(f"{path}.request.path", problem)
    yield from check_headers(f"{path}.request.headers", request.headers, known=known, secret=secret)
    if test.identity is not None:
        yield from _identity_violations(f"{path}.identity", test.identity, known, secret)
    if test.error_code is not None:
        yield from _place_violations(f"{path}.errorCode", test.error_code, parse_path)
    for where, text in expressions_of(test):
        yield from _expression_violations(f"{path}.{where}", text, known, secret)
    yield from check_failures(f"{path}.failures", test.failures, reason_problem, known=known, secret=secret)


def check_failures(
    path: str,
    rules: Sequence[FailureRule],
    problem_of: Callable[[str], str | None],
    *,
    known: Collection[str],
    secret: Collection[str],
) -> Iterator[Violation]:
    """Yield the mistakes of failure rules at `path`; `problem_of` tells why a reason cannot be named there."""
    for index, rule in enumerate(rules):
        yield from _expression_violations(f"{path}[{index}].when", rule.when, known, secret)
        if problem := problem_of(rule.reason):
            yield Violation(f"{path}[{index}].reason", problem)


def expressions_of(test: TestSettings) -> Iterator[tuple[str, str]]:
    """Yield what a test makes of an answer that is no failure, each expression with its path below the test."""
    for index, assertion in enumerate(test.expect.assertions):
        yield f"expect.assertions[{index}].rule", assertion.rule
    if test.credential_expires_at is not None:
        yield "credentialExpiresAt", test.credential_expires_at


def check_headers(
    path: str, headers: Mapping[str, str], *, known: Collection[str], secret: Collection[str]
) -> Iterator[Violation]:
    """Yield the mistakes of headers at `path`, one at most of each."""
    for name, value in headers.items():
        refused = next((message for names, message in _REFUSED_HEADERS if name.lower() in names), None)
        problem = (
            header_name_problem(name)
            or refused
            or template_problem(value, known, secret)
            or header_problem(value)
        )
        if problem:
            yield Violation(f"{path}.{name}", problem)


def _place_violations(path: str, expression: str, parse: Callable[[str], object]) -> Iterator[Violation]:
    try:
        parse(expression)
    except ValueError as error:
        yield Violation(path, str(error))


def _identity_violations(
    path: str, text: str, known: Collection[str], secret: Collection[str]
) -> Iterator[Violation]:
    yield from _reading_violations(path, lambda: fields_read(text), known, secret)


def _expression_violations(
    path: str, text: str, known: Collection[str], secret: Collection[str]
) -> Iterator[Violation]:
    yield from _reading_violations(path, lambda: compile_expression(text).config, known, secret)


def _reading_violations(
    path: str, read: Callable[[], Mapping[str, int]], known: Collection[str], secret: Collection[str]
) -> Iterator[Violation]:
    try:
        fields = read()
    except ValueError as error:
        yield Violation(path, str(error))
        return
    for name, at in fields.items():
        if problem := _config_problem(name, known, secret):
            yield Violation(path, f"{problem} (at character {at + 1})")


def _config_problem(name: str, known: Collection[str], secret: Collection[str]) -> str | None:
    """Return why an expression cannot read a field of the configuration, if it cannot."""
    if name in secret:
        return f"'config.{name}' is a secret field (x-hub-secret): expressions read no secrets"
    if name not in known:
        return f"'config.{name[:100]}' is not a field of configSchema{did_you_mean(name, known)}"
    return None


def _templated(path: str, request: TestRequest) -> Iterator[tuple[str, str]]:
    """Yield the strings of a request in which '{{ config.x }}' may stand, with their paths; headers are apart."""
    yield f"{path}.path", request.path
    for name, value in request.query.items():
        yield f"{path}.query.{name}", value
    yield from _strings(f"{path}.body", request.body)


def _strings(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from _strings(f"{path}.{name}", below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _strings(f"{path}[{index}]", below)
