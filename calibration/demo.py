"""Makes what the demo needs: a bundle fitted to a synthetic cohort, a sound it was not fitted on, a participant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from calibration.calibrate import calibrate
from rtaffect.audio import SAMPLE_RATE
from rtaffect.bundle import save_bundle
from rtaffect.cache import made_once
from rtaffect.featurizer import Featurizer
from rtaffect.settings import Settings
from rtaffect.simulation.study import StudySettings, SyntheticStudy

Progress = Callable[[str], None]

#: Raised when what the demo is made of changes, so that an older one in the cache is not used.
VERSION = 9
#: The participant's own activity before the sound starts, s.
LEAD_S = 3.0


def ensure(root: Path, featurizer: Featurizer, progress: Progress) -> Path:
    """Return the folder with the demo under ``root``, made if it is not there yet.

    It holds ``bundle``, ``sound.wav`` and ``participant.npy``: the EEG (n, 24) V float32 at 250 Hz of one more person
    of the cohort, who is not in the bundle, from ``LEAD_S`` before the sound.
    """
    folder = root / f"v{VERSION}-{featurizer.sha256[:12]}"
    return made_once(folder, lambda part: _make(part, featurizer, progress))


def _make(folder: Path, featurizer: Featurizer, progress: Progress) -> None:
    progress("making the demo's cohort and bundle, this first time only (about half a minute)")
    study = SyntheticStudy(StudySettings(), featurizer, progress)
    bundle = calibrate(study, featurizer, Settings(), "demo", progress)
    save_bundle(bundle, folder / "bundle")
    sound = study.sounds()[-1]
    samples = np.round(sound.samples * 32768).astype(np.int16)
    soundfile.write(folder / "sound.wav", samples, SAMPLE_RATE)
    participant = study.listen(len(study.listeners), sound, before_s=LEAD_S)
    np.save(folder / "participant.npy", participant.astype(np.float32))
