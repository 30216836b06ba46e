"""The contact check against truth: simulated heads with good electrodes and with planted bad contact.

Dipoles in a sphere with 1/f activity, alpha, blinks and muscles, referred to a mastoid; electrodes are gel or dry, with
noise, drift and mains of their own, 8 to 64 of them, at 128 to 500 Hz, with mains of 50 or 60 Hz. In every headset up
to a third of the electrodes have a fault (:mod:`rtaffect.simulation.contact`), drawn by a seed. The check looks as a
session does, second by second, through the session's own signal path; counted is each electrode at the end.

``python -m bench.contact`` runs 120 headsets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench import Rows, run
from rtaffect.common.arrays import FloatArray
from rtaffect.common.contact_settings import ContactSettings
from rtaffect.common.montage import STANDARD
from rtaffect.common.settings import Settings, SignalSettings
from rtaffect.observed.participant import Participant
from rtaffect.present.head_asset import electrode_places
from rtaffect.simulation.contact import BAD_CONTACTS, BadContact, with_bad_contacts
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo

#: Seconds of each headset: the check is asked at the end.
SECONDS = 30
EIGHT = ("Fz", "C3", "Cz", "C4", "Pz", "PO7", "Oz", "PO8")
SIXTEEN = ("Fp1", "Fp2", "F7", "F3", "F4", "F8", "T7", "C3", "C4", "T8", "P7", "P3", "P4", "P8", "O1", "O2")
MONTAGES = {8: EIGHT, 16: SIXTEEN, 32: tuple(STANDARD["1010-32"]), 64: tuple(STANDARD["1010-64"])}
RATES = (128.0, 250.0, 500.0)
DIPOLES = 40
HEADSETS = 120
VERDICTS = ("good", "fair", "bad", "unknown")


@dataclass(frozen=True)
class Electrodes:
    """What even good electrodes add, in root mean square, V: noise of their own, mains, and drift over a second."""

    noise_v: float
    mains_v: float
    drift_v: float


KINDS = {"gel": Electrodes(1e-6, 5e-6, 5e-6), "dry": Electrodes(4e-6, 15e-6, 15e-6)}


def directions(names: Sequence[str]) -> FloatArray:
    """Return unit vectors (n, 3) of electrodes, of their plan: T7 and T8 are a right angle from the vertex."""
    places = electrode_places(names)
    flat = np.array([places[i] for i in range(len(names))])
    angle = np.linalg.norm(flat, axis=1) * np.pi / 2
    turn = np.arctan2(flat[:, 1], flat[:, 0])
    return np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], axis=1)


def one_over_f(rng: np.random.Generator, n: int, columns: int, rate: float) -> FloatArray:
    """Return noise (n, columns) with a 1/f power spectrum from .3 Hz on, of unit variance."""
    frequency = np.fft.rfftfreq(n, 1 / rate)
    size = np.where(frequency >= 0.3, 1 / np.sqrt(np.maximum(frequency, 0.3)), 0.0)
    white = rng.normal(size=(columns, len(size))) + 1j * rng.normal(size=(columns, len(size)))
    noise = np.fft.irfft(size * white, n, axis=1).T
    return np.asarray(noise / noise.std(axis=0))


def head(rng: np.random.Generator, names: Sequence[str], rate: float) -> FloatArray:
    """Return what a head gives at electrodes (n, channels), V, against a mastoid."""
    n = round(SECONDS * rate)
    place = np.concatenate([directions(names), [[0.92, -0.3, -0.25]]])
    centre = rng.normal(size=(DIPOLES, 3))
    centre *= 0.6 / np.linalg.norm(centre, axis=1, keepdims=True)
    moment = rng.normal(size=(DIPOLES, 3))
    away = place[:, None] - centre
    field = (away * moment).sum(axis=2) / np.linalg.norm(away, axis=2) ** 3
    t = np.arange(n) / rate
    activity = one_over_f(rng, n, DIPOLES, rate)
    # Alpha comes and goes in some of them.
    swells = 1 + one_over_f(rng, n, 3, rate).cumsum(axis=0) / rate
    activity[:, :3] += 2 * swells * np.sin(2 * np.pi * (rng.uniform(9, 11, 3) * t[:, None] + rng.uniform(size=3)))
    scalp = activity @ field.T
    scalp = scalp[:, :-1] - scalp[:, -1:]
    scalp *= 12e-6 / np.median(scalp.std(axis=0))
    front = np.clip(place[:-1, 1], 0, 1) ** 4
    side = np.clip(np.abs(place[:-1, 0]), 0, 1) ** 6
    for at in np.arange(rng.uniform(1, 5), SECONDS, rng.uniform(3, 7)):
        scalp += 100e-6 * np.exp(-((t - at) ** 2) / (2 * 0.08**2))[:, None] * front
    scalp += rng.uniform(0, 6e-6) * side * rng.normal(size=scalp.shape)
    return np.asarray(scalp)


def worn(rng: np.random.Generator, names: Sequence[str], rate: float, kind: str, mains_hz: float) -> FloatArray:
    """Return what a headset sends (n, channels), V, all of whose electrodes touch."""
    scalp, own = head(rng, names, rate), KINDS[kind]
    n, channels = scalp.shape
    each = np.exp(0.4 * rng.normal(size=channels))
    wave = np.sqrt(2) * np.sin(2 * np.pi * (mains_hz * np.arange(n)[:, None] / rate + 0.1 * rng.uniform(size=channels)))
    walk = rng.normal(size=scalp.shape).cumsum(axis=0) / np.sqrt(rate)
    noise = own.noise_v * (one_over_f(rng, n, channels, rate) + 0.3 * rng.normal(size=scalp.shape))
    offset = rng.uniform(-20e-3, 20e-3, channels)
    return np.asarray(scalp + noise + own.mains_v * each * wave + own.drift_v * each * walk + offset)


@dataclass(frozen=True)
class Case:
    """One headset: its montage, rate, electrodes and mains, and which of its channels have which fault."""

    channels: int
    rate: float
    kind: str
    mains_hz: float
    bad: dict[int, BadContact]


def drawn(rng: np.random.Generator) -> Case:
    """Return a headset of which up to a third of the electrodes have a fault."""
    channels = int(rng.choice(list(MONTAGES)))
    count = int(rng.integers(0, channels // 3 + 1))
    which = rng.choice(channels, count, replace=False)
    bad = {int(i): BAD_CONTACTS[int(rng.integers(len(BAD_CONTACTS)))] for i in which}
    return Case(channels, float(rng.choice(RATES)), str(rng.choice(list(KINDS))), float(rng.choice([50.0, 60.0])), bad)


def judged(
    case: Case, rng: np.random.Generator, settings: ContactSettings
) -> tuple[dict[int, str], list[str], list[bool]]:
    """Return the faults by channel, a bridge's other end too; in order, verdicts and who is good by quality."""
    names = MONTAGES[case.channels]
    clean = worn(rng, names, case.rate, case.kind, case.mains_hz)
    volts = with_bad_contacts(clean, case.rate, case.bad, rng, case.mains_hz)
    info = StreamInfo("A", "eeg", case.rate, tuple(names), "simulated")
    source = ArraySource(info, volts.astype(np.float32), 0.0)
    path = Settings(signal=SignalSettings(mains_hz=case.mains_hz))
    person = Participant(source, names, path, 0.0, contact=settings)
    for step in range(1, SECONDS):
        source.advance(step + person.lookahead_s)
        person.advance(step)
    assert person.contact is not None
    faults: dict[int, str] = dict(case.bad)
    for i in np.flatnonzero((volts != clean).any(axis=0)):
        faults.setdefault(int(i), "bridged")
    by_quality = person.quality(SECONDS - 1, 10) >= 0.9
    return faults, [each.verdict for each in person.contact.electrodes], by_quality.tolist()


