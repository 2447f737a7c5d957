"""A party that signs people in and hands out tokens: a real Keycloak on loopback, with a realm made for the tests.

Refresh tokens rotate and a reuse is punished: it ends the session. Whoever needs something of its own (other lifetimes,
another redirect URI, a client to be deleted) makes a client of its own: `keycloak.admin.create_client(...)`.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from integration_hub.examples import ExampleError
from integration_hub.examples.keycloak import Listen, find
from support.certificates import Authority
from support.ports import free_port
from support.programs import lacks
from support.waiting import wait_until

REALM = "hub"
PASSWORDS = {name: f"{name}-{secrets.token_urlsafe(9)}" for name in ("alice", "bob")}
"""Who can sign in, and with what."""
SECRET = f"client-{secrets.token_urlsafe(24)}"
"""The secret of every client that has one."""
REDIRECT_URIS = ("http://127.0.0.1/*", "http://localhost/*")
"""Any port of loopback, as RFC 8252 has it."""

SCOPE = "payments"
"""An optional scope: granted to whom asks for it."""
UNSPOKEN_SCOPE = "unspoken"
"""An optional scope that the token's answer never names, so that it counts as not granted."""

ASSERTION_ISSUER = "https://issuer.example"
"""Who signs the assertions of the JWT bearer grant; its user 'external-alice' is alice."""

FAILED_LOG = 4000


_KINDS: dict[str, type[RSAKey | ECKey]] = {"RS256": RSAKey, "ES256": ECKey}


class Answer(NamedTuple):
    """An answer over HTTP."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class SigningKey:
    """A key pair of a client or of an issuer."""

    algorithm: str
    pem: str
    """The private half, as a Secret holds it."""
    public_pem: str
    jwks: str
    """The public half, as a client is registered with it."""

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return claims as a signed JWT."""
        key = _KINDS[self.algorithm].import_key(self.pem)
        return jwt.encode({"alg": self.algorithm, "typ": "JWT"}, dict(claims), key)


def signing_key(algorithm: str) -> SigningKey:
    """Make a key pair for RS256 or ES256."""
    is_rsa = algorithm == "RS256"
    private = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    described = _KINDS[algorithm].import_key(public).as_dict(kid=f"key-{algorithm}", use="sig", alg=algorithm)
    return SigningKey(algorithm, pem, public.decode(), json.dumps({"keys": [described]}))


