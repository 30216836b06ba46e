"""A headset that is expected: declared when a session begins, and connected when it appears."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Unpack

import numpy as np

from rtaffect.common.errors import SettingsError, StreamError, setting
from rtaffect.common.montage import is_eog
from rtaffect.sources.channel_plan import Given, plan_eeg, prepare_eeg
from rtaffect.sources.device_profile import NONE
from rtaffect.sources.foreign_clock import Foreign
from rtaffect.sources.identity import Identity
from rtaffect.sources.live import Adopt, NotOursError
from rtaffect.sources.lsl import LOOK_S, LslConnection
from rtaffect.sources.lsl_streams import FoundStream, Network
from rtaffect.sources.remap import Remap
from rtaffect.sources.selection import ANY_EEG, Query
from rtaffect.stream.source import StreamHeader, StreamInfo, volts_per
from rtaffect.stream.status import StreamState

_log = logging.getLogger(__name__)

#: In what the values of an expected headset are recorded where no unit is given.
UNIT: Final = "V"


def parse_expected(text: str) -> Query:
    """Return the headset that ``text`` means: a name or a source_id, for a type means no one in particular.

    Raises
    ------
    SettingsError
        If it is none of these.
    """
    query = Query.parse(text)
    if query.field == "type":
        raise SettingsError(
            f"{setting('expect', text)} means any headset", expected="one by its name, or source_id= and a value"
        )
    return query


class ExpectedHeadset(LslConnection):
    """An LSL headset that may appear at any time.

    What it will send is not known when the session begins, so it is declared: the channels and the rate that the other
    headsets have. When it appears, its channels are taken by their names; one that lacks some of them, or has another
    rate, is not taken, and that is told.

    Parameters
    ----------
    query
        Its name or source_id.
    montage
        Channels that the others have; those of EOG are left out.
    common_rate
        That the others have, Hz.
    adopt
        What is taken for it without asking, once it was there and is lost.
    given
        What replaces a headset's own description.

    Attributes
    ----------
    query : Query
        Its name or source_id.
    """

    def __init__(
        self,
        query: Query,
        montage: Sequence[str],
        common_rate: float,
        *,
        adopt: Adopt = "never",
        foreign: Foreign = "arrival",
        **given: Unpack[Given],
    ) -> None:
        labels = tuple(given.get("channels") or (name for name in montage if not is_eog(name)))
        name, source_id = given.get("name") or query.value, f"expected:{query.value}"
        unit = given.get("unit") or UNIT
        header = StreamHeader(query.value, "EEG", common_rate, "float32", labels, source_id=source_id).uniform(unit)
        # They are what the others have: nothing is to be guessed.
        plan = plan_eeg(header, only=labels, profile=NONE)
        super().__init__(StreamInfo(name, "eeg", common_rate, plan.names, "lsl", source_id), header, plan, foreign)
        self.query, self._adopt, self._given = query, adopt, given
        self._refused: dict[str, str] = {}
        # Why what is there by this name is not taken.
        self._misfit = ""

    def _open(self) -> None:
        if self._identity is not None:
            self._connect(self._identity.ours, self._identity)
        self._network = self._network or Network()

    def _poll(self) -> None:
        if self._identity is not None:
            super()._poll()
        elif self._network is not None and not self._worker.wait(min(LOOK_S, 0.5)):
            self._join(self._network)

    def _join(self, network: Network) -> None:
        """Connect the headset if it is there."""
        found = [s for s in network.streams() if self.query.matches(s.header) and ANY_EEG.matches(s.header)]
        refused = [self._refused[s.header.uid] for s in found if s.header.uid in self._refused]
        if len(found) > 1:
            hosts = " and ".join(f"{s.header.name!r} on {s.header.host}" for s in found)
            self._misfit = f"{len(found)} streams of {self.query.describe()} are there ({hosts}): close all but one"
        else:
            self._misfit = "; ".join(refused)
        if len(found) == 1 and not refused:
            self._take_first(found[0])

    def _take_first(self, stream: FoundStream) -> None:
        try:
            self._connect(stream, Identity(stream, self._adopt))
        except NotOursError as error:
            self._refused[stream.header.uid] = str(error)
            _log.warning("%s", error)
        except StreamError as error:
            _log.warning("%s", error)
        else:
            self._note_open()
            _log.warning("%s %r has joined", self.info.origin, self.info.name)

    def _fit(self, header: StreamHeader) -> Remap:
        declared = self.header
        try:
            plan, rate = prepare_eeg(header, self._given)
        except StreamError as error:
            raise NotOursError(str(error)) from None
        if rate != declared.rate:
            raise NotOursError(
                f"headset {header.name!r} has a rate of {rate:g} Hz, expected {declared.rate:g} Hz as the others have; "
                "set it so, or begin again with it there"
            )
        if lacking := [label for label in declared.labels if label not in plan.names]:
            raise NotOursError(
                f"headset {header.name!r} lacks the channels {', '.join(lacking)} that the others have; name its "
                "channels so, or begin again with it there"
            )
        places = [plan.names.index(label) for label in declared.labels]
        factor = plan.scale[places] / volts_per(declared.unit)
        return Remap(tuple(plan.columns[place] for place in places), factor, np.dtype(np.float32))

    def _state(self, now: float) -> tuple[StreamState, str]:
        if self._identity is None and self._worker.running:
            return "expected", self._misfit or f"{self.info.name!r} is not there yet: it joins when its stream appears"
        return super()._state(now)

    def _silence(self, now: float) -> float:
        return 0.0 if self._identity is None else super()._silence(now)
