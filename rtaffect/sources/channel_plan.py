"""Which channels of a stream are used, what they are called, and how they become volts or full scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.channel_kinds import Kind, grouped, says_nothing
from rtaffect.common.errors import RtaffectError, StreamError, as_parts, either, setting, such_as, under
from rtaffect.common.montage import given_names, is_eog, place_of
from rtaffect.common.numbered_caps import by_number
from rtaffect.sources.body_channels import body_among
from rtaffect.sources.channel_choice import kinds_of, labels_of, used_of
from rtaffect.sources.device_profile import DeviceProfile, Recognised, describe, recognise
from rtaffect.sources.reported_channels import reported_among
from rtaffect.stream.body import BodyChannel
from rtaffect.stream.limits import LEAST_RATE, check_size
from rtaffect.stream.reported import ReportedChannel
from rtaffect.stream.source import NOTHING_KNOWN, Recognition, StreamHeader, match_channels, volts_per

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

    ``name`` is what the source is called, ``channels`` their names, ``unit`` that of the EEG, ``rate`` in Hz;
    ``without`` and ``only`` choose channels, ``profile`` is that of the device. ``headset`` is the text in which some
    of it is given for this one alone, '' where it is as for all.
    """

    name: str | None
    channels: Sequence[str] | None
    unit: str | None
    rate: float | None
    without: Sequence[str]
    only: Sequence[str]
    profile: str
    headset: str


#: What the text of one headset can say of it.
_PARTS: Final = ("channels", "unit", "rate", "without", "only", "profile")


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """How a block of a stream becomes samples.

    ``columns`` are the stream's channels in use, ``names`` those of the result, ``scale`` (columns,) float64 the volts
    or full scale in one unit sent; with ``mix`` the result is the mean over the columns. ``about`` says what was
    recognised and assumed, and what is left out; ``body`` are the peripheral channels beside the others, ``reported``
    those that tell of electrodes' contact.
    """

    columns: tuple[int, ...]
    names: tuple[str, ...]
    scale: NDArray[np.float64]
    mix: bool = False
    about: Recognition = NOTHING_KNOWN
    body: tuple[BodyChannel, ...] = ()
    reported: tuple[ReportedChannel, ...] = ()

    def apply(self, block: NDArray[Any]) -> NDArray[np.float64]:
        """Return ``block`` (n, channels of the stream) as (n, names) in V (EEG) or full scale (audio)."""
        used: NDArray[np.float64] = block[:, list(self.columns)] * self.scale
        return used.mean(axis=1, keepdims=True) if self.mix else used


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


def plan_eeg(
    stream: StreamHeader,
    channels: Sequence[str] | None = None,
    unit: str | None = None,
    *,
    without: Sequence[str] = (),
    only: Sequence[str] = (),
    profile: str = "",
    kinds: Sequence[Kind] | None = None,
) -> ChannelPlan:
    """Return the plan for EEG.

    Parameters
    ----------
    stream
        What is said of each channel. Those that are neither EEG nor EOG, by the device's profile and by
        :func:`rtaffect.common.channel_kinds.kind_of`, are left out; those of EOG get a name that says so.
    channels
        Names that replace the labels: of the EEG channels, or of all in use, or of all.
    unit
        Unit that replaces the described ones.
    without, only
        Channels to leave out, and the only ones to use, whatever they are taken for.
    profile
        Name or file of the device's profile, 'none' for none, '' for the one that is recognised.
    kinds
        What each channel of the stream is, where that was told by somebody who knows.

    Raises
    ------
    SettingsError, StreamError
        If there is no such profile; if names or units are missing or wrong, or no channel is EEG.
    """
    found, channels = recognise(stream, profile), given_names(channels)
    known = found.profile if found is not None else None
    labels, by_profile = labels_of(stream, known, channels)
    kinds = tuple(kinds) if kinds is not None else kinds_of(stream, labels, known)
    used = used_of(stream.name, labels, kinds, without, only)
    columns = tuple(i for i in used if kinds[i] != "eog")
    if not columns:
        raise StreamError(_no_eeg(stream, labels, kinds))
    named = _names(stream, labels, columns, used, channels)
    eyes = tuple(i for i in used if i in named and kinds[i] == "eog")
    names, numbered = by_number([named[i] if i in columns else _of_eyes(named[i]) for i in (*columns, *eyes)], channels)
    units = _units(stream, columns, eyes, known, unit)
    scale = np.array([volts_in(stream.name, each) for each in units]) * (known.scale if known is not None else 1.0)
    assumed = _assumed(stream, known, columns, units, by_profile=by_profile, given=unit)
    told = (*assumed, *numbered, *_not_there(labels, (*without, *only)))
    about = replace(_recognition(found), left_out=_left_out(labels, kinds, used), assumed=told)
    return ChannelPlan((*columns, *eyes), names, scale, False, about, *_beside(stream, labels, kinds, names, known))


