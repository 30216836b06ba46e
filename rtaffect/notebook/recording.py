"""Replay of recordings, one Feedback after the other."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from rtaffect.common.errors import RecordingError, SettingsError
from rtaffect.common.settings import first_problem
from rtaffect.engine.feedback import Feedback
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.run.recipe import prepare
from rtaffect.run.running import RunningSession
from rtaffect.run.session_record import SessionRecord


def replay(
    path: str | Path,
    *,
    audio: str | Path | None = None,
    audio_start: float | None = None,
    onset_marker: str | None = None,
    markers: str | None = None,
    stimulus: str | Path | None = None,
    in_reference: bool | None = None,
    eeg: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    unit: str | None = None,
    rate: float | None = None,
    bundle: str | Path | None = None,
    featurizer: str | Path | None = None,
    against: Literal["auto", "reference", "group"] | None = None,
    mains: float | None = None,
    settings: str | Path | None = None,
    head: str | Path | None = None,
    seconds: int | None = None,
    progress: Progress = print,
) -> Iterator[Feedback]:
    """Replay a recording as fast as possible: the values of ``rtaffect replay PATH`` with the same options.

    What is odd about the recording is a Python warning. The recording is read, and checked, before the first step.

    Parameters
    ----------
    path
        An XDF file, or a session's folder, which is replayed as it ran: of the others only those from ``bundle`` on
        are for it.
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
    bundle, featurizer
        What predicts; default with sound: the demo's bundle, which is synthetic, and the bundle's featurizer.
    against
        Whether people are compared with the bundle's reference group, or with each other; default: as it fits.
    mains, settings, head
        Mains frequency, Hz; TOML with settings; space operator. A bundle brings its own.
    seconds
        End after so many.
    progress
        Told what is being made, where something is.

    Yields
    ------
    Feedback
        One for each second.

    Raises
    ------
    RtaffectError
        If the recording cannot be replayed so, or is shorter than one step.
    """
    parts: dict[str, dict[str, object]] = {
        "eeg": {"streams": eeg, "channels": channels, "unit": unit, "rate": rate},
        "sound": {
            "file": audio, "start": audio_start, "onset_marker": onset_marker, "markers": markers,
            "stimulus": stimulus, "in_reference": in_reference,
        },
        "analysis": {
            "bundle": bundle, "featurizer": featurizer, "against": against, "mains": mains, "settings": settings,
            "head": head,
        },
        "results": {"seconds": seconds},
    }  # fmt: skip
    plan, path = _plan(path, parts), Path(path)
    if path.is_dir() and (plan.eeg.model_fields_set or plan.sound.model_fields_set):
        raise SettingsError(f"{path} is a session's folder, which says itself what was worn and heard: leave that out")
    return _steps(plan, progress)


def _plan(path: str | Path, parts: Mapping[str, Mapping[str, object]]) -> SessionPlan:
    """Return the plan of a replay of ``path`` with those options that are given."""
    given = {part: {name: v for name, v in values.items() if v is not None} for part, values in parts.items()}
    try:
        return SessionPlan.model_validate({"mode": "replay", "recording": Path(path), "speed": "max", **given})
    except ValidationError as error:
        raise SettingsError(f"replay of {path}: {first_problem(error)}") from None


def _steps(plan: SessionPlan, progress: Progress) -> Iterator[Feedback]:
    """Yield the steps of a replay; the recording is read before the first is asked for."""
    cleanup = ExitStack()
    run = prepare(plan, cleanup, progress, _note)
    running = RunningSession(run, SessionRecord(run, None), threading.Event(), cleanup)

    def steps() -> Iterator[Feedback]:
        number = 0
        with cleanup:
            running.stage.begin()
            for feedback in running.session():
                number += 1
                yield feedback
        if said := run.sources.ended(number):
            raise RecordingError(said)

    return steps()


def _note(text: str) -> None:
    warnings.warn(text, stacklevel=5)
