"""Calibration: live and offline are one path, a study's faults are named, and the command writes a bundle."""

from __future__ import annotations

import csv
import functools
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from calibration import measured
from calibration.calibrate import calibrate
from calibration.command import KEPT, QUICK, command
from calibration.measured import measure
from calibration.responses import synchrony_time_courses
from calibration.study import FolderStudy
from rtaffect.cli.sessions import replay as replay_command
from rtaffect.common.clock import InstantClock
from rtaffect.common.correlation import fisher_mean
from rtaffect.common.errors import RecordingError, SettingsError
from rtaffect.common.settings import Settings
from rtaffect.engine.bundle import Bundle, load_bundle, save_bundle
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.observed.response import clean_channels
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.observed.synchrony import RowLayout, running_correlation, standardise
from rtaffect.predicted.featurizer import default_featurizer
from rtaffect.predicted.prediction import Predictor, components_of, lagged_design
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.run.assemble import load_model
from rtaffect.simulation.cohort import with_mean_of
from rtaffect.simulation.head import CHANNELS
from rtaffect.timelock.stimulus import KnownOnset
from tests.support.helpers import quiet, small_study, sound_source
from tests.support.wakehubert import needs_it

SETTINGS = Settings(prediction=QUICK)


@functools.cache
def small_bundle() -> Bundle:
    return calibrate(small_study(), default_featurizer(quiet, threads=2), SETTINGS, "small", quiet)


@functools.cache
def responses(sound_number: int) -> np.ndarray:
    study = small_study()
    sound = study.sounds()[sound_number]
    return np.stack([clean_channels(*study.eeg(p, sound), sound.seconds, CHANNELS, SETTINGS) for p in study.listeners])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "written"
    small_study().write(folder, quiet)
    return folder


def test_a_bundle_says_what_it_was_made_of(tmp_path):
    bundle, study = small_bundle(), small_study()
    manifest = bundle.manifest
    assert manifest.rows == CHANNELS
    assert manifest.synthetic
    assert [s.sha256 for s in manifest.stimuli] == [s.sha256 for s in study.sounds()]
    assert [s.fitted for s in manifest.stimuli] == [True, True, True, False]
    assert {s.people for s in manifest.stimuli} == {5}
    assert manifest.settings == SETTINGS
    assert manifest.featurizer.sha256 == default_featurizer(quiet).sha256
    assert manifest.scores.folds == 3
    # Of 45 s the first window takes 9 s, as the longest lag does.
    assert manifest.scores.steps == 3 * (45 - 9)
    assert len(manifest.scores.r) == 24
    for sound, reference in zip(study.sounds(), bundle.references, strict=True):
        assert reference.mean.shape == reference.count.shape == (sound.seconds * 100, 24)
        assert (reference.count <= 5).all()
    save_bundle(bundle, tmp_path)
    np.testing.assert_array_equal(load_bundle(tmp_path).references[3].mean, bundle.references[3].mean)


def test_a_reference_is_the_mean_of_people_of_unit_variance():
    group = responses(0)
    scaled = (group - np.nanmean(group, axis=1, keepdims=True)) / np.nanstd(group, axis=1, keepdims=True)
    np.testing.assert_allclose(small_bundle().references[0].mean, scaled.mean(axis=0), atol=1e-5)


def test_synchrony_time_courses_are_each_against_the_others():
    group = standardise(responses(1))
    found = synchrony_time_courses(group, SETTINGS, RowLayout.plain(24))
    assert found.shape == (5, 45, 24)
    assert np.isnan(found[:, :9]).all()
    for step, person, row in ((10, 0, 0), (27, 3, 11), (45, 4, 23)):
        at = slice((step - 10) * 100, step * 100)
        others = np.delete(group, person, axis=0)[:, at, row].mean(axis=0)
        expected = np.arctanh(np.corrcoef(group[person, at, row], others)[0, 1])
        assert found[person, step - 1, row] == pytest.approx(expected, abs=1e-9)


