"""Sounds whose parts are known, speech over composed music, and which part drives the synchrony of which patch.

A narrator reads phrases in an order of their own for each sound, with pauses, over music without a voice. How far the
voice lies above the background differs from sound to sound, and what an element drives follows its share of the sound's
energy, as Pan et al. (2025) find in brains. So it is known which patch belongs to which element, and which sounds
lean to the voice; with energies reversed each sound leans as far to the other side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import uniform_filter1d

from rtaffect.common.arrays import FloatArray
from rtaffect.common.regions import GROUPS
from rtaffect.common.settings import Frozen
from rtaffect.predicted.elements import voice_share
from rtaffect.predicted.separator import Elements
from rtaffect.simulation.cohort import CohortSettings, Drive
from rtaffect.simulation.sounds import PEAK, compose
from rtaffect.stream.audio import SAMPLE_RATE

#: A pause between phrases: so much of speech (s) at less than this share of its level.
_PAUSE_S: Final = 0.15
_QUIET: Final = 0.1
#: A phrase is this long at least, s.
_PHRASE_S: Final = 0.8
#: The narrator reads for so long, at such levels (dB), and is silent for so long, s; between phrases for so long.
_PASSAGE_S: Final = (6.0, 20.0)
_PASSAGE_DB: Final = (-9.0, 0.0)
_REST_S: Final = (1.0, 5.0)
_BREATH_S: Final = (0.15, 0.7)
_RAMP: Final = 160
#: Numbers a narrator's seed apart from a composer's.
_NARRATOR: Final = 7


class ElementSettings(Frozen):
    """What is planted of elements.

    ``level_db`` is how far the voice lies above the background on average over sounds, and sounds differ evenly by up
    to ``spread_db`` more or less. ``reverse`` exchanges the energies: each sound's background lies above its voice by
    what the voice lay above. ``voice`` and ``background`` name the patches that each drives, by the name without its
    side, or a group of brain regions; one of both follows both, one of neither follows none.
    ``voice_strength`` and ``background_strength`` are the standard deviation of what each moves, in those that the
    cohort's ``depth`` is of, at half of the energy.
    """

    level_db: float = Field(4.0, ge=-40, le=40)
    spread_db: float = Field(8.0, ge=0, le=40)
    reverse: bool = False
    voice: tuple[str, ...] = ("prefrontal", "temporal")
    background: tuple[str, ...] = ("limbic", "parietal", "occipital")
    voice_strength: float = Field(1.0, ge=0, le=10)
    background_strength: float = Field(1.0, ge=0, le=10)


@dataclass(frozen=True, slots=True, eq=False)
class PlantedElements:
    """What drives a cohort that hears elements.

    Attributes
    ----------
    parts
        By the sound's name, its elements.
    weights
        (2, patches): how strongly voice and background move each patch, of unit length where one does.
    share
        By the sound's name, the voice's share of its energy.
    features
        By the sound's name (steps, 2 F): features of voice and background, less and more about their mean the less and
        more of the energy is theirs.
    drive
        Of the cohort, for such features.
    """

    parts: dict[str, Elements]
    weights: FloatArray
    share: dict[str, float]
    features: dict[str, FloatArray]
    drive: Drive


def levels_of(settings: ElementSettings, sounds: int, seed: int) -> FloatArray:
    """Return how far the voice lies above the background in each of so many sounds, dB, in an order drawn by seed."""
    levels = settings.level_db + settings.spread_db * np.linspace(-1, 1, sounds) * (sounds > 1)
    shuffled = np.random.default_rng([seed, 6]).permutation(levels)
    return -shuffled if settings.reverse else shuffled


def speech_over_music(seed: int, seconds: float, level_db: float, speech: NDArray[np.float32]) -> Elements:
    """Return a sound of a narrator's voice ``level_db`` above music, float32 on the 16-bit grid, their sum exact.

    Parameters
    ----------
    seed
        Another seed, other music, and phrases in another order.
    seconds
        Length, s.
    level_db
        Of the voice above the background over the whole sound, dB.
    speech
        float32 (m,), mono at 16 kHz, of which phrases are taken.
    """
    background = compose(seed, seconds).astype(np.float64)
    voice = narration(np.random.default_rng([seed, _NARRATOR]), len(background), speech)
    background *= 10 ** (-level_db / 20) * np.sqrt((voice @ voice) / (background @ background))
    gain = PEAK / max(1e-9, *(float(np.abs(part).max()) for part in (voice, background, voice + background)))
    voice, background = (np.rint(gain * part * 32767) / 32768 for part in (voice, background))
    return Elements(*(part.astype(np.float32) for part in (voice + background, voice, background)))


def narration(rng: np.random.Generator, count: int, speech: NDArray[np.float32]) -> FloatArray:
    """Return ``count`` samples at 16 kHz of phrases of ``speech``, shuffled, in passages with silences between."""
    phrases, order = phrases_of(speech), np.empty(0, np.intp)
    out, at, until, gain = np.zeros(count), round(rng.uniform(0, 1) * SAMPLE_RATE), 0, 1.0
    begin = at
    while at < count:
        if at >= until:
            at = at if at == begin else at + round(rng.uniform(*_REST_S) * SAMPLE_RATE)
            until = at + round(rng.uniform(*_PASSAGE_S) * SAMPLE_RATE)
            gain = 10 ** (rng.uniform(*_PASSAGE_DB) / 20)
        if not len(order):
            order = rng.permutation(len(phrases))
        phrase, order = phrases[order[0]], order[1:]
        taken = phrase[: max(0, count - at)]
        out[at : at + len(taken)] = gain * taken
        at += len(phrase) + round(rng.uniform(*_BREATH_S) * SAMPLE_RATE)
    return out


def phrases_of(speech: NDArray[np.float32]) -> list[FloatArray]:
    """Return the phrases of ``speech`` (n,), mono at 16 kHz, cut in the middle of its pauses, ramped at both ends."""
    level = np.sqrt(uniform_filter1d(np.square(speech, dtype=np.float64), round(0.02 * SAMPLE_RATE)).clip(0))
    quiet = level < _QUIET * np.sqrt(np.mean(level**2))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    pauses = [(a + b) // 2 for a, b in edges.reshape(-1, 2) if b - a >= _PAUSE_S * SAMPLE_RATE]
    cuts, least = [0], round(_PHRASE_S * SAMPLE_RATE)
    for place in pauses:
        if place - cuts[-1] >= least and len(speech) - place >= least:
            cuts.append(int(place))
    ramp = np.minimum(1.0, np.arange(1, _RAMP + 1) / _RAMP)
    found = []
    for a, b in zip(cuts, [*cuts[1:], len(speech)], strict=True):
        phrase = speech[a:b].astype(np.float64)
        phrase[:_RAMP] *= ramp[: len(phrase)]
        phrase[-_RAMP:] *= ramp[::-1][-len(phrase) :]
        found.append(phrase)
    return found


def weights_of(patches: Sequence[str], settings: ElementSettings) -> FloatArray:
    """Return how strongly voice and background move each patch, (2, patches)."""
    names = [patch.rsplit("-", 1)[0] for patch in patches]
    owners = _members(settings.voice), _members(settings.background)
    owned = np.array([[name in own for name in names] for own in owners], np.float64)
    owned /= np.maximum(1.0, np.sqrt(owned.sum(axis=0)))
    return np.asarray(owned * np.array([[settings.voice_strength], [settings.background_strength]]))


def _members(names: Sequence[str]) -> set[str]:
    return {label for name in names for label in (name, *GROUPS.get(name, ()))}


def plant(  # noqa: PLR0917 - what is heard, who hears it, and how
    parts: dict[str, Elements],
    features: Mapping[str, tuple[FloatArray, FloatArray]],
    fitted: Sequence[str],
    patches: Sequence[str],
    settings: ElementSettings,
    cohort: CohortSettings,
) -> PlantedElements:
    """Return what drives each patch.

    Parameters
    ----------
    parts, features
        By the sound's name, its elements, and the features (steps, F) of voice and background.
    fitted
        Names of the sounds whose features say what is usual.
    patches
        Names of the patches.
    settings, cohort
        What is planted.
    """
    weights = weights_of(patches, settings)
    drives = [
        Drive.plant(
            np.concatenate([features[name][place] for name in fitted]),
            cohort.model_copy(update={"seed": cohort.seed + place}),
            len(patches),
        )
        for place in range(2)
    ]
    share = {name: voice_share(part.voice, part.background) for name, part in parts.items()}
    driving = {}
    for name, both in features.items():
        # An element with half of the energy moves synchrony as it is planted.
        gains = np.sqrt(2.0 * np.array([share[name], 1.0 - share[name]]))
        driving[name] = np.concatenate(
            [d.mean + gain * (f - d.mean) for d, gain, f in zip(drives, gains, both, strict=True)], axis=1
        )
    joined = Drive(
        np.concatenate([d.mean for d in drives]),
        np.concatenate([d.scale for d in drives]),
        np.concatenate([d.projection * w for d, w in zip(drives, weights, strict=True)]),
    )
    return PlantedElements(parts, weights, share, driving, joined)


def at_electrodes(weights: FloatArray, leadfield: FloatArray) -> FloatArray:
    """Return the weights (2, channels) of elements at electrodes: those of the patches by the power that they give."""
    power = leadfield**2
    return np.asarray(weights @ (power / power.sum(axis=1, keepdims=True)).T)
