"""Observed synchrony is locked to a stimulus that is known, told by a marker, or heard: against planted truth."""

from __future__ import annotations

import functools
import math
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from pylsl import StreamInfo, StreamOutlet, local_clock

from rtaffect.common.clock import InstantClock
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.observed.participant import Participant
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.featurizer import features_of
from rtaffect.predicted.prediction import Predictor, components_of, lagged_design
from rtaffect.predicted.sound_input import HeardSecond, SoundInput
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import Query
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.doubt import Doubts
from rtaffect.stream.markers import Marker
from rtaffect.timelock.alignment import Aligner, Alignment
from rtaffect.timelock.stimulus import KnownOnset, MarkerOnset, PlannedOnsets, SoundOnset, TimeLock
from tests.stream.test_markers import Stimulus, wait_for
from tests.support.helpers import RATE, BandFeaturizer, brain_noise, headset, some_weights, sound_source
from tests.timelock.test_alignment import captured, pink, soundtrack

ORIGIN = 1000.0
SOUND_RATE = 16_000
EEG_RATE = 250.0
LEAD = 3.0
STIMULUS_S = 90.0
SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3)))
SPACE = ChannelSpace(("C1", "C2"))


def stimulus() -> np.ndarray:
    return soundtrack(21, STIMULUS_S)


@functools.cache
def group_response() -> np.ndarray:
    """What the group's brains do while they hear the stimulus (n, 2) V, from LEAD s before it."""
    return 15e-6 * brain_noise(np.random.default_rng(5), round((LEAD + STIMULUS_S) * EEG_RATE), 2, EEG_RATE)


@functools.cache
def reference() -> np.ndarray:
    """The group's response as a session that began with the stimulus would have it."""
    source = headset(group_response(), onset=ORIGIN - LEAD)
    listener = Participant(source, SPACE.channels, SETTINGS, ORIGIN)
    pieces = []
    for step in range(1, round(STIMULUS_S)):
        source.advance(ORIGIN + step + listener.lookahead_s)
        listener.advance(step)
        pieces.append(listener.window(step, 1))
    return np.nan_to_num(np.concatenate(pieces)).astype(np.float32)


def person(place_of_time, seconds: float, origin: float = ORIGIN, name: str = "A", own: float = 1.0):
    """A headset whose wearer hears second ``place_of_time(t)`` of the stimulus at session time t, s."""
    time = np.arange(-LEAD, seconds, 1 / EEG_RATE)
    at = (place_of_time(time) + LEAD) * EEG_RATE
    number = np.arange(len(group_response()))
    heard = np.stack([np.interp(at, number, column, 0.0, 0.0) for column in group_response().T], axis=1)
    noise = 15e-6 * brain_noise(np.random.default_rng(sum(name.encode())), len(time), 2, EEG_RATE)
    return headset(heard + own * noise, name=name, onset=origin - LEAD)


@dataclass
class Told:
    """A lock that is told the truth: the offset at each step, NaN where the stimulus does not go on."""

    offsets: Sequence[float]
    since: float = -math.inf
    stimulus: str = ""
    steps: int = field(default=0)
    doubts: Doubts = field(default_factory=Doubts)

    def step(self, heard: Sequence[HeardSecond]) -> Alignment:
        self.steps += 1
        offset = self.offsets[self.steps - 1]
        return Alignment("lost" if math.isnan(offset) else "locked", offset, 1.0, 0.0)


def engine(people: list, sound, lock: TimeLock, origin: float = ORIGIN) -> Engine:
    return Engine(
        people,
        SPACE,
        SETTINGS,
        origin,
        sound=sound,
        sound_input=SoundInput(sound, BandFeaturizer(), origin),
        predictor=Predictor(some_weights(np.random.default_rng(1)), np.arange(2)),
        lock=lock,
        references={"": reference()},
    )


def run(people: list, sound: np.ndarray, lock: TimeLock, steps: int) -> list[Feedback]:
    found: list[Feedback] = []
    made = engine(people, sound_source(sound, onset=ORIGIN), lock)
    Session(made, InstantClock(ORIGIN - 1), [found.append], threading.Event(), steps).run()
    assert len(found) == steps
    return found


def heard_lock() -> SoundOnset:
    return SoundOnset(Aligner(stimulus()), ORIGIN)


def states(found: list[Feedback]) -> list[str]:
    return [f.alignment.state for f in found if f.alignment is not None]


