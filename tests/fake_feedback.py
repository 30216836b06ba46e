"""Feedback as a session gives it, made up from a seed: for the tests of the display and for its pictures."""

from __future__ import annotations

import numpy as np

from rtaffect.feedback import Feedback, SourceStatus

CHANNELS = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7"),
    *("C3", "Cz", "C4", "T8", "CP5", "CP1", "CP2", "CP6", "P3", "Pz", "P4", "Oz"),
)
_LABELS = (
    *("bankssts", "caudalanteriorcingulate", "caudalmiddlefrontal", "cuneus", "entorhinal", "fusiform"),
    *("inferiorparietal", "inferiortemporal", "isthmuscingulate", "lateraloccipital", "lateralorbitofrontal"),
    *("lingual", "medialorbitofrontal", "middletemporal", "parahippocampal", "paracentral", "parsopercularis"),
    *("parsorbitalis", "parstriangularis", "pericalcarine", "postcentral", "posteriorcingulate", "precentral"),
    *("precuneus", "rostralanteriorcingulate", "rostralmiddlefrontal", "superiorfrontal", "superiorparietal"),
    *("superiortemporal", "supramarginal", "frontalpole", "temporalpole", "transversetemporal", "insula"),
)
REGIONS = tuple(f"{label}-{side}" for label in _LABELS for side in ("lh", "rh"))
PEOPLE = ("Muse-1A2F", "Muse-27C0", "Muse-3B91", "Muse-44E8")
WARM_UP = 10


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
    rows: tuple[str, ...] = CHANNELS,
    people: tuple[str, ...] = PEOPLE,
    seed: int = 7,
    lost: str | None = None,
) -> list[Feedback]:
    """Return ``steps`` successive Feedbacks: a slow course, noise of SD 0.06, ten empty steps, one bad headset."""
    rng = np.random.default_rng(seed)
    R, P = len(rows), len(people)
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
        quality = np.clip(rng.normal(1.02, 0.015, (P, R)), 0, 1)
        if P > 2:
            quality[2, 1:R:5] = rng.uniform(0.05, 0.4, quality[2, 1:R:5].shape)
            quality[1, 7 % R] = 0.72
        if lost in people and second > steps - 14:
            quality[people.index(lost)] = 0.0
        trusted = np.full(R, not empty)
        trusted[bad_row] = False
        if not empty:
            each[:, bad_row] = np.nan
        # One listener's noise, not the mean of several: the harder picture to read.
        observed = each[0].copy()
        null = 0.12
        has = np.isfinite(observed)
        found.append(
            Feedback(
                step=int(second),
                time=float(second),
                lsl_time=1000.0 + float(second),
                rows=rows,
                row_kinds=("channel",) * len(rows),
                own_share=np.ones(len(rows)),
                mean_of=f"{len(rows)} channels",
                channels=rows,
                people=people,
                predicted=predicted,
                predicted_low=predicted - 0.06,
                predicted_high=predicted + 0.06,
                observed=observed,
                observed_each=each,
                null_low=np.full(R, np.nan if empty else -null),
                null_high=np.full(R, np.nan if empty else null),
                predicted_mean=float(np.tanh(np.arctanh(predicted).mean())),
                predicted_mean_low=float(np.tanh(np.arctanh(predicted).mean()) - 0.03),
                predicted_mean_high=float(np.tanh(np.arctanh(predicted).mean()) + 0.03),
                observed_mean=float(np.tanh(np.arctanh(observed[has]).mean())) if has.any() else float("nan"),
                null_mean_low=float("nan") if empty else -0.04,
                null_mean_high=float("nan") if empty else 0.04,
                quality=quality,
                trusted=trusted,
                observed_against="reference",
                reason=f"the first window is not full: {WARM_UP - second} s to go"
                if empty
                else f"{rows[bad_row]} has too little good data",
                sources=_sources(people, rng, lost if second > steps - 14 else None),
                stage_s={"signal": 0.004, "features": 0.041, "synchrony": 0.006},
            )
        )
    return found