def measure(quick: bool) -> Rows:
    """Return a row for each fault, and for sound electrodes, also by their kind and how many there are."""
    table: dict[str, Counter[str]] = {}
    for number in range(6 if quick else HEADSETS):
        rng = np.random.default_rng([1, number])
        case = drawn(rng)
        faults, verdicts, by_quality = judged(case, rng, ContactSettings())
        for i, verdict in enumerate(verdicts):
            sound = ("sound", f"sound, {case.kind}", f"sound, {case.channels} channels", f"sound, {case.rate:g} Hz")
            for row in (faults[i],) if i in faults else sound:
                table.setdefault(row, Counter()).update([verdict, *(["quality"] if by_quality[i] else [])])
    names = (*(f for f in BAD_CONTACTS if f in table), *sorted(n for n in table if n.startswith("sound")))
    return [_row(name, table[name]) for name in names]


def _row(name: str, found: Counter[str]) -> dict[str, object]:
    total = sum(found[verdict] for verdict in VERDICTS)
    shares = {verdict: 100 * found[verdict] / total for verdict in VERDICTS}
    return {
        "case": name,
        "electrodes": total,
        **shares,
        "quality": 100 * found["quality"] / total,
        "ratio": (found["good"] + 1) / (found["quality"] + 1),
    }


COLUMNS = (
    ("case", "electrode", ""), ("electrodes", "number", "d"), *((each, f"{each}, %", ".1f") for each in VERDICTS),
    ("quality", "good by the session's quality alone, %", ".1f"),
    ("ratio", "good by the check, for each that is by quality", ".2f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "contact", measure, COLUMNS,
        "verdict of the contact check after 29 s; a fault that is good is a miss, a sound electrode that is not is a "
        "false alarm; quality: at least 90 % of the last 10 s are good, as in a session",
    )  # fmt: skip
