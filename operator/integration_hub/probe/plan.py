"""From a definition's test and an instance's configuration to the request that will be sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integration_hub.config.templates import (
    render_allowed_host,
    render_base_url,
    render_header,
    render_json,
    render_path,
    render_query_value,
    render_text,
)
from integration_hub.model.definition import DefinitionSpec
from integration_hub.model.http import HttpRequest
from integration_hub.model.testing import TestRequest, TestSettings


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """A test made ready: the request without credentials, and where it may go."""

    test: TestSettings
    """What the answer must look like, and what its failures mean."""
    request: HttpRequest
    allowed_hosts: tuple[str, ...]
    """Rendered entries of the definition's `allowedHosts`."""
    ca_bundle: str | None
    """PEM certificates to trust instead of the system's own."""


def plan_probe(
    spec: DefinitionSpec, test: TestSettings, request: TestRequest, config: Mapping[str, Any]
) -> ProbePlan:
    """Render a test's request with an effective configuration.

    Raise TemplateError where a value cannot stand in the place that a template puts it.
    """
    headers = {name: render_header(value, config) for name, value in request.headers.items()}
    body: bytes | None = None
    if request.body is not None:
        body = json.dumps(render_json(request.body, config)).encode()
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
    if "accept" not in {name.lower() for name in headers}:
        headers["Accept"] = "application/json"
    bundle = spec.trust.ca_bundle if spec.trust else None
    return ProbePlan(
        test=test,
        request=HttpRequest(
            method=request.method,
            url=render_base_url(spec.base_url, config) + render_path(request.path, config),
            headers=headers,
            query=tuple((name, render_query_value(value, config)) for name, value in request.query.items()),
            body=body,
        ),
        allowed_hosts=tuple(render_allowed_host(entry, config) for entry in spec.allowed_hosts),
        ca_bundle=(render_text(bundle, config) if bundle else "") or None,
    )
