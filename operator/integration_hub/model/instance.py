"""IntegrationInstance: a named connection to an external system."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from integration_hub.model.base import Model, ObjectMeta
from integration_hub.model.conditions import Condition
from integration_hub.model.schema import (
    Description,
    DisplayName,
    EntryName,
    JsonObject,
    ObjectName,
    Timestamp,
    atomic_list,
    cel,
    list_map,
)
from integration_hub.model.testing import SavedTest, TestMonitor

Phase = Literal["Pending", "Connected", "Error"]
TestResult = Literal["Success", "Failure", "Unknown"]


class DefinitionRef(Model):
    """The catalog entry that this connection is an instance of."""

    name: ObjectName
    """Name of the IntegrationDefinition."""


class SecretRef(Model):
    """A Secret in the instance's own namespace."""

    name: ObjectName
    """Name of the Secret; it must be in the instance's namespace."""


class InstanceAuth(Model):
    """How this connection authenticates."""

    method: EntryName | None = None
    """Name of one of the definition's auth methods. May be left out when the definition has just one."""
    secret_ref: SecretRef | None = None
    """The Secret that holds the credentials, under the keys that the auth method asks for."""
    scopes: Annotated[
        list[
            Annotated[
                str,
                Field(
                    min_length=1,
                    max_length=300,
                    json_schema_extra=cel(
                        (
                            r"self.matches('^[!#-\\[\\]-~]+$')",
                            "must be one scope, like 'read:user': no spaces, quotes or backslashes;"
                            " each scope is an entry of its own",
                        )
                    ),
                ),
            ]
        ],
        Field(json_schema_extra=atomic_list(max_items=50)),
    ] = []
    """OAuth scopes that this connection needs beside those of the definition. A missing one is reported by name."""


class Scope(Model):
    """Whom this connection belongs to."""

    type: Literal["global", "client", "user"]
    """'global' for everybody, 'client' for one customer, 'user' for one person."""
    id: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Which client or user. Required for those two, absent for 'global'."""


class Binding(Model):
    """A Secret for the workloads that use this connection."""

    secret_name: ObjectName
    """Name of the Secret that the operator keeps, in the instance's namespace. It must not exist already."""


class Permissions(Model):
    """Who may use this connection."""

    roles: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]],
        Field(json_schema_extra=atomic_list(max_items=50)),
    ] = []
    """Roles whose members may use this connection. Nobody is excluded when absent."""


class InstanceSpec(Model):
    """A named connection: which system, with which configuration and which credentials."""

    display_name: DisplayName | None = None
    """Name that people see, unique in the namespace. The object's name when absent."""
    description: Description | None = None
    """What this connection is for."""
    definition_ref: Annotated[
        DefinitionRef,
        Field(
            json_schema_extra=cel(
                (
                    "self == oldSelf",
                    "cannot be changed: delete this instance and create it again with the other definition",
                )
            )
        ),
    ]
    """The catalog entry that this connection is an instance of. Cannot be changed later."""
    template: EntryName | None = None
    """Name of one of the definition's templates; `config` wins over it, field by field."""
    config: JsonObject = {}
    """Configuration, as the definition's configSchema asks for it. Never holds a secret."""
    auth: InstanceAuth = InstanceAuth()
    """How this connection authenticates."""
    scope: Annotated[
        Scope | None,
        Field(
            json_schema_extra=cel(
                (
                    "self.type == 'global' ? !has(self.id) : has(self.id)",
                    "must be given for types 'client' and 'user', like 'id: acme', and left out for 'global'",
                ),
                path=".id",
            )
        ),
    ] = None
    """Whom this connection belongs to. Everybody in the namespace when absent."""
    permissions: Permissions | None = None
    """Who may use this connection."""
    tests: Annotated[
        list[
            Annotated[
                SavedTest,
                Field(
                    json_schema_extra=cel(
                        (
                            "has(self.request) || !(has(self.expect) || has(self.identity) || has(self.errorCode)"
                            " || has(self.failures) || has(self.credentialExpiresAt) || has(self.proveCredential))",
                            "must have a request: without one it names a test of the definition, which brings its own"
                            " expect, identity, errorCode, failures, credentialExpiresAt and proveCredential",
                        )
                    )
                ),
            ]
        ],
        Field(json_schema_extra=list_map("name", max_items=20)),
    ] = []
    """Tests beside the default one: saved tests of this instance, and tests of the definition by name."""
    monitor: TestMonitor | None = None
    """How the connection is watched. A test's own monitor wins over it, field by field."""
    binding: Binding | None = None
    """A Secret that the operator keeps up to date for workloads, in the shape of the Service Binding specification."""
    deletion_policy: Literal["Delete", "Revoke"] | None = None
    """What becomes of tokens that the operator obtained when this instance is deleted: 'Delete' (default) drops them,
    'Revoke' gives them back to the external system first."""
    suspend: bool = False
    """True stops all tests; the connection then reads Ready=Unknown, reason Suspended."""


class CredentialStatus(Model):
    """Where the credentials in use came from. Never a secret value."""

    id: str | None = None
    """Identifier of the credential: the UID of the Secret that it is in."""
    expires_at: Timestamp | None = None
    """When the token, key or certificate in use ends, where that is known: by itself, or from what a test's answer
    tells, whichever is sooner."""
    renews_at: Timestamp | None = None
    """When the operator renews it by itself; absent where a person must."""
    authorization_expires_at: Timestamp | None = None
    """When a person's consent ends, and with it all renewing, where that is known."""
    scopes: Annotated[list[str], Field(json_schema_extra=atomic_list(max_items=100))] = []
    """The scopes that were granted, where that is known."""
    warned_days: int | None = None
    """Of which warning ahead of the end an Event has told: 14 or 3 days."""
    secret_resource_version: str | None = None
    """resourceVersion of the Secret that was read."""


