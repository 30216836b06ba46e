"""The nets of affect: EEG and sound on their ways into one space, and what is read from there.

A reconstruction of Avramidis, Garoufis, Zlatintsi & Maragos, *Enhancing Affective Representations of Music-Induced EEG
through Multimodal Supervision and Latent Domain Adaptation*, ICASSP 2022 (arXiv 2202.09750), by its text: a recurrent
encoder of band features with attention, a branch for a frozen embedding of sound, one space for both, one set of heads
on it, and a discriminator of the two behind a reversed gradient.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

#: Valence and arousal.
OUTPUTS: Final = 2
#: Width of the attention's own layer.
ATTENTION: Final = 8
#: What nothing is divided by: sums of weights of what counts, where nothing does.
TINY: Final = 1e-12


class Sizes(NamedTuple):
    """T seconds, C channels, F bands, E values of a sound's embedding, people, hidden units H, shared space D."""

    seconds: int
    channels: int
    bands: int
    embedding: int
    people: int
    hidden: int = 32
    shared: int = 32


class Told(NamedTuple):
    """What a branch tells of B moments: ``shared`` (B, D), ``logits`` (B, 2) and ``rating`` (B, 2) in -1..1."""

    shared: Tensor
    logits: Tensor
    rating: Tensor


def share(scores: Tensor, counts: Tensor) -> Tensor:
    """Return the softmax of ``scores`` (..., n) over what ``counts`` (..., n), 1 or 0; all 0 where nothing does.

    Scores are those of a bounded layer, so that their exponentials need no shift.
    """
    weight = scores.exp() * counts
    return weight / weight.sum(dim=-1, keepdim=True).clamp_min(TINY)


class EegEncoder(nn.Module):
    """From T seconds of band features to the shared space: a long short-term memory with attention.

    The attention is over channels in each second, and over seconds: softmaxes over what counts, of learnt scores. Of
    the channels of a second, features times attention (times C, so that an even one changes nothing) go in; a second
    without any channel leaves the state as it was (Hochreiter & Schmidhuber, *Neural Computation* 9, 1997; Bahdanau,
    Cho & Bengio, ICLR 2015, for additive scores).

    Parameters
    ----------
    sizes
        Of everything.
    attention
        Whether attention is learnt; else all that counts has the same.
    """

    def __init__(self, sizes: Sizes, *, attention: bool = True) -> None:
        super().__init__()
        self.sizes, self.attention = sizes, attention
        self.of_features = nn.Linear(sizes.bands, ATTENTION)
        self.of_place = nn.Parameter(torch.zeros(sizes.channels, ATTENTION))
        self.channel_score = nn.Parameter(torch.zeros(ATTENTION))
        self.inputs = nn.Linear(sizes.channels * sizes.bands, 4 * sizes.hidden)
        self.state = nn.Linear(sizes.hidden, 4 * sizes.hidden, bias=False)
        self.of_state = nn.Linear(sizes.hidden, ATTENTION)
        self.second_score = nn.Parameter(torch.zeros(ATTENTION))
        self.project = nn.Linear(sizes.hidden, sizes.shared)
        with torch.no_grad():
            # A cell keeps what it has until it learns to forget (Jozefowicz et al., ICML 2015).
            self.inputs.bias[sizes.hidden : 2 * sizes.hidden] += 1.0

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shared space's vectors (B, D) and the attention (B, T, C), which sums to 1 over what counts.

        Parameters
        ----------
        features
            (B, T, C, F), normalised, 0 where masked.
        mask
            (B, T, C), 1 where it counts.
        """
        sizes = self.sizes
        over_channels = share(self._channel_scores(features), mask)
        weighted = features * (over_channels * sizes.channels).unsqueeze(-1)
        gates = self.inputs(weighted.flatten(2))
        there = mask.amax(dim=2)
        states = self._states(gates, there)
        over_seconds = share(self._second_scores(states), there)
        context = (states * over_seconds.unsqueeze(-1)).sum(dim=1)
        return self.project(context), over_seconds.unsqueeze(-1) * over_channels

    def _channel_scores(self, features: Tensor) -> Tensor:
        if not self.attention:
            return torch.zeros_like(features[..., 0])
        return torch.tanh(self.of_features(features) + self.of_place) @ self.channel_score

    def _second_scores(self, states: Tensor) -> Tensor:
        if not self.attention:
            return torch.zeros_like(states[..., 0])
        return torch.tanh(self.of_state(states)) @ self.second_score

    def _states(self, gates: Tensor, there: Tensor) -> Tensor:
        """Return the states (B, T, H) after each second; ``there`` (B, T) is 1 where any channel counts."""
        state = gates.new_zeros(len(gates), self.sizes.hidden)
        cell, states = state, []
        for second in range(self.sizes.seconds):
            into, keep, new, out = (gates[:, second] + self.state(state)).chunk(4, dim=1)
            counts = there[:, second, None]
            after = torch.sigmoid(keep) * cell + torch.sigmoid(into) * torch.tanh(new)
            cell = counts * after + (1 - counts) * cell
            state = counts * torch.sigmoid(out) * torch.tanh(cell) + (1 - counts) * state
            states.append(state)
        return torch.stack(states, dim=1)


class SoundEncoder(nn.Module):
    """From a sound's embedding to the shared space: one hidden layer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.inside = nn.Linear(sizes.embedding, sizes.hidden)
        self.project = nn.Linear(sizes.hidden, sizes.shared)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return the shared space's vectors (B, D) of normalised embeddings (B, E)."""
        shared: Tensor = self.project(torch.tanh(self.inside(embedding)))
        return shared


