"""Which tests an instance has: the definition's default one, those of the definition that it names, and its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

from integration_hub.config.durations import parse_duration
from integration_hub.config.violation import Violation
from integration_hub.model.definition import AuthMethod, DefinitionSpec
from integration_hub.model.instance import InstanceSpec
from integration_hub.model.testing import ConnectionTest, SavedTest, TestMonitor, TestRequest, TestSettings
from integration_hub.reconcile.checks import check_test
from integration_hub.reconcile.inputs import Timing


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many results in a row change a verdict."""

    failure: int = 1
    """Failures that may pass by themselves, after which a working connection counts as broken."""
    unknown: int = 3
    """Results that could not tell, after which nobody knows whether a working connection still works."""
    recovery: int = 1
    """Successes after which a broken connection counts as working."""


@dataclass(frozen=True, slots=True)
class SuiteTest:
    """A test that an instance makes."""

    name: str
    settings: TestSettings
    request: TestRequest
    default: bool
    """Whether it is the one that proves the credentials: the first, which every other waits for."""
    required: bool
    """Whether Ready depends on it."""
    interval: timedelta
    thresholds: Thresholds


def suite_violations(
    spec: InstanceSpec,
    definition: DefinitionSpec,
    method: AuthMethod | None = None,
    *,
    known: Collection[str],
    secret: Collection[str],
) -> Iterator[Violation]:
    """Yield what is wrong in an instance's `spec.tests`, by path. `method` is the auth method that it uses."""
    default = definition.test_of(method)
    ours = {test.name: test for test in definition.tests}
    for index, entry in enumerate(spec.tests):
        path = f"spec.tests[{index}]"
        namesake = ours.get(entry.name)
        if entry.request is not None:
            if namesake is not None:
                yield Violation(
                    f"{path}.name",
                    f"'{entry.name}' is a test of the definition: choose another name, or leave 'request' out to"
                    " make the definition's test",
                )
            yield from check_test(path, entry, entry.request, known=known, secret=secret)
        elif namesake is None:
            names = ", ".join(f"'{name}'" for name in ours)
            yield Violation(
                f"{path}.name",
                f"the definition has no test '{entry.name}' (it has {names}): choose one of them, or add a 'request'",
            )
        elif namesake is default and entry.optional:
            yield Violation(
                f"{path}.optional", f"'{entry.name}' is the default test, which cannot be optional"
            )


def suite_of(
    spec: InstanceSpec, definition: DefinitionSpec, timing: Timing, method: AuthMethod | None = None
) -> tuple[SuiteTest, ...]:
    """Return an instance's tests, the default one of its auth method first.

    The instance must have no `suite_violations`.
    """
    ours = {test.name: test for test in definition.tests}
    default = definition.test_of(method)
    chosen = {entry.name: entry for entry in spec.tests}
    first = _suite_test(default, chosen.pop(default.name, None), spec, timing, default=True)
    return (first, *(_suite_test(ours.get(name), entry, spec, timing) for name, entry in chosen.items()))


def _suite_test(
    ours: ConnectionTest | None,
    entry: SavedTest | None,
    spec: InstanceSpec,
    timing: Timing,
    *,
    default: bool = False,
) -> SuiteTest:
    settings: TestSettings | None = ours or entry
    request = ours.request if ours else entry.request if entry else None
    if settings is None or request is None:
        raise ValueError("a test is the definition's or has a request")
    # The nearest to the test's owner wins, field by field.
    monitors = [
        monitor
        for monitor in (entry.monitor if entry else None, spec.monitor, ours.monitor if ours else None)
        if monitor
    ]
    return SuiteTest(
        name=settings.name,
        settings=settings,
        request=request,
        default=default,
        required=entry is None or not entry.optional,
        interval=_interval(monitors, timing),
        thresholds=_thresholds(monitors),
    )


def _interval(monitors: list[TestMonitor], timing: Timing) -> timedelta:
    text = next((monitor.interval for monitor in monitors if monitor.interval), None)
    return parse_duration(text) if text else timing.interval


def _thresholds(monitors: list[TestMonitor]) -> Thresholds:
    failure = next((monitor.failure_threshold for monitor in monitors if monitor.failure_threshold), None)
    recovery = next((monitor.recovery_threshold for monitor in monitors if monitor.recovery_threshold), None)
    standard = Thresholds()
    return Thresholds(
        failure=failure or standard.failure,
        unknown=failure or standard.unknown,
        recovery=recovery or standard.recovery,
    )
