"""Heads of synthetic people: the sphere's people stay who they were, a region's patch is what its operator allows."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from click.testing import CliRunner

from rtaffect.cli import cli
from rtaffect.common.errors import ArtifactError
from rtaffect.observed.operator_file import save_operator
from rtaffect.predicted.featurizer import default_featurizer
from rtaffect.simulation.cohort import Cohort, CohortSettings, Drive, with_mean_of
from rtaffect.simulation.head import _patch, leadfield, region_head, sphere_head
from rtaffect.simulation.study import QUICK, SyntheticStudy
from tests.simulation.test_cohort import SOUND, STEPS, cohort, features
from tests.support.head_models import needs_head, operator, small_operator
from tests.support.helpers import quiet

PEOPLE = 30


@functools.cache
def regions_cohort(**settings) -> Cohort:
    chosen, head = CohortSettings(**settings), region_head(small_operator(), 7)
    return Cohort(chosen, Drive.plant(features(), chosen, patches=len(head.patches)), head)


def pairwise(group: np.ndarray, window: int) -> np.ndarray:
    """Correlation over pairs of people (people, time, rows) in windows of equal length, (windows, rows)."""
    n = len(group)
    cut = group.reshape(n, -1, window, group.shape[2])
    total, own = cut.sum(axis=0).var(axis=1), cut.var(axis=2).sum(axis=0)
    return (total - own) / ((n - 1) * own)


class TestSphere:
    def test_the_demos_people_are_who_they_were_before_there_was_another_head(self):
        """Values of the release before; the demo's figures in the guide rest on them."""
        eeg = cohort().listen(SOUND, features(), 3, before_s=2.0)
        was = [-2.5391826822456402e-06, 1.5484576565548044e-05, -9.458123191192587e-06]
        np.testing.assert_allclose(eeg[[0, 1000, 20000], [0, 9, 23]], was, rtol=1e-8)
        assert eeg.std() == pytest.approx(2.7497789711297553e-05, rel=1e-10)
        was = [0.019976265730334463, 0.01595352449682199, 0.05805815585297635]
        np.testing.assert_allclose(cohort().truth(SOUND, features())[[0, 50, 99], [0, 9, 23]], was, rtol=1e-9)

    def test_it_is_the_default(self):
        made = cohort()
        assert made.head.channels == sphere_head().channels
        np.testing.assert_array_equal(made.head.leadfield, leadfield())
        explicit = Cohort(made.settings, made.drive, sphere_head())
        np.testing.assert_array_equal(explicit.listen(SOUND, features(), 1), made.listen(SOUND, features(), 1))


class TestRegionHead:
    def test_it_has_the_operators_channels_and_a_patch_in_each_region(self):
        made, head = small_operator(), region_head(small_operator(), 7)
        assert head.channels == made.manifest.channels
        assert head.patches == made.manifest.regions
        assert head.leadfield.shape == (12, 4)
        np.testing.assert_allclose(head.leadfield.mean(axis=0), 0, atol=1e-6)

    def test_its_electrodes_have_the_mean_power_of_the_spheres(self):
        power = np.square(region_head(small_operator(), 7).leadfield).sum(axis=1).mean()
        assert power == pytest.approx(np.square(leadfield()).sum(axis=1).mean(), rel=1e-12)

    def test_seeds_place_the_patches(self):
        one = region_head(small_operator(), 7).leadfield
        np.testing.assert_array_equal(one, region_head(small_operator(), 7).leadfield)
        assert not np.allclose(one, region_head(small_operator(), 8).leadfield)

    def test_patches_have_equal_current_power_and_come_of_their_own_region(self):
        made, head = small_operator(), region_head(small_operator(), 7)
        field = made.lead_field.astype(float)
        scales = []
        for number in range(4):
            own = field[:, made.source_region == number]
            currents = _patch(own - own.mean(axis=0), np.random.default_rng([7, number]))
            assert np.square(currents).sum() == pytest.approx(1)
            assert (currents > 0).all()
            scales.append(head.leadfield[:, number] / ((own - own.mean(axis=0)) @ currents))
        np.testing.assert_allclose(scales, scales[0][0], rtol=1e-5)

    def test_an_operator_with_an_empty_region_is_refused(self):
        made = small_operator()
        bare = replace(made, source_region=np.where(made.source_region == 2, 1, made.source_region))
        with pytest.raises(ArtifactError, match="no sources in cuneus-lh"):
            region_head(bare, 7)

    @needs_head
    def test_patches_of_the_template_are_extended_and_deep_ones_are_faint(self):
        made = operator("1010-32")
        power = np.square(region_head(made, 7).leadfield).sum(axis=0)
        named = dict(zip(made.manifest.regions, power, strict=True))
        deep = [named[f"{label}-{side}"] for label in ("entorhinal", "temporalpole") for side in ("lh", "rh")]
        near = [named[f"{label}-{side}"] for label in ("superiorparietal", "precuneus") for side in ("lh", "rh")]
        assert max(deep) < min(near)
        field = made.lead_field[:, made.source_region == made.manifest.regions.index("superiorfrontal-lh")]
        strongest = np.sort(np.square(_patch(field.astype(float), np.random.default_rng(0))))[::-1]
        half = np.searchsorted(np.cumsum(strongest), 0.5) + 1
        assert 0.03 < half / len(strongest) < 0.3

    def test_a_drive_for_other_patches_is_refused(self):
        chosen = CohortSettings()
        with pytest.raises(ValueError, match="moves 10 patches, the head has 4"):
            Cohort(chosen, Drive.plant(features(), chosen), region_head(small_operator(), 7))


