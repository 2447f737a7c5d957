"""`hub test`: tests of one connection by hand. Flags, words about them and exit codes; `run.py` does the work."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import click

from integration_hub.cli import completing
from integration_hub.cli.errors import Exit
from integration_hub.cli.flags import HELP, look_flags, output_flag
from integration_hub.cli.naming import INSTANCE, NameType
from integration_hub.cli.pair import Pair
from integration_hub.flags import Command, PatienceType, cluster_flags, egress_flags

CUSTOM = ("method", "query", "headers", "body", "expect", "assertions", "identity", "save")
"""Parameters that have a meaning only with --path."""


class _Statuses(click.ParamType[list[int]]):
    name = "statuses"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        if isinstance(value, list):
            return value
        try:
            return [int(part) for part in str(value).split(",")]
        except ValueError:
            self.fail(f"'{value}' is no list of HTTP statuses like 200 or 200,201", param, ctx)


class _Json(click.ParamType[Any]):
    name = "json"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return json.loads(str(value))
        except ValueError as error:
            place = f" from character {error.pos + 1} on" if isinstance(error, json.JSONDecodeError) else ""
            self.fail(f"is not JSON{place}; text needs double quotes, like '\"text\"'", param, ctx)


@click.command("test", cls=Command, context_settings=HELP)
@click.argument("name", type=NameType(INSTANCE), required=False, shell_complete=completing.instances)
@click.option(
    "-n",
    "--namespace",
    help="Namespace of the instance. [default: the context's]",
    shell_complete=completing.namespaces,
)
@cluster_flags
@look_flags
@click.option(
    "--test",
    "tests",
    multiple=True,
    metavar="NAME",
    help="Make only this test. May be repeated.",
    shell_complete=completing.tests,
)
@click.option("--show-body", is_flag=True, help="Show the first 2 KiB of each body, masked.")
@output_flag(("table", "json", "yaml"), with_text=True)
@click.option(
    "--no-operator", is_flag=True, help="Do not compare with the operator's verdict, and ask it for nothing."
)
@click.option(
    "--timeout",
    type=PatienceType(),
    default="30s",
    show_default=True,
    help="How long the operator may take to answer, like 30s or 5m.",
)
@egress_flags
@click.option("--draft", is_flag=True, help="Test manifests of a file that need not be applied; takes -f.")
@click.option(
    "-f",
    "--file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="File of manifests for --draft, '-' for standard input. Definition and Secret come from the file if they"
    " are in it, else from the cluster.",
)
@click.option("--name", "wanted", help="With --draft: test only the instance of this name.")
@click.option("--path", help="Try a request of your own to this path below baseURL, like /v1/account.")
@click.option(
    "--method",
    type=click.Choice(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], case_sensitive=False),
    help="With --path: its method. [default: GET]",
)
@click.option(
    "--query", multiple=True, type=Pair("limit=1"), help="With --path: a query parameter. May be repeated."
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    type=Pair("X-Version=2"),
    help="With --path: a header. May be repeated.",
)
@click.option("--body", type=_Json(), help="With --path: JSON value to send.")
@click.option("--expect", type=_Statuses(), help="With --path: statuses that mean success. [default: 200]")
@click.option(
    "--assert",
    "assertions",
    multiple=True,
    metavar="CEL",
    help="With --path: what must hold of the answer, like 'response.json.ok == true'. May be repeated.",
)
@click.option("--identity", metavar="PATH", help="With --path: where the answer says who we are.")
@click.option(
    "--save",
    metavar="NAME",
    help="With --path: print the instance's manifest with this request as a saved test, to commit.",
)
@click.option(
    "--apply", "apply_", is_flag=True, help="With --save: apply the saved test instead of printing it."
)
@click.option("--force", is_flag=True, help="With --save: save the test although it has just not succeeded.")
def trial(**flags: Any) -> None:
    """Test a connection now, from this machine, and say what the operator finds.

    The tests are the operator's own, made with your access to the Secret. Then the operator's verdict is
    compared, and where it is another or an old one, the operator is asked to test now.

    \b
    Examples:
      hub test billing
      hub test --draft -f billing.yaml
      hub test billing --path /v1/orders --assert 'size(response.json) > 0' --save orders

    Exit code 0 where all succeeds, 1 where something fails, 3 where that cannot be told, 4 where the operator
    has not answered in time, 2 for a mistake in the command. Optional tests are shown and do not count, unless
    --test names them.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    _check(flags)
    entry = _entry(flags)
    try:
        # Here, since `hub test --help` and a mistake in a flag need none of it.
        from integration_hub.cli.trial.run import run  # noqa: PLC0415
        from integration_hub.cli.trial.wish import Wish  # noqa: PLC0415

        code = run(Wish.of(flags, entry=entry))
    except KeyboardInterrupt:
        click.echo("\nStopped.", err=True)
        code = Exit.INTERRUPTED
    sys.exit(code)


