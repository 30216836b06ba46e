"""Replays a recorded session (XDF) through the same code as a live one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from rtaffect.common.errors import RecordingError, under
from rtaffect.sources.channel_plan import check_rate, plan_audio, plan_body, plan_eeg
from rtaffect.sources.clock_offsets import Corrected, correct
from rtaffect.sources.selection import ANY_AUDIO, ANY_EEG, ANY_MARKERS, Query, describe_all, distinct_names, matches_any
from rtaffect.sources.xdf_file import RecordedStream, read_xdf
from rtaffect.sources.xdf_source import XdfSource
from rtaffect.stream.markers import Marker
from rtaffect.stream.source import StreamHeader, StreamInfo

__all__ = ["RecordedStreamSummary", "XdfRecording", "XdfSource"]

#: A step back of the corrected stamps by more than this cannot be played: time would run twice, s.
MAX_STEP_BACK_S = 10.0


class Span(NamedTuple):
    """What a recording holds of a stream: times are of its samples, s on the recording computer's LSL clock.

    ``first`` and ``last`` are NaN where there are no samples.
    """

    samples: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class RecordedStreamSummary:
    """What a recorded stream is, and what there is of it, for lists and messages."""

    header: StreamHeader
    span: Span

    def describe(self) -> str:
        """Return one phrase: ``'ANT' (EEG, 500 Hz, 32 channels, 9000 samples)``."""
        h, plural = self.header, "" if self.header.channels == 1 else "s"
        rate = f"{h.rate:g} Hz" if h.rate > 0 else "irregular rate"
        return f"{h.name!r} ({h.type}, {rate}, {h.channels} channel{plural}, {self.span.samples} samples)"


class XdfRecording:
    """A recorded session: its streams, and sources that replay them on one clock.

    Attributes
    ----------
    path : Path
        The file.
    streams : tuple of RecordedStreamSummary
        All streams, in the file's order, but the one that says where the others began anew.
    warnings : list of str
        What is wrong with the file or was left out, one line each; choosing sources may add to it.
    """

    def __init__(self, path: Path, recorded: Sequence[RecordedStream], warnings: Sequence[str] = ()) -> None:
        self.path, self.warnings = path, list(warnings)
        self._streams = [
            (each, correct(each.stamps, each.clock_times, each.clock_values, each.segments)) for each in recorded
        ]
        self.streams = tuple(RecordedStreamSummary(each.header, _span(clock)) for each, clock in self._streams)
        self._sources: list[XdfSource] = []

    @classmethod
    def open(cls, path: str | Path) -> XdfRecording:
        """Read the file at ``path``; raises RecordingError if that is impossible."""
        return cls(Path(path), *read_xdf(Path(path)))

    @property
    def start(self) -> float:
        """Time of the first sample of the chosen sources (of all streams before any is chosen), s, LSL clock."""
        return min(self._times("first"), default=math.nan)

    @property
    def end(self) -> float:
        """Time of the last sample of the chosen sources (of all streams before any is chosen), s, LSL clock."""
        return max(self._times("last"), default=math.nan)

    def _times(self, which: Literal["first", "last"]) -> list[float]:
        of: Sequence[XdfSource | Span] = self._sources or [s.span for s in self.streams if s.span.samples]
        times = (getattr(each, which) for each in of)
        return [time for time in times if not math.isnan(time)]

    def eeg_sources(
        self,
        queries: Sequence[Query] | None = None,
        channels: Sequence[str] | None = None,
        unit: str | None = None,
        rate: float | None = None,
        seconds: float = 30.0,
        *,
        silent: bool = False,
    ) -> list[XdfSource]:
        """Return a source for each stream that meets one of ``queries`` (default: all of type EEG).

        Parameters
        ----------
        queries
            What is meant; each must be met by a stream.
        channels, unit, rate
            Channel names, unit and rate (Hz) to use instead of what the streams declare.
        seconds
            What each buffer keeps, s.
        silent
            Whether streams without samples are taken, too: devices that took part and never sent anything.

        Raises
        ------
        RecordingError
            If a query is met by no stream, no chosen stream has samples, or one holds text or has no regular rate.
        StreamError
            If channel names or units are missing or do not fit.
        """
        chosen = self._select(queries or (ANY_EEG,), silent=silent)
        sources = []
        headers = [self.streams[i].header for i in chosen]
        names = distinct_names([(header.name, header.source_id) for header in headers])
        for i, header, name in zip(chosen, headers, names, strict=True):
            used_rate = self._rate(i, rate)
            plan = plan_eeg(replace(header, name=name), channels, unit)
            info = StreamInfo(name, "eeg", used_rate, plan.names, "xdf", header.source_id, header.host)
            sources.append(XdfSource(info, self._streams[i][0], self._timed(i, name), plan, seconds))
        self._sources += sources
        return sources

    def body_sources(self, queries: Sequence[Query], seconds: float = 30.0) -> list[XdfSource]:
        """Return a source of peripheral signals for each stream that meets one of ``queries``.

        Raises
        ------
        RecordingError
            If a query is met by no stream, or one holds text or has no regular rate.
        StreamError
            If one has no peripheral channel.
        """
        sources = []
        for i in self._select(queries, silent=True) if queries else ():
            header = self.streams[i].header
            plan, rate = plan_body(header), self._rate(i, None)
            info = StreamInfo(header.name, "body", rate, plan.names, "xdf", header.source_id, header.host)
            sources.append(XdfSource(info, self._streams[i][0], self._timed(i, header.name), plan, seconds))
        self._sources += sources
        return sources

    def audio_source(self, query: Query | None = None, seconds: float = 30.0) -> XdfSource | None:
        """Return the stream of sound that ``query`` means, as mono; None if it is not given and there is none.

        Raises
        ------
        RecordingError
            If ``query`` is met by no stream with samples, several are meant, or the one has no regular rate.
        StreamError
            If it is not mono or stereo sound at 8000 Hz or more.
        """
        if query is None and not any(ANY_AUDIO.matches(s.header) and s.span.samples for s in self.streams):
            return None
        chosen = self._only(query or ANY_AUDIO, "sound", ", as in source_id=...")
        recorded, header = self._streams[chosen][0], self.streams[chosen].header
        rate = check_rate(header.name, "audio", self._rate(chosen, None), None)
        plan = plan_audio(header.name, header.channels, recorded.values.dtype)
        info = StreamInfo(header.name, "audio", rate, plan.names, "xdf", header.source_id, header.host)
        source = XdfSource(info, recorded, self._timed(chosen, info.name), plan, seconds)
        self._sources.append(source)
        return source

    def markers(self, query: Query = ANY_MARKERS) -> tuple[Marker, ...]:
        """Return the markers of the stream that ``query`` means, times on the recording computer's clock, s.

        Raises
        ------
        RecordingError
            If it is met by no stream with samples, several are meant, or the one does not carry texts.
        """
        chosen = self._only(query, query.describe(), f" {under('markers')}")
        stream, (recorded, corrected) = self.streams[chosen].header, self._streams[chosen]
        if stream.format != "string" or stream.channels != 1:
            raise RecordingError(
                f"stream {stream.name!r} of {self.path} carries {stream.channels} channels of {stream.format}; markers "
                f"are one channel of string: name the stream of markers {under('markers')}"
            )
        return tuple(
            Marker.sent(text, float(time)) for text, time in zip(recorded.texts, corrected.stamps, strict=True)
        )

    def _only(self, query: Query, what: str, how: str) -> int:
        """Return the number of the one stream that ``query`` means; of several ``what``, one is to be named ``how``."""
        chosen = self._select((query,))
        if len(chosen) > 1:
            found = ", ".join(self.streams[i].describe() for i in chosen)
            raise RecordingError(
                f"recording {self.path} has {len(chosen)} streams of {what}: {found}; expected one. Name it{how}"
            )
        return chosen[0]

    def _select(self, queries: Sequence[Query], *, silent: bool = False) -> list[int]:
        """Return the numbers of the streams that meet ``queries`` and, unless ``silent``, have samples."""
        for query in queries:
            if not any(query.matches(stream.header) for stream in self.streams):
                held = "; ".join(stream.describe() for stream in self.streams)
                raise RecordingError(
                    f"recording {self.path} has no stream of {query.describe()}; expected one of: {held}. Name it with "
                    "name=..., type=... or source_id=..."
                )
        met = [i for i, stream in enumerate(self.streams) if matches_any(queries, stream.header)]
        return met if silent else self._with_samples(met, queries)

    def _with_samples(self, met: Sequence[int], queries: Sequence[Query]) -> list[int]:
        """Return those of the streams ``met`` that have samples, and note which have none."""
        filled = []
        for i in met:
            if self.streams[i].span.samples:
                filled.append(i)
            else:
                self.warnings.append(f"stream {self.streams[i].header.name!r} has no samples and is left out")
        if not filled:
            raise RecordingError(
                f"recording {self.path} has streams of {describe_all(queries)} but none has samples; expected at least "
                "one sample. Choose another recording or other streams."
            )
        return filled

    def _rate(self, i: int, rate: float | None) -> float:
        """Return the rate of stream ``i``, Hz; raises RecordingError if it holds text or has no regular rate."""
        stream = self.streams[i].header
        if stream.format == "string":
            raise RecordingError(
                f"stream {stream.name!r} of {self.path} holds text; expected numbers. Choose other streams by name=..."
            )
        used = stream.rate if rate is None else rate
        if not (math.isfinite(used) and used > 0):
            raise RecordingError(
                f"stream {stream.name!r} of {self.path} has no regular rate ({used:g} Hz); expected one above 0. "
                f"Give it {under('rate')} if its samples are in truth evenly spaced."
            )
        return used

    def _timed(self, i: int, name: str) -> Corrected:
        """Return the times of stream ``i`` as far as they can be played, and note what is odd about its clock."""
        recorded, corrected = self._streams[i]
        stamps = corrected.stamps
        if not len(recorded.clock_times):
            self.warnings.append(
                f"stream {name!r} has no clock offsets: its stamps are taken to be on the recording computer's clock"
            )
        for reset in corrected.resets:
            silent = stamps[reset] - stamps[reset - 1]
            self.warnings.append(
                f"stream {name!r}: the sender's clock was reset before sample {reset}; its clock offsets show that "
                f"{silent:.3f} s passed, and time goes on there"
            )
        back = np.flatnonzero(np.diff(stamps) < -MAX_STEP_BACK_S)
        # Where it is known what the live source did, it is done again.
        if not len(back) or recorded.segments is not None:
            return corrected
        n = int(back[0]) + 1
        self.warnings.append(
            f"stream {name!r}: the stamps step back by {stamps[n - 1] - stamps[n]:.3f} s before sample {n} and no "
            f"clock offset explains it; the {len(stamps) - n} samples from there on are left out"
        )
        return Corrected(stamps[:n], corrected.used[:n], tuple(r for r in corrected.resets if r < n))


def _span(corrected: Corrected) -> Span:
    stamps = corrected.stamps
    return Span(len(stamps), float(stamps[0]), float(stamps[-1])) if len(stamps) else Span(0, math.nan, math.nan)
