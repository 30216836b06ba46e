"""What sources have in common that drive a device themselves, and stamp its samples by this computer's clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.errors import StreamError
from rtaffect.sources.channel_plan import ChannelPlan, Given, prepare_eeg
from rtaffect.sources.device_profile import NONE
from rtaffect.sources.host_stamps import HostStamps
from rtaffect.sources.live import LiveSource, NotOursError
from rtaffect.stream.source import StreamHeader, StreamInfo
from rtaffect.stream.status import SourceStatus, StreamState


class PolledSource(LiveSource):
    """A live source of EEG that is asked for samples through its own driver or connection.

    Parameters
    ----------
    origin, name
        By what it is reached, and what the source is called.
    said
        What the device says of itself; its name stands in errors.
    given
        What replaces that.

    Raises
    ------
    StreamError
        If channel names, unit or rate are missing or wrong.

    Attributes
    ----------
    lost_samples, losses : int
        Samples that are known to be missing, and in how many places.
    """

    remedy = "; check that it is on and in reach: it is opened again by itself"

    def __init__(self, origin: str, name: str, said: StreamHeader, given: Given) -> None:
        # Its driver describes it: a profile is used only where one is asked for.
        plan, rate = prepare_eeg(said, given | Given(profile=given.get("profile") or NONE))
        name = given.get("name") or name
        info = StreamInfo(name, "eeg", rate, plan.names, origin, said.source_id, said.host, plan.about)
        super().__init__(info, _recorded(replace(said, name=name, rate=rate), plan, given.get("unit")), plan)
        self.lost_samples = self.losses = 0
        self._lost_as: StreamState = "lost"
        self._stamped = HostStamps(self.buffer)

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now`` (s on the LSL clock)."""
        state, message = self._state(now)
        notes = [message] if message else []
        if self.losses:
            notes.append(losses_in_words(self.lost_samples, self.losses))
        return self.buffer.status(self.info.name, self.info.kind, state, now, "; ".join(notes))

    def _state(self, now: float) -> tuple[StreamState, str]:
        state, message = super()._state(now)
        return (self._lost_as, message) if state == "lost" else (state, message)

    def _lost_message(self, seconds: float) -> str:
        return f"{self.info.name!r} is gone for {seconds:.0f} s: {self._trouble}"

    def _silent_state(self, silent: float) -> tuple[StreamState, str]:
        return "stalled", (
            f"{self.info.name!r} is open but has sent nothing for {silent:.0f} s; check that it is on, charged and in "
            "reach"
        )

    def _deliver(self, values: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        """Give ``values`` (n, channels sent) and their ``stamps`` (n,), s on the LSL clock, to tap and buffer."""
        if not len(stamps):
            return
        self._last_at = local_clock()
        self._stamped.give(self.tap, self._last_at, stamps, values, self._plan.apply(values))
        if self.body is not None:
            self.body.push(values, stamps)
        if self.reported is not None:
            self.reported.push(values, stamps)

    def _lose(self, samples: int) -> None:
        """Note that so many ``samples`` are missing, and let the next one begin a new segment."""
        self.losses += 1
        self.lost_samples += samples
        self._begin_segment()

    def _open_again(self) -> bool:
        self._close()
        try:
            self._open()
        except StreamError as error:
            self._trouble = f"{error} (it is tried again by itself)"
            self._lost_as = error.state if isinstance(error, NotOursError) else "lost"
            return False
        self._lost_as = "lost"
        self._begin_segment()
        return True


def losses_in_words(samples: int, places: int) -> str:
    """Return what is told of so many ``samples`` that are known to be missing, in so many ``places``."""
    where = "1 place" if places == 1 else f"{places} places"
    return f"{samples} samples were lost on the way from the device, in {where}"


def _recorded(said: StreamHeader, plan: ChannelPlan, unit: str | None) -> StreamHeader:
    """Return what is recorded of a device: all channels that it sends, those in use by their names and unit here."""
    labels, units = list(said.labels), list(said.units)
    # What is said to be EEG, and not used, is not told to be any.
    types = ["misc" if kind.casefold() == said.type.casefold() else kind for kind in said.types]
    for column, name in zip(plan.columns, plan.names, strict=True):
        labels[column], units[column], types[column] = name, unit or said.units[column], said.type
    for channel in plan.body:
        types[channel.column] = channel.kind.upper()
    return replace(said, labels=tuple(labels), units=tuple(units), types=tuple(types))
