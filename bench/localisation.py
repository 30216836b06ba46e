"""Planted patches of cortex in all 68 regions: how often each way of reading regions off the scalp finds the region.

A patch (sources of one region within 12 mm of a random one, in step) shows its 10 s course through electrodes that are
each displaced by 5 mm (standard deviation) from where the operator has them; white noise is added to every channel.
``SNR`` is the ratio of the two root mean squares over channels. The region with the highest power is the one found:
``exact`` the planted one, ``near`` it or a neighbour, ``lobe`` one of its lobe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run, silent
from calibration.head.forward import Head, open_head
from calibration.head.operator import lead_field, make
from calibration.head.positions import Montage, montage_for
from calibration.head.subject import template
from rtaffect.common.montage import STANDARD
from rtaffect.common.regions import REGIONS, lobe_of
from rtaffect.observed.operator import Operator
from rtaffect.predicted.featurizer import cache_root

Array = NDArray[np.float64]
Power = Callable[[Array], Array]

SNRS = (1, 3)
SAMPLES = 1000
PATCH_M = 0.012
DISPLACED_M = 0.005
LOBES = np.array([lobe_of(region) for region in REGIONS])


def measure(quick: bool) -> Rows:
    """Return a row for each montage and SNR."""
    head = open_head(template(cache_root(), silent), silent)
    widest = montage_for("1010-64")
    shifts = DISPLACED_M * np.random.default_rng(1).standard_normal(widest.positions.shape)
    assumed, places = lead_field(widest, head)
    true, _ = lead_field(Montage("displaced", widest.channels, widest.positions + shifts), head)
    rows = []
    for name in list(STANDARD)[-1:] if quick else STANDARD:
        pick = [widest.channels.index(channel) for channel in STANDARD[name]]
        montage = Montage(name, STANDARD[name], widest.positions[pick])
        operator = make(montage, head, assumed[pick], places[pick])
        field = true[pick] - true[pick].mean(axis=0)
        ways = {
            "ours": by_rows(operator.rows),
            "one": by_rows(operator.rows[:, :1]),
            "nearest": by_nearest(head, montage),
        }
        rows += [_row(operator, rates(ways, head, field, snr, 2 if quick else 20)) | {"snr": snr} for snr in SNRS]
    return rows


def _row(operator: Operator, found: dict[str, float]) -> dict[str, Any]:
    return {
        "channels": len(operator.manifest.channels),
        "zones": int(operator.trustworthy.sum()),
        "own": float(np.median(operator.specificity)),
        "local": float(np.median(operator.local_specificity)),
        "ratio": found["ours_exact"] / max(found["one_exact"], found["nearest_exact"]),
        **found,
    }


def rates(ways: dict[str, Power], head: Head, field: Array, snr: float, patches: int) -> dict[str, float]:
    """Return how often each way finds the region, a neighbour and the lobe, over so many patches in each region."""
    rng = np.random.default_rng(0)
    found: dict[str, list[int]] = {way: [] for way in ways}
    planted = np.repeat(np.arange(len(REGIONS)), patches)
    for region in planted:
        covariance = planted_covariance(rng, head, field, int(region), snr)
        for way, power in ways.items():
            found[way].append(int(power(covariance).argmax()))
    near = head.neighbours | np.eye(len(REGIONS), dtype=bool)
    figures = {}
    for way, regions in found.items():
        figures[f"{way}_exact"] = float(np.mean(planted == regions))
        figures[f"{way}_near"] = float(near[planted, regions].mean())
        figures[f"{way}_lobe"] = float(np.mean(LOBES[planted] == LOBES[regions]))
    return figures


def planted_covariance(rng: np.random.Generator, head: Head, field: Array, region: int, snr: float) -> Array:
    """Return the covariance (C, C) of 10 s of EEG in which a patch of ``region`` is active, average reference."""
    own = np.flatnonzero(head.source_region == region)
    centre = rng.choice(own)
    patch = own[np.linalg.norm(head.source_points[own] - head.source_points[centre], axis=1) < PATCH_M]
    pattern = field[:, patch].sum(axis=1)
    signal = np.outer(pattern, rng.standard_normal(SAMPLES))
    noise = rng.standard_normal(signal.shape)
    noise -= noise.mean(axis=0)
    eeg = snr * signal / np.sqrt(np.square(signal).mean()) + noise / np.sqrt(np.square(noise).mean())
    return np.asarray(eeg @ eeg.T / SAMPLES)


def by_rows(rows: NDArray[np.float32]) -> Power:
    flat = rows.reshape(-1, rows.shape[2]).astype(np.float64)
    return lambda covariance: ((flat @ covariance) * flat).sum(axis=1).reshape(len(rows), -1).sum(axis=1)


def by_nearest(head: Head, montage: Montage) -> Power:
    """Power of the electrode that is nearest to a region's centre."""
    centres = np.array([head.source_points[head.source_region == r].mean(axis=0) for r in range(len(REGIONS))])
    apart = np.linalg.norm(centres[:, None] - montage.positions[None], axis=2)
    nearest = apart.argmin(axis=1)
    return lambda covariance: np.diagonal(covariance)[nearest]


COLUMNS = (
    ("channels", "channels", "d"), ("snr", "SNR", "d"), ("zones", "zones", "d"),
    ("own", "own share", ".2f"), ("local", "with neighbours", ".2f"),
    ("ours_exact", "5 rows: exact", ".2f"), ("ours_near", "near", ".2f"), ("ours_lobe", "lobe", ".2f"),
    ("one_exact", "1 row: exact", ".2f"), ("one_near", "near", ".2f"), ("one_lobe", "lobe", ".2f"),
    ("nearest_exact", "electrode: exact", ".2f"), ("nearest_near", "near", ".2f"), ("nearest_lobe", "lobe", ".2f"),
    ("ratio", "ratio", ".1f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "localisation", measure, COLUMNS,
        "rates over patches in 68 regions; near: the region or a neighbour; ratio: exact by 5 rows / by the better of "
        "one row and nearest electrode; zones: of which 40 % or more of the estimated power is their own",
    )  # fmt: skip
