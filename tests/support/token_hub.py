"""Connections by OAuth 2.0 to providers that a test directs, with operators that may come and go."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from integration_hub.model.base import REQUEST_ANNOTATION
from support.aging import make_older
from support.instances import Api, Object, definition, instance, secret
from support.oauth_party import CLIENT_ID, CLIENT_SECRET, OAuthParty, Tenant
from support.operator_process import OperatorProcess
from support.ports import free_port
from support.target_server import TargetServer
from support.waiting import wait_until

CONNECTED = ("True", "Connected")
ALMOST_ITS_LIFE = timedelta(minutes=52)
"""Of an hour: tokens that old are due to be renewed, and still alive."""


class TokenHub:
    """The operators, one after the other, with what they connect to; a user's hands in a namespace."""

    def __init__(  # noqa: PLR0917 - the parties
        self,
        api: Api,
        start: Callable[..., OperatorProcess],
        party: OAuthParty,
        target: TargetServer,
        namespace: str,
        methods: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """`methods` are settings of `oauth2` by the method's name; addresses at the party are added."""
        self.api = api
        self.party = party
        self.namespace = namespace
        self._start = start
        self._flags = ("--callback-listen", f"127.0.0.1:{free_port()}", "--grace", "1s")
        base = f"{party.url}/{{{{ config.account }}}}"
        declared = [
            {"name": name, "type": "oauth2", "settings": _addresses(base, settings) | dict(settings)}
            for name, settings in methods.items()
        ]
        whoami = {"path": "/{{ config.account }}/whoami"}
        test = {"name": "whoami", "default": True, "request": whoami, "identity": "response.json.login"}
        self._definition = definition(namespace, target, authMethods=declared, tests=[test])
        properties = self._definition["spec"]["configSchema"]["properties"]
        properties["server"]["default"], properties["ca"]["default"] = party.url, party.ca
        api.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            self._definition, secret(namespace, clientId=CLIENT_ID, clientSecret=CLIENT_SECRET),
        )  # fmt: skip
        self.tenants: dict[str, Tenant] = {}

    def start(self, *flags: str, **options: Any) -> OperatorProcess:
        return self._start(*self._flags, *flags, **options)

    def create(self, name: str, method: str, *, key: str = "key", spec: Any = None, **tenant: Any) -> Object:
        """Apply an instance of that method, and make the provider that it connects to; `tenant` are its fields."""
        account = f"{self.namespace}-{name}"
        self.tenants[name] = self.party.tenant(account, **tenant)
        auth = {"method": method, "secretRef": {"name": key}}
        made = instance(
            self.namespace, name, self.namespace, config={"account": account}, auth=auth, **(spec or {})
        )
        self.api.apply(made)
        return made

    def link(self, obj: Object) -> str:
        """Wait until a person is asked, and return the link."""
        found = wait_until(
            lambda: self.api.get(obj),
            lambda found: found.get("status", {}).get("authorization"),
            "a link is shown",
        )
        return str(found["status"]["authorization"]["url"])

    def back(self, obj: Object) -> str:
        """Let a person consent; return the address to which their browser is sent back."""
        return self.party.browse(self.link(obj))

    def consent(self, *objects: Object) -> None:
        """Let people consent, some at once, until all are connected."""
        with ThreadPoolExecutor(6) as browsers:
            for status, _ in browsers.map(lambda obj: open_page(self.back(obj)), objects):
                assert status == 200
        self.wait(dict.fromkeys((obj["metadata"]["name"] for obj in objects), CONNECTED))

    def wait(self, expected: dict[str, tuple[str, str]]) -> dict[str, Object]:
        return self.api.wait_for_all(self.namespace, expected)

    def renew(self, obj: Object, wish: str) -> None:
        """Let the tokens grow old, and have somebody look at the connection."""
        make_older(self.api, obj, ALMOST_ITS_LIFE)
        self.wish(obj, wish)

    def wish(self, obj: Object, wish: str) -> None:
        """Ask for a test, which needs tokens that are of use."""
        self.api.merge(obj, {"metadata": {"annotations": {REQUEST_ANNOTATION: wish}}})

    @staticmethod
    def path(obj: Object) -> str:
        return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"

    def is_seen_to(self, *objects: Object, wish: str) -> None:
        """Wait until the wish is fulfilled."""
        wait_until(
            lambda: [
                obj["metadata"]["name"]
                for obj in objects
                if self.api.get(obj)["status"].get("lastHandledRequest") != wish
            ],
            lambda waiting: not waiting,
            "the connections are looked at",
        )

    def remove(self) -> None:
        self.api.delete(*self.api.instances(self.namespace).values(), self._definition)


def _addresses(base: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the addresses that a grant needs."""
    found = {"tokenURL": f"{base}/token"}
    grant = settings.get("grant", "authorizationCode")
    if grant == "authorizationCode":
        found["authorizationURL"] = f"{base}/authorize"
    if grant == "deviceCode":
        found["deviceAuthorizationURL"] = f"{base}/device"
    return found


def open_page(url: str) -> tuple[int, str]:
    """Open an address as a browser does; return status and text, 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""
