"""What the loop reports while the operator stops."""

from __future__ import annotations

import asyncio
import logging

import pytest

from integration_hub.runtime.operator import pass_over_goodbyes

MESSAGE = "Fatal error on SSL protocol"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        # As uvloop says it of a connection that is closed.
        (
            RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"),
            False,
        ),
        (RuntimeError("another mistake"), True),
        (OSError("the handler is closed"), True),
        (None, True),
    ],
)
async def test_only_a_goodbye_that_comes_too_late_is_passed_over(
    error: Exception | None, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    with caplog.at_level(logging.ERROR, logger="asyncio"):
        pass_over_goodbyes(loop, {"message": MESSAGE, "exception": error})
    assert (MESSAGE in caplog.text) is told
