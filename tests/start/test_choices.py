"""Choices and plans are each other's inverse; fields say what they cannot be; the last choices are remembered."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import RtaffectError, SettingsError, StreamError, setting, such_as, under
from rtaffect.common.words import duration, listed, size
from rtaffect.plan.analysis_plan import AnalysisPlan, ProtocolPlan
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.headset_plan import HeadsetPlan
from rtaffect.plan.results_plan import ResultsPlan
from rtaffect.plan.session_plan import DEMO_BUNDLE, SessionPlan, read_plan, write_plan
from rtaffect.plan.sound_plan import SoundPlan
from rtaffect.start.choices import Choices, choices_of, plan_of
from rtaffect.start.fields import mains_in, path_of, rate_in, seconds_in, threads_in
from rtaffect.start.memory import first_choices, memory_file, recall, remember
from rtaffect.start.of_stream import OfStream
from rtaffect.start.wording import in_window

texts = st.text("abcXYZ 0123=_", min_size=1, max_size=12).filter(lambda t: t == t.strip() and t)
paths = st.text("abc-1", min_size=1, max_size=8).map(lambda t: Path("/lab") / t)
maybe_path = st.none() | paths


@st.composite
def sounds(draw: st.DrawFn, live: bool) -> SoundPlan:
    kinds = ("file", "device", "stream", "stimulus", "none") if live else ("file", "stimulus", "none")
    kind = draw(st.sampled_from(kinds))
    if kind == "file" and live:
        silent = draw(st.booleans())
        return SoundPlan(file=draw(paths), silent=silent, speaker=None if silent else draw(st.none() | texts))
    if kind == "file":
        marker = draw(st.none() | texts)
        return SoundPlan(
            file=draw(paths),
            start=None if marker else draw(st.none() | st.floats(-99, 999)),
            onset_marker=marker,
            markers=draw(st.none() | texts) if marker else None,
            in_reference=draw(st.booleans()),
        )
    if kind == "device":
        return SoundPlan(device=draw(st.just("") | texts))
    if kind == "stream":
        return SoundPlan(stream=draw(texts))
    if kind == "stimulus" and not live:
        return SoundPlan(stimulus=draw(paths))
    if kind == "stimulus":
        marker = draw(st.none() | texts)
        heard = draw(st.sampled_from(("", "device", "stream")))
        return SoundPlan(
            stimulus=draw(paths),
            onset_marker=marker,
            markers=draw(st.none() | texts) if marker else None,
            device=draw(texts) if heard == "device" else None,
            stream=draw(texts) if heard == "stream" else None,
        )
    return SoundPlan()


@st.composite
def plans(draw: st.DrawFn) -> SessionPlan:
    mode = draw(st.sampled_from(("live", "replay", "demo")))
    names = st.lists(texts.filter(lambda t: " " not in t), unique=True, max_size=3).map(tuple)
    eeg = EegPlan(
        streams=draw(names),
        boards=draw(names) if mode == "live" else (),
        channels=draw(names),
        unit=draw(st.none() | st.sampled_from(("V", "uV"))),
        rate=draw(st.none() | st.floats(1, 5000)),
        expect=draw(names) if mode == "live" else (),
        adopt=draw(st.sampled_from(("never", "same-name"))) if mode == "live" else "never",
        patience=draw(st.sampled_from(("auto", "1.5"))) if mode == "live" else "auto",
        foreign_clock=draw(st.sampled_from(("arrival", "accept", "refuse"))) if mode == "live" else "arrival",
        wait_s=draw(st.floats(0.5, 60)),
        peripheral=draw(names),
        headsets=tuple(HeadsetPlan(stream=name, unit="mV", only=("A",)) for name in draw(names) if "=" not in name),
        resync=draw(st.booleans()) if mode == "replay" else False,
        part=draw(st.none() | st.integers(1, 9)) if mode == "replay" else None,
    )
    bundle = draw(maybe_path | st.just(DEMO_BUNDLE))
    # A bundle brings its own.
    own = maybe_path if bundle is None else st.none()
    analysis = AnalysisPlan(
        bundle=bundle,
        featurizer=draw(maybe_path),
        threads=draw(st.integers(1, 8)),
        against=draw(st.sampled_from(("auto", "reference", "group"))),
        mains=draw(st.none() | st.sampled_from((0.0, 50.0, 60.0))) if bundle is None else None,
        settings=draw(own),
        head=draw(own),
    )
    if mode == "demo":
        eeg, analysis = EegPlan(), AnalysisPlan(featurizer=analysis.featurizer, threads=analysis.threads)
    protocol = ProtocolPlan(
        file=draw(maybe_path) if mode != "replay" else None,
        allocation=draw(maybe_path) if mode == "live" else None,
        preview=(preview := draw(st.booleans())),
        screen=draw(st.none() | st.integers(0, 3)) if not preview else None,
        tone_device=draw(st.none() | texts),
        photodiode=draw(st.sampled_from(("none", "second", "start"))) if mode == "live" else "none",
        screen_delay_s=draw(st.floats(0, 1)) if mode == "live" else 0.0,
    )
    return SessionPlan(
        mode=mode,
        participant=draw(st.none() | st.from_regex("[A-Za-z0-9]{1,6}", fullmatch=True)),
        recording=draw(paths) if mode == "replay" else None,
        speed=draw(st.sampled_from(("1", "8", "max"))) if mode != "live" else "1",
        eeg=eeg,
        sound=SoundPlan() if mode == "demo" else draw(sounds(mode == "live")),
        analysis=analysis,
        protocol=protocol,
        results=ResultsPlan(
            out=draw(maybe_path),
            seconds=draw(st.none() | st.integers(1, 9999)),
            headless=draw(st.booleans()),
            outlet=draw(st.booleans()),
        ),
    )


@settings(max_examples=40)
@given(plans())
def test_a_plan_comes_back_from_its_choices(plan):
    assert plan_of(choices_of(plan)) == plan


def test_a_plan_comes_back_through_its_file(tmp_path):
    choices = Choices(
        participant="P07", streams=("source_id=ant-7", "name=Muse"), channels="TP9, AF7; AF8 ,TP10", unit="uV",
        rate="256", sound="stimulus", stimulus=str(tmp_path / "a b.wav"), heard_by="device", device="",
        onset_marker="go", bundle=str(tmp_path / "bundle"), against="group", protocol=str(tmp_path / "p.toml"),
        screen=1, folder=str(tmp_path), name="P07-1", seconds="600", outlet=False,
    )  # fmt: skip
    write_plan(plan_of(choices), tmp_path / "session.toml")
    found = choices_of(read_plan(tmp_path / "session.toml"))
    assert found == replace(choices, channels="TP9, AF7, AF8, TP10")
    assert plan_of(found).eeg.channels == ("TP9", "AF7", "AF8", "TP10")


def test_what_another_mode_needs_is_not_in_the_plan_but_stays_chosen():
    choices = Choices(mode="demo", streams=("name=A",), bundle="/b", recording="/r.xdf", sound_file="/s.wav", rate="x")
    plan = plan_of(choices)
    assert plan == SessionPlan(mode="demo")
    live = replace(choices, mode="live", rate="")
    assert plan_of(live).eeg.streams == ("name=A",)
    assert plan_of(live).recording is None
    assert plan_of(replace(live, mode="replay", sound="device")).sound == SoundPlan()


def test_a_replay_leaves_to_the_session_what_is_not_chosen():
    plan = plan_of(Choices(mode="replay", recording="/r", protocol="/p.toml", allocation="/a"))
    assert plan.analysis.model_fields_set == set()
    assert plan.protocol.file is None
    assert plan_of(Choices(mode="replay", recording="/r", against="group")).analysis.model_fields_set == {"against"}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (Choices(streams=()), "No EEG stream is ticked"),
        (Choices(mode="replay"), "A replay needs a recording; choose an XDF file or a session's folder"),
        (Choices(rate="fast"), "Rate 'fast' is not possible; expected a number of Hz above 0"),
        (Choices(rate="0"), "Rate '0' is not possible"),
        (Choices(mains="-1"), "Mains '-1' is not possible; expected 50 or 60"),
        (Choices(seconds="1.5"), "Ends after '1.5' is not possible; expected a whole number of seconds"),
        (Choices(threads="nan"), "Threads 'nan' is not possible"),
        (Choices(mode="replay", recording="r", sound_start="late"), "Began at 'late' is not possible"),
        (Choices(mode="demo", with_protocol=True), "The demo is not made yet"),
        (Choices(participant="P 7"), "Participant 'P 7': a code is letters and digits"),
    ],
)
def test_choices_that_make_no_plan_say_why(choices, message):
    with pytest.raises(SettingsError) as caught:
        plan_of(choices)
    assert in_window(caught.value).startswith(message)


def test_fields_mean_what_people_type():
    assert rate_in(" 250,5 ") == 250.5
    assert (rate_in(" "), mains_in(""), seconds_in(""), threads_in("")) == (None, None, None, 1)
    assert mains_in("0") == 0.0
    assert path_of('"/lab/my study/a.wav" ') == Path("/lab/my study/a.wav")
    assert path_of("~/x") == Path.home() / "x"
    assert path_of("x").is_absolute()


class TestMemory:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))

    def test_nothing_to_remember_is_the_first_time(self):
        assert recall() == (first_choices(), "")

    @pytest.mark.parametrize("streams", [None, (), ("name=A", "source_id=b")])
    def test_what_was_chosen_comes_back_but_for_what_belongs_to_one_session(self, streams):
        kept = Choices(mode="replay", streams=streams, channels="Fz", screen=1, silent=True, folder="/f", speed="8")
        assert remember(replace(kept, participant="P07", name="P07-2", headless=True)) == ""
        assert recall() == (kept, "")
        assert [path.name for path in memory_file().parent.iterdir()] == ["start.toml"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"format = 1\nmode = 'dream'\n", "damaged (mode = 'dream': expected"),
            (b"format = 1\nstreams = 3\n", "damaged (streams = 3: expected a list"),
            (b"format = 2\n", "of another version"),
            (b"form", "cannot be read"),
            (b"\xff\xfe", "cannot be read"),
        ],
    )
    def test_a_damaged_memory_is_passed_over_with_a_note(self, content, message):
        memory_file().parent.mkdir()
        memory_file().write_bytes(content)
        choices, note = recall()
        assert choices == first_choices()
        assert message in note
        assert "\n" not in note

    def test_a_folder_that_cannot_be_written_is_told(self, tmp_path):
        (tmp_path / "config").write_text("in the way")
        assert "could not be kept" in remember(Choices())

    def test_every_choice_is_remembered_or_meant_not_to_be(self):
        other = {"mode": "demo", "streams": ("name=A",), "boards": ("b",), "sound": "none", "silent": True,
                 "heard_by": "device", "against": "group", "screen": 2, "outlet": False,
                 "in_reference": True, "with_protocol": True, "preview": True, "resync": True,
                 "photodiode": "start", "elements": "on", "headsets": (OfStream("Muse", unit="uV"),)}  # fmt: skip
        changes = {f.name: other.get(f.name, "7") for f in fields(Choices) if not f.metadata.get("unseen")}
        remember(Choices(**changes))
        found, _ = recall()
        forgotten = {name for name, value in changes.items() if getattr(found, name) != value}
        assert forgotten == {"participant", "session_code", "name"}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (f"stream 'X' has no names; give them, {such_as('channels', 'TP9,AF7')}", "Stream 'X' has no names; give them, "
         "under 'Channel names', as in TP9,AF7"),
        (StreamError("the right one", remedy=such_as("unit", "microvolts")), "The right one; under 'Unit', as in "
         "microvolts"),
        (f"irregular; name it {under('rate', metavar='HZ')}", "irregular; name it under 'Rate'"),
        (f"correct the device's setting or pass {setting('rate')}", "Correct the device's setting or pass 'Rate'"),
        (f"{setting('against', 'group')} needs at least 2 headsets", "Compare with group needs at least 2 headsets"),
        (f"as with {setting('headless')}", "As with --headless"),
        ("make it anew with `rtaffect calibrate STUDY --out BUNDLE`", "Make it anew with `rtaffect calibrate STUDY "
         "--out BUNDLE`"),
        ("export with --mode causal", "Export with --mode causal"),
        ("story.wav: no", "story.wav: no"),
        ("two\nlines", "Two lines"),
        ("", ""),
    ],
)  # fmt: skip
def test_options_become_fields(said, message):
    assert in_window(said) == message


def test_numbers_in_words():
    assert [duration(s) for s in (3, 89, 90, 720, 5400, 12_000, 200_000)] == [
        "3 s", "89 s", "2 min", "12 min", "1 h 30 min", "3 h 20 min", "2 days"
    ]  # fmt: skip
    assert [size(n) for n in (64e6, 1.25e10, 4e11)] == ["64 MB", "12.5 GB", "400 GB"]
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert issubclass(SettingsError, RtaffectError)
