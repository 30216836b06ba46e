"""Looks a study through before anything is computed, and tells all that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.copies import People
from calibration.good_channels import good_seconds, poor_channels, told_poor
from calibration.needed import refuse_short
from calibration.studies.layout import Layout, RecordingFile, gathered, shown
from calibration.studies.manifest import ALL_EEG, Channels, read_layout
from calibration.studies.raters import ratings_in
from calibration.studies.recording import Recording, heard_in, open_recording, out_of_place
from calibration.studies.samples import Samples, inspect
from calibration.studies.tables import covariates_in
from rtaffect.common.channel_kinds import told
from rtaffect.common.errors import MontageError, RecordingError, RtaffectError, SettingsError, SoundError
from rtaffect.common.montage import common_rows, is_eog, place_of
from rtaffect.common.settings import Settings
from rtaffect.observed.response import clean_channels
from rtaffect.observed.signal_path import design_filter
from rtaffect.stream.audio import SAMPLE_RATE, read_whole_sound, sound_sha256

#: What begins a line that forbids nothing.
NOTE = "note: "
_DEAD_REMEDY = "expected signal in some: leave the channel out of the recording, or mark it as bad"


def check(
    study_folder: Path, settings: Settings | None = None, channels: Channels = ALL_EEG, *, folds: bool = True
) -> list[str]:
    """Return everything that is wrong with a study, one line each; empty if nothing is.

    Every sound, table and recording is read, and nothing computed: missing and unreadable files, onsets that are
    missing or beyond the recording, montages, channels that are flat or missing throughout, listeners with the same
    data, too few listeners, sounds too short for the folds, tables that do not fit. Lines that begin with ``note:``
    come last and forbid nothing.

    Parameters
    ----------
    study_folder
        With ``study.toml``, or a BIDS dataset.
    settings
        Those that it is to be calibrated with; default: the defaults.
    channels
        Those that are chosen in every recording.
    folds
        Whether sounds must be long enough for the folds of a calibration.
    """
    try:
        layout = read_layout(study_folder, channels)
    except RecordingError as error:
        return [str(error)]
    looked = _Look(layout, settings or Settings(), folds=folds)
    lines = dict.fromkeys(" ".join(line.split()) for line in looked.all())
    return sorted(lines, key=lambda line: line.startswith(NOTE))


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A recording that could be read."""

    label: str
    listener: str
    path: Path
    rate: float
    channels: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    samples: Samples


