"""The regions of the Desikan-Killiany atlas: their lobes, and the groups in which results are told.

Lobes as in the atlas' own paper (Desikan et al., *NeuroImage* 31, 2006) and FreeSurfer's lobe mapping, where the
cingulate regions and the insula stand apart. A region is named LABEL-lh or LABEL-rh.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Final

_SETS: Final = tomllib.loads((resources.files("rtaffect.common") / "regions.toml").read_text("utf-8"))
#: Each lobe's labels; every label is in one lobe.
LOBES: Final[dict[str, tuple[str, ...]]] = {name: tuple(text.split()) for name, text in _SETS["lobes"].items()}
#: Named sets of labels, both hemispheres; unlike lobes they overlap.
GROUPS: Final[dict[str, tuple[str, ...]]] = {name: tuple(text.split()) for name, text in _SETS["groups"].items()}

LABELS: Final[tuple[str, ...]] = tuple(sorted(label for labels in LOBES.values() for label in labels))
#: The 68 regions, by label, left before right.
REGIONS: Final[tuple[str, ...]] = tuple(f"{label}-{side}" for label in LABELS for side in ("lh", "rh"))


def lobe_of(region: str) -> str:
    """Return the lobe of ``LABEL-lh`` or ``LABEL-rh``."""
    label = region.rsplit("-", 1)[0]
    return next(lobe for lobe, labels in LOBES.items() if label in labels)


def groups_of(regions: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the named sets among ``regions``: each group in both hemispheres, then in each alone."""
    sets: dict[str, tuple[str, ...]] = {}
    for name, labels in GROUPS.items():
        both = tuple(region for region in regions if region.rsplit("-", 1)[0] in labels)
        sets[name] = both
        for side in ("lh", "rh"):
            sets[f"{name}-{side}"] = tuple(region for region in both if region.endswith(f"-{side}"))
    return sets
