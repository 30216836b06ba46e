"""Calibration in regions and components: the bundle comes back, and live gives what offline gives."""

from __future__ import annotations

import functools
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from scipy.signal import lfilter

from calibration.calibrate import calibrate
from calibration.command import QUICK, command, describe
from calibration.responses import component_spaces, group_responses, left_out_time_courses, synchrony_time_courses
from rtaffect.common.clock import InstantClock
from rtaffect.common.errors import ArtifactError, MontageError, RecordingError, SettingsError
from rtaffect.common.settings import Settings, SynchronySettings
from rtaffect.engine.bundle import Bundle, load_bundle, save_bundle
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.observed.operator_file import save_operator
from rtaffect.observed.response import clean_channels
from rtaffect.observed.spaces import RegionSpace
from rtaffect.observed.synchrony import running_correlation
from rtaffect.predicted.featurizer import default_featurizer
from rtaffect.simulation.head import CHANNELS
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo
from rtaffect.timelock.stimulus import KnownOnset
from tests.support.damage import reseal
from tests.support.head_models import needs_head, small_operator
from tests.support.helpers import quiet, small_study

SETTINGS = Settings(prediction=QUICK)
PAIRWISE = Settings(prediction=QUICK, synchrony=SynchronySettings(method="pairwise"))


@functools.cache
def made(kind: str, settings: Settings = SETTINGS) -> Bundle:
    featurizer = default_featurizer(quiet, threads=2)
    if kind == "regions":
        return calibrate(small_study(), featurizer, settings, kind, quiet, space=RegionSpace(small_operator()))
    return calibrate(small_study(), featurizer, settings, kind, quiet, components=kind == "components")


def replayed(bundle: Bundle, listener: int = 2, number: int = 3) -> list[Feedback]:
    """A calibration listener, as a session of their own."""
    study = small_study()
    sound = study.sounds()[number]
    source, onset = study.eeg(study.listeners[listener], sound)
    reference = bundle.reference_for(sound.sha256)
    assert reference is not None
    settings = bundle.manifest.settings
    engine = Engine([source], bundle.space, settings, onset, lock=KnownOnset(0.0), references={"": reference.mean})
    found: list[Feedback] = []
    Session(engine, InstantClock(onset), [found.append], threading.Event(), steps=sound.seconds).run()
    return found


@pytest.mark.parametrize("kind", ["regions", "components"])
def test_a_bundle_comes_back_with_its_space(kind, tmp_path):
    bundle = made(kind)
    save_bundle(bundle, tmp_path)
    found = load_bundle(tmp_path)
    assert found.manifest.space == found.space.kind == kind
    assert found.space.rows == bundle.space.rows == found.manifest.rows
    assert len(found.manifest.scores.r) == len(found.space.rows)
    second = 1e-5 * np.random.default_rng(0).standard_normal((100, len(bundle.space.channels)))
    np.testing.assert_allclose(found.space.time_courses(second), bundle.space.time_courses(second), rtol=1e-6)
    for a, b in zip(found.references, bundle.references, strict=True):
        np.testing.assert_array_equal(a.mean, b.mean)