def has_value(found: list[Feedback]) -> np.ndarray:
    for f in found:
        whole, none = np.isfinite(f.observed).all(), np.isnan(f.observed).all() and math.isnan(f.observed_mean)
        assert whole or none
        assert (f.observed_against == "reference") == whole
    return np.array([np.isfinite(f.observed).all() for f in found])


def assert_same_values(found: Feedback, expected: Feedback, atol: float) -> None:
    for name in ("observed", "observed_each", "observed_mean", "null_low", "null_high"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=atol, err_msg=name)


@pytest.mark.parametrize("ppm", [0, 100])
def test_a_stimulus_that_is_heard_gives_what_a_known_onset_gives(ppm):
    """It begins 4.3 s after the session, and goes 100 ppm too slowly: then the reference is laid anew on the way."""
    begin, steps = 4.3, 78
    sound = captured(stimulus(), gain=0.3, pink_db=10, ppm=ppm)
    sound = np.concatenate([np.zeros(round(begin * SOUND_RATE), np.float32), sound])
    slow = 1 + ppm * 1e-6

    def place(t):
        return (t - begin) / slow

    found = run([person(place, 80)], sound, heard_lock(), steps)
    truth = [t - place(t) for t in np.arange(1.0, steps + 1)]
    expected = run([person(place, 80)], sound, Told(truth), steps)
    locked = np.array(states(found)) == "locked"
    first = int(np.argmax(locked)) + 1
    assert begin < first <= begin + 8
    assert locked[first - 1 :].all()
    values = has_value(found)
    assert values.tolist() == [step >= first + 9 for step in range(1, steps + 1)]
    for f in found[: first - 1]:
        assert f.alignment.reason in f.reason
    assert "the sound has been aligned for 9 s of the 10 s" in found[first + 7].reason
    for f, e, offset in zip(found, expected, truth, strict=True):
        if values[f.step - 1]:
            assert f.alignment.offset_s == pytest.approx(offset, abs=1e-3)
            assert_same_values(f, e, atol=1e-2)
            assert (f.observed > f.null_high).all()
    placed = {round(offset * RATE) for offset in truth[first + 8 :]}
    assert placed == ({430} if ppm == 0 else {430, 431})
    assert np.mean([f.observed for f in found[first + 8 :]]) == pytest.approx(math.sqrt(0.5), abs=0.05)
    assert all(f.stage_s["alignment"] > 0 for f in found)


def test_a_player_that_pauses_withholds_the_value_until_it_is_aligned_for_a_window():
    paused, resumed, steps = 25.4, 37.9, 66
    parts = stimulus()[: round(paused * SOUND_RATE)], stimulus()[round(paused * SOUND_RATE) :]
    silence = np.zeros(round((resumed - paused) * SOUND_RATE), np.float32)
    sound = captured(np.concatenate([parts[0], silence, parts[1]]), white_db=40)

    def place(t):
        return np.where(t < paused, t, np.maximum(paused, t - (resumed - paused)))

    found = run([person(place, 68)], sound, heard_lock(), steps)
    values, course = has_value(found), states(found)
    lost = next(step for step in range(26, steps) if course[step - 1] != "locked")
    assert values[14:25].all()
    assert lost <= paused + 5
    again = next(step for step in range(lost, steps) if course[step - 1] == "locked")
    assert resumed < again <= resumed + 8
    assert not values[lost - 1 : again + 8].any()
    assert values[again + 8 :].all()
    assert found[lost - 1].alignment.reason in found[lost - 1].reason
    expected = run([person(place, 68)], sound, Told([resumed - paused] * steps), steps)
    for step in range(again + 9, steps + 1):
        assert found[step - 1].alignment.offset_s == pytest.approx(resumed - paused, abs=1e-3)
        assert_same_values(found[step - 1], expected[step - 1], atol=1e-9)


def test_a_stimulus_that_was_drowned_and_went_on_has_its_value_back_at_once():
    steps = 45
    sound = captured(stimulus()[: 50 * SOUND_RATE], white_db=40).copy()
    loud = slice(20 * SOUND_RATE, 30 * SOUND_RATE)
    sound[loud] += 3 * pink(np.random.default_rng(2), 10 * SOUND_RATE).astype(np.float32)
    found = run([person(lambda t: t, 50)], sound, heard_lock(), steps)
    values, course = has_value(found), states(found)
    lost = course.index("lost") + 1
    again = course.index("locked", lost) + 1
    assert 20 < lost <= 25
    assert 30 < again <= 38
    assert not values[lost - 1 : again - 1].any()
    assert values[again - 1 :].all()
    expected = run([person(lambda t: t, 50)], sound, KnownOnset(0.0), steps)
    for step in range(again, steps + 1):
        assert_same_values(found[step - 1], expected[step - 1], atol=1e-9)


