"""Planted synchrony courses in all 68 regions: how well the rows of an operator give them back from scalp EEG.

A reference group and live listeners hear one synthetic sound (:mod:`rtaffect.simulation`). Everyone has patches of
their own in each region, electrodes lie 5 mm (standard deviation) from where the operator has them, and channels have
noise. EEG goes through the causal 1 to 30 Hz filter at 100 Hz, then through the operator; a row's components are scaled
to unit total power. A row's synchrony is the sum of its components' covariances with the reference group's mean, over
the root of the product of the summed variances, in 10 s windows every second. Each figure is the correlation of that
with the planted course (of a zone: its regions' mean), for single live listeners and for the mean of all of them.

A zone is the mean (Fisher z) of its regions' correlations. The ceiling is the same from the patches' own activity,
without head and noise: what 10 s and this group allow. 1/9: an operator with the regularisation that is usual for
evoked averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run, silent
from calibration.head.forward import Head, open_head
from calibration.head.operator import lead_field, make
from calibration.head.positions import Montage, montage_for
from calibration.head.subject import template
from rtaffect.common.correlation import fisher_mean
from rtaffect.common.regions import REGIONS
from rtaffect.common.settings import SignalSettings
from rtaffect.observed.operator import Operator, assemble
from rtaffect.observed.signal_path import CausalFilter, design_filter
from rtaffect.predicted.featurizer import cache_root
from rtaffect.simulation.cohort import Cohort, CohortSettings, Drive, leaky, with_mean_of
from rtaffect.simulation.head import SimulatedHead, region_head

Array = NDArray[np.float64]

RATE = 100
WINDOW_S = 10
SETTLE_S = 5
DISPLACED_M = 0.005
MONTAGES = ("1010-32", "1010-64")
STRENGTHS = (0.05, 0.1)
#: Whether the planted courses have a part in common, as ``Drive.plant`` gives them, or are each region's own.
TIME_COURSES = ("common", "own")
SOUND = "0" * 64
#: Regularisation that is usual for evoked averages.
HARDER = 1 / 9


@dataclass(frozen=True, slots=True)
class Size:
    """How many people, for how long (s)."""

    reference: int = 14
    live: int = 6
    seconds: int = 600


@dataclass(frozen=True, slots=True)
class Way:
    """Rows of ``sizes`` (rows,) components each, from EEG or from the patches by ``matrix`` (components, columns)."""

    matrix: Array
    sizes: NDArray[np.int64]

    @property
    def first(self) -> NDArray[np.int64]:
        """The number of each row's first component."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    def time_courses(self, signal: Array) -> Array:
        """Return the components' courses (time, components), each row's with unit total power."""
        out = signal @ self.matrix.T
        power = np.add.reduceat(np.square(out).mean(axis=0), self.first)
        return np.asarray(out / np.repeat(np.sqrt(power), self.sizes))

    def synchrony(self, one: Array, group: Array) -> Array:
        """Return the correlation (windows, rows) of courses (time, components) in each window, one a second."""
        n = WINDOW_S * RATE
        mean_one, mean_group = _window_sums(one) / n, _window_sums(group) / n
        sums = (
            _window_sums(one * group) - n * mean_one * mean_group,
            _window_sums(one * one) - n * mean_one**2,
            _window_sums(group * group) - n * mean_group**2,
        )
        covariance, of_one, of_group = (np.add.reduceat(part, self.first, axis=1) for part in sums)
        return np.asarray(covariance / np.sqrt(of_one * of_group))


def measure(quick: bool) -> Rows:
    """Return a row for each montage, strength, kind of courses, and regions or zones."""
    head = open_head(template(cache_root(), silent), silent)
    size = Size(reference=4, live=2, seconds=60) if quick else Size()
    rows = []
    for name in MONTAGES[:1] if quick else MONTAGES:
        operator, heads = people(name, head, size.reference + size.live)
        for strength in STRENGTHS[:1] if quick else STRENGTHS:
            for time_courses in TIME_COURSES[:1] if quick else TIME_COURSES:
                about = {"channels": len(operator.manifest.channels), "strength": strength, "courses": time_courses}
                rows += [about | row for row in _rows(recover(operator, head, heads, about, size))]
    return rows


