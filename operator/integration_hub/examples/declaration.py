"""`example.yaml`: what an example needs beside its manifests, and what it promises."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from integration_hub.examples.errors import ExampleError

FILE = "example.yaml"

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Promise(_Part):
    """The verdict that an instance must get."""

    namespace: str
    name: str
    ready: Literal["True", "False", "Unknown"]
    reason: str
    identity: str | None = None
    """What `status.identity` must be; not looked at when absent."""
    message: tuple[str, ...] = ()
    """Texts that the Ready condition's message must contain."""


class Htpasswd(_Part):
    """A file of user names and hashed passwords."""

    file: FileName
    users: dict[str, VariableName]
    """User name -> the variable of `passwords` that holds the password."""


class Service(_Part):
    """A server that the example connects to. It may listen on ${PORT} of 127.0.0.1 and write below ${DIR}."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")]
    """Gives the variables their names: `pypi` sets ${PYPI_URL} and, with a certificate, ${PYPI_CA}."""
    command: tuple[str, ...] = ()
    """The words of the command; `python` as the first one is the interpreter that runs the example."""
    modules: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ...] = ()
    """Python modules that the command needs beside the operator's; `make run EXAMPLE=...` installs them."""
    keycloak: FileName | None = None
    """Instead of a command: the identity provider Keycloak, with the realm in this file of the example (JSON, as
    Keycloak exports and imports it, with ${NAMES} as in manifests). It always has a certificate."""
    certificate: bool = False
    """Whether it speaks HTTPS. Then ${DIR}/server.crt and server.key are made, signed by a new authority."""
    folders: tuple[FileName, ...] = ()
    """Empty folders to make in ${DIR}."""
    htpasswd: Htpasswd | None = None

    @model_validator(mode="after")
    def _has_one_program(self) -> Self:
        if bool(self.command) == bool(self.keycloak):
            raise ValueError("has a command or keycloak, and not both")
        return self


class Later(_Part):
    """A step that comes after the first verdicts: apply further manifests, and other verdicts follow."""

    title: str
    apply: FileName
    """Folder of manifests inside the example's."""
    promises: Annotated[tuple[Promise, ...], Field(min_length=1)]


class Next(_Part):
    """A command to try once the example runs. May use ${KUBECTL} and ${MANIFESTS}."""

    why: str
    run: str


class Declaration(_Part):
    """The whole file."""

    title: str
    passwords: tuple[VariableName, ...] = ()
    """Variables that get a random value in each run, so that no password need stand in the repository."""
    services: tuple[Service, ...] = ()
    promises: Annotated[tuple[Promise, ...], Field(min_length=1)]
    later: tuple[Later, ...] = ()
    next: Annotated[tuple[Next, ...], Field(min_length=1)]


def load_declaration(folder: Path) -> Declaration:
    """Read and check the file; raise ExampleError with every mistake in it."""
    path = folder / FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExampleError(
            f"{path} is missing.", "It says what the example promises; take another example's as a pattern."
        ) from None
    except yaml.YAMLError as error:
        raise ExampleError(
            f"{path} is not YAML: {error}", "Correct the place that the message names."
        ) from error
    try:
        return Declaration.model_validate(content)
    except ValidationError as error:
        mistakes = "\n".join(f"  {_path(mistake['loc'])}: {mistake['msg']}" for mistake in error.errors())
        raise ExampleError(f"{path} has mistakes:\n{mistakes}", "Correct the fields named.") from error


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the file"
