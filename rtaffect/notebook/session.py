"""A session in memory: EEG and sound of a program's own in, one Feedback a second out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal, Self, TypedDict, Unpack, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from rtaffect.common.errors import SettingsError, SoundError
from rtaffect.engine.feedback import Feedback
from rtaffect.notebook.given import as_parameter, number_of
from rtaffect.notebook.samples import CheckedEeg, array_of, chunks_of, numbers_of
from rtaffect.notebook.sound import check_loudness, check_sound_rate, resampled
from rtaffect.notebook.stepping import steps_of, warn
from rtaffect.notebook.wording import in_python
from rtaffect.plan.conflicts import check_plan
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.run.in_memory import MemorySources
from rtaffect.run.recipe import complete
from rtaffect.sources.channel_plan import Given, plan_audio, prepare_eeg
from rtaffect.sources.chunks import ChunkSource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.audio import SAMPLE_RATE
from rtaffect.stream.source import StreamHeader, StreamInfo

#: EEG of one person: all of it, or its chunks one after the other, each (samples, channels).
PersonEeg = ArrayLike | Iterable[ArrayLike]
#: Fastest pace, session seconds in a second.
_MOST_PACE: Final = 1000.0
#: So far from zero, and from the EEG, times may lie, s.
_FURTHEST_S: Final = 1e9
_NONE: Final = object()
#: A session in memory has no recording; its plan names this.
_NOWHERE: Final = Path("in memory")


class SessionOptions(TypedDict, total=False):
    """Options of :class:`Session`, as those of ``rtaffect replay``.

    Attributes
    ----------
    bundle, featurizer
        What predicts: a bundle's folder, or 'demo', which is synthetic; ONNX file in place of the bundle's own.
    against
        Whether people are compared with the bundle's reference group, or with each other; default: as it fits.
    mains, settings, head
        Mains frequency, Hz; TOML with settings; space operator. A bundle brings its own.
    measure, measure_band
        Own measures beside synchrony, and their bands.
    affect, library, affect_rest
        Bundle of valence and arousal, sounds that are near, and how long people rest first, s.
    elements
        Whether voice and background are predicted from, too.
    """

    bundle: str | Path
    featurizer: str | Path
    against: Literal["auto", "reference", "group"]
    mains: float
    settings: str | Path
    head: str | Path
    measure: Sequence[str]
    measure_band: Sequence[str]
    affect: str | Path
    library: str | Path
    affect_rest: int
    elements: Literal["auto", "on", "off"]


#: The field of the plan of an analysis that each option is, where it has another name.
_FIELDS: Final = {"measure": "measures", "measure_band": "measure_bands", "affect_rest": "affect_rest_s"}


class Session:
    """A session whose EEG and sound a program has, or makes: an iterator of one Feedback a second.

    Samples go through the engine of a live session: the same filters, judgement of channels, windows, null bands and
    trust. The values are those of ``rtaffect replay`` of a recording of the same samples. What is odd is a Python
    warning.

    Parameters
    ----------
    eeg
        Of one person, or of several by name: an array (samples, channels), or an iterable of such chunks of any length,
        from which the next one is asked for when a step needs it. Unfiltered; NaN where a sample is missing. All begin
        at the same time.
    rate
        Samples per second of the EEG, Hz.
    channels
        Names of its channels, in order; those that are EOG by name are regressed out, those that are no EEG left out.
    unit
        Of the EEG: V, mV, uV or nV.
    sound
        What was heard: a sound file, or samples (n,) or (n, channels), full scale +-1, both known as a whole, so that
        people are held against the bundle's reference of that sound; or an iterable of such chunks, for which there is
        none. None: no sound.
    sound_rate
        Samples per second of ``sound``, Hz; a file says its own.
    sound_start
        When the sound began, s after the EEG's first sample.
    pace
        Session seconds in a second, 1 for real time; None: as fast as possible, or as chunks come.
    seconds
        End after so many steps; None: with the EEG.
    start
        Time of the EEG's first sample, s, from which ``Feedback.lsl_time`` counts.
    progress
        Told what is being made or loaded, where something is.
    **options
        See :class:`rtaffect.notebook.session.SessionOptions`.

    Raises
    ------
    RtaffectError
        If shapes, rates, names or units cannot be right, or nothing can be made of them. Chunks are checked as they
        come.

    Examples
    --------
    >>> with rtaffect.Session(eeg, 250, ["Fz", "Cz", "Pz"], unit="uV", sound="story.wav", bundle="demo") as session:
    ...     for feedback in session:
    ...         print(feedback.time, feedback.observed_mean, feedback.reason)
    """

    def __init__(
        self,
        eeg: PersonEeg | Mapping[str, PersonEeg],
        rate: float,
        channels: Sequence[str],
        *,
        unit: str,
        sound: str | Path | ArrayLike | Iterable[ArrayLike] | None = None,
        sound_rate: float = SAMPLE_RATE,
        sound_start: float = 0.0,
        pace: float | None = None,
        seconds: int | None = None,
        start: float = 0.0,
        progress: Progress = print,
        **options: Unpack[SessionOptions],
    ) -> None:
        notes: list[str] = []
        self._cleanup = ExitStack()
        with in_python(*_PARAMETERS):
            plan = _plan(options, seconds)
            _check_times(pace, sound_start, start)
            by_name = _by_name(eeg)
            people = {
                name: _person(name, content, _header(name, rate, channels, unit), start)
                for name, content in by_name.items()
            }
            heard = _heard(sound, sound_rate, start + sound_start)
            if heard is not None:
                _check_meets(sound_start, by_name.values(), rate)
            sources = MemorySources.of(plan, people, heard, start=start, begun=sound_start, factor=pace)
            run = complete(sources, progress, notes.append).begin(self._cleanup, progress)
        #: Names of the rows that predicted and observed values are of.
        self.rows: tuple[str, ...] = run.engine.space.rows
        #: Names of the people, in the order of ``Feedback.people``.
        self.people: tuple[str, ...] = tuple(run.engine.people)
        self._steps = steps_of(run, self._cleanup, _PARAMETERS)
        warn(notes, 2)

    def __iter__(self) -> Iterator[Feedback]:
        """Return itself: the next step is made when it is asked for."""
        return self

    def __next__(self) -> Feedback:
        """Make the next step; raises StopIteration at the end of the EEG, or when it is closed."""
        return next(self._steps)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of sources and model."""
        self.close()

    def close(self) -> None:
        """End the session, and let go of what gives its chunks; may be called twice."""
        cast(Any, self._steps).close()
        self._cleanup.close()