class Authorization(Model):
    """What a person must do so that the connection can work."""

    url: str
    """Open this in a browser, sign in to the external system and consent."""
    user_code: str | None = None
    """Type this there, where the page asks for a code."""
    expires_at: Timestamp
    """When the link or code ends; the operator puts a new one in its place."""


class BindingStatus(Model):
    """The Secret for workloads."""

    name: str
    """Name of the Secret. Where the Service Binding specification looks for it."""


class TestedInputs(Model):
    """Which inputs the last verdict is about. A verdict about older inputs is never shown as the current one."""

    __test__ = False  # not a pytest class

    generation: int
    """The instance's metadata.generation that was tested."""
    definition_generation: int
    """The definition's metadata.generation that was tested."""
    definition_uid: Annotated[str, Field(alias="definitionUID")] = ""
    """The definition's UID: a definition that was deleted and created again is another one."""
    secret_resource_version: str = ""
    """resourceVersion of the Secret that was tested, empty where none was needed."""


StageName = Literal[
    "config", "token", "dns", "connect", "tls", "request", "assertions", "identity", "control"
]
StageResult = Literal["Passed", "Failed", "Unknown", "Skipped"]


class Stage(Model):
    """One step of a test: how it ended, how long it took, and what was found."""

    name: StageName
    """config, token, dns, connect, tls, request, assertions or identity, in this order."""
    result: StageResult
    """Passed; Failed or Unknown where the test ended; Skipped where there was nothing to do."""
    duration_ms: Annotated[int | None, Field(alias="durationMilliseconds")] = None
    """How long it took, in milliseconds, where that could be measured."""
    evidence: dict[str, str] = {}
    """What was found, such as addresses, certificate, HTTP status or the external system's error code."""


class TestStatus(Model):
    """How one test stands: its verdict, and its last result."""

    __test__ = False  # not a pytest class

    name: str
    """Name of the test in the definition or in spec.tests."""
    result: TestResult
    """Verdict: Success, Failure, or Unknown when the test could not tell. It changes when a threshold is reached."""
    reason: str
    """Why the verdict is what it is, in one word; docs/troubleshooting.md explains each."""
    message: str
    """What was found when the verdict was reached."""
    hint: str | None = None
    """What to do next."""
    since: Timestamp | None = None
    """Since when the verdict is what it is."""
    last_result: TestResult | None = None
    """How the last test ended, whatever the verdict."""
    last_reason: str | None = None
    """Why it ended so."""
    credential_expires_at: Timestamp | None = None
    """When the credential in use ends, as the last success of this test has told; absent where it tells of no end."""
    streak: int = 0
    """How many tests in a row have ended like the last one, success or not."""
    time: Timestamp
    """When the last test ended."""
    next_time: Timestamp | None = None
    """When the test is made next."""
    duration_ms: Annotated[int, Field(alias="durationMilliseconds")] = 0
    """How long the last test took, in milliseconds."""
    stages: Annotated[list[Stage], Field(json_schema_extra=list_map("name", max_items=10))] = []
    """The steps of the last test, in order, up to the one at which it ended."""


class VerdictChange(Model):
    """A change of a test's verdict."""

    time: Timestamp
    """When it changed."""
    test: str
    """Name of the test."""
    result: TestResult
    """What the verdict became."""
    reason: str
    """Why."""


class InstanceStatus(Model):
    """What the operator found."""

    observed_generation: int | None = None
    """The metadata.generation that this status is about."""
    phase: Phase | None = None
    """Pending, Connected or Error: the conditions in one word."""
    conditions: Annotated[list[Condition], Field(json_schema_extra=list_map("type", max_items=20))] = []
    """The state in detail; Ready sums it up. Domain conditions are good when True."""
    auth_type: str | None = None
    """Type of the auth method in use."""
    credential: CredentialStatus | None = None
    """Where the credentials in use came from."""
    authorization: Authorization | None = None
    """What a person must do, while that is awaited."""
    binding: BindingStatus | None = None
    """The Secret for workloads, once it is there."""
    identity: str | None = None
    """Who the external system says we are."""
    last_tested: Timestamp | None = None
    """When the connection was last tested."""
    last_test_result: TestResult | None = None
    """How the last test of the default test ended: Success, Failure, or Unknown when it could not tell."""
    tests: Annotated[list[TestStatus], Field(json_schema_extra=list_map("name", max_items=30))] = []
    """How each test stands, the default one first."""
    history: Annotated[list[VerdictChange], Field(json_schema_extra=atomic_list(max_items=10))] = []
    """The last ten changes of a verdict, the newest first."""
    tested: TestedInputs | None = None
    """Which inputs the last verdict is about."""
    next_test_time: Timestamp | None = None
    """When the connection is tested next."""
    updated_at: Timestamp | None = None
    """When this status last changed."""
    last_handled_request: str | None = None
    """The last value of the annotation integrationhub.dev/request that was acted upon."""
    last_handled_authorize: str | None = None
    """The last value of the annotation integrationhub.dev/authorize that was acted upon."""
    last_authorize_result: Literal["Completed", "Refused"] | None = None
    """What came of that: Completed with new tokens, or Refused, in which case those of before stay in use."""

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, if there is one."""
        return next((c for c in self.conditions if c.type == type_), None)


class IntegrationInstance(Model):
    """A named connection to an external system."""

    metadata: ObjectMeta
    spec: InstanceSpec
    status: InstanceStatus = InstanceStatus()

    @property
    def display_name(self) -> str:
        """The name that people see: `spec.displayName`, else the object's own."""
        return self.spec.display_name or self.metadata.name