def _beside(
    stream: StreamHeader,
    labels: Sequence[str],
    kinds: Sequence[Kind],
    names: Sequence[str],
    known: DeviceProfile | None,
) -> tuple[tuple[BodyChannel, ...], tuple[ReportedChannel, ...]]:
    """Return the peripheral channels beside the EEG, and those that tell of the contact of its channels ``names``."""
    units = stream.units
    return body_among(labels, units, kinds), reported_among(labels, units, kinds, names, known)


def _of_eyes(name: str) -> str:
    """Return the name of a channel of the eyes, so that it says so."""
    return name if is_eog(name) else f"EOG {name}"


def _left_out(labels: Sequence[str], kinds: Sequence[Kind], used: Sequence[int]) -> tuple[tuple[str, str], ...]:
    """Return the channels that are neither EEG nor EOG, with what they are, but for those that are used even so."""
    others = (i for i, kind in enumerate(kinds) if kind not in {"eeg", "eog"} and i not in used)
    return tuple((labels[i] or f"channel {i + 1}", kinds[i]) for i in others)


def _not_there(labels: Sequence[str], asked: Sequence[str]) -> Iterator[str]:
    """Yield which channels were asked for that a stream does not have."""
    places = {place_of(label) for label in labels}
    if lacking := [each for each in asked if place_of(each) not in places]:
        yield f"it has no channel {', '.join(lacking)}"


def _recognition(found: Recognised | None) -> Recognition:
    if found is None:
        return NOTHING_KNOWN
    known = found.profile
    return Recognition(known.name, describe(found), known.clock, known.latency_s)


def prepare_eeg(stream: StreamHeader, given: Given) -> tuple[ChannelPlan, float]:
    """Return the plan for EEG and the rate to use, Hz.

    Raises
    ------
    SettingsError, StreamError
        As :func:`plan_eeg` and :func:`check_rate`; where several things are missing, one that names them all.
    """
    check_format(stream)
    with _told_of(given):
        _refuse_missing(stream, given)
        rate = check_rate(stream.name, "eeg", stream.rate, given.get("rate"))
        return _plan_of(stream, given), rate


@contextmanager
def _told_of(given: Given) -> Iterator[None]:
    """Let errors name the text in which a headset's own description is given, and its parts, where there is one."""
    try:
        yield
    except RtaffectError as error:
        if not (text := given.get("headset")):
            raise
        said = as_parts(error.message, _PARTS)
        raise type(error)(f"{setting('headset', text)}: {said}", field=error.field) from None


def plan_of(stream: StreamHeader, given: Given, kinds: Sequence[Kind] | None = None) -> ChannelPlan:
    """Return the plan for EEG with what is ``given``; raises as :func:`plan_eeg`."""
    with _told_of(given):
        return _plan_of(stream, given, kinds)


def _plan_of(stream: StreamHeader, given: Given, kinds: Sequence[Kind] | None = None) -> ChannelPlan:
    return plan_eeg(
        stream,
        given.get("channels"),
        given.get("unit"),
        without=given.get("without", ()),
        only=given.get("only", ()),
        profile=given.get("profile", ""),
        kinds=kinds,
    )


