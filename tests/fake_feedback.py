"""Feedback as a session gives it, made up from a seed: for the tests of the display and for its pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtaffect.feedback import Feedback, FloatArray, SourceStatus
from rtaffect.montage import STANDARD
from rtaffect.regions import GROUPS, REGIONS
from rtaffect.space import LEAST_SHARE

CHANNELS = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7"),
    *("C3", "Cz", "C4", "T8", "CP5", "CP1", "CP2", "CP6", "P3", "Pz", "P4", "Oz"),
)
PEOPLE = ("Muse-1A2F", "Muse-27C0", "Muse-3B91", "Muse-44E8")
WARM_UP = 10
ZONES = (
    *("frontal lh", "frontal rh", "parietal-cingulate both", "temporal-frontal-insula lh"),
    *("temporal-frontal-insula rh", "parietal lh", "parietal rh", "occipital both"),
)


@dataclass(frozen=True)
class FakeRows:
    """What the rows of a session are: R names, what each is and its own share, and the channels they are made of."""

    rows: tuple[str, ...]
    kinds: tuple[str, ...]
    own_share: FloatArray
    channels: tuple[str, ...]
    mean_of: str


def channel_rows(channels: tuple[str, ...] = CHANNELS) -> FakeRows:
    """Return rows that are the channels themselves."""
    n = len(channels)
    return FakeRows(channels, ("channel",) * n, np.ones(n), channels, f"{n} channels")


def component_rows(count: int = 3, channels: tuple[str, ...] = CHANNELS) -> FakeRows:
    """Return rows that are correlated components of channels."""
    names = tuple(f"component-{number + 1}" for number in range(count))
    return FakeRows(names, ("component",) * count, np.ones(count), channels, f"{count} components")


def region_rows(channels: int = 64, seed: int = 3) -> FakeRows:
    """Return the rows of a session in regions, for 32 or 64 channels: 8 zones, 68 regions, 10 groups, in that order."""
    rng = np.random.default_rng(seed)
    kinds = ("zone",) * len(ZONES) + ("region",) * len(REGIONS) + ("group",) * len(GROUPS)
    zones, groups = rng.uniform(LEAST_SHARE, 0.7, len(ZONES)), rng.uniform(LEAST_SHARE, 0.8, len(GROUPS))
    groups[:2] *= 0.85 * LEAST_SHARE / groups[:2].max()
    # A square makes the small shares the common ones, as they are.
    regions = 0.02 + 0.9 * LEAST_SHARE * (channels / 64) * rng.uniform(0, 1, len(REGIONS)) ** 2
    own_share = np.concatenate([zones, regions, groups])
    return FakeRows((*ZONES, *REGIONS, *GROUPS), kinds, own_share, STANDARD[f"1010-{channels}"], f"{len(ZONES)} zones")


def _sources(people: tuple[str, ...], rng: np.random.Generator, lost: str | None) -> tuple[SourceStatus, ...]:
    found = [SourceStatus("microphone", "audio", "ok", 0.06, 160000, 0, 0, 0, 23.0)]
    for i, person in enumerate(people):
        if person == lost:
            found.append(
                SourceStatus(
                    person, "eeg", "lost", 14.2, 4096, 3, 1, 0, -41.0, "no samples for 14 s; switch it on again"
                )
            )
        else:
            age = 0.05 + 0.1 * rng.random()
            found.append(SourceStatus(person, "eeg", "ok", age, 5120, i % 2, 0, 0, 5.0 * i - 8))
    return tuple(found)


def fake_session(
    steps: int,
    *,
    rows: tuple[str, ...] | FakeRows = CHANNELS,
    people: tuple[str, ...] = PEOPLE,
    seed: int = 7,
    lost: str | None = None,
) -> list[Feedback]:
    """Return ``steps`` successive Feedbacks: a slow course, noise of SD 0.06, ten empty steps, one bad headset."""
    rng = np.random.default_rng(seed)
    fake = rows if isinstance(rows, FakeRows) else channel_rows(rows)
    R, P, C = len(fake.rows), len(people), len(fake.channels)
    resolved, zones = fake.own_share >= LEAST_SHARE, np.array([kind == "zone" for kind in fake.kinds])
    counted = zones if zones.any() else np.ones(R, np.bool_)
    seconds = np.arange(1, steps + 1)
    slow = 0.05 * np.sin(seconds / 17) + 0.03 * np.sin(seconds / 41 + 1)
    course = 0.15 + slow[:, None] * rng.uniform(0.6, 1.3, R) + rng.normal(0, 0.04, R)
    # Volume conduction: the rows of one person share half of their noise variance.
    noise = rng.normal(0, 0.042, (steps, P, R)) + rng.normal(0, 0.042, (steps, P, 1))
    bad_row = 2 % R
    found = []
    for i, second in enumerate(seconds):
        empty = second <= WARM_UP
        predicted = np.full(R, np.nan) if empty else course[i] + rng.normal(0, 0.006, R)
        each = np.full((P, R), np.nan) if empty else course[i] + noise[i]
        quality = np.clip(rng.normal(1.02, 0.015, (P, C)), 0, 1)
        if P > 1:
            quality[1, 7 % C] = 0.72
            bad = quality[-2 % P, 1:C:5] if P > 2 else quality[1, 20:23]
            bad[:] = rng.uniform(0.05, 0.4, bad.shape)
        if lost in people and second > steps - 14:
            quality[people.index(lost)] = 0.0
        trusted = resolved & (not empty)
        trusted[bad_row] = False
        if not empty:
            each[:, bad_row] = np.nan
        # One listener's noise, not the mean of several: the harder picture to read.
        observed = each[0].copy()
        null = 0.12
        has = np.isfinite(observed) & counted
        predicted_mean = float(np.tanh(np.arctanh(predicted[counted]).mean()))
        found.append(
            Feedback(
                step=int(second),
                time=float(second),
                lsl_time=1000.0 + float(second),
                rows=fake.rows,
                row_kinds=fake.kinds,
                own_share=fake.own_share,
                mean_of=fake.mean_of,
                channels=fake.channels,
                people=people,
                predicted=predicted,
                predicted_low=predicted - 0.06,
                predicted_high=predicted + 0.06,
                observed=observed,
                observed_each=each,
                null_low=np.full(R, np.nan if empty else -null),
                null_high=np.full(R, np.nan if empty else null),
                predicted_mean=predicted_mean,
                predicted_mean_low=predicted_mean - 0.03,
                predicted_mean_high=predicted_mean + 0.03,
                observed_mean=float(np.tanh(np.arctanh(observed[has]).mean())) if has.any() else float("nan"),
                null_mean_low=float("nan") if empty else -0.04,
                null_mean_high=float("nan") if empty else 0.04,
                quality=quality,
                trusted=trusted,
                observed_against="reference",
                reason=f"the first window is not full: {WARM_UP - second} s to go"
                if empty
                else f"{fake.rows[bad_row]} has too little good data",
                sources=_sources(people, rng, lost if second > steps - 14 else None),
                stage_s={"signal": 0.004, "features": 0.041, "synchrony": 0.006},
            )
        )
    return found
