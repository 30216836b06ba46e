"""The command ``simulate``: a synthetic study on disk."""

from __future__ import annotations

import time
from pathlib import Path

import click

from rtaffect.cli.simulate_prosody import write_prosody
from rtaffect.common.errors import SettingsError
from rtaffect.common.given import refuse_given
from rtaffect.common.option_types import PATH, Number, Whole
from rtaffect.common.places import check_new_folder
from rtaffect.common.terminal import Terminal
from rtaffect.observed.operator_file import load_operator
from rtaffect.predicted.featurizer import ALL_CORES, featurizer_for
from rtaffect.simulation.cohort import CohortSettings
from rtaffect.simulation.head import region_head
from rtaffect.simulation.study import MOST_LISTENERS, MOST_SOUND_S, MOST_SOUNDS, QUICK, StudySettings, SyntheticStudy

_OF_PEOPLE = ("listeners", "sounds", "sound_seconds", "seed", "strength", "head", "featurizer", "quick")


@click.command()
@click.option("--out", required=True, type=PATH, help="New folder for the study.")
@click.option(
    "--prosody",
    is_flag=True,
    help="In place of people, the same spoken words with pitch, rate and loudness changed: what a featurizer hears of "
    "words, and of how they are said.",
)
@click.option("--speech", type=PATH, multiple=True, help="Of --prosody: recording of speech; default: a reading.")
@click.option("--listeners", type=Whole(3, MOST_LISTENERS), help="People; default 12.")
@click.option("--sounds", type=Whole(1, MOST_SOUNDS), help="Soundtracks to fit on; default 6. One more is left out.")
@click.option("--sound-seconds", type=Number(30, MOST_SOUND_S), help="Length of each; default 120.")
@click.option("--seed", type=Whole(0, 2**63 - 1), default=7, show_default=True, help="Another seed, other people.")
@click.option(
    "--strength",
    type=Number(0, 1, between=True),
    default=0.05,
    show_default=True,
    help="Typical pairwise correlation of a patch's activity.",
)
@click.option(
    "--head",
    type=PATH,
    help="Space operator of `headmodel`: its electrodes, and a planted course in each of its brain regions; default: a "
    "sphere with 24 electrodes and ten patches.",
)
@click.option("--featurizer", type=PATH, help="ONNX featurizer, or an embedded one's name; default: moonshine-tiny.")
@click.option("--quick", is_flag=True, help="8 listeners, 4 soundtracks of 75 s.")
def command(
    out: Path,
    prosody: bool,
    speech: tuple[Path, ...],
    listeners: int | None,
    sounds: int | None,
    sound_seconds: float | None,
    seed: int,
    strength: float,
    head: Path | None,
    featurizer: Path | None,
    quick: bool,
) -> None:
    """Write a study whose truth is known: sounds, one XDF recording per listener, truth.tsv and study.toml."""
    console, begin = Terminal(), time.perf_counter()
    if (out / "study.toml").exists():
        raise SettingsError(f"--out {out} already holds a study; name a new folder, nothing is overwritten")
    check_new_folder(out, "--out")
    if prosody:
        refuse_given(_OF_PEOPLE, "is of a study of people, not of --prosody")
        console.print(f"prosody {out} in {time.perf_counter() - begin:.1f} s: {write_prosody(out, speech)}")
        return
    refuse_given(("speech",), "is for --prosody")
    size = QUICK if quick else StudySettings()
    asked = {"listeners": listeners, "sounds": sounds, "sound_s": sound_seconds}
    settings = size.model_copy(
        update={k: v for k, v in asked.items() if v is not None}
        | {"cohort": CohortSettings(seed=seed, strength=strength)}
    )
    simulated = None if head is None else region_head(load_operator(head), seed)
    with console.status("getting ready") as status:
        made = featurizer_for(featurizer, ALL_CORES, status.update)
        study = SyntheticStudy(settings, made, status.update, simulated)
        study.write(out, status.update)
    truth = study.cohort.truth(study.sounds()[0].sha256, study.features[study.sounds()[0].name])
    console.print(
        f"study {out} in {time.perf_counter() - begin:.1f} s: {settings.listeners} listeners, {settings.sounds} "
        f"soundtracks of {settings.sound_s:g} s and one of {settings.spare_s:g} s left out of the fit; planted "
        f"pairwise correlation at the electrodes {truth.mean():.3f} on average"
    )
