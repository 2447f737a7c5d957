"""How the way to the API server is found: as kubectl finds it, with words where it cannot be."""

from __future__ import annotations

import base64
import json
import os
import ssl
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from integration_hub.adapters import kubeconfig
from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.adapters.kubeconfig import KubeconfigError, TokenSource, load
from support.builders import CANARY
from support.certificates import Authority, Identity, self_signed

Raw = dict[str, Any]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("test")


@pytest.fixture(scope="module")
def client() -> Identity:
    return self_signed("client.example")


@pytest.fixture(autouse=True)
def nobodys_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No KUBECONFIG, an empty home, no service account."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path / "serviceaccount")


def config(*, user: Raw | None = None, cluster: Raw | None = None, name: str = "dev", **fields: Any) -> Raw:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example:6443"} | (cluster or {})}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    } | fields


def written(folder: Path, raw: Raw, name: str = "config") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(yaml.safe_dump(raw))
    return path


def script(path: Path, text: str) -> Path:
    """A credential plugin: a real program, with what it prints."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


PRINTS_TOKEN = """
import json, os, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert info["kind"] == "ExecCredential" and info["spec"]["interactive"] is False
print(json.dumps({"apiVersion": info["apiVersion"], "kind": "ExecCredential",
                  "status": {"token": os.environ.get("PREFIX", "") + "-".join(sys.argv[1:])}}))
