"""Of a session plan: which headsets, and what replaces their own description."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rtaffect.common.errors import setting
from rtaffect.common.settings import Frozen
from rtaffect.plan.setting import Setting


class EegPlan(Frozen):
    """Which headsets, and what replaces their own description."""

    streams: Annotated[tuple[str, ...], Setting("eeg", "&EEG streams", metavar="QUERY", multiple=True)] = Field(
        (),
        description="Headset: a stream's exact name, or name=, type= or source_id= and a value; may be given several "
        "times. Default: every stream of type EEG",
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
        (), description="Channel names in order, instead of the stream's own"
    )
    unit: Annotated[str | None, Setting("unit", "&Unit")] = Field(
        None, description="Unit of the EEG (V, mV, uV), instead of the stream's own"
    )
    rate: Annotated[float | None, Setting("rate", "Rate", unit="&Hz", expected="a number of Hz above 0, as in 250")] = (
        Field(None, gt=0, le=384_000, description="Rate of the EEG in Hz, instead of the declared one")
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
    peripheral: Annotated[tuple[str, ...], Setting("peripheral", metavar="QUERY", multiple=True)] = Field(
        (),
        description="Stream of EDA, ECG, PPG or respiration, a person's each: its exact name, or name=, type= or "
        "source_id= and a value; may be given several times. What a headset sends beside its EEG is found by itself",
    )
    wait_s: Annotated[float, Setting("wait", modes=("live",))] = Field(
        5.0, gt=0, le=3600, description="How long to look for streams, s"
    )