@pytest.mark.parametrize(("kind", "at"), [("pause", 25.2), ("skip", 25.2)])
def test_a_break_is_told_in_the_very_second_and_withheld_until_a_window_is_past_it(kind, at):
    begin, end = (round(t * SOUND_RATE) for t in ((at, at) if kind == "pause" else (at, at + 0.05)))
    silence = np.zeros(3 * SOUND_RATE if kind == "pause" else 0, np.float32)
    sound = captured(np.concatenate([stimulus()[:begin], silence, stimulus()[end:]]), white_db=40)
    moved, steps = (3.0 if kind == "pause" else -0.05), 48

    def place(t):
        return np.where(t < at, t, np.maximum(at if kind == "pause" else 0.0, t - moved))

    lock = heard_lock()
    found = run([person(place, 50)], sound, lock, steps)
    values, course = has_value(found), states(found)
    broken = math.ceil(at)
    assert values[14 : broken - 1].all()
    again = next(step for step in range(broken + 1, steps) if abs(found[step - 1].alignment.offset_s - moved) < 0.002)
    assert not values[broken - 1 : again + 8].any()
    assert values[again + 9 :].all()
    assert found[broken - 1].trusted.sum() == 0
    assert {d.reason for d in found[broken - 1].doubts} == {"sound-break"}
    assert {d.about for d in found[broken - 1].doubts} == {"stimulus"}
    (doubt,) = lock.doubts.within(0.0, math.inf)
    assert ORIGIN + broken - 3 <= doubt.since <= ORIGIN + at
    assert ORIGIN + at < doubt.until <= ORIGIN + again
    assert course[-1] == "locked"
    assert np.isfinite(found[broken + 1].predicted).all() or kind == "pause", "what is heard still predicts"


def test_another_sound_is_never_compared_with_the_reference_nor_people_with_each_other():
    sound = captured(soundtrack(13, 32.0, False), white_db=30)
    people = [person(lambda t: t, 32, name=name) for name in ("A", "B")]
    found = run(people, sound, heard_lock(), 30)
    assert set(states(found)) == {"searching"}
    assert not has_value(found).any()
    assert {f.observed_against for f in found} == {"nothing"}
    assert "not found in the stimulus" in found[-1].reason
    assert np.isfinite(found[-1].predicted).all(), "what is heard still predicts"


def test_the_same_sound_gives_the_same_however_it_comes():
    sound = captured(stimulus()[: 30 * SOUND_RATE], pink_db=10)

    def made() -> Engine:
        return engine([person(lambda t: t, 30)], sound_source(sound, onset=ORIGIN), heard_lock())

    one, other = (run([person(lambda t: t, 30)], sound, heard_lock(), 26) for _ in range(2))
    assert one == other
    assert has_value(one).any()
    # The sound of second 12 comes with the next, as over a network that hesitates.
    late = made()
    for source in late.sources:
        source.start()
    found = []
    for step in range(1, 27):
        due = late.end_of(step) + late.lookahead_s
        late.sources[0].advance(due)
        if step != 12:
            late.sources[1].advance(due)
        found.append(late.step(due))
    assert found[11].alignment.state == "locked"
    assert "has not come yet" in found[11].reason
    assert [f.alignment for f in found if f.step != 12] == [f.alignment for f in one if f.step != 12]


def test_a_known_onset_holds_from_the_first_step():
    found = run([person(lambda t: t - 2.5, 16)], np.zeros(16 * SOUND_RATE, np.float32), KnownOnset(2.5), 15)
    assert {f.alignment for f in found} == {Alignment("locked", 2.5, 1.0, 0.0)}
    assert np.flatnonzero(has_value(found)).tolist() == [12, 13, 14]


@dataclass
class Recorded:
    """Markers that came, as a list."""

    markers: list[Marker]
    trouble: str = ""
    flooded: bool = False


