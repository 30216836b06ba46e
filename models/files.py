"""Writing what an export makes."""

from __future__ import annotations

from pathlib import Path

from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import write_whole


def write_atomically(target: Path, content: bytes) -> None:
    """Write ``content`` to ``target``, in a folder that is made if need be; ArtifactError if that is impossible."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
    except OSError as error:
        raise ArtifactError(
            f"{target}: the featurizer cannot be written ({error.strerror}); choose a folder that can be written, "
            "for the cache through the variable RTAFFECT_CACHE"
        ) from error
