"""The screens of docs/cli.md: every command typed in a real terminal, on a real cluster, and compared.

`make generate-screens` records those that have changed. Times, ages and ports differ in every run: that is no change.
Each is run in a pipe, too, which is told the same and gets nothing that steers a terminal.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import yaml

from integration_hub.cli.main import main as hub_command
from integration_hub.devcluster import ControlPlane
from integration_hub.devcluster.paths import cache_folder
from support.certificates import Authority
from support.hub_command import Hub, admin_kubeconfig
from support.instances import Api, Object, instance, secret
from support.oauth_party import CLIENT_ID, CLIENT_SECRET, OAuthParty
from support.operator_process import OperatorProcess
from support.screen import TerminalScreen
from support.shop import acme
from support.target_server import GOOD_KEY, TargetServer
from support.wizard import CTRL_C

pytestmark = pytest.mark.cluster

SCREENS = Path(__file__).parents[2] / "docs" / "screens"
RECORDING = os.environ.get("HUB_RECORD_SCREENS") == "1"
COLUMNS = 110
SECONDS = 60
"""In which a screen ends unless it hangs. An example takes the longest."""
HOME = "/home/you"
"""Stands on the page where the test has its folder."""


class Screen(NamedTuple):
    """What is typed, and under which name the documentation has it: the command, then a word of its own."""

    name: str
    typed: str
    answers: Sequence[tuple[str, str]] = ()
    """What is typed further, at which words."""
    in_a_pipe: str = ""
    """What a pipe gets in its place, where that has questions or cannot be done twice; 'nothing' runs nothing."""


SHOP = (
    Screen("get.1-instances", "hub get"),
    Screen("get.2-wide", "hub get -o wide"),
    Screen("get.3-plain", "hub get billing --plain"),
    Screen("status.1-failing", "hub status crm"),
    Screen("status.2-working", "hub status billing"),
    Screen("explain.1-reason", "hub explain SecretQuoted"),
    Screen("test.1-failing", "hub test crm --allow-cidr 127.0.0.0/8"),
    Screen("test.2-working", "hub test billing --allow-cidr 127.0.0.0/8"),
    Screen("tree.1-instance", "hub tree billing"),
    Screen("usage.1-definition", "hub usage acme"),
    Screen("usage.2-instance", "hub usage instance/billing"),
    Screen("export.1-instance", "hub export billing"),
    Screen("diff.1-file", "hub diff -f billing.yaml"),
    Screen("reconcile.1-working", "hub reconcile billing"),
    Screen("suspend.1-instance", "hub suspend billing"),
    Screen("resume.1-instance", "hub resume billing"),
    Screen("events.1-instance", "hub events crm"),
    Screen("check.1-pre", "hub check --pre"),
    Screen("version.1-client", "hub version --client"),
    Screen(
        "connect.1-asked",
        "hub connect acme --apply --allow-cidr 127.0.0.0/8",
        (
            ("Account:", "shop-orders"),
            ("Region", ""),
            ("What is the connection called?", "Orders"),
            ("Name of the object", ""),
            ("Where are the credentials?", ""),
            ("Secret key:", GOOD_KEY),
            ("Whom does the connection belong to?", ""),
            ("Which roles may use it?", ""),
            ("What now?", ""),
        ),
        in_a_pipe="hub connect acme --no-input --set account=shop-orders --name more --display-name More"
        " --secret-from-file apiKey=acme.key --apply --allow-cidr 127.0.0.0/8",
    ),
    Screen(
        "connect.2-no-questions",
        "hub connect acme --no-input --set account=shop-returns --name returns --display-name Returns"
        " --secret-from-file apiKey=acme.key -o git --allow-cidr 127.0.0.0/8",
        in_a_pipe="hub connect acme --no-input --set account=shop-returns --name returns --display-name Returns"
        " --secret-from-file apiKey=acme.key -o git-once-more --allow-cidr 127.0.0.0/8",
    ),
    Screen(
        "edit.1-asked",
        "hub edit orders --apply --allow-cidr 127.0.0.0/8",
        (("What now?", ""), ("Answer to change", "2"), ("Region", "us"), ("What now?", "")),
        in_a_pipe="hub edit orders --no-input --set region=eu --apply --allow-cidr 127.0.0.0/8",
    ),
    Screen("authorize.1-link", "hub authorize ledger --wait=false"),
    Screen("audit-verify.1-log", "hub audit verify hub.log"),
    Screen("keys-list.1-one", "hub keys list"),
    Screen("keys-rotate.1-all", "hub keys rotate", in_a_pipe="hub keys rotate --dry-run=client"),
    Screen(
        "keys-prune.1-asked",
        "hub keys prune --now",
        (("[y/N]", "y"),),
        in_a_pipe="hub keys prune --yes --now",
    ),
    Screen("catalog-list.1-category", "hub catalog list --category payments"),
    Screen("catalog-search.1-typo", "hub catalog search salesfroce"),
    Screen("catalog-show.1-stripe", "hub catalog show stripe"),
    Screen("catalog-export.1-two", "hub catalog export definitions stripe slack"),
    Screen("catalog-install.1-new", "hub catalog install stripe slack"),
    Screen("catalog-install.2-same", "hub catalog install stripe"),
    Screen("definition-lint.1-good", "hub definition lint stripe"),
    Screen("definition-test.1-cases", "hub definition test stripe"),
    Screen("definition-diff.1-same", "hub definition diff stripe stripe"),
    Screen("completion.1-bash", "hub completion bash"),
)
"""What somebody does whose cluster has the operator, in this order."""

FROM_NOTHING = (
    Screen("dev-up.1-started", "hub dev up"),
    Screen("dev-status.1-running", "hub dev status"),
    Screen("dev-kubeconfig.1-path", "hub dev kubeconfig"),
    Screen("dev-kubectl.1-namespaces", "hub dev kubectl get namespaces"),
    Screen(
        "example.1-once",
        "hub example 01-quickstart --once",
        in_a_pipe="nothing",  # test_examples.py runs it so
    ),
    Screen(
        "run.1-until-ctrl-c",
        "hub run --allow-cidr 127.0.0.0/8 --listen 127.0.0.1:0 --callback-listen off",
        (("audit log begins", CTRL_C),),
        in_a_pipe="nothing",  # all other tests run it so
    ),
    Screen(
        "webhook.1-until-ctrl-c",
        "hub webhook --certificate tls.crt --key tls.key --listen 127.0.0.1:0",
        (("https://", CTRL_C),),
        in_a_pipe="nothing",  # test_webhook.py runs it so
    ),
    Screen("dev-down.1-purged", "hub dev down --purge"),
)
"""What somebody does who has no cluster yet, in this order."""


def leaves(group: click.Group, above: click.Context) -> Iterator[str]:
    """Yield the names under which the commands that do something have their screens."""
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        ctx = click.Context(command, info_name=name, parent=above)
        if isinstance(command, click.Group):
            yield from leaves(command, ctx)
        else:
            yield ctx.command_path.removeprefix("hub ").replace(" ", "-")


def test_every_command_has_a_screen() -> None:
    played = {screen.name.partition(".")[0] for screen in (*SHOP, *FROM_NOTHING)}
    assert played == set(leaves(hub_command, click.Context(hub_command, info_name="hub")))


def test_each_screen_of_the_documentation_is_one_that_is_played() -> None:
    assert {file.stem for file in SCREENS.glob("*.txt")} == {screen.name for screen in (*SHOP, *FROM_NOTHING)}


def normalised(text: str) -> list[str]:
    """Return lines in which what differs from run to run is the same everywhere."""
    for pattern, same in (
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "TIME"),
        (r"\b\d+(s|m|h|d)( ago)?\b", "AGE"),
        (r"in AGE", "AGE"),
        (r"\b\d+ ms", "MS"),
        (r"Process: *\d+", "PROCESS"),
        (r"\d+ MiB", "MEMORY"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"v1\.\d+\.\d+", "VERSION"),
        (r"(state|code_challenge)=[^&\s]+|localhost%3A\d+", "OF-THIS-LINK"),
        (r"\b([0-9a-f]{16}|[0-9a-f]{8})\b", "HEX"),
        (r"\bkey-\d+", "KEY"),
        (r"[…]+", " "),
        (r"[ \t]+", " "),
    ):
        text = re.sub(pattern, same, text)
    return [line.strip() for line in text.splitlines()]


def played(hub: Hub, screen: Screen, folder: Path) -> tuple[int, str]:
    """Type it; return the exit code, and what stands there in the end."""
    words = shlex.split(screen.typed)[1:]
    terminal = TerminalScreen(hub, *words, columns=COLUMNS, seconds=SECONDS)
    for words_there, answer in screen.answers:
        terminal.waits_for(words_there)
        terminal.types(answer if answer == CTRL_C else f"{answer}\r")
    code = terminal.ends()
    return code, terminal.text().replace(str(folder), HOME)


def compare(hub: Hub, story: Sequence[Screen], folder: Path) -> None:
    """Play a story; fail where a screen is not the one of the documentation, or a pipe does not get the answer."""
    wrong = []
    for screen in story:
        code, text = played(hub, screen, folder)
        found = f"$ {screen.typed}\n{text}"
        file = SCREENS / f"{screen.name}.txt"
        if not file.exists() or normalised(file.read_text(encoding="utf-8")) != normalised(found):
            if RECORDING:
                file.write_text(found, encoding="utf-8")
            else:
                wrong.append(f"{file.name} is not what is shown, which is:\n{found}")
        again = screen.in_a_pipe or screen.typed
        if again != "nothing":
            ran = hub.run(*shlex.split(again)[1:])
            assert (ran.code, "\x1b" in ran.out + ran.err) == (code, False), f"{again}:\n{ran.err}"
            assert ran.out, f"{again} writes nothing to standard output"
    assert not wrong, "run 'make generate-screens':\n" + "\n".join(wrong)


@pytest.fixture
def shop(
    spare_cluster: ControlPlane,
    spare_api: Api,
    start_operator: Callable[..., OperatorProcess],
    target: TargetServer,
) -> Iterator[OperatorProcess]:
    """A namespace with a connection that works, one that does not, and one that awaits somebody's consent."""
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    pod = {
        "containers": [{"name": "sync", "image": "registry.example/sync"}],
        "volumes": [{"name": "billing", "secret": {"secretName": "billing-access"}}],
    }
    workload: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "billing-sync", "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": "sync"}},
            "template": {"metadata": {"labels": {"app": "sync"}}, "spec": pod},
        },
    }
    system = acme("acme", target, version="1.4.0")
    with OAuthParty() as party:
        consent = {
            "name": "sign-in",
            "type": "oauth2",
            "settings": {
                "authorizationURL": f"{party.url}/shop-ledger/authorize",
                "tokenURL": f"{party.url}/shop-ledger/token",
            },
        }
        party.tenant("shop-ledger")
        books = acme("books", party, displayName="Books", authMethods=[consent])
        spare_api.apply(namespace, system, books)
        spare_api.call("POST", "/apis/apps/v1/namespaces/shop/deployments", workload)
        spare_api.apply(
            secret("shop", "billing"),
            secret("shop", "crm", apiKey=f'"{GOOD_KEY}"'),
            secret("shop", "ledger", clientId=CLIENT_ID, clientSecret=CLIENT_SECRET),
        )
        binding = {"secretName": "billing-access"}
        billing, crm, ledger = spare_api.apply(
            instance("shop", "billing", "acme", secret="billing", binding=binding),
            instance("shop", "crm", "acme", secret="crm"),
            instance("shop", "ledger", "books", secret="ledger"),
        )
        operator = start_operator()
        spare_api.wait_for_verdict(billing, "True", "Connected")
        spare_api.wait_for_verdict(crm, "False", "SecretQuoted")
        spare_api.wait_for_verdict(ledger, "Unknown", "AuthorizationRequired")
        yield operator
        connected = [instance("shop", name, "acme") for name in ("orders", "more")]
        installed = [acme(name, target) for name in ("stripe", "slack")]
        made = [one for one in (*connected, *installed) if spare_api.exists(one)]
        spare_api.delete(billing, crm, ledger, *made, system, books, namespace)


