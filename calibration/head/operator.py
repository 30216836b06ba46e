"""Puts a montage on a head and makes the space operator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.head.forward import Head
from calibration.head.parts import versions
from calibration.head.positions import Montage, similarity, template_landmarks
from calibration.head.zones import merge
from rtaffect import __version__
from rtaffect.common.regions import REGIONS, groups_of
from rtaffect.observed.operator import K, Operator, SpaceManifest, Zone, assemble

#: LiveSound and nasion that are nearer than this to the template's are taken for the same, m.
_SAME_M = 0.005


def build(montage: Montage, head: Head) -> Operator:
    """Return the space operator of a montage on a head."""
    return make(montage, head, *lead_field(montage, head))


def lead_field(montage: Montage, head: Head) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lead field (C, N), V per A m, of a montage on a head, and the electrodes (C, 3), m, in its frame.

    On another head than fsaverage the electrodes are moved by turning and scaling so that ears and nasion meet.
    """
    matrix, shift = np.eye(3), np.zeros(3)
    landmarks = template_landmarks()
    if not np.allclose(landmarks, head.fiducials, atol=_SAME_M):
        matrix, shift = similarity(landmarks, head.fiducials)
    return head.lead_field(montage.channels, montage.positions @ matrix.T + shift)


def make(montage: Montage, head: Head, field: NDArray[np.float64], positions: NDArray[np.float64]) -> Operator:
    """Return the space operator that follows from a lead field (C, N) and positions (C, 3)."""
    manifest = SpaceManifest(
        montage=montage.name,
        channels=montage.channels,
        regions=REGIONS,
        zones=(Zone(name="whole brain", regions=REGIONS),),
        groups=groups_of(REGIONS),
        k=K,
        sources=len(head.source_region),
        head=head.subject.about,
        provenance={"rtaffect": __version__, **versions(head.subject.template)},
    )
    operator = assemble(manifest, field, positions, head.neighbours, head.source_region)
    zones = merge(operator.shares, head.neighbours)
    return replace(operator, manifest=manifest.model_copy(update={"zones": zones}))
