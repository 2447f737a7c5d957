"""Rules about where requests go: that the address is complete, and that nobody can lead credentials elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from integration_hub.auth.methods import METHODS
from integration_hub.auth.templates import asked_addresses
from integration_hub.catalog.lint.shared_domains import BOTH, is_shared
from integration_hub.catalog.lint.subject import SELF_HOSTED, Finding, Subject, error, warning
from integration_hub.config.templates import fields_in
from integration_hub.config.violation import joined
from integration_hub.model.definition import AuthMethod, DefinitionSpec

_FIELD: Final = re.compile(r"\{\{\s*config\.([A-Za-z0-9_]+)\s*\}\}")

_FIXED_END: Final = re.compile(r"\.(?P<domain>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)(:\d+)?")
_ANY_BELOW: Final = re.compile(r"\*\.(?P<domain>[^:{]+)(:\d+)?")

_CLOSED_PATTERN: Final = re.compile(r"\^.*?(?P<domain>(\\\.[a-z0-9-]+){2,})\$", re.DOTALL)
_WITHOUT_A_DOT: Final = re.compile(r"\^(?!.*\[\^)[^.\\|]*\$", re.DOTALL)
"""A pattern that matches one label at most."""


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
        opening = _opening(subject, host)
        if opening is None:
            continue
        is_open = True
        if not is_self_hosted:
            yield error(
                joined("spec.allowedHosts", index),
                f"lets {opening}, so that credentials can be sent anywhere: end it with the"
                " vendor's domain, give the field an enum or a pattern that ends with that domain, or, of a system that"
                f' people run themselves, set the annotation {SELF_HOSTED}: "true"',
            )
    if is_self_hosted and not is_open:
        yield warning(
            f"metadata.annotations.{SELF_HOSTED}", "is not needed: every entry of allowedHosts is closed"
        )


def _opening(subject: Subject, host: str) -> str | None:
    """Return what an entry lets others do, in words; None where it is closed."""
    names = _FIELD.findall(host)
    if not names:
        below = _ANY_BELOW.fullmatch(host)
        return _choice("whoever writes an instance", below["domain"]) if below is not None else None
    # What comes last decides whose domain it is.
    name, last = names[-1], subject.fields.get(names[-1], {})
    if "enum" in last or "const" in last:
        return None
    pattern = str(last.get("pattern", ""))
    end = _FIXED_END.fullmatch(_FIELD.split(host)[-1])
    if end is None:
        domain = _end_of(pattern)
        return f"'config.{name}' choose any host" if not domain else _choice(f"'config.{name}'", domain)
    is_label_of_the_vendor = (
        len(names) == 1 and not host.startswith("{") and _WITHOUT_A_DOT.fullmatch(pattern)
    )
    if end["domain"].lower() in BOTH and is_label_of_the_vendor:
        return None
    return _choice(f"'config.{name}'", end["domain"])


def _choice(who: str, domain: str) -> str | None:
    domain = domain.lower()
    if domain in BOTH or is_shared(domain):
        return f"{who} choose any host below '{domain}', where anybody can have one"
    return None


def _end_of(pattern: str) -> str:
    """Return the domain with which all ends that a pattern matches, empty where there is none."""
    found = _CLOSED_PATTERN.fullmatch(pattern)
    if found is None:
        return ""
    depth = 0
    for sign in re.sub(r"\\.|\[[^\]]*\]", "", pattern):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth == 0:
            return ""
    return found["domain"].replace("\\", "").removeprefix(".")