def test_the_screens_of_a_cluster_with_the_operator(
    shop: OperatorProcess, spare_cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = admin_kubeconfig(tmp_path, spare_cluster.up(), "shop")
    changed = instance(
        "shop", "billing", "acme", secret="billing-2", binding={"secretName": "billing-access"}
    )
    (tmp_path / "billing.yaml").write_text(yaml.safe_dump(changed))
    (tmp_path / "acme.key").write_text(GOOD_KEY)
    shutil.copyfile(shop.log, tmp_path / "hub.log")
    monkeypatch.chdir(tmp_path)
    compare(Hub(tmp_path, file, GOOD_KEY, CLIENT_SECRET), SHOP, tmp_path)


def test_the_screens_of_whoever_has_no_cluster_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority("Authority of the API server's callers")
    issued = authority.issue("127.0.0.1")
    (tmp_path / "tls.crt").write_text(issued.chain)
    (tmp_path / "tls.key").write_text(issued.key)
    monkeypatch.chdir(tmp_path)
    # What was built once lies in the user's cache; all else is the test's.
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_folder().parent))
    monkeypatch.setenv("HUB_DEV_HOME", str(tmp_path / "cluster"))
    hub = Hub(tmp_path, tmp_path / "cluster" / "kubeconfig", GOOD_KEY)
    try:
        compare(hub, FROM_NOTHING, tmp_path)
    finally:
        hub.run("dev", "down", "--purge")
