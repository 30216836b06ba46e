"""Which files a study is made of, and who heard what when; of sounds and recordings nothing is read here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtaffect.common.errors import RecordingError
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.words import listed
from rtaffect.sources.channel_plan import Given

#: Synchrony of one with the others needs them.
LEAST_LISTENERS = 3
#: So many missing onsets are told one by one.
_SINGLE = 3


@dataclass(frozen=True, slots=True)
class SoundFile:
    """One sound; ``fit`` whether weights may be fitted on it, ``covariates`` and ``rating`` its tables, if any.

    ``rating`` has a table for each rater by name, or one of the mean by the name ''.
    """

    name: str
    path: Path
    fit: bool = True
    covariates: Path | None = None
    rating: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class RecordingFile:
    """One recording of one listener.

    ``onset`` has, for each sound heard in it, when that began: s on the LSL clock for XDF, else s from the first
    sample; it stands in the file ``onsets_in``. ``channels`` and ``unit`` replace what the recording says;
    ``without`` and ``only`` are channels to leave out, and the only ones to use; ``profile`` is its device's.
    ``described`` is a table of its channels (BIDS ``channels.tsv``). ``rest`` are stretches in which the listener
    rested, each from when to when, s, on the clock of ``onset``.
    """

    listener: str
    path: Path
    onset: Mapping[str, float]
    onsets_in: Path
    channels: tuple[str, ...] | None = None
    unit: str | None = None
    described: Path | None = None
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    profile: str = ""
    rest: tuple[tuple[float, float], ...] = ()

    @property
    def given(self) -> Given:
        """What replaces what the recording says."""
        return Given(channels=self.channels, unit=self.unit, without=self.without, only=self.only, profile=self.profile)


@dataclass(frozen=True, slots=True)
class Layout:
    """A study's files. ``problems`` forbid its use; ``notes`` do not. Each is one line.

    ``ratings`` is the scale of its ratings, None where that is not told.
    """

    folder: Path
    name: str
    synthetic: bool
    sounds: tuple[SoundFile, ...]
    recordings: tuple[RecordingFile, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ratings: RatingScale | None = None

    @property
    def listeners(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(dict.fromkeys(r.listener for r in self.recordings))

    @property
    def rated(self) -> bool:
        """Whether the sounds to be fitted have ratings."""
        return any(s.rating for s in self.sounds if s.fit)

    def hears(self, listener: str, sound: str) -> bool:
        """Return whether ``listener`` has a recording of ``sound``."""
        return bool(self.all_heard(listener, sound))

    def all_heard(self, listener: str, sound: str) -> list[RecordingFile]:
        """Return the recordings in which ``listener`` hears ``sound``; there must be no more than one."""
        return [r for r in self.recordings if r.listener == listener and sound in r.onset]

    def heard(self, listener: str, sound: str) -> RecordingFile:
        """Return the recording in which ``listener`` hears ``sound``; RecordingError if there is none."""
        if not (found := self.all_heard(listener, sound)):
            raise RecordingError(
                f"study {self.folder}: {listener} has no recording of {sound}; expected one of "
                f"{', '.join(self.listeners)} and one of {', '.join(s.name for s in self.sounds)}: correct study.toml"
            )
        return found[0]

    def label(self, recording: RecordingFile) -> str:
        """Return what a recording is called in messages: the listener, with the file where they have several."""
        several = sum(r.listener == recording.listener for r in self.recordings) > 1
        return f"{recording.listener} ({shown(recording.path, self.folder)})" if several else recording.listener


def gathered(told: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield each line once, after those whom it is told of: ``told`` has them by line."""
    for line, owners in told.items():
        yield f"{listed(owners)}: {line}"


def shown(path: Path, folder: Path) -> str:
    """Return ``path`` as a message names it: relative to the study's folder where it lies in there."""
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def find_problems(layout: Layout, unheard: str) -> tuple[str, ...]:
    """Return all that forbids the use of a study and can be told from names and files alone.

    ``unheard`` says what to do where a listener has no onset for a sound.
    """
    return (
        *layout.problems,
        *_missing_files(layout),
        *_doubles(layout),
        *_listener_problems(layout),
        *(line for line, enough in _unheard(layout, unheard) if not enough),
        *_table_problems(layout.sounds),
    )


def _missing_files(layout: Layout) -> Iterator[str]:
    files: list[tuple[str, Path | None]] = []
    for sound in layout.sounds:
        files += [(sound.name, sound.path), (sound.name, sound.covariates)]
        files += [(sound.name, table) for table in sound.rating.values()]
    for recording in layout.recordings:
        files += [(recording.listener, recording.path), (recording.listener, recording.described)]
    for name, path in files:
        if path is None or path.exists():
            continue
        remedy = "correct study.toml or add it"
        if path.is_symlink():
            remedy = "it is a link whose content is not here: fetch it, as with `datalad get`"
        yield f"{name}: no file {shown(path, layout.folder)}; {remedy}"


