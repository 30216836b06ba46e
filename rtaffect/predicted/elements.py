"""Which separator makes the elements of a sound, and the elements of whole sounds, kept in the user's cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from rtaffect.common.arrays import Float32Array
from rtaffect.common.cache import seal_beside, wrong_beside
from rtaffect.common.errors import ArtifactError, SettingsError
from rtaffect.common.kept import read_array, write_array
from rtaffect.common.offline import offline_module
from rtaffect.common.reading import path_problem
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.featurizer import Progress, cache_root
from rtaffect.predicted.separator import Elements, Separator
from rtaffect.stream.audio import sound_sha256
from rtaffect.stream.sound_reading import read_samples

#: Separators that can be built here, and what builds them.
BUILDERS: Final = {
    "spleeter-stream": "models.spleeter_stream",
    "dtln": "models.dtln",
    "spleeter-2stems": "models.spleeter",
}
#: Raised when builders write other files, so that an older one in the cache is not used.
_BUILT: Final = 2
ELEMENTS: Final[tuple[Element, ...]] = ("mix", "voice", "background")
#: Of a hash in a file's name, hexadecimal digits.
_SHOWN: Final = 32


def separator_for(name: str, threads: int = 1, progress: Progress = print) -> Separator:
    """Load a separator: one of ``BUILDERS`` by name, built first where the user's cache lacks it, or a file.

    Raises
    ------
    ArtifactError
        If it cannot be built, or the file is no separator.
    SettingsError
        If it is neither a known name nor a file.
    """
    if name not in BUILDERS:
        path = Path(name)
        if path_problem(path) or not path.is_file():
            raise SettingsError(f"separator {name!r}", f"{', '.join(BUILDERS)}, or a file", "name one of them")
        return Separator.load(path, threads)
    path = cached_separator(name)
    if path.exists():
        try:
            found = Separator.load(path, threads)
            if not (wrong := wrong_beside(path, found.sha256)):
                return found
            progress(f"The cached separator is replaced: {path}: {wrong}")
        except ArtifactError as error:
            progress(f"The cached separator is replaced: {error}")
    offline_module(BUILDERS[name]).build(path, progress=progress)
    seal_beside(path)
    return Separator.load(path, threads)


def cached_separator(name: str) -> Path:
    """Return where one of ``BUILDERS`` is kept once it is built."""
    return cache_root() / "separators" / f"{name}-v{_BUILT}.onnx"


def elements_of_file(
    path: Path, mix: Float32Array, separator: Separator, progress: Progress = lambda text: None
) -> Elements:
    """Return the elements of a sound file, computed only the first time.

    Parameters
    ----------
    path
        The file, as :func:`rtaffect.stream.sound_reading.open_sound` takes it.
    mix
        float32 (n,), its sound, mono at 16 kHz.
    separator
        What makes them.
    progress
        Is told in percent how far it is.

    Raises
    ------
    SoundError
        If the file cannot be read.
    ArtifactError
        If they cannot be kept.
    """
    kept, found = _kept_at(mix, separator.sha256), kept_elements(mix, separator.sha256)
    if found is not None:
        return found
    folder, told = kept.parent, [0]

    def done(share: float) -> None:
        if int(10 * share) > told[0]:
            told[0] = int(10 * share)
            progress(f"separating {path.name}: {10 * told[0]} %")

    samples, rate = (mix[:, None], 16_000.0) if separator.streams else read_samples(path)
    found_elements = separator.elements_of(mix, samples, rate, done)
    try:
        write_array(kept, found_elements.voice)
    except OSError as error:
        raise ArtifactError(
            f"{folder}: elements cannot be kept ({error.strerror}); make room, or choose a folder that can be written "
            "through the variable RTAFFECT_CACHE"
        ) from error
    return found_elements


def kept_elements(mix: Float32Array, separator_sha256: str) -> Elements | None:
    """Return the elements of a sound (n,), mono at 16 kHz, that a separator has made before; None where it has not."""
    voice = read_array(_kept_at(mix, separator_sha256))
    if voice is None or voice.shape != mix.shape:
        return None
    found = np.asarray(voice, np.float32)
    return Elements(mix, found, mix - found)


def _kept_at(mix: Float32Array, separator_sha256: str) -> Path:
    return cache_root() / "elements" / f"{sound_sha256(mix)[:_SHOWN]}-voice-{separator_sha256[:_SHOWN]}.npy"


def level_db(sound: Float32Array) -> float:
    """Return the level of a sound (n,), dB of full scale: of its root mean square; -inf for silence."""
    power = float(np.mean(np.square(sound, dtype=np.float64))) if len(sound) else 0.0
    return 10.0 * float(np.log10(power)) if power > 0 else float("-inf")


def voice_share(voice: Float32Array, background: Float32Array) -> float:
    """Return the voice's share of the energy of both, 0 to 1; NaN for silence.

    The measure of Pan et al. (2025) of how a sound's energy is distributed between its elements.
    """
    parts: Sequence[float] = [float(np.sum(np.square(each, dtype=np.float64))) for each in (voice, background)]
    return parts[0] / sum(parts) if sum(parts) > 0 else float("nan")
