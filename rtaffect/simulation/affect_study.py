"""A study of affect whose truth is known: music, people whose EEG tells what they feel, and their ratings.

Every stimulus has a valence and an arousal, a course around a place on the plane. The music is composed by it; people
feel it with tastes of their own, their EEG follows what they feel, and so do their ratings, which are noisy and use the
scale in a way of their own. With ``relation`` below 1 ratings follow something else to that degree: at 0 EEG and music
go together, and ratings with neither.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import Field

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Frozen
from rtaffect.predicted.featurizer import Progress
from rtaffect.record.xdf import WholeStream, write_xdf
from rtaffect.simulation.affect import AffectivePerson, AffectiveSettings
from rtaffect.simulation.affect_music import affective_music
from rtaffect.simulation.cohort import leaky
from rtaffect.simulation.study import write_sound
from rtaffect.stream.audio import StudySound
from rtaffect.stream.source import StreamHeader

#: Lowest, middle and highest rating.
SCALE: Final = (1.0, 5.0, 9.0)
#: No synthetic study is larger: people, stimuli, and s of each.
MOST_PEOPLE, MOST_STIMULI, MOST_SECONDS = 500, 400, 3600
#: Silence between stimuli, s.
_PAUSE_S: Final = 5
#: LSL time at which a recording starts, s.
_START: Final = 1000.0
#: How far a stimulus wanders from its place, with this memory, s; how far what a person feels lies from it; the noise
#: of a rating, and of each second's; all standard deviations on -1 to 1.
_WANDER, _MEMORY_S, _TASTE, _NOISE, _MOMENT = 0.15, 10.0, 0.2, 0.15, 0.1


class AffectStudySettings(Frozen):
    """The size of a study, and its planted truth. ``rated``: one rating of each stimulus, or one of each second."""

    people: int = Field(16, ge=3, le=MOST_PEOPLE)
    stimuli: int = Field(24, ge=4, le=MOST_STIMULI)
    seconds: int = Field(40, ge=8, le=MOST_SECONDS)
    rest_s: int = Field(60, ge=10, le=3600)
    relation: float = Field(1.0, ge=0, le=1)
    rated: Literal["stimulus", "second"] = "stimulus"
    eeg: AffectiveSettings = AffectiveSettings()


#: Small enough to be simulated in some seconds.
QUICK: Final = AffectStudySettings(people=6, stimuli=12, seconds=20)


@dataclass(frozen=True, slots=True, eq=False)
class Stimulus:
    """A stimulus: its name, and valence and arousal (seconds, 2) of what is heard and of what is rated, -1 to 1."""

    name: str
    heard: FloatArray
    rated: FloatArray


def stimuli_of(settings: AffectStudySettings) -> tuple[Stimulus, ...]:
    """Return the stimuli: as many in each quadrant of the plane, as far as they can be, well off its axes."""
    rng = np.random.default_rng([settings.eeg.seed, 22])
    heard, other = (_courses(rng, settings) for _ in range(2))
    # On the arc between what is heard and something else: its spread is the same for any relation.
    rated = settings.relation * heard + np.sqrt(1 - settings.relation**2) * other
    return tuple(
        Stimulus(f"clip-{number:03d}", *(np.clip(each, -1, 1) for each in both))
        for number, both in enumerate(zip(heard, rated, strict=True), 1)
    )


def _courses(rng: np.random.Generator, settings: AffectStudySettings) -> FloatArray:
    """Return a course of valence and arousal for each stimulus, (stimuli, seconds, 2)."""
    count, keep = settings.stimuli, float(np.exp(-1 / _MEMORY_S))
    quadrant = rng.permutation(np.arange(count) % 4)
    places = rng.uniform(0.2, 0.9, (count, 2)) * np.stack([1 - 2 * (quadrant % 2), 1 - 2 * (quadrant // 2)], axis=1)
    noise = leaky(rng.standard_normal((settings.seconds, 2 * count)), keep) * np.sqrt((1 + keep) / (1 - keep))
    wander = noise.reshape(settings.seconds, count, 2).transpose(1, 0, 2)
    # About the place itself: its mean over the clip is the place.
    return np.asarray(places[:, None] + _WANDER * (wander - wander.mean(axis=1, keepdims=True)))


class SyntheticAffectStudy:
    """A study of affect whose truth is known.

    Parameters
    ----------
    settings
        Its size and planted truth.

    Attributes
    ----------
    stimuli : tuple of Stimulus
        What is heard.
    people : tuple of str
        Names.
    """

    def __init__(self, settings: AffectStudySettings) -> None:
        self.settings, self.stimuli = settings, stimuli_of(settings)
        self.people = tuple(f"listener-{number + 1:02d}" for number in range(settings.people))
        self.name = f"synthetic affect of {settings.people}"

    def sound(self, stimulus: Stimulus) -> StudySound:
        """Return the music of a stimulus."""
        number = self.stimuli.index(stimulus)
        samples = affective_music(self.settings.eeg.seed + 1000 * number, *stimulus.heard.T)
        return StudySound(stimulus.name, samples, fit=True)

    def felt(self, person: int, stimulus: Stimulus) -> FloatArray:
        """Return what a person feels at each second of a stimulus, (seconds, 2), -1 to 1."""
        rng = np.random.default_rng([self.settings.eeg.seed, 23, person, self.stimuli.index(stimulus)])
        return np.clip(stimulus.heard + _TASTE * rng.standard_normal(2), -1, 1)

    def ratings(self, person: int, stimulus: Stimulus) -> FloatArray:
        """Return a person's ratings of a stimulus in the scale's unit, (2,) or (seconds, 2)."""
        seed = self.settings.eeg.seed
        style = np.random.default_rng([seed, 24, person])
        level, gain = 0.1 * style.standard_normal(2), 0.85 * np.exp(0.15 * style.standard_normal(2))
        rng = np.random.default_rng([seed, 25, person, self.stimuli.index(stimulus)])
        taste = self.felt(person, stimulus) - stimulus.heard
        about = stimulus.rated + self.settings.relation * taste + _NOISE * rng.standard_normal(2)
        if self.settings.rated == "stimulus":
            about = about.mean(axis=0)
        else:
            about = about + _MOMENT * rng.standard_normal(about.shape)
        low, middle, high = SCALE
        return np.clip(middle + 0.5 * (high - low) * (level + gain * about), low, high)

    def recording(self, person: int) -> tuple[FloatArray, dict[str, float], tuple[str, ...]]:
        """Return a person's EEG (n, channels), V, when each stimulus began (s from its start), and its channels.

        They rest first, and hear the stimuli in an order of their own.
        """
        s = self.settings
        order = np.random.default_rng([s.eeg.seed, 26, person]).permutation(len(self.stimuli))
        felt, onsets, at = [np.zeros((s.rest_s + _PAUSE_S, 2))], dict[str, float](), s.rest_s + _PAUSE_S
        for number in order:
            stimulus = self.stimuli[number]
            onsets[stimulus.name] = float(at)
            felt += [self.felt(person, stimulus), np.zeros((_PAUSE_S, 2))]
            at += s.seconds + _PAUSE_S
        who = AffectivePerson(s.eeg, person)
        return who.eeg(*np.concatenate(felt).T), onsets, who.channels

    def write(self, folder: Path, progress: Progress) -> None:
        """Write sounds, one XDF recording for each person, ratings, the planted truth and ``study.toml``."""
        for part in ("sounds", "eeg", "ratings"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for stimulus in self.stimuli:
            progress(f"composing {stimulus.name}")
            write_sound(folder / "sounds" / f"{stimulus.name}.wav", self.sound(stimulus))
        onsets = {}
        for person, name in enumerate(self.people):
            progress(f"EEG of {name}")
            onsets[name] = self._write_person(folder / "eeg" / f"{name}.xdf", person)
        self._write_ratings(folder / "ratings")
        self._write_truth(folder / "truth.tsv")
        (folder / "study.toml").write_text(self._manifest(onsets), encoding="utf-8")

    def _write_person(self, path: Path, person: int) -> dict[str, float]:
        """Write one recording and return when each stimulus began, LSL time, s."""
        samples, begun, channels = self.recording(person)
        rate, name = self.settings.eeg.rate_hz, self.people[person]
        stamps = _START + np.arange(len(samples)) / rate
        header = StreamHeader(name, "EEG", rate, "float32", channels, source_id=f"rtaffect-{name}")
        onsets = {stimulus: _START + at for stimulus, at in begun.items()}
        marked = StreamHeader("stimuli", "Markers", 0.0, "string", ("marker",), source_id="stimuli")
        eeg = WholeStream(header.uniform("microvolts"), 1e6 * samples, stamps)
        write_xdf(path, [eeg, WholeStream(marked, list(onsets), list(onsets.values()))])
        return onsets

    def _write_ratings(self, folder: Path) -> None:
        if self.settings.rated == "second":
            for stimulus in self.stimuli:
                for person, name in enumerate(self.people):
                    rated = _cells(self.ratings(person, stimulus))
                    _write_table(folder / f"{stimulus.name}_{name}.tsv", [("valence", "arousal"), *rated])
            return
        rows: list[tuple[str, ...]] = [("listener", "sound", "valence", "arousal")]
        for person, name in enumerate(self.people):
            rows += [(name, s.name, *_cells(self.ratings(person, s)[None])[0]) for s in self.stimuli]
        _write_table(folder / "ratings.tsv", rows)

    def _write_truth(self, path: Path) -> None:
        """Write what each person felt at each second of each stimulus, -1 to 1."""
        rows: list[tuple[str, ...]] = [("listener", "sound", "time", "valence", "arousal")]
        for person, name in enumerate(self.people):
            for stimulus in self.stimuli:
                felt = _cells(self.felt(person, stimulus), digits=4)
                rows += [(name, stimulus.name, str(second), *both) for second, both in enumerate(felt, 1)]
        _write_table(path, rows)

    def _manifest(self, onsets: dict[str, dict[str, float]]) -> str:
        lines = [f"name = {json.dumps(self.name)}", "synthetic = true", "", "[affect]"]
        lines += ['ratings = "ratings/ratings.tsv"'] if self.settings.rated == "stimulus" else []
        lines += [f"scale = [{', '.join(f'{value:g}' for value in SCALE)}]", ""]
        for stimulus in self.stimuli:
            name = stimulus.name
            lines += ["[[sound]]", f"name = {json.dumps(name)}", f'file = "sounds/{name}.wav"']
            if self.settings.rated == "second":
                tables = ", ".join(f'"{who}" = "ratings/{name}_{who}.tsv"' for who in self.people)
                lines.append(f"rating = {{ {tables} }}")
            lines.append("")
        for person in self.people:
            lines += ["[[listener]]", f"name = {json.dumps(person)}", f'file = "eeg/{person}.xdf"']
            lines += [f"rest = [[{_START:g}, {_START + self.settings.rest_s:g}]]", "[listener.onset]"]
            lines += [f"{json.dumps(name)} = {time!r}" for name, time in onsets[person].items()] + [""]
        return "\n".join(lines)


def _cells(values: FloatArray, digits: int = 2) -> list[tuple[str, ...]]:
    return [tuple(f"{value:.{digits}f}" for value in row) for row in values]


def _write_table(path: Path, rows: list[tuple[str, ...]]) -> None:
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8", newline="\n")
