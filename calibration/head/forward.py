"""What one ampere-metre at each source shows at each electrode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.head.subject import Subject, region_labels
from rtaffect.common.errors import ArtifactError
from rtaffect.common.regions import REGIONS
from rtaffect.predicted.featurizer import Progress

Array = NDArray[np.float64]

_SPACING: Final = "ico4"
#: Homologous regions that come nearer than this to each other across the midline are neighbours, m.
_ACROSS_M: Final = 0.012


@dataclass(frozen=True)
class Head:
    """A solved head, to which any montage can be put.

    ``source_region`` (N,) has each source's place in REGIONS, -1 for none; ``source_points`` (N, 3) its place in the
    subject's MRI frame, m; ``neighbours`` (R, R) says which regions touch or face each other across the midline;
    ``fiducials`` (3, 3) are left ear, nasion and right ear in the same frame.
    """

    subject: Subject
    source_region: NDArray[np.int16]
    source_points: Array
    neighbours: NDArray[np.bool_]
    fiducials: Array
    _sources: Any
    _bem: Any

    def lead_field(self, names: tuple[str, ...], positions: NDArray[np.floating]) -> tuple[Array, Array]:
        """Return the lead field (C, N), V per A m, for current out of the cortex, and where the electrodes are (C, 3).

        Parameters
        ----------
        names
            Of the electrodes; only to tell them apart.
        positions
            (C, 3), m, in the subject's MRI frame; each is brought to the nearest point of the skin.

        Returns
        -------
        The positions are in the head's frame (right, front, up), m.
        """
        import mne

        montage = mne.channels.make_dig_montage(
            dict(zip(names, np.asarray(positions, np.float64), strict=True)),
            lpa=self.fiducials[0],
            nasion=self.fiducials[1],
            rpa=self.fiducials[2],
            coord_frame="mri",
        )
        info = mne.create_info(list(names), 100.0, "eeg", verbose="ERROR")
        info.set_montage(montage, verbose="ERROR")
        to_head = mne.channels.compute_native_head_t(montage, verbose="ERROR")
        forward = mne.make_forward_solution(
            info, to_head, self._sources, self._bem, meg=False, eeg=True, mindist=0.0, verbose="ERROR"
        )
        fixed = mne.convert_forward_solution(forward, True, True, use_cps=False, verbose="ERROR")
        if (n := fixed["sol"]["data"].shape[1]) != len(self.source_region):
            raise ArtifactError(
                f"{self.subject.folder}: {len(self.source_region) - n} of {len(self.source_region)} sources lie "
                "outside its inner skull; make its shells anew with `mne watershed_bem`, or leave --subjects-dir away "
                "for the built-in template"
            )
        where = np.array([channel["loc"][:3] for channel in info["chs"]], np.float64)
        return np.asarray(fixed["sol"]["data"], np.float64), where


def open_head(subject: Subject, progress: Progress) -> Head:
    """Read or make all that does not depend on the montage."""
    import mne

    bem = subject.bem(progress)
    sources = mne.setup_source_space(
        subject.name, _SPACING, "white", subjects_dir=subject.subjects, add_dist=False, verbose="ERROR"
    )
    labels = region_labels(subject)
    used = [np.asarray(side["vertno"]) for side in sources]
    region = np.concatenate([of[points] for of, points in zip(labels, used, strict=True)])
    where = np.concatenate([side["rr"][points] for side, points in zip(sources, used, strict=True)])
    touching = _touching(sources, labels) | _facing(region, where)
    return Head(subject, region, where, touching, subject.fiducials(), sources, bem)


def _touching(sources: Any, labels: tuple[NDArray[np.int16], NDArray[np.int16]]) -> NDArray[np.bool_]:
    """Return which regions (R, R) share an edge of the cortex's mesh."""
    pairs = np.zeros((len(REGIONS), len(REGIONS)), bool)
    for side, of in zip(sources, labels, strict=True):
        corners = of[side["tris"]]
        for first, second in ((0, 1), (1, 2), (2, 0)):
            a, b = corners[:, first], corners[:, second]
            edge = (a >= 0) & (b >= 0) & (a != b)
            pairs[a[edge], b[edge]] = pairs[b[edge], a[edge]] = True
    return pairs


def _facing(region: NDArray[np.int16], where: Array) -> NDArray[np.bool_]:
    """Return the pairs (R, R) of a label's two sides that come near each other, as on the medial wall."""
    from scipy.spatial.distance import cdist

    pairs = np.zeros((len(REGIONS), len(REGIONS)), bool)
    for left in range(0, len(REGIONS), 2):
        right = left + 1
        if cdist(where[region == left], where[region == right]).min() < _ACROSS_M:
            pairs[left, right] = pairs[right, left] = True
    return pairs
