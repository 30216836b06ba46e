"""Peripheral signals: which they are, their slow courses, and their synchrony among people."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from rtaffect.common.body_kinds import body_kind
from rtaffect.common.errors import SettingsError
from rtaffect.observed.autonomic import Autonomic
from rtaffect.observed.body_course import DELAY_S, BodyCourse, beats, heart_rate
from rtaffect.stream.body import Body, BodyChannel
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.doubt import Doubt

ORIGIN = 1000.0


def phasic(rng: np.random.Generator, seconds: int, rate: float) -> np.ndarray:
    """Return electrodermal activity, microsiemens: responses at random times on a level that drifts."""
    n = int(seconds * rate)
    impulses = (rng.random(n) < 0.15 / rate) * rng.uniform(0.3, 1.0, n)
    t = np.arange(0, 20, 1 / rate)
    shape = np.exp(-t / 4.0) - np.exp(-t / 0.7)
    return 5.0 + np.linspace(0, 1, n) + np.convolve(impulses, shape)[:n] + 0.002 * rng.standard_normal(n)


def beating(rate_of: np.ndarray, rate: float, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return an ECG or PPG (n,) of a heart whose rate, beats a minute, is ``rate_of`` (n,)."""
    phase = np.cumsum(rate_of / 60.0 / rate) % 1.0
    if kind == "ppg":
        return np.exp(-((phase - 0.3) ** 2) / 0.02) + 0.02 * rng.standard_normal(len(phase))
    return 1e-3 * np.exp(-((phase - 0.5) ** 2) / 2e-4) + 2e-5 * rng.standard_normal(len(phase))


def source_of(
    name: str, kind: str, values: np.ndarray, rate: float, unit: str = "uS", owner: str = "eeg"
) -> SimpleNamespace:
    """Return what a source shows of its peripheral channel, all of it there."""
    body = Body((BodyChannel(kind, kind, unit, 0),), SampleBuffer(rate, 1, seconds=len(values) / rate + 1))
    body.buffer.push(values[:, None], ORIGIN + np.arange(len(values)) / rate)
    return SimpleNamespace(info=SimpleNamespace(name=name, kind=owner), body=body)


def run(sources: list[SimpleNamespace], steps: int, doubts: dict[int, list[Doubt]] | None = None) -> list:
    autonomic = Autonomic(sources, ORIGIN)
    return [autonomic(step, (doubts or {}).get(step, [])) for step in range(1, steps + 1)]


@pytest.mark.parametrize(("label", "declared", "stream", "kind"), [
    ("EDA", "", "EEG", "eda"), ("GSR", "GSR", "EEG", "eda"), ("A1", "ECG", "", "ecg"),
    ("Resp belt", "", "", "respiration"),
    ("PPG_IR", "EEG", "EEG", "ppg"), ("1", "", "EDA", "eda"), ("Cz", "", "EEG", None), ("Cz", "EEG", "EEG", None),
    ("EDA", "EMG", "", None), ("Tspl", "", "", None),
])  # fmt: skip
def test_what_a_channel_carries(label: str, declared: str, stream: str, kind: str | None) -> None:
    assert body_kind(label, declared, stream) == kind


def test_shared_electrodermal_activity_is_found_and_independent_is_not() -> None:
    rng = np.random.default_rng(3)
    seconds, rate = 200, 16.0
    shared = phasic(rng, seconds, rate)
    together = [source_of(n, "eda", shared + 0.4 * (phasic(rng, seconds, rate) - 5.0), rate) for n in "AB"]
    alone = [source_of(n, "eda", phasic(rng, seconds, rate), rate) for n in "AB"]
    found, none = ([float(v.value[0]) for v in run(s, seconds)[60:]] for s in (together, alone))
    assert np.mean(found) > 0.6
    assert abs(np.mean(none)) < 0.25
    values = run(together, seconds)[-1]
    assert (values.kind, values.rows, values.of) == ("autonomic", ("eda",), ("A", "B"))
    assert values.value[0] > values.null_high[0]


@pytest.mark.parametrize(("kind", "rate"), [("ecg", 250.0), ("ppg", 64.0)])
def test_heart_rate_is_that_of_the_heart(kind: str, rate: float) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(0, 60, 1 / rate)
    true = 70 + 8 * np.sin(2 * np.pi * 0.1 * t)
    found = beats(beating(true, rate, kind, rng), t, rate, kind)
    at = np.arange(10, 50, 0.1)
    assert np.nanmax(np.abs(heart_rate(found, at) - np.interp(at, t, true))) < 4.0
    assert np.corrcoef(heart_rate(found, at), np.interp(at, t, true))[0, 1] > 0.95


def test_hearts_that_go_together_are_found() -> None:
    rng = np.random.default_rng(2)
    seconds, rate = 110, 128.0
    t = np.arange(seconds * rate) / rate
    band = sosfiltfilt(butter(2, (0.06, 0.3), "bandpass", fs=rate, output="sos"), rng.standard_normal((3, len(t))))
    band /= band.std(axis=1, keepdims=True)
    sources = [
        source_of("A", "ecg", beating(70 + 4 * band[0], rate, "ecg", rng), rate, "V"),
        source_of("B", "ppg", beating(62 + 4 * band[0], rate, "ppg", rng), rate, ""),
    ]
    values = run(sources, seconds)[-1]
    assert values.rows == ("heart rate",)
    assert values.value[0] > 0.7


