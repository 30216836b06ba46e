"""Affect in whole sessions in instant time: right values where all is well, and none, with the reason, where not."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from rtaffect.affect.band_entropy import features_of
from rtaffect.affect.bundle import save_affect_bundle
from rtaffect.affect.embedding import _Newest
from rtaffect.affect.library import SoundLibrary
from rtaffect.affect.loaded import load_affect
from rtaffect.affect.reader import AffectReader, check_headsets
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.clock import InstantClock
from rtaffect.common.errors import MontageError, SettingsError
from rtaffect.common.settings import Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.session import Session
from rtaffect.observed.participant import Participant
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.no_features import NoFeatures
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.stream.doubt import Doubt
from tests.support.affect import TinyWeights, tiny_bundle, with_tensors, without_rest
from tests.support.helpers import headset, quiet, sound_source

ORIGIN, LEAD, RATE = 1000.0, 3, 250.0
CHANNELS = ("Fz", "Cz", "Pz", "Oz")
REST_S = 8
SETTINGS, PLAIN = AffectSettings(baseline_s=REST_S), Settings()


def eeg(seconds: int, seed: int = 0) -> np.ndarray:
    return 1e-5 * np.random.default_rng(seed).standard_normal((round((LEAD + seconds + 1) * RATE), len(CHANNELS)))


def sound(seconds: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(5).standard_normal(seconds * 16_000)).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("affect") / "b"
    save_affect_bundle(tiny_bundle(CHANNELS, SETTINGS), folder)
    return load_affect(folder, quiet)


def loaded(tmp_path, bundle):
    save_affect_bundle(bundle, tmp_path / "b")
    return load_affect(tmp_path / "b", quiet)


def engine_of(model, people, heard=None, *, rest_s=REST_S, settings=PLAIN, library=None, recorded=None) -> Engine:
    return Engine(
        people,
        ChannelSpace(CHANNELS),
        settings,
        ORIGIN,
        sound=heard,
        sound_input=None if heard is None else SoundInput(heard, NoFeatures(), ORIGIN),
        affect=AffectReader(model, people, ORIGIN, library=library, rest_s=rest_s),
        recorded=recorded,
    )


def run(engine: Engine, steps: int, *sinks) -> list:
    found: list = []
    Session(engine, InstantClock(ORIGIN - 1), [found.append, *sinks], threading.Event(), steps=steps).run()
    return found


def people_of(*samples: np.ndarray, channels=CHANNELS, rate: float = RATE) -> list:
    return [headset(each, f"P{i}", rate, ORIGIN - LEAD, channels) for i, each in enumerate(samples)]


def on_grid(samples: np.ndarray, steps: int, settings: AffectSettings = SETTINGS) -> np.ndarray:
    """What the EEG of one person is on the grid of affect, (time, channel)."""
    (source,) = people_of(samples)
    path = Participant(source, CHANNELS, settings.analysis, ORIGIN)
    pieces = []
    for step in range(1, steps + 1):
        source.advance(ORIGIN + step + path.lookahead_s)
        path.advance(step)
        pieces.append(path.window(step, 1))
    return np.concatenate(pieces)


def test_values_are_those_of_the_models_by_hand(model):
    """Features of the whole session by one call, sums by numpy: nothing of the reader's own."""
    steps, samples, heard = 14, eeg(14), sound(20)
    found = run(engine_of(model, people_of(samples), sound_source(heard, onset=ORIGIN)), steps)
    features, mask = features_of(on_grid(samples, steps), SETTINGS)
    tensors, weights = model.bundle.tensors, TinyWeights.seeded(SETTINGS, len(CHANNELS))
    rest = np.where(mask[:REST_S, :, None], features[:REST_S], 0).sum(0) / mask[:REST_S].sum(0)[:, None]
    for step in (9, 12, 14):
        values = found[step - 1].affect[0]
        z = (features[step - 3 : step] - rest - tensors.feature_mean) / tensors.feature_std
        of_eeg = weights.heads(z.ravel() @ weights.eeg)
        parts = np.abs(heard[(step - 3) * 16_000 : step * 16_000].reshape(8, -1)).mean(1)
        of_sound = weights.heads((parts - tensors.embedding_mean) / tensors.embedding_std @ weights.sound)
        calibrated = of_eeg[0] / tensors.temperature[0], of_sound[0] / tensors.temperature[1]
        w = tensors.eeg_weight
        both = (
            (w * calibrated[0] + (1 - w) * calibrated[1]) / tensors.temperature[2],
            w * of_eeg[1] + (1 - w) * of_sound[1],
        )
        for estimate, logits, rating in (
            (values.eeg, calibrated[0], of_eeg[1]), (values.sound, calibrated[1], of_sound[1]), (values.both, *both)
        ):  # fmt: skip
            assert estimate.there
            np.testing.assert_allclose([estimate.valence, estimate.arousal], rating, atol=2e-4)
            np.testing.assert_allclose(
                [estimate.valence_high, estimate.arousal_high], 1 / (1 + np.exp(-logits)), atol=2e-4
            )


