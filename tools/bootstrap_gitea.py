"""Get a Gitea server, with which the tests hold the catalog's definition: built once with Go, and a C compiler.

It lands in this project's cache; Go's own client fetches its modules. Nothing is installed. Where it cannot be had a
person goes on without; CI does not. The tests ask with --find where it is.
"""

from __future__ import annotations

import sys

from fetching import main
from go_program import GoProgram

SKIPPED = "the tests against a Gitea server are skipped"

GITEA = GoProgram(
    what="Gitea",
    name="gitea",
    module="code.gitea.io/gitea",
    version="v1.26.0",
    checksum="h1:fJP9dqLbzKrKWUVnCVTfVersZdVDuyJQLEDzCAOmKKA=",
    go="go 1.26.2",
    tags="sqlite sqlite_unlock_notify",
    cgo=True,  # its database is a library in C
    # Its words, without which it does not start, and its pages.
    beside=("options/locale/locale_en-US.json", "templates/**/*"),
)

if __name__ == "__main__":
    sys.exit(main(__doc__, GITEA.find, GITEA.ensure, GITEA.what, SKIPPED))
