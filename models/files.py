"""Writing what an export makes."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from rtaffect.common.errors import ArtifactError


def write_atomically(target: Path, content: bytes) -> None:
    """Write ``content`` beside ``target`` under a name of its own, then move it into place."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
        try:
            partial.write_bytes(content)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"{target}: the featurizer cannot be written ({error.strerror}); choose a folder that can be written, "
            "for the cache through the variable RTAFFECT_CACHE"
        ) from error
