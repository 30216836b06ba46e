"""Affect where there is none: how often a study without any relation passes for one with it.

Run as ``python -m bench.affect_null --seeds 20``. In studies without relation neither EEG nor sound has anything of the
ratings; EEG has what a sound does to everybody, and the ratings of a sound agree between people, so that a model that
learnt which sound is heard, or an interval over people, would find something. p is of exchanged ratings.

By default the studies are arrays. With ``--simulated`` they are those of ``simulate --affect --relation 0 --quick``,
written to files and read as ``affect`` reads a study: music that musicnn embeds, EEG through the filters of a session.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from calibration.affect.command import affect_settings
from calibration.affect.embedder import embedding_for
from calibration.affect.reading import read_affect
from calibration.affect.study import AffectStudy
from calibration.affect.validation import Plan, validate
from rtaffect.simulation.affect import AffectiveSettings
from rtaffect.simulation.affect_study import QUICK, SyntheticAffectStudy
from tests.support.affect_study import planted_study
from tests.support.helpers import quiet

SIZE = {"people": 6, "sounds": 8, "seconds": 4, "channels": 5}
#: A model that is fitted fast: what is asked is how often p is small, not how much is found.
CHOICES = (("splits", 1), ("steps", 40), ("patience", 3))
SCHEMES, SOURCES = ("new sounds", "both new"), ("eeg", "sound")


def arrays(seeds: range) -> Iterator[AffectStudy]:
    """Make studies of planted arrays."""
    for seed in seeds:
        yield planted_study(**SIZE, effect=0.0, of_sound=0.0, own=0.3, signature=0.7, seed=seed)


def simulated(seeds: range) -> Iterator[AffectStudy]:
    """Make studies of files, as ``simulate --affect --relation 0 --quick --seed N`` does, and read them."""
    settings = affect_settings(None)
    reader = embedding_for(settings, 1, quiet)
    for seed in seeds:
        made = QUICK.model_copy(update={"relation": 0.0, "eeg": AffectiveSettings(seed=seed)})
        with tempfile.TemporaryDirectory() as folder:
            SyntheticAffectStudy(made).write(Path(folder), quiet)
            yield read_affect(Path(folder), settings, quiet, embedding=reader).usable()


def main() -> None:
    """Print the share of small p."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--draws", type=int, default=9)
    parser.add_argument("--simulated", action="store_true")
    given = parser.parse_args()
    begin = time.process_time()
    plan = Plan(folds=(2, 2), draws=given.draws, ablations=False, choices=CHOICES)
    p: dict[tuple[str, str, str], list[float]] = {}
    outside: list[bool] = []
    make, seeds = simulated if given.simulated else arrays, range(given.first, given.first + given.seeds)
    for seed, study in zip(seeds, make(seeds), strict=True):
        found = validate(study, plan)
        for row in found.rows:
            if row.scheme in SCHEMES and row.source in SOURCES and row.measure != "r beyond others":
                p.setdefault((row.scheme, row.source, row.measure), []).append(row.chance.p)
                if row.measure == "r":
                    outside.append(row.found.low > 0)
        values = np.concatenate(list(p.values()))
        print(
            f"seed {seed}: so far p <= .05 in {(values <= 0.05).mean():.3f} of {len(values)}, mean p "
            f"{np.nanmean(values):.2f}, interval above 0 in {np.mean(outside):.3f}; "
            f"{time.process_time() - begin:.0f} s of processor",
            flush=True,
        )
    for names, values in p.items():
        there = np.array(values)[np.isfinite(values)]
        error = np.sqrt(0.05 * 0.95 / len(there))
        print(f"{', '.join(names)}: p <= .05 in {(there <= 0.05).mean():.3f} of {len(there)} (SE {error:.3f})")
    every = np.concatenate(list(p.values()))
    every = every[np.isfinite(every)]
    print(f"all: p <= .05 in {(every <= 0.05).mean():.3f} of {len(every)}, mean p {every.mean():.2f} (nominal .5)")
    print(f"interval of r over people above 0, which is no test: {np.mean(outside):.3f} of {len(outside)}")
    print(f"{time.process_time() - begin:.0f} s of processor")


if __name__ == "__main__":
    main()
