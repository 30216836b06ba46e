"""How the nets of affect are trained: a small loop, seeded, whole batches at once, that goes on where it was stopped.

A step takes a few seconds of each hearing, drawn anew: seconds of a hearing are alike, and its rating is one. What is
drawn, and what is dropped out, follows from the seed and the number of the step alone, so that a run that was stopped
and goes on gives the same weights to the bit as one that was not.

How many steps are best is told by inner parts: nets that are trained on some people and some stimuli, and looked at on
other people hearing other stimuli (:func:`train`). The final nets take as many steps on everything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from calibration.affect.model import Sizes, Told, new_net

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Similarities of the contrastive term are divided by it (van den Oord, Li & Vinyals, arXiv 1807.03748, have 1).
CONTRAST_TEMPERATURE: Final = 0.2
#: Moments of a step that are held against each other there: their pairs are what costs.
CONTRASTED: Final = 128
#: Seconds of each held-out hearing that are looked at.
LOOKED_AT: Final = 6


@dataclass(frozen=True, slots=True)
class Recipe:
    """How nets are trained: every choice, with its default.

    Attributes
    ----------
    steps
        The most steps.
    rate, decay
        Of AdamW (Loshchilov & Hutter, ICLR 2019).
    seconds
        Of each hearing in a step.
    batch
        The most moments of a step; where there are more hearings, some of them are drawn.
    dropout, channel_dropout
        Shares of the sound's embedding and of the shared space, and of channels, that a step leaves out.
    sound
        Weight of what the sound tells; 0 for none, and then neither ``domain`` nor ``contrast`` have a part.
    domain
        Strength of the reversed gradient of EEG against sound.
    people
        The same of person against person.
    contrast
        Weight of the contrastive term between EEG and sound of one moment.
    attention
        Whether attention is learnt.
    check_every, patience
        Held-out hearings are looked at every so many steps; after so many looks without a better one it ends.
    seed
        Of everything that is drawn.
    """

    steps: int = 200
    rate: float = 5e-3
    decay: float = 0.05
    seconds: int = 2
    batch: int = 1024
    dropout: float = 0.3
    channel_dropout: float = 0.1
    sound: float = 1.0
    domain: float = 0.1
    people: float = 0.0
    contrast: float = 0.1
    attention: bool = True
    check_every: int = 5
    patience: int = 6
    seed: int = 0


class Moments(NamedTuple):
    """N moments as tensors, normalised: features (N, T, C, F), mask (N, T, C), embedding (N, E), ratings (N, 2).

    ``person`` and ``stimulus`` (N,) are numbers from 0, ``second`` (N,) is of the sound, ``hearing`` (N,) from 0
    without gaps. Ratings are NaN where there is none.
    """

    features: Tensor
    mask: Tensor
    embedding: Tensor
    ratings: Tensor
    person: Tensor
    stimulus: Tensor
    second: Tensor
    hearing: Tensor

    def take(self, items: Tensor) -> Moments:
        """Return these moments alone; hearings keep their numbers."""
        return Moments(*(each[items] for each in self))

    def to(self, device: torch.device) -> Moments:
        """Return them on a device."""
        return Moments(*(each.to(device) for each in self))


class Sampler:
    """Draws moments for each step: a few seconds of each hearing, in one go."""

    def __init__(self, hearing: Indices, seconds: int, batch: int) -> None:
        self._order = np.argsort(hearing, kind="stable")
        _, self._first, self._count = np.unique(hearing[self._order], return_index=True, return_counts=True)
        self._seconds, self._most = seconds, max(1, batch // seconds)

    def draw(self, generator: np.random.Generator) -> Indices:
        """Return the moments (B,) of a step."""
        chosen = np.arange(len(self._first))
        if len(chosen) > self._most:
            chosen = np.sort(generator.choice(chosen, self._most, replace=False))
        at = generator.random((len(chosen), self._seconds)) * self._count[chosen, None]
        return np.asarray(self._order[self._first[chosen, None] + at.astype(np.int64)].ravel())


def even(hearing: Indices, count: int = LOOKED_AT) -> Indices:
    """Return up to ``count`` moments of each hearing, evenly over it."""
    order = np.argsort(hearing, kind="stable")
    _, first, number = np.unique(hearing[order], return_index=True, return_counts=True)
    at = np.linspace(0, number - 1, count).round().astype(np.int64)
    return np.asarray(order[np.unique(first + at)])


def schedule(step: int, steps: int) -> float:
    """Return how strong the reversed gradient is at a step, 0 to 1 (Ganin et al., *JMLR* 17, 2016, section 5.2.2)."""
    return 2.0 / (1.0 + math.exp(-10.0 * step / max(1, steps))) - 1.0


class Trainer:
    """One set of nets being trained.

    Parameters
    ----------
    moments
        What they are trained on; on the device where the work is done.
    sizes, recipe
        Of the nets, and how.
    """

    def __init__(self, moments: Moments, sizes: Sizes, recipe: Recipe) -> None:
        self.recipe, self.moments, self.step = recipe, moments, 0
        self.net = new_net(sizes, recipe.seed, attention=recipe.attention).to(moments.features.device)
        self._optimiser = torch.optim.AdamW(self.net.parameters(), recipe.rate, weight_decay=recipe.decay, fused=True)
        self._sampler = Sampler(moments.hearing.cpu().numpy(), recipe.seconds, recipe.batch)

    def advance(self, steps: int) -> None:
        """Take so many steps."""
        self.net.train()
        for _ in range(steps):
            generator = np.random.default_rng((self.recipe.seed, self.step))
            items = torch.from_numpy(self._sampler.draw(generator)).to(self.moments.features.device)
            loss = self._loss(self.moments.take(items), generator)
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            self.step += 1

    def _loss(self, batch: Moments, generator: np.random.Generator) -> Tensor:
        recipe, net = self.recipe, self.net
        drawn = torch.Generator(device=batch.features.device).manual_seed(int(generator.integers(2**62)))
        batch = batch._replace(
            mask=_some_channels_left_out(batch.mask, recipe.channel_dropout, drawn),
            embedding=batch.embedding * _kept(batch.embedding, recipe.dropout, drawn),
        )
        features = batch.features * batch.mask.unsqueeze(-1)
        of_eeg, _ = net.eeg(features, batch.mask)
        eeg = net.heads(of_eeg * _kept(of_eeg, recipe.dropout, drawn))
        loss = supervised(eeg, batch.ratings)
        strength = schedule(self.step, recipe.steps)
        if recipe.people:
            scores = net.people(of_eeg, recipe.people * strength)
            loss = loss + functional.cross_entropy(scores, batch.person)
        if not recipe.sound:
            return loss
        of_sound = net.sound(batch.embedding)
        sound = net.heads(of_sound * _kept(of_sound, recipe.dropout, drawn))
        loss = loss + recipe.sound * supervised(sound, batch.ratings)
        if recipe.domain:
            loss = loss + self._of_domains(of_eeg, of_sound, recipe.domain * strength)
        if recipe.contrast:
            some = torch.from_numpy(generator.permutation(len(of_eeg))[:CONTRASTED]).to(of_eeg.device)
            own = (each[some] for each in (of_eeg, of_sound, batch.stimulus, batch.second))
            loss = loss + recipe.contrast * contrastive(*own)
        return loss

    def _of_domains(self, eeg: Tensor, sound: Tensor, strength: float) -> Tensor:
        scores = self.net.domains(torch.cat([eeg, sound]), strength)
        domain = torch.arange(2, device=eeg.device).repeat_interleave(len(eeg))
        return functional.cross_entropy(scores, domain)

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return all that goes on from here: weights, and the optimiser's two moments of each."""
        held = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        for number, moments in self._optimiser.state_dict()["state"].items():
            held |= {f"optimiser.{number}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        return {name: value.detach().cpu().numpy().copy() for name, value in held.items()}

    def restore(self, held: dict[str, NDArray[np.float32]], step: int) -> None:
        """Go on from what :meth:`state` returned at ``step``."""
        weights = {n.removeprefix("net."): torch.from_numpy(v.copy()) for n, v in held.items() if n.startswith("net.")}
        self.net.load_state_dict(weights)
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in held.items():
            if name.startswith("optimiser."):
                _, number, part = name.split(".")
                state.setdefault(int(number), {})[part] = torch.from_numpy(value.copy())
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": state})
        self.step = step


def supervised(told: Told, ratings: Tensor) -> Tensor:
    """Return the loss of what is told of moments against their ratings (B, 2), NaN where there is none.

    The sum of the cross-entropy of being above the scale's middle (a rating on it is neither) and of the squared error,
    each the mean over what there is.
    """
    there = torch.isfinite(ratings)
    known = torch.where(there, ratings, torch.zeros_like(ratings))
    sided = (known != 0).to(known.dtype)
    crossed = functional.binary_cross_entropy_with_logits(told.logits, (known > 0).to(known.dtype), reduction="none")
    counted = there.to(known.dtype)
    squared = (told.rating - known) ** 2 * counted
    return (crossed * sided).sum() / sided.sum().clamp_min(1) + squared.sum() / counted.sum().clamp_min(1)


def contrastive(eeg: Tensor, sound: Tensor, stimulus: Tensor, second: Tensor) -> Tensor:
    """Return the contrastive loss between EEG and sound (B, D) of B moments, both ways (InfoNCE).

    Of a moment's EEG its own sound is to be the nearest, and so back. The same second of the same sound, heard by
    others, is as right; other seconds of the same sound are neither right nor wrong.
    """
    similar = functional.normalize(eeg, dim=1) @ functional.normalize(sound, dim=1).T / CONTRAST_TEMPERATURE
    same = stimulus[:, None] == stimulus
    right = same & (second[:, None] == second)
    wrong_or_right = similar.masked_fill(same & ~right, -torch.inf)
    only_right = similar.masked_fill(~right, -torch.inf)
    losses = [wrong_or_right.logsumexp(dim=way) - only_right.logsumexp(dim=way) for way in (0, 1)]
    return torch.stack(losses).mean()


def _kept(values: Tensor, dropout: float, drawn: torch.Generator) -> Tensor:
    """Return what values are multiplied by so that a share is dropped (Srivastava et al., *JMLR* 15, 2014)."""
    kept = torch.rand(values.shape, generator=drawn, device=values.device) >= dropout
    return kept.to(values.dtype) / (1 - dropout)


def _some_channels_left_out(mask: Tensor, share: float, drawn: torch.Generator) -> Tensor:
    """Return ``mask`` (B, T, C) without some channels for all seconds, as if they were bad; never without all."""
    kept = (torch.rand((len(mask), 1, mask.shape[2]), generator=drawn, device=mask.device) >= share).to(mask.dtype)
    left = mask * kept
    return torch.where(left.amax(dim=(1, 2), keepdim=True) > 0, left, mask)
