"""Fixtures of tests that sign people in: `keycloak`, one for the whole run, and `page`, a browser of the test's own.

A test module says `pytest_plugins = ["support.signing_in"]`. Keycloak is started when the tests have been collected,
and the others run meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page

from integration_hub.examples import ExampleError
from support.browser import open_page
from support.keycloak import KeycloakServer, require_keycloak

_STARTED: list[KeycloakServer] = []


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start it in the background where a test will want it: it takes some ten seconds that others can use."""
    wanted = any("keycloak" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        _start(session.config)


def pytest_unconfigure() -> None:
    """End it, even where no test came so far as to want it."""
    while _STARTED:
        _STARTED.pop().stop()


@pytest.fixture(scope="session")
def keycloak() -> KeycloakServer:
    """The one Keycloak of this run; CI must have one."""
    require_keycloak()
    (server,) = _STARTED
    server.wait_until_ready()
    return server


@pytest.fixture
def page(keycloak: KeycloakServer, tmp_path: Path) -> Iterator[Page]:
    """A browser of the test's own: nobody is signed in, and Keycloak's authority is trusted.

    For tests that are no coroutines: Playwright's loop runs meanwhile.
    """
    with open_page(tmp_path / "user", keycloak.ca) as page:
        yield page


def _start(config: pytest.Config) -> None:
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    with suppress(ExampleError):  # the fixture says so, to the tests that it concerns
        server = KeycloakServer(factory.mktemp("keycloak") / "run")
        _STARTED.append(server)
        server.start()
