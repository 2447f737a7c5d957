"""Flags that `hub connect` and `hub edit` share. What they mean together, `run.py` and `given.py` know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from integration_hub.cli.flags import dry_run_flag, place_flags, wait_flags
from integration_hub.cli.pair import Pair
from integration_hub.flags import egress_flags

F = TypeVar("F", bound=Callable[..., object])

SECRET_FORMATS = ("example", "sealed-secret", "external-secret")


def answer_flags(command: F) -> F:
    """Add the flags that answer questions of both commands."""
    for option in reversed(
        (
            click.option(
                "--set",
                "settings",
                multiple=True,
                type=Pair("subdomain=acme"),
                metavar="FIELD=VALUE",
                help="Answer a question of the definition; of a group, GROUP.FIELD=VALUE. May be repeated.",
            ),
            click.option(
                "--values",
                type=click.Path(dir_okay=False, allow_dash=False, path_type=Path),
                metavar="FILE",
                help="Answers in YAML, like 'subdomain: acme'; --set wins over them.",
            ),
            click.option(
                "--template", metavar="NAME", help="Set-up of the definition that answers some questions."
            ),
            click.option("--auth-method", metavar="NAME", help="How the connection authenticates."),
            click.option(
                "--oauth-scope",
                "oauth_scopes",
                multiple=True,
                metavar="SCOPE",
                help="A scope beside those that the definition asks for. May be repeated.",
            ),
            click.option("--display-name", metavar="WORDS", help="Name that people see."),
            click.option(
                "--secret-name",
                metavar="NAME",
                help="Secret of the credentials. One that exists is used as it is, and never overwritten.",
            ),
            click.option(
                "--secret-from-file",
                "secret_files",
                multiple=True,
                type=Pair("apiKey=key.txt"),
                metavar="KEY=FILE",
                help="Value of a key of the Secret, from a file; '-' is standard input. May be repeated.",
            ),
            click.option(
                "--secret-from-env",
                "secret_variables",
                multiple=True,
                type=Pair("apiKey=ACME_KEY"),
                metavar="KEY=VARIABLE",
                help="Value of a key of the Secret, from an environment variable. May be repeated.",
            ),
            click.option(
                "--scope",
                type=click.Choice(["global", "client", "user"]),
                help="Whom the connection belongs to.",
            ),
            click.option("--scope-id", metavar="ID", help="Which client or user."),
            click.option(
                "--role", "roles", multiple=True, help="A role that may use the connection. May be repeated."
            ),
        )
    ):
        command = option(command)
    return command


def doing_flags(command: F) -> F:
    """Add the flags that say what becomes of the answers, and where."""
    for option in reversed(
        (
            click.option(
                "--no-input", is_flag=True, help="Ask nothing: what is missing is listed, all at once."
            ),
            click.option(
                "--test/--no-test",
                "tests",
                default=True,
                show_default=True,
                help="Test before anything is written.",
            ),
            click.option("--test-only", is_flag=True, help="Test, and write nothing."),
            click.option("--apply", "apply_", is_flag=True, help="Write into the cluster."),
            click.option(
                "-o",
                "--output-dir",
                "folder",
                type=click.Path(file_okay=False, path_type=Path),
                metavar="DIR",
                help="Write manifests for Git into a folder; no value of a Secret is among them.",
            ),
            click.option(
                "--secret-format",
                type=click.Choice(SECRET_FORMATS),
                default=SECRET_FORMATS[0],
                show_default=True,
                help="With -o: what stands for the Secret.",
            ),
            click.option(
                "--no-browser", is_flag=True, help="Only print the link, where somebody must consent."
            ),
            dry_run_flag,
            wait_flags(
                None,
                what="the operator says that the connection is Ready",
                shown="2m, and 15m where a person must consent",
            ),
            egress_flags,
            place_flags(),
        )
    ):
        command = option(command)
    return command