@pytest.mark.parametrize("what", ["flat", "clipped", "off", "gone"])
def test_what_is_not_connected_is_withheld(what: str) -> None:
    rng = np.random.default_rng(4)
    rate, seconds = 16.0, 90
    eda = phasic(rng, seconds, rate)
    bad, hole = eda.copy(), slice(int(40 * rate), int(60 * rate))
    bad[hole] = {"flat": bad[hole][0], "clipped": 9.0, "off": 0.01 + 0.001 * rng.random(320), "gone": np.nan}[what]
    course, times = BodyCourse("eda", rate, "uS"), np.arange(len(bad)) / rate
    known = {}
    for end in range(1, seconds):
        new = (times > end - 1) & (times <= end) if end > 1 else times <= end
        course.take(bad[new], times[new], float(end))
        known[end - DELAY_S] = bool(np.isfinite(course.second(float(end - DELAY_S))).all())
    good = [end for end, whole in known.items() if whole]
    assert good == [*range(11, 40), *range(71, seconds - DELAY_S)], "not while it is off, nor until the filter settles"


def test_with_one_person_nothing_is_observed_and_it_is_said() -> None:
    values = run([source_of("A", "eda", phasic(np.random.default_rng(0), 40, 16.0), 16.0)], 40)[-1]
    assert np.isnan(values.value).all()
    assert "two people" in values.trouble


def test_one_person_cannot_count_as_two() -> None:
    eda = phasic(np.random.default_rng(0), 20, 16.0)
    with pytest.raises(SettingsError, match="whose it is cannot be told"):
        Autonomic([source_of("A", "eda", eda, 16.0), source_of("E4", "eda", eda, 16.0, owner="body")], ORIGIN)


def test_what_comes_too_slowly_is_said() -> None:
    sources = [source_of(n, "ppg", np.random.default_rng(0).random(400), 10.0) for n in "AB"]
    values = run(sources, 40)[-1]
    assert np.isnan(values.value).all()
    assert values.trouble == "A: ppg comes too slowly; B: ppg comes too slowly"


def test_doubts_withhold_a_person_until_the_window_is_past_them() -> None:
    rng = np.random.default_rng(5)
    sources = [source_of(n, "eda", phasic(rng, 120, 16.0), 16.0) for n in "ABC"]
    late = Doubt("clock-jump", ORIGIN + 55.2, ORIGIN + 56.4, "set", "person", "B")
    values = run(sources, 120, {step: [late] for step in range(62, 72)})
    gone = [step for step, v in enumerate(values, 1) if step > 50 and np.isnan(v.each[1, 0])]
    # Seconds 56 and 57 were used; the window is past them when its first second is 58.
    assert gone == list(range(62, 57 + 30 + DELAY_S))
    assert np.isfinite(values[70].each[[0, 2], 0]).all()


def test_any_turn_of_delivery_gives_the_same() -> None:
    """What comes later than a second is used for, but in time, changes nothing."""
    eda = phasic(np.random.default_rng(6), 60, 16.0)
    times = np.arange(len(eda)) / 16.0
    whole, part = BodyCourse("eda", 16.0), BodyCourse("eda", 16.0)
    for end in range(4, 60):
        new = (times <= end) & (times > end - (1 if end > 4 else 9))
        whole.take(eda[new], times[new], float(end))
        early = (times <= end - 1.2) & (times > end - 1.2 - (1 if end > 4 else 9))
        part.take(eda[early], times[early], float(end))
        np.testing.assert_array_equal(whole.second(end - DELAY_S), part.second(end - DELAY_S))


def test_what_a_headset_sends_in_a_preset_of_its_own_is_of_who_wears_it() -> None:
    """One has EDA and pulse in one stream, the other one EDA beside the EEG and the pulse in a stream of its own."""
    rng = np.random.default_rng(5)
    seconds, rate = 60, 64.0
    skin, pulse = phasic(rng, seconds, rate), beating(np.full(seconds * 64, 70.0), rate, "ppg", rng)
    sources = [
        source_of("A", "eda", skin, rate), source_of("A ancillary", "ppg", pulse, rate, "", "body"),
        source_of("B", "eda", skin, rate), source_of("B pulse", "ppg", pulse, rate, "", "eeg"),
    ]  # fmt: skip
    sources[1].body = replace(sources[1].body, of="A")
    values = run(sources, seconds)[-1]
    assert (values.rows, values.of) == (("eda", "heart rate"), ("A", "B", "B pulse"))
    assert values.value[0] > 0.9
    alone = run([sources[0], sources[2]], seconds)[-1]
    np.testing.assert_array_equal(values.each[:2, 0], alone.each[:, 0])
    sources[1].body = replace(sources[1].body, of="")
    with pytest.raises(SettingsError, match="whose it is cannot be told"):
        Autonomic(sources, ORIGIN)