def _check(flags: dict[str, Any]) -> None:
    """Refuse flags that make no sense together, each with what to do instead."""
    given = [f"--{_flag(name)}" for name in CUSTOM if _is_given(flags[name])]
    custom = given if flags["path"] is None else []
    problems: Sequence[tuple[object, str]] = (
        (
            flags["draft"] and flags["file"] is None,
            "--draft takes a file of manifests: add -f FILE.",
        ),
        (flags["file"] and not flags["draft"], "-f is for manifests that are not applied: add --draft."),
        (
            not flags["draft"] and not flags["name"],
            "Name the instance to test, or test a file with --draft -f FILE.",
        ),
        (flags["name"] and flags["wanted"], "NAME and --name say the same: leave one of them out."),
        (flags["save"] == "", "--save needs a name for the test, and it was given nothing."),
        (not flags["draft"] and flags["wanted"], "--name chooses from a file: add --draft -f FILE."),
        (custom, f"{', '.join(custom)} says something about a request of your own: add --path."),
        (
            flags["path"] is not None and flags["tests"],
            "--path tries a request of your own: leave --test out.",
        ),
        (
            (flags["apply_"] or flags["force"]) and not flags["save"],
            "--apply and --force belong to --save NAME.",
        ),
        (
            flags["apply_"] and flags["draft"],
            "No test can be applied to what is not applied itself: leave --apply out.",
        ),
        (
            flags["save"] and not flags["apply_"] and not flags["output"].is_table,
            f"--save prints a manifest: leave '-o {flags['output'].kind}' out, or add --apply.",
        ),
    )
    for is_wrong, words in problems:
        if is_wrong:
            raise click.UsageError(words)


def _refuse_twice(flag: str, names: list[str]) -> None:
    """Refuse what would silently be the last of two values: a test has one for each name."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise click.UsageError(
            f"{flag} {twice} is given twice, and a test has one value for each: leave one out."
        )


def _is_given(value: object) -> bool:
    return value is not None and not (isinstance(value, tuple) and not value)


def _flag(name: str) -> str:
    return {"headers": "header", "assertions": "assert"}.get(name, name)


def _entry(flags: dict[str, Any]) -> dict[str, Any] | None:
    """Return the request that the flags describe as an entry of spec.tests; its name is still open."""
    if flags["path"] is None:
        return None
    path, _, query = flags["path"].partition("?")
    request: dict[str, Any] = {"path": path}
    if flags["method"]:
        request = {"method": flags["method"].upper(), **request}
    pairs = [*parse_qsl(query, keep_blank_values=True), *flags["query"]]
    _refuse_twice("--query", [name for name, _ in pairs])
    _refuse_twice("--header", [name.lower() for name, _ in flags["headers"]])
    if pairs:
        request["query"] = dict(pairs)
    if flags["headers"]:
        request["headers"] = dict(flags["headers"])
    if flags["body"] is not None:
        request["body"] = flags["body"]
    expect: dict[str, Any] = {}
    if flags["expect"]:
        expect["status"] = flags["expect"]
    if flags["assertions"]:
        expect["assertions"] = [{"rule": rule} for rule in flags["assertions"]]
    entry: dict[str, Any] = {"request": request}
    if expect:
        entry["expect"] = expect
    if flags["identity"]:
        entry["identity"] = flags["identity"]
    return entry
