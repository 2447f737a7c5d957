"""What `hub definition` does, from the files to the exit code."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from integration_hub.catalog.changes import changes
from integration_hub.catalog.lint import Finding
from integration_hub.catalog.vendor import Vendor
from integration_hub.cli.definition_files import (
    CannotReadError,
    Named,
    by_name_or_file,
    chosen,
    from_catalog,
    one_of,
    vendor_of,
)
from integration_hub.cli.definition_view import PlayedView, change_lines, lint_lines
from integration_hub.cli.trial_streams import cannot_write, prepare
from integration_hub.config.plain_text import clean
from integration_hub.config.values import did_you_mean
from integration_hub.model.definition import DefinitionSpec
from integration_hub.reconcile.definition import check_definition
from integration_hub.shell.authoring import findings, vendor_findings
from integration_hub.shell.rehearsal import Played, rehearse

OK, TO_MEND, USAGE = 0, 1, 2


def lint(
    names: Sequence[str], files: Sequence[Path], *, everything: bool, strict: bool, as_json: bool
) -> int:
    """Lint what is named and return the exit code."""
    prepare()
    try:
        looked_at = [(named, findings(named.raw)) for named in chosen(names, files, everything=everything)]
    except CannotReadError as error:
        return _refuse(error)
    try:
        if as_json:
            click.echo(json.dumps([_lint_data(named, found) for named, found in looked_at], indent=2))
        else:
            for named, found in looked_at:
                for line in lint_lines(named.source, found):
                    click.echo(clean(line))
    except OSError as error:
        return cannot_write(error)
    bad = {"error", "warning"} if strict else {"error"}
    return TO_MEND if any(finding.level in bad for _, found in looked_at for finding in found) else OK


def _lint_data(named: Named, found: Sequence[Finding]) -> dict[str, Any]:
    return {
        "definition": named.source,
        "findings": [
            {"level": finding.level, "path": finding.path, "message": finding.message} for finding in found
        ],
    }


def test(
    name: str | None, file: Path | None, vendor_file: Path | None, only: str | None, *, as_json: bool
) -> int:
    """Play a definition against its vendor and return the exit code."""
    prepare()
    try:
        named = _one(name, file)
        mistakes = [finding for finding in findings(named.raw) if finding.level == "error"]
        if mistakes:
            for line in lint_lines(named.source, mistakes):
                click.echo(clean(line), err=True)
            return TO_MEND
        vendor = vendor_of(named.raw["metadata"]["name"], vendor_file)
        lacking = vendor_findings(named.raw, vendor)
        _check_case(vendor, only)
        played = asyncio.run(_play(named, vendor, only, as_json=as_json))
    except CannotReadError as error:
        return _refuse(error)
    except OSError as error:
        return cannot_write(error)
    for violation in lacking:
        click.echo(clean(f"vendor file: {violation}"), err=True)
    return TO_MEND if lacking or any(one.faults for one in played) else OK


def _one(name: str | None, file: Path | None) -> Named:
    return from_catalog(name or "") if file is None else one_of(file)


def diff(old: str, new: str, *, as_json: bool) -> int:
    """Compare two definitions and return the exit code."""
    prepare()
    try:
        before, after = (by_name_or_file(text) for text in (old, new))
        found = changes(_spec(before), _spec(after))
    except CannotReadError as error:
        return _refuse(error)
    try:
        if as_json:
            click.echo(json.dumps([asdict(change) for change in found], indent=2))
        else:
            for line in change_lines(found):
                click.echo(clean(line))
    except OSError as error:
        return cannot_write(error)
    return TO_MEND if any(change.breaking for change in found) else OK


def _check_case(vendor: Vendor, only: str | None) -> None:
    names = [case.name for case in vendor.cases]
    if only is not None and only not in names:
        raise CannotReadError(f"The vendor file has no case '{only}'{did_you_mean(only, names)}.")


async def _play(named: Named, vendor: Vendor, only: str | None, *, as_json: bool) -> list[Played]:
    view = PlayedView(sys.stdout, vendor)
    played: list[Played] = []
    async for one in rehearse(named.raw, vendor, only=only):
        played.append(one)
        if not as_json:
            view.show(one)
    if as_json:
        click.echo(json.dumps([_played_data(one) for one in played], indent=2))
    else:
        view.sum_up(played)
    return played


def _played_data(one: Played) -> dict[str, Any]:
    return {
        "case": one.case.name,
        "kind": one.case.kind.value,
        "authMethod": one.method,
        "asExpected": not one.faults,
        "expected": {"reason": one.case.expect.reason.value, "identity": one.case.expect.identity},
        "found": {
            "reason": one.found.reason,
            "message": one.found.message,
            "hint": one.found.hint,
            "identity": one.found.identity,
        },
        "renewed": one.renewed,
        "faults": list(one.faults),
    }


def _spec(named: Named) -> DefinitionSpec:
    """Return what a definition says. CannotReadError where the operator could not use it."""
    checked = check_definition(named.raw)
    if checked.spec is not None and not checked.violations:
        return checked.spec
    raise CannotReadError("\n".join(f"{named.source}: {finding}" for finding in findings(named.raw)))


def _refuse(error: Exception) -> int:
    for line in str(error).splitlines():
        click.echo(f"Error: {clean(line)}", err=True)
    return USAGE
