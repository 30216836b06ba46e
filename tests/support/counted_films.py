"""Films for the tests: the number of each frame is coded in its picture, and each second has a click in the sound."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

av = __import__("pytest").importorskip("av")

SOUND_RATE = 48_000
BITS = 10
CLICK = 480


def counter(number: int, width: int, height: int) -> np.ndarray:
    """Return a picture (height, width, 3) with the bits of ``number`` as bars, the lowest at the left."""
    bars = np.array([255 if number >> bit & 1 else 0 for bit in range(BITS)], np.uint8)
    row = bars[np.arange(width) * BITS // width]
    picture = np.repeat(np.repeat(row[None, :, None], height, 0), 3, 2)
    # Its upper half tells which way is up.
    picture[: height // 8] = (200, 40, 40)
    return picture


def number_in(picture: np.ndarray) -> int:
    """Return the number that is coded in a picture (height, width, channels)."""
    height, width = picture.shape[:2]
    centres = (2 * np.arange(BITS) + 1) * width // (2 * BITS)
    grey = picture[height // 2, centres, :3].mean(axis=-1)
    return int(sum(1 << bit for bit in range(BITS) if grey[bit] > 127))


def clicks(seconds: float, rate: int = SOUND_RATE) -> np.ndarray:
    """Return a mono sound (n,) with a click of 10 ms at each second, and hiss that tells them apart."""
    sound = 0.01 * np.random.default_rng(0).standard_normal(round(seconds * rate))
    for second in range(int(seconds)):
        sound[second * rate : second * rate + CLICK] += 0.5 * np.sin(2 * np.pi * 1000 * np.arange(CLICK) / rate)
    return sound.astype(np.float32)


def make_film(
    path: Path,
    seconds: float = 4.0,
    *,
    rate: int = 25,
    size: tuple[int, int] = (320, 180),
    times: Sequence[float] | None = None,
    picture: bool = True,
    sound: bool = True,
    codec: str = "mpeg4",
    sound_codec: str = "pcm_s16le",
    rotation: int = 0,
    aspect: Fraction | None = None,
    draw=counter,
) -> Path:
    """Write a film; ``times`` (s) of its frames are given where they are not even."""
    times = [n / rate for n in range(round(seconds * rate))] if times is None else times
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=rate) if picture else None
        if video is not None:
            video.width, video.height = size
            video.pix_fmt = "yuv420p"
            video.bit_rate = 4_000_000
            video.codec_context.time_base = Fraction(1, 1000)
            if rotation:
                video.set_display_rotation(rotation)
            if aspect is not None:
                video.codec_context.sample_aspect_ratio = aspect
        audio = out.add_stream(sound_codec, rate=SOUND_RATE, layout="mono") if sound else None
        if audio is not None:
            _write_sound(out, audio, clicks(seconds))
        if video is not None:
            for number, time in enumerate(times):
                frame = av.VideoFrame.from_ndarray(draw(number, *size), format="rgb24")
                frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
    return path


def _write_sound(out, stream, sound: np.ndarray) -> None:
    block = 1024
    for start in range(0, len(sound), block):
        part = (32767 * sound[None, start : start + block]).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
