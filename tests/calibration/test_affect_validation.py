"""Validation of affect: what is kept apart, scores against their definitions, chance, retrieval, ablations, report."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from calibration.affect import held_out, outcome
from calibration.affect.ablations import brought
from calibration.affect.affect_model import AffectModel
from calibration.affect.baselines import baseline_scores
from calibration.affect.hearings import exchanged, hearings_of
from calibration.affect.held_out import SCHEMES, arguments, hold_out
from calibration.affect.numbers import affect_numbers, sentences
from calibration.affect.outcome import analyse, bundle_of
from calibration.affect.page import write_affect_report
from calibration.affect.retrieval import expected, find, library_of
from calibration.affect.scores import balanced_accuracy, brier, chance_of, correlation, estimate
from calibration.affect.splits import grid_of, inner_splits
from calibration.affect.validation import Plan, fits_of, validate
from rtaffect.affect.bundle import EmbeddingIdentity, load_affect_bundle, save_affect_bundle
from rtaffect.cli import cli
from rtaffect.common.errors import RecordingError, SettingsError
from tests.support.affect_study import planted_study

SHORT = (("steps", 10), ("patience", 1), ("splits", 1))


@pytest.fixture(scope="module")
def study():
    return planted_study(4, 8, 4, 5, effect=0.8)


@pytest.fixture(scope="module")
def found(study, tmp_path_factory):
    plan = Plan(folds=(2, 2), draws=5, choices=SHORT)
    return analyse("planted", study, plan, keep=tmp_path_factory.mktemp("kept"))


def test_inner_parts_share_neither_people_nor_stimuli(study):
    for seed in range(5):
        parts = inner_splits(study.person, study.stimulus, study.ratings, 3, seed)
        assert len(parts) == 3
        for part in parts:
            assert not set(study.person[part.train]) & set(study.person[part.held])
            assert not set(study.stimulus[part.train]) & set(study.stimulus[part.held])
        held = np.concatenate([part.held for part in parts])
        assert len(set(held)) == len(held)


def test_folds_have_their_share_of_all_four_quadrants():
    study = planted_study(5, 16, 2, own=0.0)
    grid = grid_of(study.person, study.stimulus, study.ratings, (2, 4), 0)
    assert grid.shape == (2, 4)
    means = np.stack([study.ratings[study.stimulus == s].mean(axis=0) for s in range(16)])
    quadrant = (means[:, 0] > 0) * 2 + (means[:, 1] > 0)
    counts = np.array([np.bincount(quadrant[grid.stimuli == fold], minlength=4) for fold in range(4)])
    assert np.ptp(counts, axis=0).max() <= 1


def test_no_model_knows_what_it_is_asked(study, monkeypatch):
    """Each hearing is told by a model that was fitted without its person, its sound, or both, as the scheme says."""
    known: list[tuple[set, set]] = []
    fit = AffectModel.fit

    def seen(self, X, y, **given):
        known.append((set(given["person"]), set(given["stimulus"])))
        return fit(self, X, y, **given)

    def marked(self, X=None, sound=None):
        # What is told is the number of the model.
        told = tell(self, X, sound)
        return told._replace(rating=np.full_like(told.rating, (len(known) - 1) / 10))

    tell = AffectModel.tell
    monkeypatch.setattr(AffectModel, "fit", seen)
    monkeypatch.setattr(AffectModel, "tell", marked)
    grid = grid_of(study.person, study.stimulus, study.ratings, (2, 2), 0)
    held = hold_out(study, grid, dict(SHORT))
    hearings = hearings_of(study)
    assert len(known) == 4
    for scheme, name in enumerate(SCHEMES):
        for hearing, (person, stimulus) in enumerate(zip(hearings.person, hearings.stimulus, strict=True)):
            people, stimuli = known[round(held.rating[scheme, hearing, 0, 0] * 10)]
            assert (person in people) == (name == "new sounds")
            assert (stimulus in stimuli) == (name == "new people")


def test_exchanged_ratings_go_with_their_sound_for_all_people(study):
    # Ratings of each second, and one hearing that is missing.
    course = study.valence + 0.001 * study.second
    whole = replace(study, valence=course).take(~((study.person == 1) & (study.stimulus == 2)))
    other = exchanged(whole, 4)
    keys = list(zip(whole.person.tolist(), whole.stimulus.tolist(), whole.second.tolist(), strict=True))
    given = dict(zip(keys, whole.ratings.tolist(), strict=True))
    source = {}
    for (person, stimulus, second), rating in zip(keys, other.ratings.tolist(), strict=True):
        if person == 0:
            (source[stimulus],) = {s for s in range(8) if given[0, s, second] == rating}
    assert sorted(source.values()) == list(range(8)), "each sound has the ratings of another one"
    for (person, stimulus, second), rating in zip(keys, other.ratings.tolist(), strict=True):
        expected_rating = given.get((person, source[stimulus], second), [np.nan, np.nan])
        assert np.array_equal(rating, expected_rating, equal_nan=True)
    assert np.isnan(other.ratings).any()
    assert np.array_equal(other.eeg, whole.eeg)


def test_measures_are_their_definitions():
    rng = np.random.default_rng(0)
    ratings = rng.uniform(-1, 1, 40)
    decided = (rng.random(40) < 0.6).astype(float)
    assert balanced_accuracy(decided, ratings) == pytest.approx(balanced_accuracy_score(ratings > 0, decided))
    assert np.isnan(balanced_accuracy(decided, np.abs(ratings)))
    told, fold = rng.standard_normal(40), np.repeat([0, 1], 20)
    assert correlation(told, ratings, np.zeros(40, int)) == pytest.approx(np.corrcoef(told, ratings)[0, 1])
    shifted = told + 100 * fold
    assert correlation(shifted, ratings, fold) == pytest.approx(correlation(told, ratings, fold))
    base = rng.standard_normal(40)
    design = np.stack([base, np.ones(40)], axis=1)
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (told, ratings)]
    assert correlation(told, ratings, np.zeros(40, int), base) == pytest.approx(np.corrcoef(*left)[0, 1])
    assert np.isnan(correlation(np.ones(40), ratings, fold))
    assert brier(np.full(40, 0.5), ratings) == 0.25
    assert estimate(np.array([0.1, 0.5, np.nan])).people == 2


def test_p_is_at_its_nominal_rate():
    rng = np.random.default_rng(0)
    p = [chance_of(x[0], x[1:]).p for x in rng.normal(0.1, 0.2, (1000, 20))]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.isnan(chance_of(0.5, np.zeros(2)).p)


def test_the_mean_of_the_others_leaves_oneself_out(study):
    hearings = hearings_of(study)
    others = hearings.of_others(hearings.ratings)
    for hearing in (0, 9, 31):
        alike = (hearings.stimulus == hearings.stimulus[hearing]) & (hearings.person != hearings.person[hearing])
        assert others[hearing] == pytest.approx(hearings.ratings[alike].mean(axis=0))
    scores = baseline_scores(hearings, np.zeros(len(hearings.person), np.int64))
    assert np.nanmean(scores[0, :, 0]) == pytest.approx(0.5)
    assert np.isnan(scores[0, :, 1]).all()


def test_retrieval_is_scikit_learns_average_precision_and_chance_is_that_of_orders_by_chance():
    rng = np.random.default_rng(0)
    library, queries = rng.standard_normal((30, 4)), rng.standard_normal((6, 4))
    relevant = rng.random((6, 2, 30)) < 0.3
    got = find(queries, library, relevant)
    cosine = queries @ library.T / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(library, axis=1)
    for q in range(6):
        for r in range(2):
            assert got.precision[q, r, 0] == pytest.approx(average_precision_score(relevant[q, r], cosine[q]))
            assert got.precision[q, r, 1] == relevant[q, r][np.argsort(-cosine[q])[:10]].mean()
    one = np.arange(30) < 7
    by_chance = [average_precision_score(one, rng.random(30)) for _ in range(1000)]
    assert expected(np.array(7), 30) == pytest.approx(np.mean(by_chance), abs=0.01)
    none = find(queries, library, np.zeros((6, 1, 30), bool))
    assert np.isnan(none.precision).all()
    items = library_of(np.repeat([0, 1], 20), np.tile(np.arange(20), 2))
    assert np.bincount(np.repeat([0, 1], 20)[items]).tolist() == [10, 10]


def test_what_was_fitted_is_not_fitted_again(study, found, tmp_path, monkeypatch):
    grid = grid_of(study.person, study.stimulus, study.ratings, (2, 2), 0)
    first = hold_out(study, grid, dict(SHORT), keep=tmp_path)

    def never(*_, **__):
        raise AssertionError("it was kept")

    monkeypatch.setattr(held_out, "_fit", never)
    again = hold_out(study, grid, dict(SHORT), keep=tmp_path)
    assert np.array_equal(again.rating, first.rating, equal_nan=True)
    with pytest.raises(AssertionError, match="it was kept"):
        hold_out(study, grid, dict(SHORT) | {"random_state": 1}, keep=tmp_path)


def test_planted_affect_of_new_people_and_new_sounds_is_recovered_above_every_baseline():
    study = planted_study(6, 12, 4, 5, effect=0.9, own=0.6)
    choices = (("splits", 1), ("steps", 60), ("patience", 3))
    result = validate(study, Plan(folds=(2, 2), draws=0, ablations=False, choices=choices))
    rivals = {(b.name, b.dimension, b.measure): b.found.value for b in result.baselines}
    for dimension in ("valence", "arousal"):
        eeg = result.row("both new", "eeg", dimension, "r").found
        assert eeg.value > max(0.75, rivals["mean of the others", dimension, "r"])
        assert eeg.low > 0.4
        assert result.row("both new", "eeg", dimension, "r beyond others").found.value > 0.5
        sound = result.row("both new", "sound", dimension, "r beyond others").found.value
        assert abs(sound) < 0.4, "sound knows nothing of a person's own"
    accuracy = [result.row("both new", "eeg", d, "balanced accuracy").found.value for d in ("valence", "arousal")]
    assert np.mean(accuracy) > 0.65


def test_parts_are_compared_over_people():
    rng = np.random.default_rng(0)
    whole = rng.uniform(0.4, 0.6, (2, 10))
    got = {(b.part, b.dimension): b for b in brought(whole, {"x": whole - [[0.3], [0.0]], "y": whole.copy()})}
    assert got["x", 0].difference > 0.3
    assert got["x", 0].family < 0.05
    assert got["x", 1].difference == pytest.approx(0)
    assert got["y", 0].single > 0.9
    assert brought(whole[:, :1], {"x": whole[:, :1]}) == []


def test_all_is_in_the_report_and_in_the_bundle(found, study, tmp_path):
    numbers = affect_numbers(found)
    assert len(numbers["rows"]) == 54
    assert fits_of(found.validation.plan) == 4 * 10
    assert len(numbers["ablations"]) == 8
    assert all(row["chance"]["draws"] >= 0 for row in numbers["rows"])
    identity = EmbeddingIdentity(kind="file", identity="planted", sha256="0" * 64, size=20)
    bundle = bundle_of(found, identity, b"net", numbers)
    manifest = save_affect_bundle(replace_sha(bundle), tmp_path)
    write_affect_report(found, numbers, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("data:image/png") == 4
    assert "Synthetic data" in text
    words = re.findall(r"\w+", re.sub(r"data:image/png;base64,[^\"]*", "", text))
    assert not {"None", "nan", "inf"} & set(words)
    assert all(sentence.split(".")[0] in text for sentence in sentences(found.validation))
    assert {p.name for p in (tmp_path / "report").iterdir()} == {
        "scores.png", "people.png", "space.png", "attention.png",
    }  # fmt: skip
    json.loads((tmp_path / "result.json").read_text())
    loaded = load_affect_bundle(tmp_path)
    assert loaded.manifest.manifest_sha256 == manifest.manifest_sha256
    assert loaded.manifest.channels == study.channels
    model = found.model
    ort = pytest.importorskip("onnxruntime")
    given = arguments(study)["X"][:5]
    normal = np.nan_to_num((given - loaded.tensors.feature_mean) / loaded.tensors.feature_std).astype(np.float32)
    mask = np.isfinite(given).all(axis=3).astype(np.float32)
    _, logits, rating, _ = ort.InferenceSession(loaded.eeg).run(None, {"features": normal, "mask": mask})
    told = model.tell(given)
    assert np.nan_to_num(told.logits[:, 0]) == pytest.approx(logits * mask.any(axis=(1, 2))[:, None], abs=1e-5)
    assert np.nan_to_num(told.rating[:, 0]) == pytest.approx(rating * mask.any(axis=(1, 2))[:, None], abs=1e-5)


def replace_sha(bundle):
    """Return the bundle with the hash of its own embedding."""
    import hashlib

    sha256 = hashlib.sha256(bundle.embedding).hexdigest()
    embedding = bundle.manifest.embedding.model_copy(update={"sha256": sha256})
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"embedding": embedding}))


def test_too_few_are_one_line(study):
    for few, said in (
        (study.take(study.person < 3), "has 3 people and 8 sounds"),
        (study.take(study.stimulus < 2), "4 people and 2 sounds"),
        (replace(study, arousal=study.arousal * np.nan), "no ratings of arousal"),
        (replace(study, valence=np.abs(study.valence) + 1e-9), "valence has one class only"),
    ):
        with pytest.raises(RecordingError, match=said):
            validate(few, Plan(folds=(2, 2), draws=0, choices=SHORT))
    with pytest.raises(RecordingError, match="no second has both"):
        outcome.analyse("x", replace(study, mask=study.mask & False), Plan())


def test_the_command_refuses_in_one_line(tmp_path):
    for arguments_, said in (
        ([str(tmp_path)], "where to"),
        ([str(tmp_path), "--check", "--draws", "9"], "--draws"),
        ([str(tmp_path), "--out", str(tmp_path / "b"), "--settings", str(tmp_path / "none.toml")], "cannot be read"),
        ([str(tmp_path / "none"), "--check"], "none"),
    ):
        result = CliRunner().invoke(cli, ["affect", *arguments_])
        assert isinstance(result.exception, SettingsError | RecordingError), result.exception
        assert said in str(result.exception)
