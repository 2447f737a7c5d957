"""What `hub connect` and `hub edit` have to write, made of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from integration_hub.cli.connect.definitions import Missing
from integration_hub.forms.credentials import needs_consent
from integration_hub.forms.interview import Interview
from integration_hub.forms.manifests import edited, instance_manifest, secret_changes, secret_manifest
from integration_hub.forms.question import Answers
from integration_hub.shell.merge_patch import merge_patch

Raw = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What is to be written."""

    interview: Interview
    answers: Answers
    raw: Raw
    """The instance as it is to be."""
    changed: bool = True
    """Whether anything of the instance differs; a new one always does."""
    missing: Missing | None = None
    """The definition, where the cluster does not have it."""
    needs_consent: bool = False
    cluster_flags: tuple[str, ...] = ()
    """Which cluster is meant, as flags that kubeseal takes, too."""

    @property
    def writes(self) -> bool:
        """Whether anything would be other than it is."""
        return self.changed or self.writes_secret

    @property
    def writes_secret(self) -> bool:
        """Whether a Secret is made, or changed."""
        return self.new_secret is not None or self.secret_patch is not None

    @property
    def secret_name(self) -> str:
        """The Secret that the connection reads, '' for none."""
        return self.interview.secret_name(self.answers) or ""

    @property
    def name(self) -> str:
        """The connection's name."""
        return str(self.raw["metadata"]["name"])

    @property
    def new_secret(self) -> Raw | None:
        """The Secret to make."""
        return secret_manifest(self.interview, self.answers)

    @property
    def secret_patch(self) -> Raw | None:
        """What changes in a Secret that is there."""
        return secret_changes(self.interview, self.answers)

    @property
    def spec_patch(self) -> Raw:
        """What changes in an instance that is there."""
        if self.interview.current is None:
            return {}
        return {"spec": merge_patch(self.interview.current.spec, self.raw["spec"])}


def result_of(
    interview: Interview,
    answers: Answers,
    before: Answers | None,
    *,
    missing: Missing | None,
    cluster_flags: tuple[str, ...],
) -> Result:
    """Return what the answers come to; `before` are those that the connection has, None for a new one."""
    consent = needs_consent(interview.method(answers), interview.form(answers).effective(answers))
    if before is None or interview.current is None:
        raw, changed = instance_manifest(interview, answers), True
    else:
        spec = edited(interview, before, answers)
        raw, changed = {**interview.current.raw, "spec": spec}, spec != interview.current.spec
    return Result(
        interview,
        answers,
        raw,
        changed=changed,
        missing=missing,
        needs_consent=consent,
        cluster_flags=cluster_flags,
    )
