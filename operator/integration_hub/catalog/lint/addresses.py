"""Rules about where requests go: that the address is complete, and that nobody can lead credentials elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from integration_hub.auth.methods import METHODS
from integration_hub.auth.templates import asked_addresses
from integration_hub.catalog.lint.subject import SELF_HOSTED, Finding, Subject, error, warning
from integration_hub.config.templates import fields_in
from integration_hub.config.violation import joined
from integration_hub.model.definition import AuthMethod, DefinitionSpec

_FIELD: Final = re.compile(r"\{\{\s*config\.([A-Za-z0-9_]+)\s*\}\}")

_FIXED_END: Final = re.compile(r"(\.[A-Za-z0-9-]+){2,}(:\d+)?")

_CLOSED_PATTERN: Final = re.compile(r"\^.*(\\\.[a-z0-9-]+){2,}\$", re.DOTALL)


def placeholders_resolve(subject: Subject) -> Iterator[Finding]:
    """Find fields that every connection needs and that may be left out; one that some methods need, they ask for."""
    needs = [_needs(subject.spec, method) for method in subject.spec.auth_methods]
    for name in subject.fields:
        if name not in subject.always_set and all(name in need for need in needs):
            yield error(
                needs[0][name],
                f"needs 'config.{name}', which may have no value: make the field required, or give it a default",
            )


def _needs(spec: DefinitionSpec, method: AuthMethod) -> dict[str, str]:
    """Return the fields that a connection by this method cannot do without, each with where it stands."""
    test = spec.test_of(method)
    kind = METHODS.get(method.type)
    asked = asked_addresses(kind, method.settings) if kind is not None else ()
    texts = (
        (
            "spec.baseURL" if method.base_url is None else f"spec.authMethods[{method.name}].baseURL",
            spec.base_url_of(method),
        ),
        (f"spec.tests[{test.name}].request.path", test.request.path),
        *((f"spec.authMethods[{method.name}].{where}", address) for where, address in asked),
    )
    return {name: where for where, text in reversed(texts) for name in fields_in(text)}


def hosts_are_closed(subject: Subject) -> Iterator[Finding]:
    """Nobody who writes an instance can choose the host that credentials go to, unless the system is self-hosted."""
    is_self_hosted = subject.is_self_hosted
    is_open = False
    for index, host in enumerate(subject.spec.allowed_hosts):
        name = _open_field(subject, host)
        if name is None:
            continue
        is_open = True
        if not is_self_hosted:
            yield error(
                joined("spec.allowedHosts", index),
                f"lets 'config.{name}' choose any host, so that credentials can be sent anywhere: end it with the"
                " vendor's domain, give the field an enum or a pattern that ends with that domain, or, of a system that"
                f' people run themselves, set the annotation {SELF_HOSTED}: "true"',
            )
    if is_self_hosted and not is_open:
        yield warning(
            f"metadata.annotations.{SELF_HOSTED}", "is not needed: every entry of allowedHosts is closed"
        )


def _open_field(subject: Subject, host: str) -> str | None:
    """Return the field that can choose any host; None where the entry is closed."""
    names = _FIELD.findall(host)
    if not names or _FIXED_END.fullmatch(_FIELD.split(host)[-1]):
        return None
    # What comes last decides whose domain it is.
    field = subject.fields.get(names[-1], {})
    is_closed = "enum" in field or "const" in field or _ends_with_a_domain(str(field.get("pattern", "")))
    return None if is_closed else str(names[-1])


def _ends_with_a_domain(pattern: str) -> bool:
    """Tell whether all that a pattern matches ends with the same domain."""
    if not _CLOSED_PATTERN.fullmatch(pattern):
        return False
    depth = 0
    for sign in re.sub(r"\\.|\[[^\]]*\]", "", pattern):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth == 0:
            return False
    return True
