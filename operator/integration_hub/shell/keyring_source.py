"""Where the keyring comes from: a Secret that the operator makes and keeps, or files that something else mounts.

A keyring that was read once stays in use when the next look fails: what is sealed with it must go on opening.
"""

from __future__ import annotations

import asyncio
import base64
import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import structlog

from integration_hub.adapters.kube import FIELD_MANAGER, SECRETS, ApiError, KubeClient, Resource
from integration_hub.adapters.kube_api import CONFLICT, FORBIDDEN
from integration_hub.adapters.kubeconfig import SERVICE_ACCOUNT
from integration_hub.credentials.envelope import Random
from integration_hub.credentials.keyring import Keyring, KeyringError, name_of, new_keyring, parse_keyring
from integration_hub.reconcile.times import parse_timestamp, timestamp

DEFAULT_NAMESPACE = "integration-hub"
DEFAULT_NAME = "integration-hub-keyring"
NAMESPACES = Resource("v1", "namespaces", "Namespace")
TYPE = "integrationhub.dev/keyring"
LABELS = {"app.kubernetes.io/managed-by": "integration-hub"}
MOST_BYTES = 64 * 1024
"""Of a file with a key; what is longer is none."""

_UNPROCESSABLE = 422

log = structlog.get_logger("integration_hub.keyring")


def own_namespace() -> str:
    """Return the namespace that this operator runs in; outside a cluster, the one that it is usually installed in."""
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE


class KeyringUnavailableError(Exception):
    """There is no keyring. The message says what is in the way, where, and what to do."""


class KeyringSource(Protocol):
    """A place where a keyring is kept."""

    def current(self) -> Keyring:
        """Return the keyring as last read. KeyringUnavailableError where none ever was."""
        ...

    async def refresh(self) -> bool:
        """Look again, and tell whether the keyring is another one than before.

        Raises:
            KeyringUnavailableError: it cannot be read. `current` goes on giving the one that was read before.

        """
        ...


class _Remembered:
    """The keyring as last read, or why there is none."""

    def __init__(self) -> None:
        self._keyring: Keyring | None = None
        self._why_not = "the keyring has not been read yet"

    def current(self) -> Keyring:
        """Return the keyring as last read. KeyringUnavailableError where none ever was."""
        if self._keyring is None:
            raise KeyringUnavailableError(self._why_not)
        return self._keyring

    def _take(self, keyring: Keyring) -> bool:
        is_another = keyring != self._keyring
        self._keyring = keyring
        return is_another

    def _fail(self, words: str) -> KeyringUnavailableError:
        self._why_not = words
        return KeyringUnavailableError(words)


class SecretKeyring(_Remembered):
    """The keyring in a Secret. Where there is none it is made; the one in use is put back if somebody deletes it."""

    def __init__(self, kube: KubeClient, namespace: str, name: str, random: Random) -> None:
        """Read nothing yet."""
        super().__init__()
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._random = random
        self._lock = asyncio.Lock()

    async def refresh(self) -> bool:
        """Read the Secret, or make it. See `KeyringSource`."""
        async with self._lock:  # two that begin together would both make one
            return self._take(await self._read() or await self._make())

    async def _read(self) -> Keyring | None:
        """Return what the Secret holds; None where there is none."""
        try:
            raw = await self._kube.read(SECRETS, self._namespace, self._name)
            return parse_keyring(data_of(raw))
        except KeyringError as error:
            raise self._fail(f"{self._secret} does not hold a keyring: {error}") from error
        except ApiError as error:
            if error.gone:
                return None
            raise self._explained(error, "read") from error

    async def _make(self) -> Keyring:
        keyring = self._keyring or new_keyring(self._random)
        manifest = keyring_manifest(self._name, keyring)
        try:
            await self._create(manifest)
        except ApiError as error:
            # Another operator was faster: its keys count, since records may be under them already.
            made = await self._read() if error.status == CONFLICT else None
            if made is None:
                raise self._explained(error, "made") from error
            return made
        log.info(
            "the keyring was made" if self._keyring is None else "the keyring was deleted, and is put back",
            namespace=self._namespace,
            secret=self._name,
            keys=keyring.numbers,
        )
        return keyring

    async def _create(self, manifest: Mapping[str, Any]) -> None:
        """Create the Secret, and its namespace where there is none: on a new cluster the operator comes first."""
        try:
            await self._kube.create_secret(self._namespace, manifest)
        except ApiError as error:
            if not error.gone:
                raise
            missing = error
        else:
            return
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace}}
        try:
            await self._kube.apply(NAMESPACES, "", namespace, manager=FIELD_MANAGER)
        except ApiError as error:
            if error.status == FORBIDDEN:
                raise missing from error
            raise
        await self._kube.create_secret(self._namespace, manifest)

    @property
    def _secret(self) -> str:
        return f"the Secret '{self._name}' in namespace '{self._namespace}'"

    def _explained(self, error: ApiError, done: str) -> KeyringUnavailableError:
        elsewhere = "or name another place with --keyring NAMESPACE/NAME"
        if error.gone:  # to a create, this is about the namespace
            words = (
                f"the keyring cannot be {done}, since there is no namespace '{self._namespace}': create it,"
                f" {elsewhere}"
            )
        elif error.status == FORBIDDEN:
            words = (
                f"the keyring cannot be {done}: the operator may not 'get', 'create' and 'update' {self._secret}; give"
                f" it these rights there, {elsewhere}. The API server says: {error}"
            )
        elif error.status == _UNPROCESSABLE:
            words = f"{self._secret} cannot be {done}: correct --keyring NAMESPACE/NAME. The API server says: {error}"
        else:
            words = f"{self._secret}, which holds the keyring, cannot be {done}: {error}"
        return self._fail(words)


