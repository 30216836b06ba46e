"""The command ``simulate``: a synthetic study of synchrony, or of affect, on disk."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import click
from pydantic import ValidationError

from rtaffect.cli.simulate_prosody import write_prosody
from rtaffect.common.errors import SettingsError
from rtaffect.common.given import refuse_given
from rtaffect.common.mistakes import mistakes
from rtaffect.common.option_types import PATH, Number, Whole
from rtaffect.common.places import check_new_folder
from rtaffect.common.settings import Frozen
from rtaffect.common.terminal import Terminal
from rtaffect.observed.operator_file import load_operator
from rtaffect.predicted.featurizer import featurizer_for
from rtaffect.simulation.affect import MOST_STRENGTH
from rtaffect.simulation.affect_study import MOST_STIMULI, AffectStudySettings, SyntheticAffectStudy
from rtaffect.simulation.affect_study import QUICK as QUICK_AFFECT
from rtaffect.simulation.elements import ElementSettings
from rtaffect.simulation.head import SimulatedHead, region_head
from rtaffect.simulation.study import MOST_LISTENERS, MOST_SOUND_S, QUICK, StudySettings, SyntheticStudy

_Settings = TypeVar("_Settings", bound=Frozen)
#: Options that a study of affect has no use for.
_SYNCHRONY = ("head", "featurizer", "elements", "reverse_energies")
#: Options that words without people have no use for.
_PEOPLE = (
    "affect",
    "listeners",
    "sounds",
    "sound_seconds",
    "seed",
    "strength",
    "relation",
    "rated",
    "quick",
    *_SYNCHRONY,
)
#: What settings are called at the command line, if not by their names.
_OPTIONS = {"people": "--listeners", "stimuli": "--sounds", "seconds": "--sound-seconds", "sound_s": "--sound-seconds"}


@click.command()
@click.option("--out", required=True, type=PATH, help="New folder for the study.")
@click.option(
    "--prosody",
    is_flag=True,
    help="In place of people, the same spoken words with pitch, rate and loudness changed: what a featurizer hears of "
    "words, and of how they are said.",
)
@click.option("--speech", type=PATH, multiple=True, help="Of --prosody: recording of speech; default: a reading.")
@click.option("--affect", is_flag=True, help="Music, EEG and ratings with planted valence and arousal.")
@click.option("--listeners", type=Whole(3, MOST_LISTENERS), help="People; default 12, with --affect 16.")
@click.option(
    "--sounds",
    type=Whole(1, MOST_STIMULI),
    help="Soundtracks to fit on; default 6, and one more is left out. With --affect clips of music; default 24.",
)
@click.option("--sound-seconds", type=Number(8, MOST_SOUND_S), help="Length of each; default 120, with --affect 40.")
@click.option("--seed", type=Whole(0, 2**63 - 1), default=7, show_default=True, help="Another seed, other people.")
@click.option(
    "--strength",
    type=Number(0, MOST_STRENGTH, between=True),
    help="Typical pairwise correlation of a patch's activity, below 1; default 0.05. With --affect by how much the log "
    "power of a band changes for the highest rating; default 0.7.",
)
@click.option(
    "--relation",
    type=Number(0, 1),
    help="Of --affect: how closely ratings follow what is heard and felt, 0 not at all; default 1.",
)
@click.option(
    "--rated",
    type=click.Choice(["stimulus", "second"]),
    help="Of --affect: one rating of each stimulus, or one of each second; default: stimulus.",
)
@click.option(
    "--head",
    type=PATH,
    help="Space operator of `headmodel`: its electrodes, and a planted course in each of its brain regions; default: a "
    "sphere with 24 electrodes and ten patches.",
)
@click.option("--featurizer", type=PATH, help="ONNX featurizer, or an embedded one's name; default: moonshine-tiny.")
@click.option(
    "--elements",
    is_flag=True,
    help="Speech over music: voice and background drive regions of their own, each by its share of the energy.",
)
@click.option(
    "--reverse-energies",
    is_flag=True,
    help="With --elements: the background lies above the voice by what the voice lay above it.",
)
@click.option(
    "--quick", is_flag=True, help="8 listeners, 4 soundtracks of 75 s; with --affect 6 listeners, 12 clips of 20 s."
)
def command(
    out: Path,
    prosody: bool,
    speech: tuple[Path, ...],
    affect: bool,
    listeners: int | None,
    sounds: int | None,
    sound_seconds: float | None,
    seed: int,
    strength: float | None,
    relation: float | None,
    rated: Literal["stimulus", "second"] | None,
    head: Path | None,
    featurizer: Path | None,
    elements: bool,
    reverse_energies: bool,
    quick: bool,
) -> None:
    """Write a study whose truth is known: sounds, one XDF recording per listener, truth.tsv and study.toml."""
    console, begin = Terminal(), time.perf_counter()
    if (out / "study.toml").exists():
        raise SettingsError(f"--out {out} already holds a study; name a new folder, nothing is overwritten")
    check_new_folder(out, "--out")
    if prosody:
        refuse_given((*_PEOPLE, *_SYNCHRONY), "is of a study of people, not of --prosody")
        console.print(f"prosody {out} in {time.perf_counter() - begin:.1f} s: {write_prosody(out, speech)}")
        return
    refuse_given(("speech",), "is for --prosody")
    if affect:
        refuse_given(
            ("head", "featurizer", "elements", "reverse_energies"), "is of a study of synchrony, not of --affect"
        )
        # A whole number of seconds is one, however the option's type has it.
        whole = sound_seconds is not None and sound_seconds.is_integer()
        seconds = int(sound_seconds) if whole and sound_seconds is not None else sound_seconds
        asked = {"people": listeners, "stimuli": sounds, "seconds": seconds, "relation": relation, "rated": rated}
        size = QUICK_AFFECT if quick else AffectStudySettings()
        eeg = _changed(size.eeg, {"seed": seed, "strength": strength})
        said = _write_affect(out, _changed(size, {**asked, "eeg": eeg}), console)
    else:
        refuse_given(("relation", "rated"), "is for --affect")
        if not elements:
            refuse_given(("reverse_energies",), "is for sounds of voice and background; add --elements")
        asked = {"listeners": listeners, "sounds": sounds, "sound_s": sound_seconds}
        chosen = _changed(QUICK if quick else StudySettings(), asked)
        cohort = _changed(chosen.cohort, {"seed": seed, "strength": strength})
        parts = ElementSettings(reverse=reverse_energies) if elements else None
        simulated = None if head is None else region_head(load_operator(head), seed)
        settings = _changed(chosen, {"cohort": cohort, "elements": parts})
        said = _write_synchrony(out, settings, featurizer, simulated, console)
    console.print(f"study {out} in {time.perf_counter() - begin:.1f} s: {said}")


def _changed(settings: _Settings, asked: Mapping[str, object]) -> _Settings:
    """Return settings with what was asked for; SettingsError if it is out of bounds."""
    given = {name: value for name, value in asked.items() if value is not None}
    try:
        return type(settings).model_validate({**dict(settings), **given})
    except ValidationError as error:
        found = mistakes(error, type(settings))[0]
        option = _OPTIONS.get(found.where, f"--{found.where}")
        raise SettingsError(found.line(option), remedy="name another value") from None


def _write_synchrony(
    out: Path, settings: StudySettings, featurizer: Path | None, head: SimulatedHead | None, console: Terminal
) -> str:
    """Write a study of synchrony, and return what it is, in words."""
    with console.status("getting ready") as status:
        made = featurizer_for(featurizer, 1, status.update)
        study = SyntheticStudy(settings, made, status.update, head)
        study.write(out, status.update)
    truth = study.cohort.truth(study.sounds()[0].sha256, study.features[study.sounds()[0].name])
    return (
        f"{settings.listeners} listeners, {settings.sounds} soundtracks of {settings.sound_s:g} s and one of "
        f"{settings.spare_s:g} s left out of the fit; planted pairwise correlation at the electrodes "
        f"{truth.mean():.3f} on average"
    )


def _write_affect(out: Path, settings: AffectStudySettings, console: Terminal) -> str:
    """Write a study of affect, and return what it is, in words."""
    with console.status("getting ready") as status:
        SyntheticAffectStudy(settings).write(out, status.update)
    related = f"follow what is heard and felt to {settings.relation:g}" if settings.relation else "follow nothing"
    return (
        f"{settings.people} listeners, {settings.stimuli} clips of {settings.seconds} s; ratings of each "
        f"{settings.rated} {related}"
    )
