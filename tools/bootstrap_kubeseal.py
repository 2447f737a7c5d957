"""Get kubeseal, which `hub connect --secret-format sealed-secret` is tested with: built once with Go.

It lands in this project's cache, from which it is taken before one on PATH; with neither it is built. Nothing is
installed. Where it cannot be had a person goes on without; CI does not. The tests ask with --find where it is.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from fetching import main
from go_program import GoProgram

SKIPPED = "the tests that seal Secrets are skipped"

KUBESEAL = GoProgram(
    what="kubeseal",
    name="kubeseal",
    module="github.com/bitnami-labs/sealed-secrets",
    version="v0.27.3",
    checksum="h1:lo9ImgrqZglbOigvmZmnergwpboSndf+W7HT+/cvyok=",
    go="go 1.22.0",
    package="./cmd/kubeseal",
)


def find(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return a kubeseal: the one that was built, else one on PATH."""
    on_path = shutil.which(KUBESEAL.name, path=environ.get("PATH"))
    return KUBESEAL.find(environ) or (Path(on_path) if on_path else None)


if __name__ == "__main__":
    sys.exit(main(__doc__, find, KUBESEAL.ensure, KUBESEAL.what, SKIPPED))
