"""Ratings of several raters: what is read of them, how far they agree, and that each rating stands for itself."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.liris import each_second, trace
from bench.raters import raters, wander
from calibration.ratings.agreement import rater_agreement, reliability
from calibration.ratings.analysis import ceiling_of_raters
from calibration.ratings.outcome import too_few
from calibration.ratings.sentences import agreement_of
from calibration.studies.raters import mean_of_raters
from calibration.study import FolderStudy
from rtaffect.common.errors import RecordingError
from tests.support.study_files import SOUND_S, write_sounds, write_table


def plain(courses: dict[str, np.ndarray]) -> float:
    """Leave-one-rater-out r of one stimulus, by its definition."""
    values = np.stack(list(courses.values()))
    r = [np.corrcoef(own, np.delete(values, i, axis=0).mean(axis=0))[0, 1] for i, own in enumerate(values)]
    return float(np.tanh(np.mean(np.arctanh(r))))


def test_agreement_is_its_definition():
    rng = np.random.default_rng(0)
    (courses,) = raters(rng, 1, 200, 10, 4, 0.8)
    found = rater_agreement([courses], draws=19)
    assert found is not None
    assert found.r == pytest.approx(plain(courses), abs=1e-12)
    assert set(found.raters) == set(courses)
    assert found.low < found.r < found.high


def test_levels_of_raters_and_stimuli_do_not_count():
    rng = np.random.default_rng(1)
    stimuli = raters(rng, 3, 120, 10, 4, 0.8)
    moved = [
        {name: 3 * course + 100 * i * len(name) for name, course in each.items()} for i, each in enumerate(stimuli)
    ]
    one, other = rater_agreement(stimuli, draws=19), rater_agreement(moved, draws=19)
    assert one is not None
    assert other is not None
    assert other.r == pytest.approx(one.r, abs=1e-9)


def test_unrelated_raters_do_not_agree_and_followers_do():
    rng = np.random.default_rng(2)
    none = [rater_agreement(raters(rng, 2, 200, 10, 5, 0.0), draws=39, seed=s) for s in range(40)]
    assert sum(each.p <= 0.05 for each in none if each) <= 6, "nominal: 2 of 40"
    (found,) = [rater_agreement(raters(rng, 2, 400, 10, 5, 1.0), draws=99)]
    assert found is not None
    assert found.p <= 0.02
    assert found.low > 0
    assert "A perfect prediction of their mean would reach" in agreement_of("arousal", found)


def test_raters_who_merely_rise_together_are_told_apart():
    rng = np.random.default_rng(3)
    rise = np.linspace(0, 6, 300)
    courses = {f"r{i}": rise + wander(rng, (1,), 300, 8)[0] for i in range(5)}
    found = rater_agreement([courses], draws=99)
    assert found is not None
    assert found.r > 0.8
    assert abs(found.r_detrended) < 0.4
    assert found.p_detrended > 0.05
    assert found.ceiling < 0.8, "predictions are judged without drifts, and so is what they can reach"
    assert "once drifts are taken out" in agreement_of("valence", found) or found.p > 0.05


def test_reliability_is_that_of_the_mean():
    rng = np.random.default_rng(4)
    common, own = rng.standard_normal((1, 20_000)), rng.standard_normal((5, 20_000))
    # Of the mean's variance 1 + 4 / 5 the part 1 is shared.
    assert reliability([common + 2 * own]) == pytest.approx(1 / 1.8, abs=0.02)


def test_one_rater_or_flat_ones_have_no_agreement():
    course = np.arange(50.0)
    assert rater_agreement([{"a": course}]) is None
    assert rater_agreement([{"a": np.ones(50), "b": np.zeros(50)}]) is None
    two = rater_agreement([{"a": course, "b": course + np.sin(course)}], draws=19)
    assert two is not None
    assert np.isnan(two.low), "two raters have no spread over raters"
    assert "not known" in agreement_of("arousal", None)


def test_a_missing_rater_moves_no_mean():
    values = np.stack([np.full((6, 1), 1.0), np.full((6, 1), 5.0)])
    assert mean_of_raters(values) == pytest.approx(np.full((6, 1), 3.0))
    values[1, 3:] = np.nan
    assert mean_of_raters(values) == pytest.approx(np.full((6, 1), 3.0)), "no jump where the high one stops"
    values[:, 5] = np.nan
    assert np.isnan(mean_of_raters(values)[5, 0])


def study(folder, tables: dict[str, dict[str, list]]):
    write_sounds(folder / "sounds")
    lines = ['name = "rated"']
    for number in (1, 2):
        lines += ["[[sound]]", f'name = "story-{number}"', f'file = "sounds/story-{number}.wav"', "[sound.rating]"]
        for rater, columns in tables.items():
            write_table(folder / f"{rater}-{number}.tsv", columns)
            lines.append(f'{rater} = "{rater}-{number}.tsv"')
    (folder / "study.toml").write_text("\n".join(lines), encoding="utf-8")
    return FolderStudy(folder)


def test_raters_may_have_rated_different_things(tmp_path):
    up, down = list(range(SOUND_S)), list(range(SOUND_S, 0, -1))
    found = study(tmp_path, {"a": {"arousal": up}, "b": {"valence": down}, "c": {"valence": up, "arousal": up}})
    assert found.rating_names == ("arousal", "valence")
    raters_of = found.raters(found.sounds()[0])
    assert raters_of is not None
    assert list(raters_of.of("arousal")) == ["a", "c"]
    assert list(raters_of.of("valence")) == ["b", "c"]
    np.testing.assert_allclose(found.ratings(found.sounds()[0])[:, 0], up)


def test_a_rating_that_nobody_gave_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"story-1: valence has no value at any time in a-1.tsv") as caught:
        study(tmp_path, {"a": {"arousal": list(range(SOUND_S)), "valence": ["n/a"] * SOUND_S}})
    assert "\n" not in str(caught.value)


def test_few_stimuli_are_said_to_be_few():
    assert too_few(1).startswith("one stimulus is too little for a claim")
    assert too_few(5).startswith("5 stimuli are too little")
    assert not too_few(6)


def test_a_trace_is_averaged_in_each_second(tmp_path):
    path = tmp_path / "trace.txt"
    path.write_text("04/06/2014 15:40:34\nid3\nArousal\n-1,1\n0,0\t0\n0,5\t1\n1,0\t-0,5\n2,0\t-0,5\n", encoding="utf-8")
    times, values = trace(path)
    np.testing.assert_allclose(each_second(times, values, 2), [0.5, -0.5], atol=0.01)


def test_the_report_has_no_mean_of_ratings_and_no_windows_of_eeg(rated_report):
    page, numbers = rated_report
    assert set(numbers["ratings"]) == {"arousal", "valence"}
    assert numbers["agreement"]["arousal"]["r"] > numbers["agreement"]["valence"]["r"]
    assert numbers["agreement"]["arousal"]["p"] <= 0.05
    assert "too little for a claim" in page
    assert "No EEG was read" in page
    for words in ("2 ratings", "mean over rows", "Windows of", "EEG window", "listener", "synchrony,", " 10 s"):
        assert words not in page, words
    json.dumps(numbers)


def test_the_report_tells_of_each_rating_what_is_unique_to_the_sound(rated_report):
    page, numbers = rated_report
    arousal = numbers["ratings"]["arousal"]["unique"][0]
    assert arousal["r"] > 0.3
    assert arousal["p"] <= 0.05
    assert page.count("Unique to the sound, arousal within stimuli") == 1
    assert "layer-0 tells of it beyond what the covariates tell" in page
    assert "That layer-0 tells anything of it beyond what the covariates tell is not shown" in page, "valence is noise"


@pytest.fixture(scope="module")
def rated_report(tmp_path_factory):
    """The page and the numbers of two ratings of three stimuli, the first of which raters agree on."""
    from calibration.bundling import Reader, bundle_of
    from calibration.measured import Measured
    from calibration.outcome import Outcome
    from calibration.ratings.outcome import RatedOutcome
    from calibration.ratings.page import rating_numbers, write_rating_report
    from calibration.sweep import Question, sweep
    from calibration.validation import fit
    from rtaffect.observed.spaces import RatingSpace
    from rtaffect.stream.audio import StudySound
    from tests.calibration.test_report import SETTINGS, quiet

    rng, names, lengths = np.random.default_rng(5), ("arousal", "valence"), (60, 60, 60)
    features = [wander(rng, (8,), n, 6).T for n in lengths]
    sounds = tuple(StudySound(f"film {i}", np.zeros(16_000 * n, np.float32), fit=True) for i, n in enumerate(lengths))
    people = [
        {"arousal": {f"r{i}": f[:, 0] + 0.5 * wander(rng, (1,), len(f), 6)[0] for i in range(4)},
         "valence": {f"r{i}": wander(rng, (1,), len(f), 6)[0] for i in range(4)}}
        for f in features
    ]  # fmt: skip
    targets = [np.stack([np.mean(list(each[n].values()), axis=0) for n in names], axis=1) for each in people]
    seen = [wander(rng, (1,), n, 6).T for n in lengths]
    agreement = tuple(rater_agreement([each[n] for each in people], draws=39) for n in names)

    class Given:
        name, synthetic, listeners = "rated", False, ()

        def sounds(self):
            return sounds

        def hears(self, *_):
            return False

    class Manifest:
        feature_set, hidden_size, layer = "layer-0", 8, 0

    class Source:
        identity, sha256, manifest = "bands/test/layer-0", "b" * 64, Manifest

    def measured(space, columns):
        nobody = tuple(np.empty((0, len(t), len(columns))) for t in targets)
        halves = tuple(np.empty((0, 2, len(t), len(columns))) for t in targets)
        return Measured(space, sounds, nobody, halves, (), tuple(t[:, columns] for t in targets))

    reader = Reader(Source, "layer-0")
    each = []
    for i, name in enumerate(names):
        own = measured(RatingSpace((name,)), [i])
        question = Question(own.targets, [t[None] for t in own.targets], np.ones(1, bool), seen)
        found = sweep({"layer-0": features}, question, SETTINGS, quiet, draws=39)
        bundle = bundle_of(Given(), own, found.of("layer-0").fit, SETTINGS, reader, "b")
        ceiling = ceiling_of_raters(agreement[i])
        each.append(Outcome(bundle, own, found, "layer-0", "inner folds", ceiling, covariates=("brightness",)))
    whole = measured(RatingSpace(names), [0, 1])
    bundle = bundle_of(Given(), whole, fit(features, whole.targets, SETTINGS), SETTINGS, reader, "b")
    outcome = RatedOutcome(bundle, "layer-0", "inner folds", tuple(each), agreement, notes=(too_few(3),))
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_rating_report(outcome, path)
    return path.read_text(encoding="utf-8"), rating_numbers(outcome)


def scaled(folder, ratings: str) -> FolderStudy:
    """A study of one rater whose arousal goes from 0 to its length, less one, with this ``[ratings]``."""
    study(folder, {"a": {"arousal": list(range(SOUND_S)), "valence": [0.5, -0.5] * (SOUND_S // 2)}})
    path = folder / "study.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("[[sound]]", f"{ratings}\n[[sound]]", 1), encoding="utf-8")
    return FolderStudy(folder)


def test_the_scale_of_ratings_is_told_or_what_was_given(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
    told = scaled(tmp_path / "a", "[ratings]\nlow = 0\nhigh = 900\nlag_s = 0\n[ratings.each]\nvalence = [-1, 1]")
    assert told.tells_scale
    scale = told.rating_scale()
    assert (scale.of("arousal").high, scale.of("valence").low, scale.lag_s) == (900.0, -1.0, 0.0)
    np.testing.assert_allclose(scale.shares(("arousal", "valence"), np.array([450.0, 0.5])), [0.0, 0.5])
    given = scaled(tmp_path / "b", "")
    assert not given.tells_scale
    found = given.rating_scale()
    assert (found.of("arousal").low, found.of("arousal").high) == (0.0, SOUND_S - 1.0)
    assert (found.of("valence").low, found.of("valence").high) == (-0.5, 0.5)
    with pytest.raises(RecordingError, match=r"arousal of \d+ is not on the scale from 0 to 3 that study.toml tells"):
        scaled(tmp_path / "c", "[ratings]\nlow = 0\nhigh = 3")
