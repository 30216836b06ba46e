"""Which features predict synchrony? Every feature set through the same nested cross-validation, with its chance level.

The paper's three experiments: the layers of the model against each other and against acoustic descriptors, the same
with covariates controlled for (the paper's way, and what features tell beyond them), and (once there are elements)
parts of the sound left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from calibration.contrasts import MIDDLE, Contrasts, contrast, middle_layers
from calibration.exact import exact_null
from calibration.features import DESCRIPTORS_SET
from calibration.nulls import PValues, p_values, phase_null, shift_null
from calibration.statistics import LayerComparison, Score, compare, score
from calibration.trends import paired, untrended
from calibration.unique import Unique, unique
from calibration.validation import RidgeFit, fit, held_out_each, with_interval
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import NO_DRIFT, Settings
from rtaffect.common.threads import one_thread

#: The feature set whose layer is chosen inside the nested folds.
AUTO: Final = "auto"
#: Level of the chance level that is drawn.
_LEVEL: Final = 0.95
#: From this p on nothing is claimed.
SURE: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class SetResult:
    """How well one feature set predicts; arrays are of R rows and, behind them, the mean over the rows that count.

    ``score`` is of held-out predictions; ``p`` (R,) of turned courses, ``p_phase`` of phase-randomised ones, both with
    the bound for cross-fitted predictions. ``p_counted`` (C,) and ``p_mean`` are of the rows that count and of their
    mean: by fitting each draw anew where ``exact`` says so, else with the same bound. ``chance`` and ``chance_phase``
    (R + 1,) are the r that 95 % of draws stay below. ``controlled`` says whether covariates were in the training.
    ``plain`` is, of the mean over rows, r and its p where drifts are left in, and p where they are taken out, both with
    the bound. ``chance_mean`` is the mean over draws of r of the mean over rows: cross-validated predictions of noise
    run a little against it.
    """

    name: str
    fit: RidgeFit
    score: Score
    p: PValues
    p_counted: PValues
    p_mean: float
    exact: bool
    p_phase: PValues
    chance: FloatArray
    chance_phase: FloatArray
    controlled: bool = False
    plain: tuple[float, float, float] | None = None
    chance_mean: float = float("nan")

    @property
    def drift_caution(self) -> str:
        """What is to be told where the verdict on the mean over rows hangs on the drifts; else empty."""
        if self.plain is None:
            return ""
        r, p, p_bound = self.plain
        if (p < SURE) == (p_bound < SURE):
            return ""
        about = f"r = {r:.2f} with drifts left in against {self.score.r[-1]:.2f} without them"
        if p < SURE:
            return f"{self.name} depends on drifts: {about}; what trends with time in the sound is no prediction"
        return f"{self.name} depends on drifts: {about}; it is above chance only with them taken out"


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """The results of all feature sets, in order; ``auto`` chooses among the layers inside the nested folds.

    ``controlled`` has the same sets with covariates in the training and at zero when predicting (the paper's control),
    where there are any; ``unique`` what each set tells beyond the covariates, ``no_unique`` why that cannot be told.
    ``layers`` names the layers. ``comparison`` compares each pair of sets over stimuli, descriptors among them,
    ``contrasts`` each layer and the middle one with the last and with the descriptors, row by row.
    """

    sets: tuple[SetResult, ...]
    controlled: tuple[SetResult, ...]
    auto: SetResult | None
    best: str
    layers: tuple[str, ...]
    comparison: LayerComparison | None
    contrasts: Contrasts | None = None
    unique: tuple[Unique, ...] = ()
    no_unique: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the feature sets, by whose order ``comparison`` numbers them."""
        return tuple(result.name for result in self.sets)

    def of(self, name: str) -> SetResult:
        """Return the result of the feature set ``name``."""
        if name == AUTO and self.auto is not None:
            return self.auto
        return next(result for result in self.sets if result.name == name)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is to be predicted: for each stimulus ``targets`` (steps, R) and ``people`` (P, steps, R), Fisher z.

    ``counted`` (R,) are the rows that enter the mean; ``covariates`` (steps, V) for each stimulus, or None; ``kinds``
    (R,) what each row is, such as 'channel' or 'zone', by default all the same; ``as_measured`` the targets with their
    drifts, where these were taken out.
    """

    targets: Sequence[FloatArray]
    people: Sequence[FloatArray]
    counted: BoolArray
    covariates: Sequence[FloatArray] | None = None
    kinds: tuple[str, ...] = ()
    as_measured: Sequence[FloatArray] | None = None

    @property
    def row_kinds(self) -> tuple[str, ...]:
        """What each row is (R,)."""
        return self.kinds or ("row",) * len(self.counted)

    def untrended(self, settings: Settings) -> Question:
        """Return it with what drifts leave of the targets; those that they were are kept ``as_measured``."""
        return replace(self, targets=untrended(self.targets, settings.drift), as_measured=self.targets)

    def of_training(self, controlled: bool) -> Sequence[FloatArray] | None:
        """Return the covariates that a fit has: none unless they are to be controlled for."""
        return self.covariates if controlled else None


def sweep(
    features: Mapping[str, Sequence[FloatArray]],
    question: Question,
    settings: Settings,
    progress: Callable[[str], None],
    *,
    draws: int = 1000,
) -> Sweep:
    """Fit every feature set, and judge it; in parallel where joblib's active configuration says so.

    Parameters
    ----------
    features
        For each set's name ('lld', 'layer-0', ..., 'final') the features (steps, F) of each stimulus. Sets other than
        'lld' are layers, in order.
    question, settings
        What is predicted, and how.
    progress
        Told what is being done.
    draws
        Of each null.
    """
    names, question = list(features), question.untrended(settings)
    chosen = {name: settings_for(name, features[name], settings) for name in names}
    versions = [False, True] if question.covariates is not None else [False]
    progress(f"{len(names)} feature sets, nested cross-validation")
    tasks = [(name, controlled) for controlled in versions for name in names]
    fits = _fits(features, question, chosen, tasks)
    progress(f"chance levels, {draws} draws each")
    results = Parallel()(
        delayed(judge)(name, found, question, chosen[name], draws, features=features[name], controlled=controlled)
        for (name, controlled), found in zip(tasks, fits, strict=True)
    )
    plain, controlled_results = tuple(results[: len(names)]), tuple(results[len(names) :])
    layers = tuple(name for name in names if name != DESCRIPTORS_SET)
    of_layers = [r for r in plain if r.name in layers]
    auto = None
    if len(layers) > 1:
        auto = judge(AUTO, choose_inside([r.fit for r in of_layers], question, settings), question, settings, draws)
    best = min(of_layers, key=lambda r: r.fit.inner_whole).name if of_layers else names[0]
    beyond: tuple[Unique, ...] = ()
    why = ""
    if question.covariates is not None:
        progress(f"what {len(names)} feature sets tell beyond the covariates, {draws} draws each")
        beyond, why = _beyond(features, question, chosen, draws)
    return Sweep(
        plain, controlled_results, auto, best, layers, _compared(plain, draws),
        contrasts_of(plain, layers, question, settings, draws), beyond, why,
    )  # fmt: skip


def _fits(
    features: Mapping[str, Sequence[FloatArray]],
    question: Question,
    chosen: Mapping[str, Settings],
    tasks: Sequence[tuple[str, bool]],
) -> list[RidgeFit]:
    """Return the fit of each feature set, with covariates in the training or without."""
    return list(
        Parallel()(
            delayed(fit)(
                features[name], question.targets, chosen[name], question.people,
                counted=question.counted, covariates=question.of_training(controlled),
            )
            for name, controlled in tasks
        )
    )  # fmt: skip


def settings_for(name: str, features: Sequence[FloatArray], settings: Settings) -> Settings:
    """Return the settings for one feature set.

    Acoustic descriptors have different units, and are few: they are brought to one scale, and all of their components
    stay. The first components of raw values would be those of the largest numbers, the spectrum's in Hz, and loudness
    would be lost.
    """
    if name.partition("/")[0] != DESCRIPTORS_SET:
        return settings
    own = {"standardise": True, "n_components": features[0].shape[1]}
    return settings.model_copy(update={"prediction": settings.prediction.model_copy(update=own)})


def _beyond(
    features: Mapping[str, Sequence[FloatArray]], question: Question, chosen: Mapping[str, Settings], draws: int
) -> tuple[tuple[Unique, ...], str]:
    """Return what each set tells beyond the covariates; none, and why, where that cannot be told."""
    seen = question.covariates
    assert seen is not None
    targets = [target[:, question.counted] for target in question.targets]
    try:
        found = Parallel()(
            delayed(unique)(name, features[name], targets, seen, chosen[name], draws=draws) for name in features
        )
    except SettingsError as error:
        return (), str(error)
    return tuple(found), ""


def _compared(sets: Sequence[SetResult], draws: int) -> LayerComparison | None:
    """Return each pair of feature sets compared over stimuli; None for a single set or stimulus."""
    each = np.stack([result.score.each[:, -1] for result in sets])
    enough = len(sets) > 1 and np.isfinite(each).all(axis=0).sum() > 1
    return compare(each, draws=9 * draws + draws - 1) if enough else None


def contrasts_of(
    sets: Sequence[SetResult], layers: Sequence[str], question: Question, settings: Settings, draws: int
) -> Contrasts | None:
    """Return each layer, and the middle one, compared with the last and with the descriptors, row by row."""
    each = {result.name: result.score.each for result in sets}
    by_name = {result.name: result.fit for result in sets}
    between = middle_layers(layers)
    middle: tuple[str, ...] = ()
    if between:
        fits = [by_name[name] for name in between]
        chosen = choose_inside(fits, question, settings)
        each[MIDDLE] = score(chosen.pairs(settings)).each
        middle = tuple(between[k] for k in _choices(fits))
    return contrast(each, question.row_kinds, draws=10 * draws - 1, middle=middle)


@one_thread()
def judge(
    name: str,
    found: RidgeFit,
    question: Question,
    settings: Settings,
    draws: int,
    *,
    features: Sequence[FloatArray] | None = None,
    controlled: bool = False,
) -> SetResult:
    """Return the scores of held-out predictions and how far they are from chance; exactly where there are features."""
    pairs = found.pairs(settings)
    scored = score(pairs)
    shift, phase = shift_null(pairs, draws), phase_null(pairs, draws)
    rows = slice(0, len(question.counted))
    primary = np.flatnonzero(np.append(question.counted, True))
    shift_p = p_values(scored.r[-1:], shift[:, -1:]).single[0]
    exact = features is not None and not settings.prediction.longest_lags_s
    null = shift[:, primary]
    if features is not None and exact:
        targets = [target[:, question.counted] for target in question.targets]
        null = exact_null(features, targets, settings, draws, covariates=question.of_training(controlled))
        shift[:, -1] = null[:, -1]
    return SetResult(
        name=name,
        fit=found,
        score=scored,
        p=p_values(scored.r[rows], shift[:, rows]),
        p_counted=p_values(scored.r[primary[:-1]], null[:, :-1]),
        p_mean=float(p_values(scored.r[-1:], null[:, -1:]).single[0]),
        exact=exact,
        p_phase=p_values(scored.r[rows], phase[:, rows]),
        chance=np.quantile(shift, _LEVEL, axis=0),
        chance_phase=np.quantile(phase, _LEVEL, axis=0),
        controlled=controlled,
        plain=_plain(features, found, question, settings, draws, controlled, float(shift_p)),
        chance_mean=float(shift[:, -1].mean()),
    )


def _plain(  # noqa: PLR0917 - what judge was given
    features: Sequence[FloatArray] | None,
    found: RidgeFit,
    question: Question,
    settings: Settings,
    draws: int,
    controlled: bool,
    p_bound: float,
) -> tuple[float, float, float] | None:
    """Return r and p of the mean over rows with drifts left in, and p without them; None where nothing is known."""
    if features is None or question.as_measured is None:
        return None
    covariates = question.of_training(controlled)
    predicted = held_out_each(features, [lambda: question.as_measured or ()], settings, covariates)[0]
    left = settings.model_copy(update={"drift": NO_DRIFT})
    pairs = paired(predicted, question.as_measured, left, question.counted[None])
    r = score(pairs).r[-1:]
    return float(r[0]), float(p_values(r, shift_null(pairs, draws)[:, -1:]).single[0]), p_bound


def choose_inside(fits: Sequence[RidgeFit], question: Question, settings: Settings) -> RidgeFit:
    """Return the fit whose layer is chosen anew in each outer fold, by the error of that fold's inner folds.

    What is held out has no part in the choice, so that its score is not optimistic. The final weights are of the layer
    that the inner folds of everything choose.
    """
    choice = _choices(fits)
    final = min(fits, key=lambda f: f.inner_whole)
    held_out = np.full_like(final.held_out, np.nan)
    for fold, number in enumerate(choice):
        test = final.tested[fold]
        held_out[test] = fits[number].held_out[test]
    weights = with_interval(
        final.weights, held_out, np.concatenate(question.people, axis=1), question.counted, settings
    )
    return replace(final, held_out=held_out, weights=weights)


def _choices(fits: Sequence[RidgeFit]) -> NDArray[np.intp]:
    """Return which of ``fits`` the inner folds choose in each outer fold."""
    return np.asarray(np.stack([f.inner for f in fits]).argmin(axis=0))
