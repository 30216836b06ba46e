"""What every source of sound or EEG is to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.channel_kinds import grouped
from rtaffect.common.errors import StreamError, such_as, under
from rtaffect.common.text import clean
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.status import SourceKind, SourceStatus

#: Origins of sources whose samples come by themselves, and may come late.
LIVE_ORIGINS: Final = frozenset({"lsl", "soundcard", "brainflow", "fieldtrip", "slider"})

#: Volts in one of each unit that headsets declare; keys are lower case with the micro sign as 'u'.
VOLTS_PER_UNIT = {
    "v": 1.0, "volt": 1.0, "volts": 1.0,
    "mv": 1e-3, "millivolt": 1e-3, "millivolts": 1e-3,
    "uv": 1e-6, "microvolt": 1e-6, "microvolts": 1e-6, "uvolt": 1e-6, "uvolts": 1e-6,
    "nv": 1e-9, "nanovolt": 1e-9, "nanovolts": 1e-9,
}  # fmt: skip


def volts_per(unit: str) -> float:
    """Return the volts in one ``unit`` ('uV', 'µV', 'microvolts', 'V', ...).

    Raises
    ------
    StreamError
        If the unit is not one of those known.
    """
    key = unit.strip().replace("µ", "u").replace("μ", "u").lower()
    if key not in VOLTS_PER_UNIT:
        raise StreamError(
            f"EEG unit {unit!r} is not known; expected one of V, mV, uV, nV (or microvolts, ...). "
            f"Name the right one {under('unit')}."
        )
    return VOLTS_PER_UNIT[key]


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What a stream says of itself, on the network, in a recording or by its driver.

    It stands before names, units or rates are replaced, and is the one description from which all others are made: the
    one place where texts of senders come in. They are made clean here (:func:`rtaffect.common.text.clean`); ``xml``
    stays as it was sent.

    Attributes
    ----------
    name, type
        As its sender calls it and what it carries ('EEG', 'Audio', 'Markers', ...).
    rate
        Nominal, Hz (0: irregular).
    format
        LSL's name of the values' type ('float32', 'int16', 'string', ...).
    labels, units, types
        One text per channel, '' where nothing is said; units and types may be left out.
    source_id, host, uid
        Its sender; ``uid`` is new at each start of an LSL outlet, and '' for other sources.
    maker
        Who makes the device, as the description of the stream has it.
    shares_id
        Whether its program gives one ``source_id`` to all devices, which then tells nobody apart.
    xml
        The whole description of an LSL stream, '' for other sources.
    """

    name: str
    type: str
    rate: float
    format: str
    labels: tuple[str, ...]
    units: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    source_id: str = ""
    host: str = ""
    uid: str = ""
    xml: str = ""
    maker: str = ""
    shares_id: bool = False

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and kept, and let every channel have a unit and a type, be it ''."""
        for name in ("name", "type", "source_id", "host", "maker"):
            object.__setattr__(self, name, clean(getattr(self, name)))
        for name in ("labels", "units", "types"):
            texts = getattr(self, name) or ("",) * self.channels
            # Who looks at the network sees many channels again and again of which nothing is said.
            object.__setattr__(self, name, tuple(map(clean, texts)) if any(texts) else tuple(texts))

    def uniform(self, unit: str = "") -> StreamHeader:
        """Return it with one ``unit``, and its own type, in all channels."""
        return replace(self, units=(unit,) * self.channels, types=(self.type,) * self.channels)

    @property
    def channels(self) -> int:
        """How many channels it has."""
        return len(self.labels)

    @property
    def unit(self) -> str:
        """The unit of its channels; where they differ, all, joined by '/'; '' where none is declared."""
        return "/".join(dict.fromkeys(unit for unit in self.units if unit))

    @property
    def identity(self) -> tuple[str, ...]:
        """What stays the same when its sender is restarted; one device may give several types one source_id."""
        kind = self.type.lower()
        alone = bool(self.source_id) and not self.shares_id
        return (self.source_id, kind) if alone else ("", self.name, kind, self.host)

    def described(self, channels: Sequence[Mapping[str, str]], xml: str = "") -> StreamHeader:
        """Return it with the label, unit and type that an XML description has for each of its channels.

        A description of another number of channels says nothing.
        """
        if len(channels) != self.channels:
            return replace(self, xml=xml)
        labels, units, types = (
            tuple(each.get(key, "").strip() for each in channels) for key in ("label", "unit", "type")
        )
        return replace(self, labels=labels, units=units, types=types, xml=xml)


@dataclass(frozen=True, slots=True)
class Recognition:
    """What is known of a device beside what it declares, and what was assumed of it.

    Attributes
    ----------
    profile, why
        Which device profile was recognised, and by what, in words; '' for none.
    clock
        What its stamps are by the profile: 'lsl', 'unix', 'arrival', or '' where that is not known.
    latency_s
        How long its samples usually take to come, s; None where that is not known.
    left_out
        Channels that are no EEG, with what they are.
    assumed
        What was not declared and is taken for granted, in words.
    """

    profile: str = ""
    why: str = ""
    clock: str = ""
    latency_s: float | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """What was recognised, assumed and left out, in words, one line each."""
        out = grouped(self.left_out)
        return [
            *([f"recognised as {self.why}"] if self.why else []),
            *self.assumed,
            *([f"left out, being no EEG: {out}"] if out else []),
        ]


#: Of a device of which nothing is known.
NOTHING_KNOWN: Final = Recognition()


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source gives to the engine; no description of what is sent.

    A :class:`StreamHeader` says what a device declares, this what becomes of it: the channels that are used, by the
    names that hold here, at the rate that holds here (Hz, nominal). Samples in the buffer are volts for EEG and full
    scale +-1 for audio, whatever is sent; peripheral signals ('body') and ratings stay in the unit that they are sent
    in.
    ``origin`` says where it comes from ('lsl', 'xdf', 'file', 'soundcard', 'brainflow', 'fieldtrip'). ``about`` says
    what was recognised of the device.
    """

    name: str
    kind: SourceKind
    rate: float
    channels: tuple[str, ...]
    origin: str
    source_id: str = ""
    host: str = ""
    about: Recognition = NOTHING_KNOWN

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and kept: names of devices and files, and what the user typed."""
        for name in ("name", "source_id", "host"):
            object.__setattr__(self, name, clean(getattr(self, name)))
        object.__setattr__(self, "channels", tuple(map(clean, self.channels)))


class Tap(Protocol):
    """What a live source gives everything to that it receives, as received, before it uses it itself.

    Called on the source's own thread or callback: it copies, never waits, and never raises.
    """

    def samples(self, stamps: NDArray[np.float64], values: NDArray[Any]) -> None:
        """Take ``values`` (n, channels) as sent and their ``stamps`` (n,), s on the sender's clock."""

    def texts(self, stamps: Sequence[float], texts: Sequence[str]) -> None:
        """Take markers and their stamps, s on the sender's clock."""

    def offset(self, time: float, value: float) -> None:
        """Take a measurement of the sender's clock: at ``time`` on it, ``value`` was to be added, s."""

    def segment(self) -> None:
        """Note that the next sample begins a new segment: the device was lost and is back, or samples were lost."""


