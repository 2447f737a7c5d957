"""Build the control plane if it is not built yet, with progress, so that no test's time includes it."""

from __future__ import annotations

import os
import sys

from integration_hub.devcluster import DevClusterError, ProgressPrinter
from integration_hub.devcluster.servers import choose_program


def main() -> int:
    """Run the command line."""
    try:
        with ProgressPrinter(sys.stderr) as progress:
            choose_program(progress, os.environ)
    except DevClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