def test_what_was_planted_is_what_was_calibrated_on():
    """Mean synchrony over people, rows, sounds and steps, against the cohort's closed form."""
    study = small_study()
    found, planted = [], []
    for number, sound in enumerate(study.sounds()):
        time_courses = synchrony_time_courses(standardise(responses(number)), SETTINGS, RowLayout.plain(24))
        found.append(np.nanmean(np.tanh(time_courses)))
        expected = with_mean_of(study.cohort.truth(sound.sha256, study.features[sound.name]), 4, 10)
        planted.append(np.nanmean(expected))
    assert np.mean(found) == pytest.approx(np.mean(planted), abs=0.03)


def replayed(onset_shift: float = 0.0, listener: int = 2, number: int = 3) -> list[Feedback]:
    """A calibration listener in a session whose zero is ``onset_shift`` before the sound."""
    study, bundle = small_study(), small_bundle()
    sound = study.sounds()[number]
    source, onset = study.eeg(study.listeners[listener], sound)
    origin = onset - onset_shift
    featurizer = default_featurizer(quiet, threads=2)
    heard = sound_source(sound.samples, onset=onset)
    reference = bundle.reference_for(sound.sha256)
    assert reference is not None
    engine = Engine(
        [source],
        ChannelSpace(CHANNELS),
        SETTINGS,
        origin,
        sound=heard,
        sound_input=SoundInput(heard, featurizer, origin),
        predictor=Predictor(bundle.weights, np.arange(24)),
        lock=KnownOnset(onset_shift),
        references={"": reference.mean},
    )
    found: list[Feedback] = []
    Session(engine, InstantClock(origin), [found.append], threading.Event(), steps=sound.seconds).run()
    return found


@functools.cache
def replay() -> tuple[Feedback, ...]:
    return tuple(replayed())


def test_the_live_path_is_the_calibration_path():
    """Observed live, step by step, is the offline correlation of calibration's own response with its reference."""
    found = replay()
    assert len(found) == 30
    reference = small_bundle().references[3].mean.astype(np.float64)
    offline = running_correlation(responses(3)[2], reference, 1000, 100, 600)
    np.testing.assert_allclose([f.observed for f in found], offline, atol=1e-9)
    assert np.isfinite(offline[9:]).all()


def test_predictions_live_are_the_weights_on_the_features_calibration_used():
    found, bundle, study = replay(), small_bundle(), small_study()
    design = lagged_design(components_of(study.features[study.sounds()[3].name], bundle.weights), QUICK.lags_s)
    expected = np.tanh(design @ bundle.weights.coefficients + bundle.weights.intercept)
    assert np.isfinite(expected[9:]).all()
    np.testing.assert_allclose([f.predicted for f in found], expected, atol=2e-3)
    for f in found[9:]:
        assert (f.predicted_low < f.predicted).all()
        assert (f.predicted < f.predicted_high).all()


def test_a_session_that_began_before_the_sound_sees_the_same_later():
    """Three seconds earlier, on the grid: the same windows of the same signal, three steps later."""
    shifted = replayed(onset_shift=3.0)
    for early, late in zip(replay(), shifted[3:], strict=False):
        np.testing.assert_allclose(late.observed, early.observed, atol=1e-9)
        np.testing.assert_allclose(late.predicted, early.predicted, atol=2e-3)


def test_the_average_over_rows_is_fishers():
    last = replay()[-1]
    assert last.observed_mean == pytest.approx(float(fisher_mean(last.observed)), abs=1e-12)
    assert last.predicted_mean == pytest.approx(float(np.tanh(np.arctanh(last.predicted).mean())), abs=1e-12)


def edit(folder: Path, old: str, new: str, count: int = 1) -> None:
    path = folder / "study.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, count), encoding="utf-8")


def drop_listeners(folder: Path) -> None:
    path = folder / "study.toml"
    parts = path.read_text(encoding="utf-8").split("[[listener]]")
    path.write_text("[[listener]]".join(parts[:3]), encoding="utf-8")


def drop_onset(folder: Path) -> None:
    path = folder / "study.toml"
    head, *rest = re.split(r'(?m)^"soundtrack-02" = .*\n', path.read_text(encoding="utf-8"), maxsplit=1)
    path.write_text(head + rest[0], encoding="utf-8")


def drop_onsets(folder: Path) -> None:
    for _ in range(3):
        drop_onset(folder)


