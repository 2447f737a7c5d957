"""What is other in a new version of a definition, and what of that breaks connections that there are.

A change breaks where a connection that was good may be refused after it, by whatever it has configured. Whether it does
break one is for the gates to say, which `shell.upgrade` asks. Each rule is a function over a pair of specs; `RULES` is
the table of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from integration_hub.auth.methods import METHODS
from integration_hub.config.validation import secret_fields
from integration_hub.config.values import as_text, choices
from integration_hub.config.violation import joined
from integration_hub.model.definition import AuthMethod, DefinitionSpec

Schema = Mapping[str, Any]
T = TypeVar("T")

_FIELDS: Final = "spec.configSchema.properties"
_CONSENT: Final = (
    "scopes",
    "authorizationURL",
    "tokenURL",
    "clientId",
    "audience",
    "resource",
    "scopeParameter",
    "authorizationParameters",
    "issuer",
    "grant",
)
"""Settings of oauth2 that are part of what a person has consented to."""
_LEAST: Final = ("minLength", "minItems", "minimum", "exclusiveMinimum")
_MOST: Final = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")
_CONDITIONS: Final = ("pattern", "format", "multipleOf", "uniqueItems", "const")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is other. The message continues a sentence that starts with the path."""

    path: str
    message: str
    breaking: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A definition before and after."""

    old: DefinitionSpec
    new: DefinitionSpec


def changes(old: DefinitionSpec, new: DefinitionSpec) -> list[Change]:
    """Return what is other, what breaks first, each kind in the order in which a definition is read."""
    pair = Pair(old, new)
    found = [change for rule in RULES for change in rule(pair)]
    return sorted(found, key=lambda change: not change.breaking)


# The configuration


def fields_changed(pair: Pair) -> Iterator[Change]:
    """Compare the fields of configSchema."""
    yield from _group(pair.old.config_schema, pair.new.config_schema, _FIELDS)
    before, after = (set(secret_fields(spec.config_schema)) for spec in (pair.old, pair.new))
    known = set(_properties(pair.old.config_schema)) & set(_properties(pair.new.config_schema))
    for name in sorted(known & (after - before)):
        yield _broken(
            joined(_FIELDS, name), "is a secret now: its value moves from spec.config to the Secret"
        )
    for name in sorted(known & (before - after)):
        yield _broken(joined(_FIELDS, name), "is no secret any more: its value moves to spec.config")


def _group(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = _properties(old), _properties(new)
    was_needed, is_needed = set(old.get("required") or ()), set(new.get("required") or ())
    for name, field in before.items():
        where = joined(path, name)
        if name not in after:
            yield _broken(where, "was removed: a configuration that has it is refused")
            continue
        if name in is_needed - was_needed and "default" not in after[name]:
            yield _broken(where, "is required now, and has no default")
        elif name in was_needed - is_needed:
            yield Change(where, "is not required any more")
        yield from _field(field, after[name], where)
    for name, field in after.items():
        if name not in before and name in is_needed and "default" not in field:
            yield _broken(joined(path, name), "is new and required, and has no default")
        elif name not in before:
            yield Change(joined(path, name), "is new, and may be left out")


def _field(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    if _kind(old) != _kind(new):
        yield _broken(path, f"was {_kind(old)} and is {_kind(new)}")
        return
    yield from _values(old, new, path)
    yield from _limits(old, new, path)
    for keyword in _CONDITIONS:
        if old.get(keyword) != new.get(keyword):
            yield _condition(keyword, old, new, path)
    if old.get("default") != new.get("default") and ("default" in old or "default" in new):
        yield _default(old, new, path)
    if _kind(old) == "object":
        yield from _group(old, new, path)
    elif _kind(old) == "array":
        yield from _field(old.get("items") or {}, new.get("items") or {}, joined(path, "items"))
    elif _kind(old) == "oneOf":
        yield from _branches(old, new, path)


def _values(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = old.get("enum"), new.get("enum")
    if before == after:
        return
    if before is None:
        yield _broken(joined(path, "enum"), f"allows only {choices(after or ())} now")
        return
    if after is None:
        yield Change(joined(path, "enum"), "allows any value now")
        return
    gone = [value for value in before if value not in after]
    added = [value for value in after if value not in before]
    if gone:
        yield _broken(joined(path, "enum"), f"does not allow {choices(gone)} any more")
    if added:
        yield Change(joined(path, "enum"), f"allows {choices(added)}, too")


def _limits(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    for keyword in (*_LEAST, *_MOST):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        where = joined(path, keyword)
        if after is None:
            yield Change(where, f"was {as_text(before)} and is absent now")
        else:
            is_narrower = before is None or (after > before) == (keyword in _LEAST)
            was = "" if before is None else f", and was {as_text(before)}"
            yield Change(where, f"is {as_text(after)} now{was}", breaking=is_narrower)


def _condition(keyword: str, old: Schema, new: Schema, path: str) -> Change:
    before, after = old.get(keyword), new.get(keyword)
    where = joined(path, keyword)
    if after is None:
        return Change(where, f"was '{as_text(before)}' and is absent now")
    if before is None:
        return _broken(where, f"is '{as_text(after)}' now, and any value was good before")
    return _broken(
        where, f"is '{as_text(after)}' now, and was '{as_text(before)}': values may not be good any more"
    )


def _default(old: Schema, new: Schema, path: str) -> Change:
    where = joined(path, "default")
    if "default" not in new:
        return _broken(where, "is absent now: a configuration that relies on it has no value any more")
    if "default" not in old:
        return Change(where, f"is {as_text(new['default'])} now")
    return Change(
        where,
        f"is {as_text(new['default'])} now, and was {as_text(old['default'])}: connections that rely on it change",
    )


def _branches(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = _by_constant(old), _by_constant(new)
    for name, branch in before.items():
        where = f"{path}.oneOf[{name}]"
        if name not in after:
            yield _broken(where, "was removed: a configuration that has chosen it is refused")
        else:
            yield from _group(branch, after[name], where)
    for name in after:
        if name not in before:
            yield Change(f"{path}.oneOf[{name}]", "is new")


def _by_constant(field: Schema) -> dict[str, Schema]:
    """Return the branches of a choice by what tells them apart."""
    found: dict[str, Schema] = {}
    for branch in field.get("oneOf") or ():
        constants = (as_text(below["const"]) for below in _properties(branch).values() if "const" in below)
        found[next(constants, "")] = branch
    return found


def _properties(schema: Schema) -> Mapping[str, Schema]:
    found: Mapping[str, Schema] = schema.get("properties") or {}
    return found


def _kind(field: Schema) -> str:
    return "oneOf" if "oneOf" in field else str(field.get("type", ""))


# How it authenticates


def auth_methods_changed(pair: Pair) -> Iterator[Change]:
    """Compare the auth methods: connections name them, and their Secrets have the keys that they read."""
    before = {method.name: method for method in pair.old.auth_methods}
    after = {method.name: method for method in pair.new.auth_methods}
    for name, method in before.items():
        path = f"spec.authMethods[{name}]"
        if name not in after:
            yield _broken(path, "was removed")
        elif method.type != after[name].type:
            yield _broken(f"{path}.type", f"was {method.type} and is {after[name].type}")
        else:
            yield from _method(method, after[name], path)
    yield from _added(before, after, "spec.authMethods")
    if len(before) == 1 and len(after) > 1:
        yield _broken(
            "spec.authMethods", "are several now: a connection that names none in spec.auth.method is refused"
        )


def _method(old: AuthMethod, new: AuthMethod, path: str) -> Iterator[Change]:
    before, after = _keys(old), _keys(new)
    for key in sorted(after):
        if after[key] and not before.get(key, False):
            was = "may be left out until now" if key in before else "is new"
            yield _broken(f"{path}.settings", f"need the key '{key}' in the Secret, which {was}")
    for key in sorted(set(before) - set(after)):
        yield Change(f"{path}.settings", f"do not read the key '{key}' of the Secret any more")
    for name, before_, after_ in (("test", old.test, new.test), ("baseURL", old.base_url, new.base_url)):
        if before_ != after_:
            yield Change(
                f"{path}.{name}", f"is {after_ or 'the default'} now, and was {before_ or 'the default'}"
            )
    if old.headers != new.headers:
        yield Change(f"{path}.headers", "are other")
    if old.failures != new.failures:
        yield Change(f"{path}.failures", "are other: refused requests for tokens are told in other words")
    if old.settings != new.settings:
        yield from _settings(old, new, path)


def _settings(old: AuthMethod, new: AuthMethod, path: str) -> Iterator[Change]:
    consent = [name for name in _CONSENT if old.settings.get(name) != new.settings.get(name)]
    if old.type == "oauth2" and consent:
        yield Change(
            f"{path}.settings.{consent[0]}",
            "is other: tokens are obtained anew, and where people consent they are asked again",
        )
    changed = sorted(
        name
        for name in {*old.settings, *new.settings} - set(consent[:1])
        if old.settings.get(name) != new.settings.get(name)
    )
    for name in changed:
        yield Change(f"{path}.settings.{name}", _other(old.settings, new.settings, name))


def _keys(method: AuthMethod) -> dict[str, bool]:
    """Return the keys of the Secret that a method reads, and whether it needs them."""
    known = METHODS.get(method.type)
    return {key.name: key.required for key in known.secret_keys(method.settings)} if known else {}


# Where it goes


def hosts_changed(pair: Pair) -> Iterator[Change]:
    """Compare where requests and credentials go."""
    for host in pair.old.allowed_hosts:
        if host not in pair.new.allowed_hosts:
            yield _broken("spec.allowedHosts", f"does not have '{host}' any more")
    for host in pair.new.allowed_hosts:
        if host not in pair.old.allowed_hosts:
            yield Change("spec.allowedHosts", f"has '{host}' now: credentials may be sent there, too")
    if pair.old.base_url != pair.new.base_url:
        yield Change("spec.baseURL", f"is {pair.new.base_url} now, and was {pair.old.base_url}")
    if pair.old.trust != pair.new.trust:
        yield Change("spec.trust", "is other: another certificate may be wanted")


# What instances name


def templates_changed(pair: Pair) -> Iterator[Change]:
    """Compare the templates: connections name them."""
    before = {template.name: template for template in pair.old.templates}
    after = {template.name: template for template in pair.new.templates}
    for name, template in before.items():
        if name not in after:
            yield _broken(f"spec.templates[{name}]", "was removed: a connection that names it is refused")
        elif template.config != after[name].config:
            yield Change(f"spec.templates[{name}].config", "is other: connections that name it change")
    yield from _added(before, after, "spec.templates")


def tests_changed(pair: Pair) -> Iterator[Change]:
    """Compare the tests: connections name them, and the default one decides."""
    before = {test.name: test for test in pair.old.tests}
    after = {test.name: test for test in pair.new.tests}
    for name, test in before.items():
        if name not in after:
            yield _broken(f"spec.tests[{name}]", "was removed: a connection that names it is refused")
        elif test.model_copy(update={"display_name": None}) != after[name].model_copy(
            update={"display_name": None}
        ):
            yield Change(f"spec.tests[{name}]", "asks or expects something other")
    yield from _added(before, after, "spec.tests")
    default = pair.new.default_test.name
    if default != pair.old.default_test.name:
        yield Change(
            "spec.tests", f"has '{default}' as the default test now, and had '{pair.old.default_test.name}'"
        )


def texts_changed(pair: Pair) -> Iterator[Change]:
    """Compare what people read."""
    for name in (
        "display_name",
        "description",
        "vendor",
        "documentation_url",
        "version",
        "icon",
        "categories",
        "wizard",
    ):
        if getattr(pair.old, name) != getattr(pair.new, name):
            alias = DefinitionSpec.model_fields[name].alias or name
            shown = getattr(pair.new, name)
            is_short = isinstance(shown, str) and name != "description"
            yield Change(f"spec.{alias}", f"is '{shown}' now" if is_short else "is other")


def _added(before: Iterable[str], after: Iterable[str], path: str) -> Iterator[Change]:
    known = set(before)
    for name in after:
        if name not in known:
            yield Change(f"{path}[{name}]", "is new")


def _other(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> str:
    if name not in new:
        return "is absent now"
    return "is new" if name not in old else "is other"


def _broken(path: str, message: str) -> Change:
    return Change(path, message, breaking=True)


RULES: Final[tuple[Callable[[Pair], Iterator[Change]], ...]] = (
    fields_changed,
    auth_methods_changed,
    hosts_changed,
    templates_changed,
    tests_changed,
    texts_changed,
)
"""In the order in which a definition is read."""
