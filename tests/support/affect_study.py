"""A study of affect whose truth is known: what valence and arousal do to EEG and to sound is planted, or is not."""

from __future__ import annotations

import numpy as np

from calibration.affect.study import AffectStudy, Scale
from rtaffect.affect.settings import AffectSettings


def planted_study(
    people: int = 6,
    sounds: int = 9,
    seconds: int = 6,
    channels: int = 6,
    *,
    embedding: int = 20,
    effect: float = 0.6,
    own: float = 0.5,
    of_sound: float = 1.0,
    signature: float = 0.0,
    seed: int = 0,
) -> AffectStudy:
    """Return a study of complete hearings.

    Parameters
    ----------
    people, sounds, seconds, channels, embedding
        How many; ``embedding`` is the length of a sound's vector.
    effect
        Change of the features that matter for one unit of a rating, in standard deviations of their noise.
    own
        Spread of what a person feels beside what others feel; that of the sounds is 0.6.
    of_sound
        Change of the embeddings for one unit of what a sound makes people feel, in their standard deviations.
    signature
        Spread of what a sound does to everybody's features, whatever it makes them feel.
    """
    rng = np.random.default_rng(seed)
    sides = np.array([(v, a) for v in (-1, 1) for a in (-1, 1)] * (sounds // 4 + 1), float)[:sounds]
    felt = np.clip(0.5 * sides + 0.3 * rng.standard_normal((sounds, 2)), -0.95, 0.95)
    ratings = np.clip(felt + own * rng.standard_normal((people, sounds, 2)), -1, 1)
    pattern = rng.standard_normal((2, channels, 4)) * (rng.random((2, channels, 4)) < 0.4)
    of_person = pattern * (1 + 0.4 * rng.standard_normal((people, 2, channels, 4)))
    level = 0.2 * rng.standard_normal((people, 1, 1, 1, channels, 4))
    planted = effect * np.einsum("psk,pkcf->pscf", ratings, of_person)
    planted += signature * rng.standard_normal((sounds, channels, 4))
    course = planted[:, :, None] + rng.standard_normal((people, sounds, seconds + 2, channels, 4))
    eeg = np.stack([course[:, :, i : i + 3] for i in range(seconds)], axis=2) + level
    vector = of_sound * felt @ rng.standard_normal((2, embedding)) + rng.standard_normal((sounds, embedding))
    sound = vector[:, None] + 0.5 * rng.standard_normal((sounds, seconds, embedding))
    mask = rng.random(eeg.shape[:-1]) > 0.05
    person, stimulus, second = (each.ravel() for each in np.indices((people, sounds, seconds)))
    return AffectStudy(
        eeg=np.where(mask[..., None], eeg, 0.0).reshape(-1, 3, channels, 4).astype(np.float32),
        mask=mask.reshape(-1, 3, channels),
        sound=np.broadcast_to(sound, (people, *sound.shape)).reshape(-1, embedding).astype(np.float32),
        person=person,
        stimulus=stimulus,
        second=second + 1,
        valence=ratings[person, stimulus, 0],
        arousal=ratings[person, stimulus, 1],
        people=tuple(f"p{i}" for i in range(people)),
        stimuli=tuple(f"s{i}" for i in range(sounds)),
        channels=tuple(f"E{i}" for i in range(channels)),
        settings=AffectSettings(),
        scale=Scale(1.0, 5.0, 9.0),
        embedding="planted",
        embedding_sha256="0" * 64,
        synthetic=True,
        name="planted",
    )
