"""The observed side of a calibration: what a study's listeners showed during each sound, and how reliable it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from calibration.copies import People
from calibration.foreign_channels import foreign_channels
from calibration.good_channels import good_seconds, poor_channels
from calibration.group_synchrony import LEAST_DRAWS, GroupSynchrony, PairSums
from calibration.responses import component_spaces, group_responses, left_out_time_courses, synchrony_time_courses
from calibration.study import FolderStudy, Study, ratings_of
from rtaffect import __version__
from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_mean, fisher_z
from rtaffect.common.errors import RecordingError
from rtaffect.common.files import sha256_of
from rtaffect.common.kept import read_array, write_array
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.common.threads import one_thread
from rtaffect.observed.reference import Reference
from rtaffect.observed.response import clean_channels
from rtaffect.observed.spaces import ChannelSpace, RatingSpace, Space
from rtaffect.observed.synchrony import RowLayout
from rtaffect.predicted.featurizer import Progress
from rtaffect.stream.audio import StudySound

#: Fewest listeners of whom halves can be formed: each of a half is compared with the mean of its others.
_LEAST_FOR_HALVES = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """Observed synchrony of a study. P listeners, R rows, S splits; courses are in Fisher z, NaN where there is none.

    ``sounds`` are those to fit on; of a study of ratings ``rated`` has for each of them (steps, R), in their own unit,
    and there are no people. ``people`` has for each of them (P, steps, R), ``halves`` (S, 2, steps, R) the mean
    course within random halves of the listeners, each half by itself (S is 0 with too few listeners). ``references``
    has for every sound of the study the group's response. ``poor`` are the channels that could not be rows, and in
    which part of the seconds they were good for enough listeners; ``foreign`` those that are no EEG, and in whom.
    ``group`` tells whether the group is synchronised in these sounds, None where that was not asked; ``alike`` names
    people whose EEG is as alike as one person's. ``scale`` is that of ratings.
    """

    space: Space
    sounds: tuple[StudySound, ...]
    people: tuple[FloatArray, ...]
    halves: tuple[FloatArray, ...]
    references: tuple[Reference, ...]
    rated: tuple[FloatArray, ...] = ()
    poor: Mapping[str, float] = field(default_factory=dict)
    group: GroupSynchrony | None = None
    alike: tuple[str, ...] = ()
    foreign: Mapping[str, str] = field(default_factory=dict)
    scale: RatingScale | None = None

    @property
    def targets(self) -> list[FloatArray]:
        """What is predicted of each sound (steps, R): the mean over listeners, Fisher z, or the ratings."""
        if self.rated:
            return list(self.rated)
        return [mean_time_course(people) for people in self.people]


def mean_time_course(people: FloatArray) -> FloatArray:
    """Return the mean (steps, R) over listeners (P, steps, R), Fisher z; NaN where nobody has a value."""
    return fisher_z(fisher_mean(np.tanh(people), axis=0))


@one_thread()
def measure(
    study: Study,
    settings: Settings,
    progress: Progress,
    *,
    space: Space | None = None,
    components: bool = False,
    splits: int = 0,
    draws: int = 0,
    keep: Path | None = None,
) -> Measured:
    """Run every listener's EEG through the live code and correlate it.

    Parameters
    ----------
    study, settings
        Who heard what, and how it is analysed.
    progress
        Told what is being done.
    space
        What the rows are; default: the channels that all listeners have.
    components
        Whether correlated components of those channels are the rows instead.
    splits, draws
        Random halvings of the listeners; draws of each kind of chance, for whether the group is synchronised at all.
    keep
        Folder for EEG that has been filtered, so that a run that was cut off goes on where it stopped.

    Raises
    ------
    RecordingError, SettingsError, MontageError
        If the study cannot be used.
    """
    fitted = _fitted_sounds(study)
    space, heard, poor, foreign = _heard(study, space, [s.name for s in fitted], settings, progress, keep)
    alike = _alike(study, space.channels, heard, settings)
    space, each = _rows_of(space, [heard[s.name] for s in fitted], settings, progress, components=components)
    people, halves, references = [], [], []
    pairs = _Pairs(draws, settings)
    for sound in study.sounds():
        progress(f"synchrony of {sound.name}")
        channels = heard.pop(sound.name)
        group, layout = group_responses(channels, space, settings)
        references.append(Reference.of(group, layout.k))
        if sound.fit:
            people.append(_each_time_course(channels, group, each, settings, layout))
            halves.append(half_time_courses(group, settings, layout, splits))
            pairs.add(channels, group, each, layout)
    three = tuple(people), tuple(halves), tuple(references)
    return Measured(space, fitted, *three, poor=poor, group=pairs.found(), alike=alike, foreign=foreign)


def _rows_of(
    space: Space, heard: Sequence[Sequence[FloatArray]], settings: Settings, progress: Progress, *, components: bool
) -> tuple[Space, Sequence[Space]]:
    """Return the space, or correlated components of its channels and those without each listener in turn."""
    if not components:
        return space, ()
    progress("correlated components")
    return component_spaces(heard, space.channels, settings)


class _Pairs:
    """Correlations of whole sounds, where ``draws`` of chance are asked for; rows may have been fitted to the group."""

    def __init__(self, draws: int, settings: Settings) -> None:
        self._draws, self._settings = max(draws, LEAST_DRAWS) if draws else 0, settings
        self._sums: PairSums | None = None

    def add(
        self, channels: Sequence[FloatArray], group: FloatArray, left_out: Sequence[Space], layout: RowLayout
    ) -> None:
        if not self._draws:
            return
        self._sums = self._sums or PairSums(
            layout, self._settings.signal.rate_hz, self._draws, drift=self._settings.drift
        )
        if left_out:
            self._sums.add_left_out([group_responses(channels, space, self._settings)[0] for space in left_out])
        else:
            self._sums.add(group)

    def found(self) -> GroupSynchrony | None:
        return None if self._sums is None else self._sums.found()


def _heard(  # noqa: PLR0917 - what measure is given
    study: Study, space: Space | None, fitted: Sequence[str], settings: Settings, progress: Progress, keep: Path | None
) -> tuple[Space, dict[str, list[FloatArray]], Mapping[str, float], Mapping[str, str]]:
    """Return the space, by default of the channels that are good for enough listeners, its channels, and the others.

    These are the poor ones, and those that are no EEG.
    """
    channels = study.channels()
    if space is not None:
        space.fit_to({f"study {study.name}": channels})
        return space, _listen(study, space.channels, settings, progress, keep), {}, {}
    heard = _listen(study, channels, settings, progress, keep)
    foreign = foreign_channels(study, channels, heard, settings)
    poor = _poor(study, channels, [heard[name] for name in fitted], settings)
    poor = {name: share for name, share in poor.items() if name not in foreign}
    if poor or foreign:
        channels = tuple(name for name in channels if name not in poor and name not in foreign)
        # Channels are judged by each other, as in a session, which has only those that are left.
        heard = _listen(study, channels, settings, progress, keep)
    return ChannelSpace(channels, settings.signal.average_reference), heard, poor, foreign


def _alike(
    study: Study, channels: Sequence[str], heard: Mapping[str, Sequence[FloatArray]], settings: Settings
) -> tuple[str, ...]:
    """Return which people's EEG is as alike as one person's; RecordingError if it is the same."""
    people = People()
    for sound in study.sounds():
        for listener, clean in zip(study.listeners, heard[sound.name], strict=True):
            if study.hears(listener, sound):
                file = study.file(listener, sound) if isinstance(study, FolderStudy) else "its EEG"
                people.add(listener, file, sound.name, channels=channels, clean=clean, rate=settings.signal.rate_hz)
    found = people.alike()
    if same := [str(pair) for pair in found if pair.same]:
        raise RecordingError("; ".join(same))
    return tuple(str(pair) for pair in found)


def _poor(
    study: Study, channels: Sequence[str], heard: Sequence[Sequence[FloatArray]], settings: Settings
) -> Mapping[str, float]:
    """Return the channels that are good for too few; RecordingError if all are."""
    counts = [np.sum([good_seconds(person, settings) for person in people], axis=0) for people in heard]
    poor = poor_channels(channels, counts)
    if len(poor) == len(channels) or not any((each > 1).any() for each in counts):
        raise RecordingError(
            f"study {study.name!r}: no channel is good in two listeners for long enough; expected EEG whose channels "
            "are neither flat nor far too loud: check its unit (listener.unit) and its recordings"
        )
    return poor


def _fitted_sounds(study: Study) -> tuple[StudySound, ...]:
    found = tuple(sound for sound in study.sounds() if sound.fit)
    if not found:
        raise RecordingError(f"study {study.name!r} has no sound with fit = true; mark those to fit weights on")
    return found


def _each_time_course(
    channels: Sequence[FloatArray], group: FloatArray, left_out: Sequence[Space], settings: Settings, layout: RowLayout
) -> FloatArray:
    """Return each listener's synchrony (P, steps, R), Fisher z, by the spaces without them where there are such."""
    if left_out:
        return left_out_time_courses(channels, left_out, settings)
    return synchrony_time_courses(group, settings, layout)


