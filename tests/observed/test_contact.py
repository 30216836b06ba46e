"""Bad contact is found for what it is, good contact is left alone, and what is not known is not made up."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.contact_settings import ContactSettings, read_contact_settings
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings, SignalSettings
from rtaffect.observed.contact import (
    HeadsetContact,
    Measured,
    RawMeter,
    contact_index,
    verdict_of,
    verdict_of_kohm,
)
from rtaffect.observed.participant import Participant
from rtaffect.simulation.contact import BAD_CONTACTS, bad_contacts, with_bad_contacts
from tests.observed.test_channel_quality import CHANNELS, ORIGIN, RATE, scalp
from tests.support.helpers import headset

LIMITS = ContactSettings()


def contact(samples: np.ndarray, seconds: int, mains_hz: float = 50.0) -> HeadsetContact:
    """The contact after some seconds, as a session measures it."""
    names = CHANNELS[: samples.shape[1]]
    source = headset(samples, channels=names, rate=RATE)
    path = Settings(signal=SignalSettings(mains_hz=mains_hz))
    person = Participant(source, names, path, ORIGIN, contact=LIMITS)
    for step in range(1, seconds + 1):
        source.advance(ORIGIN + step + person.lookahead_s)
        person.advance(step)
    assert person.contact is not None
    return person.contact


def measured(**known: float) -> Measured:
    """What is measured of one electrode, of which all else is as it should be."""
    usual = {"mains": 0.5, "drift": 1e-6, "flat": 0.0, "loud": 0.0, "correlation": 0.9, "odd": 0.0} | known
    return Measured(**{name: np.array([value]) for name, value in usual.items()}, bridged=np.array([-1]))


@pytest.mark.parametrize(
    ("known", "index", "why"),
    [
        ({"mains": 2.0}, 1.0, None),
        ({"mains": np.sqrt(2.0 * 20.0)}, 0.5, "mains"),
        ({"mains": 20.0}, 0.0, "mains"),
        ({"drift": np.sqrt(30e-6 * 300e-6)}, 0.5, "drift"),
        ({"flat": 0.4}, 0.6, "flat"),
        ({"loud": 1.0, "drift": 100e-6}, 0.0, "loud"),
        ({"flat": 0.6, "loud": 0.4}, 0.0, "flat"),
        ({"flat": 0.2, "loud": 0.4}, 0.4, "loud"),
        ({"correlation": 0.3}, 0.5, "noise"),
        ({"correlation": 0.2}, 0.0, "noise"),
        ({"odd": 5.0}, 0.5, "power"),
        ({"odd": np.nan, "correlation": np.nan, "mains": np.nan}, 1.0, None),
        ({"flat": np.nan, "loud": np.nan}, np.nan, None),
    ],
)
def test_the_index_is_the_lowest_score(known, index, why):
    found, reasons = contact_index(measured(**known), LIMITS)
    np.testing.assert_allclose(found, [index], atol=1e-9)
    assert why is None or reasons == (why,)


def test_sound_electrodes_are_good():
    found = contact(scalp(21), 20)
    assert [each.verdict for each in found.electrodes] == ["good"] * 16
    assert found.good == 16
    assert found.time == ORIGIN + 20
    assert not found.all_by


@pytest.mark.parametrize("kind", BAD_CONTACTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fault_is_found_for_what_it_is_and_no_other(kind, seed):
    samples = with_bad_contacts(scalp(26, seed=seed), RATE, {6: kind}, np.random.default_rng(seed))
    electrodes = contact(samples, 25).electrodes
    assert electrodes[6].verdict in {"fair", "bad"}
    expected = {
        "mains": "mains",
        "drift": "drift",
        "flat": "flat",
        "rail": ("flat", "loud"),
        "noise": ("noise", "power"),
    }
    if kind == "bridged":
        assert electrodes[6].why == f"bridged with {CHANNELS[7]}"
        assert electrodes[7].why == f"bridged with {CHANNELS[6]}"
    else:
        assert electrodes[6].why in expected[kind]
    others = [each for i, each in enumerate(electrodes) if i != 6 and not (kind == "bridged" and i == 7)]
    assert {each.verdict for each in others} == {"good"}


@pytest.mark.parametrize("leaves_s", [(2, 3), (1, 3, 4)])
def test_a_rail_that_is_left_now_and_then_is_bad_all_the_while(leaves_s):
    samples = scalp(12)
    samples[:, 4] = 187.5e-3
    for second in leaves_s:
        away = slice(round((second + 0.3) * RATE), round((second + 0.5) * RATE))
        samples[away, 4] *= 1 - 0.01 * np.random.default_rng(second).random(samples[away, 4].shape)
    verdicts = {contact(samples, seconds).electrodes[4].verdict for seconds in range(4, 12)}
    assert verdicts == {"bad"}


def test_mains_of_sixty_hertz_are_found_at_sixty_only():
    samples = with_bad_contacts(scalp(16), RATE, {3: "mains"}, np.random.default_rng(0), mains_hz=60.0)
    assert contact(samples, 15, mains_hz=60.0).electrodes[3].why == "mains"


def test_four_electrodes_are_told_by_what_each_shows_alone():
    samples = scalp(16, channels=4)
    samples[:, 1] = 8e-6 * np.random.default_rng(3).standard_normal(len(samples))
    samples[:, 2] = 0.0
    found = contact(samples, 15).electrodes
    assert [each.verdict for each in found] == ["good", "good", "bad", "good"]
    assert found[2].why == "flat"


def test_an_electrode_beside_the_reference_is_no_noise():
    """It has little of the head, so that its own small noise, which elsewhere would not matter, is most of it."""
    samples, own = scalp(26), 4.5e-6 * np.random.default_rng(8).standard_normal(round(26 * RATE))
    samples[:, 5] = 0.1 * samples[:, 5] + own * np.sqrt(RATE / 2 / 29)
    assert contact(samples, 25).electrodes[5].verdict == "good"
    samples[:, 5] *= 3
    assert contact(samples, 25).electrodes[5].why == "noise"


def test_contact_comes_back_within_the_window():
    samples = scalp(41)
    samples[: round(20 * RATE), 4] += 500e-6 * np.sin(2 * np.pi * 50 * np.arange(round(20 * RATE)) / RATE)
    assert contact(samples, 19).electrodes[4].verdict == "bad"
    assert contact(samples, 31).electrodes[4].verdict == "good"


def test_what_is_not_known_is_not_made_up():
    samples = scalp(16)
    samples[:, 5] = np.nan
    missing = contact(samples, 15).electrodes[5]
    assert (missing.verdict, missing.why, missing.value) == ("unknown", "", "")
    first = contact(samples, 2).electrodes[0]
    assert (first.verdict, first.value) == ("unknown", "")


def test_a_loose_reference_is_told_of_all():
    samples = scalp(16)
    samples += 300e-6 * np.sin(2 * np.pi * 50 * np.arange(len(samples)) / RATE)[:, None]
    assert contact(samples, 15).all_by == "mains"


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 1000), max_size=6))
def test_raw_seconds_are_the_same_whatever_the_chunks(cuts):
    rng, n = np.random.default_rng(4), 1000
    raw = rng.standard_normal((n, 3))
    raw[100:300, 1] = np.nan
    gated = np.where(np.abs(raw) > 2.5, np.nan, raw)
    times, meter = np.arange(n) / 250.0, RawMeter(250.0, 3)
    for a, b in pairwise(sorted({0, *cuts, n})):
        meter.add(raw[a:b], gated[a:b], times[a:b])
    mean, some, wide = meter.take(0)
    np.testing.assert_allclose(mean[[0, 2]], np.nanmean(gated[:250, [0, 2]], axis=0))
    assert np.isnan(mean[1])
    assert some.tolist() == [bool(np.isnan(gated[:250, 0]).any()), False, bool(np.isnan(gated[:250, 2]).any())]
    np.testing.assert_allclose(wide, np.nanmax(raw[:250], axis=0) - np.nanmin(raw[:250], axis=0))
    assert np.isnan(meter.take(0)[0]).all()


def test_verdicts_follow_the_settings():
    assert [verdict_of(x, LIMITS) for x in (0.7, 0.69, 0.4, 0.39, np.nan)] == ["good", "fair", "fair", "bad", "unknown"]
    assert [verdict_of_kohm(x, LIMITS) for x in (20, 21, 50, -1, np.nan)] == [
        "good",
        "fair",
        "bad",
        "unknown",
        "unknown",
    ]


def test_settings_are_read_and_impossible_ones_refused(tmp_path: Path):
    file = tmp_path / "contact.toml"
    file.write_text("good_kohm = 100\nbad_kohm = 300\nshare = 0.8\n", encoding="utf-8")
    assert read_contact_settings(file).share == 0.8
    assert read_contact_settings(None) == LIMITS
    file.write_text("good_kohm = 100\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="good_kohm = 100 must be below bad_kohm = 50"):
        read_contact_settings(file)


def test_a_text_names_faults_by_channel():
    assert bad_contacts("f3=mains, Cz=flat", ("F3", "Fz", "Cz")) == {0: "mains", 2: "flat"}
    assert bad_contacts("", ("F3",)) == {}
    with pytest.raises(SettingsError, match="no channel 'Q9'"):
        bad_contacts("Q9=mains", ("F3",))
    with pytest.raises(SettingsError, match="expected mains or drift"):
        bad_contacts("F3=loose", ("F3",))
