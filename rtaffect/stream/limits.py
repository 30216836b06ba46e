"""What is taken from outside at most: rates, sizes and texts of streams, and where they are checked."""

from __future__ import annotations

from typing import Final

from rtaffect.common.errors import StreamError

#: Channels of one stream.
MOST_CHANNELS: Final = 4096
#: Samples of one stream in a second, Hz.
MOST_RATE: Final = 384_000.0
#: Slower than this is no signal, Hz.
LEAST_RATE: Final = 1.0
#: A sound of fewer samples in a second has no speech and no music in it, Hz.
LEAST_SOUND_RATE: Final = 1000.0
#: Samples of a sound that are further beyond full scale are none: a file is damaged, or was not scaled to +-1.
MOST_LEVEL: Final = 1000.0
#: Values (samples times channels) of one stream in a second: half a gigabyte in the 30 s that are kept of it.
MOST_VALUES: Final = 4_000_000.0
#: Letters of a name, type, unit, host or identity.
MOST_NAME: Final = 512
#: Letters of a stream's whole description, its parts, and how deeply they may stand in each other.
MOST_DESCRIPTION: Final = 4 << 20
MOST_PARTS: Final = 100_000
MOST_DEPTH: Final = 64
#: Letters of one marker; what is longer is cut, and says so.
MOST_TEXT: Final = 65_536
#: Markers of one stream in a second; where more come, it is not sure that all did.
MOST_MARKERS: Final = 1000
#: Markers that are kept of one stream to find the onset among.
KEPT_MARKERS: Final = 10_000
#: Streams that are listed with their descriptions, and streams of markers that are recorded.
MOST_STREAMS: Final = 256
MOST_MARKER_STREAMS: Final = 32


def size_trouble(channels: int, rate: float) -> str:
    """Say what is too much for a stream of so many ``channels`` at ``rate`` Hz (0: irregular); '' for nothing."""
    if not 1 <= channels <= MOST_CHANNELS:
        return f"declares {channels} channels, expected 1 to {MOST_CHANNELS}"
    if not 0 <= rate <= MOST_RATE:
        return f"declares {rate:g} Hz, expected {MOST_RATE:g} Hz or less"
    if rate * channels > MOST_VALUES:
        return f"declares {channels} channels at {rate:g} Hz, expected {MOST_VALUES:g} values a second or fewer"
    return ""


def check_size(stream: str, channels: int, rate: float) -> None:
    """Refuse a stream of so many ``channels`` at ``rate`` Hz (0: irregular) that is larger than any that is taken.

    Raises
    ------
    StreamError
        If it is; the message names the limit.
    """
    if trouble := size_trouble(channels, rate):
        raise StreamError(f"stream {stream!r} {trouble}; correct that where it is sent, or choose another stream")


def cut(text: str) -> tuple[str, bool]:
    """Return a marker's text, and whether it was longer than is taken: then it ends with a note that says so."""
    if len(text) <= MOST_TEXT:
        return text, False
    return f"{text[:MOST_TEXT]} [cut: {len(text)} letters came]", True
