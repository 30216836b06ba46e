"""Where in a known stimulus the session is, step by step: known beforehand, told by a marker, or heard."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from rtaffect.common.errors import StreamError, setting
from rtaffect.common.settings import STEP_S
from rtaffect.predicted.sound_input import HeardSecond
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.doubt import Doubts
from rtaffect.stream.markers import SAME_S, Marker, Wanted, flood, onset_so_far
from rtaffect.timelock.alignment import ELSEWHERE, Aligner, Alignment

#: A lock by sound that is found again this near to where the lost one would have gone on is the same lock, s: half a
#: sample of the default grid of responses.
SAME_PLACE_S: Final = 0.005


class TimeLock(Protocol):
    """Tells which stimulus it is and when it began.

    Attributes
    ----------
    doubts : Doubts
        Times, s on the LSL clock, at which the stimulus may not have been where it was taken to be.
    """

    doubts: Doubts

    @property
    def stimulus(self) -> str:
        """What it is called among the session's references; empty where there is only one."""

    @property
    def since(self) -> float:
        """Session time, s, from which on the newest offset is known to have held; -inf where it holds for ever."""

    def step(self, heard: Sequence[HeardSecond]) -> Alignment:
        """Take the seconds of sound that were heard since the last step, in order; return where the stimulus is."""


class KnownOnset:
    """The onset is known: rtaffect plays the file, or the recording says when it began.

    Parameters
    ----------
    offset_s
        Session time at which the stimulus begins, s.
    """

    stimulus = ""
    since = -math.inf

    def __init__(self, offset_s: float) -> None:
        self._alignment, self.doubts = _known(offset_s), Doubts()

    def step(self, heard: Sequence[HeardSecond]) -> Alignment:
        """Return the same as ever."""
        return self._alignment


class PlannedOnsets:
    """Several stimuli, each of which begins when the protocol says so; that is known before it begins."""

    def __init__(self) -> None:
        self.doubts = Doubts()
        # From when to when it is heard, and when it would have begun to be heard so, s.
        self._plan: list[tuple[float, float, str, float]] = []
        self.since = -math.inf
        self._step = 0
        self.stimulus = ""

    def place(self, stimulus: str, begin: float, end: float, *, spent: float = 0.0) -> None:
        """Let ``stimulus`` be heard from ``begin`` to ``end``, session time in s; it ends what still goes on.

        One that was heard for ``spent`` s before goes on there: what came before lies elsewhere in it, so that it
        counts as locked from ``begin`` on only.
        """
        self.cut(begin)
        self._plan.append((begin, end, stimulus, begin - spent))

    def cut(self, at: float) -> None:
        """End what would go on after ``at``, s."""
        self._plan = [(begin, min(end, at), name, onset) for begin, end, name, onset in self._plan if begin < at]

    def step(self, heard: Sequence[HeardSecond]) -> Alignment:
        """Return the stimulus of the second that ends with this step."""
        self._step += 1
        for begin, end, stimulus, onset in self._plan:
            if begin < self._step <= math.ceil(end):
                self.stimulus, self.since = stimulus, begin if onset < begin else -math.inf
                return _known(onset)
        self.stimulus = ""
        return Alignment("searching", math.nan, 0.0, math.nan, "no stimulus is played now")


class MarkerSource(Protocol):
    """What brings markers, as :class:`rtaffect.sources.lsl_markers.LslMarkers` does."""

    @property
    def markers(self) -> Sequence[Marker]:
        """All markers so far, times on the LSL clock, s."""

    @property
    def flooded(self) -> bool:
        """Whether so many came at once that some may be lost."""

    @property
    def trouble(self) -> str:
        """What is wrong, such as why no more come, in words; empty for nothing."""