class _Look:
    """One look at a study; what is found is yielded line by line."""

    def __init__(self, layout: Layout, settings: Settings, *, folds: bool) -> None:
        self._layout, self._settings, self._folds = layout, settings, folds
        self._seconds: dict[str, int] = {}
        self._seen: list[_Seen] = []
        self._told: dict[str, list[str]] = {}
        # For each sound and channel, by its place, in how many listeners it was good in each second.
        self._good: dict[str, dict[str, NDArray[np.int64]]] = {}
        self._people = People()

    def all(self) -> Iterator[str]:
        """Yield all that is found."""
        yield from self._layout.problems
        yield from self._sounds()
        yield from self._tables()
        yield from self._too_short()
        for file in self._layout.recordings:
            # Those that are not there are among the layout's problems.
            if file.path.exists() and (file.described is None or file.described.exists()):
                yield from self._recording(file)
        left_out = {seen.label: seen.left_out for seen in self._seen}
        yield from (NOTE + line for line in told(left_out))
        yield from _montage_problems({seen.label: seen.channels for seen in self._seen})
        yield from self._same_data()
        yield from self._rates()
        yield from self._poor()
        yield from (NOTE + line for line in gathered(self._told))
        yield from (NOTE + line for line in self._layout.notes)

    def _too_short(self) -> Iterator[str]:
        """Yield which sounds are too short for folds, where those matter and all sounds could be read."""
        fitted = [s.name for s in self._layout.sounds if s.fit]
        if self._folds and all(name in self._seconds for name in fitted):
            yield from too_short({name: self._seconds[name] for name in fitted}, self._settings)

    def _sounds(self) -> Iterator[str]:
        if self._layout.sounds and not any(s.fit for s in self._layout.sounds):
            yield "no sound with fit = true; expected at least one that weights are fitted on: correct study.toml"
        names: dict[str, str] = {}
        for sound in self._layout.sounds:
            if not sound.path.exists():
                continue
            try:
                samples, _, notes = read_whole_sound(sound.path)
            except SoundError as error:
                yield f"{sound.name}: {error}"
                continue
            yield from (f"{NOTE}{sound.name}: {line}" for line in notes)
            self._seconds[sound.name] = len(samples) // SAMPLE_RATE
            other = names.setdefault(sound_sha256(samples), sound.name)
            if other != sound.name:
                yield (
                    f"{sound.name}: the same sound as {other}; expected each sound once, since a reference is found by "
                    "what is heard: leave one of them out"
                )

    def _tables(self) -> Iterator[str]:
        """Yield what is wrong with each sound's tables, and then with all that can be used together."""
        covariates = {s.name: [] if s.covariates is None else [s.covariates] for s in self._layout.sounds}
        ratings = {s.name: list(s.rating.values()) for s in self._layout.sounds}
        kinds: list[tuple[Callable[..., object], Mapping[str, Sequence[Path]]]]
        kinds = [(covariates_in, covariates), (partial(ratings_in, scale=self._layout.ratings), ratings)]
        for read, tables in kinds:
            usable = []
            for sound in self._layout.sounds:
                given = tables[sound.name]
                if sound.name not in self._seconds or not given or not all(table.exists() for table in given):
                    continue
                try:
                    read([sound], self._seconds)
                    usable.append(sound)
                except RecordingError as error:
                    yield f"{sound.name}: {error}"
            try:
                read(usable, self._seconds)
            except RecordingError as error:
                yield str(error)

    def _recording(self, file: RecordingFile) -> Iterator[str]:
        label = self._layout.label(file)
        heard = {name: self._seconds[name] for name in file.onset if name in self._seconds}
        try:
            recording = open_recording(file)
            spans = [(file.onset[name], file.onset[name] + length) for name, length in heard.items()]
            samples = inspect(recording, spans, self._settings.signal.flat_v)
        except RtaffectError as error:
            yield str(error) if str(error).startswith(file.listener) else f"{label}: {error}"
            return
        try:
            design_filter(self._settings.signal, recording.rate)
        except SettingsError as error:
            yield f"{label}: {error}"
        for name, length in heard.items():
            if wrong := out_of_place(file, recording, name, length):
                yield wrong
        yield from _sample_problems(label, recording, samples)
        for line in recording.warnings:
            self._told.setdefault(line, []).append(label)
        self._judge(file, recording, heard)
        self._seen.append(
            _Seen(label, file.listener, file.path, recording.rate, recording.channels, recording.left_out, samples)
        )

    def _judge(self, file: RecordingFile, recording: Recording, heard: Mapping[str, int]) -> None:
        """Count, as a calibration would judge it, in which seconds of each sound the channels are good."""
        channels = [name for name in recording.channels if not is_eog(name)]
        for name, length in heard.items():
            if not channels or out_of_place(file, recording, name, length) is not None:
                continue
            try:
                source, onset = heard_in(file, recording, name, length)
                clean = clean_channels(source, onset, length, channels, self._settings)
            # What keeps the recording from being filtered is told by its own check.
            except RtaffectError:
                continue
            good = good_seconds(clean, self._settings)
            where, rate = shown(file.path, self._layout.folder), self._settings.signal.rate_hz
            self._people.add(file.listener, where, name, channels=channels, clean=clean, rate=rate)
            counts = self._good.setdefault(name, {})
            for column, channel in enumerate(channels):
                place = place_of(channel)
                counts[place] = counts.get(place, np.zeros(length, np.int64)) + good[:, column]

    def _poor(self) -> Iterator[str]:
        """Yield the channels that all have and that are good for too few listeners, where those are all there."""
        if not self._seen or self._layout.problems:
            return
        held = [{place_of(name) for name in seen.channels} for seen in self._seen]
        common = [name for name in self._seen[0].channels if all(place_of(name) in each for each in held)]
        names = [name for name in common if not is_eog(name)]
        counts = [np.stack([each[place_of(n)] for n in names], axis=1) for each in self._good.values() if names]
        yield from (NOTE + line for line in told_poor(_less(poor_channels(names, counts), self._seen)))

    def _same_data(self) -> Iterator[str]:
        """Yield who has whose recording: to the last bit, or by what its signal is, or as alike as one person's."""
        first: dict[str, _Seen] = {}
        told = set[tuple[str, str]]()
        for seen in self._seen:
            other = first.setdefault(seen.samples.sha256, seen)
            if other is seen:
                continue
            told.add((other.listener, seen.listener))
            if other.path.resolve() != seen.path.resolve():
                yield (
                    f"{seen.label}: the samples of {seen.path.name} are those of {other.path.name} of {other.label}; "
                    "expected a recording of each listener's own: correct one of them"
                )
        for pair in self._people.alike():
            if (pair.first, pair.second) not in told:
                yield str(pair) if pair.same else f"{NOTE}{pair}"

    def _rates(self) -> Iterator[str]:
        rates: dict[float, list[str]] = {}
        for seen in self._seen:
            rates.setdefault(seen.rate, []).append(seen.label)
        if len(rates) > 1:
            each = "; ".join(f"{rate:g} Hz: {', '.join(labels)}" for rate, labels in rates.items())
            common = self._settings.signal.rate_hz
            yield f"{NOTE}recordings come at different rates ({each}); all are brought to {common} Hz"


