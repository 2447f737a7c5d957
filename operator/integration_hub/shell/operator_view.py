"""What the operator says of a connection, whether that is about the inputs of now, and asking it to look again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from integration_hub.adapters.kube import INSTANCES, ApiError, KubeClient
from integration_hub.model import conditions as c
from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.instance import InstanceStatus, IntegrationInstance, TestResult
from integration_hub.reconcile.inputs import Inputs
from integration_hub.reconcile.standing import standing_of
from integration_hub.shell.tryout import Trial, Verdict
from integration_hub.shell.wishes import new_request

MANAGER = "kubectl-hub"
"""The field manager under which the command line writes."""
LOOK_SECONDS = 0.25
"""Between two looks whether the operator has answered."""

_RESULTS: Mapping[str, TestResult] = {"True": "Success", "False": "Failure"}


def verdict_of(status: InstanceStatus) -> Verdict | None:
    """Return Ready as a verdict; None where the operator has said nothing yet."""
    ready = status.condition(c.READY)
    if ready is None:
        return None
    result = _RESULTS.get(ready.status, "Unknown")
    return Verdict(result, ready.reason, ready.message)


def is_current(inputs: Inputs, trial: Trial) -> bool:
    """Tell whether the operator's verdict is about the inputs that the trial was about."""
    if not trial.tests:
        return inputs.instance.status.observed_generation == inputs.instance.metadata.generation
    return bool(_held(inputs, trial))


def agrees(inputs: Inputs, trial: Trial) -> bool:
    """Tell whether the operator has found of each test what the trial has; else, of the whole."""
    held = _held(inputs, trial)
    if trial.tests and held:
        return all(
            tried.status.name in held
            and (held[tried.status.name].last_result, held[tried.status.name].last_reason)
            == (tried.status.result, tried.status.reason)
            for tried in trial.tests
        )
    verdict = verdict_of(inputs.instance.status)
    return verdict is not None and (verdict.result, verdict.reason) == (
        trial.verdict.result,
        trial.verdict.reason,
    )


def _held(inputs: Inputs, trial: Trial) -> Mapping[str, Any]:
    if not trial.suite:
        return {}
    return standing_of(replace(inputs, secret_version=trial.secret_version), trial.suite).held


async def ask(kube: KubeClient, namespace: str, name: str) -> None:
    """Ask the operator to test an instance now. ApiError where the person may not."""
    patch = {"metadata": {"annotations": {REQUEST_ANNOTATION: new_request()}}}
    await kube.merge(INSTANCES, namespace, name, patch, manager=MANAGER)


async def answered(kube: KubeClient, namespace: str, name: str, seconds: float) -> IntegrationInstance | None:
    """Wait until the operator has acted upon a request and return the instance then; None where it did not in time.

    Somebody else may have asked since, in the same annotation: what the operator did for them was done for us too.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            instance = IntegrationInstance.model_validate(await kube.read(INSTANCES, namespace, name))
            asked = instance.metadata.annotations.get(REQUEST_ANNOTATION)
            if instance.status.last_handled_request == asked:
                return instance
        except ValidationError:
            return None
        except ApiError as error:
            if error.gone:
                raise
            # Whoever restarts its API server meanwhile is answered all the same.
        if time.monotonic() >= deadline:
            return None
        await asyncio.sleep(LOOK_SECONDS)
