"""Parts of the sound left out: one layer of the voice and of the background alone, against that of the whole sound.

After the paper: what does the isolated voice tell of synchrony, what the background, and does the bias between them
follow how the sound's energy is distributed? Elements come from a separator (:mod:`rtaffect.predicted.separator`);
fit, folds and chance are those of the whole sound, and elements are compared over stimuli. What one tells beyond the
other is found as what features tell beyond covariates (:mod:`calibration.unique`), and both are put into one model
(:mod:`calibration.joint`).

An element that is not heard in a stimulus, by the rule of live sessions (:mod:`rtaffect.predicted.element_levels`) for
the whole of it, has no features of which anything could be told but those of what a separator gets wrong: the stimulus
is left out of that element, and of what needs both. Elsewhere all seconds count, also those in which an element rests,
so that the three are compared over the same ones; the bundle's weights are fitted without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from calibration.contrasts import Contrasts, contrast
from calibration.features import FeatureStore
from calibration.joint import fit_joint, portions, shares_of
from calibration.model import basis_of
from calibration.statistics import LayerComparison, compare
from calibration.sweep import Question, SetResult, judge, settings_for
from calibration.unique import Unique, unique
from calibration.validation import fit
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.correlation import fisher_z
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings
from rtaffect.predicted.element_levels import SILENT_DB, is_heard, least_db, power
from rtaffect.predicted.elements import ELEMENTS, voice_share
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.predicted.separator import Elements
from rtaffect.stream.audio import StudySound

#: Parts of the sound, in the order of what is told of them.
PARTS: Final[tuple[Element, ...]] = ELEMENTS[1:]
#: What is held against what in each row: the bias first.
PAIRS: Final = (("voice", "background"), ("mix", "voice"), ("mix", "background"))
#: With fewer stimuli nothing is said of how the bias goes with energy.
LEAST_STIMULI: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Voice and background in one model.

    ``portion`` (2, R + 1) is what each has in the held-out r, ``share`` (2,) each one's share of the penalties (the
    greater, the less it is penalised), mean over the rows that count.
    """

    result: SetResult
    portion: FloatArray
    share: FloatArray


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
        By element ('voice', 'background'), scores and chance, as of the whole sound, over the stimuli that have it; an
        element is missing here where too few have.
    each
        (3, stimuli): held-out r of the mean over rows by stimulus, of mix, voice and background.
    comparison
        The three against each other over stimuli, by their place in ``ELEMENTS``; None for a single stimulus.
    contrasts
        ``PAIRS`` of them in every row; None for a single stimulus, or where an element is missing.
    unique
        What voice tells beyond background, and background beyond voice; empty where that cannot be told, and
        ``no_unique`` says why.
    joined
        Both in one model, by name: 'stacked' and 'banded'; empty where no two stimuli have both.
    share
        (stimuli,): the voice's share of the energy of voice and background, 0 to 1.
    bias
        (stimuli,): Fisher z of the voice's r less that of the background's.
    rank_r, rank_p
        Spearman's correlation of share and bias over stimuli, and its one-sided p (that bias follows energy) by random
        exchanges; NaN for fewer than ``LEAST_STIMULI``.
    notes
        Stimuli in which an element is not there, and what could not be told for it.
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
    contrasts: Contrasts | None = None
    unique: tuple[Unique, ...] = ()
    no_unique: str = ""
    joined: Mapping[str, Joined] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Features of each part by sound, where it is there (2, sounds), the voice's share of the energy, and notes."""

    features: dict[str, list[FloatArray]]
    there: BoolArray
    share: FloatArray
    notes: tuple[str, ...]

    @property
    def both(self) -> BoolArray:
        """Which sounds (sounds,) have both."""
        return np.asarray(self.there.all(axis=0))


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
    voice_db: float = SILENT_DB,
) -> ElementsFound:
    """Fit voice and background as the whole sound was, each alone and both together, and compare.

    Parameters
    ----------
    mix
        The whole sound's result of one feature set, of which the elements are taken, too.
    sounds
        Those that are fitted on, in the order of the question's targets.
    parts_of, featurizer
        What gives a sound's elements, and what has the feature set.
    separator
        Name and hash of what makes the elements.
    question, settings, draws
        What is predicted (targets as measured), how, and how many draws each null has.
    progress
        Told what is being done.
    voice_db
        From which level against the sound a voice is heard, by the separator, dB.
    """
    question = question.untrended(settings)
    parts = _parts(sounds, parts_of, featurizer, mix.name, progress, voice_db)
    progress(f"{mix.name} of voice and background, {draws} draws")
    results, each, notes = _apart(mix, parts, question, settings, draws)
    means = np.stack([r[:, -1] for r in each.values()])
    enough = np.isfinite(means).all(axis=0).sum() > 1
    bias = fisher_z(means[1]) - fisher_z(means[2])
    progress(f"voice beyond background and the reverse, {draws} draws")
    beyond, why = _beyond(mix.name, parts, question, settings, draws)
    progress("voice and background in one model")
    joined = _joined(mix.name, parts, question, settings, draws)
    return ElementsFound(
        mix.name, *separator, results, means, compare(means, draws=10 * draws - 1) if enough else None,
        parts.share, bias, *follows(parts.share, bias),
        contrasts=contrast(each, question.row_kinds, draws=10 * draws - 1, pairs=PAIRS) if enough else None,
        unique=beyond, no_unique=why, joined=joined, notes=notes,
    )  # fmt: skip


