"""Which channels of a stream are used, what they are called, and how they become volts or full scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.body_kinds import body_kind
from rtaffect.common.errors import StreamError, setting, such_as, under
from rtaffect.common.montage import is_eog
from rtaffect.stream.body import Body, BodyChannel
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.limits import LEAST_RATE, check_size
from rtaffect.stream.source import StreamHeader, StreamInfo, match_channels, volts_per

#: Number type of each LSL channel format that can be used.
DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "double64": np.dtype(np.float64),
    "int8": np.dtype(np.int8),
    "int16": np.dtype(np.int16),
    "int32": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
}
#: Sound below this rate is not speech any more, Hz.
MIN_AUDIO_RATE = 8000.0
#: Sound is mono or stereo.
MOST_SOUND_CHANNELS = 2


class Given(TypedDict, total=False):
    """What replaces the description that a headset gives of itself.

    ``name`` is what the source is called, ``channels`` their names, ``unit`` that of the EEG, ``rate`` in Hz.
    """

    name: str | None
    channels: Sequence[str] | None
    unit: str | None
    rate: float | None


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """How a block of a stream becomes samples.

    ``columns`` are the stream's channels in use, ``names`` those of the result, ``scale`` (columns,) float64 the volts
    or full scale in one unit sent; with ``mix`` the result is the mean over the columns. ``body`` are the peripheral
    channels beside them.
    """

    columns: tuple[int, ...]
    names: tuple[str, ...]
    scale: NDArray[np.float64]
    mix: bool = False
    body: tuple[BodyChannel, ...] = ()

    def apply(self, block: NDArray[Any]) -> NDArray[np.float64]:
        """Return ``block`` (n, channels of the stream) as (n, names) in V (EEG) or full scale (audio)."""
        used: NDArray[np.float64] = block[:, list(self.columns)] * self.scale
        return used.mean(axis=1, keepdims=True) if self.mix else used


def body_channels(stream: StreamHeader) -> tuple[BodyChannel, ...]:
    """Return the peripheral channels of a stream: EDA, ECG, PPG, respiration."""
    found = []
    for column, (label, kind, unit) in enumerate(zip(stream.labels, stream.types, stream.units, strict=True)):
        if (body := body_kind(label, kind, stream.type)) is not None:
            found.append(BodyChannel(label or f"{body} {column + 1}", body, unit, column))
    return tuple(found)


def plan_body(stream: StreamHeader) -> ChannelPlan:
    """Return the plan for a stream of peripheral signals, which stay in their unit; StreamError if it has none."""
    body = body_channels(stream)
    if not body:
        named = ", ".join(f"{label} ({kind})" for label, kind in zip(stream.labels, stream.types, strict=True))
        raise StreamError(
            f"stream {stream.name!r} has no peripheral channel, only {named}; expected EDA, ECG, PPG or respiration by "
            f"type or name: choose another {under('peripheral')}"
        )
    columns = tuple(each.column for each in body)
    used = tuple(replace(each, column=place) for place, each in enumerate(body))
    return ChannelPlan(columns, tuple(each.name for each in body), np.ones(len(body)), body=used)


def body_of_plan(info: StreamInfo, plan: ChannelPlan, buffer: SampleBuffer, seconds: float = 30.0) -> Body | None:
    """Return where the peripheral signals of a source go, whose own samples go into ``buffer``; None without any."""
    if not plan.body:
        return None
    return Body(plan.body, buffer if info.kind == "body" else SampleBuffer(info.rate, len(plan.body), seconds=seconds))


def check_rate(stream: str, kind: Literal["eeg", "audio", "body"], declared: float, override: float | None) -> float:
    """Return the rate to use, Hz: ``override`` where it is given, else the ``declared`` one.

    Raises
    ------
    StreamError
        If the rate is irregular (0), higher or lower than any that is taken, or too low for sound.
    """
    rate = declared if override is None else override
    if not (np.isfinite(rate) and rate > 0):
        raise StreamError(
            f"stream {stream!r} has rate {rate:g} Hz (irregular), expected a regular one",
            remedy=f"name it {under('rate', metavar='HZ')}",
        )
    if rate < LEAST_RATE:
        raise StreamError(
            f"stream {stream!r} has rate {rate:g} Hz, expected {LEAST_RATE:g} Hz or more",
            remedy=f"name the right one {under('rate', metavar='HZ')}",
        )
    check_size(stream, 1, rate)
    if kind == "audio" and rate < MIN_AUDIO_RATE:
        raise StreamError(
            f"audio stream {stream!r} has rate {rate:g} Hz, expected {MIN_AUDIO_RATE:g} Hz or more; raise it where "
            "the sound is sent"
        )
    return float(rate)


def check_format(stream: StreamHeader) -> np.dtype[Any]:
    """Return the number type of the values that ``stream`` sends.

    Raises
    ------
    StreamError
        If they are not numbers, or more than are taken.
    """
    if stream.format not in DTYPES:
        raise StreamError(
            f"stream {stream.name!r} sends values of format {stream.format!r}, expected numbers ({', '.join(DTYPES)}); "
            f"choose another stream {under('eeg')} or {setting('audio')}"
        )
    check_size(stream.name, stream.channels, stream.rate)
    return DTYPES[stream.format]


def plan_audio(stream: str, channels: int, dtype: np.dtype[Any]) -> ChannelPlan:
    """Return the plan for sound: one or two channels become their mean at full scale +-1."""
    if channels > MOST_SOUND_CHANNELS:
        raise StreamError(
            f"audio stream {stream!r} has {channels} channels, expected one or two; send mono or stereo sound"
        )
    full_scale = 2.0 ** (8 * dtype.itemsize - 1) if dtype.kind == "i" else 1.0
    return ChannelPlan(tuple(range(channels)), ("mono",), np.full(channels, 1.0 / full_scale), mix=True)


def plan_eeg(stream: StreamHeader, channels: Sequence[str] | None = None, unit: str | None = None) -> ChannelPlan:
    """Return the plan for EEG.

    Parameters
    ----------
    stream
        What is said of each channel. Those of another type than EEG or EOG are left out; those of type EOG get a name
        that says so.
    channels
        Names that replace the labels: of the EEG channels, or of all in use, or of all.
    unit
        Unit that replaces the described ones.

    Raises
    ------
    StreamError
        If names or units are missing or wrong, or no channel is EEG.
    """
    columns = _of_type(stream, {"", "eeg"})
    if not columns:
        found = ", ".join(sorted({repr(t) for t in stream.types}))
        raise StreamError(
            f"stream {stream.name!r} has no channel of type EEG, only {found}; choose another {under('eeg')}"
        )
    named = _names(stream, columns, channels)
    eyes = tuple(i for i in _of_type(stream, {"eog"}) if i in named)
    names = [named[i] for i in columns] + [named[i] if is_eog(named[i]) else f"EOG {named[i]}" for i in eyes]
    units = [unit or stream.units[i] for i in columns]
    units += [unit or stream.units[i] or stream.units[columns[0]] for i in eyes]
    scale = np.array([volts_in(stream.name, each) for each in units])
    return ChannelPlan((*columns, *eyes), tuple(names), scale, body=body_channels(stream))


def _names(stream: StreamHeader, columns: Sequence[int], channels: Sequence[str] | None) -> dict[int, str]:
    """Return the names of the channels in use, by number: of the EEG (``columns``) alone where only it is named."""
    if channels and len(channels) == stream.channels:
        used: Sequence[int] = range(stream.channels)
    elif channels is not None and len(channels) == len(columns):
        used = columns
    else:
        used = sorted((*columns, *_of_type(stream, {"eog"})))
    return dict(zip(used, match_channels([stream.labels[i] for i in used], channels, stream.name), strict=True))


def _of_type(stream: StreamHeader, types: set[str]) -> tuple[int, ...]:
    """Return the numbers of the channels whose type is one of ``types``."""
    peripheral = {channel.column for channel in body_channels(stream)}
    return tuple(i for i, each in enumerate(stream.types) if each.strip().lower() in types and i not in peripheral)


def volts_in(stream: str, unit: str) -> float:
    """Return the volts in one ``unit``; some senders write the power of ten instead of a name ('-6')."""
    if not unit.strip():
        raise StreamError(
            f"stream {stream!r} does not say in which unit its EEG is; expected V, mV, uV or nV: name the right one, "
            f"{such_as('unit', 'microvolts')}"
        )
    if unit.strip() in {"0", "-3", "-6", "-9"}:
        return float(10.0 ** int(unit))
    try:
        return volts_per(unit)
    except StreamError as error:
        raise StreamError(f"stream {stream!r}: {error.message}") from error
