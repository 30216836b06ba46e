"""Parts of the sound left out: one layer of the voice and of the background alone, against that of the whole sound.

After the paper: what does the isolated voice tell of synchrony, what the background, and does the bias between them
follow how the sound's energy is distributed? Elements come from a separator (:mod:`rtaffect.predicted.separator`); fit,
folds and chance are those of the whole sound, and elements are compared over stimuli.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from calibration.features import FeatureStore
from calibration.statistics import LayerComparison, compare
from calibration.sweep import Question, SetResult, judge, settings_for
from calibration.validation import fit
from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_z
from rtaffect.common.settings import Settings
from rtaffect.predicted.elements import ELEMENTS, level_db, voice_share
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.predicted.separator import Elements
from rtaffect.stream.audio import StudySound

#: An element this far below its sound, dB, or further is not there.
ABSENT_DB: Final = -40.0
#: With fewer stimuli nothing is said of how the bias goes with energy.
LEAST_STIMULI: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class ElementsFound:
    """What parts of the sound tell of synchrony.

    Attributes
    ----------
    feature_set
        Layer that was taken of each element.
    separator, separator_sha256
        What made the elements.
    results
        By element ('voice', 'background'), scores and chance, as of the whole sound.
    each
        (3, stimuli): held-out r of the mean over rows by stimulus, of mix, voice and background.
    comparison
        The three against each other over stimuli, by their place in ``ELEMENTS``; None for a single stimulus.
    share
        (stimuli,): the voice's share of the energy of voice and background, 0 to 1.
    bias
        (stimuli,): Fisher z of the voice's r less that of the background's.
    rank_r, rank_p
        Spearman's correlation of share and bias over stimuli, and its one-sided p (that bias follows energy) by all or
        random exchanges; NaN for fewer than ``LEAST_STIMULI``.
    notes
        Stimuli in which an element is not there.
    """

    feature_set: str
    separator: str
    separator_sha256: str
    results: Mapping[str, SetResult]
    each: FloatArray
    comparison: LayerComparison | None
    share: FloatArray
    bias: FloatArray
    rank_r: float
    rank_p: float
    notes: tuple[str, ...] = ()


def leave_out(  # noqa: PLR0917 - a question, what is asked of, and how
    mix: SetResult,
    sounds: Sequence[StudySound],
    parts_of: Callable[[StudySound], Elements],
    featurizer: Featurizer,
    separator: tuple[str, str],
    question: Question,
    settings: Settings,
    progress: Callable[[str], None],
    *,
    draws: int,
) -> ElementsFound:
    """Fit voice and background as the whole sound was, and compare the three.

    Parameters
    ----------
    mix
        The whole sound's result of one feature set, of which the elements are taken, too.
    sounds
        Those that are fitted on, in the order of the question's targets.
    parts_of
        Gives a sound's elements.
    featurizer
        That has the feature set.
    separator
        Name and hash of what makes the elements.
    question, settings
        What is predicted (targets as measured), and how.
    progress
        Told what is being done.
    draws
        Of each null.
    """
    question = question.untrended(settings)
    features, share, notes = _parts(sounds, parts_of, featurizer, mix.name, progress)
    results = {}
    for name, courses in features.items():
        progress(f"{mix.name} of the {name}, {draws} draws")
        own = settings_for(mix.name, courses, settings)
        fitted = fit(courses, question.targets, own, question.people, counted=question.counted)
        results[name] = judge(f"{mix.name}/{name}", fitted, question, own, draws, features=courses)
    each = np.stack([result.score.each[:, -1] for result in (mix, *results.values())])
    enough = np.isfinite(each).all(axis=0).sum() > 1
    bias = fisher_z(each[1]) - fisher_z(each[2])
    compared = compare(each, draws=10 * draws - 1) if enough else None
    return ElementsFound(mix.name, *separator, results, each, compared, share, bias, *follows(share, bias), notes)


def _parts(
    sounds: Sequence[StudySound],
    parts_of: Callable[[StudySound], Elements],
    featurizer: Featurizer,
    feature_set: str,
    progress: Callable[[str], None],
) -> tuple[dict[str, list[FloatArray]], FloatArray, tuple[str, ...]]:
    """Return features by element and sound, the voice's share of each sound's energy, and which are not there."""
    store, share, notes = FeatureStore(), [], []
    features: dict[str, list[FloatArray]] = {name: [] for name in ELEMENTS[1:]}
    for sound in sounds:
        progress(f"voice and background of {sound.name}")
        parts = parts_of(sound)
        share.append(voice_share(parts.voice, parts.background))
        for name, found in features.items():
            part = getattr(parts, name)
            if level_db(part) < level_db(parts.mix) + ABSENT_DB:
                notes.append(f"{sound.name}: no {name} is heard in it")
            found.append(np.asarray(store.layers(part, featurizer)[feature_set], np.float64))
    return features, np.array(share), tuple(notes)


def follows(share: FloatArray, bias: FloatArray, draws: int = 9999, seed: int = 0) -> tuple[float, float]:
    """Return Spearman's correlation of two quantities (stimuli,), and its one-sided p by random exchanges.

    NaN for fewer than ``LEAST_STIMULI`` stimuli that have both.
    """
    both = np.isfinite(share) & np.isfinite(bias)
    if both.sum() < LEAST_STIMULI:
        return float("nan"), float("nan")
    x, y = (_standard(rankdata(values[both])) for values in (share, bias))
    if not (x.any() and y.any()):
        return 0.0, 1.0
    true = float(x @ y)
    rng = np.random.default_rng(seed)
    chance: NDArray[np.float64] = np.array([x @ rng.permutation(y) for _ in range(draws)])
    return true, float(1 + (chance >= true - 1e-12).sum()) / (draws + 1)


def _standard(ranks: FloatArray) -> FloatArray:
    centred = ranks - ranks.mean()
    size = float(np.sqrt(centred @ centred))
    return centred / size if size else np.zeros(len(ranks))