def _doubles(layout: Layout) -> Iterator[str]:
    for name, count in Counter(s.name for s in layout.sounds).items():
        if count > 1:
            yield f"{name}: two sounds have this name; give each its own in study.toml"
    owners: dict[Path, RecordingFile] = {}
    for recording in layout.recordings:
        other = owners.setdefault(recording.path.resolve(), recording)
        if other.listener != recording.listener:
            yield (
                f"{recording.listener}: has the recording of {other.listener}, {shown(recording.path, layout.folder)}; "
                "expected one of their own: correct listener.file in study.toml"
            )


def _listener_problems(layout: Layout) -> Iterator[str]:
    listeners = layout.listeners
    if len(listeners) < LEAST_LISTENERS and (listeners or not layout.rated):
        yield (
            f"{len(listeners)} listener{'' if len(listeners) == 1 else 's'}, but synchrony of one with the others "
            f"needs at least {LEAST_LISTENERS}: record more people, or give every sound a rating and no listeners"
        )
    for listener in listeners:
        for sound in dict.fromkeys(s.name for s in layout.sounds):
            if len(found := layout.all_heard(listener, sound)) > 1:
                files = ", ".join(shown(r.path, layout.folder) for r in found)
                yield f"{listener}: {len(found)} onsets for {sound} ({files}); expected one: correct study.toml"


def _unheard(layout: Layout, unheard: str) -> Iterator[tuple[str, bool]]:
    """Yield who has no onset for which sound, and whether enough others have one that it can be used without them.

    Of many cases those that can be used are one line, the others one for each sound.
    """
    lacking: dict[str, list[str]] = {}
    for sound in dict.fromkeys(s.name for s in layout.sounds):
        if who := [listener for listener in layout.listeners if not layout.hears(listener, sound)]:
            lacking[sound] = who
    left = {sound: len(layout.listeners) - len(who) for sound, who in lacking.items()}
    usable = {sound: who for sound, who in lacking.items() if left[sound] >= LEAST_LISTENERS}
    if sum(map(len, lacking.values())) <= _SINGLE:
        yield from _one_by_one(lacking, left, unheard)
        return
    for sound, who in lacking.items():
        if sound not in usable:
            few = f"{left[sound]} listeners have one, expected at least {LEAST_LISTENERS}"
            yield f"{sound}: no onset for {listed(who)}; {few}; {unheard}", False
    if usable:
        least = min(left[sound] for sound in usable)
        yield f"{_missed(layout.listeners, usable)} is left with {least} or more listeners; {unheard}", True


def _one_by_one(
    lacking: Mapping[str, Sequence[str]], left: Mapping[str, int], unheard: str
) -> Iterator[tuple[str, bool]]:
    for sound, who in lacking.items():
        enough = left[sound] >= LEAST_LISTENERS
        rest = f" (left out there: {left[sound]} others have one)" if enough else ""
        yield from ((f"{listener}: no onset for {sound}{rest}; {unheard}", enough) for listener in who)


def _missed(listeners: Sequence[str], usable: Mapping[str, Sequence[str]]) -> str:
    """Return who lacks which of the sounds that can be used without them."""
    missed = {name: [sound for sound, who in usable.items() if name in who] for name in listeners}
    each = [f"{name} ({listed(sounds, 3)})" for name, sounds in missed.items() if sounds]
    return (
        f"{len(each)} of {len(listeners)} listeners have no onset for some sounds and are left out there: "
        f"{listed(each, 3)}; each of {len(usable)} such sounds"
    )


def find_notes(layout: Layout, unheard: str) -> tuple[str, ...]:
    """Return what does not forbid the use of a study, but is to be known."""
    return (*layout.notes, *(line for line, enough in _unheard(layout, unheard) if enough))


def _table_problems(sounds: Sequence[SoundFile]) -> Iterator[str]:
    fitted = [s for s in sounds if s.fit]
    kinds = {"rating": [bool(s.rating) for s in fitted], "covariates": [s.covariates is not None for s in fitted]}
    for kind, given in kinds.items():
        without = [s.name for s, has in zip(fitted, given, strict=True) if not has]
        if without and len(without) < len(fitted):
            yield (
                f"{', '.join(without)}: no {kind} table, but other sounds have one; expected it for every sound that "
                f"is fitted: add sound.{kind}, or fit = false, in study.toml"
            )
