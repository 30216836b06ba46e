"""Reads affect from people's EEG and from the sound that they hear, once a step."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from rtaffect.affect.band_entropy import BandEntropy
from rtaffect.affect.baseline import RestBaseline
from rtaffect.affect.bundle import AffectManifest
from rtaffect.affect.fusion import EEG, SOUND, Heads, estimate_of, fused
from rtaffect.affect.lasting import Lasting
from rtaffect.affect.library import SoundLibrary
from rtaffect.affect.loaded import LoadedAffect
from rtaffect.affect.values import AffectEstimate, AffectValues
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import MontageError, SettingsError, under
from rtaffect.common.montage import columns_for
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.observed.participant import Participant
from rtaffect.predicted.sound_input import HeardSecond
from rtaffect.stream.source import Source, StreamInfo

#: What is put behind a headset's name to name its second path, in doubts about what had arrived.
PATH: Final = "/affect"


class Relied(NamedTuple):
    """What may be relied on at a step, of P people.

    Attributes
    ----------
    missing : (P,) bool
        Whose newest second is not to be used.
    withheld : (P,) bool
        Who has no value.
    foreign : (P, W) bool
        Seconds of the window, oldest first, that turned out to be in doubt after they had been used.
    people : tuple of str, length P
        Why somebody has no value, in words.
    sound : str
        Why nothing is told of the sound, in words; empty where something may be.
    """

    missing: BoolArray
    withheld: BoolArray
    foreign: BoolArray
    people: tuple[str, ...]
    sound: str


class Described(NamedTuple):
    """What is known of affect before the first value: whose it is, and how far back it reaches, s."""

    people: tuple[str, ...]
    reach_s: int
    library: int


class AffectReader:
    """Holds what a bundle of affect needs between steps: second paths of the EEG, rests, sequences, newest sound.

    Parameters
    ----------
    model
        The bundle.
    people
        Headsets.
    origin
        LSL time of the session's zero, s.
    library
        Sounds of which the nearest are named.
    rest_s
        The session's first so many seconds are rest; None where a protocol says when that is (:attr:`resting`).

    Raises
    ------
    MontageError, SettingsError
        If a headset lacks channels, or is too slow for the bundle's bands.

    Attributes
    ----------
    resting : bool
        Whether people rest in the next second: told by who leads the session.
    """

    def __init__(
        self,
        model: LoadedAffect,
        people: Sequence[Source],
        origin: float,
        *,
        library: SoundLibrary | None = None,
        rest_s: int | None = None,
    ) -> None:
        self.model, self.library, self._rest_s = model, library, rest_s
        manifest = model.bundle.manifest
        self.settings, self.channels = manifest.settings, manifest.channels
        check_headsets(model, people)
        self._names = tuple(person.info.name for person in people)
        self._sources, self._origin = tuple(people), origin
        self.paths: list[Participant] = []
        self._shared: Sequence[Participant] | None = None
        self._people = [_Person(model, rest_s) for _ in people]
        self._sound = model.embedder.stream()
        self._newest = self._early = 0
        self.resting = False

    def share(self, participants: Sequence[Participant], settings: Settings, channels: Sequence[str]) -> None:
        """Take the EEG from paths that are there where they are the very same; else make second ones."""
        own = self.settings
        same = (settings.signal, settings.quality, tuple(channels)) == (own.signal, own.quality, self.channels)
        if same:
            self._shared = participants
            return
        self.paths = [Participant(each, self.channels, own.analysis, self._origin) for each in self._sources]
        for path in self.paths:
            path.name = f"{path.name}{PATH}"

    @property
    def described(self) -> Described:
        """What is known before the first value."""
        settle = math.ceil(BandEntropy(self.settings, 1).settle_s)
        reach = max(self.settings.sequence_s + settle, int(self.settings.sound_s))
        return Described(self._names, reach, len(self.library.names) if self.library is not None else 0)

    @property
    def lookahead_s(self) -> float:
        """How much later than a step the samples must reach, s."""
        return max((path.lookahead_s for path in self.paths), default=0.0)

    @property
    def sound_s(self) -> float:
        """How much sound a value rests on, s."""
        return self.settings.sound_s

    def prepare(self, step: int) -> None:
        """Take in what has come so far of seconds 1 to ``step``."""
        for path in self.paths:
            path.prepare(step)

    def advance(self, step: int, before: Mapping[str, float]) -> None:
        """Take in all samples of seconds 1 to ``step``, of each path up to ``before`` (s, LSL clock) if that says."""
        for path in self.paths:
            path.advance(step, before.get(path.name, math.inf))

    def hear_early(self, second: HeardSecond) -> None:
        """Take in a second of sound before the step at which it is heard, if it follows on those so far."""
        if second.sound is not None and second.number == self._newest + 1:
            self._sound.push(second.sound)
            self._early = second.number

    def hear(self, heard: Sequence[HeardSecond], *, left_out: bool = False) -> None:
        """Take in the seconds of sound that were heard at a step; what is missing, or ``left_out``, begins anew."""
        for number, sound in heard:
            if sound is None or left_out or number != self._newest + 1:
                self._sound.reset()
            if sound is not None and not left_out and number != self._early:
                self._sound.push(sound)
            self._newest = number

    def step(self, step: int, relied: Relied) -> tuple[AffectValues, ...]:
        """Return everybody's affect at ``step``, whose EEG and sound were taken in."""
        resting = self.resting if self._rest_s is None else step <= self._rest_s
        heads, sound = self._of_sound(step, relied.sound)
        paths = self.paths if self._shared is None else self._shared
        found = []
        for number, (person, path) in enumerate(zip(self._people, paths, strict=True)):
            second = path.window(step, STEP_S)
            if relied.missing[number]:
                second = np.full_like(second, np.nan)
            person.take(step, second, relied.foreign[number], resting=resting)
            why = relied.people[number] if relied.withheld[number] else ""
            found.append(self._values(number, person, why, heads, sound))
        return tuple(found)

    def baselines(self, step: int, window_s: int) -> dict[str, FloatArray]:
        """Return the rests (C, F), nats, that nothing can change any more at ``step``, by person."""
        done = {}
        for name, person in zip(self._names, self._people, strict=True):
            rest = person.rest
            if rest is not None and rest.fixed and rest.closed_at is not None and step > rest.closed_at + window_s:
                done[name] = rest.mean()
        return done

    def _of_sound(self, step: int, why: str) -> tuple[Heads | None, AffectEstimate]:
        if why:
            return None, AffectEstimate(reason=why)
        if self._newest != step or not self._sound.ready:
            return None, AffectEstimate(reason=f"{self.settings.sound_s:g} s of sound without a gap are needed")
        heads, _ = self.model.heads_of_sound(self._sound.embedding())
        return heads, estimate_of(heads, self.model.bundle.tensors, SOUND)

    def _values(
        self, number: int, person: _Person, why: str, heard: Heads | None, sound: AffectEstimate
    ) -> AffectValues:
        tensors = self.model.bundle.tensors
        heads, shared, eeg = None, None, AffectEstimate(reason=why or person.trouble)
        if not eeg.reason:
            heads, shared = self.model.heads_of_eeg(*person.sequence())
            eeg = person.judged(estimate_of(heads, tensors, EEG), heads, tensors.eeg_lasting)
        if eeg.there and sound.there and heads is not None and heard is not None:
            both = replace(fused(heads, heard, tensors), novelty=max(eeg.novelty, sound.novelty))
        else:
            both = AffectEstimate(reason="; ".join(dict.fromkeys(filter(None, (eeg.reason, sound.reason)))))
        near = self.library.nearest(shared) if self.library is not None and shared is not None and eeg.there else ()
        rest = person.rest
        measured = (math.nan, math.nan) if rest is None else (float(rest.measured_s), float(rest.wanted_s))
        return AffectValues(self._names[number], eeg, sound, both, near, *measured)


