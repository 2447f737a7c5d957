"""Constrained types of the kinds' fields, each with the CEL rule or bound that the API server enforces.

What may live here: `Annotated` types shared by the two kinds. A rule's message is read by the person whose manifest
was refused, so it says what is expected, with an example.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field


def cel(*rules: tuple[str, str], path: str = "") -> dict[str, Any]:
    """Return the schema extra for `x-kubernetes-validations` from (rule, message) pairs.

    `path`, like '.id', names the field below that a refusal points at, if not where the rule stands.
    """
    where = {"fieldPath": path} if path else {}
    entries = [{"rule": rule, "message": message, **where} for rule, message in rules]
    return {"x-kubernetes-validations": entries}


def every_rule(*extras: dict[str, Any]) -> dict[str, Any]:
    """Return the schema extra with the rules of several `cel`, whose refusals point at different fields."""
    return {
        "x-kubernetes-validations": [rule for extra in extras for rule in extra["x-kubernetes-validations"]]
    }


DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

DisplayName = Annotated[str, Field(min_length=1, max_length=100)]
Description = Annotated[str, Field(max_length=2000)]
EntryName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        json_schema_extra=cel(
            (
                f"self.matches('{DNS_LABEL}')",
                "must be lower-case letters, digits and '-', beginning and ending with no '-', like 'api-key'",
            )
        ),
    ),
]
"""The name of an entry in a list: a test, an auth method, a template."""

SecretKeyName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=cel(
            (
                "self.matches('^[-._a-zA-Z0-9]+$')",
                "must be the name of a key in the Secret: letters, digits, '-', '_' and '.', like 'clientSecret'",
            )
        ),
    ),
]
"""The name of a key in a Secret, as Kubernetes allows it."""

ObjectName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=cel(
            (
                f"self.matches('{DNS_SUBDOMAIN}')",
                "must be the name of an object and nothing else (no namespace, no key): lower-case letters, digits,"
                " '-' and '.', like 'salesforce-token'",
            )
        ),
    ),
]
"""The name of another Kubernetes object, in the same namespace or without one."""

HttpsURL = Annotated[
    str,
    Field(
        max_length=2000,
        json_schema_extra=cel(
            (
                "self.matches('^https://[^ ]+$')",
                "must be an absolute https:// URL, like 'https://docs.example.com/'",
            )
        ),
    ),
]

Duration = Annotated[
    str,
    Field(
        max_length=20,
        json_schema_extra=cel(
            (
                "self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('10s')"
                " && duration(self) <= duration('168h')",
                "must be a duration between 10s and 168h, like '5m' or '1h30m'",
            )
        ),
    ),
]
"""At most six digits to a number: more would overflow CEL's duration(), whose error hides the message."""

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""An RFC 3339 time, like '2026-01-31T12:00:00Z'."""

Expression = Annotated[str, Field(min_length=1, max_length=1000)]
"""A CEL expression over `response` and `config`. The operator compiles it and reports mistakes by path and position."""

JsonObject = Annotated[
    dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
]
"""An object whose fields the CRD leaves open; the operator validates them and reports by path."""

JsonValue = Annotated[Any, Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]


def list_map(key: str, *, max_items: int) -> dict[str, Any]:
    """Return the schema extra of a list whose entries are told apart by `key`: the API server refuses duplicates."""
    return {"maxItems": max_items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def atomic_list(*, max_items: int) -> dict[str, Any]:
    """Return the schema extra of a list that is replaced as a whole."""
    return {"maxItems": max_items, "x-kubernetes-list-type": "atomic"}