def people(name: str, head: Head, count: int) -> tuple[Operator, list[SimulatedHead]]:
    """Return a montage's operator, and the heads of ``count`` people whose electrodes are displaced."""
    montage = montage_for(name)
    operator = make(montage, head, *lead_field(montage, head))
    shifts = DISPLACED_M * np.random.default_rng(1).standard_normal(montage.positions.shape)
    field, _ = lead_field(Montage("displaced", montage.channels, montage.positions + shifts), head)
    true = replace(operator, lead_field=np.asarray(field - field.mean(axis=0), np.float32))
    return operator, [region_head(true, number) for number in range(count)]


def planted(strength: float, time_courses: str, seconds: int) -> tuple[CohortSettings, Drive, Array]:
    """Return settings, drive, and features (seconds, 20) that wander as a sound's do."""
    rng = np.random.default_rng(0)
    features = leaky(rng.standard_normal((seconds, 6)), 0.8) @ rng.standard_normal((6, 20))
    settings = CohortSettings(rate_hz=RATE, strength=strength, mains_v=0.0)
    if time_courses == "common":
        return settings, Drive.plant(features, settings, patches=len(REGIONS)), features
    # The features have no part in these: each region's course wanders on its own.
    drive = Drive(np.zeros(20), np.ones(20), np.zeros((20, len(REGIONS))))
    return settings.model_copy(update={"unexplained": 0.999}), drive, features


def recover(
    operator: Operator, head: Head, heads: Sequence[SimulatedHead], about: dict[str, Any], size: Size
) -> dict[str, tuple[float, float]]:
    """Return, for each way, the correlation with the planted courses of single live listeners and of their mean."""
    settings, drive, features = planted(about["strength"], about["courses"], size.seconds)
    ways = ways_of(operator, head)
    group = {name: np.zeros((size.seconds * RATE, len(way.matrix))) for name, way in ways.items()}
    found: dict[str, list[Array]] = {name: [] for name in ways}
    for number, anatomy in enumerate(heads):
        cohort = Cohort(settings, drive, anatomy)
        eeg = _filtered(cohort.listen(SOUND, features, number, SETTLE_S))
        activity = _filtered(cohort.activity(SOUND, features, number, SETTLE_S))
        for name, way in ways.items():
            time_courses = way.time_courses(activity if "ceiling" in name else eeg)
            if number < size.reference:
                group[name] += time_courses / size.reference
            else:
                found[name].append(way.synchrony(time_courses, group[name]))
    observed = {name: np.stack(each) for name, each in found.items()}
    members = operator.zone_members
    for name in ("ceiling", "ours", "harder", "first"):
        regions = observed[f"region_{name}"]
        observed[f"zone_{name}"] = np.stack([fisher_mean(regions[..., m], axis=2) for m in members], axis=2)
    course = Cohort(settings, drive, heads[0]).patch_truth(SOUND, features)
    truth = {"region": course, "zone": np.stack([course[:, m].mean(axis=1) for m in members], axis=1)}
    expected = {rows: with_mean_of(c, size.reference, WINDOW_S)[WINDOW_S - 1 :] for rows, c in truth.items()}
    return {name: scores(each, expected[name.split("_")[0]]) for name, each in observed.items()}


