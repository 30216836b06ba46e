"""Folders in the user's cache that are made once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return ``folder``; where it is not there, let ``make`` fill another one beside it, and move that into place.

    So that what stands there is whole, whatever happens meanwhile, and several processes may make it at the same time.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix="part-"))
    try:
        make(part)
        os.replace(part, folder)
    except OSError:
        # Another process was first: what it made is the same.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder
