"""Observed synchrony of arrays is that of a session with the same people."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from rtaffect import Settings, observed_synchrony
from rtaffect.common.clock import InstantClock
from rtaffect.common.errors import RtaffectError
from rtaffect.common.settings import SynchronySettings
from rtaffect.engine.engine import Engine
from rtaffect.engine.session import Session
from rtaffect.observed.spaces import ChannelSpace
from tests.support.helpers import headset, people_with

RATE = 125.0


@pytest.fixture(scope="module")
def eeg() -> np.ndarray:
    """EEG (3, 45 s, 2), V, with a pairwise correlation of .3."""
    return 15e-6 * people_with(np.random.default_rng(2), 3, round(45 * RATE), 2, 0.3)


def test_it_is_what_a_session_gives(eeg: np.ndarray) -> None:
    found = observed_synchrony(eeg, RATE, channels=("C1", "C2"))
    people = [headset(one, str(i), RATE) for i, one in enumerate(eeg)]
    steps: list = []
    engine = Engine(people, ChannelSpace(("C1", "C2")), Settings(), 1000.0)
    Session(engine, InstantClock(1000.0), [steps.append], threading.Event()).run()
    windows = steps[9:]
    assert found.rows == ("C1", "C2")
    np.testing.assert_array_equal(found.seconds, np.arange(10, 45))
    np.testing.assert_array_equal(found.seconds, [f.time for f in windows])
    for name, of in {
        "each": "observed_each", "mean": "observed", "null_low": "null_low", "null_high": "null_high",
        "overall": "observed_mean", "overall_low": "null_mean_low", "overall_high": "null_mean_high",
    }.items():  # fmt: skip
        # Not bit for bit: the session's zero lies elsewhere, and times are rounded there.
        np.testing.assert_allclose(getattr(found, name), [getattr(f, of) for f in windows], atol=1e-6)
    assert found.each.shape == (35, 3, 2)
    assert np.nanmean(found.overall) == pytest.approx(0.4, abs=0.1)
    assert (found.reasons[0], found.reasons[-1]) == ("the null band waits for more data", "")


def test_units_and_settings_count(eeg: np.ndarray) -> None:
    volts, micro = observed_synchrony(eeg, RATE), observed_synchrony(1e6 * eeg, RATE, unit="uV")
    np.testing.assert_allclose(micro.mean, volts.mean, atol=1e-9)
    pairwise = observed_synchrony(eeg, RATE, settings=Settings(synchrony=SynchronySettings(method="pairwise")))
    assert np.nanmean(pairwise.overall) == pytest.approx(0.3, abs=0.1)
    wrong = observed_synchrony(1e6 * eeg, RATE)
    assert "check its unit" in wrong.reasons[-1]


def test_what_is_missing_has_no_value_and_does_not_spoil_the_rest(eeg: np.ndarray) -> None:
    gap = eeg.copy()
    gap[1, : round(30 * RATE)] = np.nan
    found = observed_synchrony(gap, RATE)
    assert np.isnan(found.each[:15, 1]).all()
    assert np.isfinite(found.each[:, [0, 2]]).all()


def test_eyes_are_not_rows(eeg: np.ndarray) -> None:
    assert observed_synchrony(eeg, RATE, channels=("Cz", "VEOG")).rows == ("Cz",)


GOOD = np.random.default_rng(0).standard_normal((2, 1500, 2)) * 1e-5


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (GOOD[0], {}, r"float64 \(1500, 2\); expected numbers \(people, time, channels\)"),
        (GOOD[:1], {}, "at least 2 people"),
        (GOOD[:, :, :0], {}, "expected numbers"),
        (GOOD.astype(str), {}, "expected numbers"),
        ([GOOD[0], GOOD[1, :-1]], {}, "same length"),
        (GOOD[:, :1000], {}, "lasts 10.00 s .* needs at least 11 s"),
        (GOOD.transpose(0, 2, 1), {}, "check rate and the order"),
        (np.stack([GOOD[0], np.nan * GOOD[1]]), {}, r"eeg\[1\] has no finite value"),
        (np.nan * GOOD, {}, r"eeg\[0\] has no finite value"),
        (GOOD, {"rate": 0.0}, "rate = 0.0 Hz"),
        (GOOD, {"rate": np.nan}, "rate = nan Hz"),
        (GOOD, {"rate": 50.0}, "needs more than 60 Hz"),
        (GOOD, {"unit": "T"}, "'T' is not known"),
        (GOOD, {"channels": ("Cz",)}, "1 distinct names; expected 2"),
        (GOOD, {"channels": ("Cz", "Cz")}, "1 distinct names; expected 2"),
        (GOOD, {"channels": ("HEOG", "VEOG")}, "no channel name"),
    ],
)
def test_a_mistake_is_one_line(given: object, options: dict, said: str) -> None:
    with pytest.raises(RtaffectError, match=said) as error:
        observed_synchrony(given, **{"rate": 100.0, **options})
    assert "\n" not in str(error.value)
