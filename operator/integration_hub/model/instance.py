"""IntegrationInstance: a named connection to an external system."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from integration_hub.model.base import Model, ObjectMeta
from integration_hub.model.conditions import Condition
from integration_hub.model.schema import (
    Description,
    DisplayName,
    Duration,
    EntryName,
    JsonObject,
    ObjectName,
    Timestamp,
    atomic_list,
    cel,
    list_map,
)

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


class Scope(Model):
    """Whom this connection belongs to."""

    type: Literal["global", "client", "user"]
    """'global' for everybody, 'client' for one customer, 'user' for one person."""
    id: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Which client or user. Required for those two, absent for 'global'."""


class Permissions(Model):
    """Who may use this connection."""

    roles: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]],
        Field(json_schema_extra=atomic_list(max_items=50)),
    ] = []
    """Roles whose members may use this connection. Nobody is excluded when absent."""


class Monitor(Model):
    """How the connection is watched after it works."""

    interval: Duration | None = None
    """How often the connection is tested again, like '5m'. The operator's default when absent."""


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
    monitor: Monitor | None = None
    """How the connection is watched after it works."""
    suspend: bool = False
    """True stops all tests; the connection then reads Ready=Unknown, reason Suspended."""


class CredentialStatus(Model):
    """Where the credentials in use came from. Never a secret value."""

    id: str | None = None
    """Identifier of the credential: the Secret's UID."""
    expires_at: Timestamp | None = None
    """When the credential ends, where that is known."""
    secret_resource_version: str | None = None
    """resourceVersion of the Secret that was read."""


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


class TestStatus(Model):
    """How one test ended."""

    __test__ = False  # not a pytest class

    name: str
    """Name of the test in the definition."""
    result: TestResult
    """Success, Failure, or Unknown when the test could not tell."""
    reason: str
    """One CamelCase word of the list in the documentation."""
    message: str
    """What was found."""
    hint: str | None = None
    """What to do next."""
    time: Timestamp
    """When the test ended."""
    duration_ms: Annotated[int, Field(alias="durationMilliseconds")] = 0
    """How long the test took, in milliseconds."""


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
    identity: str | None = None
    """Who the external system says we are."""
    last_tested: Timestamp | None = None
    """When the connection was last tested."""
    last_test_result: TestResult | None = None
    """How the last test ended."""
    tests: Annotated[list[TestStatus], Field(json_schema_extra=list_map("name", max_items=30))] = []
    """How each test ended."""
    tested: TestedInputs | None = None
    """Which inputs the last verdict is about."""
    next_test_time: Timestamp | None = None
    """When the connection is tested next."""
    updated_at: Timestamp | None = None
    """When this status last changed."""
    last_handled_request: str | None = None
    """The last value of the annotation integrationhub.dev/request that was acted upon."""

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
