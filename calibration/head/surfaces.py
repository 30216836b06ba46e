"""The template as a FreeSurfer subject: cortex, labels, and the three shells of the boundary-element model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.head.parts import Mesh, mne_file, template_labels, template_mesh

Array = NDArray[np.float64]

TEMPLATE: Final = "fsaverage5"
#: The skull takes half of the gap between inner skull and skin, within these bounds, m.
SKULL_M: Final = (0.0032, 0.008)
#: Times the icosahedron is divided for the two skull surfaces: 642 points each.
_SKULL_ICO: Final = 3
#: By so much of a triangle's side a ray may miss it, so that none slips through between two.
_EDGE: Final = 1e-9


def write_template(subjects: Path) -> None:
    """Write the FreeSurfer subject ``fsaverage5`` below ``subjects``."""
    folder = subjects / TEMPLATE
    for part in ("surf", "label", "bem"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for side in ("lh", "rh"):
        _write_cortex(folder, side)
    _write_shells(folder / "bem")
    shutil.copyfile(mne_file("fsaverage-fiducials.fif"), folder / "bem" / f"{TEMPLATE}-fiducials.fif")


def _write_cortex(folder: Path, side: str) -> None:
    import nibabel

    freesurfer: Any = nibabel.freesurfer
    for kind in ("white", "sphere"):
        points, triangles = template_mesh(kind, side)
        freesurfer.write_geometry(folder / "surf" / f"{side}.{kind}", points, triangles)
    labels, names = template_labels(side)
    number = np.arange(1, len(names) + 1)
    # The colours only need to differ; the last column is FreeSurfer's number of a colour.
    colours = np.stack([number * 7 % 256, number * 31 % 256, number * 97 % 256, 0 * number], axis=1)
    table = np.concatenate([colours, (colours[:, :3] @ [1, 2**8, 2**16])[:, None]], axis=1)
    freesurfer.write_annot(folder / "label" / f"{side}.aparc.annot", labels, table, names, fill_ctab=False)


def _write_shells(folder: Path) -> None:
    import mne
    import nibabel
    from mne.bem import _ico_downsample

    freesurfer: Any = nibabel.freesurfer
    dense = mne.read_bem_surfaces(mne_file("fsaverage-inner_skull-bem.fif"), verbose="ERROR")[0]
    head = mne.read_bem_surfaces(mne_file("fsaverage-head.fif"), verbose="ERROR")[0]
    with mne.use_log_level("ERROR"):
        inner = _ico_downsample(dense, _SKULL_ICO)
    outer = outer_skull((inner["rr"], inner["tris"]), (head["rr"], head["tris"]))
    shells = {"inner_skull": (inner["rr"], inner["tris"]), "outer_skull": (outer, inner["tris"])}
    for name, (points, triangles) in (shells | {"outer_skin": (head["rr"], head["tris"])}).items():
        freesurfer.write_geometry(folder / f"{name}.surf", 1e3 * points, triangles)


def outer_skull(inner: Mesh, head: Mesh) -> Array:
    """Return the points (n, 3), m, of the outer skull above those of the inner skull.

    From each point a ray goes out along the surface's normal to the skin; the skull takes half of the way, but no less
    than 3.2 and no more than 8 mm.
    """
    points, triangles = inner
    normals = point_normals(points, triangles)
    gap = ray_lengths(points, normals, head)
    return np.asarray(points + np.clip(gap / 2, *SKULL_M)[:, None] * normals, np.float64)


def point_normals(points: Array, triangles: NDArray[np.int64]) -> Array:
    """Return unit normals (n, 3): the mean of the normals of a point's triangles, weighted by their areas."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros(points.shape)
    for i in range(3):
        np.add.at(normals, triangles[:, i], faces)
    unit: Array = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return unit


def ray_lengths(origins: Array, directions: Array, mesh: Mesh) -> Array:
    """Return how far (n,) each ray goes until it meets the mesh; infinite where it does not.

    Moeller and Trumbore, *Journal of Graphics Tools* 2 (1997).
    """
    points, triangles = mesh
    a, b, c = (np.asarray(points[triangles[:, i]], np.float64) for i in range(3))
    lengths = np.full(len(origins), np.inf)
    for number, (origin, direction) in enumerate(zip(origins, directions, strict=True)):
        across = np.cross(direction, c - a)
        volume = np.einsum("tc,tc->t", b - a, across)
        facing = np.flatnonzero(np.abs(volume) > 1e-18)
        scale, arm = 1.0 / volume[facing], origin - a[facing]
        u = np.einsum("tc,tc->t", arm, across[facing]) * scale
        turned = np.cross(arm, (b - a)[facing])
        v = turned @ direction * scale
        along = np.einsum("tc,tc->t", (c - a)[facing], turned) * scale
        hit = (u >= -_EDGE) & (v >= -_EDGE) & (u + v <= 1 + _EDGE) & (along > 0)
        if hit.any():
            lengths[number] = along[hit].min()
    return lengths


#: Side, name, and the direction that a viewer looks from: azimuth in degrees from the right ear towards the nose.
VIEWS: Final = (
    ("lh", "left, lateral", 180.0),
    ("lh", "left, medial", 0.0),
    ("rh", "right, medial", 180.0),
    ("rh", "right, lateral", 0.0),
)
