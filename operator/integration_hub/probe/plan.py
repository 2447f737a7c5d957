"""From a definition's test and an instance's configuration to the request that will be sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration_hub.auth.custom.anonymous import Anonymous
from integration_hub.auth.custom.method import Custom
from integration_hub.config.profile import secret_fields
from integration_hub.config.templates import (
    field_alone,
    fields_without_value,
    is_left_out,
    render_allowed_host,
    render_base_url,
    render_header,
    render_json,
    render_path,
    render_query_value,
    render_text,
)
from integration_hub.model.definition import AuthMethod, DefinitionSpec
from integration_hub.model.http import HttpRequest
from integration_hub.model.testing import FailureRule, TestRequest, TestSettings


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
    config: Mapping[str, Any]
    """The configuration that the request was made of, for expressions. No secret stands in it."""
    token_failures: tuple[FailureRule, ...] = ()
    """What refused requests for tokens mean, by the auth method."""
    open_methods: tuple[str, ...] = ()
    """Names of the definition's auth methods that send no credential."""
    path_field: str | None = None
    """The configuration's field that says alone what is asked for; None where the test's path says some of it."""


def plan_probe(
    spec: DefinitionSpec,
    test: TestSettings,
    request: TestRequest,
    config: Mapping[str, Any],
    method: AuthMethod | None = None,
) -> ProbePlan:
    """Render a test's request with an effective configuration, as it is made with this auth method.

    Raise TemplateError where a value cannot stand in the place that a template puts it.
    """
    headers = {
        name: render_header(value, config)
        for name, value in _headers(request, method).items()
        if not is_left_out(value, config)
    }
    body: bytes | None = None
    if request.body is not None:
        body = json.dumps(render_json(request.body, config)).encode()
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
    if "accept" not in {name.lower() for name in headers}:
        headers["Accept"] = "application/json"
    bundle = spec.trust.ca_bundle if spec.trust else None
    secret = secret_fields(spec.config_schema)
    return ProbePlan(
        test=test,
        request=HttpRequest(
            method=request.method,
            url=render_base_url(spec.base_url_of(method), config) + render_path(request.path, config),
            headers=headers,
            query=tuple(
                (name, render_query_value(value, config))
                for name, value in request.query.items()
                if not is_left_out(value, config)
            ),
            body=body,
        ),
        allowed_hosts=tuple(
            render_allowed_host(entry, config) for entry in _usable(spec.allowed_hosts, config)
        ),
        ca_bundle=(render_text(bundle, config) if bundle else "") or None,
        config={name: value for name, value in config.items() if name not in secret},
        token_failures=tuple(method.failures) if method is not None else (),
        open_methods=tuple(
            other.name
            for other in spec.auth_methods
            if other.type == Custom.type and Anonymous.type in other.settings
        ),
        path_field=field_alone(request.path),
    )


def _headers(request: TestRequest, method: AuthMethod | None) -> Mapping[str, str]:
    """Return the headers that are declared: those of the method, and those of the test in place of their namesakes."""
    own = {name.lower() for name in request.headers}
    shared = method.headers.items() if method is not None else ()
    return {**{name: value for name, value in shared if name.lower() not in own}, **request.headers}


def _usable(entries: Sequence[str], config: Mapping[str, Any]) -> Sequence[str]:
    """Return the entries of `allowedHosts` whose fields have a value: another method's address can have its own.

    Where none has, all are: rendering them then names the field that is missing.
    """
    return [entry for entry in entries if not fields_without_value(entry, config)] or entries
