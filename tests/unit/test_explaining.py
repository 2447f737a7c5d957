"""Why an API server did not do what a person asked: the right that is missing is named as a Role names it."""

from __future__ import annotations

import errno
import http.client
import socket

import pytest

from integration_hub.adapters.kube_api import DEFINITIONS, EVENTS, INSTANCES, SECRETS, ApiError
from integration_hub.adapters.kubeconfig import KubeconfigError
from integration_hub.shell.explaining import READ, Deed, explanation, is_policy, reading

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


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
            "connection refused",
        ),
        (TimeoutError(), "no answer in time"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "its name cannot be looked up"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "the connection broke off"),
        (http.client.IncompleteRead(b""), "the connection broke off"),
        (KubeconfigError("The plugin 'aws' failed: log in."), "The plugin 'aws' failed: log in"),
        (OSError(errno.EMFILE, "x"), "too many open files"),
    ],
)
def test_why_there_is_no_answer_is_said_once_and_in_plain_words(error: Exception, why: str) -> None:
    found = explanation(ApiError.unanswered("GET /version", error), "its version", SERVER, READ)
    assert found.what == f"The API server at {SERVER} cannot be reached ({why})."
    assert found.todo.startswith("Check that it runs")


def test_crds_are_installed_as_the_documentation_says() -> None:
    found = explanation(ApiError(404, "NotFound", "no"), "it", SERVER, READ)
    assert "kubectl apply --server-side -f crds/" in found.todo


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (403, 'iinst "x" is forbidden: User "ann" cannot create resource "iinst" in API group "hub"', False),
        (403, 'forbidden: User "ann" cannot get path "/version"', False),
        (403, "no", False),
        (403, 'admission webhook "rules.example.com" denied the request: not in this house', True),
        (
            403,
            'secrets "x" is forbidden: exceeded quota: few, requested: secrets=1, used: 5, limited: 5',
            True,
        ),
        (
            403,
            "iinst \"x\" is forbidden: ValidatingAdmissionPolicy 'rules' with binding 'all' denied request: no",
            True,
        ),
        (
            403,
            'secrets "x" is forbidden: unable to create new content in namespace y because it is being terminated',
            True,
        ),
        (422, 'admission webhook "rules.example.com" denied the request: not in this house', False),
    ],
)
def test_a_rule_of_the_cluster_is_told_from_a_right_that_is_missing(
    status: int, message: str, expected: bool
) -> None:
    assert is_policy(ApiError(status, "Forbidden", message)) is expected
