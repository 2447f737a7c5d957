"""The fingerprint of what is asked for: where it changes, tokens that were granted for something else are of no use."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from integration_hub.auth.oauth2.grants import REFRESH_TOKEN
from integration_hub.auth.oauth2.setup import Setup
from integration_hub.auth.tokens import Acquisition


def fingerprint(setup: Setup) -> str:
    """Return a text that is equal for what is asked for equally.

    A person's consent is for a client, its scopes, and the host that is shown the tokens, so a new client secret leaves
    it as it is. What is obtained by itself is obtained with the credentials, and anew with other ones.
    """
    settings = setup.settings
    asked: dict[str, Any] = {
        "type": "oauth2",
        "grant": setup.grant,
        "server": [settings.get(name) for name in ("issuer", "authorizationURL", "tokenURL")],
        "device": settings.get("deviceAuthorizationURL"),
        "api": setup.context.api,
        "client": setup.client_id,
        # Those of a refresh token in the Secret were consented to elsewhere, once: others here make it no other token.
        "scopes": [
            settings.get("scopeParameter"),
            *sorted(() if setup.grant == REFRESH_TOKEN else setup.scopes),
        ],
        "targets": setup.target_parameters(),
        "parameters": settings.get("authorizationParameters", {}),
    }
    if setup.row.acquisition is Acquisition.BY_ITSELF:
        asked["request"] = [settings.get("tokenParameters", {}), setup.jwt]
        asked["credentials"] = _digest(sorted(setup.credentials.items()))
    return _digest(asked)


def _digest(value: Any) -> str:
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
