"""What prevents the start, each in words with the remedy; what is found comes from real files and the real checks."""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtaffect.common.errors import RtaffectError
from rtaffect.predicted.featurizer import cache_root
from rtaffect.present.participant_state import ScreenInfo
from rtaffect.protocol.allocation import draw
from rtaffect.protocol.reading import read_protocol
from rtaffect.protocol.seal import key_beside, seal, session_codes
from rtaffect.sources.sound_devices import SoundDevice
from rtaffect.start import look
from rtaffect.start.choices import Choices, plan_of
from rtaffect.start.devices import choose, text_for
from rtaffect.start.found import (
    Ask,
    DemoFacts,
    FolderFacts,
    Found,
    RecordingFacts,
    Trouble,
    asks_for,
    asks_of,
    in_effect,
)
from rtaffect.start.look import look_at, stamp_of
from rtaffect.start.problem import Problem
from rtaffect.start.problems import all_lines
from rtaffect.start.start_presenter import resolve, suggested_name
from rtaffect.start.streams import StreamFacts, ticked, toggle, without_query
from rtaffect.start.table import (
    allocation_lines,
    bundle_lines,
    protocol_lines,
    recording_lines,
    replay_lines,
    results_lines,
    session_lines,
)
from rtaffect.stream.source import StreamHeader
from tests.support.counted_films import make_film
from tests.support.start_files import CHANNELS, PROTOCOL, bundle_in, recording_in, story_in

MUSE = ("TP9", "AF7", "AF8", "TP10")
SPEAKER = SoundDevice(0, "Speakers", "ALSA", 0, 2, 48000.0, 0.0, 0.01, False, True)
SCREENS = (ScreenInfo(0, "eDP-1", 1920, 1080, True), ScreenInfo(1, "HDMI-1", 1920, 1080))
MICROPHONE = SoundDevice(1, "Microphone", "ALSA", 1, 0, 48000.0, 0.01, 0.0, True, False)


def stream(name: str = "ANT", labels: tuple[str, ...] = CHANNELS, **changes: object) -> StreamFacts:
    """A described stream of EEG in microvolts at 250 Hz."""
    header = StreamHeader(name, "EEG", 250.0, "float32", labels, ("uV",) * len(labels), **_sender(name))
    known = {key: changes.pop(key) for key in ("described", "trouble") if key in changes}
    return StreamFacts(replace(header, **changes), **{"described": True, **known})


def _sender(name: str) -> dict[str, str]:
    return {"source_id": f"id-{name}", "host": "lab-2", "uid": f"uid-{name}"}


def markers(name: str = "PsychoPy") -> StreamFacts:
    return StreamFacts(StreamHeader(name, "Markers", 0.0, "string", ("",), **_sender(name)))


