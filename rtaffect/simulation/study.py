"""A synthetic study: composed sounds, the cohort that hears them, and the folder that holds both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import Field

from rtaffect.common.settings import Frozen
from rtaffect.predicted.feature_cache import cached_features_of_each
from rtaffect.predicted.featurizer import Featurizer, Progress
from rtaffect.predicted.separator import Elements
from rtaffect.record.xdf import WholeStream, write_xdf
from rtaffect.simulation.cohort import Cohort, CohortSettings, Drive, with_mean_of
from rtaffect.simulation.elements import (
    ElementSettings,
    PlantedElements,
    at_electrodes,
    levels_of,
    plant,
    speech_over_music,
)
from rtaffect.simulation.head import SimulatedHead, sphere_head
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.audio import SAMPLE_RATE, StudySound
from rtaffect.stream.source import StreamHeader, StreamInfo

#: EEG before and after each sound, s: the filters settle in it and no window reaches into the next sound.
REST_S = 15.0
_FIRST_SOUND_SEED = 101
#: LSL time at which a written recording starts, s.
_RECORDING_START = 1000.0


#: No synthetic study is larger: people, sounds, and s of each.
MOST_LISTENERS, MOST_SOUNDS, MOST_SOUND_S = 500, 200, 7200.0


class StudySettings(Frozen):
    """The size of a study. The last sound, ``spare_s`` long, is heard by all but weights are never fitted on it.

    With ``elements`` the sounds are speech over music, and each of both drives patches of its own.
    """

    listeners: int = Field(12, ge=3, le=MOST_LISTENERS)
    sounds: int = Field(6, ge=1, le=MOST_SOUNDS)
    sound_s: float = Field(120.0, ge=30, le=MOST_SOUND_S)
    spare_s: float = Field(180.0, ge=30, le=MOST_SOUND_S)
    cohort: CohortSettings = CohortSettings()
    elements: ElementSettings | None = None


#: Small enough to be simulated, or calibrated, in well under half a minute on two cores.
QUICK = StudySettings(listeners=8, sounds=4, sound_s=75.0, spare_s=60.0)


def compose_sounds(settings: StudySettings) -> tuple[StudySound, ...]:
    """Return the study's sounds, the spare one last."""
    speech = speech_from_wheel()
    return tuple(
        StudySound(
            name=f"soundtrack-{i + 1:02d}",
            samples=_as_stored(compose(_FIRST_SOUND_SEED + i, seconds, speech=speech)),
            fit=i < settings.sounds,
        )
        for i, seconds in enumerate(_lengths(settings))
    )


def compose_elements(settings: StudySettings, asked: ElementSettings) -> dict[str, Elements]:
    """Return the elements of the study's sounds by name, the spare one last, whose voice is at the mean level."""
    speech = speech_from_wheel()
    levels = [*levels_of(asked, settings.sounds, settings.cohort.seed), (-1) ** asked.reverse * asked.level_db]
    return {
        f"soundtrack-{i + 1:02d}": speech_over_music(_FIRST_SOUND_SEED + i, seconds, float(level), speech)
        for i, (seconds, level) in enumerate(zip(_lengths(settings), levels, strict=True))
    }


def _lengths(settings: StudySettings) -> list[float]:
    return [settings.sound_s] * settings.sounds + [settings.spare_s]