class MarkerOnset:
    """The stimulus program sends a marker when the stimulus begins.

    A second marker of the same name leaves none of them sure, and so does a flood of markers: from then on nothing is
    known, unless the name says which of several is meant (:class:`rtaffect.stream.markers.Wanted`).

    Parameters
    ----------
    source
        The markers.
    name
        The text of the one that is meant, and which of several.
    origin
        LSL time of the session's zero, s.
    file
        The stimulus as the session's sound, where nothing else is heard: it is laid at the marker, and ends with doubt.
    """

    stimulus = ""
    since = -math.inf

    def __init__(self, source: MarkerSource, name: str, origin: float, file: SoundFileSource | None = None) -> None:
        self._source, self._name, self._origin, self._file = source, name, origin, file
        self._wanted = Wanted.parse(name)
        self.doubts = Doubts()

    def step(self, heard: Sequence[HeardSecond]) -> Alignment:
        """Return what the markers so far say."""
        # Before the markers: what came until then is in them.
        trouble = self._source.trouble
        try:
            onset = onset_so_far(self._source.markers, self._name)
            if self._wanted.which is None and self._source.flooded:
                raise flood(self._name)
            self._lay(onset)
        except StreamError as error:
            if self._file is not None:
                self._file.stop()
            return Alignment("lost", math.nan, 0.0, math.nan, str(error))
        if onset is None:
            reason = f"waiting for {self._wanted.waited_for()}"
            return Alignment("searching", math.nan, 0.0, math.nan, "; ".join(filter(None, [reason, trouble])))
        return replace(_known(onset - self._origin), reason=trouble)

    def _lay(self, onset: float | None) -> None:
        """Lay the file, which is all that is heard, at the marker; once it is laid it cannot be moved."""
        if self._file is None or onset is None:
            return
        laid = self._file.onset
        if laid is None:
            self._file.onset = onset
        elif abs(laid - onset) > SAME_S:
            raise StreamError(
                f"the stimulus began again at {onset:.3f} s on the LSL clock, but its file was laid at "
                f"{laid:.3f} s; where it is begun more than once, let it be heard, by {setting('mic')} or "
                f"{setting('audio-stream')}"
            )


class SoundOnset:
    """The captured sound is compared with the stimulus, second by second.

    A lock that is lost and found again within ``SAME_PLACE_S`` of where it would have gone on is one and the same: the
    stimulus went on meanwhile, unheard. Found elsewhere, it is a new one: the stimulus paused or jumped, at some time
    after the last second that was found at the old place began.

    Parameters
    ----------
    aligner
        Of the stimulus.
    origin
        LSL time of the session's zero, s.

    Attributes
    ----------
    since : float
        Session time, s, at which the first second began that was locked to the newest place; inf before.
    doubts : Doubts
        Has the times at which the stimulus stood still or jumped: from the last second on that confirmed the place
        before it was lost, or speaks against it, until one confirms it again, or the new place is known.
    """

    stimulus = ""

    def __init__(self, aligner: Aligner, origin: float) -> None:
        self._aligner, self._origin, self.doubts = aligner, origin, Doubts()
        self._newest = Alignment("searching", math.nan, 0.0, math.nan, "no sound has come yet")
        # When it was last locked, session time in s, and how.
        self._last: tuple[float, Alignment] | None = None
        # When the last second that confirmed the place began, session time in s.
        self._confirmed = math.nan
        self.since = math.inf

    def step(self, heard: Sequence[HeardSecond]) -> Alignment:
        """Align the seconds that were heard; without any, what the last one said holds for now."""
        if not heard:
            return replace(self._newest, reason="the newest second of sound has not come yet")
        for number, sound in heard:
            begin = float((number - 1) * STEP_S)
            self._newest = self._aligner.step(sound, begin)
            if self._newest.state == "locked":
                self._note(begin + STEP_S)
            elif self._last is not None:
                self._doubt()
        return self._newest

    def _note(self, now: float) -> None:
        begin = now - STEP_S
        if self._last is None or not self._is_same_place(*self._last, now):
            self._broke(begin)
            self.since = begin
        self._last = now, self._newest
        if self._newest.reason == ELSEWHERE:
            self._doubt()
        elif not self._newest.reason:
            self._confirmed = begin
            self.doubts.withdraw("sound-break")

    def _doubt(self) -> None:
        """The stimulus may have left its place any time after the last second that showed it there began."""
        words = f"the sound may have paused or jumped: {self._newest.reason}"
        self.doubts.expect("sound-break", self._origin + self._confirmed, words)

    def _broke(self, found: float) -> None:
        """Note the break after which the stimulus is at a new place, in the second that begins at ``found``."""
        if self._last is not None and self._confirmed < found:
            words = f"the sound paused or jumped and is {self._newest.offset_s - self._last[1].offset_s:+.3f} s away"
            self.doubts.note("sound-break", self._origin + self._confirmed, self._origin + found, words)

    def _is_same_place(self, then: float, last: Alignment, now: float) -> bool:
        expected = last.offset_s + last.drift_ppm * 1e-6 * (now - then)
        return abs(self._newest.offset_s - expected) < SAME_PLACE_S


def _known(offset_s: float) -> Alignment:
    return Alignment("locked", offset_s, 1.0, 0.0)
