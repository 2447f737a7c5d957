"""`hub edit`: changes of a connection, by questions or by flags. Flags alone; `run.py` does the work."""

from __future__ import annotations

import sys
from typing import Any

import click

from integration_hub.cli import completing
from integration_hub.cli.connect.flags import answer_flags, doing_flags
from integration_hub.cli.flags import HELP
from integration_hub.cli.naming import INSTANCE, NameType
from integration_hub.flags import Command


@click.command("edit", cls=Command, context_settings=HELP)
@click.argument("name", type=NameType(INSTANCE), shell_complete=completing.instances)
@answer_flags
@doing_flags
def edit(name: str, **flags: Any) -> None:
    """Change a connection.

    The form of 'hub connect' with the answers of now. Of its Secret nothing is shown but what is stored, and since
    when: each value is kept, replaced or removed. What you have entered is tested together with what is kept, and
    only what has changed is written.

    \b
    Examples:
      hub edit billing -n shop                             look at the answers, and change some
      hub edit billing --no-input --set region=us --apply  one answer, without questions
      hub edit billing --no-input --apply \\
        --secret-from-file apiKey=new-key                  a new value in its Secret

    Exit code 0 where it was written, and works where that was waited for; 1 where a test failed, or it is not Ready,
    or where --test-only is about tokens that only the operator holds; 2 for a mistake in the command; 3 where the
    cluster cannot be asked or does not permit it; 4 where the operator has not answered in time.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub edit --help` needs none of it.
    from integration_hub.cli.connect.run import edit as run  # noqa: PLC0415

    sys.exit(run(name, flags))