def rated(study: Study) -> Measured:
    """Return the ratings of a study in place of synchrony.

    Raises
    ------
    RecordingError
        If it has none.
    """
    sounds = tuple(s for s in study.sounds() if s.fit)
    found = [(s, values) for s in sounds if (values := ratings_of(study, s)) is not None]
    if not found or not isinstance(study, FolderStudy):
        raise RecordingError(f"study {study.name!r} has no ratings; give each sound a table of them in study.toml")
    tables = tuple(v for _, v in found)
    nobody = tuple(np.empty((0, *v.shape)) for v in tables)
    halves = tuple(np.empty((0, 2, *v.shape)) for v in tables)
    space, scale = RatingSpace(study.rating_names), study.rating_scale()
    return Measured(space, tuple(s for s, _ in found), nobody, halves, (), tables, scale=scale)


def half_time_courses(group: FloatArray, settings: Settings, layout: RowLayout, splits: int) -> FloatArray:
    """Return the mean courses (S, 2, steps, R) of random halves of a standardised group (P, time, M * k).

    No one enters both halves, in their own course or in another's, so that nothing but the sound makes them alike.
    The halves are the same for every sound.
    """
    count = len(group)
    if count < _LEAST_FOR_HALVES:
        splits = 0
    rng = np.random.default_rng(0)
    found = []
    for _ in range(splits):
        order = rng.permutation(count)
        parts = order[: count // 2], order[count // 2 :]
        found.append([mean_time_course(synchrony_time_courses(group[part], settings, layout)) for part in parts])
    steps = group.shape[1] // settings.signal.rate_hz
    return np.array(found).reshape(splits, 2, steps, layout.rows)


def _listen(
    study: Study, channels: Sequence[str], settings: Settings, progress: Progress, keep: Path | None
) -> dict[str, list[FloatArray]]:
    """Return each sound's listeners' channels (time, C). Person by person: a recording holds all sounds of one."""
    heard: dict[str, list[FloatArray]] = {}
    for listener in study.listeners:
        progress(f"EEG of {listener}")
        for sound in study.sounds():
            if not study.hears(listener, sound):
                missing = np.full((sound.seconds * STEP_S * settings.signal.rate_hz, len(channels)), np.nan)
                heard.setdefault(sound.name, []).append(missing)
                continue
            path = _kept(study, listener, sound, channels, settings, keep)
            found = _read(path, progress)
            if found is None:
                source, onset = study.eeg(listener, sound)
                found = clean_channels(source, onset, sound.seconds, channels, settings)
                _write(path, found)
            heard.setdefault(sound.name, []).append(found)
    return heard


def _kept(  # noqa: PLR0917 - all that the clean channels follow from
    study: Study, listener: str, sound: StudySound, channels: Sequence[str], settings: Settings, keep: Path | None
) -> Path | None:
    """Return the file for one listener's clean channels; None where nothing is kept, or the study has no files."""
    stamp = study.stamp(listener, sound) if isinstance(study, FolderStudy) else ""
    if keep is None or not stamp:
        return None
    about = [__version__, stamp, sound.sha256, *channels, settings.signal.model_dump_json()]
    about.append(settings.quality.model_dump_json())
    return keep / f"{sha256_of(chr(0).join(about))[:32]}.npy"


def _read(path: Path | None, progress: Progress) -> FloatArray | None:
    """Return what is kept in a file; None where there is none, or it is damaged, which is told."""
    found = read_array(path) if path is not None else None
    if found is None and path is not None and path.exists():
        progress(f"the filtered EEG that was kept in {path.name} is damaged: it is filtered again")
    return None if found is None else np.asarray(found, np.float64)


def _write(path: Path | None, channels: FloatArray) -> None:
    if path is not None:
        write_array(path, channels)
