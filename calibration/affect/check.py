"""Looks a study of affect through before anything is trained, and tells all that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from calibration.affect.deap import deap_problems, is_deap
from calibration.affect.ratings import affect_entry, read_ratings
from calibration.affect.reading import short_sounds
from calibration.studies.check import NOTE, check
from calibration.studies.manifest import ALL_EEG, Channels
from calibration.study import FolderStudy
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.errors import RtaffectError


def check_affect(
    folder: Path, settings: AffectSettings | None = None, sounds: Path | None = None, channels: Channels = ALL_EEG
) -> list[str]:
    """Return everything that is wrong with a study of affect, one line each; empty if nothing is.

    All that ``calibrate --check`` looks at but the length of sounds for its folds; then ratings (missing, beyond their
    scale, of one class), rest where a baseline is wanted, sounds shorter than a sequence, and EEG too slow for the
    bands. Lines that begin with ``note:`` come last and forbid nothing.

    Parameters
    ----------
    folder, sounds, channels
        As for :func:`calibration.affect.reading.read_affect`.
    settings
        Those that it is to be trained with; default: the defaults.
    """
    settings = settings or AffectSettings()
    if is_deap(folder):
        lines = [*deap_problems(folder, sounds or folder / "sounds")]
    else:
        lines = check(folder, settings.analysis, channels, folds=False)
        lines += [line for line in _of_affect(folder, settings, channels) if line not in lines]
    lines = list(dict.fromkeys(" ".join(line.split()) for line in lines))
    return sorted(lines, key=lambda line: line.startswith(NOTE))


def _of_affect(folder: Path, settings: AffectSettings, channels: Channels) -> Iterator[str]:
    """Yield what is wrong with ratings and rest of a study whose files can be read."""
    try:
        entry, study = affect_entry(folder), FolderStudy(folder, channels)
    except RtaffectError:
        # What keeps it from being read is told already.
        return
    if not study.listeners:
        yield f"study {study.name}: no listeners; affect needs EEG: add [[listener]] to study.toml"
    try:
        read_ratings(study, entry)
    except RtaffectError as error:
        yield str(error)
    yield from short_sounds(study.sounds(), settings)
    if settings.baseline == "none":
        return
    for listener in study.listeners:
        files = [file for file in study.layout.recordings if file.listener == listener]
        rested = sum(stop - start for file in files for start, stop in file.rest)
        rested += entry.rest_before_s * sum(len(file.onset) for file in files)
        least = settings.baseline_least * settings.baseline_s
        if rested < least:
            yield (
                f"{listener}: {rested:g} s of rest, expected {least:g} s or more for a baseline: name when they rested "
                "(listener.rest or affect.rest_before_s in study.toml), or train with baseline = none"
            )