#: What can be given, by name.
_PARAMETERS: Final = (
    "eeg", "rate", "channels", "unit", "sound", "sound_rate", "sound_start", "pace", "seconds", "start",
    *SessionOptions.__annotations__,
)  # fmt: skip


def _check_meets(sound_start: float, eeg: Iterable[object], rate: float) -> None:
    """Refuse a sound that begins after all EEG, where it is known as a whole."""
    lengths = [len(each) if isinstance(each, np.ndarray) else math.inf for each in eeg]
    if (lasts := max(lengths) / rate) <= sound_start:
        raise SettingsError(
            f"sound_start is {sound_start:g} s, and the EEG lasts {lasts:g} s: the sound begins after it",
            "the seconds from the EEG's first sample to the sound's",
        )


def _plan(options: SessionOptions, seconds: int | None) -> SessionPlan:
    """Return the plan of a session with those options that are given."""
    unknown = [name for name in options if name not in SessionOptions.__annotations__]
    if unknown:
        expected = ", ".join(SessionOptions.__annotations__)
        raise TypeError(f"Session() has no option {unknown[0]!r}; expected one of {expected}")
    analysis = {_FIELDS.get(name, name): value for name, value in options.items() if value is not None}
    content = {"mode": "replay", "recording": _NOWHERE, "speed": "max", "analysis": analysis}
    names = {f"analysis.{_FIELDS.get(name, name)}": name for name in options} | {"results.seconds": "seconds"}
    try:
        plan = SessionPlan.model_validate(content | ({} if seconds is None else {"results": {"seconds": seconds}}))
    except ValidationError as error:
        raise as_parameter(error, "Session", names) from None
    check_plan(plan)
    return plan


def _check_times(pace: float | None, sound_start: float, start: float) -> None:
    if pace is not None and not 0 < number_of("pace", pace, "session seconds in a second") <= _MOST_PACE:
        raise SettingsError(
            f"pace is {pace}", f"session seconds in a second, up to {_MOST_PACE:.0f}, or None: as fast as possible"
        )
    for name, value in (("sound_start", sound_start), ("start", start)):
        if abs(number_of(name, value, "seconds")) > _FURTHEST_S:
            raise SettingsError(f"{name} is {value}", f"seconds, up to {_FURTHEST_S:g} either way")


def _by_name(eeg: PersonEeg | Mapping[str, PersonEeg]) -> dict[str, PersonEeg]:
    """Return the EEG of each person by name."""
    if not isinstance(eeg, Mapping):
        return {"person 1": eeg}
    if not eeg:
        raise SettingsError("eeg has no person", "the EEG of each by name, as in {'P01': samples}")
    for name in eeg:
        _check_name("the name of a person", name)
    contents = list(eeg.values())
    for number, content in enumerate(contents):
        if isinstance(content, Iterator) and any(content is other for other in contents[:number]):
            raise SettingsError(
                f"the chunks of {list(eeg)[number]!r} are those of somebody else, too", "chunks of their own for each"
            )
    return dict(eeg)


