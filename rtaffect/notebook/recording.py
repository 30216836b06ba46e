"""Replay of recordings, one Feedback after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal, TypedDict, Unpack

from pydantic import ValidationError

from rtaffect.common.errors import SettingsError
from rtaffect.engine.feedback import Feedback
from rtaffect.notebook.given import as_parameter
from rtaffect.notebook.stepping import steps_of, warn
from rtaffect.notebook.wording import in_python
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.run.recipe import prepare


class ReplayOptions(TypedDict, total=False):
    """Options of :func:`replay`, as those of ``rtaffect replay``; a session's folder takes those from ``bundle`` on.

    Attributes
    ----------
    audio, audio_start, onset_marker, markers
        Sound file that was heard, if the recording has none; when it began, s after the recording's start, or the
        marker that says so and the stream of that marker.
    stimulus
        Sound file to be found in the recorded sound.
    in_reference
        Whether the person is one of those that the bundle was calibrated on, and is left out of the reference.
    eeg, channels, unit, rate
        Headsets (a stream's exact name, or name=, type= or source_id= and a value); channel names in order, unit and
        rate (Hz) instead of the streams' own.
    headset
        What replaces the description of one headset alone: 'Muse-A?unit=microvolts&without=AF7,AF8'.
    resync, part, longest_hole
        Whether headsets on clocks of their own are placed by when their samples came; which part of a recording with
        long holes is replayed, from 1; which holes are long, s.
    bundle, featurizer
        What predicts; default with sound: the demo's bundle, which is synthetic, and the bundle's featurizer.
    against
        Whether people are compared with the bundle's reference group, or with each other; default: as it fits.
    mains, settings, head
        Mains frequency, Hz; TOML with settings; space operator. A bundle brings its own.
    rating, rating_lag
        With a bundle of ratings, the stream of the person's own rating, and how late that is behind the sound, s.
    affect, library, affect_rest
        Bundle of affect; folder of sounds of which the nearest are named; so many first seconds people rest, s.
    elements
        Whether what voice and background predict is told, where the bundle knows: 'auto', 'on' or 'off'.
    seconds
        End after so many.
    """

    audio: str | Path
    audio_start: float
    onset_marker: str
    markers: str
    stimulus: str | Path
    in_reference: bool
    eeg: Sequence[str]
    channels: Sequence[str]
    unit: str
    rate: float
    resync: bool
    part: int
    longest_hole: float
    without: Sequence[str]
    only: Sequence[str]
    profile: str
    headset: Sequence[str]
    peripheral: Sequence[str]
    measure: Sequence[str]
    measure_band: Sequence[str]
    bundle: str | Path
    featurizer: str | Path
    against: Literal["auto", "reference", "group"]
    mains: float
    settings: str | Path
    head: str | Path
    rating: str
    rating_lag: float
    affect: str | Path
    library: str | Path
    affect_rest: int
    elements: Literal["auto", "on", "off"]
    seconds: int


#: The part of a plan, and its field, that each option is.
_FIELDS: Final = {
    "audio": "sound.file", "audio_start": "sound.start", "onset_marker": "sound.onset_marker",
    "markers": "sound.markers", "stimulus": "sound.stimulus", "in_reference": "sound.in_reference",
    "eeg": "eeg.streams", "channels": "eeg.channels", "unit": "eeg.unit", "rate": "eeg.rate",
    "resync": "eeg.resync", "part": "eeg.part", "longest_hole": "eeg.longest_hole_s",
    "without": "eeg.without", "only": "eeg.only", "profile": "eeg.profile",
    "headset": "eeg.headsets",
    "peripheral": "eeg.peripheral", "measure": "analysis.measures", "measure_band": "analysis.measure_bands",
    "bundle": "analysis.bundle", "featurizer": "analysis.featurizer", "against": "analysis.against",
    "mains": "analysis.mains", "settings": "analysis.settings", "head": "analysis.head", "seconds": "results.seconds",
    "rating": "eeg.rating", "rating_lag": "analysis.rating_lag_s", "affect": "analysis.affect",
    "library": "analysis.library", "affect_rest": "analysis.affect_rest_s", "elements": "analysis.elements",
}  # fmt: skip


def replay(path: str | Path, *, progress: Progress = print, **options: Unpack[ReplayOptions]) -> Iterator[Feedback]:
    """Replay a recording as fast as possible: the values of ``rtaffect replay PATH`` with the same options.

    What is odd about the recording is a Python warning. The recording is read, and checked, before the first step.

    Parameters
    ----------
    path
        An XDF file, or a session's folder, which is replayed as it ran.
    progress
        Told what is being made, where something is.
    **options
        See :class:`rtaffect.notebook.recording.ReplayOptions`.

    Yields
    ------
    Feedback
        One for each second.

    Raises
    ------
    RtaffectError
        If the recording cannot be replayed so, or is shorter than one step.
    """
    with in_python(*_FIELDS):
        plan, path = _plan(path, options), Path(path)
    if path.is_dir() and (plan.eeg.model_fields_set or plan.sound.model_fields_set):
        raise SettingsError(f"{path} is a session's folder, which says itself what was worn and heard: leave that out")
    notes: list[str] = []
    steps = _steps(plan, progress, notes.append)
    warn(notes, 2)
    return steps


def _plan(path: str | Path, options: ReplayOptions) -> SessionPlan:
    """Return the plan of a replay of ``path`` with those options that are given."""
    content: dict[str, Any] = {"mode": "replay", "recording": Path(path), "speed": "max"}
    for name, value in options.items():
        if name not in _FIELDS:
            raise TypeError(f"replay() has no option {name!r}; expected one of {', '.join(_FIELDS)}")
        part, field = _FIELDS[name].split(".")
        if value is not None:
            content.setdefault(part, {})[field] = value
    try:
        return SessionPlan.model_validate(content)
    except ValidationError as error:
        raise as_parameter(error, f"replay of {path}", {field: name for name, field in _FIELDS.items()}) from None


def _steps(plan: SessionPlan, progress: Progress, note: Callable[[str], None]) -> Iterator[Feedback]:
    """Yield the steps of a replay; the recording is read before the first is asked for."""
    cleanup = ExitStack()
    with in_python(*_FIELDS):
        return steps_of(prepare(plan, cleanup, progress, note), cleanup, _FIELDS)
