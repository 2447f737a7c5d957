"""Signatures of AWS before servers that none of us wrote and that verify each one: S3, IAM and STS, over TLS.

The definition is the one of docs/auth-methods.md, as it stands there; then the catalog's.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import yaml

from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.shipped import definition_text
from integration_hub.auth.credentials import read_credentials
from integration_hub.auth.flow import AuthContext, Credentials
from integration_hub.auth.methods import METHODS
from integration_hub.auth.templates import render_settings
from integration_hub.catalog.loader import read_object
from integration_hub.model.http import Outcome
from integration_hub.model.reasons import Reason
from integration_hub.probe.diagnose import Diagnosis, diagnose
from integration_hub.probe.plan import plan_probe
from integration_hub.reconcile.definition import check_definition
from support.certificates import Authority
from support.programs import TOOLS
from support.s3_server import (
    ACCESS_KEY,
    REGION,
    TEMPORARY,
    S3Server,
    iam_server,
    require_program,
    s3_server,
)

in_one_loop = pytest.mark.asyncio(loop_scope="module")
CUSTOM = METHODS["custom"]
DOCS = (Path(__file__).parents[2] / "docs" / "auth-methods.md").read_text(encoding="utf-8")
(MANIFEST,) = (
    manifest
    for block in re.findall(r"```ya?ml\n(.*?)```", DOCS, re.DOTALL)
    for manifest in yaml.safe_load_all(block)
    if manifest.get("metadata", {}).get("name") == "s3"
)
CATALOG = read_object(definition_text("s3") or "")
LOOPBACK = EgressPolicy(parse_cidrs(["127.0.0.0/8"]))
ANOTHER_SECRET = {**ACCESS_KEY, "secretAccessKey": "another-canary-secret"}


class Parties(NamedTuple):
    client: HttpClient
    authority: Authority
    s3: S3Server
    iam: S3Server


class Exchange(NamedTuple):
    diagnosis: Diagnosis
    outcome: Outcome

    @property
    def text(self) -> str:
        assert self.outcome.response is not None, self.outcome.failure
        return self.outcome.response.body.decode()

    @property
    def status(self) -> int:
        assert self.outcome.response is not None, self.outcome.failure
        return self.outcome.response.status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parties(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parties]:
    program, authority = require_program(), Authority("Storage Authority")
    identity = authority.issue("127.0.0.1")
    with (
        s3_server(program, tmp_path_factory.mktemp("s3"), identity) as s3,
        iam_server(program, tmp_path_factory.mktemp("iam"), identity) as iam,
    ):
        client = HttpClient(LOOPBACK)
        yield Parties(client, authority, s3, iam)
        await client.close()
        await asyncio.sleep(0.25)  # aiohttp returns before its TLS connections have said goodbye


async def ask(
    parties: Parties,
    values: Mapping[str, str],
    *,
    server: S3Server | None = None,
    settings: Mapping[str, Any] | None = None,
    request: Mapping[str, Any] | None = None,
    region: str = REGION,
    ahead: timedelta = timedelta(),
) -> Exchange:
    """Make the documented test, or another request with the same expectations, as the operator makes it."""
    raw: dict[str, Any] = {"metadata": {"name": "s3"}, "spec": dict(MANIFEST["spec"])}
    raw["spec"]["trust"] = {"caBundle": parties.authority.pem}
    if request is not None:
        raw["spec"]["tests"] = [{**raw["spec"]["tests"][0], "request": request, "expect": {}}]
    config = {"endpoint": (server or parties.s3).url, "region": region}
    return await make(parties, raw, config, values, settings=settings, ahead=ahead)


async def make(
    parties: Parties,
    raw: Mapping[str, Any],
    given: Mapping[str, Any],
    values: Mapping[str, str],
    *,
    test: str | None = None,
    settings: Mapping[str, Any] | None = None,
    ahead: timedelta = timedelta(),
) -> Exchange:
    """Make a test of a definition, the default one unless another is named, as the operator makes it."""
    checked = check_definition(raw)
    assert checked.violations == ()
    assert checked.spec is not None
    assert checked.validator is not None
    config = checked.validator.effective(given)
    assert checked.validator.violations(config) == []

    made = next((each for each in checked.spec.tests if each.name == test), checked.spec.default_test)
    plan = plan_probe(checked.spec, made, made.request, config)
    rendered = render_settings(CUSTOM, settings or checked.spec.auth_methods[0].settings, config)
    data = {name: value.encode() for name, value in values.items()}
    credentials = read_credentials(CUSTOM.secret_keys(rendered), data, secret_name="s")
    assert isinstance(credentials, Credentials)
    assert CUSTOM.credential_problem(rendered, credentials) is None
    now = datetime.now(UTC)
    (sent,) = CUSTOM.flow(rendered, credentials, plan.request, AuthContext(now=now + ahead))
    rules = [HostRule.parse(host) for host in plan.allowed_hosts]
    outcome = await parties.client.send(sent, allowed_hosts=rules, ca_bundle=plan.ca_bundle)
    told = diagnose(plan, [outcome], now=datetime.now(UTC), credentials=credentials, sent=sent)
    assert not any(value in repr(told) for name, value in values.items() if name != "accessKeyId")
    return Exchange(told, outcome)


@in_one_loop
async def test_an_access_key_that_is_known_lists_the_buckets(parties: Parties, bucket: Path) -> None:
    found = await ask(parties, ACCESS_KEY)
    assert (found.diagnosis.reason, found.diagnosis.result) == (Reason.CONNECTED, "Success")
    assert f"<Name>{bucket.name}</Name>" in found.text


class Refusal(NamedTuple):
    code: str
    reason: Reason
    values: Mapping[str, str] = ACCESS_KEY
    region: str = REGION
    ahead: timedelta = timedelta()


REFUSALS = [
    Refusal("SignatureDoesNotMatch", Reason.CREDENTIALS_REJECTED, values=ANOTHER_SECRET),
    Refusal(
        "InvalidAccessKeyId", Reason.CREDENTIALS_REJECTED, values={**ACCESS_KEY, "accessKeyId": "AKIAUNKNOWN"}
    ),
    Refusal("AuthorizationHeaderMalformed", Reason.WRONG_REGION, region="us-west-2"),
    Refusal("RequestTimeTooSkewed", Reason.CLOCK_SKEW, ahead=timedelta(hours=1)),
    Refusal("RequestTimeTooSkewed", Reason.CLOCK_SKEW, ahead=timedelta(hours=-1)),
]


@in_one_loop
@pytest.mark.parametrize("refusal", REFUSALS, ids=range(len(REFUSALS)))
async def test_each_refusal_is_told_by_its_reason(parties: Parties, refusal: Refusal) -> None:
    found = await ask(parties, refusal.values, region=refusal.region, ahead=refusal.ahead)
    assert f"<Code>{refusal.code}</Code>" in found.text
    assert (found.diagnosis.reason, found.diagnosis.result) == (refusal.reason, "Failure")
    assert refusal.code in found.diagnosis.message


ODD = "a b+c=d&e,f;g:h@i$j!k'l(m)n*o~p-q._r%s\u00e4\u1234"
AT_HOME = {"awsSigV4": {"service": "s3", "region": REGION}}
"""Settings that leave the field `region` for something else."""


@pytest.fixture
def bucket(parties: Parties) -> Path:
    folder = parties.s3.folder / "reports"
    folder.mkdir(exist_ok=True)
    return folder


@in_one_loop
async def test_an_object_of_any_name_is_found(parties: Parties, bucket: Path) -> None:
    (bucket / ODD).write_text("odd")
    found = await ask(parties, ACCESS_KEY, request={"path": f"/reports/{ODD.replace('%', '%25')}"})
    assert (found.status, found.text) == (200, "odd")


@in_one_loop
async def test_a_slash_in_a_value_is_one_in_the_name_of_an_object(parties: Parties, bucket: Path) -> None:
    (bucket / "below").mkdir(exist_ok=True)
    (bucket / "below" / ODD).write_text("below")
    request = {"path": "/reports/{{ config.region }}"}
    found = await ask(parties, ACCESS_KEY, settings=AT_HOME, request=request, region=f"below/{ODD}")
    assert (found.status, found.text) == (200, "below")


@in_one_loop
async def test_parameters_of_any_form_are_covered(parties: Parties, bucket: Path) -> None:
    (bucket / ODD).write_text("odd")
    query = {"prefix": ODD[:30], "list-type": "2", "delimiter": "/", "encoding-type": "url", "max-keys": "5"}
    found = await ask(parties, ACCESS_KEY, request={"path": "/reports", "query": query})
    assert found.status == 200
    assert "<KeyCount>1</KeyCount>" in found.text


@in_one_loop
async def test_a_body_is_covered(parties: Parties, bucket: Path) -> None:
    request = {"method": "PUT", "path": "/reports/new.json", "body": {"region": "{{ config.region }}"}}
    found = await ask(parties, ACCESS_KEY, request=request)
    assert found.status == 200
    assert (bucket / "new.json").read_text() == f'{{"region": "{REGION}"}}'


WHO = {"path": "/", "query": {"Version": "2011-06-15", "Action": "GetCallerIdentity"}}
USERS = {
    "method": "POST", "path": "/", "query": {"Version": "2010-05-08", "Action": "ListUsers"},
    "headers": {"X-Note": "  two   spaces  "},
}  # fmt: skip


@in_one_loop
@pytest.mark.parametrize(
    ("service", "request_", "words"), [("sts", WHO, ":root</Arn>"), ("iam", USERS, "<Users>")]
)
async def test_services_other_than_s3_are_satisfied(
    parties: Parties, service: str, request_: dict[str, Any], words: str
) -> None:
    settings = {"awsSigV4": {"service": service}}
    found = await ask(parties, ACCESS_KEY, server=parties.iam, settings=settings, request=request_)
    assert found.status == 200
    assert words in found.text


@in_one_loop
async def test_a_session_token_is_covered_and_makes_temporary_credentials_work(parties: Parties) -> None:
    settings = {"awsSigV4": {"service": "sts"}}
    found = await ask(parties, TEMPORARY, server=parties.iam, settings=settings, request=WHO)
    assert found.status == 200, found.text
    assert ":assumed-role/reader/hub</Arn>" in found.text


@in_one_loop
async def test_a_session_token_of_another_is_refused(parties: Parties) -> None:
    settings = {"awsSigV4": {"service": "sts"}}
    values = {**TEMPORARY, "sessionToken": "canary-of-another"}
    found = await ask(parties, values, server=parties.iam, settings=settings, request=WHO)
    assert "<Code>InvalidClientTokenId</Code>" in found.text
    assert found.diagnosis.reason == Reason.CREDENTIALS_REJECTED


class TestTheCatalogsDefinition:
    """The one that teams use, before the same server: its rules know the answers that really come."""

    @staticmethod
    async def ask(
        parties: Parties,
        values: Mapping[str, str] = ACCESS_KEY,
        *,
        test: str = "bucket",
        ahead: timedelta = timedelta(),
        **config: str,
    ) -> Exchange:
        given = {
            "server": parties.s3.url,
            "bucket": "reports",
            "region": REGION,
            "caCertificate": parties.authority.pem,
            **config,
        }
        return await make(parties, CATALOG, given, values, test=test, ahead=ahead)

    @in_one_loop
    @pytest.mark.parametrize("test", ["bucket", "buckets"])
    async def test_a_key_pair_is_connected(self, parties: Parties, bucket: Path, test: str) -> None:
        (bucket / "a.pdf").write_text("a")
        found = await self.ask(parties, test=test)
        assert (found.diagnosis.reason, found.diagnosis.result) == (Reason.CONNECTED, "Success")

    @in_one_loop
    @pytest.mark.usefixtures("bucket")
    @pytest.mark.parametrize("refusal", REFUSALS, ids=range(len(REFUSALS)))
    async def test_each_refusal_is_told_in_words_of_its_own(self, parties: Parties, refusal: Refusal) -> None:
        found = await self.ask(parties, refusal.values, region=refusal.region, ahead=refusal.ahead)
        assert f"<Code>{refusal.code}</Code>" in found.text
        assert found.diagnosis.reason == refusal.reason
        assert found.diagnosis.message in {
            f"127.0.0.1:{parties.s3.port}: {rule['message']}."
            for rule in CATALOG["spec"]["tests"][0]["failures"]
            if f"<Code>{refusal.code}</Code>" in rule["when"]
        }

    @in_one_loop
    async def test_a_bucket_that_there_is_not_is_no_bad_key(self, parties: Parties) -> None:
        found = await self.ask(parties, bucket="no-such-bucket")
        assert found.diagnosis.reason == Reason.OBJECT_NOT_FOUND
        assert "no bucket of this name" in found.diagnosis.message


class TestWithoutTheServer:
    """The tool of `make test` with an empty cache, a Go that may fetch nothing, and nothing else on PATH."""

    @staticmethod
    def run(folder: Path, *words: str, ci: str) -> subprocess.CompletedProcess[str]:
        go = shutil.which("go")
        if go is not None:
            (folder / "bin").mkdir()
            (folder / "bin" / "go").symlink_to(Path(go).resolve())
        environment = {
            "PATH": str(folder / "bin"),
            "HOME": str(folder),
            "CI": ci,
            "GOPROXY": "off",
            "PIP_NO_INDEX": "1",
        }
        tool: list[str | Path] = [sys.executable, TOOLS / "bootstrap_s3.py", *words]
        return subprocess.run(tool, capture_output=True, text=True, check=False, timeout=60, env=environment)

    def test_a_person_is_told_and_goes_on(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, ci="")
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("An S3 server cannot be had: Go ")
        assert done.stderr.endswith("Going on without: the tests of signatures against S3 are skipped.\n")
        assert done.stderr.count("\n") == 1

    def test_ci_does_not(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, ci="true")
        assert done.returncode == 1
        assert done.stderr.endswith(" CI needs it.\n")

    def test_asking_where_it_is_builds_nothing(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, "--find", ci="true").returncode == 1
        assert [path.name for path in tmp_path.iterdir()] in ([], ["bin"])
