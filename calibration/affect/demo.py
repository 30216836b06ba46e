"""Makes what the demo of affect needs: a bundle of affect of simulated people, music it was not trained on, a listener.

The listener is none of those people either. They rest before the music begins, which tells the baseline of their EEG.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from calibration.affect.affect_model import AffectModel
from calibration.affect.eeg import LEAD_S, Features, eeg_features, rest_mean
from calibration.affect.embedder import Embedding, embedding_of
from calibration.affect.held_out import arguments
from calibration.affect.items import Items
from calibration.affect.outcome import bundle_with, provenance_of
from calibration.affect.ratings import Ratings
from calibration.affect.study import AffectStudy, Scale
from rtaffect.affect.bundle import save_affect_bundle
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.arrays import FloatArray
from rtaffect.common.cache import made_once
from rtaffect.common.counted import Counted
from rtaffect.predicted.featurizer import Featurizer, Progress
from rtaffect.simulation.affect import AffectivePerson, AffectiveSettings
from rtaffect.simulation.affect_study import SCALE, AffectStudySettings, SyntheticAffectStudy
from rtaffect.simulation.study import write_sound
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.audio import SAMPLE_RATE, StudySound
from rtaffect.stream.source import StreamInfo

#: Raised when what the demo is made of changes, so that an older one in the cache is not used.
VERSION: Final = 2
#: The listener's own activity before the session's zero, s, and their rest from then on, s, in which nothing is heard.
BEFORE_S, REST_S = 3, 30
#: What the bundle is trained on.
TRAINED: Final = AffectStudySettings(people=8, stimuli=16, seconds=20, rest_s=REST_S + LEAD_S)
#: What is heard in the session: clips of its own, two in each quadrant, one after the other.
HEARD: Final = AffectStudySettings(people=3, stimuli=8, seconds=18, eeg=AffectiveSettings(seed=8))
#: Of the trained clips, those in the library.
LIBRARY: Final = 12


def ensure(root: Path, featurizer: Featurizer, progress: Progress) -> Path:
    """Return the folder with the demo of affect under ``root``, made if it is not there yet.

    It holds ``affect``, the bundle, whose sound is embedded by ``featurizer``; ``library``, clips that it was trained
    on; ``sound.wav``, silence of ``REST_S`` and then clips that it was not trained on; ``participant.npy``, the EEG
    (n, 24) V float32 at 250 Hz of one more person, from ``BEFORE_S`` before the sound, who rests while it is silent;
    ``truth.tsv``, what that person feels at each second of the sound, -1 to 1.
    """
    folder = root / f"affect-v{VERSION}-{featurizer.sha256[:12]}"
    return made_once(folder, lambda part: _make(part, featurizer, progress), progress)


def _make(folder: Path, featurizer: Featurizer, progress: Progress) -> None:
    # Each clip is composed and embedded, each person's EEG read; then the training, in two parts, and what is heard.
    counted = Counted(progress, 2 * TRAINED.stimuli + TRAINED.people + 4)
    counted("making the demo's people and their bundle of affect, this first time only")
    settings = AffectSettings(baseline_s=REST_S, embedding=featurizer.identity)
    embedding = embedding_of(featurizer, settings)
    simulated = SyntheticAffectStudy(TRAINED)
    sounds = []
    for stimulus in simulated.stimuli:
        counted(f"composing {stimulus.name}")
        sounds.append(simulated.sound(stimulus))
    study = _study(simulated, sounds, settings, embedding, counted)
    model = AffectModel(progress=_parts(counted)).fit(**arguments(study))
    provenance = provenance_of(study, model) | {"validation": "none"}
    bundle = bundle_with("demo", study, model, embedding.identity, embedding.content, provenance, {})
    save_affect_bundle(bundle, folder / "affect")
    (folder / "library").mkdir()
    for sound in sounds[:LIBRARY]:
        write_sound(folder / "library" / f"{sound.name}.wav", sound)
    counted("what is heard, and who hears it")
    _hearing(folder)


def _study(
    simulated: SyntheticAffectStudy,
    sounds: list[StudySound],
    settings: AffectSettings,
    embedding: Embedding,
    progress: Progress,
) -> AffectStudy:
    """Return a simulated study as arrays, by the code that reads one from a folder."""
    numbers = range(len(simulated.people))
    values = {
        (simulated.people[who], stimulus.name): simulated.ratings(who, stimulus)
        for who in numbers
        for stimulus in simulated.stimuli
    }
    ratings = Ratings(values, Scale(*SCALE), simulated.settings.rated, "own")
    items: Items | None = None
    embeddings = embedding.of_all(sounds, progress)
    for who in numbers:
        name = simulated.people[who]
        progress(f"EEG of {name}")
        samples, onsets, channels = simulated.recording(who)
        items = items or Items(settings, channels, embeddings)
        whole = _features(name, samples, channels, settings)
        baseline = rest_mean([whole.part(0, simulated.settings.rest_s - LEAD_S)], settings, name)
        for sound, onset in onsets.items():
            part = whole.part(round(onset) - LEAD_S, simulated.settings.seconds)
            items.add(name, sound, part, baseline, ratings)
    assert items is not None
    return items.study(simulated.name, embedding, ratings, synthetic=True).usable()


def _features(name: str, samples: FloatArray, channels: tuple[str, ...], settings: AffectSettings) -> Features:
    """Return the features of a recording from ``LEAD_S`` on, when its filters have settled."""
    rate = TRAINED.eeg.rate_hz
    source = ArraySource(StreamInfo(name, "eeg", rate, channels, "simulated", name), samples, 0.0)
    seconds = int(len(samples) / rate) - LEAD_S
    # The last second is left: the signal path looks a little ahead.
    return eeg_features(source, LEAD_S, seconds - 1, channels, settings).last(seconds - 1)


def _parts(progress: Progress) -> Progress:
    """Return what tells of each part of a training once, however often it is told."""
    told = set[str]()

    def tell(text: str) -> None:
        part = text.partition(",")[0]
        if part not in told:
            told.add(part)
            progress(part)

    return tell


def _hearing(folder: Path) -> None:
    """Write what is heard in the session, and the EEG of who hears it."""
    heard = SyntheticAffectStudy(HEARD)
    person = TRAINED.people
    silence = np.zeros(REST_S * SAMPLE_RATE, np.float32)
    pieces = [heard.sound(stimulus).samples for stimulus in heard.stimuli]
    write_sound(folder / "sound.wav", StudySound("demo", np.concatenate([silence, *pieces]), fit=False))
    felt = np.concatenate([heard.felt(person, stimulus) for stimulus in heard.stimuli])
    course = np.concatenate([np.zeros((BEFORE_S + REST_S, 2)), felt, np.zeros((BEFORE_S, 2))])
    eeg = AffectivePerson(TRAINED.eeg, person).eeg(*course.T)
    np.save(folder / "participant.npy", eeg.astype(np.float32))
    (folder / "truth.tsv").write_text("\n".join(_truth(felt)) + "\n", encoding="utf-8", newline="\n")


def _truth(felt: FloatArray) -> Iterator[str]:
    yield "time\tvalence\tarousal"
    for second, (valence, arousal) in enumerate(felt, REST_S + 1):
        yield f"{second}\t{valence:.4f}\t{arousal:.4f}"
