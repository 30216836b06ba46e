"""How long the nets of affect are trained: as many steps as are best for people and stimuli that they do not know.

Inner nets are trained side by side, each on some of the people and stimuli, and looked at on other people hearing other
stimuli: neither a person nor a stimulus stands on both sides. Where their mean loss has been lowest is how long the
final nets are trained, on everything. What the inner nets told there of what they did not know is what the
temperatures, the weight of EEG against sound and the limits of novelty are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.affect.checkpoint import Checkpoint
from calibration.affect.model import AffectNet, Sizes
from calibration.affect.training import Moments, Recipe, Trainer, even, supervised

Indices = NDArray[np.int64]
Array = NDArray[np.float64]


class Split(NamedTuple):
    """An inner part: moments to train on, and moments of other people and other stimuli to look at."""

    train: Indices
    held: Indices


class Held(NamedTuple):
    """What inner nets told of M moments that they did not know; ``split`` (M,) says which net told it.

    ``items`` (M,) are numbers of moments; ``logits`` and ``rating`` (M, 2, 2) of EEG and of sound, for valence and
    arousal; ``shared`` (M, 2, D).
    """

    items: Indices
    split: Indices
    logits: Array
    rating: Array
    shared: Array


class Trained(NamedTuple):
    """What training ends with.

    Attributes
    ----------
    net
        The final nets.
    steps
        How many they were trained for.
    losses
        The mean held-out loss of the inner nets at each look.
    held
        What the inner nets told at the best look.
    known
        For each inner net, the shared vectors (n, 2, D) of moments that it was trained on.
    """

    net: AffectNet
    steps: int
    losses: tuple[float, ...]
    held: Held
    known: tuple[Array, ...]


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Hold torch at one thread: for nets as small as these more are no sooner, and burn time beside other programs.

    8.7 s of 32 people, 34 sounds and 32 channels by one thread, 8.9 by two, which took 1.6 times the processor's time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_torch_thread()
def train(
    moments: Moments,
    sizes: Sizes,
    recipe: Recipe,
    splits: Sequence[Split],
    *,
    checkpoint: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train nets, and tell how they do where they do not know the person nor the stimulus.

    Parameters
    ----------
    moments
        To be trained on, on the device where the work is to be done.
    sizes, recipe
        Of the nets, and how they are trained.
    splits
        Inner parts.
    checkpoint
        File in which the state is kept at every look, and from which a run that was stopped goes on.
    tell
        Told what is being done.
    """
    kept = Checkpoint(checkpoint, {"recipe": asdict(recipe), "sizes": sizes._asdict()}, moments)
    inner = _trained(_Inner(moments, sizes, recipe, splits), kept, tell)
    final = Trainer(moments, sizes, recipe)
    kept.restore("final", [final])
    while final.step < inner.steps:
        final.advance(min(recipe.check_every, inner.steps - final.step))
        tell(f"training, step {final.step} of {inner.steps}")
        kept.keep("final", [final], inner.losses, inner.held, inner.known)
    final.net.eval()
    assert inner.held is not None
    return Trained(final.net, inner.steps, tuple(inner.losses), inner.held, tuple(inner.known))


class _Inner:
    """The inner nets, side by side, and how they have done so far."""

    def __init__(self, moments: Moments, sizes: Sizes, recipe: Recipe, splits: Sequence[Split]) -> None:
        device = moments.features.device
        parts = [torch.from_numpy(split.train).to(device) for split in splits]
        self.recipe, self.moments = recipe, moments
        self.trainers = [Trainer(moments.take(part), sizes, recipe) for part in parts]
        hearing = moments.hearing.cpu().numpy()
        self.looked_at = [split.held[even(hearing[split.held])] for split in splits]
        self.trained_on = [split.train[even(hearing[split.train], 2)] for split in splits]
        self.losses: list[float] = []
        self.held: Held | None = None
        self.known: list[Array] = []

    @property
    def best(self) -> int:
        """The number of the best look, from 0."""
        return int(np.argmin(self.losses))

    @property
    def over(self) -> bool:
        """Whether more steps bring nothing, or are not allowed."""
        looks = len(self.losses)
        late = looks > 0 and looks - 1 - self.best >= self.recipe.patience
        return late or looks * self.recipe.check_every >= self.recipe.steps

    @property
    def steps(self) -> int:
        """The best number of steps."""
        return (self.best + 1) * self.recipe.check_every

    def go_on(self) -> None:
        """Train until the next look, and look."""
        for trainer in self.trainers:
            trainer.advance(self.recipe.check_every)
        told = [self._look(t, items) for t, items in zip(self.trainers, self.looked_at, strict=True)]
        self.losses.append(float(np.mean([loss for loss, *_ in told])))
        if self.best == len(self.losses) - 1:
            of_split = [np.full(len(items), number) for number, items in enumerate(self.looked_at)]
            parts = [np.concatenate(part) for part in zip(*(rest for _, *rest in told), strict=True)]
            self.held = Held(np.concatenate(self.looked_at), np.concatenate(of_split), *parts)
            pairs = zip(self.trainers, self.trained_on, strict=True)
            self.known = [self._look(trainer, items)[3] for trainer, items in pairs]

    def _look(self, trainer: Trainer, items: Indices) -> tuple[float, Array, Array, Array]:
        """Return the loss of moments, and logits, ratings and shared vectors (n, 2, ...) of EEG and sound."""
        moments = self.moments.take(torch.from_numpy(items).to(self.moments.features.device))
        trainer.net.eval()
        with torch.no_grad():
            eeg, _ = trainer.net.of_eeg(moments.features, moments.mask)
            sound = trainer.net.of_sound(moments.embedding)
            loss = supervised(eeg, moments.ratings)
            if self.recipe.sound:
                loss = loss + self.recipe.sound * supervised(sound, moments.ratings)
        both = [torch.stack(pair, dim=1).double().cpu().numpy() for pair in zip(eeg, sound, strict=True)]
        shared, logits, rating = both
        return float(loss), logits, rating, shared


def _trained(found: _Inner, kept: Checkpoint, tell: Callable[[str], None]) -> _Inner:
    """Train inner nets from where they were until more brings nothing."""
    kept.restore("inner", found.trainers)
    if kept.phase:
        found.losses, found.known, found.held = kept.losses, kept.known, Held(*kept.held)
    while kept.phase != "final" and not found.over:
        found.go_on()
        tell(f"inner parts, step {len(found.losses) * found.recipe.check_every}")
        assert found.held is not None
        kept.keep("inner", found.trainers, found.losses, found.held, found.known)
    return found
