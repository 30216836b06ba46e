"""Zones: regions merged until the montage can tell what is left apart."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.inverse import average_reference, component_rows, components, crosstalk, eloreta
from rtaffect.regions import REGIONS, lobe_of
from rtaffect.space import LEAST_SHARE, K, Zone

Array = NDArray[np.float64]

#: From this share of a zone's regions on, a side or a lobe gives it its name.
_MOSTLY: Final = 0.75


def merge(
    lead_field: NDArray[np.floating],
    source_region: NDArray[np.integer],
    neighbours: NDArray[np.bool_],
    least_share: float = LEAST_SHARE,
) -> tuple[Zone, ...]:
    """Return zones, each of which has at least ``least_share`` of its estimated power from itself.

    At each turn the zone with the smallest own share is merged with the neighbour that leaks most into it per region.
    A zone's estimate is of its own leading components, not the sum of its regions'.

    Parameters
    ----------
    lead_field
        (channels, N), V per A m.
    source_region
        (N,) place in REGIONS of each source, -1 for none.
    neighbours
        (R, R) which regions may be merged.
    least_share
        When to stop.
    """
    field = average_reference(lead_field)
    kernel = eloreta(field)
    zones = [[region] for region in range(len(neighbours))]
    shares = [_shares(kernel, field, source_region, zone) for zone in zones]
    while len(zones) > 1:
        own = [float(share[zone].sum()) for share, zone in zip(shares, zones, strict=True)]
        worst = int(np.argmin(own))
        if own[worst] >= least_share:
            break
        leak = [
            float(shares[worst][zone].mean()) if _touch(zones[worst], zone, neighbours) and number != worst else -1.0
            for number, zone in enumerate(zones)
        ]
        partner = int(np.argmax(leak))
        if leak[partner] < 0:
            break
        zones[worst] = zones[worst] + zones[partner]
        shares[worst] = _shares(kernel, field, source_region, zones[worst])
        del zones[partner], shares[partner]
    members = sorted(sorted(zone) for zone in zones)
    return tuple(
        Zone(name=name, regions=tuple(REGIONS[region] for region in zone))
        for name, zone in zip(_names(members), members, strict=True)
    )


def _shares(kernel: Array, field: Array, source_region: NDArray[np.integer], zone: list[int]) -> Array:
    """Return the share of each region (R,) in a zone's estimated power."""
    inside = np.where(np.isin(source_region, zone), 0, -1)
    rows = component_rows(kernel, components(kernel, inside, 1, K), inside, 1)
    return np.asarray(crosstalk(rows, field, source_region)[0], np.float64)


def _touch(one: list[int], other: list[int], neighbours: NDArray[np.bool_]) -> bool:
    return bool(neighbours[np.ix_(one, other)].any())


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