"""


class TestWhichFile:
    def test_the_one_that_is_given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", str(written(tmp_path, config(name="other"), "other")))
        assert load(written(tmp_path, config())).server == "https://dev.example:6443"

    def test_one_with_a_colon_in_its_name_is_one_file(self, tmp_path: Path) -> None:
        assert load(written(tmp_path, config(), "a:b")).server == "https://dev.example:6443"

    def test_then_kubeconfig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", str(written(tmp_path, config())))
        written(tmp_path / "home" / ".kube", config(name="home"))
        assert load().server == "https://dev.example:6443"

    def test_then_the_pods_service_account(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority
    ) -> None:
        written(tmp_path / "home" / ".kube", config(name="home"))
        account = tmp_path / "serviceaccount"
        account.mkdir()
        (account / "token").write_text("pod\n")
        (account / "ca.crt").write_text(authority.pem)
        (account / "namespace").write_text("hub\n")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
        connection = load()
        assert (connection.server, connection.namespace) == ("https://[fd00::1]:443", "hub")
        assert connection.tokens.token() == "pod"

    @pytest.mark.parametrize("text", ["", "\n", "not a certificate\n"])
    def test_a_service_account_without_an_authority_trusts_nobody(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        account = tmp_path / "serviceaccount"
        account.mkdir()
        (account / "token").write_text("pod\n")
        (account / "ca.crt").write_text(text)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        with pytest.raises(
            KubeconfigError, match=r"ca\.crt cannot be used \(there is no certificate in PEM\)"
        ):
            load()

    def test_words_beside_an_authority_are_passed_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority
    ) -> None:
        account = tmp_path / "serviceaccount"
        account.mkdir()
        (account / "token").write_text("pod\n")
        (account / "ca.crt").write_text(f"# Müller's authority\n{authority.pem}", encoding="utf-8")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        assert len(load().ssl_context.get_ca_certs()) == 1

    def test_a_service_account_without_an_address_is_explained(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        (tmp_path / "serviceaccount").mkdir()
        (tmp_path / "serviceaccount" / "token").write_text("pod")
        with pytest.raises(KubeconfigError, match="KUBERNETES_SERVICE_HOST is not set"):
            load()

    def test_then_the_one_at_home(self, tmp_path: Path) -> None:
        written(tmp_path / "home" / ".kube", config(name="home"))
        assert load().server == "https://home.example:6443"

    def test_of_several_the_first_that_says_something_is_heard(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Contexts may stand in one file and clusters in another; what does not exist is passed over.
        one, two = config(name="one"), config(name="two")
        del one["current-context"]
        two["clusters"].append({"name": "one", "cluster": {"server": "https://wrong.example"}})
        paths = [tmp_path / "absent", written(tmp_path, one, "1"), written(tmp_path, two, "2")]
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["", *map(str, paths)]))
        assert load().server == "https://two.example:6443"
        assert load(context="one").server == "https://one.example:6443"


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("raw", "words", "reason"),
        [
            (
                {"current-context": None},
                "sets no current-context; choose one with --context",
                "no context is chosen",
            ),
            (
                {"current-context": "prod"},
                "no entry 'prod' in contexts; it has: dev",
                "the context is missing",
            ),
            ({"clusters": []}, "no entry 'dev' in clusters; it has: none", "the cluster is missing"),
            ({"users": None}, "no entry 'dev' in users; it has: none", "the user is missing"),
            ({"cluster": {"server": "http://dev.example"}}, "must be an https:// address", "in clear"),
            ({"cluster": {"server": ""}}, "must be an https:// address", "no address"),
            (
                {"user": {"username": "u", "password": "p"}},
                "no longer supported; use an exec plugin",
                "basic auth",
            ),
            ({"user": {"auth-provider": {"name": "gcp"}}}, "no longer supported", "an old provider"),
            (
                {"user": {"token": "t", "as": "root"}},
                "user 'dev' sets 'as', which is not supported",
                "another",
            ),
            ({"user": {"token": "t", "as-groups": ["a"]}}, "user 'dev' sets 'as-groups'", "other groups"),
            ({"user": {"token": "t", "as-uid": "1"}}, "user 'dev' sets 'as-uid'", "another's id"),
            ({"user": {"token": "t", "as-user-extra": {"a": ["b"]}}}, "sets 'as-user-extra'", "other rights"),
            ({"cluster": {"proxy-url": "http://p"}}, "cluster 'dev' sets 'proxy-url'", "through a proxy"),
            (
                {"cluster": {"certificate-authority": "nope.pem"}},
                "nope.pem: No such file",
                "the authority's file is missing",
            ),
            (
                {"cluster": {"certificate-authority-data": "AAAA"}},
                "Context 'dev'",
                "the authority is no certificate",
            ),
            ({"cluster": {"certificate-authority-data": "x"}}, "Context 'dev'", "the authority is no base64"),
            (
                {"user": {"client-certificate": "c.pem", "client-key": "k.pem"}},
                "c.pem: No such file",
                "the certificate is missing",
            ),
        ],
    )
    def test_is_said_with_where(self, tmp_path: Path, raw: Raw, words: str, reason: str) -> None:
        path = written(tmp_path, config(**raw))
        with pytest.raises(KubeconfigError) as refused:
            load(path)
        assert words in str(refused.value), reason
        assert str(path) in str(refused.value), reason

    @pytest.mark.parametrize(
        ("raw", "words"),
        [
            ({"contexts": "foo"}, "contexts: must be a list"),
            ({"contexts": ["foo"]}, "contexts[0]: must be a group of fields"),
            ({"contexts": [{"name": "dev", "context": "foo"}]}, "contexts[0].context: must be a group of"),
            (
                {"contexts": [{"name": "dev", "context": {"cluster": "dev", "user": ["a"]}}]},
                "context.user: must be text",
            ),
            ({"current-context": ["a"]}, "current-context: must be text"),
            ({"clusters": {"name": "dev"}}, "clusters: must be a list"),
            ({"cluster": {"server": 5}}, "clusters[0].cluster.server: must be text"),
            ({"cluster": {"server": "https://dev.example:99999"}}, "must be an https:// address, like"),
            ({"cluster": {"server": "https://dev.example:abc"}}, "must be an https:// address, like"),
            ({"cluster": {"server": "https://:6443"}}, "must be an https:// address, like"),
            ({"cluster": {"server": "https://[::1"}}, "must be an https:// address, like"),
            (
                {"cluster": {"insecure-skip-tls-verify": "false"}},
                "insecure-skip-tls-verify: must be true or false",
            ),
            ({"cluster": {"certificate-authority": "~no-such-user/ca"}}, "cannot be read"),
            (
                {"user": {"token": 5}},
                "users[0].user.token: must be text, in quotes where it looks like a number",
            ),
            ({"user": {"token": "canary\n canary"}}, "users[0].user.token: holds no token"),
            ({"user": {"tokenFile": "absent"}}, "absent cannot be read: no such file or directory"),
            (
                {"user": {"tokenFile": "~no-such-user/t"}},
                "users[0].user.tokenFile: '~no-such-user/t' cannot be read",
            ),
            ({"user": {"exec": "aws"}}, "users[0].user.exec: must be a group of fields"),
            ({"user": {"exec": {"args": []}}}, "users[0].user.exec.command: is required"),
            ({"user": {"exec": {"command": "a", "args": "b"}}}, "users[0].user.exec.args: must be a list"),
            (
                {"user": {"exec": {"command": "a", "args": [["b"]]}}},
                "users[0].user.exec.args[0]: must be text",
            ),
            ({"user": {"exec": {"command": "a", "env": ["A=b"]}}}, "exec.env[0]: must be a group of fields"),
            ({"user": {"exec": {"command": "a", "env": [{"name": "A"}]}}}, "exec.env[0].value: is required"),
        ],
    )
    def test_what_has_another_shape_is_named_by_its_path(self, tmp_path: Path, raw: Raw, words: str) -> None:
        path = written(tmp_path, config(**raw))
        with pytest.raises(KubeconfigError) as refused:
            load(path)
        assert words in str(refused.value)
        assert str(path) in str(refused.value)
        assert "canary" not in str(refused.value)

    def test_what_is_wrong_in_an_entry_of_no_use_here_is_passed_over(self, tmp_path: Path) -> None:
        raw = config()
        raw["users"].append({"name": "other", "user": {"exec": {}}})
        assert load(written(tmp_path, raw)).server == "https://dev.example:6443"

    def test_a_token_file_that_goes_later_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(KubeconfigError, match=r"token file .*gone cannot be read: no such file"):
            TokenSource(file=tmp_path / "gone").token()

    def test_no_file_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(KubeconfigError, match=r"no kubeconfig at .*nowhere.*hub dev up"):
            load(tmp_path / "nowhere")

    def test_in_a_home_that_there_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", "~no-such-user/config")
        with pytest.raises(KubeconfigError, match="kubeconfig ~no-such-user/config cannot be looked for"):
            load()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (b"", "is empty, or no group of fields"),
            (b"[]", "is empty, or no group of fields"),
            (b"just text", "is empty, or no group of fields"),
            (b"a: 1\n---\nb: 1\n", "holds 2 documents, of which there may be one"),
            (b"a: 1\nb: [", "line 2: is not valid YAML: "),
            (b"a: 1\na: 2", "line 2: is not valid YAML: a field stands there twice"),
            (b"\x00", "is not valid YAML"),
            (b"\xff\xfe", "is no text in UTF-8"),
            (b"[" * 100_000, "is nested too deep"),
        ],
    )
    def test_a_file_that_is_no_kubeconfig(self, tmp_path: Path, text: bytes, words: str) -> None:
        (tmp_path / "config").write_bytes(text)
        with pytest.raises(KubeconfigError) as refused:
            load(tmp_path / "config")
        assert str(refused.value).startswith(f"The kubeconfig {tmp_path / 'config'}")
        assert words in str(refused.value)
        assert "--kubeconfig or KUBECONFIG" in str(refused.value)

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(
            KubeconfigError, match=r"cannot be read: is a directory\. Mend it, or name another"
        ):
            load(tmp_path)


class TestTrust:
    def test_an_authority_in_the_file_or_beside_it_is_trusted_alone(
        self, tmp_path: Path, authority: Authority
    ) -> None:
        (tmp_path / "ca.pem").write_text(authority.pem)
        data = base64.b64encode(authority.pem.encode()).decode()
        for cluster in ({"certificate-authority": "ca.pem"}, {"certificate-authority-data": data}):
            context = load(written(tmp_path, config(cluster=cluster))).ssl_context
            assert len(context.get_ca_certs()) == 1
            assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)

    def test_only_on_express_wish_nothing_is_checked(self, tmp_path: Path) -> None:
        context = load(written(tmp_path, config(cluster={"insecure-skip-tls-verify": True}))).ssl_context
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)

    def test_a_client_certificate_is_loaded_and_its_key_left_nowhere(
        self, tmp_path: Path, client: Identity, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
        (tmp_path / "tmp").mkdir()
        loaded: list[tuple[bytes, int]] = []
        load_chain = ssl.SSLContext.load_cert_chain

        def seen(context: ssl.SSLContext, chain: Path, key: Path) -> None:
            loaded.append((key.read_bytes(), stat.S_IMODE(key.stat().st_mode)))
            load_chain(context, chain, key)

        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", seen)
        encoded = {
            "client-certificate-data": base64.b64encode(client.chain.encode()).decode(),
            "client-key-data": base64.b64encode(client.key.encode()).decode(),
        }
        load(written(tmp_path, config(user=encoded)))
        assert loaded == [(client.key.encode(), 0o600)]
        assert list((tmp_path / "tmp").iterdir()) == []

    @staticmethod
    async def reaches(folder: Path, authority: Authority, name: str | None = "api.internal") -> bool:
        """Whether an API server 'api.internal' is reached by a file that gives this authority, and this name."""
        runner = web.AppRunner(web.Application())
        await runner.setup()
        context = authority.issue("api.internal").server_context()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        cluster = {
            "server": f"https://127.0.0.1:{runner.addresses[0][1]}",
            "certificate-authority-data": base64.b64encode(authority.pem.encode()).decode(),
        } | ({"tls-server-name": name} if name else {})
        client = KubeClient(load(written(folder, config(cluster=cluster))))
        try:
            with pytest.raises(ApiError) as answer:
                await client.version()
        finally:
            await client.close()
            await runner.cleanup()
        return answer.value.status == 404

    @pytest.mark.parametrize(
        ("name", "reached"), [("api.internal", True), ("other.internal", False), (None, False)]
    )
    async def test_the_server_must_have_the_name_that_the_file_says(
        self, tmp_path: Path, authority: Authority, name: str | None, reached: bool
    ) -> None:
        assert await self.reaches(tmp_path, authority, name) == reached

    async def test_an_authority_without_key_identifiers_is_trusted_as_by_kubectl(
        self, tmp_path: Path
    ) -> None:
        """Python began to ask for them in 3.13."""
        assert await self.reaches(tmp_path, Authority("Old", identifiers=False))

    async def test_an_authority_below_another_is_trusted_by_itself_as_by_kubectl(
        self, tmp_path: Path
    ) -> None:
        assert await self.reaches(tmp_path, Authority("Below", Authority("Root")))

    def test_a_client_certificate_beside_the_file(self, tmp_path: Path, client: Identity) -> None:
        (tmp_path / "c.pem").write_text(client.chain)
        (tmp_path / "k.pem").write_text(client.key)
        load(written(tmp_path, config(user={"client-certificate": "c.pem", "client-key": "k.pem"})))


class TestTokens:
    def token(self, folder: Path, user: Raw) -> str | None:
        return load(written(folder, config(user=user))).tokens.token()

    def test_in_the_file(self, tmp_path: Path) -> None:
        assert self.token(tmp_path, {"token": CANARY}) == CANARY

    def test_none(self, tmp_path: Path) -> None:
        assert self.token(tmp_path, {}) is None
        raw = config()
        del raw["contexts"][0]["context"]["user"]
        assert load(written(tmp_path, raw)).tokens.token() is None

    def test_in_another_file_beside_it(self, tmp_path: Path) -> None:
        (tmp_path / "t").write_text(f" {CANARY}\n")
        assert self.token(tmp_path, {"tokenFile": "t"}) == CANARY

    def test_a_token_file_is_reread_after_a_minute(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: now)
        (tmp_path / "t").write_text("one")
        source = TokenSource(file=tmp_path / "t")
        assert source.token() == "one"
        (tmp_path / "t").write_text("two")
        now += 59
        assert source.token() == "one"
        now += 2
        assert source.token() == "two"

    def test_no_repr_shows_one(self, tmp_path: Path) -> None:
        (tmp_path / "t").write_text(CANARY)
        source = TokenSource(file=tmp_path / "t")
        source.token()
        connection = load(written(tmp_path, config(user={"token": CANARY})))
        assert CANARY not in f"{source!r}{connection!r}{connection.tokens}"


class TestPlugin:
    """An exec plugin, as clouds hand out."""

    def source(self, folder: Path, **exec_: Any) -> TokenSource:
        return load(written(folder, config(user={"exec": exec_}))).tokens

    def test_is_run_with_its_arguments_and_environment(self, tmp_path: Path) -> None:
        plugin = script(tmp_path / "plugin", PRINTS_TOKEN)
        source = self.source(
            tmp_path, command=str(plugin), args=["a", 1], env=[{"name": "PREFIX", "value": "p-"}],
            apiVersion="client.authentication.k8s.io/v1beta1",
        )  # fmt: skip
        assert source.token() == "p-a-1"

    def test_its_path_is_meant_from_the_file(self, tmp_path: Path) -> None:
        script(tmp_path / "bin" / "plugin", PRINTS_TOKEN)
        assert self.source(tmp_path, command="./bin/plugin", args=["x"]).token() == "x"

    def test_a_bare_name_is_looked_up_in_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script(tmp_path / "bin" / "our-plugin", PRINTS_TOKEN)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
        assert self.source(tmp_path, command="our-plugin", args=["x"], env=None).token() == "x"

    @pytest.mark.parametrize(
        ("expires_in", "later", "runs", "reason"),
        [
            (None, 299 - 60, 1, "without an end it is good for five minutes, less a minute"),
            (None, 301 - 60, 2, "and not for longer"),
            (3600, 3500, 1, "with an end it is good until a minute before"),
            (3600, 3541, 2, "and not for longer"),
            (-10, 0.5, 1, "one that has ended is not asked for again in the same second"),
            (-10, 1.5, 2, "but in the next"),
        ],
    )
    def test_is_run_again_when_its_token_ends(  # noqa: PLR0917 - one for each column of the table
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        expires_in: float | None,
        later: float,
        runs: int,
        reason: str,
    ) -> None:
        now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: now)
        status: Raw = {"token": "t"}
        if expires_in is not None:
            # The cases leave 40 s between now and the moment when the plugin looks at its clock.
            status["expirationTimestamp"] = (datetime.now(UTC) + timedelta(seconds=expires_in)).isoformat()
        body = json.dumps({"status": status})
        plugin = script(
            tmp_path / "plugin", f"open({str(tmp_path / 'runs')!r}, 'a').write('x'); print({body!r})"
        )
        source = self.source(tmp_path, command=str(plugin))
        source.token()
        now += later
        source.token()
        assert len((tmp_path / "runs").read_text()) == runs, reason

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("import sys; sys.exit(1)", "it fails"),
            ("print('no json')", "it prints something else"),
            ("print('{}')", "there is no status"),
            ("print('[]')", "no object"),
            ("""print('{"status": [1]}')""", "its status is no object"),
            ("""print('{"status": {"token": "t", "expirationTimestamp": "soon"}}')""", "its end is no time"),
            (
                """print('{"status": {"token": "t", "expirationTimestamp": "2026-01-01T00:00:00"}}')""",
                "its end has no zone",
            ),
        ],
    )
    def test_that_gives_no_token_is_named(self, tmp_path: Path, text: str, reason: str) -> None:
        plugin = script(tmp_path / "plugin", text)
        with pytest.raises(KubeconfigError, match=rf"'{plugin}' gave no token") as refused:
            self.source(tmp_path, command=str(plugin)).token()
        assert "status" not in str(refused.value), reason

    @pytest.mark.parametrize("token", ["", ', "token": "t"'])
    def test_that_gives_a_client_certificate_is_refused_by_name(self, tmp_path: Path, token: str) -> None:
        body = f'{{"status": {{"clientCertificateData": "{CANARY}"{token}}}}}'
        plugin = script(tmp_path / "plugin", f"print({body!r})")
        with pytest.raises(KubeconfigError, match=rf"'{plugin}' gives out a client certificate") as refused:
            self.source(tmp_path, command=str(plugin)).token()
        assert CANARY not in str(refused.value)

    def test_is_run_once_by_all_that_ask_at_the_same_time(self, tmp_path: Path) -> None:
        runs = tmp_path / "runs"
        plugin = script(tmp_path / "plugin", f"open({str(runs)!r}, 'a').write('x'); import time; time.sleep(0.3)"
                                             """; print('{"status": {"token": "t"}}')""")  # fmt: skip
        source = self.source(tmp_path, command=str(plugin))
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(lambda _: source.token(), range(8))) == {"t"}
        assert runs.read_text() == "x"

    def test_that_is_not_installed_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(
            KubeconfigError, match="'no-such-plugin' named in the kubeconfig is not installed"
        ):
            self.source(tmp_path, command="no-such-plugin").token()

    def test_that_may_not_be_run_is_named(self, tmp_path: Path) -> None:
        plugin = script(tmp_path / "plugin", "")
        plugin.chmod(0o600)
        with pytest.raises(KubeconfigError, match=r"gave no token \(PermissionError\)"):
            self.source(tmp_path, command=str(plugin)).token()


def test_the_namespace_is_the_contexts(tmp_path: Path) -> None:
    raw = config()
    assert load(written(tmp_path, raw)).namespace == "default"
    raw["contexts"][0]["context"]["namespace"] = "team-a"
    assert load(written(tmp_path, raw)).namespace == "team-a"


def test_a_slash_at_the_servers_end_is_dropped(tmp_path: Path) -> None:
    raw = config(cluster={"server": "https://h.example:6443/k8s/clusters/c-1/"})
    assert load(written(tmp_path, raw)).server == "https://h.example:6443/k8s/clusters/c-1"