def _less(poor: Mapping[str, float], seen: Sequence[_Seen]) -> dict[str, float]:
    """Return the ``poor`` channels but for those that are no EEG, of which that is told."""
    foreign = {name for each in seen for name, _ in each.samples.foreign}
    return {name: share for name, share in poor.items() if name not in foreign}


def _sample_problems(label: str, recording: Recording, samples: Samples) -> Iterator[str]:
    missing = [name for name in samples.missing if name not in recording.bad]
    if missing:
        yield f"{label}: {_are(missing)} missing in every second of the sounds; {_DEAD_REMEDY}"
    if samples.flat:
        yield f"{label}: {_are(samples.flat)} flat in every second of the sounds; {_DEAD_REMEDY}"
    for name, words in samples.foreign:
        yield f"{NOTE}{label}: {name} {words}: it is no EEG, and left out for everybody"
    if samples.doubt:
        yield f"{label}: {samples.doubt}: check the unit, and name the right one with listener.unit in study.toml"
    if recording.bad:
        yield f"{NOTE}{label}: {_are(recording.bad)} marked as bad and taken as missing"


def _are(names: tuple[str, ...] | list[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _montage_problems(montages: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield what is wrong with recordings of these channels: that they share none, or which some of them lack.

    Channels are the same where they mean the same place; those of the eyes do not count.
    """
    if not montages:
        return
    try:
        common_rows(montages, None)
    except MontageError as error:
        yield str(error)
        return
    names = {place_of(n): n for channels in montages.values() for n in channels if not is_eog(n)}
    lacking: dict[tuple[str, ...], list[str]] = {}
    for who, channels in montages.items():
        held = {place_of(n) for n in channels}
        if missing := tuple(name for place, name in names.items() if place not in held):
            lacking.setdefault(missing, []).append(who)
    for absent, owners in lacking.items():
        yield (
            f"{', '.join(owners)}: no channel {', '.join(absent)}, which others have; rows are only the channels that "
            "all have: add them, or name them alike with listener.channels in study.toml"
        )


def too_short(seconds: Mapping[str, int], settings: Settings) -> Iterator[str]:
    """Yield what keeps sounds of these lengths (s) from being cut into folds, also when one of two is left out."""
    try:
        refuse_short(seconds, settings)
    except SettingsError as error:
        yield str(error)
