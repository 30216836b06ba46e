"""Of a session plan: which headsets, and what replaces their own description."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from rtaffect.common.errors import setting
from rtaffect.common.settings import Frozen
from rtaffect.plan.headset_plan import EXAMPLE, HeadsetPlan
from rtaffect.plan.setting import Setting

#: Steps can be let wait for so long, s.
LEAST_PATIENCE_S: Final = 0.1
MOST_PATIENCE_S: Final = 10.0


class EegPlan(Frozen):
    """Which headsets, and what replaces their own description."""

    streams: Annotated[tuple[str, ...], Setting("eeg", "&EEG streams", metavar="QUERY", multiple=True)] = Field(
        (),
        description="Headset: a stream's exact name, or name=, type= or source_id= and a value; may be given several "
        "times. Default: every stream of EEG",
    )
    boards: Annotated[tuple[str, ...], Setting("board", "Board", modes=("live",), metavar="TEXT", multiple=True)] = (
        Field(
            (),
            description="Headset without LSL, as in brainflow:muse_2, brainflow:cyton?serial_port=COM3 or "
            "fieldtrip:localhost:1972; may be given several times. LSL streams are then taken only where "
            f"{setting('eeg')} asks for them",
        )
    )
    channels: Annotated[tuple[str, ...], Setting("channels", "Channel &names", metavar="A,B,...")] = Field(
        (), description="Channel names in order, or a montage (1010-32, 1010-64), instead of the stream's own"
    )
    unit: Annotated[str | None, Setting("unit", "&Unit")] = Field(
        None, description="Unit of the EEG (V, mV, uV), instead of the stream's own"
    )
    rate: Annotated[float | None, Setting("rate", "Rate", unit="&Hz", expected="a number of Hz above 0, as in 250")] = (
        Field(None, gt=0, le=384_000, description="Rate of the EEG in Hz, instead of the declared one")
    )
    resync: Annotated[bool, Setting("resync", "resync other clocks", modes=("replay",))] = Field(
        False,
        description="Place headsets whose stamps are on a clock of their own by when their samples came, with the "
        "beginning of the others",
    )
    part: Annotated[
        int | None, Setting("part", "Part", modes=("replay",), expected="a whole number from 1, as in 2")
    ] = Field(
        None,
        ge=1,
        le=100_000,
        description="Of a recording with long holes, the part to be replayed; default: the one with the onset marker, "
        "else with the most EEG",
    )
    longest_hole_s: Annotated[float, Setting("longest-hole", modes=("replay",))] = Field(
        60.0, gt=0, le=86_400, description="Holes in a recording that last longer part it, s; none is waited through"
    )
    without: Annotated[tuple[str, ...], Setting("without", "Without channels", metavar="CH,...")] = Field(
        (), description="Channels that are left out"
    )
    only: Annotated[tuple[str, ...], Setting("only", "Only channels", metavar="CH,...")] = Field(
        (), description="The only channels that are used, also where they are taken for no EEG"
    )
    profile: Annotated[str | None, Setting("profile", "Device profile", metavar="NAME")] = Field(
        None,
        description="Device profile that says what streams do not say of themselves: a name, none, or a file (.toml). "
        "Default: the one that is recognised, for each stream",
    )
    headsets: Annotated[tuple[HeadsetPlan, ...], Setting("headset", "Appl&y to", metavar="TEXT", multiple=True)] = (
        Field(
            (),
            description="What replaces the description of one headset alone, in place of what is given for all: its "
            "exact name, or source_id= and a value, or a board's text, then a question mark and channels=, unit=, "
            f"rate=, without=, only= or profile=, as in '{EXAMPLE}'; may be given several times",
        )
    )
    expect: Annotated[tuple[str, ...], Setting("expect", modes=("live",), metavar="QUERY", multiple=True)] = Field(
        (),
        description="Headset that may come later: a stream's exact name, or source_id= and a value; may be given "
        "several times. It joins when it appears, with the channels and the rate that the others have",
    )
    adopt: Annotated[Literal["never", "same-name"], Setting("adopt", modes=("live",))] = Field(
        "never",
        description="What is taken, without asking, for a headset that was lost: only what is surely the same, or "
        "also a stream of another source_id with its name, type and computer, if no other of that name was there, and "
        "a board that is found by searching",
    )
    patience: Annotated[str, Setting("patience", modes=("live",), metavar="S")] = Field(
        "auto",
        description="How long a step waits for samples that come late, s, from 0.1 to 10; auto: .5 s, and longer where "
        "samples come later, up to 3 s, which is told",
    )
    foreign_clock: Annotated[Literal["arrival", "accept", "refuse"], Setting("foreign-clock", modes=("live",))] = Field(
        "arrival",
        description="Streams and markers whose time stamps are not of the LSL clock, such as Unix time: arrival: "
        "placed by when they arrive, which is told, and not relied on where by the device's profile the way takes more "
        "than 50 ms; accept: placed so and relied on however long the way is; refuse: not used",
    )
    allow_missing: Annotated[bool, Setting("allow-missing", modes=("live",))] = Field(
        False,
        description="Begin without headsets that are asked for by name or source_id and are not there; they join when "
        "they appear",
    )
    peripheral: Annotated[tuple[str, ...], Setting("peripheral", "Peripheral", metavar="QUERY", multiple=True)] = Field(
        (),
        description="Stream of EDA, ECG, PPG or respiration, a person's each: its exact name, or name=, type= or "
        "source_id= and a value, with the headset of who wears it before that where it is not plain, as in "
        "Muse-A=Shimmer-1; may be given several times. What a headset sends beside its EEG is found by itself",
    )
    rating: Annotated[str | None, Setting("rating", "Own rating", metavar="STREAM")] = Field(
        None,
        description="With a bundle of ratings, the participant's own continuous rating: 'slider' for one in the "
        "participant's view, moved by arrow keys or the mouse, or a stream: its exact name, or name=, type= or "
        "source_id= and a value. Its channels are named as the bundle's ratings",
    )
    wait_s: Annotated[float, Setting("wait", modes=("live",))] = Field(
        5.0, gt=0, le=3600, description="How long to look for streams, s"
    )

    @field_validator("patience")
    @classmethod
    def _is_patience(cls, value: str) -> str:
        parse_patience(value)
        return value

    @property
    def patience_s(self) -> float | None:
        """How long a step waits for samples that come late, s; None: as long as needed."""
        return parse_patience(self.patience)


def parse_patience(text: str) -> float | None:
    """Return the patience in s, None for 'auto'; ValueError if it is neither that nor from .1 to 10."""
    if text == "auto":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not LEAST_PATIENCE_S <= seconds <= MOST_PATIENCE_S:
        raise ValueError(f"patience {text!r}: expected 'auto' or a number of seconds from 0.1 to 10, as in 1.5")
    return seconds
