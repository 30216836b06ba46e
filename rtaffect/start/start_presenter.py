"""Between the start window and what it looks at: takes choices, gives one frozen state. No Qt."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from rtaffect.common.errors import RtaffectError
from rtaffect.present.participant_state import ScreenInfo
from rtaffect.sources.boards import parse_board
from rtaffect.sources.channel_choice import choice_of
from rtaffect.start.background import FileWatch, NetworkWatch
from rtaffect.start.choices import Choices
from rtaffect.start.device_memory import DeviceMemory
from rtaffect.start.fit import BundleFit, fit_of, forget, people_of
from rtaffect.start.found import DemoFacts, FolderFacts, Found, asks_for, asks_of, in_effect, in_session
from rtaffect.start.of_stream import NAMES
from rtaffect.start.preview import Signal
from rtaffect.start.problem import Problem
from rtaffect.start.problems import all_lines
from rtaffect.start.scope import Scope, own_of, scope_of, with_own
from rtaffect.start.showing import Previews, glimpse
from rtaffect.start.streams import ticked, toggle, without_query
from rtaffect.start.table import StreamRow, stream_rows
from rtaffect.start.wording import in_window
from rtaffect.stream.source import StreamInfo

#: A field that names, units or rate are typed into is taken for the preview when it has stood still so long, s.
TYPED_S: Final = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class StartState:
    """All that the window shows, but for the running previews, as ``choices`` and ``found`` make it.

    ``real`` are the choices that take effect (:func:`rtaffect.start.found.in_effect`), ``chosen`` those of which the
    plan is made; ``lines`` say what prevents the start, what is waited for and what should be known. ``selected`` is
    the number of the selected line of the table, -1 for none; ``scope`` is what the fields of names, unit, rate,
    channels and profile are of. ``people`` are what the session would use of the ticked streams, and ``fit`` whether
    the bundle fits.
    """

    choices: Choices
    found: Found
    real: Choices
    chosen: Choices
    lines: tuple[Problem, ...]
    rows: tuple[StreamRow, ...]
    selected: int
    scope: Scope
    people: tuple[StreamInfo, ...]
    fit: BundleFit

    @property
    def may_start(self) -> bool:
        """Whether nothing prevents the start."""
        return all(line.kind == "note" for line in self.lines)

    @property
    def row(self) -> StreamRow | None:
        """The selected line."""
        return self.rows[self.selected] if 0 <= self.selected < len(self.rows) else None


def resolve(
    choices: Choices, found: Found, selected: tuple[str, ...] | None = None, *, of_all: bool = False
) -> StartState:
    """Return what the window shows; without a selected line, the first that is ticked is selected.

    ``of_all``: whether what replaces descriptions is shown as it is given for all streams, not for the selected one.
    """
    rows = stream_rows(choices, found)
    keys = [row.key for row in rows]
    first = next((number for number, row in enumerate(rows) if row.ticked), 0 if rows else -1)
    at = keys.index(selected) if selected in keys else first
    real = in_effect(choices, found)
    persons, _ = people_of(real, found)
    fit = fit_of(real, found, persons)
    row = rows[at] if at >= 0 else None
    scope = Scope() if of_all else scope_of(choices, real, found, row)
    chosen = real if not real.as_it_ran else choices
    lines = tuple(all_lines(choices, found))
    return StartState(choices, found, real, chosen, lines, rows, at, scope, persons, fit)


def suggested_name(participant: str, today: dt.date, taken: frozenset[str]) -> str:
    """Return a name for the new folder of a session that is none of those taken."""
    base = f"{participant.strip() or 'session'}-{today:%Y-%m-%d}"
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


class StartPresenter:
    """Watches network, files and sound devices, and resolves what the window shows.

    ``choices`` stand in the window at first, and ``said``, such as why the last session ended, until something is
    chosen. ``today`` gives the present date, for the suggested name.
    """

    def __init__(
        self,
        choices: Choices,
        *,
        screens: tuple[ScreenInfo, ...] = (),
        said: str = "",
        today: Callable[[], dt.date] = dt.date.today,
    ) -> None:
        self.choices, self.said = choices, in_window(said)
        self._screens, self._today = screens, today
        self._named_by_hand = self._is_own(choices)
        self._selected: tuple[str, ...] | None = None
        self._of_all = _says_of_all(choices)
        self._found = Found()
        self.devices, self._recalls, self._met = DeviceMemory(), True, set[tuple[str, ...]]()
        self.said = self.said or in_window(self.devices.note)
        self._typed_at = -TYPED_S
        self.network, self.files = NetworkWatch(), FileWatch()
        self.previews = Previews(self.network)
        self._state = resolve(choices, self._found)
        self._resolved: tuple[object, ...] = ()

    def choose(self, **changes: Any) -> None:
        """Change some choices, by the names of :class:`Choices`."""
        if "name" in changes:
            self._named_by_hand = bool(changes["name"].strip())
        if {"headsets", *NAMES} & set(changes):
            self._typed_at = time.monotonic()
        self.choices, self.said = replace(self.choices, **changes), ""

    def take(self, choices: Choices) -> None:
        """Replace all choices, as those of an opened plan."""
        self.choices, self.said = choices, ""
        self._of_all = _says_of_all(choices)
        self._named_by_hand = self._is_own(choices)
        # A plan is what it says, whatever was ticked before.
        self._recalls = False

    def tick_channels(self, wanted: Collection[int]) -> None:
        """Use the channels of these numbers of the stream that the fields are of, and keep that for its device."""
        scope, row = self._state.scope, self._state.row
        if scope.own is None or row is None or row.stream is None or not scope.channels:
            return
        if not wanted:
            self.say("a stream without channels is no headset: untick its line instead")
            return
        without, only = choice_of(scope.channels, wanted)
        self.describe(without=", ".join(without), only=", ".join(only))
        if self.choices.mode == "live":
            self._met.add(row.stream.header.identity)
            self.devices.keep(row.stream.header, without, only)
            self.said = in_window(self.devices.note)

    def forget_channels(self) -> None:
        """Use the channels of the stream that are taken for EEG, and forget what was ticked of its device."""
        usual = {i for i, each in enumerate(self._state.scope.channels) if each.usual}
        self.tick_channels(usual)

    def kept_channels(self) -> bool:
        """Return whether channels are kept for the device of the stream that the fields are of."""
        row = self._state.row
        return row is not None and row.stream is not None and self.devices.of(row.stream.header) is not None

    def _recall_channels(self, found: Found) -> None:
        """Tick the channels of devices that appear as they were ticked last, where nothing else is said of them."""
        if self.choices.mode != "live" or not self._recalls:
            return
        common = bool(self.choices.without.strip() or self.choices.only.strip())
        for stream in ticked(self.choices, found.streams):
            identity = stream.header.identity
            if common or not stream.described or identity in self._met:
                continue
            self._met.add(identity)
            kept, own = self.devices.of(stream.header), own_of(self.choices, stream, found.streams)
            if kept is not None and own is not None and not (own.without or own.only):
                own = replace(own, without=", ".join(kept.without), only=", ".join(kept.only))
                self.choices = replace(self.choices, headsets=with_own(self.choices.headsets, own))

    def describe(self, **changes: str) -> None:
        """Change what replaces descriptions: of the selected stream, or of all."""
        if changed := self._state.scope.changed(self.choices, changes):
            self.choose(**changed)

    def show_of(self, key: tuple[str, ...] | None) -> None:
        """Let what replaces descriptions be shown, and changed, of one line of the table, or (None) of all streams."""
        self._of_all = key is None
        if key is not None:
            self.select(key)

    def show_of_stream(self, uid: str) -> None:
        """Let it be that of the stream ``uid``, if that is there."""
        row = next((row for row in self._state.rows if row.stream is not None and row.stream.header.uid == uid), None)
        if uid and row is not None:
            self.show_of(row.key)

    def _is_own(self, choices: Choices) -> bool:
        """Return whether the folder's name is not one that would have been suggested."""
        base = suggested_name(choices.participant, self._today(), frozenset())
        return bool(choices.name.strip()) and not re.fullmatch(rf"{re.escape(base)}(-\d+)?", choices.name)

    def say(self, message: RtaffectError | str) -> None:
        """Show ``message`` until something is chosen."""
        self.said = in_window(message)

    def set_screens(self, screens: tuple[ScreenInfo, ...]) -> None:
        """Note which screens there are now."""
        self._screens = screens

    def select(self, key: tuple[str, ...]) -> None:
        """Select a line of the table: its signal is shown."""
        self._selected = key

    def toggle(self, key: tuple[str, ...], on: bool) -> None:
        """Tick or untick a line of the table."""
        row = next((row for row in self._state.rows if row.key == key), None)
        if row is None or row.ticked == on:
            return
        if key[0] == "board":
            self.choose(boards=tuple(board for board in self.choices.boards if board != key[1]))
        elif row.query is not None:
            self.choose(streams=without_query(self.choices, row.query))
        elif self._found.session(self.choices) is not None:
            self.say(
                "A session's folder is replayed as it ran, with its own streams; to choose others, choose its XDF file"
            )
        elif row.stream is not None:
            now = in_session(self.choices, self._found)
            streams, why_not = toggle(now, row.stream, on, self._found.streams_for(now))
            if why_not:
                self.say(why_not)
            else:
                self.choose(streams=streams)

    def tick(self) -> StartState:
        """Return what is to be shown now: the same object as before where nothing has changed."""
        room = self.previews.room
        found = Found(
            streams=self.network.streams,
            # Whole seconds: it matters only whether some have passed.
            searched_s=float(min(10, int(self.network.searched_s))),
            devices=room.devices,
            devices_trouble=room.trouble,
            screens=self._screens,
            facts=self.files.facts,
            boards=self.previews.boards_now(self._state.row),
        )
        self._suggest_name(found)
        self._note_demo(found)
        self._recall_channels(found)
        self.files.want(asks_of(self.choices, found))
        now = (self.choices, self._selected, self._of_all)
        if now != self._resolved or not _same(self._found, found):
            self._found, self._resolved = found, now
            self._state = resolve(self.choices, found, self._selected, of_all=self._of_all)
        if time.monotonic() - self._typed_at >= TYPED_S:
            self.previews.show(self._state.row, self.choices, found)
        return self._state

    def _suggest_name(self, found: Found) -> None:
        facts = found.get(asks_for(self.choices).out)
        if self._named_by_hand:
            return
        taken = facts.taken if isinstance(facts, FolderFacts) else frozenset()
        participant = in_effect(self.choices, found).participant
        name = suggested_name(participant, self._today(), taken)
        if name != self.choices.name:
            self.choices = replace(self.choices, name=name)

    def _note_demo(self, found: Found) -> None:
        """Take the place of the demo's protocol into the choices, once it is known."""
        fact = found.get(asks_for(self.choices).demo)
        if (
            isinstance(fact, DemoFacts)
            and fact.protocol is not None
            and str(fact.protocol) != self.choices.demo_protocol
        ):
            self.choices = replace(self.choices, demo_protocol=str(fact.protocol))

    def signal(self) -> tuple[Signal | None, str]:
        """Return the newest seconds of the selected stream, and what is wrong with it, in words ('' for nothing)."""
        if self.choices.mode == "replay":
            return glimpse(self._state.row, in_effect(self.choices, self._found), self._found)
        return self.previews.signal(self._state.row)

    def add_board(self, text: str) -> bool:
        """Let the board that ``text`` names take part; return whether it can."""
        try:
            parse_board(text)
        except RtaffectError as error:
            self.say(error)
            return False
        self.choose(boards=tuple(dict.fromkeys((*self.choices.boards, text.strip()))))
        self.select(("board", text.strip()))
        return True

    def close(self) -> None:
        """Stop all threads and let go of all devices."""
        for part in (self.previews, self.network, self.files):
            part.stop()
        forget()


def _says_of_all(choices: Choices) -> bool:
    """Return whether something is given for all streams."""
    return any(getattr(choices, name).strip() for name in NAMES)


def _same(before: Found, now: Found) -> bool:
    """Return whether nothing has changed; facts are compared as objects, for some hold arrays."""
    same = before.facts is now.facts and before.boards is now.boards
    return same and replace(before, facts={}, boards={}) == replace(now, facts={}, boards={})
