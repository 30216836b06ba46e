"""The map of regions finds the planted ones: a whole study on a real head, whose synchrony follows the sound in few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.calibrate import Plan, analyse
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.observed.spaces import RegionSpace
from rtaffect.predicted.featurizer import default_featurizer
from rtaffect.simulation.cohort import CohortSettings
from rtaffect.simulation.head import region_head
from rtaffect.simulation.study import StudySettings, SyntheticStudy
from tests.support.head_models import needs_head, operator
from tests.support.helpers import quiet

PLANTED = (
    "superiortemporal", "middletemporal", "inferiortemporal", "bankssts", "transversetemporal", "supramarginal",
)  # fmt: skip


@pytest.mark.slow
@needs_head
def test_regions_whose_synchrony_follows_the_sound_are_predicted_and_others_are_not():
    """People are alike everywhere, but only in the planted regions more so at some moments of the sound."""
    made, featurizer = operator("1010-64"), default_featurizer(quiet, threads=2)
    cohort = CohortSettings(strength=0.1, depth=1.2, rate_hz=128.0)
    size = StudySettings(listeners=10, sounds=6, sound_s=90, spare_s=30, cohort=cohort)
    study = SyntheticStudy(size, featurizer, quiet, region_head(made, 3))
    regions = np.array(made.manifest.regions)
    planted = np.array([name.rsplit("-", 1)[0] in PLANTED for name in regions])
    drive = study.cohort.drive
    study.cohort.drive = replace(drive, projection=drive.projection * planted)
    settings = Settings(prediction=PredictionSettings(n_components=4, lags_s=(0, 3, 6)))
    plan = Plan("planted", space=RegionSpace(made), draws=99, splits=1)
    found = analyse(study, featurizer, settings, plan, quiet)
    result = found.sweep.of(found.chosen)
    r = dict(zip(found.measured.space.rows, result.score.r[:-1], strict=True))
    p = dict(zip(found.measured.space.rows, result.p.single, strict=True))
    own, others = (
        [r[name] for name, here in zip(regions, planted, strict=True) if here == yes] for yes in (True, False)
    )
    # The share of pairs in which the planted region is predicted better.
    assert np.mean(np.array(own)[:, None] > np.array(others)) > 0.75
    assert np.mean(own) > np.mean(others) + 0.15
    groups = sorted(made.manifest.groups.keys() & r.keys(), key=r.__getitem__)
    assert set(groups[-2:]) == {"auditory", "temporal"}
    assert max(p["auditory"], p["temporal"]) <= 0.05
    assert np.mean([p[name] <= 0.05 for name in groups[:-2]]) < 0.3
