"""Get an S3 server that verifies signatures, with which the tests hold ours: Versity's gateway, built once with Go.

It lands in this project's cache; Go's own client fetches its modules. Nothing is installed. Where it cannot be had a
person goes on without; CI does not. The tests ask with --find where it is.
"""

from __future__ import annotations

import sys

from fetching import main
from go_program import GoProgram

SKIPPED = "the tests of signatures against S3 are skipped"

VERSITYGW = GoProgram(
    what="an S3 server",
    name="versitygw",
    module="github.com/versity/versitygw",
    version="v1.8.0",
    checksum="h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc=",
    go="go 1.25.0",
    package="./cmd/versitygw",
)

if __name__ == "__main__":
    sys.exit(main(__doc__, VERSITYGW.find, VERSITYGW.ensure, "An S3 server", SKIPPED))