def client(client_id: str, *, attributes: Mapping[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """Describe a client: confidential, with the one secret, for the authorization code flow, PKCE required.

    `fields` are those of Keycloak's ClientRepresentation; they and `attributes` win over what stands here.
    """
    return {
        "clientId": client_id,
        "enabled": True,
        "clientAuthenticatorType": "client-secret",
        "secret": SECRET,
        "redirectUris": list(REDIRECT_URIS),
        "standardFlowEnabled": True,
        "directAccessGrantsEnabled": False,
        "fullScopeAllowed": False,
        "attributes": {"pkce.code.challenge.method": "S256"} | dict(attributes or {}),
        "defaultClientScopes": ["basic"],
        "optionalClientScopes": [SCOPE, UNSPOKEN_SCOPE, "offline_access"],
        **fields,
    }


_ENDS_WITH_US = 'exec 3<&0; (read -r _ <&3; kill -TERM $$) & exec "$@" 3<&- </dev/null'
"""Starts a command that is ended when its standard input is: also when the tests were killed."""

_DEVICE = {"oauth2.device.authorization.grant.enabled": "true"}


def _scopes() -> list[dict[str, Any]]:
    """Describe the scopes. The first is everybody's: who they are, and nothing else."""
    shown = {"access.token.claim": "true", "id.token.claim": "true", "userinfo.token.claim": "true"}
    name = {"user.attribute": "username", "claim.name": "preferred_username", "jsonType.label": "String"}
    mappers = [
        ("sub", "oidc-sub-mapper", shown),
        ("username", "oidc-usermodel-attribute-mapper", shown | name),
    ]
    unnamed = {"include.in.token.scope": "false"}
    return [
        {
            "name": "basic",
            "protocol": "openid-connect",
            "attributes": unnamed | {"consent.screen.text": "Who you are"},
            "protocolMappers": [
                {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}
                for name, kind, config in mappers
            ],
        },
        {"name": SCOPE, "protocol": "openid-connect"},
        {"name": UNSPOKEN_SCOPE, "protocol": "openid-connect", "attributes": unnamed},
    ]


def _user(name: str, password: str) -> dict[str, Any]:
    return {
        "username": name,
        "enabled": True,
        # Without a whole profile the first thing after a sign-in would be a form.
        "email": f"{name}@acme.example",
        "emailVerified": True,
        "firstName": name.capitalize(),
        "lastName": "Example",
        "credentials": [{"type": "password", "value": password}],
    }


def _link(name: str, algorithm: str) -> dict[str, str]:
    """Say as whom an issuer of assertions knows a user."""
    external = f"external-{name}"
    return {
        "identityProvider": f"issuer-{algorithm.lower()}",
        "userId": external,
        "userName": external,
    }


def require_keycloak() -> None:
    """Skip the test that asks where there is no Keycloak on this machine; CI must have one."""
    try:
        find()
    except ExampleError as error:
        lacks(str(error))


class KeycloakServer:
    """The server, a process of its own."""

    def __init__(self, folder: Path) -> None:
        """Prepare to run in a folder, which must not exist yet.

        Raises:
            ExampleError: There is no Keycloak on this machine.

        """
        self._keycloak = find()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.authority = Authority("Authority of the identity provider")
        self.log = folder / "keycloak.log"
        self.client_keys = {algorithm: signing_key(algorithm) for algorithm in ("RS256", "ES256")}
        """The keys of the clients 'hub-rs256' and 'hub-es256'."""
        self.issuer_keys = {algorithm: signing_key(algorithm) for algorithm in ("RS256", "ES256")}
        """The keys of the issuers of assertions: `assertion(...)` signs with one."""
        self._listen = Listen(free_port(), free_port(), folder / "server.crt", folder / "server.key")
        self._admin_password = secrets.token_urlsafe(16)
        self._context = ssl.create_default_context(cadata=self.authority.pem)

    # Its life

    def start(self) -> None:
        """Start it, and do not wait."""
        self._folder.mkdir(mode=0o700)
        identity = self.authority.issue("127.0.0.1")
        self._listen.certificate.write_text(identity.chain, encoding="ascii")
        self._listen.key.write_text(identity.key, encoding="ascii")
        home = self._folder / "home"
        self._keycloak.lay_out(home, self._realm())
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _ENDS_WITH_US, "sh", *self._keycloak.command(home, self._listen)],
                cwd=home,
                env=self._keycloak.environment(admin=("admin", self._admin_password)),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a script and its Java: they are ended together
            )

    def wait_until_ready(self) -> None:
        """Wait until the realm is there."""

        def look() -> tuple[int | None, int]:
            assert self._process is not None
            return self._process.poll(), self._status()

        code, _ = wait_until(
            look, lambda seen: seen[0] is not None or seen[1] == 200, "Keycloak answers", 180
        )
        assert code is None, (
            f"Keycloak ended with {code}; its log ends:\n{self.log.read_text()[-FAILED_LOG:]}"
        )

    def stop(self) -> None:
        """End it, and what it started."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    # Where it is reached

    @property
    def url(self) -> str:
        return self._listen.url

    @property
    def ca(self) -> str:
        """PEM certificate of its authority."""
        return self.authority.pem

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/{REALM}"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token"

    @property
    def authorization_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/auth"

    @property
    def device_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/auth/device"

    @property
    def revocation_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/revoke"

    @property
    def userinfo_url(self) -> str:
        """What a token with the scope 'openid' opens: who is connected, as `preferred_username`."""
        return f"{self.issuer}/protocol/openid-connect/userinfo"

    @property
    def userinfo_path(self) -> str:
        return self.userinfo_url.removeprefix(self.url)

    @property
    def admin(self) -> KeycloakAdmin:
        """An administrator who has just signed in: their tokens live for a minute."""
        return KeycloakAdmin(self, self._admin_password)

    # Asking it

    def ask(
        self,
        url: str,
        form: Mapping[str, str] | None = None,
        *,
        method: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one request: POST with a form or a JSON body, else GET."""
        data, kind = None, {}
        if form is not None:
            data, kind = urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        elif body is not None:
            data, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data, kind | dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=30) as response:
                return Answer(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), dict(error.headers))

    def assertion(self, algorithm: str, now: int, **claims: Any) -> str:
        """Return an assertion that says who alice is, signed by the issuer with the key of this algorithm."""
        whole = {
            "iss": f"{ASSERTION_ISSUER}/{algorithm}",
            "sub": "external-alice",
            "aud": self.issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 60,
        }
        return self.issuer_keys[algorithm].sign(whole | claims)

    def _status(self) -> int:
        try:
            return self.ask(f"{self.issuer}/.well-known/openid-configuration").status
        except OSError:
            return 0

    # The realm

    def _realm(self) -> dict[str, Any]:
        return {
            "realm": REALM,
            "enabled": True,
            "sslRequired": "all",
            "accessTokenLifespan": 300,
            "accessCodeLifespan": 60,
            # Rotation: a refresh token is good for one use, and a second use ends the session.
            "revokeRefreshToken": True,
            "refreshTokenMaxReuse": 0,
            "oauth2DeviceCodeLifespan": 300,
            "oauth2DevicePollingInterval": 1,
            "users": [
                _user(name, password)
                | {"federatedIdentities": [_link(name, algorithm) for algorithm in self.issuer_keys]}
                for name, password in PASSWORDS.items()
            ],
            "clients": self._clients(),
            "identityProviders": [self._issuer(algorithm) for algorithm in self.issuer_keys],
            "clientScopes": _scopes(),
        }

    def _issuer(self, algorithm: str) -> dict[str, Any]:
        return {
            "alias": f"issuer-{algorithm.lower()}",
            "providerId": "jwt-authorization-grant",
            "enabled": True,
            "config": {
                "issuer": f"{ASSERTION_ISSUER}/{algorithm}",
                "useJwksUrl": "false",
                "publicKeySignatureVerifier": self.issuer_keys[algorithm].public_pem,
                "jwtAuthorizationGrantEnabled": "true",
                "jwtAuthorizationGrantAssertionSignatureAlg": algorithm,
            },
        }

    def _clients(self) -> list[dict[str, Any]]:
        by_key = [
            client(
                f"hub-{algorithm.lower()}",
                clientAuthenticatorType="client-jwt",
                secret=None,
                serviceAccountsEnabled=True,
                attributes={
                    "use.jwks.string": "true",
                    "jwks.string": key.jwks,
                    "token.endpoint.auth.signing.alg": algorithm,
                },
            )
            for algorithm, key in self.client_keys.items()
        ]
        issuers = [f"issuer-{algorithm.lower()}" for algorithm in self.issuer_keys]
        return [
            # Keycloak takes the secret of each of these in the header and in the form alike.
            client("hub-code"),
            client("hub-consent", consentRequired=True),
            client("hub-public", publicClient=True, secret=None),
            client("hub-service", standardFlowEnabled=False, serviceAccountsEnabled=True),
            client(
                "hub-device",
                standardFlowEnabled=False,
                # Keycloak would want PKCE in the device flow too, which RFC 8628 does not know.
                attributes=_DEVICE | {"pkce.code.challenge.method": ""},
            ),
            client(
                "hub-assertion",
                standardFlowEnabled=False,
                attributes={
                    "oauth2.jwt.authorization.grant.enabled": "true",
                    "oauth2.jwt.authorization.grant.idp": "##".join(issuers),
                },
            ),
            *by_key,
        ]


