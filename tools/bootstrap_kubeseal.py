"""Get kubeseal, which `hub connect --secret-format sealed-secret` is tested with: from PATH, else built once with Go.

The Go toolchain is the one of the embedded control plane. Where it cannot be had a person goes on without; CI does not.
The tests ask with --find where it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from integration_hub.devcluster.errors import DevClusterError
from integration_hub.devcluster.golang import build_environment, find_go
from integration_hub.devcluster.paths import cache_folder

MODULE = "github.com/bitnami-labs/sealed-secrets/cmd/kubeseal@v0.27.3"
NEEDS = "go 1.23.0\n"
"""As in the module's go.mod."""
SECONDS = 1800
"""Most that the build may take, on one busy core."""


def cached(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where kubeseal lies once it was built."""
    return cache_folder(environ) / "kubeseal" / "kubeseal"


def find(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return a kubeseal: the cached one, or one on PATH."""
    on_path = shutil.which("kubeseal", path=environ.get("PATH"))
    found = [cached(environ), *([Path(on_path)] if on_path else [])]
    return next((path for path in found if path.exists()), None)


def build(target: Path) -> None:
    """Put kubeseal at `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    go = find_go(NEEDS, cache_folder(os.environ), lambda words: print(words, flush=True))
    environment = build_environment() | {"GOBIN": str(target.parent)}
    # Outside of any module, where no go.mod can be asked for; the version is in the argument.
    subprocess.run(
        [go.program, "install", "-mod=mod", MODULE],
        cwd=target.parent, env=environment, check=True, timeout=SECONDS,
    )  # fmt: skip


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--find", action="store_true", help="build nothing; print where it is, or exit 1")
    asked: bool = parser.parse_args().find
    found = find()
    if asked and found is not None:
        print(found)
    if asked or found is not None:
        return 0 if found is not None else 1
    print("Getting kubeseal: building it with Go, once; that takes some minutes", flush=True)
    try:
        build(cached())
    except (DevClusterError, OSError, subprocess.SubprocessError) as error:
        words = f"kubeseal cannot be had: {error}."
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            print(f"{words} CI needs it.", file=sys.stderr)
            return 1
        print(f"{words} Going on without: the tests that seal Secrets are skipped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