def _refuse_missing(stream: StreamHeader, given: Given) -> None:
    """Raise StreamError, with all that is missing and what to paste, if names, unit and rate are not all known."""
    found = recognise(stream, given.get("profile", ""))
    known, rate = found.profile if found is not None else None, given.get("rate")
    channels = given_names(given.get("channels"))
    labels, _ = labels_of(stream, known, channels)
    kinds = kinds_of(stream, labels, known)
    used = used_of(stream.name, labels, kinds, given.get("without", ()), given.get("only", ()))
    missing: dict[str, tuple[str, str]] = {}
    if not channels and not all(labels[i].strip() for i in used):
        names = ",".join(f"Ch{n}" for n in range(1, len(used) + 1))
        missing["channels"] = f"does not name its {len(used)} channels", names
    if not all(unit.strip() for unit in _units(stream, used, (), known, given.get("unit"))):
        missing["unit"] = "does not say in which unit its EEG is", "microvolts"
    if rate is None and not (np.isfinite(stream.rate) and stream.rate > 0):
        missing["rate"] = f"has rate {stream.rate:g} Hz (irregular)", "250"
    if len(missing) > 1:
        raise StreamError(
            f"stream {stream.name!r} " + " and ".join(wrong for wrong, _ in missing.values()),
            remedy=f"give what is right, {_pasted(missing)}",
            field=next(iter(missing)),
        )


def _pasted(missing: Mapping[str, tuple[str, str]]) -> str:
    """Return options with examples, as they are pasted: ``as in --channels Ch1,Ch2 --unit microvolts``."""
    (first, (_, example)), *others = missing.items()
    more = (either(f"--{name} {shown}", f"and under '{{}}', as in {shown}", name) for name, (_, shown) in others)
    return " ".join([such_as(first, example), *more])


def _no_eeg(stream: StreamHeader, labels: Sequence[str], kinds: Sequence[Kind]) -> str:
    held = grouped(
        (label or f"channel {i + 1}", kind) for i, (label, kind) in enumerate(zip(labels, kinds, strict=True))
    )
    if not any(each.strip().casefold() in {"", "eeg"} for each in stream.types):
        held = f"{', '.join(sorted({repr(each) for each in stream.types}))}: {held}"
    return (
        f"stream {stream.name!r} has no channel of type EEG, only {held}; choose another {under('eeg')}, or name the "
        f"channels to use {under('only')}"
    )


def _names(
    stream: StreamHeader,
    labels: Sequence[str],
    columns: Sequence[int],
    used: Sequence[int],
    channels: Sequence[str] | None,
) -> dict[int, str]:
    """Return the names of the channels in use, by number: of the EEG (``columns``) alone where only it is named."""
    if channels and len(channels) == stream.channels:
        return dict(enumerate(match_channels(labels, channels, stream.name)))
    named = columns if channels is not None and len(channels) == len(columns) else used
    return dict(zip(named, match_channels([labels[i] for i in named], channels, stream.name), strict=True))


def _units(
    stream: StreamHeader,
    columns: Sequence[int],
    eyes: Sequence[int],
    known: DeviceProfile | None,
    unit: str | None,
) -> list[str]:
    """Return the unit of each channel in use: as given, else as declared where that is right, else by the profile."""
    by_profile = known.unit if known is not None else ""

    def unit_of(i: int) -> str:
        declared = stream.units[i]
        if unit or (known is not None and known.unit_is_wrong):
            return unit or by_profile
        return by_profile if by_profile and says_nothing(declared) else declared

    units = [unit_of(i) for i in columns]
    return units + [unit_of(i) or units[0] for i in eyes]


def _assumed(
    stream: StreamHeader,
    known: DeviceProfile | None,
    columns: Sequence[int],
    units: Sequence[str],
    *,
    by_profile: bool,
    given: str | None,
) -> Iterator[str]:
    """Yield what was taken for granted, in words."""
    if known is None:
        return
    doubt = "" if known.verified else " (not verified)"
    if by_profile:
        numbered = not any(len(layout) == stream.channels for layout in known.layouts)
        yield (
            "channels by number, for nothing says where they are: name them where that matters"
            if numbered
            else f"channel names by its profile{doubt}"
        )
    if not given and any(stream.units[i] != each for i, each in zip(columns, units, strict=False)):
        declared = stream.units[columns[0]]
        instead = f" in place of the declared {declared}" if declared.strip() and known.unit_is_wrong else ""
        yield f"values in {units[0]}{instead} by its profile{doubt}"
    if 0 < stream.rate < known.mains_safe_rate:
        yield (
            f"at {stream.rate:g} Hz mains of 60 Hz cannot be filtered out of the EEG: set the device to "
            f"{known.mains_safe_rate:g} Hz or more"
        )


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
