"""Run an example of the repository from start to end, as a newcomer, a test and a release check do.

Like `devcluster`, which it stands on, it needs neither kopf nor the operator's own parts: here the operator
is a process of its own, started as users start it.
"""

from integration_hub.examples.errors import ExampleError
from integration_hub.examples.runner import Runner, Settings

__all__ = ["ExampleError", "Runner", "Settings"]