FAULTS = {
    "no manifest": (lambda f: (f / "study.toml").unlink(), "study.toml is not there.*rtaffect simulate"),
    "bad TOML": (lambda f: edit(f, "[[sound]]", "[[sound"), "study.toml cannot be read.*correct it"),
    "not UTF-8": (lambda f: (f / "study.toml").write_bytes(b"\xff"), "study.toml cannot be read"),
    "unknown field": (
        lambda f: edit(f, "\nsynthetic", "\nsythetic"),
        "study.toml: there is no field .sythetic.; did you mean synthetic",
    ),
    "onset is text": (
        lambda f: edit(f, '"soundtrack-01" = 1', '"soundtrack-01" = "soon" # '),
        "study.toml: listener 1: onset.soundtrack-01 = .soon.",
    ),
    "no sound file": (
        lambda f: (f / "sounds" / "soundtrack-02.wav").unlink(),
        "soundtrack-02: no file sounds/soundtrack-02.wav",
    ),
    "no recording": (lambda f: (f / "eeg" / "listener-03.xdf").unlink(), "listener-03: no file eeg/listener-03.xdf"),
    "no onset": (drop_onsets, "listener-01: no onset for soundtrack-02.*correct study.toml"),
    "two listeners": (drop_listeners, "2 listeners.*at least 3"),
}


@pytest.fixture
def faulty(written, tmp_path) -> Path:
    shutil.copytree(written, tmp_path / "study")
    return tmp_path / "study"