def test_a_marker_lays_the_reference_whenever_it_comes_to_be_known():
    """It is known at once, or 14 s late: then the window is compared anew."""
    people, silence = [person(lambda t: t - 1.25, 32)], np.zeros(32 * SOUND_RATE, np.float32)
    expected = run(people, silence, KnownOnset(1.25), 30)
    source = Recorded([])
    late = engine(
        [person(lambda t: t - 1.25, 32)], sound_source(silence, onset=ORIGIN), MarkerOnset(source, "a", ORIGIN)
    )
    found = []
    for step in range(1, 31):
        if step == 16:
            source.markers.append(Marker("a", ORIGIN + 1.25))
            source.trouble = "the stream is gone"
        for each in late.sources:
            each.advance(late.end_of(step) + late.lookahead_s)
        found.append(late.step(late.end_of(step)))
    assert not has_value(found[:15]).any()
    assert all("waiting for the marker 'a'" in f.reason for f in found[:15])
    assert found[4].alignment.state == "searching"
    assert has_value(found[15:]).all()
    for f, e in zip(found[15:], expected[15:], strict=True):
        assert_same_values(f, e, atol=1e-12)
        assert "the stream is gone" in f.reason


def test_markers_over_lsl_start_the_file_and_a_second_one_ends_it():
    """The session's zero was 6 s ago; the marker comes now, and the file is what is heard from then on."""
    program = Stimulus()
    markers = LslMarkers(find_stream(Query("name", program.name), settle=0.2))
    markers.start()
    try:
        origin = local_clock() - 6.0
        file = SoundFileSource(stimulus(), "film.wav")
        made = engine([person(lambda t: t, 60, origin)], file, MarkerOnset(markers, "film", origin, file), origin)
        file.start()
        found: list[Feedback] = []

        def go_on(until: int) -> None:
            while len(found) < until:
                due = made.end_of(len(found) + 1) + made.lookahead_s
                for source in made.sources:
                    source.advance(due)
                found.append(made.step(due))

        program.send("fixation")
        go_on(5)
        assert {f.alignment.state for f in found} == {"searching"}
        assert "waiting for the marker 'film'" in found[-1].reason
        assert found[-1].sources[-1].state == "waiting"
        onset = program.send("film") - origin
        wait_for(lambda: len(markers.markers) == 2)
        go_on(30)
        assert {f.alignment.state for f in found[5:]} == {"locked"}
        assert found[-1].alignment.offset_s == pytest.approx(onset, abs=1e-3)
        begun = math.ceil(onset)
        assert [f.step for f in found if f.observed_against == "reference"] == list(range(begun + 10, 31))
        predicted = np.isfinite([f.predicted_mean for f in found])
        assert np.flatnonzero(predicted).tolist() == list(range(begun + 3, 30))
        # The session's seconds of the file.
        from_here = stimulus()[round((begun - found[-1].alignment.offset_s) * SOUND_RATE) :]
        weights = some_weights(np.random.default_rng(1))
        features = features_of(from_here[: (30 - begun) * SOUND_RATE], BandFeaturizer()).astype(np.float64)
        design = lagged_design(components_of(features, weights), weights.lags_s)
        batch = np.tanh(design @ weights.coefficients + weights.intercept)
        assert batch[3:].std(axis=0).min() > 0.03
        np.testing.assert_allclose([f.predicted for f in found[begun + 3 :]], batch[3:], atol=1e-2)
        program.send("film")
        wait_for(lambda: len(markers.markers) == 3)
        go_on(36)
        for f in found[30:]:
            assert f.alignment.state == "lost"
            assert "marker 'film' came 2 times" in f.reason
            assert f.observed_against == "nothing"
            assert np.isnan(f.observed).all()
        assert np.isnan(found[-1].predicted).all()
    finally:
        markers.stop()
        program.end()


def at(lock: MarkerOnset) -> tuple[str, float]:
    found = lock.step([])
    return found.state, found.offset_s


def test_of_several_markers_none_is_taken_until_one_is_chosen():
    source = Recorded([Marker("a", ORIGIN + 1.25), Marker("b", ORIGIN)])
    names = ("a", "a@first", "a@2", "a@last")
    locks = [MarkerOnset(source, name, ORIGIN) for name in names]
    assert [at(lock)[0] for lock in locks] == ["locked", "locked", "searching", "locked"]
    assert "waiting for number 2 of the marker 'a'" in locks[2].step([]).reason
    source.markers.append(Marker("a", ORIGIN + 1.25 + 5e-4))
    assert at(locks[0]) == ("locked", 1.25), "the same marker, sent again"
    source.markers.append(Marker("a", ORIGIN + 20.0))
    assert [at(lock) for lock in locks[1:]] == [("locked", 1.25), ("locked", 20.0), ("locked", 20.0)]
    refused = locks[0].step([])
    assert (refused.state, math.isnan(refused.offset_s)) == ("lost", True)
    assert '--onset-marker "a@1"' in refused.reason


