"""What `hub authorize` does: shows the link that the operator has made, opens it, and waits for what comes of it.

What was found goes to standard output, what is under way to standard error.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from pydantic import ValidationError

from integration_hub.adapters.kube import INSTANCES, ApiError, KubeClient
from integration_hub.adapters.kube_api import FORBIDDEN, UNAUTHORIZED
from integration_hub.cli.authorize.browser import may_open, open_link
from integration_hub.cli.authorize.judge import End, Judge, Show, Wait, link_problem, not_asked
from integration_hub.cli.connecting import connection_of, farewell
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.trial.operator import why_not
from integration_hub.cli.trial.view import View
from integration_hub.cli.words import typed
from integration_hub.config.plain_text import clean, one_line
from integration_hub.model.base import AUTHORIZE_ANNOTATION
from integration_hub.model.instance import Authorization, IntegrationInstance
from integration_hub.shell.explaining import reading
from integration_hub.shell.lookup import Cluster
from integration_hub.shell.operator_view import MANAGER
from integration_hub.shell.tryout import Verdict
from integration_hub.shell.wishes import new_request

LOOK_SECONDS = 1.0
"""Between two looks at the instance."""
SILENT_SECONDS = 15.0
"""After which an operator that has done nothing may not be running."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for."""

    name: str
    namespace: str | None
    kubeconfig: Path | None
    context: str | None
    again: bool
    browser: bool
    wait: bool
    """Whether until the connection works; else until there is a link."""
    timeout: timedelta


def run(request: Request) -> int:
    """Fulfil a request and return the exit code. HubError, NoSuchObjectError or CannotAskError where that cannot be."""
    return asyncio.run(_run(request))


async def _run(request: Request) -> int:
    connection = connection_of(request.kubeconfig, request.context)
    kube = KubeClient(connection)
    try:
        cluster = Cluster(kube, connection.server)
        return await Session(request, cluster, request.namespace or connection.namespace).run()
    finally:
        await kube.close()
        await farewell()


