"""Why an API server did not do what a person asked: the right that is missing is named as a Role names it."""

from __future__ import annotations

import pytest

from integration_hub.adapters.kube_api import DEFINITIONS, EVENTS, INSTANCES, SECRETS, ApiError
from integration_hub.shell.explaining import READ, Deed, explanation, reading

SERVER = "https://api.example:6443"


@pytest.mark.parametrize(
    ("deed", "right"),
    [
        (reading(EVENTS, "list", namespace="shop"), "'list' events.events.k8s.io in namespace 'shop'"),
        (reading(SECRETS, "get", namespace="hub"), "'get' secrets in namespace 'hub'"),
        (
            reading(INSTANCES, "list", "watch"),
            "'list' and 'watch' integrationinstances.integrationhub.dev in all namespaces",
        ),
        (reading(DEFINITIONS, "get"), "'get' integrationdefinitions.integrationhub.dev"),
    ],
)
def test_who_may_not_read_is_told_which_right_to_ask_for(deed: Deed, right: str) -> None:
    found = explanation(ApiError(403, "Forbidden", "no"), "it", SERVER, deed)
    assert found.what == "You may not read it."
    assert found.todo.startswith(f"Ask for the right to {right}, or choose another --context.")


def test_where_only_the_api_server_knows_the_right_its_words_stand_alone() -> None:
    found = explanation(ApiError(403, "Forbidden", "cannot get /version"), "its version", SERVER, READ)
    assert found.todo == (
        "Ask for that right, or choose another --context. The API server says: 403 Forbidden: cannot get /version"
    )
