"""Heads of synthetic people: what each patch of cortex gives at each electrode.

:func:`sphere_head` is simple, 24 electrodes of the 10-10 system and ten patches on a sphere: enough to spread every
source over every electrode as a real head does; it localises nothing. :func:`region_head` has a patch in each brain
region of a space operator, and that operator's electrodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import ArtifactError
from rtaffect.observed.inverse import average_reference
from rtaffect.observed.operator import Operator

#: Inclination from the vertex and azimuth from the right ear towards the nose, degrees; the equatorial 10-20 layout
#: in the convention of BioSemi's cap coordinates (biosemi.com/headcap.htm).
ELECTRODES: dict[str, tuple[float, float]] = {
    "Fp1": (92, 108), "Fp2": (92, 72), "AF7": (92, 126), "AF8": (92, 54), "F7": (92, 144), "F3": (60, 129),
    "Fz": (46, 90), "F4": (60, 51), "F8": (92, 36), "T7": (92, 180), "C3": (46, 180), "Cz": (0, 0),
    "C4": (46, 0), "T8": (92, 0), "TP9": (115, 198), "TP10": (115, -18), "P7": (92, 216), "P3": (60, 231),
    "Pz": (46, 270), "P4": (60, -51), "P8": (92, -36), "O1": (92, 252), "Oz": (92, 270), "O2": (92, -72),
}  # fmt: skip

#: Centres of the patches, in the same angles.
PATCHES: dict[str, tuple[float, float]] = {
    "prefrontal-left": (65, 115), "prefrontal-right": (65, 65), "frontal-medial": (30, 90),
    "temporal-left": (95, 175), "temporal-right": (95, 5), "parietal-left": (55, 220), "parietal-right": (55, -40),
    "parietal-medial": (35, 270), "occipital-left": (85, 250), "occipital-right": (85, -70),
}  # fmt: skip

#: Depth of the patches as a fraction of the head's radius. A dipole in a head with a skull looks like one at .6 of
#: its eccentricity in a uniform sphere (Ary, Klein & Fender, IEEE Trans. Biomed. Eng. 28, 1981): .85 * .6.
ECCENTRICITY = 0.51

CHANNELS = tuple(ELECTRODES)

#: How fast a patch of a region fades where its sources' fields differ from its centre's: the sine of the angle between
#: two fields at which the current has fallen to 61 %. About 13 % of a region's sources carry half of its power.
FALL_OFF = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedHead:
    """Electrodes, patches of cortex, and the average-referenced ``leadfield`` (channels, patches) between them.

    A patch of unit activity gives ``leadfield`` at the electrodes, in units of ``CohortSettings.background_v``.
    """

    channels: tuple[str, ...]
    patches: tuple[str, ...]
    leadfield: FloatArray


def directions(angles: dict[str, tuple[float, float]]) -> FloatArray:
    """Return unit vectors (n, 3): x to the right ear, y to the nose, z to the vertex."""
    inclination, azimuth = np.radians(np.array(list(angles.values()), np.float64)).T
    return np.stack(
        [np.sin(inclination) * np.cos(azimuth), np.sin(inclination) * np.sin(azimuth), np.cos(inclination)], axis=1
    )


def leadfield() -> FloatArray:
    """Return the average-referenced potentials (channels, patches) of radial dipoles, each patch's largest being 1.

    Surface potential of a radial dipole at eccentricity b in a uniform sphere, at angle g from it, is proportional to
    the sum over n of (2 n + 1) b^(n - 1) P_n(cos g), whose closed form is the Poisson kernel
    ((1 - b^2) / (1 - 2 b cos g + b^2)^(3/2) - 1) / b.
    """
    cosine = directions(ELECTRODES) @ directions(PATCHES).T
    b = ECCENTRICITY
    potential = ((1 - b * b) / (1 - 2 * b * cosine + b * b) ** 1.5 - 1) / b
    potential -= potential.mean(axis=0)
    return np.asarray(potential / np.abs(potential).max(axis=0))


def sphere_head() -> SimulatedHead:
    """Return the head of the demo's cohort: 24 electrodes, ten patches."""
    return SimulatedHead(CHANNELS, tuple(PATCHES), leadfield())


def region_head(operator: Operator, seed: int) -> SimulatedHead:
    """Return a head with a space operator's electrodes and one patch of cortex in each of its regions.

    Where in its region a patch lies, and how strong its sources are, follow from ``seed``; the operator's own
    components have no part in it. All patches have the same current power, as ``inverse.crosstalk``
    assumes, so deep regions are faint at the electrodes. One scale for all gives the electrodes the mean power of the
    sphere head.

    Raises
    ------
    ArtifactError
        If a region has no sources.
    """
    field = average_reference(operator.lead_field)
    columns = []
    for number, region in enumerate(operator.manifest.regions):
        own = field[:, operator.source_region == number]
        if not own.shape[1]:
            raise ArtifactError(f"the space operator has no sources in {region}; make it anew with a finer head")
        # By place and not one after the other: a region's patch is the same whatever the others are.
        columns.append(own @ _patch(own, np.random.default_rng([seed, number])))
    patches = np.stack(columns, axis=1)
    power = np.square(patches).sum(axis=1).mean()
    scale = np.sqrt(np.square(leadfield()).sum(axis=1).mean() / power)
    return SimulatedHead(operator.manifest.channels, operator.manifest.regions, scale * patches)


def _patch(field: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return the currents (n,) of a region's n sources with ``field`` (channels, n): a random extended patch.

    The operator has no places of sources, so nearness to a random centre is told from the fields: the patch fades as
    exp(-sin^2 / 2 ``FALL_OFF``^2) of the angle between two fields, which takes in the facing wall of a fold, whose
    field is opposite. Strengths are uneven (.5 to 1.5) and all outward; their squares add up to 1.
    """
    unit = field / np.linalg.norm(field, axis=0)
    cosine = unit.T @ unit[:, rng.integers(field.shape[1])]
    currents = np.exp((cosine**2 - 1) / (2 * FALL_OFF**2)) * rng.uniform(0.5, 1.5, len(cosine))
    return np.asarray(currents / np.linalg.norm(currents))
