"""A rating over real LSL that is sent when it changes: an outlet without a regular rate."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pylsl

from rtaffect.outputs.lsl_outlet import LslOutlet


class Turned:
    """An outlet of ratings at irregular times; each value goes out when it is :meth:`said`."""

    def __init__(self, rows: Sequence[str] = ("arousal", "valence"), name: str = "", source_id: str = "") -> None:
        self.name = name or f"turned-{uuid.uuid4().hex[:6]}"
        info = pylsl.StreamInfo(self.name, "Rating", len(rows), 0.0, "double64", source_id or self.name)
        listed = info.desc().append_child("channels")
        for row in rows:
            listed.append_child("channel").append_child_value("label", row)
        self._outlet = LslOutlet(lambda: pylsl.StreamOutlet(info))

    def said(self, *values: float, at: float | None = None) -> float:
        """Send ``values``, of now or of ``at`` (s on the LSL clock); return of when they are."""
        time = pylsl.local_clock() if at is None else at
        self._outlet.push_sample(list(values), time)
        return time

    def close(self) -> None:
        """Take it off the network."""
        self._outlet.close()

    def __enter__(self) -> Turned:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