@pytest.mark.parametrize("kind", ["regions", "components"])
def test_a_space_of_another_bundle_is_refused(kind, tmp_path):
    bundle = made(kind)
    save_bundle(bundle, tmp_path)
    path = tmp_path / "bundle.json"
    reseal(path, json.loads(path.read_text(encoding="utf-8").replace(f'"{bundle.space.rows[0]}"', '"other"')))
    with pytest.raises(ArtifactError, match=r"other channels or rows than bundle.json names"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("kind", ["regions", "components"])
def test_live_gives_what_offline_gives(kind):
    """Observed step by step against calibration's own response of the same listener with its reference."""
    bundle, study = made(kind), small_study()
    sound = study.sounds()[3]
    channels = [
        clean_channels(*study.eeg(p, sound), sound.seconds, bundle.space.channels, SETTINGS) for p in study.listeners
    ]
    group, layout = group_responses(channels, bundle.space, SETTINGS)
    reference = np.asarray(bundle.references[3].mean, np.float64)
    offline = layout.complete(running_correlation(group[2], reference, 1000, 100, 600, k=layout.k))
    for step, feedback in enumerate(replayed(bundle)):
        np.testing.assert_allclose(feedback.observed, offline[step], atol=1e-6)
        assert feedback.observed_mean == pytest.approx(float(layout.overall(offline[step])), abs=1e-6, nan_ok=True)


def test_regions_below_the_least_share_are_never_trusted():
    last = replayed(made("regions"))[-1]
    assert last.rows == made("regions").space.rows
    assert set(last.row_kinds) == {"zone", "region", "group"}
    assert not last.trusted[last.specificity < 0.3].any()
    assert last.quality.shape == (1, len(last.channels))


def test_components_of_one_are_fitted_without_them():
    """With another person's noise in place of one, the others' components change and that one's own do not."""
    study = small_study()
    sounds = [s for s in study.sounds() if s.fit]
    people = [
        [clean_channels(*study.eeg(p, s), s.seconds, CHANNELS, SETTINGS) for p in study.listeners] for s in sounds
    ]
    _, before = component_spaces(people, CHANNELS, SETTINGS)
    rng = np.random.default_rng(0)
    for sound in people:
        sound[1] = 1e-5 * rng.standard_normal(sound[1].shape)
    _, after = component_spaces(people, CHANNELS, SETTINGS)
    filters = [(a.filters, b.filters) for a, b in zip(before, after, strict=True)]
    agree = [np.abs((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in filters]
    assert agree[1] > 0.999
    assert max(agree[0], *agree[2:]) < 0.999


def test_synchrony_of_components_is_that_of_the_spaces_without_each():
    study, bundle = small_study(), made("components")
    sound = study.sounds()[0]
    people = [clean_channels(*study.eeg(p, sound), sound.seconds, CHANNELS, SETTINGS) for p in study.listeners]
    found = left_out_time_courses(people, [bundle.space] * 5, SETTINGS)
    group, layout = group_responses(people, bundle.space, SETTINGS)
    np.testing.assert_allclose(found, synchrony_time_courses(group, SETTINGS, layout), atol=1e-12)


def test_pairwise_time_courses_are_each_ones_mean_over_pairs():
    study = small_study()
    sound = study.sounds()[1]
    people = [clean_channels(*study.eeg(p, sound), sound.seconds, CHANNELS, PAIRWISE) for p in study.listeners]
    group, layout = group_responses(people, made("channels").space, PAIRWISE)
    found = synchrony_time_courses(group, PAIRWISE, layout)
    window = group[:, 1500:2500, 7]
    r = np.corrcoef(window)
    for person in range(5):
        expected = np.arctanh(np.delete(r[person], person)).mean()
        assert found[person, 24, 7] == pytest.approx(expected, abs=1e-9)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "written"
    small_study().write(folder, quiet)
    return folder


def run(*arguments: object):
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_the_command_takes_a_head_and_settings(written, tmp_path):
    save_operator(small_operator(), tmp_path / "small.safetensors")
    (tmp_path / "settings.toml").write_text('[synchrony]\nsignal = "envelope"\nband = "theta"\n', encoding="utf-8")
    done = run(
        written, "--out", tmp_path / "b", "--space", "regions", "--head", tmp_path / "small.safetensors", "--quick",
        "--settings", tmp_path / "settings.toml", "--mains", "60",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    bundle = load_bundle(tmp_path / "b")
    assert bundle.manifest.settings.synchrony.band == "theta"
    assert bundle.manifest.settings.signal.mains_hz == 60
    assert describe(bundle).startswith("4 regions, 2 zones, 1 group, 3 sounds fitted")
    assert bundle.references[0].mean.shape[1] == 4


@needs_head
@pytest.mark.slow
def test_the_command_makes_the_head_model_itself(written, tmp_path):
    done = run(written, "--out", tmp_path / "b", "--space", "regions", "--quick")
    assert done.exit_code == 0, done.output
    space = load_bundle(tmp_path / "b").space
    assert set(space.channels) == set(CHANNELS)
    assert space.row_kinds.count("region") == 68


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        (("--head", "x.safetensors"), SettingsError, "is for --space regions"),
        (("--space", "regions", "--head", "none.safetensors"), ArtifactError, "none.safetensors.*cannot be read"),
        (("--settings", "none.toml"), SettingsError, "none.toml cannot be read"),
    ],
)
def test_mistakes(written, tmp_path, arguments, error, expected):
    done = run(written, "--out", tmp_path / "b", *arguments)
    with pytest.raises(error, match=expected):
        raise done.exception


def test_an_operator_of_another_montage_is_refused(written, tmp_path):
    study = small_study()

    class Elsewhere:
        name, synthetic, listeners, sounds, eeg = study.name, True, study.listeners, study.sounds, study.eeg

        def channels(self):
            return ("TP9", "AF7", "AF8", "TP10")

    space = RegionSpace(small_operator())
    with pytest.raises(MontageError, match="at least 8 are needed"):
        calibrate(Elsewhere(), default_featurizer(quiet), SETTINGS, "x", quiet, space=space)


def test_regions_of_too_few_good_channels_are_shown_but_not_trusted():
    bundle, study = made("regions"), small_study()
    sound = study.sounds()[3]
    samples = study.listen(2, sound)
    names = bundle.space.channels
    # Eight of twelve are left: enough to compute with, too few to rely on.
    samples[20 * 128 :, [CHANNELS.index(name) for name in names[:4]]] = 0.0
    few = ArraySource(StreamInfo("few", "eeg", 128.0, CHANNELS, "simulated"), samples, 1000.0)
    reference = bundle.reference_for(sound.sha256)
    settings = SETTINGS.model_copy(update={"synchrony": SynchronySettings(min_good=0.7)})
    engine = Engine([few], bundle.space, settings, 1015.0, lock=KnownOnset(0.0), references={"": reference.mean})
    found: list[Feedback] = []
    Session(engine, InstantClock(1015.0), [found.append], threading.Event(), steps=25).run()
    assert np.isfinite(found[-1].observed).all()
    assert "less than 70% of the channels are good" in found[-1].reason
    assert not found[-1].trusted.any()


@pytest.fixture(scope="module")
def rated_study(tmp_path_factory) -> Path:
    """Sounds whose arousal follows their features, and whose valence does not; nobody wore a headset."""
    folder, study = tmp_path_factory.mktemp("rated"), small_study()
    rng = np.random.default_rng(0)
    lines = ['name = "rated"', "synthetic = true"]
    for sound in study.sounds():
        samples = np.round(sound.samples * 32768).astype(np.int16)
        soundfile.write(folder / f"{sound.name}.wav", samples, 16000)
        feature = study.features[sound.name] @ study.cohort.drive.projection[:, :1]
        arousal = 50 + 10 * lfilter([0.3], [1, -0.7], feature[:, 0]) + rng.standard_normal(sound.seconds)
        valence = lfilter([0.3], [1, -0.7], rng.standard_normal(sound.seconds))
        table = "\n".join(["arousal\tvalence", *(f"{a:.3f}\t{v:.3f}" for a, v in zip(arousal, valence, strict=True))])
        (folder / f"{sound.name}.tsv").write_text(table + "\n", encoding="utf-8")
        lines += ["[[sound]]", f'name = "{sound.name}"', f'file = "{sound.name}.wav"', f'rating = "{sound.name}.tsv"']
    (folder / "study.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_ratings_are_predicted_without_any_eeg(rated_study, tmp_path):
    done = run(rated_study, "--out", tmp_path / "b", "--quick", "--draws", "59")
    assert done.exit_code == 0, done.output
    bundle = load_bundle(tmp_path / "b")
    assert bundle.manifest.space == "ratings"
    assert bundle.manifest.rows == ("arousal", "valence")
    assert len(bundle.references) == 0
    assert bundle.manifest.scores.r[0] > 0.5 > bundle.manifest.scores.r[1]
    assert "arousal" in (tmp_path / "b" / "report.html").read_text(encoding="utf-8")
    assert bundle.space.fit_to({"A": ("Cz", "Pz")}).rows == ("arousal", "valence"), "headsets may stand beside"
    scale = bundle.manifest.rating
    assert scale is not None
    assert scale.of("arousal").low > 10 > scale.of("valence").high, "each by what was given of it"
    assert "does not tell the scale of the ratings" in done.output.replace("\n", " ")


def test_a_study_without_ratings_says_so(written, tmp_path):
    done = run(written, "--out", tmp_path / "b", "--ratings")
    with pytest.raises(RecordingError, match="has no ratings"):
        raise done.exception
