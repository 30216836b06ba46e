"""Every shipped device runs without a flag: what its simulation sends becomes EEG in volts, by name, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtaffect.common.errors import SettingsError, StreamError
from rtaffect.common.settings import Settings
from rtaffect.observed.participant import Participant
from rtaffect.simulation.device import Signal, SimulatedDevice, Wearer, carried, header_of, unit_sent
from rtaffect.sources.channel_plan import Given, plan_of, prepare_eeg
from rtaffect.sources.device_profile import (
    all_profiles,
    is_eeg,
    profile_called,
    recognise,
    shipped_profiles,
    user_profiles,
)
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import find_streams
from rtaffect.sources.recorded import ArraySource
from rtaffect.sources.selection import ANY_EEG, Query, meant
from rtaffect.stream.source import StreamHeader, StreamInfo
from tests.profiles_page import PAGE, page

PROFILES = [pytest.param(each, id=each.name) for each in shipped_profiles()]
#: What each device sends, told here once more: its electrodes, and the volts in one unit of what it sends.
MUSE = ("TP9", "AF7", "AF8", "TP10")
BY_NUMBER = tuple(f"Ch{n}" for n in range(1, 9))
BRAIN_PRODUCTS = ("Fp1", "Fz", "F3", "C3", "Cz", "C4", "Pz", "Oz")
TEN_TWENTY = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4")
EXPECTED = {
    "muse-lsl": (MUSE, 1e-6), "bluemuse": (MUSE, 1e-6), "muselsl2": (MUSE, 1e-6), "mind-monitor": (MUSE, 1e-6),
    "petal": (MUSE, 1e-6), "openmuse": (tuple(f"EEG_{name}" for name in MUSE), 1e-6),
    "openbci-gui": (BY_NUMBER, 1e-6), "brainflow-lsl": (BY_NUMBER, 1e-6), "neuroelectrics": (BY_NUMBER, 1e-9),
    "neuroscan": (BY_NUMBER, 1e-6), "eego": (tuple(f"Ch{n}" for n in range(8)), 1.0),
    "mentalab-explore": (tuple(f"ch{n}" for n in range(1, 9)), 1e-6),
    "unicorn": (("Fz", "C3", "Cz", "C4", "Pz", "PO7", "Oz", "PO8"), 1e-6),
    "g-nautilus": (("Fp1", "Fp2", "Fz", "Cz", "Pz", "Oz", "C3", "C4"), 1e-6),
    "emotiv": (("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"), 1e-6),
    "brainvision-rda": ((*TEN_TWENTY, "O1", "O2", "EOG"), 1e-6), "brainamp": (TEN_TWENTY, 1e-6),
    "liveamp": (BRAIN_PRODUCTS, 1e-6), "actichamp": (BRAIN_PRODUCTS, 1e-6),
    "biosemi": (tuple(f"A{n}" for n in range(1, 17)), 1e-6),
    "smarting": (("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8",
                  "Fz", "Cz", "Pz", "AFz", "CPz", "POz", "M1", "M2"), 1e-6),
    "cgx": (("F7", "Fp1", "Fp2", "F8", "F3", "Fz", "F4", "C3", "Cz", "P8", "P7", "Pz", "P4", "T3", "P3", "O1", "O2",
             "C4", "T4", "A2"), 1e-6),
    "wearable-sensing": (("P3", "C3", "F3", "Fz", "F4", "C4", "P4", "Cz", "A1", "Fp1", "Fp2", "T3", "T5", "O1", "O2",
                          "F7", "F8", "A2", "T6", "T4"), 1e-6),
    "egi": ((*(f"E{n}" for n in range(1, 33)), "Cz"), 1e-6),
    "tmsi": (("Fp1", "Fpz", "Fp2", "F7", "F3", "Fz", "F4", "F8"), 1e-6),
    "crown": (("CP3", "C3", "F5", "PO3", "PO4", "F6", "C4", "CP4"), 1e-6),
}  # fmt: skip


def test_each_shipped_profile_is_told_here_and_names_its_source():
    assert {each.name for each in shipped_profiles()} == set(EXPECTED)
    assert all(source.startswith("https://") for each in shipped_profiles() for source in each.source)
    assert all(each.source and each.program and (each.verified or each.note) for each in shipped_profiles())


def test_the_table_in_the_docs_is_that_of_the_profiles():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run python -m tests.profiles_page"


@pytest.mark.parametrize("profile", PROFILES)
def test_it_runs_with_no_flag_at_all(profile):
    header = header_of(profile)
    assert meant([ANY_EEG], [header]) == [0]
    found = recognise(header)
    assert found is not None
    assert found.profile.name == profile.name
    plan, rate = prepare_eeg(header, Given())
    names, volts = EXPECTED[profile.name]
    assert (plan.names, rate) == (names, profile.sends.rate)
    np.testing.assert_allclose(plan.scale, volts)
    assert (plan.about.profile, plan.about.latency_s) == (profile.name, profile.latency_s)
    assert len(plan.columns) + len(plan.about.left_out) == header.channels


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_sent_becomes_volts(profile):
    signal, plan = Signal(profile, Wearer()), plan_of(header_of(profile), Given())
    sent = signal(10_000, 400)
    offset = profile.sends.offset_v
    truth = signal.volts[(10_000 + np.arange(400)) % len(signal.volts)][:, list(plan.columns)]
    np.testing.assert_allclose(plan.apply(sent), truth + offset, rtol=1e-9, atol=1e-12)
    assert 5e-6 < truth.std() < 30e-6


def test_people_share_what_is_asked_for_and_strangers_nothing():
    profile = profile_called("emotiv")
    one, other, stranger = (Signal(profile, wearer).volts for wearer in (Wearer(1), Wearer(2), Wearer(2, seed=8)))
    eeg = [i for i, kind in enumerate(carried(profile)) if kind == "eeg"]
    r = [np.corrcoef(one[:, i], other[:, i])[0, 1] for i in eeg]
    assert np.mean(r) == pytest.approx(0.4, abs=0.05)
    assert abs(np.mean([np.corrcoef(one[:, i], stranger[:, i])[0, 1] for i in eeg])) < 0.05


def test_a_user_adds_a_profile_and_a_broken_one_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path))
    (tmp_path / "profiles").mkdir()
    own = 'name="ours"\ndevice="Amp"\nprogram="lab"\nunit="mV"\nlayouts=[["Cz","Battery"]]\n[[match]]\nname="Our*"\n'
    (tmp_path / "profiles" / "ours.toml").write_text(own)
    (tmp_path / "profiles" / "bad.toml").write_text('name="bad"\n')
    header = StreamHeader("our amp", "Raw", 100.0, "float32", ("", ""))
    assert is_eeg(header)
    plan = plan_of(header, Given())
    assert (plan.names, plan.scale.tolist()) == (("Cz",), [1e-3])
    assert plan.about.left_out == (("Battery", "battery"),)
    (wrong,) = user_profiles()[1]
    assert "bad.toml" in wrong
    assert "match" in wrong
    assert plan_of(header, Given(profile=str(tmp_path / "profiles" / "ours.toml"))).names == ("Cz",)
    assert all_profiles()[0].name == "ours"


def test_the_profile_can_be_chosen_or_refused():
    header = header_of(profile_called("eego"))
    np.testing.assert_allclose(plan_of(header, Given(profile="none")).scale, 1e-6)
    assert plan_of(header, Given(profile="none")).about.profile == ""
    assert plan_of(header_of(profile_called("petal")), Given(profile="muse-lsl")).names == MUSE
    with pytest.raises(SettingsError, match=r"--profile musse is not known; expected none.*muse-lsl"):
        recognise(header, "musse")


def test_all_that_is_missing_is_told_at_once_and_can_be_pasted():
    header = StreamHeader("what", "EEG", 0.0, "float32", ("", "", ""))
    with pytest.raises(StreamError, match="3 channels") as error:
        prepare_eeg(header, Given())
    pasted = "--channels Ch1,Ch2,Ch3 --unit microvolts --rate 250"
    assert pasted in str(error.value)
    plan, rate = prepare_eeg(header, Given(channels=("Ch1", "Ch2", "Ch3"), unit="microvolts", rate=250.0))
    assert (len(plan.names), rate) == (3, 250.0)


def test_channels_can_be_left_out_and_be_the_only_ones():
    header = header_of(profile_called("muse-lsl"))
    assert plan_of(header, Given(without=("af7",))).names == ("TP9", "AF8", "TP10")
    assert plan_of(header, Given(only=("Right AUX", "TP9"))).names == ("TP9", "Right AUX")
    with pytest.raises(StreamError, match=r"none of the channels Cz; it has TP9.*--only"):
        plan_of(header, Given(only=("Cz",)))


def test_who_names_a_headset_means_its_eeg():
    def streams(number):
        eeg = header_of(profile_called("muselsl2"), source_id=f"Muse_{number}0:11")
        motion = StreamHeader("Muse", "ACC", 52.0, "float32", ("X",), source_id=eeg.source_id)
        return [motion, replace(motion, type="PPG"), eeg]

    both = [*streams(1), *streams(2)]
    assert meant([Query.parse("Muse")], both) == [2, 5]
    assert meant([Query.parse("source_id=Muse_20:11")], both) == [5]
    assert meant([Query.parse("type=ACC")], both) == [0, 3]


def test_one_source_id_for_all_tells_nobody_apart():
    one, other = (header_of(profile_called("bluemuse"), name=f"Muse-{n} (0{n}) EEG") for n in (1, 2))
    assert one.source_id == other.source_id
    assert one.identity != other.identity


def test_a_counter_under_a_harmless_name_never_has_a_value():
    """Declared as EEG, in volts like EEG: it is found by what it sends, and told."""
    rate, n = 128, 30 * 128
    samples = np.random.default_rng(0).normal(0, 10e-6, (n, 3))
    samples[:, 1] = np.arange(n) % 128 * 1e-6
    info = StreamInfo("Head", "eeg", rate, ("Fz", "Harmless", "Pz"), "file")
    source = ArraySource(info, samples.astype(np.float32), onset=0.0)
    source.start()
    person = Participant(source, info.channels, Settings(), 0.0)
    for step in range(1, 25):
        source.advance(step + person.lookahead_s)
        person.advance(step)
        if step >= 10:
            assert (person.quality(step, 10) >= 0.6).tolist()[1] is False
    assert person.foreign_warning.startswith("Head: no EEG, and without a value: Harmless counts by one step")
    assert "--without Harmless" in person.foreign_warning
    assert np.isfinite(person.window(24, 5)[:, [0, 2]]).all()


@pytest.mark.parametrize("name", ["mentalab-explore", "g-nautilus", "unicorn"])
def test_a_real_stream_says_and_sends_the_same(name):
    profile = profile_called(name)
    called = f"{profile.sends.name}-{name}" if name == "g-nautilus" else profile.sends.name
    with SimulatedDevice(profile, name=called) as device:
        (found,) = find_streams([Query("name", called)], timeout=10.0, settle=0.0)
        source = LslSource(found)
        assert source.header.labels == device.header.labels
        assert (source.header.units, source.header.types) == (device.header.units, device.header.types)
        assert source.header.maker == device.header.maker
        source.start()
        try:
            deadline = 100
            while len(source.buffer.read(0, np.inf).times) < 50 and deadline:
                deadline -= 1
                device._stop.wait(0.1)
            samples = source.buffer.read(0, np.inf).samples
        finally:
            source.stop()
    assert source.info.channels == EXPECTED[name][0]
    assert source.latency_s == profile.latency_s
    assert 3e-6 < (samples - profile.sends.offset_v).std() < 40e-6
    assert unit_sent(profile) == EXPECTED[name][1]