def _apart(
    mix: SetResult, parts: _Parts, question: Question, settings: Settings, draws: int
) -> tuple[dict[str, SetResult], dict[str, FloatArray], tuple[str, ...]]:
    """Return each part's result, r of mix and each part by stimulus and row, and notes."""
    each, notes = {"mix": mix.score.each}, [*parts.notes]
    results: dict[str, SetResult] = {}
    for name, there in zip(PARTS, parts.there, strict=True):
        each[name] = np.full_like(mix.score.each, np.nan)
        try:
            results[name] = _alone(mix.name, name, parts, there, question, settings, draws)
        except SettingsError as error:
            notes.append(f"nothing is told of the {name}: {error}")
        else:
            each[name][there] = results[name].score.each
    return results, each, tuple(notes)


def _parts(  # noqa: PLR0917 - what leave_out was given
    sounds: Sequence[StudySound],
    parts_of: Callable[[StudySound], Elements],
    featurizer: Featurizer,
    feature_set: str,
    progress: Callable[[str], None],
    voice_db: float,
) -> _Parts:
    store, share, notes = FeatureStore(), [], []
    features: dict[str, list[FloatArray]] = {name: [] for name in PARTS}
    there = np.ones((len(PARTS), len(sounds)), np.bool_)
    for number, sound in enumerate(sounds):
        progress(f"voice and background of {sound.name}")
        parts = parts_of(sound)
        for place, name in enumerate(PARTS):
            part = getattr(parts, name)
            if not is_heard(power(part), power(parts.mix), least_db(name, voice_db)):
                notes.append(f"{sound.name}: no {name} is heard in it")
                there[place, number] = False
            features[name].append(np.asarray(store.layers(part, featurizer)[feature_set], np.float64))
        # Of silence both are what a separator makes of nothing.
        heard = bool(there[:, number].any())
        share.append(voice_share(parts.voice, parts.background) if heard else float("nan"))
    return _Parts(features, there, np.array(share), tuple(notes))


def _alone(  # noqa: PLR0917 - what leave_out was given
    feature_set: str, name: str, parts: _Parts, there: BoolArray, question: Question, settings: Settings, draws: int
) -> SetResult:
    """Return what one part of the sound tells, of the stimuli that have it."""
    if not there.any():
        raise SettingsError("no stimulus has it")
    courses, asked = _some(parts.features[name], there), _of_stimuli(question, there)
    own = settings_for(feature_set, courses, settings)
    fitted = fit(courses, asked.targets, own, asked.people, counted=asked.counted)
    return judge(f"{feature_set}/{name}", fitted, asked, own, draws, features=courses)


def _beyond(
    feature_set: str, parts: _Parts, question: Question, settings: Settings, draws: int
) -> tuple[tuple[Unique, ...], str]:
    """Return what each part tells beyond the other, of the stimuli that have both; none, and why, where none can."""
    both = parts.both
    if not both.any():
        return (), "no stimulus has both"
    asked = _of_stimuli(question, both)
    targets = [target[:, question.counted] for target in asked.targets]
    courses = [_some(parts.features[name], both) for name in PARTS]
    own = settings_for(feature_set, courses[0], settings)
    others = [_components(part, own) for part in reversed(courses)]
    try:
        found = [
            unique(name, part, targets, other, own, draws=draws)
            for name, part, other in zip(PARTS, courses, others, strict=True)
        ]
    except SettingsError as error:
        return (), str(error)
    return tuple(found), ""


def _components(courses: Sequence[FloatArray], settings: Settings) -> list[FloatArray]:
    """Return the principal components (steps, C) of all stimuli's features, which know of no target."""
    prediction = settings.prediction
    every = np.concatenate(courses)
    mean, axes, middle, scale = basis_of(every, prediction.n_components, standardise=prediction.standardise)
    return [((course - mean) @ axes.T - middle) / scale for course in courses]


def _joined(
    feature_set: str, parts: _Parts, question: Question, settings: Settings, draws: int
) -> dict[str, Joined] | None:
    """Return both parts in one model, of the stimuli that have both; None where that cannot be judged."""
    both = parts.both
    if not both.any():
        return None
    asked = _of_stimuli(question, both)
    courses = [_some(parts.features[name], both) for name in PARTS]
    own = settings_for(feature_set, courses[0], settings)
    found = {}
    try:
        for name, shares in (("stacked", None), ("banded", shares_of(len(PARTS)))):
            made = fit_joint(courses, asked.targets, own, asked.people, counted=asked.counted, shares=shares)
            result = judge(f"{feature_set}/{name}", made.fit, asked, own, draws)
            found[name] = Joined(result, portions(made, own), made.share[:, asked.counted].mean(axis=1))
    except SettingsError:
        return None
    return found


def _some(courses: Sequence[FloatArray], which: BoolArray) -> list[FloatArray]:
    return [course for course, there in zip(courses, which, strict=True) if there]


def _of_stimuli(question: Question, which: BoolArray) -> Question:
    """Return the question of some stimuli alone."""
    measured = question.as_measured
    return replace(
        question,
        targets=_some(question.targets, which),
        people=_some(question.people, which),
        as_measured=None if measured is None else _some(measured, which),
    )


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