class TestPlanted:
    @functools.cached_property
    def time_courses(self) -> np.ndarray:
        """Correlation of noiseless sources in windows of 10 s, (10, 4)."""
        made = regions_cohort(strength=0.1, rate_hz=100.0)
        return pairwise(np.stack([made.activity(SOUND, features(), i) for i in range(PEOPLE)]), 1000)

    def test_sources_of_each_region_have_its_planted_correlation(self):
        """435 pairs over 100 s: the standard error of a region's mean is about .003."""
        truth = regions_cohort(strength=0.1, rate_hz=100.0).patch_truth(SOUND, features())
        assert truth.shape == (STEPS, 4)
        assert truth.std(axis=0).min() > 0.01
        np.testing.assert_allclose(self.time_courses.mean(axis=0), truth.mean(axis=0), atol=0.012)

    def test_and_its_time_course(self):
        truth = regions_cohort(strength=0.1, rate_hz=100.0).patch_truth(SOUND, features())
        for region, course in enumerate(truth.reshape(10, 10, 4).mean(axis=1).T):
            assert np.corrcoef(self.time_courses[:, region], course)[0, 1] > 0.8

    def test_eeg_is_what_the_sources_give_at_the_electrodes(self):
        made = regions_cohort(sensor_noise=0.0, mains_v=0.0, drift_v=0.0)
        eeg = made.listen(SOUND, features(), 2, before_s=1.0, after_s=1.0)
        activity = made.activity(SOUND, features(), 2, before_s=1.0, after_s=1.0)
        np.testing.assert_allclose(eeg, 12e-6 * activity @ made.head.leadfield.T, atol=1e-15)

    def test_expected_at_patches_is_the_formula_of_their_truth(self):
        made = regions_cohort()
        truth = made.patch_truth(SOUND, features())
        expected = with_mean_of(made.patch_truth(SOUND, features()), 5, 10)
        np.testing.assert_array_equal(expected, with_mean_of(truth, 5, 10))
        c = truth[20:30].mean(axis=0)
        np.testing.assert_allclose(expected[29], c / np.sqrt(c + (1 - c) / 5), rtol=1e-12)


class TestAnatomy:
    def test_synchrony_at_the_electrodes_falls_as_planted(self):
        alike, found = {}, {}
        for anatomy in (0.0, 1.0):
            made = regions_cohort(strength=0.3, depth=0.0, rate_hz=100.0, anatomy=anatomy, mains_v=0.0, drift_v=0.0)
            heard = np.stack([made.listen(SOUND, features(), i) for i in range(PEOPLE)])
            alike[anatomy] = pairwise(heard, STEPS * 100).mean()
            found[anatomy] = made.truth(SOUND, features()).mean()
            assert alike[anatomy] == pytest.approx(found[anatomy], abs=0.03)
        assert found[1.0] < 0.7 * found[0.0]

    def test_a_listener_keeps_their_head_over_sounds(self):
        made = regions_cohort(anatomy=0.5)
        np.testing.assert_array_equal(made._leadfield(3), made._leadfield(3))
        assert not np.allclose(made._leadfield(3), made._leadfield(4))
        assert regions_cohort()._leadfield(3) is regions_cohort().head.leadfield


class TestCommand:
    def test_simulate_writes_the_operators_channels_and_the_regions_truth(self, tmp_path: Path) -> None:
        made = small_operator()
        save_operator(made, tmp_path / "head.safetensors")
        words = ["simulate", "--head", tmp_path / "head.safetensors", "--out", tmp_path / "study", "--quick"]
        words += ["--listeners", 3, "--sounds", 1, "--sound-seconds", 30]
        result = CliRunner().invoke(cli, [str(word) for word in words])
        assert result.exit_code == 0, result.output + repr(result.exception)
        streams, _ = pyxdf.load_xdf(tmp_path / "study" / "eeg" / "listener-02.xdf")
        eeg = next(stream for stream in streams if stream["info"]["type"] == ["EEG"])
        names = [channel["label"][0] for channel in eeg["info"]["desc"][0]["channels"][0]["channel"]]
        assert tuple(names) == made.manifest.channels
        lines = (tmp_path / "study" / "truth.tsv").read_text(encoding="utf-8").splitlines()
        assert lines[0].split("\t") == ["sound", "time", *made.manifest.channels, *made.manifest.regions]
        assert lines[1].split("\t")[2:] == ["n/a"] * 16
        settings = QUICK.model_copy(update={"listeners": 3, "sounds": 1, "sound_s": 30.0})
        study = SyntheticStudy(settings, default_featurizer(quiet, threads=2), quiet, region_head(made, 7))
        about = study.sounds()[0].sha256, study.features[study.sounds()[0].name]
        pairwise = np.concatenate([study.cohort.truth(*about), study.cohort.patch_truth(*about)], axis=1)
        truth = with_mean_of(pairwise, 2, 10)
        values = np.array([line.split("\t")[2:] for line in lines[10:31]], float)
        np.testing.assert_allclose(values, truth[9:], atol=6e-6)
        assert values[:, 12:].mean() > values[:, :12].mean(), "electrodes have noise, and many regions"

    def test_a_file_that_is_no_operator_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "head").write_bytes(b"nothing")
        words = ["simulate", "--head", str(tmp_path / "head"), "--out", str(tmp_path / "study")]
        result = CliRunner().invoke(cli, words)
        assert isinstance(result.exception, ArtifactError)
        assert "rtaffect headmodel" in str(result.exception)
        assert not (tmp_path / "study").exists()
