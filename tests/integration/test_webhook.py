"""The admission webhook as a process of its own, asked by a real API server under deploy/webhook.yaml's rules."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from conftest import ROOT, run_kubectl
from integration_hub.devcluster import ControlPlane
from support.certificates import Authority
from support.instances import Object, definition, instance, secret
from support.target_server import TargetServer
from support.waiting import wait_until
from support.webhook_process import MANIFESTS, Webhook, configuration

pytestmark = pytest.mark.cluster

NAMESPACE = "reviewed"


@pytest.fixture(scope="module")
def webhook(spare_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """The webhook with the rights of its own service account, registered at the API server."""
    info, folder = spare_cluster.up(), tmp_path_factory.mktemp("webhook")
    run_kubectl(spare_cluster, "apply", "-f", ROOT / "deploy" / "rbac.yaml")
    others = [one for one in MANIFESTS if one["kind"] != "ValidatingWebhookConfiguration"]
    listed = {"apiVersion": "v1", "kind": "List", "items": others}
    run_kubectl(spare_cluster, "apply", "-f", "-", input=json.dumps(listed))
    token = run_kubectl(
        spare_cluster, "create", "token", "integration-hub-webhook", "-n", "integration-hub"
    ).stdout.strip()
    entry = {"certificate-authority": str(info.ca_file), "server": info.server}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": entry}], "users": [{"name": "webhook", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "webhook"}}],
    }  # fmt: skip
    kubeconfig = folder / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(json.dumps(config))
    run_kubectl(spare_cluster, "create", "namespace", NAMESPACE)
    process = Webhook(kubeconfig, folder, Authority("Webhook authority"))
    process.start()
    run_kubectl(spare_cluster, "apply", "-f", "-", input=json.dumps(configuration(process)))
    yield process
    run_kubectl(spare_cluster, "delete", "validatingwebhookconfiguration", "integration-hub")
    process.stop()
    run_kubectl(spare_cluster, "delete", "namespace", NAMESPACE, "--wait=false")
    run_kubectl(spare_cluster, "delete", "integrationdefinitions", "--all", "--wait=false")


Apply = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def apply(spare_cluster: ControlPlane, webhook: Webhook, target: TargetServer) -> Apply:
    """`apply(obj, *flags)` applies as kubectl does; the API server knows of the webhook by then."""

    def applied(obj: Object, *flags: str) -> subprocess.CompletedProcess[str]:
        return run_kubectl(spare_cluster, "apply", *flags, "-f", "-", input=json.dumps(obj), check=False)

    broken = definition("probe", target, baseURL="https://{{ config.nothing }}.example.com")
    wait_until(
        lambda: applied(broken, "--dry-run=server"),
        lambda done: done.returncode != 0,
        "the API server asks the webhook",
    )
    return applied


@pytest.fixture
def acme(apply: Apply, target: TargetServer) -> str:
    """A definition that is stored."""
    name = f"acme-{uuid4().hex[:8]}"
    assert apply(definition(name, target)).returncode == 0
    return name


def connection(acme: str, **spec: Any) -> Object:
    return instance(NAMESPACE, f"c-{uuid4().hex[:8]}", acme, **spec)


def test_a_definition_with_mistakes_is_refused_with_their_paths(apply: Apply, target: TargetServer) -> None:
    wrong = definition("wrong", target)
    wrong["spec"]["authMethods"][0]["settings"] = {"prefix": "Bearer", "nmae": "X-Key"}
    done = apply(wrong)
    assert done.returncode != 0
    assert 'admission webhook "validate.integrationhub.dev" denied the request' in done.stderr
    assert "spec.authMethods[0].settings.nmae" in done.stderr


def test_an_instance_with_a_wrong_configuration_is_refused_as_its_condition_would_say(
    apply: Apply, acme: str
) -> None:
    done = apply(connection(acme, config={"account": "NOT GOOD"}))
    assert done.returncode != 0
    assert "denied the request: config.account" in done.stderr or "spec.config.account" in done.stderr


def test_an_instance_that_is_right_is_stored_without_a_word(apply: Apply, acme: str) -> None:
    done = apply(connection(acme))
    assert (done.returncode, done.stderr) == (0, "")


def test_an_instance_may_come_before_its_definition_and_is_told(apply: Apply) -> None:
    done = apply(connection("not-there-yet"))
    assert done.returncode == 0
    assert "Warning: There is no IntegrationDefinition 'not-there-yet'." in done.stderr


def test_a_label_can_be_changed_whatever_is_wrong_in_the_spec(
    apply: Apply, acme: str, target: TargetServer, spare_cluster: ControlPlane
) -> None:
    made = connection(acme)
    assert apply(made).returncode == 0
    stricter = definition(acme, target)
    stricter["spec"]["configSchema"]["properties"]["account"]["pattern"] = "^never-this$"
    assert apply(stricter).returncode == 0
    name = made["metadata"]["name"]
    done = run_kubectl(spare_cluster, "label", "iinst", name, "-n", NAMESPACE, "team=a", check=False)
    assert done.returncode == 0, done.stderr
    changed = {**made, "spec": {**made["spec"], "displayName": "Another name"}}
    assert "denied the request" in apply(changed).stderr


@pytest.fixture(scope="module")
def writer(spare_cluster: ControlPlane, webhook: Webhook) -> str:
    """A service account that may write instances and read no Secret."""
    name = "writer"
    run_kubectl(spare_cluster, "create", "serviceaccount", name, "-n", NAMESPACE)
    run_kubectl(
        spare_cluster, "create", "role", name, "-n", NAMESPACE, "--verb=*",
        "--resource=integrationinstances.integrationhub.dev",
    )  # fmt: skip
    run_kubectl(
        spare_cluster, "create", "rolebinding", name, "-n", NAMESPACE, f"--role={name}",
        f"--serviceaccount={NAMESPACE}:{name}",
    )  # fmt: skip
    return f"system:serviceaccount:{NAMESPACE}:{name}"


class TestSecrets:
    """Who names a Secret must have the right to read it."""

    def test_who_may_not_read_it_may_not_have_it_sent_either(
        self, apply: Apply, acme: str, writer: str
    ) -> None:
        done = apply(connection(acme), f"--as={writer}")
        assert done.returncode != 0
        assert f"'{writer}' may not 'get' Secret" in done.stderr
        assert "(Forbidden)" in done.stderr

    def test_a_secret_that_is_in_use_already_is_not_asked_about_again(
        self, apply: Apply, acme: str, writer: str
    ) -> None:
        made = connection(acme)
        assert apply(made).returncode == 0
        changed = {**made, "spec": {**made["spec"], "displayName": f"Renamed {uuid4().hex}"}}
        assert apply(changed, f"--as={writer}").returncode == 0
        other = {**made["spec"], "auth": {"method": "key", "secretRef": {"name": "another"}}}
        assert apply({**made, "spec": other}, f"--as={writer}").returncode != 0

    def test_who_may_not_read_it_may_not_have_it_sent_elsewhere_either(
        self, apply: Apply, acme: str, writer: str
    ) -> None:
        made = connection(acme)
        assert apply(made).returncode == 0
        elsewhere = {**made["spec"]["config"], "server": "https://eve.example.com"}
        done = apply({**made, "spec": {**made["spec"], "config": elsewhere}}, f"--as={writer}")
        assert f"'{writer}' may not 'get' Secret" in done.stderr

    def test_who_may_read_it_may_name_it(
        self, apply: Apply, acme: str, writer: str, spare_cluster: ControlPlane
    ) -> None:
        made = connection(acme)
        name = made["spec"]["auth"]["secretRef"]["name"]
        run_kubectl(
            spare_cluster, "create", "role", "reader", "-n", NAMESPACE, "--verb=get", "--resource=secrets",
            f"--resource-name={name}",
        )  # fmt: skip
        run_kubectl(
            spare_cluster, "create", "rolebinding", "reader", "-n", NAMESPACE, "--role=reader",
            f"--serviceaccount={NAMESPACE}:writer",
        )  # fmt: skip
        assert apply(made, f"--as={writer}").returncode == 0


def review(**parts: Any) -> bytes:
    request = {"uid": "1", "kind": {"kind": "IntegrationInstance"}, "object": {}, **parts}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "request": request}).encode()


NO_REVIEWS: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "no JSON"),
    "a list": (b"[]", "not an AdmissionReview"),
    "another kind": (b'{"apiVersion": "v1", "kind": "Pod"}', "not an AdmissionReview"),
    "no object": (
        b'{"apiVersion": "admission.k8s.io/v1", "request": {"uid": "1", "kind": {"kind": "X"}}}',
        "request.object is missing",
    ),
    "who asks is a word": (review(userInfo="x"), "request.userInfo is"),
    "a namespace that is a number": (review(namespace=5), "request.namespace is"),
    "a spec that is a list": (review(object={"spec": []}), "request.object.spec is no object"),
    "metadata that is a word": (review(object={"metadata": "x"}), "request.object.metadata is no object"),
    "an old object that is a list": (review(oldObject=[]), "request.oldObject is"),
}


@pytest.mark.parametrize("name", NO_REVIEWS)
def test_what_is_no_review_is_refused_in_words(webhook: Webhook, name: str) -> None:
    body, words = NO_REVIEWS[name]
    status, said = webhook.ask("/validate", body)
    assert status == 400
    assert words in said


def test_a_rotated_certificate_is_used_without_a_restart(webhook: Webhook, apply: Apply, acme: str) -> None:
    webhook.certificate.write_text("half of a file")
    wait_until(
        webhook.log.read_text, lambda log: "the new certificates cannot be used" in log, "a fault is noticed"
    )
    assert webhook.ask("/healthz")[0] == 200
    webhook.issue()
    wait_until(webhook.log.read_text, lambda log: "the certificates were read again" in log, "it is read")
    serial = webhook.certificate.read_text()
    shown = ssl.get_server_certificate(("127.0.0.1", webhook.port))
    assert shown.strip() in serial
    assert apply(connection(acme)).returncode == 0


def test_the_log_says_that_whoever_comes_is_answered_and_what_protects_it(webhook: Webhook) -> None:
    (line,) = [
        line for line in webhook.log.read_text().splitlines() if "whoever reaches this address" in line
    ]
    assert json.loads(line)["level"] == "warning"
    assert "NetworkPolicy" in line


def test_no_secrets_value_is_asked_for_and_the_log_is_clean(
    webhook: Webhook, apply: Apply, acme: str
) -> None:
    held = secret(NAMESPACE, "canary", apiKey="canary7d1e5b9f3a")
    assert apply(held).returncode == 0
    assert apply(connection(acme, secret="canary")).returncode == 0
    assert "canary7d1e5b9f3a" not in webhook.log.read_text()


def test_it_ends_well_when_it_is_told_to(webhook: Webhook) -> None:
    assert webhook.stop() == 0
    webhook.start()
