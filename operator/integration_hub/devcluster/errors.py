"""What can go wrong with the development cluster. Each error says what happened, where, and what to do.

DevClusterError
├── GoMissingError       no usable Go toolchain
├── DiskSpaceError       too little room to build
├── BuildError           the Go build failed (carries the log's tail)
├── AssetsError          KUBEBUILDER_ASSETS lacks a binary
├── StartError           the control plane did not become ready (carries the log's tail)
├── StopError            it did not end
├── NotRunningError      an answer needs a running cluster
├── FolderError          the folder named is somebody else's
└── KindError            kind or Docker is missing, or kind failed
"""

from __future__ import annotations


class DevClusterError(Exception):
    """A failure that a person can act on: `problem` says what and where, `remedy` what to do."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class GoMissingError(DevClusterError):
    """No Go toolchain is new enough, and none could be installed."""


class DiskSpaceError(DevClusterError):
    """A file system has too little room for the build."""


class BuildError(DevClusterError):
    """The Go build ended with an error."""


class AssetsError(DevClusterError):
    """KUBEBUILDER_ASSETS names a folder that lacks a binary."""


class StartError(DevClusterError):
    """The control plane ended, or was not ready in time."""


class StopError(DevClusterError):
    """The control plane did not end although it was killed."""


class NotRunningError(DevClusterError):
    """The control plane is not running."""


class FolderError(DevClusterError):
    """The folder given for the cluster holds other things."""


class KindError(DevClusterError):
    """The kind program or Docker is missing, or kind failed."""