def test_in_a_flood_of_markers_none_is_sure_until_one_is_chosen():
    source = Recorded([Marker("a", ORIGIN + 1.25)])
    plain, chosen = MarkerOnset(source, "a", ORIGIN), MarkerOnset(source, "a@first", ORIGIN)
    assert at(plain) == at(chosen) == ("locked", 1.25)
    source.flooded = True
    assert at(plain)[0] == "lost"
    assert "some may be lost" in plain.step([]).reason
    assert at(chosen) == ("locked", 1.25)


def test_a_file_that_is_laid_is_not_moved_but_ends():
    source, file = Recorded([Marker("a", ORIGIN + 1.25)]), SoundFileSource(stimulus(), "film.wav")
    lock = MarkerOnset(source, "a@last", ORIGIN, file)
    file.start()
    assert at(lock) == ("locked", 1.25)
    source.markers.append(Marker("a", ORIGIN + 1.2495))
    assert at(lock)[0] == "locked"
    source.markers.append(Marker("a", ORIGIN + 9.0))
    assert at(lock)[0] == "lost"
    assert "by --mic or --audio-stream" in lock.step([]).reason
    assert file.status(ORIGIN + 10.0).state == "ended"


def test_a_flood_over_lsl_that_hides_a_second_marker_leaves_none_sure():
    """The marker, then 78,000 at once among which it is again, and once more with the stamp it had."""
    name = f"Markers {uuid.uuid4().hex[:8]}"
    outlet = StreamOutlet(StreamInfo(name, "Markers", 1, 0.0, "string", name), max_buffered=1000)
    markers = LslMarkers(find_stream(Query("name", name), settle=0.2), "film")
    markers.start()
    try:
        wait_for(outlet.have_consumers)
        onset = local_clock()
        lock = MarkerOnset(markers, "film", onset)
        assert at(lock)[0] == "searching"
        for _ in range(2):
            outlet.push_sample(["film"], onset)
        wait_for(lambda: len(markers.markers) == 2)
        assert at(lock) == ("locked", pytest.approx(0.0, abs=1e-3))
        outlet.push_chunk([["film" if i == 40_000 else f"garbage {i}"] for i in range(78_000)], onset + 5.0)
        wait_for(lambda: lock.step([]).state == "lost", 30.0)
        wait_for(lambda: len(markers.markers) == 3, 30.0)
        refused = lock.step([])
        assert "'film' came 2 times" in refused.reason
        assert math.isnan(refused.offset_s)
    finally:
        markers.stop()


def test_a_reference_without_a_lock_is_refused():
    with pytest.raises(ValueError, match="needs a lock"):
        Engine([person(lambda t: t, 5)], SPACE, SETTINGS, ORIGIN, references={"": reference()})


def test_each_stimulus_of_a_programme_is_compared_with_its_own_reference():
    """The second half of the stimulus as a stimulus of its own, played first; the whole of it after a pause."""
    half = round(STIMULUS_S / 2)
    lock = PlannedOnsets()
    lock.place("half", 3.0, 3.0 + 30)
    lock.place("unknown", 35.0, 40.0)
    lock.place("whole", 42.0, 42.0 + 40)

    def place(t: np.ndarray) -> np.ndarray:
        return np.where((t >= 3) & (t < 33), t - 3 + half, np.where(t >= 42, t - 42, -99.0))

    made = Engine(
        [person(place, 85)],
        SPACE,
        SETTINGS,
        ORIGIN,
        lock=lock,
        references={"half": reference()[half * RATE :], "whole": reference()},
    )
    found: list[Feedback] = []
    Session(made, InstantClock(ORIGIN), [found.append], threading.Event(), steps=84).run()
    observed = np.array([f.observed_mean for f in found])
    with_value = np.flatnonzero(np.isfinite(observed)) + 1
    assert with_value.tolist() == [*range(13, 34), *range(52, 83)]
    assert observed[12:33].mean() > 0.6
    assert observed[51:82].mean() > 0.6
    assert "no stimulus is played now" in found[1].reason
    assert "no reference for this sound" in found[37].reason
    alone = Engine([person(place, 85)], SPACE, SETTINGS, ORIGIN, lock=KnownOnset(42.0), references={"": reference()})
    expected: list[Feedback] = []
    Session(alone, InstantClock(ORIGIN), [expected.append], threading.Event(), steps=82).run()
    np.testing.assert_allclose(observed[51:82], [f.observed_mean for f in expected[51:82]], atol=1e-9)
