"""What `hub definition` does, from the files to the exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from integration_hub.catalog.changes import changes
from integration_hub.catalog.lint.subject import Finding
from integration_hub.catalog.vendor import Vendor
from integration_hub.cli.definition.files import (
    CannotReadError,
    Named,
    by_name_or_file,
    chosen,
    one_of,
    vendor_of,
)
from integration_hub.cli.definition.view import PlayedView, change_lines, lint_lines
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.output import Form, as_items, write
from integration_hub.cli.terminal import Screen
from integration_hub.config.values import choices, did_you_mean
from integration_hub.model.definition import DefinitionSpec
from integration_hub.shell.authoring import findings, usable, vendor_findings
from integration_hub.shell.rehearsal import Played, only_addresses, rehearse


def lint(names: Sequence[str], files: Sequence[Path], *, everything: bool, strict: bool, form: Form) -> Exit:
    """Lint what is named and return the exit code."""
    screen = Screen.current()
    looked_at = [(named, findings(named.raw)) for named in chosen(names, files, everything=everything)]
    if form.is_table:
        for named, found in looked_at:
            for line in lint_lines(screen, named.source, found):
                screen.say(line)
    else:
        write(screen, form, as_items(_lint_data(named, found) for named, found in looked_at))
    bad = {"error", "warning"} if strict else {"error"}
    is_bad = any(finding.level in bad for _, found in looked_at for finding in found)
    return Exit.FAILED if is_bad else Exit.OK


def _lint_data(named: Named, found: Sequence[Finding]) -> dict[str, Any]:
    return {"definition": named.source, "findings": [asdict(finding) for finding in found]}


def test(
    name: str | None, file: Path | None, vendor_file: Path | None, only: str | None, *, form: Form
) -> Exit:
    """Play a definition against its vendor and return the exit code."""
    screen = Screen.current()
    named = by_name_or_file(name or "") if file is None else one_of(file)
    mistakes = [finding for finding in findings(named.raw) if finding.level == "error"]
    if mistakes:
        # As lines of their own: what an error says is made harmless, and with it their colours.
        for line in lint_lines(screen, named.source, mistakes):
            screen.note(line)
        raise HubError("The definition has mistakes, so nothing was played.")
    addresses = only_addresses(named.raw)
    if addresses:
        raise HubError(
            f"spec.allowedHosts names addresses alone ({choices(addresses)}), so nothing was played.",
            why="A simulated vendor is reached by the names of its hosts, and to an address nothing is sent.",
            todo="Name a host in spec.baseURL and spec.allowedHosts.",
        )
    vendor = vendor_of(named.raw["metadata"]["name"], vendor_file)
    lacking = vendor_findings(named.raw, vendor)
    _check_case(vendor, only)
    played = asyncio.run(_play(screen, named, vendor, only, form=form))
    for violation in lacking:
        screen.note(f"vendor file: {violation}")
    return Exit.FAILED if lacking or any(one.faults for one in played) else Exit.OK


def _check_case(vendor: Vendor, only: str | None) -> None:
    names = [case.name for case in vendor.cases]
    if only is not None and only not in names:
        raise CannotReadError(f"The vendor file has no case '{only}'{did_you_mean(only, names)}.")


async def _play(
    screen: Screen, named: Named, vendor: Vendor, only: str | None, *, form: Form
) -> list[Played]:
    view = PlayedView(screen, vendor)
    played: list[Played] = []
    async for one in rehearse(named.raw, vendor, only=only):
        played.append(one)
        if form.is_table:
            view.show(one)
    if form.is_table:
        view.sum_up(played)
    else:
        write(screen, form, as_items(_played_data(one) for one in played))
    return played


def _played_data(one: Played) -> dict[str, Any]:
    return {
        "case": one.case.name,
        "kind": one.case.kind.value,
        "authMethod": one.method,
        "asExpected": not one.faults,
        "expected": {"reason": one.case.expect.reason.value, "identity": one.case.expect.identity},
        "found": asdict(one.found),
        "renewed": one.renewed,
        "faults": list(one.faults),
    }


def diff(old: str, new: str, *, form: Form) -> Exit:
    """Compare two definitions and return the exit code."""
    screen = Screen.current()
    found = changes(_spec(by_name_or_file(old)), _spec(by_name_or_file(new)))
    if form.is_table:
        for line in change_lines(found):
            screen.say(line)
    else:
        write(screen, form, as_items(asdict(change) for change in found))
    return Exit.FAILED if any(change.breaking for change in found) else Exit.OK


def _spec(named: Named) -> DefinitionSpec:
    """Return what a definition says; CannotReadError where the operator could not use it."""
    found = usable(named.raw)
    if isinstance(found, DefinitionSpec):
        return found
    raise CannotReadError("\n".join(f"{named.source}: {finding}" for finding in found))
