"""The parts of the start window that say what is done, and where the results go."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from rtaffect.start.start_presenter import StartState
from rtaffect.start.table import allocation_lines, protocol_lines, replay_lines, results_lines
from rtaffect.view.start.widgets import (
    Card,
    Choose,
    PathText,
    Pick,
    Text,
    TickBox,
    Words,
    for_file,
    for_folder,
)

PHOTODIODE = (("none", "no square"), ("second", "white each other second"), ("start", "white in second 1"))
_MORE = "\N{HORIZONTAL ELLIPSIS}"
_TOML = "TOML files (*.toml)"


class ProtocolCard(Card):
    """The protocol, the sealed allocation, and the participant's screen."""

    def __init__(self, choose: Choose) -> None:
        super().__init__("Protocol")
        toml = for_file("Protocol", _TOML)
        sealed = for_file("Sealed allocation", "Allocations (*.toml *.json *.sealed)")
        self.protocol = PathText(
            choose, "protocol", "none: one block without an end", [(_MORE, "Choose a protocol", toml)]
        )
        self.words, self.sealed, self.note = Words(), Words(), Words()
        self.short = TickBox(choose, "with_protocol", "with its short protocol: every kind of block")
        self.allocation = PathText(choose, "allocation", "none", [(_MORE, "Choose the allocation", sealed)])
        self.code = Text(choose, "session_code", "of a sealed allocation")
        self.view_on, self.tone = ScreenPick(choose, "screen"), Pick(choose, "tone_device")
        self.preview = TickBox(choose, "preview")
        self._live: list[QWidget] = [self.add("protocol", self.protocol), self.protocol]
        self.add_wide(self.short)
        self.add_wide(self.note)
        self.add_wide(self.words)
        self._live += [self.add("allocation", self.allocation), self.allocation]
        self._live += [self.add("session_code", self.code), self.code]
        self.add_wide(self.sealed)
        self.add("screen", self.view_on)
        self.add_wide(self.preview)
        self._tone = (self.add("tone_device", self.tone), self.tone)
        self.photodiode = Pick(choose, "photodiode", PHOTODIODE)
        self.delay = Text(choose, "screen_delay_s", "0")
        self._film = [self.add("photodiode", self.photodiode), self.photodiode]
        self._film += [self.add("screen_delay_s", self.delay), self.delay]

    def show_state(self, state: StartState) -> None:
        """Show the protocol's blocks, the allocation's hash and nothing else of it, and the screens there are."""
        choices, found = state.choices, state.found
        for part in self._live:
            part.setVisible(choices.mode == "live")
        self.short.setVisible(choices.mode == "demo")
        self.note.show_lines(replay_lines(choices, found))
        self.words.show_lines(protocol_lines(state.real, found))
        self.sealed.show_lines(allocation_lines(choices, found))
        self.view_on.set_options(
            [(None, "no view for the participant"), *((s.index, f"screen {s.describe}") for s in found.screens)]
        )
        outputs = [device for device in found.devices or () if device.outputs]
        self.tone.set_options([("", "the system's sound device"), *((d.name, d.name) for d in outputs)])
        self.show_choices(choices)
        self.view_on.setEnabled(not choices.preview)
        protocol = found.protocol(state.real)
        for part in self._tone:
            part.setVisible(protocol is not None and protocol.feedback.show == "tone")
        for part in self._film:
            part.setVisible(choices.mode == "live" and protocol is not None and any(b.film for b in protocol.blocks))


class ScreenPick(Pick):
    """A list of screens."""

    def missing(self, value: Any) -> str:
        """Return what is said of a screen that is not connected."""
        return f"screen {value} (not connected)"


class ResultsCard(Card):
    """Whose session it is, where its results go, and when it ends."""

    def __init__(self, choose: Choose) -> None:
        super().__init__("Session")
        self.participant = Text(choose, "participant", "letters and digits, as in P01")
        ask = for_folder("Folder in which each session gets one of its own")
        self.folder = PathText(choose, "folder", "nothing is kept", [(_MORE, "Choose a folder", ask)])
        self.name = Text(choose, "name", "name of the new folder")
        self.seconds = Text(choose, "seconds", "with the sound, protocol or window")
        self.outlet = TickBox(choose, "outlet")
        self.words = Words()
        self.add("participant", self.participant)
        self.add("folder", self.folder)
        self.add("name", self.name, "New folder")
        self.add_wide(self.words)
        self.add("seconds", self.seconds)
        self.add_wide(self.outlet)

    def show_state(self, state: StartState) -> None:
        """Show the place of the results and how much room there is."""
        self.show_choices(state.choices)
        # A recorded session is its participant's.
        self.participant.show_choice(state.real)
        self.participant.setEnabled(not state.real.as_it_ran)
        self.words.show_lines(results_lines(state.choices, state.found, state.people))