def sound_stream(name: str = "Room", rate: float = 16_000.0, channels: int = 1) -> StreamFacts:
    header = StreamHeader(name, "Audio", rate, "float32", ("",) * channels, **_sender(name))
    return StreamFacts(header, described=True)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of a study."""
    folder = tmp_path_factory.mktemp("lab")
    story, sha256 = story_in(folder)
    protocol = folder / "protocol.toml"
    protocol.write_text(PROTOCOL, encoding="utf-8")
    arms = folder / "arms.toml"
    two = '[[arm]]\nname = "own"\nfeedback = "real"\n[[arm]]\nname = "late"\nfeedback = "delayed"\ndelay_s = 60\n'
    arms.write_text(PROTOCOL + two, encoding="utf-8")
    seal(draw(read_protocol(arms), ["P01", "P02"], block_size=2, seed=1), folder / "sealed.txt")
    (folder / "playing.toml").write_text(
        PROTOCOL.replace("duration_s = 120", 'stimulus = "story.wav"\nduration_s = 120'), encoding="utf-8"
    )
    make_film(folder / "seen.mkv", 3.0)
    (folder / "showing.toml").write_text(
        PROTOCOL.replace("duration_s = 120", 'film = "seen.mkv"\nduration_s = 120'), encoding="utf-8"
    )
    tone = PROTOCOL.replace("[feedback]", '[feedback]\nshow = "tone"')
    (folder / "tone.toml").write_text(tone, encoding="utf-8")
    soundfile.write(folder / "short.wav", np.random.default_rng(2).uniform(-0.1, 0.1, 32_000), 16_000)
    return {
        "short": str(folder / "short.wav"),
        "tone": str(folder / "tone.toml"),
        "folder": str(folder),
        "story": str(story),
        "bundle": str(bundle_in(folder / "podcast", sound=sha256)),
        "film": str(bundle_in(folder / "film", ("Fz", "Cz", "E5"), name="film")),
        "other": str(bundle_in(folder / "other", ("E1", "E2"), name="other")),
        "protocol": str(protocol),
        "showing": str(folder / "showing.toml"),
        "playing": str(folder / "playing.toml"),
        "arms": str(arms),
        "sealed": str(folder / "sealed.txt"),
        "recording": str(recording_in(folder)),
    }


_facts: dict[tuple[Ask, object], object] = {}


def found(choices: Choices, *streams: StreamFacts, **changes: object) -> Found:
    """What is known once everything has been looked at."""
    known = Found(streams, 10.0, (SPEAKER, MICROPHONE), "", SCREENS)
    for _ in range(2):  # The protocol's sounds are asked for once it has been read.
        for ask in asks_of(choices, known):
            if _key(ask) not in _facts or ask.kind == "out":
                _facts[_key(ask)] = look_at(ask)
        known = replace(known, facts={ask: _facts[_key(ask)] for ask in asks_of(choices, known)})  # type: ignore[misc]
    return replace(known, **changes)  # type: ignore[arg-type]


def _key(ask: Ask) -> tuple[Ask, object]:
    """What a fact hangs on: the question, its files, and where demos are."""
    return ask, (stamp_of(ask), cache_root())


def ready(lab: dict[str, str], **changes: object) -> Choices:
    """Choices of a session that can be started with one stream."""
    base = Choices(participant="P01", sound_file=lab["story"], bundle=lab["bundle"], folder=lab["folder"], name="P01-1")
    return replace(base, **changes)


def problems(choices: Choices, known: Found) -> list[Problem]:
    """What prevents the start."""
    return [line for line in all_lines(choices, known) if line.kind != "note"]


def notes(choices: Choices, known: Found) -> list[Problem]:
    """What does not, but should be known."""
    return [line for line in all_lines(choices, known) if line.kind == "note"]


def stops(choices: Choices, known: Found) -> list[tuple[str, str]]:
    return [(line.where, line.text) for line in problems(choices, known) if line.kind == "stop"]


def test_a_session_that_fits_can_be_started(lab):
    choices = ready(lab, protocol=lab["protocol"], streams=("name=ANT",))
    known = found(choices, stream())
    assert problems(choices, known) == []
    assert notes(choices, known) == []
    assert plan_of(choices).results.out == Path(lab["folder"]) / "P01-1"
    state = resolve(choices, known)
    assert state.may_start
    assert [line.text for line in bundle_lines(choices, known, state.people, state.fit)][:4] == [
        "podcast, 2025-01-01, held-out r 0.31 within sounds",
        "rows are 18 channels", "1 sound: story.wav", "fits: all 18 rows"
    ]  # fmt: skip
    assert protocol_lines(choices, known)[0].text == "Baseline and two runs: 4 blocks, 23 min in all"
    assert "of these streams" in results_lines(choices, known, state.people)[0].text


def test_the_score_of_an_older_bundle_is_called_pooled(lab):
    choices = ready(lab, streams=("name=ANT",))
    known = found(choices, stream())
    facts, ask = known.bundle(choices), asks_for(choices).bundle
    assert facts is not None
    assert ask is not None
    for update, words in (
        ({"r_is": "pooled over sounds"}, "podcast, 2025-01-01, held-out r 0.31 pooled over sounds"),
        ({"r_mean": None}, "podcast, 2025-01-01"),
    ):
        manifest = facts.bundle.manifest
        scores = manifest.scores.model_copy(update=update)
        other = replace(facts.bundle, manifest=manifest.model_copy(update={"scores": scores}))
        shown = replace(known, facts={**known.facts, ask: replace(facts, bundle=other)})
        state = resolve(choices, shown)
        assert bundle_lines(choices, shown, state.people, state.fit)[0].text == words


#: What is changed in a session that could be started, the streams there are, and the first line: where, and its words.
LIVE = {
    "no stream": ({}, (), "streams", "No EEG stream answers: switch the headset on"),
    "none of type EEG": ({}, (stream(type="Signal"),), "streams", "None of the streams is of type EEG: tick"),
    "none ticked": ({"streams": ()}, (stream(),), "streams", "No EEG stream is ticked: tick the line"),
    "one is gone": ({"streams": ("name=ANT", "source_id=x")}, (stream(),), "streams",
                    "The stream with source id 'x' does not answer now: switch its device on, or untick its line"),
    "twins": ({}, (stream(uid="1"), stream(uid="2")), "streams", "2 live streams share the source_id 'id-ANT'"),
    "no names": ({}, (stream(labels=("",) * 4),), "channels",
                 "Stream 'ANT' does not name its 4 channels; name them in order, under 'Channel names', as in TP9"),
    "too few names": ({"channels": "Fz"}, (stream(),), "channels", "Stream 'ANT' has 18 channels but 1 names"),
    "no unit": ({}, (stream(units=("",) * 18),), "unit", "Stream 'ANT' does not say in which unit its EEG is"),
    "odd unit": ({"unit": "bananas"}, (stream(),), "unit", "EEG unit 'bananas' is not known"),
    "irregular": ({}, (stream(rate=0.0),), "rate", "Stream 'ANT' has rate 0 Hz (irregular)"),
    "no rate": ({"rate": "often"}, (stream(),), "rate", "Rate 'often' is not possible; expected a number of Hz"),
    "texts": ({"streams": ("name=PsychoPy",)}, (markers(),), "streams", "sends values of format 'string', expected"),
    "no answer": ({}, (stream(described=False, trouble="it does not answer; mend it"),), "streams", "does not answer"),
    "peripheral": ({"peripheral": "ANT=EDA-1"}, (stream(),), "peripheral",
                   "The peripheral stream with name 'EDA-1' does not answer now: take it out, or name another"),
    "odd peripheral": ({"peripheral": "=EDA-1"}, (stream(),), "peripheral", "names no person before '='"),
    "odd delay": ({"screen_delay_s": "soon"}, (stream(),), "screen_delay_s",
                  "Screen delay 'soon' is not possible; expected a number of seconds from 0 to 1"),
    "bad board": ({"boards": ("cyton",)}, (stream(),), "boards", "does not begin with brainflow: or fieldtrip:"),
    "no sound file": ({"sound_file": ""}, (stream(),), "sound_file", "No sound file is chosen"),
    "sound is gone": ({"sound_file": "/nowhere/a.wav"}, (stream(),), "sound_file", "/nowhere/a.wav"),
    "no speaker": ({"speaker": "Beamer"}, (stream(),), "speaker", "No sound output device matches 'Beamer': connect"),
    "no microphone": ({"sound": "device", "device": "USB"}, (stream(),), "device", "No sound input device matches"),
    "no sound stream": ({"sound": "stream"}, (stream(),), "sound_stream", "No stream of sound is chosen"),
    "sound stream gone": ({"sound": "stream", "sound_stream": "name=Room"}, (stream(),), "sound_stream",
                          "No stream of sound with name 'Room' answers"),
    "slow sound": ({"sound": "stream", "sound_stream": "name=Room"}, (stream(), sound_stream(rate=100.0)),
                   "sound_stream", "has rate 100 Hz, expected 8000 Hz or more"),
    "many sounds": ({"sound": "stream", "sound_stream": "type=Audio"},
                    (stream(), sound_stream(), sound_stream("Hall")), "sound_stream", "2 streams have the type"),
    "no stimulus": ({"sound": "stimulus", "onset_marker": "go"}, (stream(), markers()), "stimulus", "No sound file"),
    "short": ({"sound": "stimulus", "stimulus": "{short}", "heard_by": "device"}, (stream(),), "stimulus",
              "A stimulus of 2.0 s, with sound, cannot be recognised"),
    "untold onset": ({"sound": "stimulus"}, (stream(),), "onset_marker", "give the marker that it sends"),
    "no markers": ({"sound": "stimulus", "onset_marker": "go"}, (stream(),), "marker_stream",
                   "No stream of markers with type 'Markers' answers: start the program"),
    "two of markers": ({"sound": "stimulus", "onset_marker": "go"}, (stream(), markers(), markers("E-Prime")),
                       "marker_stream", "2 streams of markers answer, 'PsychoPy' (id-PsychoPy) and 'E-Prime'"),
    "bad markers": ({"sound": "stimulus", "onset_marker": "go", "marker_stream": "host=x"}, (stream(),),
                    "marker_stream", "starts with 'host'; expected name=, type= or source_id="),
    "no protocol": ({"sound": "protocol"}, (stream(),), "protocol", "The sound is to be the protocol's, but none"),
    "bundle gone": ({"bundle": "/nowhere"}, (stream(),), "bundle", "No bundle in /nowhere"),
    "too slow": ({"rate": "50"}, (stream(),), "bundle", "The EEG comes at 50 Hz, too slow for lowpass_hz = 30"),
    "threads": ({"threads": "many"}, (stream(),), "threads", "Threads 'many' is not possible"),
    "alone": ({"against": "group"}, (stream(),), "against", "One headset alone has no others"),
    "mains": ({"bundle": "", "sound": "none", "mains": "no"}, (stream(), stream("B")), "mains", "Mains 'no' is not"),
    "settings": ({"bundle": "", "sound": "none", "settings": "/no.toml"}, (stream(),), "settings", "/no.toml"),
    "operator": ({"bundle": "", "sound": "none", "head": "/no.op"}, (stream(),), "head", "/no.op"),
    "strangers": ({"bundle": "", "sound": "none"}, (stream(), stream("B", ("X1", "X2"))), "streams",
                  "No channel name is shared with each other"),
    "no reference": ({"bundle": "", "sound": "none", "against": "reference"}, (stream(),), "bundle",
                     "No bundle is chosen, so there is no reference"),
    "protocol gone": ({"protocol": "/no.toml"}, (stream(),), "protocol", "Protocol /no.toml cannot be read"),
    "film": ({"protocol": "{showing}", "sound": "protocol"}, (stream(),), "screen", "shows the film seen.mkv"),
    "no such screen": ({"screen": 2}, (stream(),), "screen",
                       "Screen 2 for the participant does not exist; there are: 0: eDP-1"),
    "odd code": ({"participant": "P 1"}, (stream(),), "participant", "Participant 'P 1' is not possible; expected"),
    "no folder": ({"folder": ""}, (stream(),), "folder", "Nothing would be kept: choose a folder"),
    "no name": ({"name": " "}, (stream(),), "name", "The new folder of this session has no name"),
    "odd name": ({"name": "a/b"}, (stream(),), "name", "'a/b' cannot be the name of a folder"),
    "never ends": ({"seconds": "soon"}, (stream(),), "seconds", "Ends after 'soon' is not possible"),
}  # fmt: skip


@pytest.mark.parametrize("case", LIVE)
def test_what_prevents_a_live_session_is_told_with_the_field_that_mends_it(lab, case):
    changes, streams, where, words = LIVE[case]
    message = {key: value.format(**lab) if isinstance(value, str) else value for key, value in changes.items()}
    choices = ready(lab, **message)
    message = stops(choices, found(choices, *streams))
    assert [text for place, text in message if place == where and words in text], message
    # Options are told only in commands to be typed.
    assert all("\n" not in text and " --" not in re.sub("`.*?`", "", text) for _, text in message)
    assert not resolve(choices, found(choices, *streams)).may_start


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"recording": ""}, "recording", "No recording is chosen"),
        ({"recording": "/nowhere.xdf"}, "recording", "/nowhere.xdf"),
        ({"recording": "{folder}"}, "recording", "is not a session's folder"),
        ({"speed": "fast"}, "speed", "Speed 'fast' is not a speed; expected a positive number"),
        (
            {"streams": ("name=Muse",)},
            "streams",
            "with name 'Muse' is not in the recording: untick its line",
        ),
        ({"streams": ()}, "streams", "No stream is ticked: tick the EEG"),
        ({"unit": "x"}, "unit", "EEG unit 'x' is not known"),
        ({"sound": "stimulus", "stimulus": "{story}"}, "stimulus", "The recording has no sound to find"),
        ({"sound": "file", "sound_start": "late"}, "sound_start", "Began at 'late' is not possible"),
        ({"sound": "file", "sound_start": "99"}, "sound_start", "The sound (6.0 s) would begin at 99.0 s, outside"),
        ({"sound": "file", "sound_start": "1", "onset_marker": "go"}, "onset_marker", "is told twice"),
        ({"sound": "file", "onset_marker": "go"}, "onset_marker", "No marker 'go' came; what came: 'story'"),
        (
            {"sound": "file", "onset_marker": "go", "marker_stream": "name=E"},
            "onset_marker",
            "The recording has 0 streams of markers with name 'E', expected one: choose it",
        ),
        (
            {"sound": "file", "in_reference": True, "bundle": "{film}"},
            "in_reference",
            "has no reference for this sound",
        ),
        ({"bundle": "{other}"}, "bundle", "No channel name is shared with the bundle's rows (E1, E2)"),
    ],
)
def test_what_prevents_a_replay_is_told(lab, changes, where, words):
    message = {key: value.format(**lab) if isinstance(value, str) else value for key, value in changes.items()}
    choices = ready(lab, **({"mode": "replay", "recording": lab["recording"], "sound": "none"} | message))
    assert [text for place, text in stops(choices, found(choices)) if place == where and words in text]


def test_a_replay_that_fits_can_be_started(lab):
    choices = ready(lab, mode="replay", recording=lab["recording"], sound="none", folder="")
    known = found(choices)
    assert problems(choices, known) == []
    assert recording_lines(choices, known)[0].text == "60 s, 2 streams"
    assert resolve(choices, known).people[0].channels == CHANNELS
    assert [line.where for line in notes(choices, known)] == ["folder"]


@pytest.mark.parametrize("message", [{"sound_start": "2.5"}, {"onset_marker": "story"}, {"in_reference": True}, {}])
def test_a_replay_knows_when_its_file_began(lab, message):
    choices = ready(lab, mode="replay", recording=lab["recording"], sound="file", **message)
    assert problems(choices, found(choices)) == []


def test_the_demo_needs_nothing_and_says_what_it_will_make(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    choices = Choices(mode="demo", rate="x", streams=(), participant="P01")
    known = found(choices)
    assert problems(choices, known) == []
    assert [line.where for line in notes(choices, known)] == ["mode", "folder"]
    assert "about half a minute" in notes(choices, known)[0].text
    wrong = replace(choices, speed="8")
    assert stops(wrong, found(wrong)) == [("speed", "Speed '8' is not possible for the demo; choose 1 or max")]


def test_the_demos_protocol_is_asked_for_and_made_where_it_is_not_there(lab, tmp_path, monkeypatch):
    # The demo itself takes half a minute to make: what it leaves is laid down here.
    made = tmp_path / "demo" / "v10-abc"
    bundle_in(made / "bundle")
    choices = Choices(mode="demo", with_protocol=True, participant="P01", folder=str(tmp_path))
    ask = asks_for(choices).demo
    waiting = replace(found(replace(choices, with_protocol=False)), facts={})
    assert (problems(choices, waiting)[0].where, problems(choices, waiting)[0].kind) == ("mode", "wait")
    assert "half a minute, once" in problems(choices, waiting)[0].text
    (made / "protocol.toml").write_text(PROTOCOL, encoding="utf-8")
    known = replace(choices, demo_protocol=str(made / "protocol.toml"), name="x")
    facts = found(replace(known, with_protocol=False)).facts
    facts = {**facts, ask: DemoFacts(True, made / "protocol.toml")}
    facts |= {each: look_at(each) for each in asks_of(known, Found(facts=facts)) if each.kind != "demo"}
    facts |= {each: look_at(each) for each in asks_of(known, Found(facts=facts)) if each.kind == "arm"}
    assert problems(known, Found(facts=facts, devices=())) == []
    assert plan_of(known).protocol.file == made / "protocol.toml"
    assert protocol_lines(known, Found(facts=facts))[0].text.startswith("Baseline and two runs")


class TestBundle:
    def test_the_wrong_montage_is_told_in_words(self, lab):
        choices = ready(lab, bundle=lab["other"])
        known = found(choices, stream())
        (where, text), *_ = stops(choices, known)
        assert where == "bundle"
        assert text.startswith("No channel name is shared with the bundle's rows (E1, E2) (ANT: Fp1, Fp2")
        assert "'Channel names'" in text
        assert "calibrated on this montage" in text
        state = resolve(choices, known)
        message = bundle_lines(choices, known, state.people, state.fit)
        assert any("does not fit" in line.text and line.mark == "bad" for line in message)

    def test_part_of_the_rows_is_told(self, lab):
        choices = ready(lab, bundle=lab["film"])
        state = resolve(choices, found(choices, stream()))
        message = bundle_lines(choices, state.found, state.people, state.fit)
        assert ("fits in part: 2 of 3 rows", "warn") in [(line.text, line.mark) for line in message]

    def test_the_featurizer_is_timed(self, lab):
        choices = ready(lab)
        message = bundle_lines(choices, found(choices, stream()), (), resolve(choices, found(choices)).fit)
        assert message[-1].text.startswith("featurizer takes 0.0")
        assert message[-1].mark == "good"

    def test_another_featurizer_is_refused(self, lab, tmp_path):
        choices = ready(lab, featurizer=str(tmp_path / "absent.onnx"))
        assert [where for where, _ in stops(choices, found(choices, stream()))] == ["featurizer"]

    def test_a_sound_without_a_reference_is_told(self, lab):
        choices = ready(lab, bundle=lab["film"])
        known = found(choices, stream())
        assert problems(choices, known) == []
        (note,) = notes(choices, known)
        assert note.where == "against"
        assert "Nothing will be observed with one headset: story.wav: the bundle has no reference" in note.text
        strict = replace(choices, against="reference")
        assert [where for where, _ in stops(strict, found(strict, stream()))] == ["against"]
        assert notes(choices, found(choices, stream(), stream("B"))) == []

    def test_a_protocols_own_sounds_are_observed_whatever_the_field_of_the_sound_says(self, lab):
        choices = ready(lab, sound="none", protocol=lab["playing"])
        assert [n.text for n in notes(choices, found(choices, stream())) if "Nothing will be observed" in n.text] == []
        without = ready(lab, sound="none", protocol=lab["protocol"])
        assert any("Nothing will be observed" in line.text for line in notes(without, found(without, stream())))

    def test_headsets_without_a_channel_in_common_are_named_not_the_bundle(self, lab):
        choices = ready(lab, streams=None)
        both = found(choices, stream("A", labels=("Fz",)), stream("B", labels=("Cz",)))
        ((_, text),) = stops(choices, both)
        assert text.startswith("No channel of the bundle's rows is one that all 2 headsets have (A: Fz; B: Cz)")

    def test_the_demos_is_taken_by_name_alone_and_that_is_said(self, lab, tmp_path, monkeypatch):
        monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
        without = ready(lab, bundle="")
        assert asks_for(without).bundle is None
        assert stops(without, found(without, stream())) == []
        assert any("Nothing will be observed" in line.text for line in notes(without, found(without, stream())))
        choices = ready(lab, bundle="demo")
        ((where, text),) = stops(choices, found(choices, stream()))
        assert where == "bundle"
        assert text.startswith("The demo's bundle is not made yet: start the demo once, or choose another bundle")
        bundle_in(tmp_path / "demo" / "v1-abc" / "bundle")
        _facts.clear()
        assert any("is synthetic" in line.text for line in notes(choices, found(choices, stream())))

    def test_a_default_featurizer_that_is_not_made_yet_is_no_hindrance(self, lab, tmp_path, monkeypatch):
        from rtaffect.engine.bundle import Bundle, FeaturizerIdentity, save_bundle
        from tests.engine.test_bundle import some_bundle

        monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path / "cache"))
        made = some_bundle()
        for identity, kind in (("moonshine-tiny/layer-2", "FeaturizerFacts"), ("hubert/layer-7", "Trouble")):
            own = FeaturizerIdentity(identity=identity, sha256="b" * 64, size=6)
            manifest = made.manifest.model_copy(update={"featurizer": own})
            save_bundle(Bundle(manifest, made.weights, made.references, made.space), tmp_path / "b")
            fact = look_at(Ask("featurizer", str(tmp_path / "b"), ("", "1")))
            assert type(fact).__name__ == kind
        assert "not in its folder" in fact.text
        assert not (tmp_path / "cache").exists()


class TestProtocol:
    def test_all_that_is_wrong_with_it_is_told(self, lab, tmp_path):
        path = tmp_path / "p.toml"
        text = PROTOCOL.replace('"rest"', '"pause"').replace("duration_s = 120", 'stimulus = "gone.wav"')
        path.write_text(text, encoding="utf-8")
        choices = ready(lab, protocol=str(path))
        message = [text for where, text in stops(choices, found(choices, stream())) if where == "protocol"]
        assert len(message) == 2
        assert "block 3 'Pause': kind = 'pause': expected 'baseline', 'rest'" in message[0]
        assert "gone.wav is not there" in message[1]
        assert protocol_lines(choices, found(choices)) == ()

    def test_rows_and_lengths_that_do_not_fit_the_bundle(self, lab, tmp_path):
        path = tmp_path / "p.toml"
        path.write_text(PROTOCOL.replace('["mean"]', '["Q9"]').replace("= 120", "= 12"), encoding="utf-8")
        choices = ready(lab, protocol=str(path))
        message = " ".join(text for where, text in stops(choices, found(choices, stream())) if where == "protocol")
        assert "feedback.rows names Q9, which this session does not have" in message
        assert "gives at most 2 values, its scale needs 30" in message

    def test_who_plays_the_sounds_is_told_apart(self, lab):
        both = ready(lab, protocol=lab["playing"])
        assert stops(both, found(both, stream()))[0][0] == "sound"
        own = ready(lab, protocol=lab["playing"], sound="protocol")
        assert problems(own, found(own, stream())) == []
        assert Ask("sound", lab["story"]) in asks_of(own, found(own))
        none = ready(lab, protocol=lab["protocol"], sound="protocol")
        assert ("sound", "The protocol plays no sound: choose what people hear, or no sound at all") in stops(
            none, found(none, stream())
        )

    def test_a_feedback_of_predictions_needs_a_bundle(self, lab, tmp_path):
        path = tmp_path / "p.toml"
        path.write_text(PROTOCOL.replace("[feedback]", '[feedback]\nvalue = "difference"'), encoding="utf-8")
        choices = ready(lab, protocol=str(path), sound="none", bundle="")
        assert [where for where, _ in stops(choices, found(choices, stream(), stream("B", source_id="b")))] == [
            "bundle"
        ]

    @pytest.mark.parametrize(
        ("changes", "where", "words"),
        [
            ({}, None, ""),
            ({"allocation": ""}, "allocation", "has 2 arms: name the allocation"),
            ({"participant": ""}, "participant", "name the participant's code"),
            ({"participant": "P03"}, "participant", "Participant P03 is not in the allocation"),
            ({"session_code": ""}, "session_code", "is sealed: the session of P01 needs"),
            ({"session_code": "AAAAA"}, "session_code", "does not open the entry of P01"),
            ({"allocation": "{story}"}, "allocation", "is no sealed allocation"),
            ({"protocol": ""}, "protocol", "choose that protocol, too"),
            ({"protocol": "{protocol}"}, "allocation", "has no arms to allocate: leave the allocation out"),
        ],
    )
    def test_the_allocation_is_checked_without_being_shown(self, lab, changes, where, words):
        message = {key: value.format(**lab) for key, value in changes.items()}
        code = session_codes(key_beside(Path(lab["sealed"])))["P01"]
        sealed = {"protocol": lab["arms"], "allocation": lab["sealed"], "session_code": code}
        choices = ready(lab, **(sealed | message))
        known = found(choices, stream())
        assert [place for place, _ in stops(choices, known)] == ([where] if where else [])
        assert words in "".join(text for _, text in stops(choices, known))
        shown = repr(known.facts) + "".join(line.text for line in allocation_lines(choices, known))
        if not changes:
            assert "sealed, SHA-256" in shown
            assert "ArmFacts()" in shown


class TestFolder:
    def test_a_session_that_is_there_is_not_written_over(self, lab, tmp_path):
        (tmp_path / "P01-1").mkdir()
        choices = ready(lab, folder=str(tmp_path))
        assert problems(choices, found(choices, stream())) == []
        (tmp_path / "P01-1" / "session.toml").touch()
        ((where, text),) = stops(choices, found(choices, stream()))
        assert where == "name"
        assert "already holds a session: give another name" in text
        assert suggested_name("P01", dt.date(2025, 11, 2), frozenset({"P01-2025-11-02"})) == "P01-2025-11-02-2"
        assert suggested_name(" ", dt.date(2025, 11, 2), frozenset()) == "session-2025-11-02"

    def test_a_folder_that_is_to_be_made_is_looked_for_above(self, lab, tmp_path):
        choices = ready(lab, folder=str(tmp_path / "a" / "b"))
        assert problems(choices, found(choices, stream())) == []
        assert not (tmp_path / "a").exists()
        (tmp_path / "a").write_text("a file")
        inside = replace(choices, folder=str(tmp_path / "a"))
        assert "a file, not a folder" in stops(inside, found(inside, stream()))[0][1]

    @pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody can write to")
    def test_a_folder_that_cannot_be_written_to(self, lab):
        choices = ready(lab, folder="/proc/results")
        assert "/proc cannot be written to" in stops(choices, found(choices, stream()))[0][1]

    @pytest.mark.parametrize(("free", "words"), [(1e8, "Only 100 MB are free"), (5e8, "500 MB are free, enough for")])
    def test_a_disk_that_is_full_or_will_be(self, lab, free, words):
        choices = ready(lab, seconds="86400")
        known = found(choices, stream())
        full = {**known.facts, asks_for(choices).out: FolderFacts(int(free), frozenset(), False)}
        ((where, text),) = stops(choices, replace(known, facts=full))
        assert where == "folder"
        assert text.startswith(words)


def test_what_is_still_looked_at_is_waited_for(lab):
    choices = ready(lab, protocol=lab["arms"], allocation=lab["sealed"])
    known = Found((stream(described=False),), 0.5, None, "", SCREENS)
    waited = problems(choices, known)
    assert {line.kind for line in waited} == {"wait"}
    assert {line.where for line in waited} == {"streams", "sound_file", "speaker", "bundle", "protocol", "allocation",
                                               "folder"}  # fmt: skip
    assert problems(ready(lab), Found()) != []


def test_a_plan_without_a_window_has_nobody_to_press_a_key(lab):
    choices = ready(lab, protocol=lab["protocol"], headless=True)
    ((where, text),) = stops(choices, found(choices, stream()))
    assert where == "protocol"
    assert "block 'Baseline' waits for the operator's key: take headless out" in text


def test_notes_do_not_prevent_the_start(lab):
    headless = ready(lab, headless=True)
    assert {line.where for line in notes(headless, found(headless, stream()))} == {"mode"}
    assert problems(headless, found(headless, stream())) == []
    choices = ready(lab, participant="", preview=True, screen=7, boards=("brainflow:synthetic",))
    message = {line.where: line.text for line in notes(choices, found(choices, stream()))}
    assert set(message) == {"participant", "screen", "boards"}
    assert "whose they are" in message["participant"]
    assert problems(choices, found(choices, stream())) == []
    board = Trouble("no such board; buy one")
    assert stops(choices, found(choices, stream(), boards={"brainflow:synthetic": board})) == [
        ("streams", "No such board; buy one")
    ]


class TestTicks:
    def test_all_of_type_eeg_unless_something_is_chosen(self):
        streams = (stream(), stream("Muse", MUSE), stream("Accelerometer", ("x",), type="ACC"))
        assert [s.header.name for s in ticked(Choices(), streams)] == ["ANT", "Muse"]
        chosen, why_not = toggle(Choices(), streams[0], False, streams)
        assert (chosen, why_not) == (("source_id=id-Muse",), "")
        again, _ = toggle(Choices(streams=chosen), streams[2], True, streams)
        assert again == ("source_id=id-Muse", "source_id=id-Accelerometer")
        none, _ = toggle(Choices(streams=chosen), streams[1], False, streams)
        assert none == ()
        assert ticked(Choices(streams=none), streams) == ()

    def test_two_streams_with_one_name_are_told_apart(self):
        one, other = stream("Muse", MUSE, source_id="a"), stream("Muse", MUSE, source_id="b", uid="2")
        chosen, _ = toggle(Choices(streams=()), other, True, (one, other))
        assert chosen == ("source_id=b",)
        assert [person.name for person in resolve(Choices(), Found((one, other))).people] == ["Muse (a)", "Muse (b)"]

    def test_one_device_may_give_several_types_one_name_and_id(self):
        eeg, motion = stream("Muse", MUSE, source_id="m"), stream("Muse", ("x",), source_id="m", type="ACC")
        # Whoever names a headset means its EEG.
        assert toggle(Choices(streams=()), eeg, True, (eeg, motion)) == (("source_id=m",), "")
        twin = replace(eeg, header=replace(eeg.header, uid="2"))
        chosen, why_not = toggle(Choices(streams=()), eeg, True, (eeg, twin))
        assert chosen == ()
        assert "cannot be told apart" in why_not
        assert "name or source_id of its own" in why_not

    def test_one_that_is_gone_stays_ticked_and_can_be_unticked(self):
        choices = Choices(streams=("name=A=B", "source_id=x"))
        chosen, _ = toggle(choices, stream(), True, (stream(),))
        assert chosen == ("source_id=id-ANT", "name=A=B", "source_id=x")
        rows = resolve(choices, Found((stream(),))).rows
        assert [(row.ticked, row.mark, row.cells[0]) for row in rows] == [
            (False, "idle", "ANT"), (True, "bad", "A=B"), (True, "bad", "does not answer")
        ]  # fmt: skip
        assert without_query(choices, rows[1].query) == ("source_id=x",)


class TestDevices:
    def test_a_device_is_named_so_that_it_is_found_again(self):
        twice = replace(SPEAKER, index=4, host_api="JACK", default_output=False)
        devices = (SPEAKER, MICROPHONE, twice)
        assert text_for(devices, MICROPHONE, "input") == "Microphone"
        assert text_for((SPEAKER, replace(SPEAKER, index=7)), SPEAKER, "output") == "0"
        for device in (SPEAKER, twice):
            assert choose(devices, text_for(devices, device, "output"), "output") == device
        assert choose(devices, "", "output") == SPEAKER

    @pytest.mark.parametrize(
        ("devices", "wanted", "words"),
        [
            ((), "", "No sound output device was found"),
            ((replace(SPEAKER, default_output=False),), "", "has no default sound output device: choose one"),
            ((SPEAKER, replace(SPEAKER, index=3)), "Speakers", "means 2 sound output devices: choose one"),
        ],
    )
    def test_one_that_is_not_there_is_told(self, devices, wanted, words):
        with pytest.raises(RtaffectError, match=words):
            choose(devices, wanted, "output")


def test_a_recording_shows_what_is_odd_about_it(lab, tmp_path):
    whole = Path(lab["recording"]).read_bytes()
    cut = tmp_path / "cut.xdf"
    cut.write_bytes(whole[:-9])
    fact = look_at(Ask("recording", str(cut)))
    assert isinstance(fact, RecordingFacts)
    assert "cut short" in fact.warnings[0]
    assert next(iter(fact.glimpses.values())).shape == (400, len(CHANNELS))
    choices = ready(lab, mode="replay", recording=str(cut), sound="none")
    assert [line.kind for line in notes(choices, found(choices)) if line.where == "recording"] == ["note"]


def test_a_sessions_folder_is_replayed_as_its_recording(lab, tmp_path):
    (tmp_path / "recording.xdf").write_bytes(Path(lab["recording"]).read_bytes())
    started = 'started = "2025-11-20T10:30:00+00:00"\noutcome = "completed"\nsound = {kind = "stream", name = "Room"}'
    started += f'\nbundle_folder = "{lab["bundle"]}"\n[[ran.eeg]]\nname = "ANT"\nstream = "ANT"\nsource_id = "ant-7"'
    (tmp_path / "session.toml").write_text(f'format = 1\nparticipant = "P02"\n[ran]\n{started}\n', encoding="utf-8")
    choices = ready(lab, mode="replay", recording=str(tmp_path), sound="none")
    known = found(choices)
    assert problems(choices, known) == []
    (line,) = recording_lines(choices, known)
    assert line.text == "session of P02, 2025-11-20 10:30, completed: 60 s, 2 streams"
    assert session_lines(choices, known) == ("As the session ran: an LSL stream (Room).",)
    assert (replay_lines(choices, known)[0].text, session_lines(ready(lab), known)) == ("none, as the session ran", ())
    own = replace(choices, bundle="")
    assert in_effect(own, found(own)).bundle == lab["bundle"]
    assert resolve(own, found(own)).people[0].channels == CHANNELS
    assert "bundle" not in plan_of(own).analysis.model_fields_set
    before = stamp_of(Ask("recording", str(tmp_path)))
    (tmp_path / "recording.xdf").write_bytes(b"other")
    assert stamp_of(Ask("recording", str(tmp_path))) != before


def test_a_session_that_cannot_be_replayed_as_it_ran_is_told(lab, tmp_path):
    (tmp_path / "recording.xdf").write_bytes(Path(lab["recording"]).read_bytes())
    protocol = tmp_path / "p.toml"
    protocol.write_text(PROTOCOL, encoding="utf-8")
    ran = f'[protocol]\nfile = "p.toml"\n[ran]\nprotocol_sha256 = "{"0" * 64}"\n[[ran.eeg]]\nsource_id = "gone"\n'
    (tmp_path / "session.toml").write_text(f"format = 1\n{ran}", encoding="utf-8")
    choices = ready(lab, mode="replay", recording=str(tmp_path))
    message = stops(choices, found(choices))
    assert [where for where, _ in message] == ["recording", "streams"]
    assert "p.toml has changed since the session ran: put the file back" in message[0][1]
    assert "source id 'gone' is not in the recording" in message[1][1]
    replayed = 'format = 1\nmode = "replay"\nrecording = "first"\n[ran]\n'
    (tmp_path / "session.toml").write_text(replayed, encoding="utf-8")
    assert "is the folder of a replay" in stops(choices, found(choices))[0][1]


def test_nothing_that_is_looked_at_raises(tmp_path):
    odd = tmp_path / "odd"
    odd.write_bytes(os.urandom(64))
    kinds = [kind for kind in look._LOOKS if kind not in ("demo", "arm")]
    for kind in kinds:
        for path in (str(odd), str(tmp_path), str(tmp_path / "none"), "/no\0where"):
            fact = look_at(Ask(kind, path, ("", "")))
            stamp_of(Ask(kind, path, ("", "")))
            assert isinstance(fact, Trouble) or kind in ("out", "library"), (kind, path)
            assert not isinstance(fact, Trouble) or (fact.text and "\n" not in fact.text), (kind, path)


def test_lines_come_in_order_once(lab):
    choices = ready(lab, participant="", bundle="/nowhere", rate="x")
    lines = resolve(choices, found(choices, stream())).lines
    assert [line.kind for line in lines] == sorted((line.kind for line in lines), key=["stop", "wait", "note"].index)
    assert len(set(lines)) == len(lines)
    assert isinstance(lines[0], Problem)
    silent = ready(lab, protocol=lab["tone"])
    alike = [text for _, text in stops(silent, found(silent, stream(), devices=())) if "No sound output device" in text]
    assert len(alike) == 1
