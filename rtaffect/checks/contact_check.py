"""The contact check before a session: its headsets, opened as the session opens them, looked at second by second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from pylsl import local_clock

from rtaffect.common.contact_settings import ContactSettings, read_contact_settings
from rtaffect.common.errors import RtaffectError, StreamError
from rtaffect.common.montage import is_eog
from rtaffect.common.settings import STEP_S, Settings, read_settings
from rtaffect.common.worker import Worker
from rtaffect.engine.bundle import load_manifest
from rtaffect.observed.contact import HeadsetContact
from rtaffect.observed.contact_target import ContactTarget
from rtaffect.observed.participant import Participant
from rtaffect.plan.session_plan import DEMO_BUNDLE, SessionPlan
from rtaffect.present.contact_state import HeadView
from rtaffect.run.live import find_headsets
from rtaffect.sources.lsl_streams import Network
from rtaffect.sources.reported_stream import ReportedStream, beside, reports_beside
from rtaffect.stream.source import Source

#: A second is judged when its samples had so long to come beside what the device usually takes, s.
LATE_S: Final = 0.5
#: How often it is looked whether another second is over, s.
LOOK_S: Final = 0.2
#: Streams of contact have so long to answer, s.
_NETWORK_S: Final = 1.5
#: A thread that is finding or opening something is waited for so long, s.
_JOIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class CheckState:
    """How a check is now: ``words`` say what is being done, ``failed`` why it cannot go on.

    ``seconds`` were looked at so far; ``heads`` are the headsets as they are shown, ``contacts`` what was found.
    """

    words: str = ""
    failed: str = ""
    seconds: int = 0
    heads: tuple[HeadView, ...] = ()
    contacts: tuple[HeadsetContact, ...] = ()

    @property
    def met(self) -> bool:
        """Whether every headset has met the target."""
        return bool(self.heads) and all(head.target.met for head in self.heads)


class ContactCheck:
    """Looks at headsets second by second; knows no thread and no clock.

    Parameters
    ----------
    headsets
        Started by :meth:`start`.
    path
        The session's signal path: what the session would hear is what is judged.
    limits
        Limits and target.
    origin
        LSL time from which seconds are counted, s.
    """

    def __init__(self, headsets: Sequence[Source], path: Settings, limits: ContactSettings, origin: float) -> None:
        self._sources, self._limits, self._origin = list(headsets), limits, origin
        electrodes = [[name for name in each.info.channels if not is_eog(name)] for each in headsets]
        self._people = [
            Participant(each, names, path, origin, contact=limits)
            for each, names in zip(headsets, electrodes, strict=True)
        ]
        self._targets = [ContactTarget(limits, len(names)) for names in electrodes]
        waits = [each.info.about.latency_s or 0.0 for each in headsets]
        self._wait_s = (
            LATE_S + max((person.lookahead_s for person in self._people), default=0.0) + max(waits, default=0.0)
        )
        self._step = 0
        self.state = CheckState(words="waiting for the first seconds")

    def start(self) -> None:
        """Open the headsets; raises StreamError for the first that cannot be."""
        for source in self._sources:
            source.start()

    def stop(self) -> None:
        """Let go of the headsets."""
        for source in self._sources:
            source.stop()

    def turn(self, now: float) -> CheckState:
        """Judge all seconds that are over at ``now`` (s on the LSL clock), and return how it is."""
        due = math.floor((now - self._origin - self._wait_s) / STEP_S)
        while self._step < due:
            self._step += 1
            for person, source, target in zip(self._people, self._sources, self._targets, strict=True):
                source.advance(self._origin + self._step * STEP_S + self._wait_s)
                person.advance(self._step)
                if person.contact is not None:
                    target(person.contact)
        contacts = tuple(person.contact for person in self._people if person.contact is not None)
        heads = tuple(self._view(i, now) for i in range(len(self._people)))
        self.state = CheckState("", "", self._step, heads, contacts)
        return self.state

    def _view(self, i: int, now: float) -> HeadView:
        person, status = self._people[i], self._sources[i].status(now)
        trouble = "" if status.state in ("ok", "waiting") else status.message or status.state
        if not trouble and self._step > 3 and not person.begun:
            trouble = "no sample has come"
        found = person.contact.electrodes if person.contact is not None else ()
        return HeadView(person.name, found, self._targets[i].state, self._limits.hold_s, trouble or person.unit_warning)


def path_of(plan: SessionPlan) -> Settings:
    """Return the settings of the signal path that a plan's session would have; RtaffectError if there are none."""
    analysis = plan.analysis
    if analysis.bundle is not None and analysis.bundle != DEMO_BUNDLE:
        return load_manifest(analysis.bundle).settings
    return read_settings(analysis.settings, analysis.mains)


class ContactWatch:
    """The check of a plan's headsets on a thread of its own: finds them, opens them, and looks until it is stopped.

    Attributes
    ----------
    state : CheckState
        Replaced as a whole; to be read from any thread.
    limits : ContactSettings
        Limits and target.

    Raises
    ------
    SettingsError, ArtifactError
        If the plan's limits, settings or bundle cannot be read.
    """

    def __init__(self, plan: SessionPlan, find: Callable[[SessionPlan], Sequence[Source]] | None = None) -> None:
        self.limits, self._path = read_contact_settings(plan.contact.settings), path_of(plan)
        self._plan, self._find = plan, find or found_headsets
        self.state = CheckState(words="looking for headsets")
        self._worker = Worker("contact check", self._run)

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def stop(self) -> None:
        """End it, and let go of the headsets."""
        self._worker.stop(_JOIN_S)

    def _run(self) -> None:
        try:
            self._look()
        except RtaffectError as error:
            self.state = replace(self.state, words="", failed=error.message)
        except Exception as error:
            # It must not end without a word.
            self.state = replace(self.state, words="", failed=f"the check has failed ({error!r})")

    def _look(self) -> None:
        headsets = self._find(self._plan)
        if not headsets:
            raise StreamError("no headset was found: switch one on and start its stream")
        self.state = replace(self.state, words="opening headsets")
        streams = contact_streams(headsets)
        check = ContactCheck(headsets, self._path, self.limits, local_clock())
        try:
            check.start()
            for stream in streams:
                stream.start()
            while not self._worker.wait(LOOK_S):
                self.state = check.turn(local_clock())
        finally:
            parts: list[ReportedStream | ContactCheck] = [*streams, check]
            for part in parts:
                with suppress(Exception):
                    part.stop()


def contact_streams(headsets: Sequence[Source]) -> list[ReportedStream]:
    """Return the streams of their own in which programs of headsets send contact, where there are any."""
    if all(reports_beside(each) is None for each in headsets):
        return []
    network = Network()
    time.sleep(_NETWORK_S)
    return beside(headsets, network)


def found_headsets(plan: SessionPlan) -> list[Source]:
    """Return the headsets that a plan asks for, not opened yet; raises StreamError or SettingsError."""
    return [source for source, _, _ in find_headsets(plan.eeg)]
