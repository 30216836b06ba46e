"""What a session in a window needs beside the window: zones of its rows, the operator's calls, the thread's end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, TypedDict

from rtaffect.engine.engine import Engine
from rtaffect.observed.spaces import RegionSpace, Space
from rtaffect.present.contact_state import HeadView
from rtaffect.present.window_options import OperatorCalls
from rtaffect.run.contact_record import heads_of
from rtaffect.run.stage import Stage

#: A thread is waited for in pieces of this length, s, so that signals are seen, and this long in a hurry.
_JOIN_S: Final = 0.2
_HURRY_S: Final = 1.0


def zones_of(space: Space) -> dict[str, tuple[str, ...]] | None:
    """Return each zone's regions, where rows are regions."""
    if not isinstance(space, RegionSpace):
        return None
    return {zone.name: tuple(zone.regions) for zone in space.operator.manifest.zones}


class Seen(TypedDict):
    """What a window shows of an engine beside its steps (:class:`rtaffect.present.window_options.WindowOptions`)."""

    zones: dict[str, tuple[str, ...]] | None
    contact: Callable[[], Sequence[HeadView]] | None


def seen_of(engine: Engine) -> Seen:
    """Return the zones of an engine's rows, and what gives its headsets' contact."""
    return {"zones": zones_of(engine.space), "contact": heads_of(engine)}


def operator_calls(stage: Stage) -> OperatorCalls:
    """Return what the operator can do to a protocol and note of a session, beside going on and passing over."""
    return OperatorCalls(
        pause=stage.conductor.pause,
        repeat=stage.conductor.repeat,
        note=stage.remark,
        mark=stage.mark_as,
        marks=tuple((mark.key, mark.name) for mark in stage.conductor.protocol.marks),
    )


def join(thread: threading.Thread) -> None:
    """Wait for the engine's thread; where a signal asks again, no longer than files can wait."""
    try:
        while thread.is_alive():
            thread.join(_JOIN_S)
    except KeyboardInterrupt:
        thread.join(_HURRY_S)
