"""What a person asks of `hub test`, and with which exit code it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from integration_hub.adapters.egress import EgressPolicy
from integration_hub.cli.errors import Exit
from integration_hub.cli.output import Form
from integration_hub.flags import egress_policy
from integration_hub.model.instance import TestResult

CODES: Mapping[TestResult, Exit] = {
    "Success": Exit.OK,
    "Failure": Exit.FAILED,
    "Unknown": Exit.UNREACHABLE,
}
SEVERITY = (Exit.OK, Exit.UNREACHABLE, Exit.TIMEOUT, Exit.FAILED)
"""Exit codes from the best to the worst."""
_BY_HAND = "by-hand"
"""Name of a request that is tried and not saved."""

Raw = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a person asked for, checked as far as flags go."""

    name: str | None
    namespace: str | None
    kubeconfig: Path | None
    context: str | None
    policy: EgressPolicy
    tests: tuple[str, ...]
    bodies: bool
    form: Form
    operator: bool
    timeout: float
    """In seconds."""
    file: Path | None
    """Of a draft."""
    entry: Raw | None
    """A request of the person's own."""
    save: str | None
    apply: bool
    force: bool

    @classmethod
    def of(cls, flags: Mapping[str, Any], *, entry: Raw | None) -> Self:
        """Return the wish that the command's flags express."""
        return cls(
            name=flags["name"] or flags["wanted"],
            namespace=flags["namespace"],
            kubeconfig=flags["kubeconfig"],
            context=flags["context"],
            policy=egress_policy(
                flags["allow_cidrs"], allow_http=flags["allow_http"], connect_to=flags["connect_to"]
            ),
            tests=tuple(flags["tests"]),
            bodies=flags["show_body"],
            form=flags["output"],
            operator=not flags["no_operator"] and entry is None and flags["file"] is None,
            timeout=flags["timeout"].total_seconds(),
            file=flags["file"],
            entry=entry,
            save=flags["save"],
            apply=flags["apply_"],
            force=flags["force"],
        )

    @property
    def own_test(self) -> str:
        """Name of the test that a request of the person's own is made as."""
        return self.save or _BY_HAND

    @property
    def prints_manifest(self) -> bool:
        """Whether standard output is for a manifest alone."""
        return self.save is not None and not self.apply
