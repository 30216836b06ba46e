"""A simple head: 24 electrodes of the 10-10 system and ten cortical patches on a sphere.

Enough to spread every source over every electrode as a real head does; it localises nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

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


def directions(angles: dict[str, tuple[float, float]]) -> Array:
    """Return unit vectors (n, 3): x to the right ear, y to the nose, z to the vertex."""
    inclination, azimuth = np.radians(np.array(list(angles.values()), np.float64)).T
    return np.stack(
        [np.sin(inclination) * np.cos(azimuth), np.sin(inclination) * np.sin(azimuth), np.cos(inclination)], axis=1
    )


def leadfield() -> Array:
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
