"""Zones: regions merged until the montage can tell what is left apart."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.regions import REGIONS, lobe_of
from rtaffect.observed.operator import LEAST_SPECIFICITY, Zone

#: From this share of a zone's regions on, a side or a lobe gives it its name.
_MOSTLY: Final = 0.75


def merge(shares: NDArray[np.floating], neighbours: NDArray[np.bool_]) -> tuple[Zone, ...]:
    """Return zones, each of which has at least ``LEAST_SPECIFICITY`` of its regions' estimated power from itself.

    At each turn the zone with the smallest own share is merged with the neighbour that leaks most into it per region.

    Parameters
    ----------
    shares
        (R, R): of each region's estimated power, the share that comes from each.
    neighbours
        (R, R) which regions may be merged.
    """
    zones = [[region] for region in range(len(neighbours))]
    while len(zones) > 1:
        own = [float(shares[np.ix_(zone, zone)].sum() / len(zone)) for zone in zones]
        worst = int(np.argmin(own))
        if own[worst] >= LEAST_SPECIFICITY:
            break
        leak = [
            float(shares[np.ix_(zones[worst], zone)].mean())
            if neighbours[np.ix_(zones[worst], zone)].any() and number != worst
            else -1.0
            for number, zone in enumerate(zones)
        ]
        partner = int(np.argmax(leak))
        if leak[partner] < 0:
            break
        zones[worst] = zones[worst] + zones[partner]
        del zones[partner]
    members = sorted(sorted(zone) for zone in zones)
    return tuple(
        Zone(name=name, regions=tuple(REGIONS[region] for region in zone))
        for name, zone in zip(_names(members), members, strict=True)
    )


def _names(zones: list[list[int]]) -> list[str]:
    """Return a name for each zone: lobes and side, with a number where that is not enough."""
    plain = [_name([REGIONS[region] for region in zone]) for zone in zones]
    counts, seen = Counter(plain), Counter[str]()
    names = []
    for name in plain:
        seen[name] += 1
        names.append(f"{name} {seen[name]}" if counts[name] > 1 else name)
    return names


def _name(regions: list[str]) -> str:
    sides = Counter(region[-2:] for region in regions)
    side, n = sides.most_common(1)[0]
    lobes = Counter(lobe_of(region) for region in regions)
    words, covered = [], 0
    for lobe, size in lobes.most_common():
        words.append(lobe)
        covered += size
        if covered >= _MOSTLY * len(regions):
            break
    return f"{'-'.join(words)} {side if n >= _MOSTLY * len(regions) else 'both'}"
