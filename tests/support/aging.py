"""Letting time pass for stored tokens: their record is opened, made older and sealed again, as the operator would."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from integration_hub.credentials.keyring import Keyring, parse_keyring
from integration_hub.credentials.record import CredentialRecord, from_fields, to_fields
from integration_hub.credentials.sealed import Binding, open_fields, seal_fields
from integration_hub.model.tokens import Tokens
from integration_hub.shell.keyring_source import DEFAULT_NAME, DEFAULT_NAMESPACE, data_of, encoded
from integration_hub.shell.record_names import record_name
from support.instances import Api, Object, path_of, secret


class Stored(NamedTuple):
    """A record with the Secret that it was read from."""

    raw: Object
    record: CredentialRecord


def keyring(api: Api) -> Keyring:
    """Return the operator's keys."""
    return parse_keyring(data_of(api.get(secret(DEFAULT_NAMESPACE, DEFAULT_NAME))))


def stored(api: Api, obj: Object) -> Stored:
    """Open an instance's record."""
    raw, binding = _secret_of(api, obj)
    return Stored(raw, from_fields(open_fields(data_of(raw), binding, keyring(api))))


def make_older(api: Api, obj: Object, by: timedelta) -> None:
    """Let the tokens of an instance have been obtained, and end, so much earlier; and have been sent, if they were."""
    raw, record = stored(api, obj)
    assert record.tokens is not None
    _, binding = _secret_of(api, obj)
    intent = record.intent
    if intent is not None:
        intent = replace(intent, started_at=intent.started_at - by)
    fields = to_fields(replace(record, tokens=_older(record.tokens, by), intent=intent))
    sealed = seal_fields(fields, binding, keyring(api), secrets.token_bytes)
    api.call("PUT", path_of(raw), raw | {"data": encoded(sealed)})


def _older(tokens: Tokens, by: timedelta) -> Tokens:
    ends = tokens.expires_at - by if tokens.expires_at is not None else None
    return replace(tokens, obtained_at=tokens.obtained_at - by, expires_at=ends)


def _secret_of(api: Api, obj: Object) -> tuple[Object, Binding]:
    about = api.get(obj)["metadata"]
    name = record_name(about["uid"])
    raw = api.get(secret(about["namespace"], name))
    return {"kind": "Secret", "apiVersion": "v1", **raw}, Binding(about["namespace"], name, about["uid"])
