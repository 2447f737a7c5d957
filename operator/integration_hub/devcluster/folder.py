"""Take a folder for a cluster, and give it back, without harm to what else may lie there."""

from __future__ import annotations

import contextlib
import shutil

from integration_hub.devcluster.errors import FolderError
from integration_hub.devcluster.files import make_private_folder
from integration_hub.devcluster.paths import Home


def refuse_foreign_folder(home: Home) -> None:
    """Raise FolderError if the folder is in use for something else: a cluster closes it to others."""
    root = home.root
    if not root.exists() or holds_cluster(home):
        return
    if not root.is_dir() or any(root.iterdir()):
        raise FolderError(
            f"{root} is not empty, and holds no development cluster.",
            "Name a new or empty folder with --home.",
        )


def holds_cluster(home: Home) -> bool:
    """Tell whether a cluster was ever started in the folder."""
    return home.lock.exists() or home.state.exists()


def make_home(home: Home) -> None:
    """Make the folder. FolderError where that cannot be."""
    try:
        make_private_folder(home.root)
    except OSError as error:
        raise FolderError(
            f"The folder {home.root} cannot be made: {error.strerror or type(error).__name__}.",
            "Name a folder that you may write to with --home.",
        ) from error


def remove_cluster_files(home: Home) -> None:
    """Remove what belongs to the cluster, and the folder itself if that leaves it empty.

    In a folder that holds no cluster nothing is removed: a 'pki' or 'kubeconfig' in it is somebody else's.
    """
    for path in home.entries if holds_cluster(home) else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # absent, or not empty: then the rest is not ours
        home.root.rmdir()