class _Person:
    """One person's features, rest and newest sequence."""

    def __init__(self, model: LoadedAffect, rest_s: int | None) -> None:
        settings, channels = model.bundle.manifest.settings, len(model.bundle.manifest.channels)
        self._entropy = BandEntropy(settings, channels)
        self._settle = math.ceil(self._entropy.settle_s / STEP_S)
        self._least = settings.min_good
        shape = channels, len(settings.bands)
        nothing = np.full(shape, np.nan), np.zeros(channels, np.bool_)
        self._newest = deque([nothing] * settings.sequence_s, settings.sequence_s)
        self._step, self._unlike = 0, Lasting()
        wanted = settings.baseline_s if rest_s is None else rest_s
        self.rest = RestBaseline(wanted, settings.baseline_least) if settings.baseline == "rest" else None

    def take(self, step: int, second: FloatArray, foreign: BoolArray, *, resting: bool) -> None:
        """Take in second ``step`` (n, C), V; ``foreign`` (W,) are seconds up to it that are in doubt after all."""
        features, mask = self._entropy(second)
        self._newest.append((features, mask))
        self._step = step
        if self.rest is not None:
            self.rest.take(step, features, mask, resting=resting)
        for at in np.flatnonzero(foreign).tolist():
            first = step - len(foreign) + 1 + at
            # The filters carried it on into the next ones.
            for spoilt in range(first, min(first + self._settle, step) + 1):
                self._forget(spoilt, step)

    def _forget(self, spoilt: int, step: int) -> None:
        if self.rest is not None:
            self.rest.forget(spoilt)
        self._unlike.forget(spoilt, len(self._newest))
        place = len(self._newest) - 1 - (step - spoilt)
        if place >= 0:
            features, mask = self._newest[place]
            self._newest[place] = np.full_like(features, np.nan), np.zeros_like(mask)

    def judged(self, estimate: AffectEstimate, heads: Heads, limits: FloatArray) -> AffectEstimate:
        """Return the estimate of this step; none where the person has been unlike the training set for a while."""
        return self._unlike(self._step, estimate, heads.distances, limits)

    def sequence(self) -> tuple[FloatArray, BoolArray]:
        """Return the newest features (T, C, F), nats, less the rest, NaN where masked, and the mask (T, C)."""
        features, mask = (np.stack(part) for part in zip(*self._newest, strict=True))
        if self.rest is not None:
            features = features - self.rest.mean()
            mask = mask & np.isfinite(features).all(axis=2)
        return features, mask

    @property
    def trouble(self) -> str:
        """Why there is nothing to read now, in words; empty where there is something."""
        if self.rest is not None and (why := self.rest.trouble):
            return why
        _, mask = self.sequence()
        return "" if mask.any() and mask.mean() >= self._least else "too little good EEG in the newest seconds"


