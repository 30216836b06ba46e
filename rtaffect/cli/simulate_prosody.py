"""Of the command ``simulate``: the same spoken words, said otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rtaffect.common.errors import SettingsError
from rtaffect.simulation.prosody import write_variants
from rtaffect.simulation.sounds import speech_from_wheel
from rtaffect.stream.audio import read_sound


def write_prosody(out: Path, speech: Sequence[Path]) -> str:
    """Write recordings of speech, or a reading, said in other ways, and return what they are, in words.

    Raises
    ------
    SettingsError
        If two recordings have one name.
    SoundError, ArtifactError
        If one cannot be used, or what changes them is not installed.
    """
    if len({path.stem for path in speech}) < len(speech):
        raise SettingsError("two recordings of --speech have one name; expected each once", remedy="rename one")
    spoken = {path.stem: read_sound(path)[0] for path in speech} or {"reading": speech_from_wheel()}
    count = write_variants(spoken, out)
    return (
        f"{count} sounds of {len(spoken)}, each as it is and with another pitch, rate or level; prosody.tsv lists them"
    )
