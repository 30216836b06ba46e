"""What a session needs to predict from voice and background: the elements of its sounds, or what makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rtaffect.common.errors import ArtifactError, SettingsError, setting
from rtaffect.engine.bundle import SEPARATOR_FILE, Bundle, ElementsMade
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.predicted.elements import BUILDERS, elements_of_file, kept_elements, separator_for
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.featurizer import TOO_SLOW_S, Progress
from rtaffect.predicted.separator import Elements, Separator
from rtaffect.stream.audio import read_sound

#: How a session's elements are had, in ``session.toml``.
Way = Literal["of the files", "as it comes"]
_REMEDY: Final = (
    "name the file that is heard, calibrate with a separator that streams (spleeter-stream, dtln), or leave voice and "
    f"background out ({setting('elements', 'off')})"
)


@dataclass(frozen=True, slots=True)
class ReadyElements:
    """What takes a session's sound apart.

    Attributes
    ----------
    names
        Elements that are predicted from.
    known
        Elements of the known stimuli by their hashes; empty where sound is taken apart as it comes.
    separator
        What does that; None where the elements are known.
    cost_s
        What the separator and the featurizer's passes take of each second here, s, beside those of the sound itself.
    """

    names: tuple[Element, ...]
    known: Mapping[str, Elements] = field(default_factory=dict)
    separator: Separator | None = None
    cost_s: float = 0.0

    @property
    def way(self) -> Way:
        """How they are had."""
        return "as it comes" if self.separator is not None else "of the files"

    @property
    def ahead(self) -> int:
        """How many samples at 16 kHz after a second they need."""
        return self.separator.manifest.lookahead if self.separator is not None else 0

    def describe(self) -> str:
        """Say in words what is done, and what it costs."""
        what = "voice and background" if len(self.names) > 1 else self.names[0]
        how = "known from the file" if self.separator is None else f"taken apart by {self.separator.manifest.name}"
        return f"{what}, {how}: {self.cost_s:.2f} s more of each second"


class _RefusedError(Exception):
    """Elements cannot be predicted from here, and why, in words."""


def ready_elements(  # noqa: PLR0917 - a bundle, where it lies, and what a session hears
    bundle: Bundle,
    folder: Path,
    analysis: AnalysisPlan,
    stimuli: Mapping[Path, str],
    featurizer_s: float,
    progress: Progress,
    *,
    hears: bool,
    live: bool,
) -> tuple[ReadyElements | None, str]:
    """Return what takes the session's sound apart, None where nothing does, and why not, in words.

    Parameters
    ----------
    bundle, folder
        The bundle, and where it lies.
    analysis
        Says whether elements are wanted.
    stimuli
        Files of the known stimuli and their hashes; empty for sound that nobody knows beforehand.
    featurizer_s
        What the featurizer takes of each second for one sound, s.
    progress
        Told what is being done.
    hears
        Whether the session has a sound.
    live
        Whether its steps have to be in time.

    Raises
    ------
    SettingsError
        If elements were asked for and cannot be had.
    """
    made, wanted = bundle.manifest.elements, analysis.elements
    if wanted == "off" or (wanted == "auto" and (made is None or not hears)):
        return None, ""
    try:
        if made is None:
            raise _RefusedError("the bundle has no weights for them; calibrate with --separator")
        if not hears:
            raise _RefusedError("the session has no sound")
        return _ready(made, folder, stimuli, featurizer_s, progress, live=live), ""
    except (_RefusedError, ArtifactError) as error:
        if wanted == "on":
            raise SettingsError(f"{setting('elements', 'on')}: {error}") from None
        return None, f"voice and background are not predicted from: {error}"


def _ready(
    made: ElementsMade,
    folder: Path,
    stimuli: Mapping[Path, str],
    featurizer_s: float,
    progress: Progress,
    *,
    live: bool,
) -> ReadyElements:
    passes = len(made.names) * featurizer_s
    if stimuli:
        found = ReadyElements(made.names, _of_files(made, folder, stimuli, progress), cost_s=passes)
    elif not made.streams:
        raise _RefusedError(
            f"the bundle's separator, {made.separator}, needs whole sounds, and nobody knows this one beforehand; "
            f"{_REMEDY}"
        )
    else:
        separator = separator_of(made, folder, progress)
        found = ReadyElements(made.names, separator=separator, cost_s=passes + separator.cost_s())
    if live and found.cost_s + featurizer_s > TOO_SLOW_S:
        raise _RefusedError(
            f"too slow here: {found.describe()}, and {featurizer_s:.2f} s for the sound itself, of which at most "
            f"{TOO_SLOW_S:g} s may be had; take a faster computer, name the file that is heard, or leave them out"
        )
    return found


def _of_files(made: ElementsMade, folder: Path, stimuli: Mapping[Path, str], progress: Progress) -> dict[str, Elements]:
    """Return the elements of each known stimulus by its hash, made where they are not kept."""
    found: dict[str, Elements] = {}
    separator: Separator | None = None
    for path, sha256 in stimuli.items():
        mix, _ = read_sound(path)
        kept = kept_elements(mix, made.separator_sha256)
        if kept is None:
            separator = separator or separator_of(made, folder, progress)
            progress(f"taking {path.name} apart into voice and background, this first time only")
            kept = elements_of_file(path, mix, separator, progress)
        found[sha256] = kept
    return found


def separator_of(made: ElementsMade, folder: Path, progress: Progress) -> Separator:
    """Return the separator that made a bundle's elements, from the bundle's ``folder`` or by its name.

    Raises
    ------
    ArtifactError
        If it is not there, damaged, or another one.
    """
    beside = folder / SEPARATOR_FILE
    if beside.is_file():
        found = Separator.load(beside)
    elif made.separator in BUILDERS:
        found = separator_for(made.separator, progress=progress)
    else:
        raise ArtifactError(
            f"bundle {folder}: its separator {made.separator} is not there; copy it to {beside}, or calibrate anew"
        )
    if found.sha256 != made.separator_sha256:
        raise ArtifactError(
            f"bundle {folder}: its elements were made by separator {made.separator} (sha256 "
            f"{made.separator_sha256[:12]}...), but that is {found.sha256[:12]}... now; calibrate anew"
        )
    return found