def ways_of(operator: Operator, head: Head) -> dict[str, Way]:
    """Return the ways to get courses of regions and zones; those named ``ceiling`` take the patches' own activity."""
    patches, electrodes = np.eye(len(REGIONS)), np.eye(len(operator.positions))
    one = np.ones(len(REGIONS), np.int64)
    harder = assemble(
        operator.manifest.model_copy(update={"lambda2": HARDER}),
        operator.lead_field,
        operator.positions,
        operator.neighbours,
        operator.source_region,
    )
    ways = {
        "region_ceiling": Way(patches, one),
        "region_ours": Way(operator.matrix().astype(np.float64), operator.manifest.k * one),
        "region_harder": Way(harder.matrix().astype(np.float64), operator.manifest.k * one),
        "region_first": Way(operator.rows[:, 0].astype(np.float64), one),
    }
    for name, parts in (("region", patches > 0), ("zone", operator.zone_members)):
        ways[f"{name}_electrode"] = Way(electrodes[nearest(operator, head, parts)], np.ones(len(parts), np.int64))
    return ways


def nearest(operator: Operator, head: Head, parts: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the electrode that is nearest to the centre of each part; ``parts`` (rows, R) says of which regions."""
    sources = [np.isin(head.source_region, np.flatnonzero(part)) for part in parts]
    centres = np.stack([head.source_points[own].mean(axis=0) for own in sources])
    return np.asarray(np.linalg.norm(centres[:, None] - operator.positions[None], axis=2).argmin(axis=1))


def scores(observed: Array, expected: Array) -> tuple[float, float]:
    """Return the correlation over windows of ``observed`` (people, windows, rows) with ``expected`` (windows, rows).

    Of single people, and of the mean over them; each averaged over rows by Fisher z.
    """
    single = np.stack([_correlation(one, expected) for one in observed])
    return float(fisher_mean(single)), float(fisher_mean(_correlation(fisher_mean(observed, axis=0), expected)))


def _correlation(x: Array, y: Array) -> Array:
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.asarray((x * y).sum(axis=0) / np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0)))


def _window_sums(values: Array) -> Array:
    """Return the sums (windows, columns) of ``values`` (time, columns) over windows that end at whole seconds."""
    seconds = values.reshape(-1, RATE, values.shape[1]).sum(axis=1)
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(seconds, axis=0)])
    return np.asarray(total[WINDOW_S:] - total[:-WINDOW_S])


def _filtered(samples: Array) -> Array:
    """Return samples (time, columns) as the signal path has them, from the sound's first second on."""
    # There is no mains hum in this recording, and 50 Hz is all that its rate allows.
    sos = design_filter(SignalSettings(mains_hz=0.0), RATE)
    return CausalFilter(sos)(samples)[SETTLE_S * RATE :]


def _rows(found: dict[str, tuple[float, float]]) -> Rows:
    rows = []
    for name in ("region", "zone"):
        row: dict[str, Any] = {"rows": name}
        for key, (one, everyone) in found.items():
            kind, _, way = key.partition("_")
            if kind == name:
                row |= {f"{way}_one": one, f"{way}_all": everyone, way: f"{one:.2f} / {everyone:.2f}"}
        row["ratio"] = row["ours_one"] / row["ceiling_one"]
        row["ratio_all"] = row["ours_all"] / row["ceiling_all"]
        rows.append(row)
    return rows


COLUMNS = (
    ("channels", "channels", "d"), ("strength", "ISC", ".2f"), ("courses", "courses", ""), ("rows", "of each", ""),
    ("ceiling", "ceiling", ""), ("ours", "5 rows", ""), ("ratio", "ratio: one", ".2f"), ("ratio_all", "all", ".2f"),
    ("harder", "1/9: 5 rows", ""),
    ("first", "1 row", ""), ("electrode", "electrode", ""),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "recovery", measure, COLUMNS,
        "correlation of observed with planted synchrony in 10 s windows, one live listener / mean of all six; ceiling: "
        "from the patches, without head and noise; ratio: 5 rows / ceiling; 1/9: with the regularisation that is usual "
        "for evoked averages; ISC: planted between two people; reference of 14",
    )  # fmt: skip
