"""Of a session plan: what people hear."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rtaffect.common.errors import setting
from rtaffect.plan.plan_part import PlanPart
from rtaffect.plan.setting import Setting


class SoundPlan(PlanPart):
    """What people hear. At most one of ``file``, ``device`` and ``stream``; a protocol brings its own files."""

    file: Annotated[
        Path | None,
        Setting(
            "audio",
            "File",
            "sound_file",
            other_help={"replay": "Sound file that was heard, if the recording has none"},
        ),
    ] = Field(None, description="Sound file that rtaffect plays and listens to")
    speaker: Annotated[str | None, Setting("speaker", "Plays on", modes=("live",))] = Field(
        None, description="Sound device to play on: index or part of its name"
    )
    level_db: Annotated[
        float | None, Setting("level", modes=("live",), metavar="DB", expected="a level in dB, from -60 to 0")
    ] = Field(
        None,
        ge=-60,
        le=0,
        allow_inf_nan=False,
        description="How loud what rtaffect plays is, dB against the files' own level; default: as the newest "
        "`rtaffect soundcheck` of the device set it, else 0",
    )
    start: Annotated[
        float | None,
        Setting(
            "audio-start",
            "Began at",
            "sound_start",
            expected="seconds after the recording's start, as in 12.5",
            modes=("replay",),
        ),
    ] = Field(
        None,
        ge=-1e7,
        le=1e7,
        allow_inf_nan=False,
        description=f"When {setting('audio')} began, s after the recording's start [default: 0]",
    )
    in_reference: Annotated[
        bool, Setting("in-reference", "the person is in the reference: leave them out", modes=("replay",))
    ] = Field(False, description="The person is one of those that the bundle was calibrated on: leave them out")
    silent: Annotated[bool, Setting("silent", "do not play it: it is started elsewhere", modes=("live",))] = Field(
        False, description="Do not play: the sound is started elsewhere at the session's zero"
    )
    device: Annotated[str | None, Setting("mic", "Device", modes=("live",), bare="")] = Field(
        None, description="Listen to a sound device: index or part of its name"
    )
    stream: Annotated[
        str | None, Setting("audio-stream", "Stream", "sound_stream", modes=("live",), metavar="QUERY")
    ] = Field(None, description="Listen to an LSL stream of sound")
    stimulus: Annotated[
        Path | None,
        Setting("stimulus", "Stimulus", other_help={"replay": "Sound file to be found in the recorded sound"}),
    ] = Field(
        None,
        description="Sound file that another program plays, to compare with the bundle's reference: where in it people "
        f"are is told by {setting('onset-marker')}, or heard by {setting('mic')} or {setting('audio-stream')}",
    )
    onset_marker: Annotated[
        str | None,
        Setting(
            "onset-marker",
            "Marker",
            metavar="TEXT",
            other_help={"replay": f"Marker that says when {setting('audio')} began; of several: TEXT@first, @last, @2"},
        ),
    ] = Field(None, description=f"LSL marker sent when {setting('stimulus')} begins; of several: TEXT@first, @last, @2")
    markers: Annotated[str | None, Setting("markers", "of stream", "marker_stream", metavar="QUERY")] = Field(
        None, description="Stream of that marker; default: the one of type Markers"
    )
