"""What is measured beside synchrony at each step, and what goes wrong with that, as doubts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rtaffect.common.arrays import FloatArray
from rtaffect.common.contact_settings import ContactSettings
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.engine.trust import Trust
from rtaffect.measures.choice import ChosenMeasure
from rtaffect.measures.host import Failure, MeasureHost, NewSecond
from rtaffect.measures.measure import MeasureValues
from rtaffect.observed.autonomic import Autonomic, Device
from rtaffect.observed.contact import HeadsetContact
from rtaffect.observed.participant import Participant
from rtaffect.observed.spaces import Space
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.source import Source


class Measuring:
    """What is measured beside synchrony: a session's own measures, what the body shows, contact; or nothing.

    Parameters
    ----------
    host
        Own measures.
    people
        Headsets, which may send peripheral signals beside EEG.
    body
        Streams of peripheral signals alone.
    origin
        LSL time of the session's zero, s.
    contact
        Limits by which electrodes' contact is measured; None where it is not.
    """

    def __init__(
        self,
        host: MeasureHost | None = None,
        people: Sequence[Source] = (),
        body: Sequence[Source] = (),
        origin: float = 0.0,
        contact: ContactSettings | None = None,
    ) -> None:
        self._host, self.sources = host, tuple(body)
        autonomic = Autonomic([*people, *body], origin)
        self._autonomic = autonomic if autonomic.rows else None
        self.contact, self._participants = contact, list[Participant]()

    def participants(
        self, people: Sequence[Source], space: Space, settings: Settings, origin: float
    ) -> list[Participant]:
        """Return what brings the headsets of ``people`` onto the session's grid."""
        partial = space.kind != "channels"
        self._participants = [
            Participant(each, space.channels, settings, origin, partial=partial, contact=self.contact)
            for each in people
        ]
        return self._participants

    @property
    def contacts(self) -> tuple[HeadsetContact, ...]:
        """The newest contact of each headset, where it is measured and known; from any thread."""
        return tuple(each.contact for each in self._participants if each.contact is not None)

    @property
    def described(self) -> Sequence[ChosenMeasure | Autonomic]:
        """Names, kinds, units and rows of what is measured, in its order."""
        own = self._host.chosen if self._host is not None else ()
        return (*own, self._autonomic) if self._autonomic is not None else own

    @property
    def takers(self) -> Sequence[Device]:
        """What takes in peripheral signals."""
        return self._autonomic.devices if self._autonomic is not None else ()

    def describe(self) -> list[dict[str, object]]:
        """Return what ``session.toml`` says of it."""
        own = self._host.describe() if self._host is not None else []
        return [*own, self._autonomic.describe()] if self._autonomic is not None else own

    def __call__(
        self, samples: FloatArray, trust: Trust, step: int, end: float, before: Mapping[str, float]
    ) -> tuple[tuple[MeasureValues, ...], Trust]:
        """Return what is measured at a step that ends at ``end`` (s, LSL clock), and with it what is in doubt.

        ``samples`` (P, rate, C) are everybody's newest second, V. ``before`` says until when peripheral signals had
        come, s on the LSL clock, by the names of :attr:`takers`, in a replay where not all had. A measure that is in
        doubt already, as a replay knows of it, has no value.
        """
        own, doubted = self._own(samples, trust, step, end)
        return (own if self._autonomic is None else (*own, self._autonomic(step, trust.doubts, before))), doubted

    def _own(self, samples: FloatArray, trust: Trust, step: int, end: float) -> tuple[tuple[MeasureValues, ...], Trust]:
        if self._host is None:
            return (), trust
        middle = end - STEP_S / 2
        told = [
            Failure(doubt.part, doubt.words, step, lasts=math.isinf(doubt.until))
            for doubt in trust.doubts
            if doubt.about == "measure" and doubt.since <= middle < doubt.until
        ]
        new = NewSecond(samples, trust.missing, trust.withheld, trust.foreign)
        values, failures = self._host.step(new, told)
        known = {failure.name for failure in told}
        doubts = [_doubt(failure, step, end) for failure in failures if failure.name not in known]
        return values, replace(trust, doubts=(*trust.doubts, *doubts))


def _doubt(failure: Failure, step: int, end: float) -> Doubt:
    since = end - (step - failure.step + 1) * STEP_S
    return Doubt("measure", since, math.inf if failure.lasts else end, failure.words, "measure", failure.name)
