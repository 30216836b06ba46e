"""What has been computed, on disk, by what it was computed from: a run that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from calibration.affect.checkpoint import fingerprint
from rtaffect.common.files import write_whole


def kept(
    folder: Path | None, choices: dict[str, Any], arrays: Sequence[NDArray[Any]], make: Callable[[], dict[str, Any]]
) -> dict[str, NDArray[Any]]:
    """Return what ``make`` returns, arrays by name, or what it returned before for the same choices and arrays.

    A file that is damaged is made again. Without a folder nothing is kept.
    """
    if folder is None:
        return make()
    path = folder / f"{fingerprint(choices, arrays)}.safetensors"
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError):
        made = {name: np.ascontiguousarray(value) for name, value in make().items()}
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(made))
    return made
