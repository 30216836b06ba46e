"""A study of affect is read by the code of a session, and what is wrong with one is said in lines."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat

from calibration.affect import deap
from calibration.affect.check import check_affect
from calibration.affect.ratings import affect_entry, read_ratings
from calibration.affect.reading import read_affect
from calibration.affect.study import AffectStudy, Scale
from calibration.study import FolderStudy
from rtaffect.affect.band_entropy import BandEntropy
from rtaffect.affect.settings import AffectBand, AffectSettings
from rtaffect.cli.simulate import command as simulate
from rtaffect.common.errors import RecordingError, SettingsError
from rtaffect.observed.participant import Participant
from rtaffect.simulation.affect_study import SyntheticAffectStudy
from rtaffect.sources.xdf import XdfRecording
from rtaffect.stream.audio import StudySound
from tests.support.affect_files import SMALL, plain, write_study
from tests.support.study_files import write_bids, write_sounds, write_table

SETTINGS = AffectSettings(embedding="plain", baseline_s=20)


def quiet(_: str) -> None:
    pass


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path_factory.getbasetemp() / "affect-cache"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("affect") / "study")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def read(folder: Path, settings: AffectSettings = SETTINGS) -> AffectStudy:
    return read_affect(folder, settings, quiet, embedding=plain())


def edit(folder: Path, *changes: tuple[str, str]) -> None:
    text = (folder / "study.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "study.toml").write_text(text, encoding="utf-8")


class TestStudy:
    def test_every_second_with_a_whole_sequence_is_an_item(self, folder: Path):
        study = read(folder)
        assert (study.people, study.stimuli) == (
            ("listener-01", "listener-02", "listener-03"),
            tuple(f"clip-{n:03d}" for n in range(1, 5)),
        )
        assert len(study) == 3 * 4 * (SMALL.seconds - 2)
        assert study.eeg.shape == (len(study), 3, 24, 4)
        assert set(study.second.tolist()) == set(range(3, SMALL.seconds + 1))
        assert study.mask.all()
        assert study.synthetic
        assert (study.rated, study.raters) == ("stimulus", "own")
        assert len(np.unique(study.hearing)) == 12
        # What is second k of one item is second k - 1 of the next.
        next_to = (np.diff(study.second) == 1) & (np.diff(study.hearing) == 0)
        np.testing.assert_array_equal(study.eeg[:-1][next_to][:, 1:], study.eeg[1:][next_to][:, :-1])

    def test_features_are_those_of_a_session_second_by_second(self, folder: Path):
        """A participant whose session begins 5 s before the sound, and whose rest is taken off."""
        settings = AffectSettings(embedding="plain", baseline="none")
        study = read(folder, settings)
        onset = SyntheticAffectStudy(SMALL).recording(1)[1]["clip-002"] + 1000.0
        source = XdfRecording.open(folder / "eeg" / "listener-02.xdf").eeg_sources()[0]
        source.skip_to(onset - 10)
        participant = Participant(source, study.channels, settings.analysis, onset - 5, partial=True)
        entropy, found = BandEntropy(settings, len(study.channels)), []
        for step in range(1, 5 + SMALL.seconds + 1):
            source.advance(onset - 5 + step + participant.lookahead_s)
            participant.advance(step)
            found.append(entropy(participant.window(step, 1))[0])
        mine = (study.person == 1) & (study.stimulus == 1)
        np.testing.assert_allclose(study.eeg[mine][:, -1], np.array(found)[5 + 2 :], atol=1e-5)

    def test_a_persons_rest_is_taken_off(self, folder: Path):
        raw, less = read(folder, SETTINGS.model_copy(update={"baseline": "none"})), read(folder)
        for person in range(3):
            mine = raw.person == person
            offset = raw.eeg[mine] - less.eeg[mine]
            # One value of each channel and band, the same for all items.
            np.testing.assert_allclose(offset, np.broadcast_to(offset[0, 0], offset.shape), atol=1e-4)
            assert np.abs(offset[0, 0]).min() > 1
        assert abs(less.eeg.mean()) < 0.5 < abs(raw.eeg.mean())

    def test_what_was_planted_is_in_the_features(self, tmp_path: Path):
        eeg = {"strength": 2.0, "differing": 0.0}
        study = read(write_study(tmp_path / "strong", stimuli=8, eeg=eeg))
        names, bands = list(study.channels), [band.name for band in study.settings.bands]
        alpha = study.eeg[:, :, :, bands.index("alpha")].mean(axis=1)
        behind = alpha[:, [names.index(n) for n in ("O1", "Oz", "O2", "Pz")]].mean(axis=1)
        asymmetry = alpha[:, names.index("AF8")] - alpha[:, names.index("AF7")]
        assert np.corrcoef(behind, study.arousal)[0, 1] < -0.6
        assert np.corrcoef(asymmetry, study.valence)[0, 1] > 0.3
        assert np.corrcoef(study.sound[:, 0], study.arousal)[0, 1] > 0.6

    def test_ratings_are_on_the_scale_and_the_middle_is_neither_high_nor_low(self, copied: Path):
        table = copied / "ratings" / "ratings.tsv"
        rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
        rows[1][2:], rows[2][2:], rows[3][2:] = ["9", "1"], ["5", "n/a"], ["7", "2"]
        table.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
        study = read(copied)
        first = [study.take((study.person == 0) & (study.stimulus == k)) for k in range(3)]
        assert (first[0].ratings == [1, -1]).all()
        assert (first[2].ratings == [0.5, -0.75]).all()
        assert (first[1].valence == 0).all()
        assert np.isnan(first[1].arousal).all()
        assert np.isnan(first[1].classes).all()
        assert (first[0].classes == [1, 0]).all()
        assert len(study.usable()) == len(study)
        assert np.array_equal(Scale(0, 2, 10).unit(np.array([0.0, 1, 2, 6, 10])), [-1, -0.5, 0, 0.5, 1])

    def test_ratings_of_each_second(self, tmp_path: Path):
        here = write_study(tmp_path / "seconds", rated="second")
        study = read(here)
        assert (study.rated, study.raters) == ("second", "own")
        mine = (study.person == 2) & (study.stimulus == 1)
        made = SyntheticAffectStudy(SMALL.model_copy(update={"rated": "second"}))
        expected = (made.ratings(2, made.stimuli[1]) - 5) / 4
        np.testing.assert_allclose(study.ratings[mine], expected[2:], atol=0.002)

    def test_a_table_without_listeners_is_everybodys(self, copied: Path):
        rows = ["sound\tvalence\tarousal", *(f"clip-{n:03d}\t{2 * n}\t{10 - 2 * n}" for n in range(1, 5))]
        (copied / "ratings" / "ratings.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        study = read(copied)
        assert study.raters == "shared"
        assert (study.valence == (2 * study.stimulus + 2 - 5) / 4).all()

    def test_a_bad_channel_is_masked_and_zero(self, folder: Path):
        signal = SETTINGS.signal.model_copy(update={"loud_v": 18e-6})
        study = read(folder, SETTINGS.model_copy(update={"signal": signal}))
        assert 0.02 < study.mask.mean() < 0.98
        assert np.isfinite(study.eeg).all()
        assert not study.eeg[~study.mask].any()
        assert len(study.usable()) < len(study)

    def test_it_is_read_from_the_cache_the_second_time(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        first = read(folder)
        monkeypatch.setattr("calibration.affect.reading.eeg_features", _never)
        again = read(folder)
        np.testing.assert_array_equal(first.eeg, again.eeg)
        slower = AffectBand(name="theta", low_hz=4, high_hz=7)
        other = SETTINGS.model_copy(update={"bands": (slower, *SETTINGS.bands[1:])})
        with pytest.raises(AssertionError, match="computed"):
            read(folder, other)


def _never(*_: object) -> None:
    raise AssertionError("computed")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no rest": (
        lambda here: edit(here, ("rest = [[1000, 1024]]", "")),
        "0 s of rest with good EEG, expected 10 s or more",
    ),
    "no ratings": (
        lambda here: edit(here, ('ratings = "ratings/ratings.tsv"', "")),
        "no ratings of valence and arousal",
    ),
    "a table that is not there": (
        lambda here: edit(here, ("ratings/ratings.tsv", "ratings/gone.tsv")),
        "no file ratings/gone.tsv; correct affect.ratings",
    ),
    "another scale": (lambda here: edit(here, ("[1, 5, 9]", "[1, 3, 5]")), "is beyond the scale of 1 to 5"),
    "one class": (lambda here: edit(here, ("[1, 5, 9]", "[-9, 0, 9]")), "one class only"),
    "a scale that falls": (
        lambda here: edit(here, ("[1, 5, 9]", "[9, 5, 1]")),
        "the lowest, the middle and the highest",
    ),
    "other columns": (
        lambda here: (here / "ratings" / "ratings.tsv").write_text("sound\tjoy\nclip-001\t3\n", encoding="utf-8"),
        "expected sound, valence and arousal",
    ),
    "an unknown sound": (
        lambda here: (here / "ratings" / "ratings.tsv").write_text(
            "sound\tvalence\tarousal\nsong\t3\t4\n", encoding="utf-8"
        ),
        "rates the sound 'song', which the study does not have",
    ),
    "words for numbers": (
        lambda here: (here / "ratings" / "ratings.tsv").write_text(
            "sound\tvalence\tarousal\nclip-001\thigh\t4\n", encoding="utf-8"
        ),
        "valence is 'high'; expected a number",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(case: str, copied: Path):
    change, expected = WRONG[case]
    change(copied)
    with pytest.raises(RecordingError) as told:
        read(copied)
    assert expected in str(told.value)
    assert "\n" not in str(told.value)


def test_a_band_that_the_eeg_is_too_slow_for(folder: Path):
    fast = AffectBand(name="high gamma", low_hz=60, high_hz=130)
    signal = SETTINGS.signal.model_copy(update={"lowpass_hz": 140.0, "rate_hz": 300})
    with pytest.raises(SettingsError, match="too slow for lowpass_hz = 140"):
        read(folder, AffectSettings(embedding="plain", bands=(fast,), signal=signal))


def test_check_tells_all_at_once_and_nothing_of_a_good_study(folder: Path, copied: Path):
    assert check_affect(folder, SETTINGS) == []
    edit(copied, ("rest = [[1000, 1024]]", ""), ("[1, 5, 9]", "[1, 3, 5]"))
    (copied / "eeg" / "listener-03.xdf").write_bytes(b"nothing")
    lines = check_affect(copied, SETTINGS)
    told = "\n".join(lines)
    for expected in ("listener-03", "listener-01: 0 s of rest", "is beyond the scale of 1 to 5"):
        assert expected in told, lines


def test_a_bids_dataset_has_ratings_and_rest_in_its_events(tmp_path: Path):
    here = write_bids(tmp_path / "bids")
    for number, events in enumerate(sorted(here.rglob("*_events.tsv"))):
        write_table(
            events,
            {
                "onset": [1.0, 12.004, 31.5, 48.0],
                "duration": [10, 14, 14, "n/a"],
                "trial_type": ["Rest", "listen", "listen", "rest"],
                "stim_file": ["n/a", "story-1.wav", "story-2.wav", "n/a"],
                "valence": ["n/a", 2 + number, 8, 3],
                "arousal": ["n/a", 7, "n/a" if number else 2, 3],
            },
        )
    study = FolderStudy(here)
    assert [file.rest for file in study.layout.recordings] == [((1.0, 11.0),)] * 3
    assert [(rest.onset, rest.seconds) for rest in study.rests("sub-02", 5)] == [(1.0, 10)]
    ratings = read_ratings(study, affect_entry(here))
    assert (ratings.rated, ratings.raters) == ("stimulus", "own")
    np.testing.assert_allclose(ratings.over("sub-02", "story-1", [3, 4]), [[-0.5, 0.5]] * 2)
    np.testing.assert_allclose(ratings.over("sub-02", "story-2", [3]), [[0.75, np.nan]])
    np.testing.assert_allclose(ratings.over("sub-01", "story-2", [3]), [[0.75, -0.75]])


def test_raters_who_are_no_listeners_rate_for_all(folder: Path, tmp_path: Path):
    here = write_study(tmp_path / "seconds", rated="second")
    edit(here, *((f'"listener-0{n}" = "ratings', f'"rater {n}" = "ratings') for n in (1, 2, 3)))
    study = FolderStudy(here)
    ratings = read_ratings(study, affect_entry(here))
    assert (ratings.rated, ratings.raters) == ("second", "shared")
    made = SyntheticAffectStudy(SMALL.model_copy(update={"rated": "second"}))
    mean = np.mean([made.ratings(person, made.stimuli[0]) for person in range(3)], axis=0)
    np.testing.assert_allclose(ratings.values["listener-01", "clip-001"], mean, atol=0.01)


def test_simulate_writes_what_is_asked_for_and_refuses_the_rest(tmp_path: Path):
    few = ["--affect", "--quick", "--listeners", "3", "--sounds", "4", "--sound-seconds", "8", "--relation", "0"]
    done = CliRunner().invoke(simulate, ["--out", str(tmp_path / "study"), *few])
    assert done.exit_code == 0, done.output
    assert "follow nothing" in " ".join(done.output.split())
    study = FolderStudy(tmp_path / "study")
    assert (len(study.listeners), [sound.seconds for sound in study.sounds()]) == (3, [8] * 4)
    for wrong, expected in (
        (["--rated", "second"], "--rated is for --affect"),
        (["--affect", "--head", "x"], "--head is of a study of synchrony"),
        (["--affect", "--sound-seconds", "8.5"], "--sound-seconds = 8.5: expected a whole number from"),
        (["--strength", "3"], "--strength = 3.0: expected a number above 0 and below 1"),
    ):
        refused = CliRunner().invoke(simulate, ["--out", str(tmp_path / "other"), *wrong])
        assert isinstance(refused.exception, SettingsError)
        assert expected in str(refused.exception)
        assert not (tmp_path / "other").exists()


@pytest.fixture
def deap_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two people and three videos in the form of DEAP's files, of which two have a sound."""
    monkeypatch.setattr(deap, "VIDEOS", 3)
    here, rng = tmp_path / "deap", np.random.default_rng(0)
    here.mkdir()
    for person in (1, 2):
        data = np.zeros((3, 40, deap.SAMPLES))
        # White noise of 10 uV, half of it shared, so that no channel stands alone.
        common = rng.standard_normal((3, 1, deap.SAMPLES))
        data[:, :32] = np.sqrt(50) * (common + rng.standard_normal((3, 32, deap.SAMPLES)))
        labels = np.array([[8.0, 2, 5, 5], [2, 7, 5, 5], [2, 7, 5, 5]])
        savemat(here / f"s{person:02d}.mat", {"data": data, "labels": labels + 0.1 * person})
    write_sounds(here / "sounds", ("clip 1", "03"), 60)
    return here