class Heads(nn.Module):
    """Valence and arousal of a point of the shared space, the same for both branches."""

    def __init__(self, shared: int) -> None:
        super().__init__()
        self.logits = nn.Linear(shared, OUTPUTS)
        self.rating = nn.Linear(shared, OUTPUTS)

    def forward(self, shared: Tensor) -> Told:
        """Return what is told of vectors (B, D)."""
        return Told(shared, self.logits(shared), torch.tanh(self.rating(shared)))


class Discriminator(nn.Module):
    """Tells of which domain points of the shared space are; any number of them at once."""

    def __init__(self, shared: int, classes: int) -> None:
        super().__init__()
        self.inside = nn.Linear(shared, shared)
        self.out = nn.Linear(shared, classes)

    def forward(self, shared: Tensor, strength: float) -> Tensor:
        """Return scores (B, classes) of vectors (B, D), whose gradient goes back reversed, times ``strength``."""
        scores: Tensor = self.out(torch.relu(self.inside(reversed_gradient(shared, strength))))
        return scores


def reversed_gradient(values: Tensor, strength: float) -> Tensor:
    """Return ``values``, whose gradient is -``strength`` times what comes back (Ganin et al., *JMLR* 17, 2016)."""
    return values.detach() * (1 + strength) - values * strength


class AffectNet(nn.Module):
    """All nets of affect.

    Attributes
    ----------
    eeg, sound
        The encoders.
    heads
        What is read from the shared space, of either.
    domains
        Tells EEG from sound.
    people
        Tells people from each other, by their EEG.
    """

    def __init__(self, sizes: Sizes, *, attention: bool = True) -> None:
        super().__init__()
        self.sizes = sizes
        self.eeg = EegEncoder(sizes, attention=attention)
        self.sound = SoundEncoder(sizes)
        self.heads = Heads(sizes.shared)
        self.domains = Discriminator(sizes.shared, 2)
        self.people = Discriminator(sizes.shared, max(2, sizes.people))

    def of_eeg(self, features: Tensor, mask: Tensor) -> tuple[Told, Tensor]:
        """Return what EEG tells, and the attention (B, T, C); shapes as in :meth:`EegEncoder.forward`."""
        shared, attention = self.eeg(features, mask)
        return self.heads(shared), attention

    def of_sound(self, embedding: Tensor) -> Told:
        """Return what sound tells of embeddings (B, E)."""
        told: Told = self.heads(self.sound(embedding))
        return told


def new_net(sizes: Sizes, seed: int, *, attention: bool = True) -> AffectNet:
    """Return nets with the first weights that ``seed`` gives; torch's own state of chance stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = AffectNet(sizes, attention=attention)
        with torch.no_grad():
            for name, weight in net.named_parameters():
                if name.endswith("_score") or name.endswith("of_place"):
                    weight.normal_(0.0, 0.1)
    return net