def check_headsets(model: LoadedAffect, people: Sequence[Source]) -> None:
    """Refuse headsets from which the bundle cannot read.

    Raises
    ------
    MontageError
        If one lacks channels.
    SettingsError
        If one is too slow for the bands.
    """
    for person in people:
        check_headset(model.bundle.manifest, person.info)


def check_headset(manifest: AffectManifest, info: StreamInfo) -> None:
    """Refuse a headset from which a bundle of affect cannot read; raises as :func:`check_headsets`."""
    signal, highest = manifest.settings.signal, manifest.settings.bands[-1]
    columns = columns_for(manifest.channels, info.channels, info.name, partial=True)
    if missing := [name for name, at in zip(manifest.channels, columns, strict=True) if at < 0]:
        raise MontageError(
            f"headset {info.name!r} has no channel {', '.join(missing)}, and the bundle of affect {manifest.name} "
            f"reads {', '.join(manifest.channels)}; the headset has {', '.join(info.channels)}: use another "
            f"headset or bundle, or name the channels {under('channels')}"
        )
    if signal.lowpass_hz >= info.rate / 2:
        raise SettingsError(
            f"headset {info.name!r} sends {info.rate:g} Hz, too slow for {highest.name} ({highest.low_hz:g} to "
            f"{highest.high_hz:g} Hz) of the bundle of affect {manifest.name}",
            f"more than {2 * signal.lowpass_hz:g} Hz",
            "use a faster device, or a bundle that was trained without that band",
        )
