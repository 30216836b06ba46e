"""Affect of people whom the bundle does not know: how often values are shown, and how often their sign is wrong.

Run as ``python -m bench.affect_unlike``. The bundle is the demo's (or ``--bundle``, of people simulated with the same
seed), the people are the next ones of the simulation, and others that are made unlike any: their band entropies are
moved, as by closed eyes at rest or by a tense jaw. Signs are of what the person was made to feel, where that is off the
scale's middle by ``OFF`` or more; r is within each person, over all seconds and both dimensions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from calibration.affect.demo import HEARD, REST_S, TRAINED
from calibration.affect.eeg import LEAD_S, Features, eeg_features, rest_mean, sequences
from rtaffect.affect.fusion import EEG, estimate_of
from rtaffect.affect.lasting import Lasting
from rtaffect.affect.loaded import LoadedAffect, load_affect
from rtaffect.affect.settings import AffectSettings
from rtaffect.run.demo_material import affect_demo_folder
from rtaffect.simulation.affect import AffectivePerson
from rtaffect.simulation.affect_study import SyntheticAffectStudy
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo
from tests.support.helpers import quiet

OFF = 0.1
Change = Callable[[np.ndarray, LoadedAffect], np.ndarray]


def moved(by: dict[str, float], where: str = "") -> Change:
    """Return what adds so many nats to bands of the channels whose names begin with one of the letters of ``where``."""

    def change(features: np.ndarray, model: LoadedAffect) -> np.ndarray:
        manifest, changed = model.bundle.manifest, features.copy()
        places = [i for i, name in enumerate(manifest.channels) if not where or name[0] in where]
        for number, band in enumerate(manifest.settings.bands):
            changed[..., places, number] += by.get(band.name, 0.0)
        return changed

    return change


#: How people are made unlike those of the training set.
KINDS: dict[str, Change] = {
    "of the same kind": lambda features, _: features,
    "eyes half closed at rest": moved({"alpha": -0.6}, "PO"),
    "eyes closed at rest": moved({"alpha": -1.2}, "PO"),
    "drowsy": moved({"theta": 0.8, "alpha": 0.5, "beta": -0.4}),
    "tense jaw": lambda features, model: moved({"gamma": 1.0, "beta": 0.7}, "T")(
        moved({"gamma": 0.5})(features, model), model
    ),
    "twice as strong": lambda features, _: 2 * features,
    "reversed": lambda features, _: -features,
}


def features_of(person: int, settings: AffectSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sequences (n, T, C, F), nats, less the rest, their mask, and what the person feels at each (n, 2)."""
    heard = SyntheticAffectStudy(HEARD)
    felt = np.concatenate([heard.felt(person, stimulus) for stimulus in heard.stimuli])
    course = np.concatenate([np.zeros((LEAD_S + REST_S, 2)), felt, np.zeros((3, 2))])
    who = AffectivePerson(TRAINED.eeg, person)
    samples = who.eeg(*course.T)
    source = ArraySource(StreamInfo("p", "eeg", TRAINED.eeg.rate_hz, who.channels, "simulated", "p"), samples, 0.0)
    seconds = REST_S + len(felt)
    whole: Features = eeg_features(source, LEAD_S, seconds, who.channels, settings).last(seconds)
    rest = rest_mean([whole.part(0, REST_S)], settings, "p")
    ends = list(range(REST_S + 1, seconds + 1))
    return *sequences(whole, rest, ends, settings.sequence_s), felt


def shown(model: LoadedAffect, features: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ratings (n, 2) of all seconds, and which of them a session shows (n,)."""
    tensors, person, ratings, there = model.bundle.tensors, Lasting(), [], []
    for step, (sequence, counts) in enumerate(zip(features, mask, strict=True), 1):
        heads, _ = model.heads_of_eeg(sequence, counts)
        estimate = person(step, estimate_of(heads, tensors, EEG), heads.distances, tensors.eeg_lasting)
        ratings.append(heads.rating)
        there.append(estimate.there)
    return np.array(ratings), np.array(there)


def main() -> None:
    """Print a line for each kind of people."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--first", type=int, default=TRAINED.people, help="number of the first person")
    given = parser.parse_args()
    folder = given.bundle if given.bundle is not None else affect_demo_folder(None, quiet) / "affect"
    model = load_affect(folder, quiet)
    settings = model.bundle.manifest.settings.model_copy(update={"baseline_s": REST_S})
    people = [features_of(given.first + number, settings) for number in range(given.people)]
    tensors = model.bundle.tensors
    print(f"limits {tensors.eeg_novelty.limits.round(2)}, lasting {tensors.eeg_lasting.round(2)}")
    for name, change in KINDS.items():
        wrong, r, kept, masked = [], [], [], 0
        for features, mask, felt in people:
            ratings, there = shown(model, np.where(mask[..., None], change(features, model), 0.0), mask)
            off = np.abs(felt) >= OFF
            wrong.append(np.where(off, np.sign(ratings) != np.sign(felt), np.nan))
            r += [np.corrcoef(ratings[:, i], felt[:, i])[0, 1] for i in range(2)]
            kept.append(there)
            masked += there.mean() < 0.5
        of_all, told = np.concatenate(wrong), np.concatenate(kept)
        of_shown = f"{np.nanmean(of_all[told]):.2f}" if told.any() else "n/a"
        print(
            f"{name}: shown in {told.mean():.2f} of the seconds, {masked} of {given.people} people less than half; "
            f"sign wrong in {of_shown} of what is shown, {np.nanmean(of_all):.2f} of all; median r {np.median(r):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