def _check_name(what: str, name: object) -> None:
    """Refuse what is no name: a text of one line that can be shown as it is."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise SettingsError(f"{what} is {name!r}", "a text of one line, as in 'P01'")


def _header(name: str, rate: float, channels: Sequence[str], unit: str) -> StreamHeader:
    """Return what is said of a person's EEG; raises SettingsError for what cannot be said so."""
    if isinstance(channels, str | Mapping) or not isinstance(channels, Iterable):
        raise SettingsError(f"channels is {channels!r}", "a list of names, as in ['Fz', 'Cz']")
    names = tuple(channels)
    for each in names:
        _check_name("the name of a channel", each)
    if len({each.casefold() for each in names}) != len(names) or not names:
        distinct = len({each.casefold() for each in names})
        raise SettingsError(f"channels has {distinct} distinct names of {len(names)}", "one for each channel")
    number_of("rate", rate, "the samples per second, Hz, as in 250")
    if not isinstance(unit, str):
        raise SettingsError(f"unit is {unit!r}", "V, mV, uV or nV")
    return StreamHeader(name, "EEG", float(rate), "double64", names, (unit,) * len(names), source_id=name)


def _person(name: str, content: PersonEeg, header: StreamHeader, start: float) -> ChunkSource:
    """Return a person's EEG as a source; raises RtaffectError if it cannot be such."""
    # A name that a program gives is no device's.
    plan, used = prepare_eeg(header, Given(profile="none"))
    info = StreamInfo(name, "eeg", used, plan.names, "memory", source_id=name, about=plan.about)
    chunks, what = chunks_of(content), f"eeg of {name!r}"
    if isinstance(chunks, np.ndarray) and chunks.ndim == 2 and not np.isfinite(numbers_of(what, chunks)).any():
        raise SettingsError(f"{what} has no finite value", remedy="leave that person out")

    checked = CheckedEeg(what, header.labels, header.rate)
    whole = iter([checked(chunks)]) if isinstance(chunks, np.ndarray) else chunks
    return ChunkSource(info, header, whole, checked, plan=plan, onset=start)


def _heard(sound: object, rate: float, onset: float) -> SoundFileSource | ChunkSource | None:
    """Return what is heard; whole sounds at 16 kHz, as a file of them is read."""
    if sound is None:
        return None
    rate = number_of("sound_rate", rate, "the samples per second of the sound, Hz, as in 44100")
    if isinstance(sound, str | Path):
        return SoundFileSource.open(Path(sound))
    chunks = chunks_of(sound)
    if isinstance(chunks, np.ndarray):
        return SoundFileSource(resampled(chunks, rate), "sound")
    check_sound_rate("the sound", rate)
    first = next(chunks, _NONE)
    if first is _NONE:
        raise SoundError("the sound has no chunk; expected arrays (n,) or (n, channels)")
    block = array_of("a chunk of the sound", first)
    count = 1 if block.ndim < 2 else block.shape[1]
    header = StreamHeader("sound", "Audio", float(rate), "float32", ("sound",) * count)
    plan = plan_audio("sound", count, np.dtype(np.float32))
    info = StreamInfo("sound", "audio", float(rate), ("mono",), "memory")
    return ChunkSource(info, header, _after(first, chunks), _sound_of(count), plan=plan, onset=onset)


def _after(first: object, others: Iterator[object]) -> Iterator[object]:
    yield first
    yield from others


def _sound_of(channels: int) -> Callable[[object], NDArray[Any]]:
    """Return what checks a chunk of sound with so many channels."""

    def checked(chunk: object) -> NDArray[Any]:
        samples = array_of("a chunk of the sound", chunk)
        if samples.dtype.kind != "f" or samples.ndim not in (1, 2):
            raise SoundError(
                f"a chunk of the sound is {samples.dtype} {samples.shape}; expected float samples (n,) or "
                "(n, channels) within +-1"
            )
        samples = samples[:, None] if samples.ndim == 1 else samples
        if not np.isfinite(samples).all():
            raise SoundError("a chunk of the sound holds NaN or infinite samples; expected finite ones, 0 for silence")
        check_loudness("a chunk of the sound", samples)
        if samples.shape[1] != channels:
            raise SoundError(f"a chunk of the sound has {samples.shape[1]} channels; the first one had {channels}")
        return samples

    return checked
