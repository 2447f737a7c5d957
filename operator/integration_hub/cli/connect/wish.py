"""What `hub connect` and `hub edit` are asked to do with the answers: the flags that are none, and what contradicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import click

from integration_hub.adapters.egress import EgressPolicy
from integration_hub.flags import egress_policy


@dataclass(frozen=True)
class Wish:
    """What a person asked for, as far as it is not an answer."""

    apply: bool
    install: bool
    """Whether a definition that the cluster does not have is installed, or written, without a question."""
    folder: Path | None
    secret_format: str
    dry_run: str | None
    asks: bool
    tests: bool
    test_only: bool
    wait: bool
    timeout: timedelta
    """How long to wait for the operator."""
    consent_timeout: timedelta
    """How long to wait for a person who must consent."""
    policy: EgressPolicy

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> Self:
        """Return the wish that the flags express.

        Raises:
            click.UsageError: they contradict each other, or there is something missing.

        """
        problems = (
            (
                flags["apply_"] and flags["folder"],
                "--apply and -o say different things: leave one of them out.",
            ),
            (
                flags["test_only"] and not flags["tests"],
                "--test-only and --no-test say different things: leave one of them out.",
            ),
            (
                flags["test_only"] and (flags["apply_"] or flags["folder"] or flags["dry_run"]),
                "--test-only writes nothing: leave --apply, -o and --dry-run out.",
            ),
            (
                flags["test_only"] and flags.get("install"),
                "--test-only installs nothing, and tests without it, too: leave --install out.",
            ),
            (
                flags["folder"] and flags["dry_run"] == "server",
                "-o writes files, which no API server checks: leave --dry-run out.",
            ),
            (
                flags["no_input"]
                and not (flags["apply_"] or flags["folder"] or flags["dry_run"] or flags["test_only"]),
                "Say what to do with the connection: --apply, -o DIR, --dry-run=client or --test-only.",
            ),
            (
                [source for _, source in flags["secret_files"]].count("-") > 1,
                "Standard input can be read once: give --secret-from-file KEY=- for one key alone.",
            ),
            (
                any(source == "-" for _, source in flags["secret_files"]) and not flags["no_input"],
                "Standard input is for answers, unless --no-input is given: add that, or read the value from a file.",
            ),
        )
        for is_wrong, words in problems:
            if is_wrong:
                raise click.UsageError(words)
        return cls(
            apply=flags["apply_"],
            install=flags.get("install", False),
            folder=flags["folder"],
            secret_format=flags["secret_format"],
            dry_run=flags["dry_run"],
            asks=not flags["no_input"],
            tests=flags["tests"],
            test_only=flags["test_only"],
            wait=flags["wait"],
            timeout=flags["timeout"] or timedelta(minutes=2),
            consent_timeout=flags["timeout"] or timedelta(minutes=15),
            policy=egress_policy(
                flags["allow_cidrs"], allow_http=flags["allow_http"], connect_to=flags["connect_to"]
            ),
        )

    @property
    def has_target(self) -> bool:
        """Whether it is said what becomes of the connection."""
        return self.apply or self.folder is not None or self.dry_run is not None

    @property
    def asks_cluster_to_write(self) -> bool:
        """Whether the API server is asked to take what comes of it, if only on trial."""
        return (self.apply and self.dry_run is None) or self.dry_run == "server"
