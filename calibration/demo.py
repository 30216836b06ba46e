"""Makes what the demo needs: a bundle fitted to a synthetic cohort, a sound it was not fitted on, a participant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from calibration.calibrate import calibrate
from rtaffect.common.cache import made_once
from rtaffect.common.settings import Settings
from rtaffect.engine.bundle import save_bundle
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.simulation.study import StudySettings, SyntheticStudy
from rtaffect.stream.audio import SAMPLE_RATE

Progress = Callable[[str], None]

#: Raised when what the demo is made of changes, so that an older one in the cache is not used.
VERSION = 10
#: The participant's own activity before the sound starts, s.
LEAD_S = 3.0
#: When a protocol's first block begins by itself, s (:mod:`rtaffect.protocol.model`).
PROTOCOL_LEAD_S = 3.0
#: Kind, name, length (s) and sound of each block of the demo's protocol.
_BLOCKS = (
    ("rest", "Rest", 10, None),
    ("baseline", "Baseline", 60, 0),
    ("listen", "Story", 15, 1),
    ("feedback", "Feedback", 60, -1),
    ("transfer", "Transfer", 30, 2),
)
_INSTRUCTIONS = {
    "rest": "Sit comfortably and look at the cross.",
    "baseline": "Listen. There is no feedback yet.",
    "listen": "Listen.",
    "feedback": "Listen closely: the more you are with the story, the fuller the ring.",
    "transfer": "Do the same once more, without the ring.",
}
_PROTOCOL = """# The demo's protocol: every kind of block, short.
format = 1
name = "Demo"
description = "A synthetic participant in three minutes; blocks follow each other by themselves."

[feedback]
value = "observed"
rows = ["mean"]
smoothing_s = 5
scale = "baseline"
show = "ring"

"""


def ensure(root: Path, featurizer: Featurizer, progress: Progress) -> Path:
    """Return the folder with the demo under ``root``, made if it is not there yet.

    It holds ``bundle``, ``sound.wav`` and ``participant.npy``: the EEG (n, 24) V float32 at 250 Hz of one more person
    of the cohort, who is not in the bundle, from ``LEAD_S`` before the sound. ``protocol.toml`` is a short protocol
    whose stimuli lie beside it, ``protocol.npy`` that person's EEG from ``LEAD_S`` before a session that it leads.
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
    _make_protocol(folder, study)


def _make_protocol(folder: Path, study: SyntheticStudy) -> None:
    """Write a protocol with every kind of block, its sounds, and what the participant's EEG is in it."""
    person, sounds = len(study.listeners), study.sounds()
    pieces, blocks = [], []
    silence = study.rest(person, LEAD_S + PROTOCOL_LEAD_S)
    pieces.append(silence)
    for kind, name, seconds, number in _BLOCKS:
        lines = ["[[block]]", f'kind = "{kind}"', f'name = "{name}"', 'start = "auto"', f"duration_s = {seconds}"]
        if number is None:
            pieces.append(study.rest(person, seconds))
        else:
            file = f"{sounds[number].name}.wav"
            samples = np.round(sounds[number].samples * 32768).astype(np.int16)
            soundfile.write(folder / file, samples, SAMPLE_RATE)
            heard = study.listen(person, sounds[number], before_s=0.0)
            pieces.append(heard[: round(seconds * study.settings.cohort.rate_hz)])
            lines.append(f'stimulus = "{file}"')
        blocks.append("\n".join([*lines, f'instruction = "{_INSTRUCTIONS[kind]}"']))
    np.save(folder / "protocol.npy", np.concatenate([*pieces, study.rest(person, 3.0)]).astype(np.float32))
    (folder / "protocol.toml").write_text(_PROTOCOL + "\n\n".join(blocks) + "\n", encoding="utf-8")