class SyntheticStudy:
    """A study whose truth is known.

    Parameters
    ----------
    settings
        Its size and planted truth.
    featurizer
        Its features of the sounds drive the synchrony.
    progress
        Told what is being done.
    head
        Electrodes and patches of cortex; default: the sphere head with 24 electrodes and ten patches. Of another, the
        written truth has the patches, too.

    Attributes
    ----------
    features
        By the sound's name, what drives synchrony in it, (steps, F).
    planted
        What is known of elements; None where none were asked for.
    """

    synthetic = True

    def __init__(
        self, settings: StudySettings, featurizer: Featurizer, progress: Progress, head: SimulatedHead | None = None
    ) -> None:
        self.settings = settings
        self._with_patches = head is not None
        head = head or sphere_head()
        self.name = f"synthetic cohort of {settings.listeners}"
        self.listeners = tuple(f"listener-{i + 1:02d}" for i in range(settings.listeners))
        progress(f"composing {settings.sounds + 1} soundtracks")
        self.planted = None if settings.elements is None else self._plant(settings.elements, featurizer, progress, head)
        if self.planted is None:
            self._sounds = compose_sounds(settings)
            by_name = {sound.name: sound.samples for sound in self._sounds}
            self.features = cached_features_of_each(by_name, featurizer, progress)
            fitted = np.concatenate([self.features[s.name] for s in self._sounds if s.fit])
            drive = Drive.plant(fitted, settings.cohort, patches=len(head.patches))
        else:
            self._sounds = tuple(
                StudySound(name, part.mix, fit=number < settings.sounds)
                for number, (name, part) in enumerate(self.planted.parts.items())
            )
            self.features, drive = self.planted.features, self.planted.drive
        self.cohort = Cohort(settings.cohort, drive, head)

    def _plant(
        self, asked: ElementSettings, featurizer: Featurizer, progress: Progress, head: SimulatedHead
    ) -> PlantedElements:
        parts = compose_elements(self.settings, asked)
        each = {
            f"the {element} of {name}": getattr(part, element)
            for name, part in parts.items()
            for element in ("voice", "background")
        }
        found = cached_features_of_each(each, featurizer, progress)
        features = {name: (found[f"the voice of {name}"], found[f"the background of {name}"]) for name in parts}
        return plant(parts, features, list(parts)[:-1], head.patches, asked, self.settings.cohort)

    def sounds(self) -> tuple[StudySound, ...]:
        """Return the sounds that the listeners heard; the last is not to be fitted on."""
        return self._sounds

    def channels(self) -> tuple[str, ...]:
        """Return the channels that every listener has."""
        return self.cohort.head.channels

    def hears(self, listener: str, sound: StudySound) -> bool:
        """Return whether a listener heard the sound: all did."""
        return True

    def eeg(self, listener: str, sound: StudySound) -> tuple[ArraySource, float]:
        """Return a fresh source of a listener's EEG, and the LSL time at which they began to hear the sound (s)."""
        samples = self.listen(self.listeners.index(listener), sound)
        info = StreamInfo(listener, "eeg", self.settings.cohort.rate_hz, self.channels(), "simulated", listener)
        return ArraySource(info, samples, onset=_RECORDING_START), _RECORDING_START + REST_S

    def listen(self, listener: int, sound: StudySound, before_s: float = REST_S) -> NDArray[np.float64]:
        """Return the EEG (n, channels) V of any listener, by number.

        From ``before_s`` before the sound to a second after.
        """
        return self.cohort.listen(sound.sha256, self.features[sound.name], listener, before_s, after_s=1.0)

    def rest(self, listener: int, seconds: float) -> NDArray[np.float64]:
        """Return the EEG (n, channels) V of any listener, by number, who hears nothing."""
        features = next(iter(self.features.values()))[:1]
        samples = self.cohort.listen(f"{round(1000 * seconds):064x}", features, listener, before_s=seconds)
        return samples[: round(seconds * self.settings.cohort.rate_hz)]

    def write(self, folder: Path, progress: Progress) -> None:
        """Write sounds, one XDF recording per listener, the planted truth and ``study.toml`` into ``folder``."""
        for part in ("sounds", "eeg"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for sound in self._sounds:
            write_sound(folder / "sounds" / f"{sound.name}.wav", sound)
        if self.planted is not None:
            self._write_elements(folder, self.planted)
        onsets = {}
        for number, listener in enumerate(self.listeners):
            progress(f"EEG of {listener}")
            onsets[listener] = self._write_listener(folder / "eeg" / f"{listener}.xdf", number)
        self._write_truth(folder / "truth.tsv")
        (folder / "study.toml").write_text(self._manifest(onsets), encoding="utf-8")

    def _write_listener(self, path: Path, number: int) -> dict[str, float]:
        """Write one recording, the sounds one after the other, and return when each began (LSL time, s)."""
        rate = self.settings.cohort.rate_hz
        pieces = [self.listen(number, sound) for sound in self._sounds]
        starts = np.cumsum([0, *(len(p) for p in pieces)])[:-1] / rate
        onsets = {s.name: _RECORDING_START + float(t) + REST_S for s, t in zip(self._sounds, starts, strict=True)}
        samples = np.concatenate(pieces) * 1e6
        stamps = _RECORDING_START + np.arange(len(samples)) / rate
        name = self.listeners[number]
        header = StreamHeader(name, "EEG", rate, "float32", self.channels(), source_id=f"rtaffect-{name}")
        eeg = WholeStream(header.uniform("microvolts"), samples, stamps)
        marked = StreamHeader("stimuli", "Markers", 0.0, "string", ("marker",), source_id="stimuli")
        write_xdf(path, [eeg, WholeStream(marked, list(onsets), list(onsets.values()))])
        return onsets

    def _write_elements(self, folder: Path, planted: PlantedElements) -> None:
        """Write the elements as sounds, the voice's share of each sound's energy, and what each element moves."""
        (folder / "elements").mkdir(exist_ok=True)
        lines = ["sound\tvoice_share"]
        for name, part in planted.parts.items():
            lines.append(f"{name}\t{planted.share[name]:.5f}")
            for element in ("voice", "background"):
                _write_samples(folder / "elements" / f"{name}-{element}.wav", getattr(part, element))
        (folder / "truth_energy.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        head = self.cohort.head
        weights = np.concatenate([at_electrodes(planted.weights, head.leadfield), planted.weights], axis=1)
        lines = ["name\tkind\tvoice\tbackground"]
        kinds = [*(("channel", name) for name in head.channels), *(("patch", name) for name in head.patches)]
        for (kind, name), (voice, background) in zip(kinds, weights.T, strict=True):
            lines.append(f"{name}\t{kind}\t{voice:.5f}\t{background:.5f}")
        (folder / "truth_elements.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

    def _write_truth(self, path: Path) -> None:
        """Write the expected leave-one-out synchrony of each sound, step and channel (and patch)."""
        window, others = 10, self.settings.listeners - 1
        patches = self.cohort.head.patches if self._with_patches else ()
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write("\t".join(("sound", "time", *self.channels(), *patches)) + "\n")
            for sound in self._sounds:
                truth = self.cohort.truth, *([self.cohort.patch_truth] if patches else [])
                pairwise = np.concatenate([of(sound.sha256, self.features[sound.name]) for of in truth], axis=1)
                for step, values in enumerate(with_mean_of(pairwise, others, window), start=1):
                    cells = ("n/a" if np.isnan(v) else f"{v:.5f}" for v in values)
                    file.write("\t".join((sound.name, str(step), *cells)) + "\n")

    def _manifest(self, onsets: dict[str, dict[str, float]]) -> str:
        lines = [f"name = {json.dumps(self.name)}", "synthetic = true", ""]
        for sound in self._sounds:
            lines += ["[[sound]]", f"name = {json.dumps(sound.name)}"]
            lines += [f'file = "sounds/{sound.name}.wav"', f"fit = {str(sound.fit).lower()}", ""]
        for listener in self.listeners:
            lines += ["[[listener]]", f"name = {json.dumps(listener)}", f'file = "eeg/{listener}.xdf"']
            lines += ["[listener.onset]"]
            lines += [f"{json.dumps(name)} = {time!r}" for name, time in onsets[listener].items()] + [""]
        return "\n".join(lines)


def write_sound(path: Path, sound: StudySound) -> None:
    """Write a sound of the study as a 16-bit file."""
    _write_samples(path, sound.samples)


def _write_samples(path: Path, samples: NDArray[np.float32]) -> None:
    soundfile.write(path, np.round(samples * 32768).astype(np.int16), SAMPLE_RATE)


def _as_stored(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the samples as a 16-bit file gives them back, so that a sound is the same in memory and on disk."""
    return (np.round(sound * 32767) / 32768).astype(np.float32)
