"""Of a session plan: what is predicted with and compared against, and the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rtaffect.common.rating_scale import MOST_LAG_S, REACTION_LAG_S
from rtaffect.plan.plan_part import PlanPart
from rtaffect.plan.setting import MODES, Setting


class AnalysisPlan(PlanPart):
    """What is predicted with and compared against."""

    bundle: Annotated[Path | None, Setting("bundle", "&Bundle")] = Field(
        None,
        description="Bundle to predict with and compare against; without one there is no prediction. 'demo' is the "
        "demo's, which is synthetic",
    )
    featurizer: Annotated[Path | None, Setting("featurizer", "Featuri&zer", modes=MODES)] = Field(
        None, description="ONNX featurizer, or an embedded one's name; default: moonshine-tiny"
    )
    threads: Annotated[
        int, Setting("threads", "Threads", expected="a whole number of processor threads, as in 1", modes=MODES)
    ] = Field(1, ge=1, le=256, description="Processor threads of the featurizer; leave cores for the rest")
    elements: Annotated[
        Literal["auto", "on", "off"],
        Setting(
            "elements",
            "Elements",
            modes=MODES,
            bare="on",
            metavar="[auto|on|off]",
            other_help={
                "demo": "The demo of voice and background, each with a prediction of its own",
            },
        ),
    ] = Field(
        "auto",
        description="Predict from voice and background, too, where the bundle has weights for them; auto: where that "
        "is possible, on (also without a value): or do not begin",
    )
    against: Annotated[Literal["auto", "reference", "group"], Setting("against", "&Compare with")] = Field(
        "auto", description="Compare people with the bundle's reference group, or with each other"
    )
    rating_lag_s: Annotated[
        float,
        Setting("rating-lag", "Rating lag", unit="s", expected="a number of seconds from 0 to 8, as in 3"),
    ] = Field(
        REACTION_LAG_S,
        ge=0.0,
        le=MOST_LAG_S,
        allow_inf_nan=False,
        description="How late the participant's rating is behind the sound, s. Predicted ratings are as late as the "
        "bundle's were, and the earlier of both waits for the later. 3 s lies among the 1 to 6 s that Mariooryad & "
        "Busso (2015) found",
    )
    mains: Annotated[float | None, Setting("mains", "&Mains", expected="50 or 60 (Hz), or 0 for no notch")] = Field(
        None, ge=0, le=1000, description="Mains frequency, Hz; 0: none [default: 50]. A bundle brings its own"
    )
    settings: Annotated[Path | None, Setting("settings", "Settings")] = Field(
        None, description="TOML with settings that are not to have their default. A bundle brings its own"
    )
    head: Annotated[Path | None, Setting("head", "Operator")] = Field(
        None, description="Space operator (of headmodel): rows are brain regions. A bundle brings its own space"
    )
    measures: Annotated[tuple[str, ...], Setting("measure", "Measures", modes=MODES, metavar="NAME", multiple=True)] = (
        Field(
            (),
            description="Own measure beside synchrony: plv, ccorr, imcoh, envcorr, the name that an installed package "
            "gives one, or FILE.py:CLASS; may be given several times",
        )
    )
    measure_bands: Annotated[
        tuple[str, ...], Setting("measure-band", "in bands", modes=MODES, metavar="HZ", multiple=True)
    ] = Field(("8-12",), description="Band of measures that are of one, as in 8-12 (Hz); may be given several times")
    affect: Annotated[
        Path | None,
        Setting(
            "affect",
            "Affect bundle",
            modes=MODES,
            bare="demo",
            bare_modes=("demo",),
            metavar="PATH",
            other_help={
                "demo": "Bundle of affect that reads the demo's participant beside synchrony; without a value, or "
                "'demo': the demo of valence and arousal, with a synthetic bundle and a participant of its own",
            },
        ),
    ] = Field(
        None,
        description="Bundle of affect: valence and arousal from EEG and sound, alone or beside synchrony. 'demo' is "
        "the demo's, which is synthetic",
    )
    library: Annotated[Path | None, Setting("library", "Library", modes=MODES)] = Field(
        None,
        description="Folder of sounds of which those nearest to a person's EEG are named; needs a bundle of affect. "
        "The demo's brings its own",
    )
    affect_rest_s: Annotated[
        int | None,
        Setting(
            "affect-rest",
            "Rest at first",
            unit="s",
            metavar="SECONDS",
            expected="whole seconds from 5 to 3600, as in 60",
            modes=MODES,
        ),
    ] = Field(
        None,
        ge=5,
        le=3600,
        description="So many first seconds people rest, s: what a bundle of affect subtracts. A protocol's blocks of "
        "rest say it themselves",
    )


class ProtocolPlan(PlanPart):
    """The protocol, and whose feedback the participant gets."""

    file: Annotated[Path | None, Setting("protocol", "&Protocol", "protocol", modes=("live",))] = Field(
        None, description="Protocol of the session (TOML); without one: one block without an end"
    )
    allocation: Annotated[Path | None, Setting("allocation", "&Allocation", modes=("live",))] = Field(
        None, description="Sealed allocation of participants to arms"
    )
    session_code: Annotated[
        str | None, Setting("session-code", "Session code", "session_code", modes=("live",), metavar="CODE")
    ] = Field(
        None,
        description="Code that opens the participant's entry in the sealed allocation; it is not written anywhere",
    )
    screen: Annotated[int | None, Setting("screen", "Sho&wn on", modes=("live", "demo"))] = Field(
        None, ge=0, le=63, description="Screen of the participant's view, counted from 0; without it there is none"
    )
    preview: Annotated[bool, Setting("preview", "as a small window, to look at it", modes=("live", "demo"))] = Field(
        False, description="The participant's view as a small window"
    )
    tone_device: Annotated[str | None, Setting("tone-device", "Tone on", modes=("live", "demo"))] = Field(
        None, description="Sound device of a protocol's feedback tone"
    )
    photodiode: Annotated[Literal["none", "second", "start"], Setting("photodiode", "Photodiode", modes=("live",))] = (
        Field(
            "none",
            description="Square at the lower left of a film, for a photodiode; second: white in its first, third, ... "
            "second, start: white in its first second",
        )
    )
    screen_delay_s: Annotated[
        float,
        Setting(
            "screen-delay",
            "Screen delay",
            unit="s",
            modes=("live",),
            expected="a number of seconds from 0 to 1, as in 0.03",
        ),
    ] = Field(
        0.0,
        ge=0.0,
        le=1.0,
        allow_inf_nan=False,
        description="How much later the participant's screen shows what it is given, s, as a photodiode measured it",
    )