class TestDeap:
    def settings(self) -> AffectSettings:
        """Three videos have 9 s of rest."""
        return SETTINGS.model_copy(update={"baseline_s": 12})

    def test_people_videos_and_ratings(self, deap_folder: Path):
        study = read(deap_folder, self.settings())
        assert study.people == ("s01", "s02")
        assert study.stimuli == ("clip 1", "03")
        assert len(study) == 2 * 2 * 58
        assert study.channels == deap.CHANNELS
        # Nothing was recorded after the last second, which interpolation would need.
        assert study.mask[study.second < 60].all()
        assert not study.mask[study.second == 60][:, -1].any()
        np.testing.assert_allclose(np.unique(study.valence), [-0.725, -0.7, 0.775, 0.8])
        assert "1 of 3 videos are left out" in study.notes[0]
        # White noise of 10 uV: a band has its share of the variance; the rest has the same.
        assert abs(study.eeg.mean()) < 0.1

    def test_volts(self, deap_folder: Path):
        study = read(deap_folder, self.settings().model_copy(update={"baseline": "none"}))
        alpha = study.eeg[..., 1].mean()
        expected = 0.5 * np.log(2 * np.pi * np.e * 1e-10 * 5 / 64)
        assert alpha == pytest.approx(expected, abs=0.1)

    def test_pickles_are_never_loaded(self, tmp_path: Path):
        (tmp_path / "s01.dat").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
        assert any("pickles, which can run code and are never loaded" in line for line in check_affect(tmp_path))
        with pytest.raises(RecordingError, match="are pickles"):
            read(tmp_path)
        with pytest.raises(RecordingError, match="data_preprocessed_matlab"):
            deap.people_files(tmp_path)

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ({"data": np.zeros((2, 40, deap.SAMPLES)), "labels": np.ones((2, 4))}, r"it has data \(2, 40"),
            ({"x": np.zeros(3)}, "neither data nor labels"),
            ({"data": np.zeros((3, 40, deap.SAMPLES)), "labels": np.full((3, 4), 12.0)}, "not within 1 to 9"),
            ({"data": np.full((3, 40, deap.SAMPLES), np.nan), "labels": np.full((3, 4), 2.0)}, "not finite"),
            ({"data": np.zeros((3, 40, deap.SAMPLES), np.int8), "labels": np.full((3, 4), 2.0)}, "its data are int8"),
        ],
        ids=["videos", "names", "labels", "numbers", "whole numbers"],
    )
    def test_another_file_is_refused(self, deap_folder: Path, content: dict[str, np.ndarray], expected: str):
        savemat(deap_folder / "s01.mat", content)
        with pytest.raises(RecordingError, match=expected) as told:
            deap.read_person(deap_folder / "s01.mat")
        assert "\n" not in str(told.value)

    def test_damaged_files_are_all_named(self, deap_folder: Path):
        for path in deap_folder.glob("*.mat"):
            path.write_bytes(path.read_bytes()[:2000])
        shutil.rmtree(deap_folder / "sounds")
        lines = check_affect(deap_folder)
        assert len(lines) == 3
        assert all(any(name in line for line in lines) for name in ("s01.mat", "s02.mat", "sounds"))


def test_sounds_of_other_names_are_none_of_deaps(tmp_path: Path):
    write_sounds(tmp_path, ("7", "clip 12", "take 3 of 4", "99"), 1)
    found = deap.read_sounds(tmp_path)
    assert {video: sound.name for video, sound in found.items()} == {7: "7", 12: "clip 12"}
    assert isinstance(found[7], StudySound)
    write_sounds(tmp_path, ("video 7",), 1)
    with pytest.raises(RecordingError, match="two files are of video 7"):
        deap.read_sounds(tmp_path)
