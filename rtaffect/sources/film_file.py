"""A film file: what is in it, and the frames of its picture with their times from the beginning of its sound."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import FilmError
from rtaffect.common.reading import path_problem
from rtaffect.sources.film_seeking import frames_before, seek

#: No picture is decoded to more than this, (width, height): the screen's scaler makes it larger.
MOST_PIXELS: Final = (1920, 1080)
#: What the file says of its length, and what is in it, may differ by so much, s.
BROKEN_S: Final = 1.0
#: With fewer pixels on a side there is no picture.
_LEAST_SIDE: Final = 16
#: So many packets in a row that cannot be decoded are the end.
_MOST_BAD: Final = 250
#: A frame that comes later than this is not shown any more, s.
LATE_S: Final = 0.2
#: A decoder that is this far behind leaves out frames that no other needs, s. Whole ones alone would be too few.
_BEHIND_S: Final = 0.1

Pixels = Literal["bgra", "rgb24", "gray"]


def av_library() -> Any:
    """Return PyAV; raises FilmError where it is not installed."""
    try:
        import av
    except ImportError:
        raise FilmError('a film needs PyAV, which is not installed; pip install "rtaffect[film]"') from None
    return av


@dataclass(frozen=True, slots=True)
class FilmInfo:
    """What is in a film file.

    Attributes
    ----------
    width, height : int
        Of the picture as it is seen: upright, with square pixels.
    rate : float
        Frames per second on average.
    frames : int
        How many there are.
    picture_s : float
        When the picture ends, s from the beginning of the sound.
    even : bool
        Whether all frames last equally long, to within 2 ms.
    damage : str
        Why the file seems to be broken off, in words; empty if it does not.
    """

    width: int
    height: int
    rate: float
    frames: int
    picture_s: float
    even: bool
    damage: str = ""

    def describe(self, name: str, sound_s: float) -> str:
        """Return what is to be known of the film ``name``, whose sound lasts ``sound_s``, in one line."""
        most, parts = MOST_PIXELS, [f"{name}: {self.width} x {self.height}, {self.rate:.5g} frames/s"]
        if not self.even:
            parts.append("frames of uneven length, each shown as long as the file says")
        if self.width > most[0] or self.height > most[1]:
            parts.append(f"shown no larger than {most[0]} x {most[1]}: decoding it takes time, try it on this computer")
        if sound_s - self.picture_s > BROKEN_S:
            parts.append(f"its picture ends {sound_s - self.picture_s:.1f} s before its sound: the last frame stays")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class FilmFrame:
    """One frame: ``number`` in the film, from 0, and ``time`` from the beginning of the sound, s.

    ``picture`` is uint8 (height, width, channels) or (height, width) as its pixels were asked for, None where it was
    not wanted any more.
    """

    number: int
    time: float
    picture: NDArray[np.uint8] | None


def open_film(path: Path) -> Any:
    """Return the open container of a film; raises FilmError if it is none, or has no picture or no sound."""
    av = av_library()
    if wrong := path_problem(path):
        raise FilmError(f"{path!s:.80}: {wrong}: correct the path")
    if not path.is_file():
        raise FilmError(f"{path} is not there; expected a film (MP4, MKV, WebM, ...): correct the path")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FilmError(
            f"{path}: not a film that can be read ({_reason(error)}); expected MP4, MKV, WebM or the like: it may be "
            "broken off; copy or export it again"
        ) from None
    try:
        _require_streams(path, container)
    except FilmError:
        container.close()
        raise
    return container


def _require_streams(path: Path, container: Any) -> None:
    pictures = _pictures(container)
    if not pictures:
        raise FilmError(
            f"{path} has no picture, only {_has(container)}; for a sound alone use stimulus in place of film"
        )
    if not container.streams.audio:
        raise FilmError(
            f"{path} has no sound track, by which its picture is shown; add one, of silence if need be, as with "
            "`ffmpeg -i IN -f lavfi -i anullsrc -shortest OUT`"
        )
    stream = pictures[0]
    if stream.codec_context is None:
        raise FilmError(f"{path} has a picture in a form that is not known here; export it again, as H.264 or VP9")
    if min(stream.codec_context.width, stream.codec_context.height) < _LEAST_SIDE:
        size = f"{stream.codec_context.width} x {stream.codec_context.height}"
        raise FilmError(f"{path} has a picture of {size} pixels; expected {_LEAST_SIDE} or more: export it again")


def _pictures(container: Any) -> list[Any]:
    """Return the streams that move: a cover picture is none."""
    av = av_library()
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def _has(container: Any) -> str:
    return ", ".join(sorted({str(stream.type) for stream in container.streams})) or "nothing"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".") or type(error).__name__


def zero_of(container: Any) -> float:
    """Return the presentation's time 0 on a film's own clock, s: where the first of picture and sound begins.

    The sound is read from there, too, with silence where it begins later
    (:mod:`rtaffect.stream.film_sound`).
    """
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in (*container.streams.audio, *_pictures(container))
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=0.0)


def inspect_film(path: Path) -> FilmInfo:
    """Return what is in a film file: all of it is looked through, and its first frame decoded.

    Raises
    ------
    FilmError
        If it cannot be read, has no picture or sound, or its frames have no times.
    """
    av = av_library()
    with open_film(path) as container:
        stream, zero = _pictures(container)[0], zero_of(container)
        times: list[int] = []
        ends: dict[int, float] = {}
        lacking = 0
        try:
            for packet in container.demux():
                if packet.size == 0:
                    continue
                if packet.pts is not None:
                    last = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    ends[packet.stream_index] = max(ends.get(packet.stream_index, -math.inf), last)
                if packet.stream_index == stream.index:
                    lacking += packet.pts is None
                    times += [] if packet.pts is None else [packet.pts]
        except av.FFmpegError as error:
            damage = f"reading it ends with: {_reason(error)}"
        else:
            damage = _broken(container, ends)
        if lacking > len(times):
            raise FilmError(
                f"{path}: its frames do not say when they are to be shown; write it anew, as with `ffmpeg -fflags "
                "+genpts -i IN -c copy OUT`"
            )
        # A stream says nothing any more once its file is closed.
        unit, end = float(stream.time_base), ends.get(stream.index, math.nan) - zero
    with FilmReader(path) as reader:
        first = next(iter(reader), None)
        if first is None:
            raise FilmError(f"{path}: no frame of its picture can be decoded{reader.trouble}; export it again")
        width, height = reader.size
    steps = np.diff(np.unique(times)) * unit if len(times) > 1 else np.array([math.nan])
    rate = float(1 / np.mean(steps))
    even = bool(np.ptp(steps) <= 0.002) if len(times) > 1 else True
    return FilmInfo(width, height, rate, len(times), end, even, damage)


def _broken(container: Any, ends: dict[int, float]) -> str:
    """Return how far a file is shorter than it says; empty where it is not."""
    if container.duration is None or not ends:
        return ""
    said, there = container.duration / 1_000_000 + (container.start_time or 0) / 1_000_000, max(ends.values())
    return f"it says that it lasts {said:.1f} s, and ends at {there:.1f} s" if said - there > BROKEN_S else ""


class FilmReader:
    """Frames of a film in the order in which they are shown; a context manager.

    Rotation and oblong pixels are taken out: the pictures are upright, with square pixels. Packets that cannot be
    decoded are passed over.

    Parameters
    ----------
    path
        The film.
    box
        The largest (width, height) of a picture, pixels. None: as in the film.
    pixels
        What a picture is made of.
    enlarge
        Whether a smaller picture is made as large as the box.
    behind
        Is asked for each frame's time, s, how much too late that is, s: the decoder then leaves out what it can.
    from_s
        Where in the film to begin, s: with the frame that is seen then. What comes before is sought through, not shown.

    Raises
    ------
    FilmError
        If it cannot be read, or has no picture or sound.

    Attributes
    ----------
    trouble : str
        What of it cannot be decoded, in words; empty if nothing.
    """

    def __init__(
        self,
        path: Path,
        box: tuple[int, int] | None = None,
        pixels: Pixels = "bgra",
        *,
        enlarge: bool = False,
        behind: Callable[[float], float] | None = None,
        from_s: float = 0.0,
    ) -> None:
        self._path, self.box, self._pixels, self._enlarge = path, box, pixels, enlarge
        self._behind = behind or (lambda time: -math.inf)
        self._from_s = from_s if from_s > 0 else -math.inf
        self._container = open_film(path)
        self._zero = zero_of(self._container)
        self._stream = _pictures(self._container)[0]
        self._stream.thread_type = "AUTO"
        self.size = (0, 0)
        self.bad = 0
        self._skips = False

    def __enter__(self) -> FilmReader:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._container.close()

    @property
    def trouble(self) -> str:
        """What of it cannot be decoded, in words."""
        return f" ({self.bad} pieces of it are damaged)" if self.bad else ""

    def __iter__(self) -> Iterator[FilmFrame]:
        """Yield the frames with rising times."""
        sought = self._seek()
        seen: tuple[int, float, Any] | None = None
        for number, time, frame in self._counted(sought):
            if time <= self._from_s:
                seen = number, time, frame
                continue
            if seen is not None:
                yield self._made(*seen)
                seen = None
            yield self._made(number, time, frame)
        if seen is not None:
            yield self._made(*seen)

    def _made(self, number: int, time: float, frame: Any) -> FilmFrame:
        """Return a frame with its picture, if that is still wanted."""
        late = self._behind(max(time, self._from_s))
        self._hurry(late)
        return FilmFrame(number, time, self._picture(frame) if late <= LATE_S else None)

    def _counted(self, sought: bool) -> Iterator[tuple[int, float, Any]]:
        """Yield what can be decoded with its number and its time, s, which rises."""
        number, newest, skips, first = -1, -math.inf, False, sought
        awaited: list[int] = []
        for frame in self._frames(awaited):
            if frame.pts is None:
                continue
            if first:
                number, first = self._before(frame.pts) - 1, False
            passed = 0
            while awaited and awaited[0] <= frame.pts:
                passed += heapq.heappop(awaited) < frame.pts
            number += 1 + (passed if skips else 0)
            time = float(frame.pts * frame.time_base) - self._zero
            if time <= newest:
                continue
            newest = time
            yield number, time, frame
            skips = self._skips

    def _frames(self, awaited: list[int]) -> Iterator[Any]:
        """Yield what can be decoded; ``awaited`` are the times of frames that are in the decoder."""
        av, bad = av_library(), 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                if packet.pts is not None:
                    heapq.heappush(awaited, packet.pts)
                yield from packet.decode()
                bad = 0
            except av.FFmpegError:
                bad += 1
                self.bad += 1
                if bad > _MOST_BAD:
                    return

    def _hurry(self, late: float) -> None:
        """Let the decoder leave out what it can where it is behind, and note whether it may have."""
        context, before = self._stream.codec_context, self._stream.codec_context.skip_frame
        wanted = "NONREF" if late > _BEHIND_S else "DEFAULT"
        if before != wanted:
            context.skip_frame = wanted
        self._skips = bool(before != "DEFAULT")

    def _seek(self) -> bool:
        """Go to where decoding begins; return whether that is not the film's beginning."""
        if not math.isfinite(self._from_s):
            return False
        if seek(self._container, self._stream, self._from_s + self._zero):
            return True
        self._container.close()
        self._container = open_film(self._path)
        self._stream = _pictures(self._container)[0]
        self._stream.thread_type = "AUTO"
        return False

    def _before(self, pts: int) -> int:
        """Return how many frames come before the one with the time ``pts``, in units of its stream."""
        with open_film(self._path) as container:
            return frames_before(container, _pictures(container)[0], pts)

    def _picture(self, frame: Any) -> NDArray[np.uint8]:
        turned = round(getattr(frame, "rotation", 0) / 90) % 4
        ratio = self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio
        across = frame.width * (float(ratio) if ratio and 0.1 < ratio < 10 else 1.0)
        seen = (across, float(frame.height)) if turned % 2 == 0 else (float(frame.height), across)
        self.size = round(seen[0]), round(seen[1])
        width, height = self._fitted(seen)
        stored = (width, height) if turned % 2 == 0 else (height, width)
        scaled = frame.reformat(*stored, format=self._pixels, interpolation="BILINEAR")
        # The matrix says by how much the picture is to be turned, anticlockwise. Rows may be padded in between.
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), turned))

    def _fitted(self, seen: tuple[float, float]) -> tuple[int, int]:
        if self.box is None:
            return self.size
        scale = min(self.box[0] / seen[0], self.box[1] / seen[1])
        if not self._enlarge:
            scale = min(scale, 1.0)
        return max(1, round(seen[0] * scale)), max(1, round(seen[1] * scale))
