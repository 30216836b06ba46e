"""Replays a recorded session (XDF) through the same code as a live one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Unpack

import numpy as np

from rtaffect.common.errors import RecordingError, setting, under
from rtaffect.sources.body_plan import plan_body
from rtaffect.sources.channel_plan import ChannelPlan, Given, check_rate, plan_audio, plan_of
from rtaffect.sources.clock_offsets import Corrected, correct
from rtaffect.sources.device_profile import is_eeg
from rtaffect.sources.rating_plan import plan_rating
from rtaffect.sources.recorded_held import held_source
from rtaffect.sources.recorded_markers import markers_of
from rtaffect.sources.recorded_parts import HOLE_S, clock_of_its_own, is_lsl, longest_together, main_span, settle
from rtaffect.sources.recorded_times import UNITS, measured_rate, on_one_course, told_of, unit_of
from rtaffect.sources.selection import ANY_AUDIO, ANY_EEG, ANY_MARKERS, Query, describe_all, distinct_names
from rtaffect.sources.xdf_file import RecordedStream, read_xdf
from rtaffect.sources.xdf_source import XdfSource
from rtaffect.stream.markers import OWN_MARKERS, Marker
from rtaffect.stream.source import StreamHeader, StreamInfo
from rtaffect.stream.status import SourceKind

__all__ = ["RecordedStreamSummary", "XdfRecording", "XdfSource"]


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
        self.streams = tuple(RecordedStreamSummary(each.header, _span(each, clock)) for each, clock in self._streams)
        self._sources: list[XdfSource] = []
        # First and last time, s, of what is replayed, once that is settled.
        self._bounds: tuple[float, float] | None = None

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

    @property
    def length(self) -> float:
        """How long the longest part of it is, s, that no long hole parts."""
        return longest_together([(stream.span.first, stream.span.last) for stream in self.streams])

    def _times(self, which: Literal["first", "last"]) -> list[float]:
        of: Sequence[XdfSource | Span] = self._sources or [s.span for s in self.streams if s.span.samples]
        times = (getattr(each, which) for each in of)
        return [time for time in times if not math.isnan(time)]

    def eeg_sources(
        self,
        queries: Sequence[Query] | None = None,
        seconds: float = 30.0,
        *,
        silent: bool = False,
        unusable: bool = False,
        of: Callable[[StreamHeader], Given] | None = None,
        **given: Unpack[Given],
    ) -> list[XdfSource]:
        """Return a source for each stream that meets one of ``queries`` (default: all of EEG).

        Parameters
        ----------
        queries
            What is meant; each must be met by a stream.
        seconds
            What each buffer keeps, s.
        silent
            Whether streams without samples are taken, too: devices that took part and never sent anything.
        unusable
            Whether streams are taken, too, whose stamps tell nothing; :meth:`settle` is then to place them.
        of, given
            What replaces each stream's own description, or that of all.

        Raises
        ------
        RecordingError
            If a query is met by no stream, no chosen stream has samples, or one holds text or has no regular rate.
        StreamError
            If channel names or units are missing or do not fit.
        """
        chosen = self._select(queries or (ANY_EEG,), silent=silent, eeg=True)
        if tuple(queries or (ANY_EEG,)) == (ANY_EEG,):
            chosen = self._with_signal(chosen)
        sources = []
        headers = [self.streams[i].header for i in chosen]
        names = distinct_names([(header.name, header.source_id) for header in headers])
        for i, header, name in zip(chosen, headers, names, strict=True):
            own = given if of is None else of(header)
            used_rate = check_rate(name, "eeg", self._rate(i, own.get("rate")), None)
            plan = plan_of(replace(header, name=name), own)
            info = StreamInfo(name, "eeg", used_rate, plan.names, "xdf", header.source_id, header.host, plan.about)
            sources.append(self._source(i, info, plan, seconds))
        sources = self._usable(sources, unusable=unusable)
        self._sources += sources
        return sources

    def _with_signal(self, chosen: Sequence[int]) -> list[int]:
        """Return those of the streams that carry numbers, if any does, and note which do not."""
        found = [i for i in chosen if self.streams[i].header.format != "string"]
        for name in (self.streams[i].header.name for i in chosen if found and i not in found):
            self.warnings.append(f"stream {name!r}: it holds text and is left out")
        return found or list(chosen)

    def _usable(self, sources: list[XdfSource], *, unusable: bool) -> list[XdfSource]:
        """Return ``sources`` without those whose stamps tell nothing, which is noted, unless these are taken, too."""
        found = [each for each in sources if unusable or not each.unusable]
        useless = [f"stream {each.info.name!r}: {each.unusable}" for each in sources if each not in found]
        if not found:
            raise RecordingError(
                f"{'; '.join(useless)}; expected stamps that go on. Have its samples timed by their number "
                f"{under('resync')}"
            )
        self.warnings += [f"{each}. It is left out; {setting('resync')} times it by number" for each in useless]
        return found

    def beside(
        self, kind: SourceKind, queries: Sequence[Query], seconds: float = 30.0, *, name: str = ""
    ) -> list[XdfSource]:
        """Return a source of peripheral signals, or of ratings, for each stream that meets one of ``queries``.

        With ``name`` only that of this name: one device may give EEG and other streams one source_id. Ratings without
        a regular rate hold until the next one.

        Raises
        ------
        RecordingError, StreamError
            If a query is met by no stream, or one holds text, or has no regular rate or no such channel.
        """
        sources = []
        for i in self._select(queries, silent=True) if queries else ():
            header = self.streams[i].header
            if name not in ("", header.name):
                continue
            if kind == "rating" and header.rate == 0:
                span, others = (self.start, self.end), [source.due for source in self._sources]
                sources.append(held_source(*self._streams[i], span, others))
                continue
            plan, rate = plan_body(header) if kind == "body" else plan_rating(header), self._rate(i, None)
            info = StreamInfo(header.name, kind, rate, plan.names, "xdf", header.source_id, header.host)
            sources.append(self._source(i, info, plan, seconds))
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
        source = self._source(chosen, info, plan, seconds)
        if source.unusable:
            raise RecordingError(
                f"stream {info.name!r}: {source.unusable}; expected stamps that go on: give the sound as a file"
            )
        if self._bounds is not None and not source.keep(*self._bounds):
            self.warnings.append(
                f"stream {info.name!r}: it has no sound in the part that is replayed, and is left out; "
                f"{setting('resync')} places headsets on a clock of their own"
            )
            return None
        self._sources.append(source)
        return source

    def markers(self, query: Query = ANY_MARKERS) -> tuple[Marker, ...]:
        """Return the markers of the stream that ``query`` means, times on the recording computer's clock, s.

        Raises
        ------
        RecordingError
            If it is met by no stream with samples, or several are meant.
        """
        chosen = self._only(query, query.describe(), f" {under('markers')}")
        recorded, corrected = self._streams[chosen]
        return markers_of(recorded, corrected.stamps)

    def _only(self, query: Query, what: str, how: str) -> int:
        """Return the number of the one stream that ``query`` means; of several ``what``, one is to be named ``how``."""
        chosen = self._select((query,))
        if query == ANY_MARKERS:
            # Streams of that type with a rate are measures of a signal, as often as not.
            chosen = [i for i in chosen if self.streams[i].header.rate == 0] or chosen
            # A session's recording has what the session said itself, too.
            chosen = [i for i in chosen if self.streams[i].header.name != OWN_MARKERS] or chosen
        if len(chosen) > 1:
            found = ", ".join(self.streams[i].describe() for i in chosen)
            raise RecordingError(
                f"recording {self.path} has {len(chosen)} streams of {what}: {found}; expected one. Name it{how}"
            )
        return chosen[0]

    def _select(self, queries: Sequence[Query], *, silent: bool = False, eeg: bool = False) -> list[int]:
        """Return the numbers of the streams that meet ``queries`` and, unless ``silent``, have samples.

        A device that sends several streams under one name or source id is meant by that of ``eeg``.
        """
        met: set[int] = set()
        for query in queries:
            found = self._met_by(query, eeg=eeg)
            if not found:
                held = "; ".join(stream.describe() for stream in self.streams)
                raise RecordingError(
                    f"recording {self.path} has no stream of {query.describe()}; expected one of: {held}. Name it with "
                    "name=..., type=... or source_id=..."
                )
            met.update(found)
        return sorted(met) if silent else self._with_samples(sorted(met), queries)

    def _met_by(self, query: Query, *, eeg: bool) -> list[int]:
        """Return the streams that are meant, also by the names by which those of one name are told apart."""
        headers = [stream.header for stream in self.streams]
        met = [i for i, header in enumerate(headers) if query.matches(header)]
        of_kind = [i for i, header in enumerate(headers) if eeg and is_eeg(header)]
        if not met and query.field == "name":
            told = distinct_names([(headers[i].name, headers[i].source_id) for i in of_kind])
            met = [i for i, name in zip(of_kind, told, strict=True) if name == query.value]
        return [i for i in met if i in of_kind] or met

    def _with_samples(self, met: Sequence[int], queries: Sequence[Query]) -> list[int]:
        """Return those of the streams ``met`` that have samples, and note which have none."""
        filled = [i for i in met if self.streams[i].span.samples]
        for name in (self.streams[i].header.name for i in met if i not in filled):
            self.warnings.append(f"stream {name!r} has no samples and is left out")
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
        if rate is None and used == 0 and math.isfinite(found := measured_rate(self._streams[i][1].stamps)):
            self.warnings.append(f"stream {stream.name!r}: it does not say its rate; by its stamps it is {found:g} Hz")
            used = found
        if not (math.isfinite(used) and used > 0):
            raise RecordingError(
                f"stream {stream.name!r} of {self.path} has no regular rate ({used:g} Hz); expected one above 0. "
                f"Give it {under('rate')} if its samples are in truth evenly spaced."
            )
        return used

    def _source(self, i: int, info: StreamInfo, plan: ChannelPlan, seconds: float) -> XdfSource:
        """Return the source of stream ``i``, its times on one course where what a live source did is not known."""
        recorded, corrected = self._streams[i]
        name, stamps = info.name, corrected.stamps
        own = clock_of_its_own(recorded.stamps, recorded.clock_times, stamps)
        if not len(recorded.clock_times):
            self.warnings.append(
                f"stream {name!r}: there are no clock offsets; its stamps are taken to be on the recorder's clock"
            )
        for reset in corrected.resets:
            silent = stamps[reset] - stamps[reset - 1]
            self.warnings.append(
                f"stream {name!r}: the sender's clock was reset before sample {reset}; its clock offsets show that "
                f"{silent:.3f} s passed, and time goes on there"
            )
        if len(stamps) < 2:
            return XdfSource(info, recorded, corrected, plan, seconds)
        if recorded.segments is not None:
            # What the live source did is done again; but samples come when those beside them do, as they came then.
            source = XdfSource(info, recorded, corrected, plan, seconds)
            course = on_one_course(stamps, info.rate)
            source.deliver_at(np.where(course.used, course.stamps, stamps))
            return source
        units = unit_of(stamps, info.rate)
        if units != 1.0:
            self.warnings.append(f"stream {name!r}: its stamps are in {UNITS[units]}, and are taken so")
            stamps = stamps / units
            own = clock_of_its_own(stamps, recorded.clock_times, stamps)
        course = on_one_course(stamps, info.rate)
        self.warnings += told_of(name, stamps, course)
        used = course.used if not course.why else np.ones(len(stamps), np.bool_)
        source = XdfSource(
            info,
            replace(recorded, values=recorded.values[used], stamps=recorded.stamps[used]),
            Corrected(course.stamps[used], corrected.used[used], ()),
            plan,
            seconds,
        )
        source.own_clock, source.unusable = own, course.why
        return source

    def settle(
        self, *, part: int | None = None, hole_s: float = HOLE_S, resync: bool = False, holding: float = math.nan
    ) -> list[XdfSource]:
        """Choose the part of the recording that is replayed, and return the sources that have samples in it.

        Parameters
        ----------
        part
            Its number, from 1; else the one that ``holding``, s, lies in, or the one with the most EEG.
        hole_s
            Holes in which no source has a sample for longer part the recording, s.
        resync
            Whether sources on a clock of their own are placed by when their samples came.

        Raises
        ------
        RecordingError, SettingsError
            If there is no such part, or a source cannot be placed.
        """
        names = {source.info.name for source in self._sources}
        beside = [
            (each.span.first, each.span.last)
            for each in self.streams
            if each.header.rate > 0
            and each.span.samples > 1
            and each.header.name not in names
            and is_lsl(each.span.first)
        ]
        settled = settle(self._sources, part=part, hole_s=hole_s, resync=resync, holding=holding, beside=beside)
        self.warnings += settled.notes
        self._sources, self._bounds = list(settled.sources), settled.bounds
        return list(settled.sources)


def _span(recorded: RecordedStream, corrected: Corrected) -> Span:
    stamps = corrected.stamps
    if recorded.segments is not None and len(stamps):
        return Span(len(stamps), float(stamps[0]), float(stamps[-1]))
    return Span(len(stamps), *main_span(stamps, recorded.header.rate))
