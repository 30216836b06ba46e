"""A model of affect by scikit-learn's conventions: fitted to moments of EEG and sound, it tells valence and arousal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from calibration.affect.early import Held, train
from calibration.affect.model import Sizes
from calibration.affect.moments import (
    checked,
    device_of,
    eeg_of,
    embedding_of,
    high_share,
    magnitude,
    numbers_of,
    spread_of,
    tensor,
)
from calibration.affect.novelty_limits import as_if_left_out, people_limits
from calibration.affect.splits import check_ratings, inner_splits
from calibration.affect.temperature import fit_both, fit_temperature, probability
from calibration.affect.training import Moments, Recipe
from rtaffect.affect.novelty import NoveltyReference, fit_novelty, magnitude_of
from rtaffect.affect.settings import DIMENSIONS

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

#: What is told from, in the order of every array.
SOURCES: Final = ("eeg", "sound", "both")
#: Moments that go through the nets at once.
_TOGETHER: Final = 8192


class Told(NamedTuple):
    """What is told of N moments.

    Attributes
    ----------
    logits, rating : (N, 3, 2)
        From EEG, sound and both, for valence and arousal; logits before their temperature (of both, the weighted mean
        of calibrated ones), ratings in -1..1.
    shared : (N, 2, D)
        Places in the shared space, of EEG and sound.
    attention : (N, T, C)
        Of the EEG; sums to 1 over what counts.
    """

    logits: Array
    rating: Array
    shared: Array
    attention: Array


class AffectModel(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Valence and arousal from EEG, from sound, and from both, by nets that share one space.

    X is EEG, (N, T, C, F): of each of N moments the features of T seconds, C channels and F bands, NaN where they do
    not count; ``sound`` (N, E) are embeddings of what was heard. y is (N, 2): ratings of valence and arousal in -1..1
    of their scale, NaN where not rated. ``person``, ``stimulus`` and ``second`` (N,) say whose moment it is, of which
    sound, and when: they part people and stimuli inside of :meth:`fit`, and are not asked for afterwards.

    Parameters
    ----------
    hidden, shared
        Units of the encoders, and dimensions of the shared space.
    steps, rate, decay, seconds, batch, dropout, channel_dropout, check_every, patience
        Of the training: :class:`calibration.affect.training.Recipe`.
    sound_weight, domain, people, contrast, attention
        What the nets learn from and how: ``sound``, ``domain``, ``people``, ``contrast``, ``attention`` of the recipe.
    splits
        Inner parts, 1 to 3, that tell how long to train, the temperatures and the limits of novelty.
    random_state
        Seed of everything.
    device
        ``auto`` for a GPU where there is one, or torch's name of a device.
    checkpoint
        File by which a training that was stopped goes on; None for none.
    progress
        Called with what is being done; None for nobody.

    Attributes
    ----------
    net_ : AffectNet
        The nets, on the CPU.
    feature_mean_, feature_std_ : (C, F)
        Of the features.
    embedding_mean_, embedding_std_ : (E,)
        Of the embeddings.
    temperature_ : (3, 2)
        Of EEG, sound and both, for valence and arousal.
    eeg_weight_ : (2,)
        How much the EEG counts in both, for valence and arousal.
    high_share_ : (2,)
        Share of hearings that were rated above the middle.
    eeg_novelty_, sound_novelty_ : NoveltyReference
        How far moments may be from the training set.
    eeg_lasting_ : (2,)
        How far a person may be for a while.
    n_steps_ : int
        Steps of training.
    losses_ : tuple of float
        Mean loss of inner held-out moments at each look.
    recipe_ : Recipe
        How the nets were trained.
    n_features_in_ : int
        T times C times F.
    """

    def __init__(
        self,
        hidden: int = 32,
        shared: int = 32,
        *,
        steps: int = 200,
        rate: float = 5e-3,
        decay: float = 0.05,
        seconds: int = 2,
        batch: int = 1024,
        dropout: float = 0.3,
        channel_dropout: float = 0.1,
        check_every: int = 5,
        patience: int = 6,
        sound_weight: float = 1.0,
        domain: float = 0.1,
        people: float = 0.0,
        contrast: float = 0.1,
        attention: bool = True,
        splits: int = 3,
        random_state: int = 0,
        device: str = "auto",
        checkpoint: Path | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.hidden, self.shared = hidden, shared
        self.steps, self.rate, self.decay, self.seconds, self.batch = steps, rate, decay, seconds, batch
        self.dropout, self.channel_dropout = dropout, channel_dropout
        self.check_every, self.patience = check_every, patience
        self.sound_weight, self.domain, self.people, self.contrast = sound_weight, domain, people, contrast
        self.attention, self.splits, self.random_state = attention, splits, random_state
        self.device, self.checkpoint, self.progress = device, checkpoint, progress

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sound: Any = None,
        person: Any = None,
        stimulus: Any = None,
        second: Any = None,
    ) -> Self:
        """Fit to moments, as the class says; without ``sound`` to EEG alone.

        Without ``stimulus`` each moment is of a stimulus of its own, without ``person`` all are of one.

        Raises
        ------
        RecordingError
            If there are no ratings, or of one class only, or people and stimuli cannot be parted.
        ValueError
            If shapes do not match.
        """
        features, mask, ratings = checked(X, y)
        count, each = len(features), np.arange(len(features))
        person = numbers_of(person, count, "person", np.zeros(count, np.int64))
        stimulus, second = numbers_of(stimulus, count, "stimulus", each), numbers_of(second, count, "second", each)
        hearing = np.unique(person * (int(stimulus.max()) + 1) + stimulus, return_inverse=True)[1].reshape(-1)
        check_ratings(ratings, hearing, DIMENSIONS, f"the training part of {count} moments")
        self.has_sound_ = sound is not None
        embedding = np.zeros((count, 1)) if sound is None else embedding_of(sound, count)
        self._measure(features, mask, embedding, int(person.max()) + 1)
        moments = Moments(
            *self._normalised(features, mask), self._normalised_sound(embedding), tensor(ratings),
            *(torch.from_numpy(each) for each in (person, stimulus, second, hearing)),
        )  # fmt: skip
        splits = inner_splits(person, stimulus, ratings, self.splits, self.random_state)
        tell = (lambda _: None) if self.progress is None else self.progress
        self.recipe_ = self._recipe()
        found = train(
            moments.to(device_of(self.device)), self._sizes, self.recipe_, splits, checkpoint=self.checkpoint, tell=tell
        )
        self.net_ = found.net.to("cpu")
        self.n_steps_, self.losses_ = found.steps, found.losses
        self.high_share_ = high_share(ratings, hearing)
        self._calibrate(found.held, ratings, hearing)
        self._learn_novelty(found.held, found.known, moments)
        return self

    def _measure(self, features: Array, mask: Mask, embedding: Array, people: int) -> None:
        """Take the sizes of everything, and means and standard deviations of what goes in."""
        seconds, channels, bands = features.shape[1:]
        self.n_features_in_ = seconds * channels * bands
        self._sizes = Sizes(seconds, channels, bands, embedding.shape[1], people, self.hidden, self.shared)
        self.feature_mean_, self.feature_std_ = spread_of(np.where(mask[..., None], features, np.nan), axes=(0, 1))
        self.embedding_mean_, self.embedding_std_ = spread_of(embedding, axes=(0,))

    def _recipe(self) -> Recipe:
        return Recipe(
            steps=self.steps, rate=self.rate, decay=self.decay, seconds=self.seconds, batch=self.batch,
            dropout=self.dropout, channel_dropout=self.channel_dropout, domain=self.domain, people=self.people,
            contrast=self.contrast, attention=self.attention, check_every=self.check_every, patience=self.patience,
            seed=self.random_state, sound=self.sound_weight if self.has_sound_ else 0.0,
        )  # fmt: skip

    def _calibrate(self, held: Held, ratings: Array, hearing: Indices) -> None:
        """Fit temperatures and the weight of the EEG to what inner nets told of what they did not know."""
        self.temperature_, self.eeg_weight_ = np.ones((3, 2)), np.ones(2)
        per_hearing = 1.0 / np.bincount(hearing[held.items])[hearing[held.items]]
        for output in range(len(DIMENSIONS)):
            rated = ratings[held.items, output]
            sided = np.isfinite(rated) & (rated != 0)
            if not sided.any():
                continue
            high, weight, logits = (rated > 0)[sided].astype(float), per_hearing[sided], held.logits[sided, :, output]
            self.temperature_[0, output] = fit_temperature(logits[:, 0], high, weight)
            if not self.has_sound_ or not self.sound_weight:
                self.temperature_[1:, output] = self.temperature_[0, output]
                continue
            self.temperature_[1, output] = fit_temperature(logits[:, 1], high, weight)
            calibrated = logits / self.temperature_[:2, output]
            self.eeg_weight_[output], self.temperature_[2, output] = fit_both(calibrated, high, weight)

    def _learn_novelty(self, held: Held, known: tuple[Array, ...], moments: Moments) -> None:
        """Take means and covariances from the final nets, and limits from inner nets' distances of what was new.

        Of sound each inner net's limit is one of its own distances, and the final one is their mean. Of EEG it is for
        one more person (:mod:`calibration.affect.novelty_limits`).
        """
        told = self._apply(moments.features, moments.mask, moments.embedding)
        features, mask = moments.features.double().numpy(), moments.mask.numpy() > 0
        person, sizes = moments.person.numpy(), magnitude(moments.embedding)
        left_out, limits = np.empty((len(held.items), 2)), []
        for number, space in enumerate(known):
            here = held.split == number
            items, shared = held.items[here], held.shared[here]
            own = fit_novelty(space[:, 0], shared[:, 0], np.ones(len(items)))
            seen = magnitude_of(as_if_left_out(features, mask, person, items), mask[items])
            left_out[here] = own.distances(shared[:, 0], seen)
            limits.append(fit_novelty(space[:, 1], shared[:, 1], sizes[items]).limits)
        of_people, self.eeg_lasting_ = people_limits(left_out, person[held.items], moments.hearing.numpy()[held.items])
        eeg, sound = (fit_novelty(told.shared[:, branch], told.shared[:, branch], sizes) for branch in (0, 1))
        self.eeg_novelty_: NoveltyReference = replace(eeg, limits=of_people)
        self.sound_novelty_: NoveltyReference = replace(sound, limits=np.mean(limits, axis=0))

    def tell(self, X: Any = None, sound: Any = None) -> Told:
        """Return all that is told of moments; NaN for what is told from what is not given.

        Parameters
        ----------
        X
            (N, T, C, F) EEG, NaN where it does not count; or None.
        sound
            (N, E) embeddings; or None.
        """
        check_is_fitted(self, "net_")
        if X is None and sound is None:
            raise ValueError("expected X, sound or both")
        sizes = self._sizes
        if sound is not None and not self.has_sound_:
            raise ValueError("this model was fitted without sound; fit it with sound, or leave sound out")
        count = len(np.asarray(X if X is not None else sound))
        missing = np.full((count, sizes.seconds, sizes.channels, sizes.bands), np.nan)
        features, mask = eeg_of(missing if X is None else X)
        if features.shape[1:] != missing.shape[1:]:
            raise ValueError(f"X is {features.shape}; expected {(count, *missing.shape[1:])}")
        embedding = np.tile(self.embedding_mean_, (count, 1)) if sound is None else embedding_of(sound, count)
        if embedding.shape[1] != sizes.embedding:
            raise ValueError(f"sound is {embedding.shape}; expected {(count, sizes.embedding)}")
        told = self._apply(*self._normalised(features, mask), self._normalised_sound(embedding))
        lost = np.stack([~mask.any(axis=(1, 2)), np.full(count, sound is None)], axis=1)
        lost = np.concatenate([lost, lost.any(axis=1, keepdims=True)], axis=1)
        logits, rating = (np.where(lost[:, :, None], np.nan, each) for each in (told.logits, told.rating))
        return Told(logits, rating, np.where(lost[:, :2, None], np.nan, told.shared), told.attention)

    def _apply(self, features: torch.Tensor, mask: torch.Tensor, embedding: torch.Tensor) -> Told:
        parts: list[tuple[Array, ...]] = []
        self.net_.eval()
        with torch.no_grad():
            for start in range(0, len(features), _TOGETHER):
                some = slice(start, start + _TOGETHER)
                eeg, attended = self.net_.of_eeg(features[some], mask[some])
                sound = self.net_.of_sound(embedding[some])
                pairs = [torch.stack(pair, dim=1).double().numpy() for pair in zip(eeg, sound, strict=True)]
                parts.append((*pairs, attended.double().numpy()))
        shared, logits, rating, attention = (np.concatenate(each) for each in zip(*parts, strict=True))
        both = self._mean_of_both(logits / self.temperature_[:2])
        logits = np.concatenate([logits, both[:, None]], axis=1)
        rating = np.concatenate([rating, self._mean_of_both(rating)[:, None]], axis=1)
        return Told(logits, rating, shared, attention)

    def _mean_of_both(self, values: Array) -> Array:
        """Return the mean (N, 2) of values (N, 2, 2) of EEG and sound, weighted as by :mod:`rtaffect.affect.fusion`."""
        return np.asarray(self.eeg_weight_ * values[:, 0] + (1 - self.eeg_weight_) * values[:, 1])

    def predict(self, X: Any = None, sound: Any = None) -> Array:
        """Return ratings (N, 2) of valence and arousal, -1..1: from EEG, sound, or both where both are given."""
        return self.tell(X, sound).rating[:, _source(X, sound)]

    def predict_proba(self, X: Any = None, sound: Any = None) -> Array:
        """Return the calibrated probability (N, 2) that valence and arousal are above the scale's middle."""
        source = _source(X, sound)
        return probability(self.tell(X, sound).logits[:, source], self.temperature_[source])

    def decide(self, X: Any = None, sound: Any = None) -> Array:
        """Return whether valence and arousal are high (N, 2), 1 or 0; NaN where nothing is told.

        High is what is more probable than it was among the hearings of the training part: that is the best that can be
        done for the balanced accuracy, and the same as half where both classes were as frequent.
        """
        p = self.predict_proba(X, sound)
        return np.where(np.isfinite(p), p > self.high_share_, np.nan)

    def transform(self, X: Any) -> Array:
        """Return the places (N, D) of EEG in the shared space."""
        return self.tell(X).shared[:, 0]

    def transform_sound(self, sound: Any) -> Array:
        """Return the places (N, D) of embeddings in the shared space."""
        return self.tell(sound=sound).shared[:, 1]

    def score(self, X: Any, y: Any, sound: Any = None) -> float:
        """Return the balanced accuracy over moments, averaged over valence and arousal."""
        decided, ratings = self.decide(X, sound), np.asarray(y, np.float64)
        found = []
        for output in range(len(DIMENSIONS)):
            high, low = (ratings[:, output] > 0), (ratings[:, output] < 0)
            right = decided[:, output]
            found.append((np.nanmean(right[high] == 1) + np.nanmean(right[low] == 0)) / 2)
        return float(np.mean(found))

    def novelty(self, X: Any = None, sound: Any = None) -> Array:
        """Return how far moments (N, 2), EEG and sound, are from the training set; beyond 1 they are too far."""
        told = self.tell(X, sound)
        found = np.full((len(told.shared), 2), np.nan)
        if X is not None:
            features, mask = eeg_of(X)
            size = magnitude(*self._normalised(features, mask))
            found[:, 0] = self.eeg_novelty_(told.shared[:, 0], size)
        if sound is not None:
            size = magnitude(self._normalised_sound(embedding_of(sound, len(found))))
            found[:, 1] = self.sound_novelty_(told.shared[:, 1], size)
        return found

    def _normalised(self, features: Array, mask: Mask) -> tuple[torch.Tensor, torch.Tensor]:
        values = np.where(mask[..., None], (features - self.feature_mean_) / self.feature_std_, 0.0)
        return tensor(values), tensor(mask)

    def _normalised_sound(self, embedding: Array) -> torch.Tensor:
        return tensor((embedding - self.embedding_mean_) / self.embedding_std_)


def _source(X: Any, sound: Any) -> int:
    """Return the number in ``SOURCES`` of what is told from."""
    return 2 if X is not None and sound is not None else int(X is None)
