"""Channels of a stream: what each is taken for and why, how ticks become options, and how they are kept per device."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.channel_kinds import kind_and_why, kind_of
from rtaffect.sources.channel_choice import TakenChannel, choice_of, taken_channels
from rtaffect.sources.channel_plan import plan_eeg
from rtaffect.sources.device_profile import profile_called
from rtaffect.start.choices import Choices
from rtaffect.start.device_memory import DeviceMemory, devices_file
from rtaffect.start.found import in_session
from rtaffect.start.of_stream import OfStream
from rtaffect.start.start_presenter import StartPresenter
from rtaffect.start.streams import StreamFacts
from rtaffect.stream.source import StreamHeader
from tests.sources.test_device_profiles import header_of

LABELS = ("Fz", "Cz", "HEOG", "Counter", "Battery", "AccX", "Extra", "Thermo")
TYPES = ("EEG", "EEG", "EEG", "", "", "", "AUX", "")
UNITS = ("uV", "uV", "uV", "", "percent", "g", "V", "celsius")
CAP = StreamHeader("Cap", "EEG", 250.0, "float32", LABELS, UNITS, TYPES, source_id="cap-1", host="lab", uid="c")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))


def test_each_channel_is_told_for_what_it_is_taken_and_why():
    assert [(each.label, each.kind, each.why, each.used) for each in taken_channels(CAP)] == [
        ("Fz", "eeg", "its name, an electrode's place", True),
        ("Cz", "eeg", "its name, an electrode's place", True),
        ("HEOG", "eog", "its name", True),
        ("Counter", "counter", "its name", False),
        ("Battery", "battery", "its name", False),
        ("AccX", "motion", "its name", False),
        ("Extra", "aux", "its declared type, AUX", False),
        ("Thermo", "aux", "its unit, celsius, which is no voltage", False),
    ]
    assert kind_and_why("Blue", "EEG") == ("eeg", "its declared type")
    assert kind_and_why("Blue") == ("eeg", "nothing says otherwise")
    profile = profile_called("muse-lsl")
    assert profile is not None
    told = {each.label: (each.kind, each.why) for each in taken_channels(header_of(profile))}
    assert told["Right AUX"][0] == "aux"


@settings(max_examples=60)
@given(st.sampled_from(LABELS), st.sampled_from(("", "EEG", "AUX", "acc")), st.sampled_from(("", "uV", "g")))
def test_the_kind_is_the_one_that_is_used(label, declared, unit):
    assert kind_and_why(label, declared, unit)[0] == kind_of(label, declared, unit)


@settings(max_examples=80)
@given(st.sets(st.integers(0, len(LABELS) - 1), min_size=1))
def test_ticks_become_options_that_use_just_these(wanted):
    without, only = choice_of(taken_channels(CAP), wanted)
    assert not (without and only)
    plan = plan_eeg(CAP, unit="uV", without=without, only=only) if any(LABELS[i] != "HEOG" for i in wanted) else None
    if plan is not None:
        assert set(plan.columns) == wanted
    used = {i for i, each in enumerate(taken_channels(CAP, without=without, only=only)) if each.used}
    assert used == wanted


def test_channels_of_one_name_go_together():
    pair = [TakenChannel("T7", "eeg", "", usual=True, used=True)] * 2
    assert choice_of([*pair, TakenChannel("Cz", "eeg", "", usual=True, used=True)], {0, 2}) == ((), ())


class TestMemory:
    def test_what_is_ticked_of_a_device_comes_back(self):
        memory = DeviceMemory()
        assert (memory.of(CAP), memory.note) == (None, "")
        memory.keep(CAP, ("Cz",), ())
        again = DeviceMemory()
        kept = again.of(replace(CAP, uid="new", host="other"))
        assert kept is not None
        assert (kept.without, kept.only, kept.name) == (("Cz",), (), "Cap")
        text = devices_file().read_text(encoding="utf-8")
        assert text.startswith("format = 1\n")
        assert "[[devices]]" in text or "devices = [" in text
        # Another device, and this one with other channels, have nothing.
        assert again.of(replace(CAP, source_id="cap-2")) is None
        assert again.of(replace(CAP, labels=("A",) * 8)) is None
        # As recognised is nothing that is kept.
        again.keep(CAP, (), ())
        assert DeviceMemory().of(CAP) is None

    def test_only_those_that_were_ticked_last_are_kept(self, monkeypatch):
        monkeypatch.setattr("rtaffect.start.device_memory.MOST", 2)
        memory = DeviceMemory()
        for number in range(3):
            memory.keep(replace(CAP, source_id=f"cap-{number}"), ("Cz",), ())
        assert [DeviceMemory().of(replace(CAP, source_id=f"cap-{n}")) is not None for n in range(3)] == [
            False, True, True
        ]  # fmt: skip

    @pytest.mark.parametrize("content", [b"format = 2\n", b"form", b"\xff\xfe", b"format = 1\ndevices = 3\n"])
    def test_a_damaged_file_is_told_in_one_line(self, content):
        devices_file().parent.mkdir(parents=True)
        devices_file().write_bytes(content)
        memory = DeviceMemory()
        assert str(devices_file()) in memory.note
        assert "\n" not in memory.note
        assert memory.of(CAP) is None
        # What it held is not lost by what is ticked next.
        memory.keep(CAP, ("Cz",), ())
        assert memory.note == ""
        assert devices_file().with_suffix(".damaged.toml").read_bytes() == content
        assert DeviceMemory().of(CAP) is not None

    @pytest.mark.skipif(os.name == "nt", reason="a file in the way of a folder")
    def test_a_folder_that_cannot_be_written_is_told(self):
        devices_file().parent.write_text("in the way")
        memory = DeviceMemory()
        memory.keep(CAP, ("Cz",), ())
        assert "could not be kept" in memory.note


class TestPresenter:
    @pytest.fixture
    def present(self, monkeypatch):
        monkeypatch.setattr("rtaffect.start.showing.Previews.show", lambda *_: None)
        made: list[StartPresenter] = []

        def build(choices: Choices) -> StartPresenter:
            presenter = StartPresenter(choices)
            made.append(presenter)
            presenter.network.stop()
            presenter.network.streams = (StreamFacts(CAP, described=True),)
            return presenter

        yield build
        for each in made:
            each.close()

    def test_ticks_are_of_the_stream_and_kept_for_its_device(self, present):
        first = present(Choices(sound="none"))
        state = first.tick()
        assert [each.used for each in state.scope.channels] == [True] * 3 + [False] * 5
        first.tick_channels({0, 2})
        assert first.choices.headsets == (OfStream("source_id=cap-1", without="Cz"),)
        assert [each.used for each in first.tick().scope.channels] == [True, False, True] + [False] * 5
        assert first.kept_channels()
        first.tick_channels(set())
        assert "untick its line instead" in first.said
        # The next time it is there, it has the same ticks.
        second = present(Choices(sound="none"))
        assert in_session(second.tick().choices, second.tick().found).headsets == first.choices.headsets
        # What is changed by hand then is not overridden, and can be forgotten.
        second.forget_channels()
        assert second.tick().choices.headsets == ()
        assert not second.kept_channels()
        assert present(Choices(sound="none")).tick().choices.headsets == ()

    def test_a_plan_and_what_is_given_stay_as_they_are(self, present):
        present(Choices(sound="none")).tick()
        keeping = present(Choices(sound="none"))
        keeping.tick()
        keeping.tick_channels({0})
        opened = present(Choices(sound="none"))
        opened.take(Choices(sound="none"))
        assert opened.tick().choices.headsets == ()
        common = present(Choices(sound="none", only="Fz, HEOG"))
        assert common.tick().choices.headsets == ()
        own = present(Choices(sound="none", headsets=(OfStream("Cap", only="Cz"),)))
        assert own.tick().choices.headsets == (OfStream("Cap", only="Cz"),)
