"""What is told of the headsets of a session: what was recognised, what was assumed, and what is no EEG of them."""

from __future__ import annotations

from collections.abc import Sequence

from rtaffect.common.channel_kinds import gathered
from rtaffect.stream.source import Source, StreamHeader


def about_headsets(people: Sequence[Source]) -> list[str]:
    """Return the notes on all headsets, those that hold for several once."""
    return gathered((source.info.name, source.info.about.words) for source in people)


def describe_headset(source: Source, stream: str = "", kind: str = "") -> dict[str, object]:
    """Return what ``session.toml`` says of one headset: its name in the session, and what the stream is called."""
    i = source.info
    recognised = {
        "profile": i.about.profile,
        "recognised": i.about.why,
        "assumed": list(i.about.assumed),
        "left_out": [f"{label} ({kind})" for label, kind in i.about.left_out],
        "latency_s": i.about.latency_s,
        "clock": i.about.clock,
    }
    return {
        "name": i.name,
        "stream": stream or i.name,
        "type": kind or "EEG",
        "source_id": i.source_id,
        "host": i.host,
        "origin": i.origin,
        "rate": i.rate,
        "channels": list(i.channels),
        **{key: value for key, value in recognised.items() if value not in ("", [], None)},
    }


def describe_rating(source: Source) -> dict[str, object]:
    """Return what ``session.toml`` says of the stream of a participant's rating."""
    header = getattr(source, "header", None)
    return describe_headset(source, header.name if isinstance(header, StreamHeader) else "", "rating")