def test_while_the_rest_is_measured_there_is_no_value_and_it_says_how_far_it_is(model):
    found = run(engine_of(model, people_of(eeg(12))), 12)
    of_eeg = [f.affect[0].eeg for f in found]
    assert not any(e.there for e in of_eeg[:REST_S])
    assert of_eeg[4].reason == "the person's rest is being measured: 3 of 8 s"
    assert all(e.there for e in of_eeg[REST_S:])
    assert found[-1].affect[0].baseline_s == 6, "two seconds settle"
    assert found[-1].affect[0].sound.reason == "there is no sound"
    assert found[-1].affect[0].both.reason == "there is no sound"
    assert math.isnan(found[0].affect[0].eeg.valence)


def test_rest_is_when_the_session_says_so_and_is_fixed_when_it_ends(model):
    engine = engine_of(model, people_of(eeg(30)), rest_s=None)

    def lead(feedback) -> None:
        engine.affect.rests(4 <= feedback.step < 12 or 20 <= feedback.step < 25)

    found = run(engine, 28, lead)
    of_eeg = [f.affect[0].eeg for f in found]
    assert of_eeg[3].reason == "the person's rest has not been measured yet"
    assert "is being measured" in of_eeg[8].reason
    assert all(e.there for e in of_eeg[12:]), "a later rest changes nothing"
    assert {f.affect[0].baseline_s for f in found[12:]} == {8.0}
    rest = engine.affect.baselines()["P0"]
    features, _ = features_of(on_grid(eeg(30), 28), SETTINGS)
    np.testing.assert_allclose(rest, features[4:12].mean(0), rtol=1e-12)


def test_too_short_a_rest_asks_for_more(model):
    engine = engine_of(model, people_of(eeg(20)), rest_s=None)
    found = run(engine, 18, lambda f: engine.affect.rests(4 <= f.step < 6 or 12 <= f.step < 15))
    assert found[8].affect[0].eeg.reason == (
        "only 2 s of the person's rest were good, 4 are needed: let the person rest again"
    )
    assert found[16].affect[0].eeg.there


def test_bad_channels_are_masked_and_too_many_leave_no_value(model):
    some = eeg(16)
    some[:, 3] = 0.0
    most = eeg(16)
    most[:, 1:] = 0.0
    found = run(engine_of(model, people_of(some, most)), 16)
    assert found[-1].affect[0].eeg.there
    assert found[-1].affect[1].eeg.reason == "too little good EEG in the newest seconds"
    assert found[-1].affect[0].eeg != run(engine_of(model, people_of(eeg(16))), 16)[-1].affect[0].eeg


def test_what_is_in_doubt_has_no_value_for_the_reason_that_synchrony_has_none(model):
    doubt = Doubt("stamps", ORIGIN + 12.2, ORIGIN + 12.8, "as planned", "person", "P0")
    recorded = {step: [doubt] for step in range(13, 30)}
    found = run(engine_of(model, people_of(eeg(30), eeg(30, 1)), recorded=recorded), 29)
    first, second = ([f.affect[p].eeg for f in found] for p in (0, 1))
    assert first[12].reason == "as planned"
    assert all(e.there for e in second[REST_S:])
    assert first[11].there
    assert first[28].there, "the window is past it"


def test_a_second_found_to_be_in_doubt_later_leaves_the_rest_and_the_sequence(model):
    """Step 7 was used in the rest; from step 10 on it is in doubt, and so is what the filters remember of it."""
    doubt = Doubt("clock-jump", ORIGIN + 6.2, ORIGIN + 6.4, "as planned", "person", "P0")
    engine = engine_of(model, people_of(eeg(40)), recorded={step: [doubt] for step in range(10, 40)})
    found = run(engine, 35)
    assert found[8].affect[0].baseline_s == 6
    assert found[9].affect[0].baseline_s == 4, "seconds 7 and 8 are left out"
    assert found[9].affect[0].eeg.reason == "as planned"
    assert found[30].affect[0].eeg.there
    features, _ = features_of(on_grid(eeg(40), 35), SETTINGS)
    np.testing.assert_allclose(engine.affect.baselines()["P0"], features[2:6].mean(0), rtol=1e-12)


def test_sound_needs_three_seconds_without_a_gap(model):
    heard = sound(20)
    heard[round(6.5 * 16_000)] = np.nan
    found = run(engine_of(model, people_of(eeg(14)), sound_source(heard, onset=ORIGIN)), 13)
    there = [f.affect[0].sound.there for f in found]
    assert there == [False, False, True, True, True, True] + [False] * 3 + [True] * 4
    assert found[6].affect[0].sound.reason == "3 s of sound without a gap are needed"
    assert found[8].affect[0].eeg.there
    assert not found[8].affect[0].both.there