class Session:
    """One run of the command."""

    def __init__(self, request: Request, cluster: Cluster, namespace: str) -> None:
        """Ask nothing yet."""
        self._request = request
        self._cluster = cluster
        self._namespace = namespace
        self._shown: Authorization | None = None
        self._browser: subprocess.Popen[bytes] | None = None
        self._said: set[str] = set()
        self._silent_since: float | None = None

    async def run(self) -> int:
        """Wait until the connection works, or cannot without somebody; return the exit code."""
        instance = await self._first_look()
        if self._request.again:
            instance = await self._ask_again(instance)
        judge = Judge(again=self._request.again)
        deadline = time.monotonic() + self._request.timeout.total_seconds()
        while True:
            step = judge.look(instance, datetime.now(UTC))
            if isinstance(step, End):
                return self._end(step)
            self._tell(step)
            if isinstance(step, Show) and not self._request.wait:
                return Exit.OK
            left = deadline - time.monotonic()
            if left <= 0:
                return self._too_late(step)
            await asyncio.sleep(min(LOOK_SECONDS, left))
            instance = await self._look(instance)

    async def _first_look(self) -> IntegrationInstance:
        raw = await self._cluster.instance(self._namespace, self._request.name)
        try:
            return IntegrationInstance.model_validate(raw)
        except ValidationError:
            raise HubError(
                "The instance is of another version of this program.", code=Exit.UNREACHABLE
            ) from None

    async def _look(self, last: IntegrationInstance) -> IntegrationInstance:
        """Return the instance as it is now; as it was last where the API server does not answer for the moment."""
        try:
            raw = await self._cluster.kube.read(INSTANCES, self._namespace, self._request.name)
            return IntegrationInstance.model_validate(raw)
        except ApiError as error:
            if error.gone:
                raise HubError(f"{self._named} was deleted meanwhile.", code=Exit.FAILED) from error
            if error.status in {FORBIDDEN, UNAUTHORIZED}:
                deed = reading(INSTANCES, "get", namespace=self._namespace)
                raise self._cluster.explained(error, self._named, deed) from error
            self._say_once("The API server does not answer at the moment; the wait goes on.")
            return last
        except ValidationError:
            raise HubError(
                "The instance is of another version of this program.", code=Exit.UNREACHABLE
            ) from None

    async def _ask_again(self, instance: IntegrationInstance) -> IntegrationInstance:
        """Write the wish for a new consent, and return the instance with it."""
        if instance.status.auth_type not in {None, "oauth2"}:
            mistake = not_asked(instance)
            raise HubError(f"{mistake.message} {mistake.hint}", code=Exit.USAGE)
        patch = {"metadata": {"annotations": {AUTHORIZE_ANNOTATION: new_request()}}}
        try:
            await self._cluster.kube.merge(
                INSTANCES, self._namespace, self._request.name, patch, manager=MANAGER
            )
        except ApiError as error:
            raise HubError(
                f"The operator could not be asked: {why_not(error)}", code=Exit.UNREACHABLE
            ) from error
        return await self._look(instance)

    @property
    def _named(self) -> str:
        return f"IntegrationInstance '{self._request.name}' in namespace '{self._namespace}'"

    # What the person is told

    def _tell(self, step: Wait | Show) -> None:
        if isinstance(step, Show):
            self._silent_since = None
            self._show(step.authorization)
            self._watch_browser()
            return
        if not step.operator:
            self._silent_since = None
            self._say_once(f"Waiting: {one_line(step.why)}")
            return
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since >= SILENT_SECONDS:
            self._say_once(
                "The operator has done nothing about this yet. Is it running, and with a --callback-url?"
                f" '{typed('status', self._request.name, '-n', self._namespace)}' shows what it has said last."
            )

    def _show(self, authorization: Authorization) -> None:
        """Show what to open, whenever it is another."""
        last = self._shown
        if last is not None and (last.url, last.user_code) == (authorization.url, authorization.user_code):
            return
        self._shown = authorization
        problem = link_problem(authorization.url)
        if problem is not None:
            raise HubError(
                f"The operator's link for {self._named} is neither opened nor shown: {problem}. Ask the definition's"
                " owner to correct its authorization URL.",
                code=Exit.FAILED,
            )
        where = f"{self._namespace}/{self._request.name}"
        if last is None:
            head = f"Somebody must sign in to the external system and consent to {where}."
        else:
            head = "What was shown before is of no use any more."
        code = authorization.user_code
        what = (
            "Open this link:"
            if code is None
            else "Open this link, and type the code there if you are asked for it:"
        )
        self._say(head)
        if self._request.wait:
            self._say(f"{what}\n\n  {authorization.url}\n")
        else:
            self._say(what)
            click.echo(authorization.url)
        if code is not None:
            self._say(f"  Code: {one_line(code)}\n")
        then = "then another is shown here" if self._request.wait else "then the operator makes another"
        self._say(f"It is good until {one_line(authorization.expires_at)}; {then}.")
        self._open(authorization.url)
        if self._request.wait:
            self._say("Waiting for you to finish there. Ctrl-C breaks nothing.")

    def _open(self, url: str) -> None:
        if not self._request.browser or not may_open(
            os.environ, sys.platform, is_terminal=sys.stderr.isatty()
        ):
            return
        self._browser = open_link(url)
        if self._browser is not None:
            self._say("Your browser has been asked to open it.")

    def _watch_browser(self) -> None:
        if self._browser is None or self._browser.poll() in {None, 0}:
            return
        self._browser = None
        self._say("No browser could be opened here: open the link yourself.")

    def _end(self, end: End) -> int:
        if end.is_mistake:
            raise HubError(f"{end.message} {end.hint}", code=Exit.USAGE)
        view = View(sys.stdout, sys.stderr)
        result = Verdict("Success" if end.connected else "Failure", end.reason, end.message, end.hint or None)
        view.show_verdict(result)
        return 0 if end.connected else Exit.FAILED

    def _too_late(self, step: Wait | Show) -> int:
        waited = f"{self._request.timeout.total_seconds():.0f} s"
        if isinstance(step, Show):
            why = "nobody has finished signing in. Nothing is lost: whoever has the link can still do that"
        elif step.operator:
            why = "the operator has done nothing about it. Check that it runs"
        else:
            why = f"the connection does not work yet. {one_line(step.why)}"
        self._say(f"Error: Within {waited} {why.rstrip('.')}.")
        return Exit.TIMEOUT

    def _say(self, text: str) -> None:
        click.echo(clean(text), err=True)

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)
