"""The fingerprint of what is asked for: where it changes, tokens that were granted for something else are of no use."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from integration_hub.auth.oauth2.grants import REFRESH_TOKEN
from integration_hub.auth.oauth2.setup import REFRESH, Setup
from integration_hub.auth.tokens import Acquisition
from integration_hub.model.tokens import token_hash


def fingerprint(setup: Setup) -> str:
    """Return a text that is equal for what is asked for equally.

    A person's consent is for a client, its scopes, and the host that is shown the tokens, so a new client secret leaves
    it as it is. What is obtained by itself is obtained with the credentials, and anew with other ones; save with a
    refresh token of the Secret, which is good for once.
    """
    return _digest(_given(setup) if setup.grant == REFRESH_TOKEN else _asked(setup))


def _given(setup: Setup) -> dict[str, Any]:
    """Return what makes it another refresh token, another client's, or one that is shown to others.

    It was consented to elsewhere, once: how tokens are asked for with it, and what for, makes it no other one. Nor does
    `refresh.reuse`, which is put right by whoever finds out that the system does rotate.
    """
    return {
        "type": "oauth2",
        "grant": setup.grant,
        "server": setup.settings.get("tokenURL", setup.issuer),
        "api": setup.context.api,
        "client": setup.client_id,
        "token": token_hash(setup.value(REFRESH)),
    }


def _asked(setup: Setup) -> dict[str, Any]:
    settings = setup.settings
    asked: dict[str, Any] = {
        "type": "oauth2",
        "grant": setup.grant,
        "server": [settings.get(name) for name in ("issuer", "authorizationURL", "tokenURL")],
        "device": settings.get("deviceAuthorizationURL"),
        "api": setup.context.api,
        "client": setup.client_id,
        "scopes": [settings.get("scopeParameter"), *sorted(setup.scopes)],
        "targets": setup.target_parameters(),
        "parameters": settings.get("authorizationParameters", {}),
    }
    if setup.row.acquisition is Acquisition.BY_ITSELF:
        asked["request"] = [settings.get("tokenParameters", {}), setup.jwt]
        asked["credentials"] = _digest(sorted(setup.credentials.items()))
    return asked


def _digest(value: Any) -> str:
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