class FileKeyring(_Remembered):
    """The keyring in the files of a folder, as a Secret, a KMS or a CSI driver mounts them. Nothing is written."""

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        super().__init__()
        self._folder = folder

    async def refresh(self) -> bool:
        """Read the folder. See `KeyringSource`."""
        try:
            files = await asyncio.to_thread(_files_of, self._folder)
            return self._take(parse_keyring(files))
        except KeyringError as error:
            raise self._fail(f"the folder {self._folder} does not hold a keyring: {error}") from error
        except OSError as error:
            where = error.filename or self._folder
            raise self._fail(
                f"the keyring's folder {self._folder} cannot be read: {where}: {error.strerror}. Check that the volume"
                " is mounted there and that the operator's user may read it"
            ) from error


def _files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name, of one state of the volume.

    Kubernetes and CSI drivers change a volume by turning the link '..data' to another folder; then they remove the one
    before, file by file. So what was read is whole where the link leads to the same folder afterwards.
    """
    link = folder / "..data"
    if not link.is_symlink():
        return _contents_of(folder)
    for last in (False, False, True):
        try:
            state = link.resolve(strict=True)
            found = _contents_of(state)
            if link.resolve(strict=True) == state:
                return found
        except FileNotFoundError:
            if last:
                raise
    raise OSError(errno.EAGAIN, "it changes again and again while it is read", str(link))


def _contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: _content_of(path) for path in folder.iterdir() if not path.name.startswith(".")}


def _content_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


# The Secret as a person changes it


@dataclass(frozen=True)
class StoredKeyring:
    """A keyring with the Secret that it was read from."""

    raw: Mapping[str, Any] = field(repr=False)
    keyring: Keyring

    def since(self, number: int) -> datetime | None:
        """Return when a key was made, None where that is not known."""
        annotations = self.raw["metadata"].get("annotations") or {}
        return parse_timestamp(annotations.get(_since(number)))


async def read_keyring(kube: KubeClient, namespace: str, name: str) -> StoredKeyring:
    """Return the keyring that a Secret holds. ApiError where it cannot be read, KeyringError where it holds none."""
    raw = await kube.read(SECRETS, namespace, name)
    return StoredKeyring(raw, parse_keyring(data_of(raw)))


async def replace_keyring(kube: KubeClient, stored: StoredKeyring, keyring: Keyring) -> StoredKeyring:
    """Write another keyring over the one that was read. ApiError 409 where somebody has changed it meanwhile.

    All else that stands on the Secret stays, but for what is said of keys that are no more.
    """
    changed = _changed(stored, keyring)
    return StoredKeyring(await kube.replace_secret(changed["metadata"]["namespace"], changed), keyring)


async def would_replace_keyring(kube: KubeClient, stored: StoredKeyring, keyring: Keyring) -> None:
    """Let the API server check what `replace_keyring` would do, with the same errors. Nothing changes."""
    changed = _changed(stored, keyring)
    await kube.would_replace_secret(changed["metadata"]["namespace"], changed)


def _changed(stored: StoredKeyring, keyring: Keyring) -> dict[str, Any]:
    metadata = stored.raw["metadata"]
    now = timestamp(datetime.now(UTC))
    before, after = ({_since(number) for number in ring.keys} for ring in (stored.keyring, keyring))
    annotations = {
        **dict.fromkeys(sorted(after - before), now),
        **{
            name: text
            for name, text in (metadata.get("annotations") or {}).items()
            if name not in before - after
        },
    }
    return {
        **stored.raw,
        "metadata": {**metadata, "annotations": annotations},
        "data": encoded(keyring.data()),
    }


def keyring_manifest(name: str, keyring: Keyring) -> dict[str, Any]:
    """Return the Secret that holds a keyring whose keys were made now."""
    now = timestamp(datetime.now(UTC))
    since = {_since(number): now for number in keyring.numbers}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": dict(LABELS), "annotations": since},
        "type": TYPE,
        "data": encoded(keyring.data()),
    }


def _since(number: int) -> str:
    """Return the name of the annotation that tells when a key was made."""
    return f"integrationhub.dev/{name_of(number)}-since"


def data_of(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the data of a Secret as the API server shows it, decoded."""
    return {name: base64.b64decode(value or "") for name, value in (secret.get("data") or {}).items()}


def encoded(data: Mapping[str, bytes]) -> dict[str, str]:
    """Return data as a Secret's manifest holds it."""
    return {name: base64.b64encode(value).decode() for name, value in data.items()}
