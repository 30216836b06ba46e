"""What a session sends by OSC: its steps, how predicted and observed agree so far, and its markers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from rtaffect.common.settings import Settings
from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.osc import OscSender, Place, find_places
from rtaffect.outputs.osc_messages import ROOT, Message
from rtaffect.plan.programs_plan import Address, ProgramsPlan
from rtaffect.protocol.event import SessionEvent
from rtaffect.run.agreeing import MeanAgreement


def places_of(plan: ProgramsPlan) -> list[Place]:
    """Return the receivers of a plan; raises SettingsError as :func:`rtaffect.outputs.osc.find_places` does."""
    return find_places([Address.parse(text) for text in plan.osc])


class OscOut:
    """Sends what happens in a session to the programs of its plan.

    Parameters
    ----------
    plan
        To whom.
    cleanup
        Ends the sending.
    settings
        The analysis', by which agreement is told.
    now
        The present time, s on the LSL clock.
    tell
        Is told, in words, what cannot be sent.

    Raises
    ------
    SettingsError
        As :func:`places_of` does.
    """

    def __init__(
        self,
        plan: ProgramsPlan,
        cleanup: ExitStack,
        settings: Settings,
        now: Callable[[], float],
        tell: Callable[[str], object],
    ) -> None:
        self._agreement = MeanAgreement(settings.synchrony.window_s, settings.drift)
        self._sender = OscSender(places_of(plan), now, tell, self._agreed)
        cleanup.callback(self._sender.close)

    def step(self, feedback: Feedback) -> None:
        """Send a step."""
        self._agreement(feedback)
        self._sender(feedback)

    def event(self, event: SessionEvent) -> None:
        """Send an event that is a marker."""
        if (text := event.marker) is not None:
            self._sender.marker(text, event.lsl_time)

    def _agreed(self) -> Iterator[Message]:
        found = self._agreement.now()
        if found.r is not None:
            yield Message(f"{ROOT}/agreement", (found.r, found.steps))
        if found.r is not None and found.r_chance is not None:
            yield Message(f"{ROOT}/agreement/by_chance", tuple(map(float, found.r_chance)))
