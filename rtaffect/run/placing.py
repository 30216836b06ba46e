"""Where in a recording a session's zero and its sound are, by what the user says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import SettingsError, at_terminal, setting, under
from rtaffect.observed.response import Response, clean_channels, whole_response
from rtaffect.observed.spaces import Space
from rtaffect.observed.synchrony import standardise
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.sound_plan import SoundPlan
from rtaffect.run.assemble import Model, OwnResponse, Sound
from rtaffect.run.programme import SessionSound
from rtaffect.sources.recorded_parts import UNIX_S
from rtaffect.sources.selection import ANY_MARKERS, Query, given_for, queries_of
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.sources.xdf import XdfRecording
from rtaffect.stream.audio import SAMPLE_RATE
from rtaffect.stream.markers import onset_from
from rtaffect.timelock.stimulus import KnownOnset

_AUDIO, _START = setting("audio"), setting("audio-start")
_STIMULUS, _MARKER = setting("stimulus"), setting("onset-marker")


@dataclass(frozen=True, slots=True)
class Placed:
    """The session's zero, s on the recording's clock, its sound, and what ``session.toml`` says of it.

    ``stimuli`` has the hash of a known sound by its file; ``onset`` is when a sound file began, s on the recording's
    clock.
    """

    origin: float
    sound: Sound | None
    about: dict[str, object]
    stimuli: Mapping[Path, str] = field(default_factory=dict)
    onset: float = math.nan


def place(recorded: XdfRecording, said: SoundPlan) -> Placed:
    """Return where a session and its sound are in a recording.

    Raises
    ------
    SettingsError
        If what is said of the sound does not go together, or with the recording.
    SoundError, StreamError
        If the file or its marker cannot be used.
    """
    _check(said)
    if said.file is not None:
        return _place_file(recorded, said, said.file)
    source, stimulus = recorded.audio_source(), said.stimulus
    if source is None and stimulus is not None:
        raise SettingsError(
            f"{setting('stimulus', stimulus)} is to be found in the recorded sound, but the recording has none; "
            f"give it as {_AUDIO}, with {_START} or {_MARKER}"
        )
    if source is None:
        return Placed(recorded.start, None, {"sound": {"kind": "none"}})
    file = SoundFileSource.open(stimulus) if stimulus is not None else None
    about: dict[str, object] = {"sound": {"kind": "stream", "name": source.info.name}}
    if file is not None:
        about["locked_by"] = "sound"
    stimuli = {stimulus: file.info.source_id} if stimulus is not None and file is not None else {}
    return Placed(recorded.start, SessionSound(file, source).sound(recorded.start), about, stimuli)


def onset_of(recorded: XdfRecording, said: SoundPlan) -> float:
    """Return when the marker that is said came, s on the recording's clock; NaN where none is said."""
    if said.onset_marker is None:
        return math.nan
    query = ANY_MARKERS if said.markers is None else Query.parse(said.markers)
    return onset_from(recorded.markers(query), said.onset_marker)


def _other_clocks(start: float, onset: float) -> str:
    """Return in words that one of two times, s, is Unix time and the other is not, else ''."""
    unix = [UNIX_S[0] <= time < UNIX_S[1] for time in (start, onset)]
    if unix[0] == unix[1]:
        return ""
    return (
        f"; the {'EEG' if unix[0] else 'marker'} is stamped in Unix time, the {'marker' if unix[0] else 'EEG'} is not"
    )


def _check(said: SoundPlan) -> None:
    audio, marker = setting("audio", metavar="FILE"), setting("onset-marker", metavar="TEXT")
    if said.in_reference and said.file is None:
        raise SettingsError(
            f"{setting('in-reference')} leaves the person out of the reference for {audio}",
            remedy="give that file, too",
            field="audio",
        )
    if said.stimulus is not None and said.file is not None:
        raise SettingsError(
            f"{_STIMULUS} and {_AUDIO} exclude each other: give {_AUDIO} where it is known when the file began, "
            f"{_STIMULUS} where it is to be found in the recorded sound"
        )
    if said.onset_marker is not None and (said.file is None or said.start is not None):
        raise SettingsError(f"{_MARKER} says when {audio} began: give that file, too, and no {_START}", field="audio")
    if said.onset_marker is None and said.markers is not None:
        raise SettingsError(
            f"{setting('markers')} is where {marker} comes from", remedy="give that text, too", field="onset-marker"
        )


def _place_file(recorded: XdfRecording, said: SoundPlan, audio: Path) -> Placed:
    """Place a sound file of known onset.

    The origin lies a whole number of steps before the onset of the file, so that the steps divide the sound as
    calibration did, and at most one step before the recording's first sample.
    """
    start, length = recorded.start, recorded.end - recorded.start
    begun, said_by = said.start or 0.0, _START
    if said.onset_marker is not None:
        begun = onset_of(recorded, said) - start
        said_by = f"marker {said.onset_marker!r}"
    file, lead = SoundFileSource.open(audio, start + begun), math.ceil(begun)
    if not -len(file.sound) / SAMPLE_RATE < begun < length:
        raise SettingsError(
            f"{said_by} {begun:g} puts the sound ({file.duration_s:.1f} s) outside the recording "
            f"(0 to {length:.1f} s{_other_clocks(start, start + begun)}); give the seconds from the recording's start "
            "to the sound's"
        )
    about: dict[str, object] = {
        "sound": {"kind": "file", "name": audio.name, "start": begun},
        "locked_by": at_terminal(said_by),
    }
    sound = Sound.known(file, file.info.source_id, KnownOnset(float(lead)))
    return Placed(start + begun - lead, sound, about, {audio: sound.sha256}, start + begun)


def own_response(recorded: XdfRecording, eeg: EegPlan, people: int, placed: Placed, model: Model | None) -> OwnResponse:
    """Return what gives the response of the one person in a recording to the sound that they heard in it.

    Raises
    ------
    SettingsError
        If there is more than one person, or the bundle has no reference for the sound.
    """
    if people != 1:
        raise SettingsError(
            f"{setting('in-reference')} is for one person, but {people} are replayed",
            remedy=f"choose one {under('eeg')}",
        )
    if model is None or placed.sound is None or model.bundle.reference_for(placed.sound.sha256) is None:
        raise SettingsError(
            f"{setting('in-reference')}: the bundle has no reference for this sound, so no one is in it; leave it out"
        )
    settings = model.bundle.manifest.settings

    def own(space: Space, samples: int) -> NDArray[np.float64]:
        (source,) = recorded.eeg_sources(queries_of(eeg), of=partial(given_for, eeg))
        channels = clean_channels(source, placed.onset, samples // settings.signal.rate_hz, space.channels, settings)
        k = Response(space, settings).layout.k
        return np.asarray(standardise(whole_response(channels, space, settings)[None], k)[0])

    return own
