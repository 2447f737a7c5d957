"""From answers to manifests: the instance, its Secret, and the changes of an edit. Only what was said is written."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from integration_hub.config.values import same
from integration_hub.forms.interview import Interview
from integration_hub.forms.keys import (
    DISPLAY_NAME,
    DROP,
    METHOD,
    ROLES,
    SCOPE_ID,
    SCOPE_TYPE,
    SCOPES,
    SECRET_USE,
    TEMPLATE,
)
from integration_hub.forms.question import Answers
from integration_hub.forms.surroundings import Current
from integration_hub.model.base import API_VERSION, GROUP

Raw = dict[str, Any]

SECRET_LABELS: Final = {"app.kubernetes.io/managed-by": "kubectl-hub"}
"""Nobody owns a Secret of credentials: it outlives its connection, and may serve several."""
INSTANCE_LABEL: Final = f"{GROUP}/instance"
MAX_LABEL: Final = 63


def instance_manifest(interview: Interview, answers: Answers) -> Raw:
    """Return the IntegrationInstance that the answers describe."""
    spec: Raw = {}
    display_name = interview.display_name(answers)
    if display_name != interview.name(answers):
        spec["displayName"] = display_name
    spec["definitionRef"] = {"name": interview.definition}
    template = interview.template(answers)
    if template is not None:
        spec["template"] = template.name
    config = interview.form(answers).written(answers)
    if config:
        spec["config"] = config
    auth: Raw = {"method": interview.method(answers).name}
    secret = interview.secret_name(answers)
    if secret is not None:
        auth["secretRef"] = {"name": secret}
    if answers.get(SCOPES):
        auth["scopes"] = list(answers[SCOPES])
    spec["auth"] = auth
    scope = _scope(answers)
    if scope is not None:
        spec["scope"] = scope
    if answers.get(ROLES):
        spec["permissions"] = {"roles": list(answers[ROLES])}
    return {
        "apiVersion": API_VERSION,
        "kind": "IntegrationInstance",
        "metadata": {"name": interview.name(answers), "namespace": interview.surroundings.namespace},
        "spec": spec,
    }


def _scope(answers: Answers) -> Raw | None:
    chosen = answers.get(SCOPE_TYPE)
    if chosen is None:
        return None
    return {"type": chosen} if chosen == "global" else {"type": chosen, "id": answers.get(SCOPE_ID)}


def secret_manifest(interview: Interview, answers: Answers) -> Raw | None:
    """Return the new Secret, with the values in base64; None where none is made."""
    if not interview.is_new_secret(answers):
        return None
    name = interview.name(answers)
    data = {key: _encoded(value) for key, value in interview.entered(answers).items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": interview.secret_name(answers),
            "namespace": interview.surroundings.namespace,
            "labels": {**SECRET_LABELS, INSTANCE_LABEL: name[:MAX_LABEL].rstrip("-.")},
        },
        "type": interview.secret_type(answers) or "Opaque",
        "data": data,
    }


def secret_changes(interview: Interview, answers: Answers) -> Raw | None:
    """Return the merge patch of the Secret that is kept; None where nothing in it changes."""
    if interview.is_new_secret(answers):
        return None
    data: Raw = {key: _encoded(value) for key, value in interview.entered(answers).items()}
    data |= dict.fromkeys(interview.removed(answers))
    return {"data": data} if data else None


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode("ascii")


# Edits


def answers_of(interview: Interview, current: Current) -> Answers:
    """Return the answers that a connection gives already. Nothing of its Secret is among them."""
    spec = current.spec
    auth, scope = spec.get("auth") or {}, spec.get("scope") or {}
    found: Raw = {
        TEMPLATE: spec.get("template"),
        METHOD: auth.get("method"),
        SCOPES: list(auth.get("scopes") or []) or None,
        DISPLAY_NAME: spec.get("displayName"),
        SECRET_USE: current.secret_name,
        SCOPE_TYPE: scope.get("type"),
        SCOPE_ID: scope.get("id"),
        ROLES: list((spec.get("permissions") or {}).get("roles") or []) or None,
    }
    known = Answers({key: value for key, value in found.items() if value is not None})
    config = interview.form(known).answers(spec.get("config") or {})
    return Answers({**known, **config})


def edited(interview: Interview, before: Answers, answers: Answers) -> Raw:
    """Return the connection's spec with what has changed between the answers; all else stays as it stands there."""
    if interview.current is None:
        raise ValueError("only what there is already can be edited")
    spec: Raw = dict(interview.current.spec)
    for place, value in _changes(interview, before, answers):
        _put(spec, place, value)
    config = _config(interview, before, answers)
    _put(spec, ("config",), config if config or "config" in spec else None)
    return spec


