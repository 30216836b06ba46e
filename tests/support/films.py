"""Films and sounds in films' containers, written with PyAV; and MP3 without its header."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

_VIDEO_RATE = 25


def film(
    path: Path,
    sound: np.ndarray,
    rate: int = 16_000,
    *,
    codec: str = "aac",
    picture: bool = True,
    sound_at: float = 0.0,
    picture_at: float = 0.0,
    tracks: int = 1,
    options: dict[str, str] | None = None,
) -> None:
    """Write ``sound`` (n, channels), full scale +-1, from ``sound_at`` s on, with a picture from ``picture_at`` s on.

    Further ``tracks`` hold the same sound, half as loud each.
    """
    layout = "mono" if sound.shape[1] == 1 else "stereo"
    with av.open(str(path), "w", options=options or {}) as container:
        if picture:
            video = container.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", rate=_VIDEO_RATE)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = [container.add_stream(codec, rate=rate, layout=layout) for _ in range(tracks)]
        if picture:
            _picture(container, video, len(sound) / rate, picture_at)
        for number, stream in enumerate(audio):
            _sound(container, stream, sound / 2**number, rate, layout, sound_at)


def _picture(container, video, seconds: float, begin: float) -> None:
    for number in range(max(1, round(seconds * _VIDEO_RATE))):
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.time_base = number + round(begin * _VIDEO_RATE), Fraction(1, _VIDEO_RATE)
        container.mux(video.encode(frame))
    container.mux(video.encode())


def _sound(container, stream, sound: np.ndarray, rate: int, layout: str, begin: float) -> None:
    convert = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
    for at in range(0, len(sound), 1024):
        block = np.ascontiguousarray(sound[at : at + 1024].T, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, at + round(begin * rate), Fraction(1, rate)
        for each in convert.resample(frame):
            container.mux(stream.encode(each))
    container.mux(stream.encode())


def without_header(mp3: bytes) -> bytes:
    """Return an MP3 of MPEG 1 without its first frame, which says how long it is."""
    at = mp3.index(b"Info") if b"Info" in mp3[:400] else mp3.index(b"Xing")
    begin = mp3.rindex(b"\xff", 0, at)
    return mp3[mp3.index(mp3[begin : begin + 2], at) :]
