"""Feedback as a session gives it, made up from a seed: for the tests of the display and for its pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.montage import STANDARD
from rtaffect.common.regions import GROUPS, REGIONS, lobe_of
from rtaffect.engine.feedback import Feedback
from rtaffect.measures.measure import MeasureValues
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.predicted.feature_cache import Element
from rtaffect.present.protocol_state import PlannedBlock
from rtaffect.protocol.protocol_step import ProtocolStep, Shown
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo
from rtaffect.stream.status import SourceStatus

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
    specificity: FloatArray
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
    zones, groups = rng.uniform(LEAST_SPECIFICITY, 0.7, len(ZONES)), rng.uniform(LEAST_SPECIFICITY, 0.8, len(GROUPS))
    groups[:2] *= 0.85 * LEAST_SPECIFICITY / groups[:2].max()
    # A square makes the small shares the common ones, as they are.
    regions = 0.02 + 0.9 * LEAST_SPECIFICITY * (channels / 64) * rng.uniform(0, 1, len(REGIONS)) ** 2
    specificity = np.concatenate([zones, regions, groups])
    return FakeRows(
        (*ZONES, *REGIONS, *GROUPS), kinds, specificity, STANDARD[f"1010-{channels}"], f"{len(ZONES)} zones"
    )


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


def fake_measures(second: int, people: tuple[str, ...], rng: np.random.Generator) -> tuple[MeasureValues, ...]:
    """Return what three own measures give: of pairs with a null band, of people in a unit, and one that is off."""
    pairs = tuple(f"{a} / {b}" for i, a in enumerate(people) for b in people[i + 1 :]) or ("nobody",)
    rows = ("mean", *CHANNELS[:8])
    each = np.clip(0.2 + 0.08 * math.sin(second / 15) + rng.normal(0, 0.05, (len(pairs), len(rows))), 0, 1)
    null, ratio = np.full(len(rows), 0.24), 1.2 + rng.normal(0, 0.2, (len(people), 2))
    absent = np.full(2, np.nan)
    return (
        MeasureValues("plv 8-12 Hz", "pair", "", 0.0, 1.0, rows, pairs, each, each.mean(axis=0), 0 * null, null),
        MeasureValues("ThetaAlpha", "person", "ratio", 0.0, 5.0, ("Fz", "Pz"), people, ratio, ratio.mean(axis=0),
                      absent, absent),
        MeasureValues("Broken", "person", "", 0.0, 1.0, ("a", "b"), people, np.full((len(people), 2), np.nan), absent,
                      absent, absent, "it raised ValueError: x: switched off"),
    )  # fmt: skip


def fake_elements(second: int, predicted: FloatArray) -> tuple[ElementPrediction, ...]:
    """Return what voice and background predict: voice more in each third row; it pauses now and then."""
    n = len(predicted)
    lean = 0.08 * np.where(np.arange(n) % 3 < 1, 1.0, -1.0) * (1 + 0.5 * math.sin(second / 9))
    found: list[ElementPrediction] = []
    names: tuple[tuple[Element, FloatArray], ...] = (("voice", predicted + lean), ("background", predicted - lean))
    for element, there in names:
        gone = element == "voice" and second % 40 < 8
        value = np.full(n, np.nan) if gone else there
        mean = float(np.tanh(np.arctanh(value).mean()))
        reason = "no voice heard" if gone else "it waits for enough sound without a gap" if np.isnan(mean) else ""
        level = -120.0 if gone else -28.0 + 5 * math.sin(second / 3)
        found.append(
            ElementPrediction(element, value, value - 0.05, value + 0.05, mean, mean - 0.03, mean + 0.03, level, reason)
        )
    return tuple(found)


def fake_session(
    steps: int,
    *,
    rows: tuple[str, ...] | FakeRows = CHANNELS,
    people: tuple[str, ...] = PEOPLE,
    seed: int = 7,
    lost: str | None = None,
    measured: bool = False,
    elements: bool = False,
) -> list[Feedback]:
    """Return ``steps`` successive Feedbacks: a slow course, noise of SD 0.06, ten empty steps, one bad headset."""
    rng = np.random.default_rng(seed)
    fake = rows if isinstance(rows, FakeRows) else channel_rows(rows)
    R, P, C = len(fake.rows), len(people), len(fake.channels)
    resolved, zones = fake.specificity >= LEAST_SPECIFICITY, np.array([kind == "zone" for kind in fake.kinds])
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
                specificity=fake.specificity,
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
                measures=fake_measures(int(second), people, np.random.default_rng(i)) if measured else (),
                elements=fake_elements(int(second), predicted) if elements else (),
                stage_s={"signal": 0.004, "features": 0.041, "synchrony": 0.006},
            )
        )
    return found


def fake_zones() -> dict[str, tuple[str, ...]]:
    """Return the regions of each of ``ZONES``: whole lobes, so that they can be told apart by eye."""
    members = {
        "frontal lh": ("frontal", "lh"),
        "frontal rh": ("frontal", "rh"),
        "parietal-cingulate both": ("cingulate", ""),
        "temporal-frontal-insula lh": ("temporal insula", "lh"),
        "temporal-frontal-insula rh": ("temporal insula", "rh"),
        "parietal lh": ("parietal", "lh"),
        "parietal rh": ("parietal", "rh"),
        "occipital both": ("occipital", ""),
    }
    return {
        name: tuple(r for r in REGIONS if lobe_of(r) in lobes.split() and r.endswith(side))
        for name, (lobes, side) in members.items()
    }


def fake_sources(
    people: tuple[str, ...] = PEOPLE,
    channels: tuple[str, ...] = CHANNELS,
    *,
    until: float,
    seconds: float = 12.0,
    rate: float = 256.0,
    ahead: float = 0.0,
    seed: int = 5,
) -> list[ArraySource]:
    """Return a headset for each person and a sound, with samples of ``seconds`` up to ``until`` (s), then ``ahead``.

    EEG: noise of 12 uV with a 1/f spectrum, alpha at the back, and a channel that hums with 80 uV in the second person.
    Sound: a gliding tone with its overtones, on and off.
    """
    rng = np.random.default_rng(seed)
    n = int((seconds + ahead) * rate)
    t = np.arange(n) / rate
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / rate), 0.5)
    found = []
    for number, person in enumerate(people):
        noise = np.fft.irfft(
            np.fft.rfft(rng.standard_normal((n, len(channels))), axis=0) / frequency[:, None] ** 0.7, n, 0
        )
        eeg = 12e-6 * noise / noise.std(axis=0)
        back = np.array([name[0] in "PO" for name in channels])
        eeg[:, back] += 14e-6 * np.sin(2 * np.pi * 10.2 * t)[:, None] * (0.5 + 0.5 * np.sin(0.8 * t))[:, None]
        if number == 1 and len(channels) > 8:
            eeg[:, 7] += 80e-6 * np.sin(2 * np.pi * 50.0 * t)
        eeg += 1e-3 * rng.standard_normal(len(channels))
        source = ArraySource(StreamInfo(person, "eeg", rate, channels, "file"), eeg, until - seconds)
        source.advance(until)
        found.append(source)
    sound_rate = 16000.0
    t = np.arange(int((seconds + ahead) * sound_rate)) / sound_rate
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (1.5 * np.sin(0.9 * t))) / sound_rate
    sound = sum(np.sin(k * phase) / k for k in range(1, 9)) * 0.12 * (np.sin(2.1 * t) > -0.6)
    sound = sound + 0.001 * rng.standard_normal(len(t))
    source = ArraySource(
        StreamInfo("microphone", "audio", sound_rate, ("mono",), "file"), sound[:, None], until - seconds
    )
    source.advance(until)
    return [*found, source]


#: Blocks of a protocol: name, kind, seconds.
BLOCKS = (
    PlannedBlock("Baseline", "baseline", 60.0),
    PlannedBlock("Run 1", "feedback", 120.0),
    PlannedBlock("Pause", "rest", 30.0),
    PlannedBlock("Run 2", "feedback", 120.0),
    PlannedBlock("Transfer", "transfer", 60.0),
)


def fake_protocol_step(step: int, *, waits: int = 20, level: float | None = 0.6) -> ProtocolStep:
    """Return the protocol at ``step``: ``BLOCKS`` one after the other, each waited for by ``waits`` steps."""
    begins, at = [], 0.0
    for block in BLOCKS:
        begins.append(at + waits)
        at += waits + block.seconds
    number = next(
        (i for i, (b, block) in enumerate(zip(begins, BLOCKS, strict=True)) if step < b + block.seconds), None
    )
    if number is None:
        last = BLOCKS[-1]
        return ProtocolStep(step, len(BLOCKS), len(BLOCKS), last.kind, last.name, "done", math.nan, math.nan)  # type: ignore[arg-type]
    block, begin = BLOCKS[number], begins[number]
    running = step >= begin
    feedback = running and block.kind == "feedback"
    return ProtocolStep(
        step=step,
        block=number + 1,
        blocks=len(BLOCKS),
        kind=block.kind,  # type: ignore[arg-type]
        name=block.name,
        phase="running" if running else "waiting",
        started=begin if running else math.nan,
        left_s=begin + block.seconds - step if running else math.nan,
        next_name=BLOCKS[number + 1].name if number + 1 < len(BLOCKS) else "",
        instruction="Listen to the story." if running else "Please wait.",
        value=0.14 + 0.02 * math.sin(step / 7) if feedback else math.nan,
        low=0.05 if feedback else math.nan,
        high=0.25 if feedback else math.nan,
        threshold=0.18 if feedback else math.nan,
        own=Shown(0.45) if feedback else Shown(None, "no feedback in this block"),
        shown=Shown(level, success=bool(level and level > 0.5)),
        for_operator="" if running else f"Press Space to begin {block.name!r} when the participant is ready.",
    )


@dataclass(frozen=True)
class FakeRecording:
    """A recording as the recorder tells of it."""

    path: Path = Path("sessions/listening-1/recording.xdf")
    written_bytes: int = 12_300_000
    free_bytes: int = 56_800_000_000
    pending_bytes: int = 0
    lost: int = 0
    trouble: str = ""