def _changes(interview: Interview, before: Answers, answers: Answers) -> list[tuple[tuple[str, ...], Any]]:
    """Return what becomes of fields outside of the configuration, None where one goes."""

    def has_changed(*keys: str) -> bool:
        return any(before.get(key) != answers.get(key) for key in keys)

    def was(of: Any) -> bool:
        return bool(of(before) != of(answers))

    found: list[tuple[tuple[str, ...], Any]] = []
    if has_changed(TEMPLATE):
        template = interview.template(answers)
        found.append((("template",), template.name if template else None))
    if has_changed(DISPLAY_NAME):
        found.append((("displayName",), interview.display_name(answers)))
    if was(interview.method):
        found.append((("auth", "method"), interview.method(answers).name))
    if has_changed(SCOPES):
        found.append((("auth", "scopes"), answers.get(SCOPES) or None))
    if was(interview.secret_name):
        name = interview.secret_name(answers)
        found.append((("auth", "secretRef"), {"name": name} if name is not None else None))
    if has_changed(SCOPE_TYPE, SCOPE_ID):
        found.append((("scope",), _scope(answers)))
    if has_changed(ROLES):
        roles = answers.get(ROLES)
        found.append((("permissions",), {"roles": list(roles)} if roles else None))
    return found


def _put(spec: Raw, place: tuple[str, ...], value: Any) -> None:
    """Set a field, or take it out where the value is None. Objects on the way are copied."""
    *above, name = place
    target = spec
    for step in above:
        target[step] = dict(target.get(step) or {})
        target = target[step]
    if value is None:
        target.pop(name, None)
    else:
        target[name] = value


def _config(interview: Interview, before: Answers, answers: Answers) -> Raw:
    """Return the configuration with the fields that have changed.

    One has, too, where the answers are as before and what stands there does not say them any more, since another
    template says less, or something else.
    """
    if interview.current is None:
        raise ValueError("only what there is already can be edited")
    stands: Mapping[str, Any] = interview.current.spec.get("config") or {}
    form = interview.form(answers)
    old, new = interview.form(before).own(before), form.own(answers)
    written = form.written(answers)
    found = {
        name: value
        for name, value in stands.items()
        if name in form.names or answers.get(DROP + name, False) is False
    }
    kept, wanted = form.in_force(found), form.in_force(written)
    for name in {**old, **new}:
        if same(old.get(name), new.get(name)) and same(kept.get(name), wanted.get(name)):
            continue
        if name in written:
            found[name] = _merged(stands.get(name), old.get(name), new[name], written[name])
        else:
            found.pop(name, None)
    return found


def _merged(stands: Any, old: Any, new: Any, written: Any) -> Any:
    """Return a field's new value: of a group, what has not changed stays as it is written."""
    is_same_group = isinstance(stands, Mapping) and isinstance(old, Mapping) and isinstance(new, Mapping)
    if not is_same_group or not isinstance(written, Mapping):
        return written
    kept = {
        name: value for name, value in stands.items() if name not in old or same(old[name], new.get(name))
    }
    changed = {
        name: value
        for name, value in written.items()
        if stands.get(name) is None or not same(old.get(name), new.get(name))
    }
    return {**kept, **changed}
