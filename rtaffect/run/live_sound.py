"""What is heard in a live session, and what tells where in a known stimulus that is."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from rtaffect.common.errors import SettingsError, setting
from rtaffect.plan.sound_plan import SoundPlan
from rtaffect.run.programme import Programme, SessionSound
from rtaffect.sources.foreign_clock import Foreign
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.osc_markers import OscMarkers
from rtaffect.sources.selection import ANY_MARKERS, Query
from rtaffect.sources.sound_card import SoundCardSource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.markers import Wanted

_AUDIO, _MIC, _STREAM = setting("audio"), setting("mic"), setting("audio-stream")
_STIMULUS, _MARKER = setting("stimulus", metavar="FILE"), setting("onset-marker", metavar="TEXT")


def check_sound(sound: SoundPlan) -> None:
    """Refuse what people hear where its parts do not go together.

    Raises
    ------
    SettingsError
        If they do not.
    StreamError
        If the marker has no name.
    """
    if sum(given is not None for given in (sound.file, sound.device, sound.stream)) > 1:
        raise SettingsError(
            f"{_AUDIO}, {_MIC} and {_STREAM} exclude each other", remedy="give the one that people hear"
        )
    if sound.stimulus is not None and sound.file is not None:
        raise SettingsError(
            f"{setting('stimulus')} and {_AUDIO} exclude each other: {setting('audio', metavar='FILE')} is played by "
            f"rtaffect, {_STIMULUS} by another program"
        )
    if sound.onset_marker is not None:
        Wanted.parse(sound.onset_marker)
        if sound.stimulus is None:
            raise SettingsError(
                f"{setting('onset-marker')} says when {_STIMULUS} begins",
                remedy="give that file, too",
                field="stimulus",
            )
    elif sound.markers is not None:
        raise SettingsError(
            f"{setting('markers')} is where {_MARKER} comes from", remedy="give that text, too", field="onset-marker"
        )
    elif sound.stimulus is not None and sound.device is None and sound.stream is None:
        raise SettingsError(
            f"{_STIMULUS} is played by another program: say how to tell when, by {_MARKER}, or by {_MIC} or {_STREAM}, "
            "in which it is found",
            field="onset-marker",
        )


def known_sound(plan: SoundPlan, programme: Programme | None) -> tuple[Path | None, SoundFileSource | None]:
    """Return the file that is heard, whoever plays it, and its source; None twice where there is none.

    Raises
    ------
    SettingsError
        If both the protocol and the plan have sounds.
    SoundError
        If it cannot be read.
    """
    path = plan.file if plan.file is not None else plan.stimulus
    if programme is not None and path is not None:
        raise SettingsError(f"the protocol plays sounds of its own: leave {path} out, or its blocks' sounds")
    return path, SoundFileSource.open(path) if path is not None else None


class LiveSound(SessionSound):
    """The sound of a live session, as the ``plan`` that :func:`check_sound` lets pass and the ``programme`` say.

    Streams have ``wait`` s to answer; ``cleanup`` ends listening for markers, which begins at once; ``foreign`` says
    what becomes of stamps that are not of the LSL clock. ``osc`` brings the onset marker where no stream is named for
    it.

    Raises
    ------
    SettingsError
        If both the protocol and the plan have sounds.
    SoundError, StreamError
        If something is not there or cannot be used.

    Attributes
    ----------
    stimuli : dict of Path to str
        The known stimulus, whoever plays it, and its hash.
    captured : SoundCardSource, LslSource or None
        What is listened to.
    markers : LslMarkers, OscMarkers or None
        What brings the onset marker.
    """

    def __init__(
        self,
        plan: SoundPlan,
        wait: float,
        cleanup: ExitStack,
        programme: Programme | None = None,
        *,
        foreign: Foreign = "arrival",
        osc: OscMarkers | None = None,
    ) -> None:
        path, file = known_sound(plan, programme)
        self._plan, self.captured = plan, _captured(plan, wait, foreign)
        self.markers = osc if _by_osc(plan, osc) else _markers(plan, wait, cleanup, foreign)
        self.stimuli = {path: file.info.source_id} if path is not None and file is not None else {}
        marker = (self.markers, plan.onset_marker) if self.markers is not None and plan.onset_marker else None
        super().__init__(file, self.captured, marker, programme)

    def describe(self) -> dict[str, object]:
        """Return what ``session.toml`` says of what was heard."""
        plan, captured = self._plan, self.captured
        kind = "device" if plan.device is not None else "stream" if plan.stream is not None else "none"
        if captured is None and self.source is not None:
            kind = "protocol" if self.programme is not None else "file"
        info = self.source.info if self.source is not None else None
        sound = {"kind": kind, "name": info.name if info else None, "source_id": info.source_id if info else None}
        return {"sound": sound, "locked_by": self._locked_by()}

    def _locked_by(self) -> str | None:
        if self.programme is not None:
            return "the protocol"
        if self.file is None:
            return None
        if self._plan.file is not None:
            return "playing it"
        return "sound" if self._plan.onset_marker is None else f"marker {self._plan.onset_marker!r}"


def _captured(plan: SoundPlan, wait: float, foreign: Foreign) -> SoundCardSource | LslSource | None:
    if plan.device is not None:
        return SoundCardSource(device_of(plan.device))
    if plan.stream is not None:
        return LslSource(find_stream(Query.parse(plan.stream), timeout=wait), kind="audio", foreign=foreign)
    return None


def _by_osc(plan: SoundPlan, osc: OscMarkers | None) -> bool:
    return osc is not None and plan.onset_marker is not None and plan.markers is None


def _markers(plan: SoundPlan, wait: float, cleanup: ExitStack, foreign: Foreign) -> LslMarkers | None:
    if plan.onset_marker is None:
        return None
    query = ANY_MARKERS if plan.markers is None else Query.parse(plan.markers)
    markers = LslMarkers(find_stream(query, timeout=wait), plan.onset_marker, foreign)
    cleanup.callback(markers.stop)
    return markers


def device_of(text: str | None) -> int | str | None:
    """Return a sound device's index or the part of its name, None for the default one."""
    return int(text) if text and text.isdecimal() and len(text) < 5 else text or None