def refusal(folder: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        FolderStudy(folder)
    return str(caught.value)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_studys_fault_is_named_in_one_line(faulty, kind):
    fault, expected = FAULTS[kind]
    fault(faulty)
    text = refusal(faulty)
    assert re.search(expected, text), text
    assert "\n" not in text


def test_all_missing_files_are_named_at_once(faulty):
    for name in ("listener-01", "listener-04"):
        (faulty / "eeg" / f"{name}.xdf").unlink()
    text = refusal(faulty)
    assert "listener-01" in text
    assert "listener-04" in text


@pytest.mark.parametrize("place", ["before the start", "too near the end", "after the end"])
def test_an_onset_beyond_the_recording_is_refused(faulty, place):
    study = FolderStudy(faulty)
    sound = study.sounds()[2]
    source, _ = study.eeg("listener-01", sound)
    path = faulty / "study.toml"
    onset = {
        "before the start": source.first - 1,
        "too near the end": source.last - sound.seconds + 2,
        "after the end": source.last + 1e5,
    }[place]
    wrong = f'"soundtrack-03" = {onset}'
    path.write_text(
        re.sub(r'"soundtrack-03" = [\d.]+', wrong, path.read_text(encoding="utf-8"), count=1), encoding="utf-8"
    )
    with pytest.raises(RecordingError) as caught:
        FolderStudy(faulty).eeg("listener-01", sound)
    message = str(caught.value)
    assert "listener-01" in message
    assert "soundtrack-03" in message
    assert "correct its onset in study.toml" in message
    assert "\n" not in message


def test_a_study_without_sounds_to_fit_is_refused():
    class Unfitted:
        def __init__(self) -> None:
            study = small_study()
            self.name, self.synthetic, self.listeners = study.name, True, study.listeners
            self.channels, self.eeg, self.hears = study.channels, study.eeg, study.hears

        def sounds(self):
            return small_study().sounds()[-1:]

    with pytest.raises(RecordingError, match="no sound with fit = true"):
        calibrate(Unfitted(), default_featurizer(quiet), SETTINGS, "x", quiet)


def test_the_command_writes_the_bundle_that_calibrate_makes(written, tmp_path):
    """From disk, where EEG is float32 microvolts, to the same weights and references as from memory."""
    out = tmp_path / "my bundle"
    arguments = [str(written), "--out", str(out), "--quick", "--layer", "2", "--draws", "19"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "3 sounds fitted" in done.output.replace("\n", " ")
    written_files = {p.name for p in out.iterdir()}
    assert written_files == {"bundle.json", "report", "report.html", "tensors.safetensors"}
    found, made = load_bundle(out), small_bundle()
    assert found.manifest.name == "my bundle"
    assert found.manifest.settings == SETTINGS
    assert found.manifest.stimuli == made.manifest.stimuli
    assert found.manifest.report["hashes"]["featurizer"] == found.manifest.featurizer.sha256
    group = found.manifest.report["group"]
    assert group["synchronised"], "as planted"
    assert group["verdict"] in " ".join(done.output.split())
    assert group["verdict"].startswith(
        "This group is synchronised (inter-subject correlation, mean over 24 channels: ."
    )
    assert 0.01 < group["mean"]["low"] < group["mean"]["r"] < group["mean"]["high"] < 0.3
    for a, b in zip(found.references, made.references, strict=True):
        np.testing.assert_allclose(a.mean, b.mean, atol=2e-3)
    np.testing.assert_allclose(found.manifest.scores.r, made.manifest.scores.r, atol=0.02)
    np.testing.assert_allclose(found.weights.pca_mean, made.weights.pca_mean, rtol=1e-6)


def test_the_command_refuses_a_mains_frequency_that_no_bundle_could_hold(written, tmp_path):
    done = CliRunner().invoke(command, [str(written), "--out", str(tmp_path / "b"), "--mains", "-50"])
    assert done.exit_code == 2
    assert not (tmp_path / "b").exists()


def test_the_command_leaves_errors_of_the_user_to_the_command_line(tmp_path):
    done = CliRunner().invoke(command, [str(tmp_path / "nowhere"), "--out", str(tmp_path / "b")])
    assert isinstance(done.exception, RecordingError)
    assert not (tmp_path / "b").exists()


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(written, tmp_path, monkeypatch):
    out = tmp_path / "b"
    arguments = [str(written), "--out", str(out), "--quick", "--draws", "19"]

    def cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("calibration.calibrate.sweep", cut)
        done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 1
    assert "stopped; the same command goes on" in done.output
    assert len(list((out / KEPT).iterdir())) == 5 * 4
    damaged, filtered, real = next((out / KEPT).iterdir()), [], measured.clean_channels
    damaged.write_bytes(damaged.read_bytes()[:-500] + bytes(500))
    with monkeypatch.context() as patch:
        patch.setattr(measured, "clean_channels", lambda *given: filtered.append(given) or real(*given))
        done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    assert len(filtered) == 1, "only what is damaged is filtered again"
    assert f"{damaged.name} is damaged: it is filtered again" in " ".join(done.output.split())
    assert not (out / KEPT).exists()
    assert load_bundle(out).manifest.scores.folds == 3


@pytest.mark.parametrize(("layer", "expected"), [("9", "layers 0 to 5"), ("two", "expected auto, or a number")])
def test_a_layer_that_is_not_there(written, tmp_path, layer, expected):
    done = CliRunner().invoke(command, [str(written), "--out", str(tmp_path / "b"), "--layer", layer])
    with pytest.raises(SettingsError, match=expected):
        raise done.exception


def test_the_bundle_of_another_layer_is_read_by_sessions(written, tmp_path):
    """A layer that the user chose: the session finds the default model's featurizer of that layer by itself."""
    out = tmp_path / "b"
    done = CliRunner().invoke(
        command, [str(written), "--out", str(out), "--quick", "--layer", "4", "--draws", "19"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    model = load_model(out, None, quiet)
    assert model.featurizer.identity == model.bundle.manifest.featurizer.identity == "moonshine-tiny/layer-4"


@needs_it
@pytest.mark.parametrize("scales", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_second_model_calibrates_stands_beside_others_and_is_read_by_sessions(written, tmp_path, scales):
    """Of several featurizers the bundle has the first; other scales of time are in the same report."""
    out, more = tmp_path / "b", ["--scales"] if scales else []
    several = "wakehubert-tiny,wakehubert-tiny/layer-6"
    done = CliRunner().invoke(
        command,
        [str(written), "--out", str(out), "--featurizers", several, *more, "--quick", "--draws", "19"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    model = load_model(out, None, quiet)
    assert model.featurizer.identity == model.bundle.manifest.featurizer.identity
    assert model.featurizer.identity.startswith("wakehubert-tiny/")
    report = model.bundle.manifest.report
    assert [m["name"] for m in report["architectures"]["members"]] == several.split(",")
    assert [pair["a"] for pair in report["architectures"]["questions"]].count("wakehubert-tiny/layer-6") == 1
    assert (report["scales"] is not None) == scales
    if scales:
        assert report["scales"]["feature_set"] == "layer-3"
        assert len(report["scales"]["scales"]) > 4
    assert "Does the middle win in each?" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--featurizers", "moonshine-tiny,moonshine-tiny"], "one is named twice"),
        (["--featurizers", "moonshine-tiny", "--featurizer", "f.onnx"], "the first of several is the bundle's"),
        (["--featurizer", "wakehubert-tiny/layer-8"], "has the layers 0 to 7"),
    ],
)
def test_featurizers_that_cannot_be_are_refused(written, tmp_path, options, message):
    done = CliRunner().invoke(command, [str(written), "--out", str(tmp_path / "b"), *options])
    with pytest.raises(SettingsError, match=message):
        raise done.exception


def test_check_lists_and_computes_nothing(written, faulty, tmp_path):
    done = CliRunner().invoke(command, [str(written), "--check"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "nothing wrong was found" in " ".join(done.output.split())
    (faulty / "eeg" / "listener-03.xdf").unlink()
    (faulty / "sounds" / "soundtrack-02.wav").unlink()
    done = CliRunner().invoke(command, [str(faulty), "--check"])
    assert isinstance(done.exception, RecordingError)
    assert "listener-03" in done.output
    assert "soundtrack-02" in done.output


def test_where_to_must_be_said(written):
    done = CliRunner().invoke(command, [str(written)])
    with pytest.raises(SettingsError, match="--out"):
        raise done.exception


def test_who_did_not_hear_a_sound_has_no_part_in_it(written, tmp_path):
    """With four others it is told and goes on; the others' numbers are those of a study of four for that sound."""
    shutil.copytree(written, tmp_path / "study")
    drop_onset(tmp_path / "study")
    study = FolderStudy(tmp_path / "study")
    (note,) = study.notes
    assert note.startswith("listener-01: no onset for soundtrack-02 (left out there: 4 others have one)")
    found = measure(study, SETTINGS, quiet)
    assert np.isnan(found.people[1][0]).all()
    expected = synchrony_time_courses(standardise(responses(1)[1:]), SETTINGS, RowLayout.plain(24))
    np.testing.assert_allclose(found.people[1][1:], expected, atol=5e-3)
    assert (found.references[1].count <= 4).all()
    assert found.references[0].count.max() == 5


def test_a_calibrated_listener_is_left_out_of_the_reference_in_replay(written, tmp_path):
    """From the command line, against calibration's own course of that listener and the mean of the others."""
    save_bundle(small_bundle(), tmp_path / "bundle")
    recording, sound = written / "eeg" / "listener-03.xdf", written / "sounds" / "soundtrack-01.wav"
    arguments = [str(recording), "--audio", str(sound), "--onset-marker", "soundtrack-01", "--in-reference"]
    arguments += ["--bundle", str(tmp_path / "bundle"), "--speed", "max", "--headless", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(replay_command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with (tmp_path / "out" / "feedback.tsv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["row"] == "Cz"]
    observed = np.array([float(r["observed"].replace("n/a", "nan")) for r in rows])
    lead = int(float(rows[-1]["stimulus_offset"]))
    column = CHANNELS.index("Cz")
    expected = np.tanh(synchrony_time_courses(standardise(responses(0)), SETTINGS, RowLayout.plain(24))[2, :, column])
    np.testing.assert_allclose(observed[lead : lead + 45], expected, atol=5e-3)
    with_own = running_correlation(responses(0)[2], small_bundle().references[0].mean, 1000, 100, 600)[:, column]
    assert np.nanmean(with_own) > np.nanmean(expected) + 0.1


def test_leaving_out_needs_one_person_and_a_reference(written, tmp_path):
    save_bundle(small_bundle(), tmp_path / "bundle")
    recording = str(written / "eeg" / "listener-03.xdf")
    with pytest.raises(SettingsError, match=r"for --audio FILE; give that file, too"):
        CliRunner().invoke(replay_command, [recording, "--in-reference", "--headless"], catch_exceptions=False)
    other = tmp_path / "other.wav"
    soundfile.write(other, np.random.default_rng(0).uniform(-0.1, 0.1, 16_000 * 20), 16_000)
    arguments = [recording, "--audio", str(other), "--in-reference", "--bundle", str(tmp_path / "bundle"), "--headless"]
    with pytest.raises(SettingsError, match="no reference for this sound"):
        CliRunner().invoke(replay_command, arguments, catch_exceptions=False)