class KeycloakAdmin:
    """What an administrator of the realm can do to it while others use it."""

    def __init__(self, server: KeycloakServer, password: str) -> None:
        self._server = server
        answer = server.ask(
            f"{server.url}/realms/master/protocol/openid-connect/token",
            {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": password},
        )
        assert answer.status == 200, answer.text
        self._headers = {"Authorization": f"Bearer {answer.json['access_token']}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the admin API below the realm; return what the answer holds, None where it is empty."""
        url = f"{self._server.url}/admin/realms/{REALM}{path}"
        answer = self._server.ask(url, method=method, body=body, headers=self._headers)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.text}"
        return answer.json if answer.text else None

    # Clients

    def create_client(
        self, client_id: str, *, attributes: Mapping[str, str] | None = None, **fields: Any
    ) -> None:
        """Register a client, described as `client()` does."""
        self.call("POST", "/clients", client(client_id, attributes=attributes, **fields))

    def change_client(self, client_id: str, **fields: Any) -> None:
        """Change fields of a client; `attributes` are merged."""
        found = self._client(client_id)
        attributes = found.get("attributes", {}) | fields.pop("attributes", {})
        self.call("PUT", f"/clients/{found['id']}", found | fields | {"attributes": attributes})

    def delete_client(self, client_id: str) -> None:
        """Delete a client and its sessions."""
        self.call("DELETE", f"/clients/{self._client(client_id)['id']}")

    def _client(self, client_id: str) -> dict[str, Any]:
        (found,) = self.call("GET", f"/clients?clientId={quote(client_id)}")
        return dict(found)

    # People

    def create_user(self, name: str) -> str:
        """Create a user and return the password."""
        password = f"{name}-{secrets.token_urlsafe(9)}"
        self.call("POST", "/users", _user(name, password))
        return password

    def sign_out(self, user: str) -> None:
        """End all sessions of a user: their refresh tokens are dead, save those of offline sessions."""
        self.call("POST", f"/users/{self._user(user)}/logout")

    def revoke_consent(self, user: str, client_id: str) -> None:
        """Take back what a user has agreed to for a client; its offline sessions end too."""
        self.call("DELETE", f"/users/{self._user(user)}/consents/{quote(client_id)}")

    def sessions(self, user: str) -> list[Any]:
        """Return the sessions of a user."""
        return list(self.call("GET", f"/users/{self._user(user)}/sessions"))

    def set_enabled(self, user: str, *, enabled: bool) -> None:
        """Let a user sign in, or not."""
        self.call("PUT", f"/users/{self._user(user)}", {"enabled": enabled})

    def _user(self, name: str) -> str:
        (found,) = self.call("GET", f"/users?exact=true&username={quote(name)}")
        return str(found["id"])

    # Keys

    def signing_key_ids(self) -> set[str]:
        """Return the ids of the keys that the realm publishes."""
        url = f"{self._server.issuer}/protocol/openid-connect/certs"
        return {key["kid"] for key in self._server.ask(url).json["keys"]}

    def rotate_keys(self) -> None:
        """Sign with a new RSA key from now on; the old one verifies still what it has signed."""
        realm = self.call("GET", "")
        components = self.call("GET", "/components?type=org.keycloak.keys.KeyProvider")
        priorities = [int(item["config"].get("priority", ["0"])[0]) for item in components]
        self.call(
            "POST",
            "/components",
            {
                "name": f"rsa-{secrets.token_hex(4)}",
                "parentId": realm["id"],
                "providerId": "rsa-generated",
                "providerType": "org.keycloak.keys.KeyProvider",
                "config": {
                    "priority": [str(max(priorities) + 1)],
                    "enabled": ["true"],
                    "active": ["true"],
                    "keySize": ["2048"],
                    "algorithm": ["RS256"],
                },
            },
        )
