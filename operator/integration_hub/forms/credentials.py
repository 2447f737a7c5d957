"""Which keys the credential Secret of a connection needs, in words, and whether a value can stand there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration_hub.auth.credentials import read_credentials
from integration_hub.auth.flow import AuthMethodType, CredentialProblem, SecretKey
from integration_hub.auth.methods import METHODS
from integration_hub.auth.oauth2 import OAuth2
from integration_hub.auth.oauth2.grants import GRANTS
from integration_hub.auth.oauth2.setup import grant_of
from integration_hub.auth.templates import render_settings
from integration_hub.auth.tokens import Acquisition
from integration_hub.config.profile import secret_fields
from integration_hub.config.templates import TemplateError
from integration_hub.model.definition import AuthMethod, DefinitionSpec
from integration_hub.model.reasons import Reason

NO_CREDENTIALS = ("integrationhub.dev/", "helm.sh/", "bootstrap.kubernetes.io/", "kubernetes.io/dockerc")
"""Types of Secrets that are never offered: what is in them is no credential of an external system."""


@dataclass(frozen=True, slots=True)
class NeededKey:
    """A key of the Secret, as a form asks for it."""

    key: SecretKey
    title: str
    help: str = ""
    example: str = ""


def rendered_settings(method: AuthMethod, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the method's settings with the configuration filled in; as they are where a value cannot stand there."""
    try:
        return render_settings(METHODS[method.type], method.settings, config)
    except TemplateError:
        return method.settings


def needed_keys(spec: DefinitionSpec, method: AuthMethod, config: Mapping[str, Any]) -> tuple[NeededKey, ...]:
    """Return the keys that the method reads with this configuration, and those of the schema's secret fields.

    A secret field that is a key of another method alone is none of this one's.
    """
    schema = spec.config_schema
    fields: Mapping[str, Any] = {name: schema["properties"][name] for name in secret_fields(schema)}
    found = {key.name: key for key in _keys_of(method, config)}
    others = {
        key.name
        for other in spec.auth_methods
        if other.name != method.name
        for key in _keys_of(other, config)
    }
    for name in fields:
        if name not in found and name not in others:
            words = str(fields[name].get("description") or "")
            is_required = name in schema.get("required", ())
            found[name] = SecretKey(name, words, required=is_required, multiline=_is_multiline(fields[name]))
    return tuple(_in_words(key, method, fields.get(key.name, {})) for key in found.values())


def credential_keys(spec: DefinitionSpec, config: Mapping[str, Any]) -> tuple[SecretKey, ...]:
    """Return what a Secret may hold for any of the methods: their keys, and the schema's secret fields."""
    fields = [SecretKey(name, "") for name in secret_fields(spec.config_schema)]
    return (*fields, *(key for method in spec.auth_methods for key in _keys_of(method, config)))


def _keys_of(method: AuthMethod, config: Mapping[str, Any]) -> tuple[SecretKey, ...]:
    return method_type(method).secret_keys(rendered_settings(method, config))


def needs_consent(method: AuthMethod, config: Mapping[str, Any]) -> bool:
    """Tell whether a person has to consent before a connection with this method can work."""
    if not isinstance(method_type(method), OAuth2):
        return False
    return GRANTS[grant_of(rendered_settings(method, config))].acquisition is not Acquisition.BY_ITSELF


def method_type(method: AuthMethod) -> AuthMethodType:
    """Return the type of an auth method of a checked definition."""
    return METHODS[method.type]


def _is_multiline(field: Mapping[str, Any]) -> bool:
    return bool(field.get("x-hub-multiline"))


def _in_words(key: SecretKey, method: AuthMethod, field: Mapping[str, Any]) -> NeededKey:
    """Return the key in the words of the external system's own screens, else of the schema, else of the method."""
    told = next((told for told in method.credentials if told.key == key.name), None)
    words = key.description.strip()
    title = (told.display_name if told else None) or field.get("title")
    said = (told.description if told else None) or field.get("description")
    return NeededKey(
        key,
        str(title or (_sentence(words) if words else key.name)),
        str(said or ""),
        (told.example if told else None) or "",
    )


def _sentence(words: str) -> str:
    """Return 'the user name' as 'User name'."""
    bare = words.removeprefix("the ").removeprefix("The ").rstrip(".")
    return bare[:1].upper() + bare[1:]


def value_problem(key: SecretKey, value: str, *, secret_name: str) -> str | None:
    """Return what is wrong with one value, in the operator's own words; it is not shown."""
    found = read_credentials([key], {key.name: value.encode()}, secret_name=secret_name)
    if not isinstance(found, CredentialProblem):
        return None
    said = found.message.removeprefix(f"Secret '{secret_name}': the value of the key '{key.name}' ").rstrip(
        "."
    )
    # A form has no place for the reason's whole remedy, which status has.
    ends_with_break = found.reason is Reason.SECRET_LINE_BREAK and value.endswith(("\n", "\r"))
    return f"{said}; write it with 'printf %s'" if ends_with_break else said


def credentials_problem(
    method: AuthMethod,
    config: Mapping[str, Any],
    keys: Sequence[NeededKey],
    values: Mapping[str, str],
    *,
    secret_name: str,
) -> str | None:
    """Return why these values can never be sent together; None where they can, or where some are missing."""
    data = {name: value.encode() for name, value in values.items()}
    found = read_credentials([needed.key for needed in keys], data, secret_name=secret_name)
    if isinstance(found, CredentialProblem):
        return None
    return method_type(method).credential_problem(rendered_settings(method, config), found)


def fits(
    keys: Sequence[NeededKey], names: Sequence[str] | frozenset[str], type_: str, wanted: str | None
) -> bool:
    """Tell whether a Secret with these keys, of this type, has what is needed."""
    if type_.startswith(NO_CREDENTIALS) or (wanted is not None and type_ != wanted):
        return False
    required = [needed.key.name for needed in keys if needed.key.required]
    return bool(required) and all(name in names for name in required)