class Source(Protocol):
    """One stream of samples on the LSL clock, written into its own buffer.

    A live source writes from its own thread or callback, and its ``advance`` at most hurries. A recorded source has no
    thread: ``advance`` writes what the recording holds up to that time, so that replay is deterministic.
    """

    info: StreamInfo
    buffer: SampleBuffer

    def start(self) -> None:
        """Begin to deliver; raises StreamError or SoundError if that is impossible."""

    def advance(self, until: float) -> None:
        """Deliver all that is recorded with timestamps <= ``until`` (s); a live source may hurry to get there."""

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""

    def stop(self) -> None:
        """Stop delivering and release the device; may be called twice."""


def match_channels(names: Sequence[str], override: Sequence[str] | None, stream: str) -> tuple[str, ...]:
    """Return the channel names to use: ``override`` where it is given, else the stream's own.

    Raises
    ------
    StreamError
        If there are no names, their number is wrong, or one stands twice; the message says how to name them.
    """
    chosen = tuple(override) if override else tuple(names)
    example = such_as("channels", "TP9,AF7,AF8,TP10")
    if not override and not all(n.strip() for n in chosen):
        raise StreamError(
            f"stream {stream!r} does not name its {len(chosen)} channels", remedy=f"name them in order, {example}"
        )
    if len(chosen) != len(names):
        raise StreamError(
            f"stream {stream!r} has {len(names)} channels but {len(chosen)} names were given ({', '.join(chosen)})",
            remedy=f"give exactly {len(names)}, {example}",
        )
    twice = sorted({n for n in chosen if chosen.count(n) > 1})
    if twice:
        raise StreamError(
            f"stream {stream!r} names {', '.join(map(repr, twice))} more than once; give distinct names "
            f"{under('channels')} ({len(names)} of them)"
        )
    return chosen
