"""The operator with credentials that are more than a text: a certificate, and a token that it has to ask for.

The external system is the API server: nobody here wrote it, it takes client certificates, and it gives out tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509

from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from integration_hub.model.base import API_VERSION
from support.certificates import Authority, Identity
from support.instances import Api, Object, condition, instance, secret
from support.operator_process import OperatorProcess

pytestmark = pytest.mark.cluster

WHO = {
    "name": "who",
    "default": True,
    "request": {
        "method": "POST",
        "path": "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        "headers": {"Content-Type": "application/json"},
        "body": {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
    },
    "expect": {"status": [201]},
    "identity": "response.json.status.userInfo.username",
}


@pytest.fixture
def defined(api: Api, control_plane: ControlPlaneInfo, namespace: str) -> Iterator[Object]:
    """A definition of the API server, named as the namespace; the test says how it authenticates."""
    spec = {
        "configSchema": {"type": "object", "properties": {"account": {"type": "string"}}},
        "baseURL": control_plane.server,
        "allowedHosts": [control_plane.server.removeprefix("https://")],
        "trust": {"caBundle": control_plane.ca_file.read_text(encoding="ascii")},
        "tests": [WHO],
    }
    made = {
        "apiVersion": API_VERSION,
        "kind": "IntegrationDefinition",
        "metadata": {"name": namespace},
        "spec": {"displayName": "API server", **spec},
    }
    yield made
    if api.exists(made):
        api.delete(made)


def authenticating(made: Object, **scheme: Any) -> Object:
    method = {"name": "custom", "type": "custom", "settings": scheme}
    return {**made, "spec": {**made["spec"], "authMethods": [method]}}


def of_type(type_: str, namespace: str, name: str, pair: Identity) -> Object:
    data = {"tls.crt": pair.chain, "tls.key": pair.key}
    return {**secret(namespace, name, **data), "type": type_}


def test_a_certificate_is_shown_rotated_and_told_apart_from_a_strangers(
    api: Api, operator: OperatorProcess, cluster: ControlPlane, defined: Object, namespace: str
) -> None:
    pki = cluster.home.pki
    admin = Identity(*((pki / f"admin.{end}").read_text(encoding="ascii") for end in ("crt", "key")))
    stranger = Authority("Others").issue("admin", for_server=False)
    bank = instance(namespace, "bank", namespace, secret="bank")
    api.apply(authenticating(defined, mtls={}))
    api.apply(of_type("kubernetes.io/tls", namespace, "bank", admin), bank)
    found = api.wait_for_verdict(bank, "True", "Connected")
    assert found["status"]["identity"] == "admin"
    end = x509.load_pem_x509_certificate(admin.chain.encode()).not_valid_after_utc
    assert found["status"]["credential"]["expiresAt"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"

    api.apply(of_type("kubernetes.io/tls", namespace, "bank", stranger))
    refused = api.wait_for_verdict(bank, "False", "CredentialsRejected")
    assert condition(refused, "Reachable")["status"] == "True"
    api.apply(of_type("kubernetes.io/tls", namespace, "bank", Identity(admin.chain, stranger.key)))
    mixed = api.wait_for_verdict(bank, "False", "SecretValueInvalid")
    assert "does not belong to the certificate in 'tls.crt'" in condition(mixed)["message"]
    api.apply(of_type("kubernetes.io/tls", namespace, "bank", admin))
    api.wait_for_verdict(bank, "True", "Connected")

    other = instance(namespace, "other", namespace, secret="opaque")
    api.apply(of_type("Opaque", namespace, "opaque", admin), other)
    wrong = api.wait_for_verdict(other, "False", "SecretTypeWrong")
    assert "needs one of type 'kubernetes.io/tls'" in condition(wrong)["message"]

    log = operator.log.read_text(encoding="utf-8")
    statuses = json.dumps(api.instances(namespace))
    for key in (admin.key, stranger.key):
        for line in key.splitlines()[1:-1]:
            assert line not in log
            assert line not in statuses


def test_a_token_is_asked_for_as_the_definition_declares_and_sent_with_the_test(
    api: Api, operator: OperatorProcess, kubectl: Any, defined: Object, namespace: str
) -> None:
    asks, works = f"system:serviceaccount:{namespace}:asks", f"system:serviceaccount:{namespace}:works"
    for account in ("asks", "works"):
        kubectl("create", "serviceaccount", account, "-n", namespace)
    kubectl("create", "role", "asks", "-n", namespace, "--verb=create", "--resource=serviceaccounts/token")
    kubectl(
        "create", "rolebinding", "asks", "-n", namespace, "--role=asks", f"--serviceaccount={namespace}:asks"
    )
    own = kubectl("create", "token", "asks", "-n", namespace, "--duration=2h").stdout.strip()
    bearer = {
        "tokenURL": f"{defined['spec']['baseURL']}/api/v1/namespaces/{namespace}/serviceaccounts/works/token",
        "request": {
            "encoding": "json",
            "headers": [{"name": "Authorization", "secretKey": "token", "prefix": "Bearer"}],
            "fields": [
                {"name": "apiVersion", "value": "authentication.k8s.io/v1"},
                {"name": "kind", "value": "TokenRequest"},
                {"name": "spec.expirationSeconds", "value": "900", "type": "number"},
            ],
        },
        "answer": {"accessToken": "status.token", "expiresAt": "status.expirationTimestamp"},
    }
    worker = instance(namespace, "worker", namespace, secret="worker")
    api.apply(authenticating(defined, bearer=bearer), secret(namespace, "worker", token=own), worker)
    found = api.wait_for_verdict(worker, "True", "Connected")
    assert found["status"]["identity"] == works, f"and not {asks}"

    forged = own[:-8] + ("A" * 8)
    api.apply(secret(namespace, "worker", token=forged))
    refused = api.wait_for_verdict(worker, "False", "TokenClientRejected")
    assert "401 Unauthorized" in condition(refused)["message"]
    api.apply(secret(namespace, "worker", token=own))
    api.wait_for_verdict(worker, "True", "Connected")

    log = operator.log.read_text(encoding="utf-8")
    for text in (log, json.dumps(api.instances(namespace))):
        assert own not in text
        assert own.rpartition(".")[2] not in text
        assert forged not in text