def test_what_is_far_from_the_training_set_has_no_value(tmp_path):
    model = loaded(tmp_path, tiny_bundle(CHANNELS, without_rest(SETTINGS), novelty=1e-3))
    found = run(engine_of(model, people_of(eeg(6)), sound_source(sound(8), onset=ORIGIN), rest_s=None), 6)
    values = found[-1].affect[0]
    for estimate, what in ((values.eeg, "the EEG is too far"), (values.sound, "the sound is too far")):
        assert estimate.reason.startswith(what)
        assert estimate.novelty > 1
        assert math.isnan(estimate.valence_high)
    assert not values.both.there
    assert math.isnan(values.baseline_wanted_s)


def test_the_nearest_sounds_are_those_by_cosine(model):
    directions = np.random.default_rng(3).standard_normal((50, 4))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    library = SoundLibrary(tuple(f"s{i}" for i in range(50)), directions)
    found = run(engine_of(model, people_of(eeg(12)), library=library), 12)
    assert found[2].affect[0].nearest == ()
    near = found[-1].affect[0].nearest
    assert len(near) == 3
    assert [each.similarity for each in near] == sorted((each.similarity for each in near), reverse=True)
    shared = np.random.default_rng(4).standard_normal(4)
    cosine = directions @ shared / np.linalg.norm(shared)
    assert [each.name for each in library.nearest(7 * shared)] == [f"s{i}" for i in np.argsort(-cosine)[:3]]


def test_one_way_serves_both_where_it_is_the_very_same(model):
    samples, ours = eeg(14), Settings(signal=SETTINGS.signal, quality=SETTINGS.quality)
    shared, own = engine_of(model, people_of(samples), settings=ours), engine_of(model, people_of(samples))
    assert not shared.affect.paths
    assert [path.name for path in own.affect.paths] == ["P0/affect"]
    for a, b in zip(run(shared, 14), run(own, 14), strict=True):
        assert str(a.affect) == str(b.affect)


def test_who_is_beside_somebody_changes_nothing(model):
    alone = run(engine_of(model, people_of(eeg(12))), 12)
    together = run(engine_of(model, people_of(eeg(12), eeg(12, 1))), 12)
    assert [str(f.affect[0]) for f in alone] == [str(f.affect[0]) for f in together]


def test_headsets_that_do_not_fit_are_refused_in_one_line(model):
    with pytest.raises(
        MontageError, match=r"headset 'P0' has no channel Oz, and the bundle of affect tiny reads Fz, Cz"
    ):
        check_headsets(model, people_of(eeg(3)[:, :3], channels=CHANNELS[:3]))
    with pytest.raises(SettingsError, match=r"sends 90 Hz, too slow for gamma \(30 to 45 Hz\).*more than 94 Hz"):
        check_headsets(model, people_of(eeg(3), rate=90.0))


def test_a_model_that_gives_nonsense_gives_no_value(tmp_path):
    bundle = tiny_bundle(CHANNELS, without_rest(SETTINGS))
    model = loaded(tmp_path, with_tensors(bundle, feature_std=np.full((4, 4), 1e-300)))
    found = run(engine_of(model, people_of(eeg(6)), rest_s=None), 6)
    assert found[-1].affect[0].eeg.reason == "the model gave no finite value"


def test_sound_that_is_heard_before_its_step_changes_nothing(model, monkeypatch):
    """All that is there is taken in before each step; second 12 is torn, steps 30 and 31 are behind."""
    samples = sound(46)
    samples[12 * 16_000 - 100 : 12 * 16_000] = np.nan
    pushed: list[bool] = []
    stepping, push = [False], _Newest.push
    monkeypatch.setattr(_Newest, "push", lambda self, second: (pushed.append(stepping[0]), push(self, second))[1])

    def session(*, early: bool) -> list:
        pushed.clear()
        engine, found = engine_of(model, people_of(eeg(45)), sound_source(samples, onset=ORIGIN)), []
        for step in range(1, 46):
            due = engine.end_of(step) + engine.lookahead_s
            for source in engine.sources:
                source.advance(due)
            if early:
                engine.prepare(lambda: 0.0)
            stepping[0] = True
            found.append(engine.step(due, behind_s=2.0 if step in (30, 31) else 0.0))
            stepping[0] = False
        return found

    early = session(early=True)
    assert pushed.count(False) >= 40
    whole = session(early=False)
    assert pushed.count(False) == 0
    assert any(f.affect[0].sound.there for f in whole[32:])
    for one, other in zip(early, whole, strict=True):
        assert repr(one.affect) == repr(other.affect)
        assert one.doubts == other.doubts
