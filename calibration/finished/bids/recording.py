"""A session's recording: each headset's EEG as recorded, in volts, on an even grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from calibration.finished.bids.grid import Grid, place
from calibration.finished.bids.physio import Signals, signals_of
from rtaffect.common.errors import RecordingError
from rtaffect.common.montage import is_eog
from rtaffect.plan.session_folder import RecordedSession
from rtaffect.sources.body_channels import body_channels
from rtaffect.sources.channel_plan import plan_of
from rtaffect.sources.clock_offsets import STEP_BACK_S, correct
from rtaffect.sources.selection import given_for
from rtaffect.sources.xdf_file import RecordedStream, read_xdf

#: Values beyond this are garbled: single precision does not hold them in microvolts, V.
MOST_V = 1e30
#: A channel without a value for this share of the samples has none at all.
MOST_MISSING = 0.5
#: A recording that spans more has wrong stamps, h.
MOST_HOURS = 48
#: XDF's chunk that says what a stream is.
_STREAM_HEADER = 2


class NotRecordedError(RecordingError):
    """The recording has nothing of a headset."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a stream says of its device; empty where it says nothing. Serial numbers and hosts are not read."""

    manufacturer: str = ""
    model: str = ""
    cap: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Headset:
    """One person's EEG.

    Attributes
    ----------
    name
        The headset's name in the session.
    channels
        Names: of the EEG, then of the eyes, which say so.
    volts : (channels, places) float64
        As recorded, V; 0 where there is nothing.
    grid
        When each place was.
    absent
        Places at which a channel that otherwise works has no value: (first, first after).
    dead
        Channels without values, and what share of the samples lacks one.
    left_out
        Channels of the stream that are neither EEG nor eyes nor peripheral signals.
    body
        Its peripheral signals; None without any.
    device
        What the stream says of the device.
    """

    name: str
    channels: tuple[str, ...]
    volts: NDArray[np.float64]
    grid: Grid
    absent: tuple[tuple[int, int], ...]
    dead: dict[str, float]
    left_out: tuple[str, ...]
    device: Device
    body: Signals | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Type of each channel: ``eeg`` or ``eog``."""
        return tuple("eog" if is_eog(name) else "eeg" for name in self.channels)


class SessionRecording:
    """The recording of a session: its headsets, one at a time, since each may be large.

    Attributes
    ----------
    notes
        What is odd, one line each; grows with the headsets.
    identities
        Texts that tell a computer or device: hosts and source ids.

    Raises
    ------
    RecordingError
        If it is missing or cannot be read.
    """

    def __init__(self, session: RecordedSession) -> None:
        self._session = session
        self._streams, self.notes = read_xdf(session.recording)
        self._devices = _devices(session.recording)
        self.identities = frozenset(
            text for each in self._streams for text in (each.header.host, each.header.source_id) if text
        )

    def headset(self, name: str) -> Headset:
        """Return the EEG of the headset ``name``.

        Raises
        ------
        NotRecordedError
            If it is not in the recording, or has no samples.
        RecordingError
            If it comes at another rate.
        StreamError
            If names or units of its channels are missing or wrong.
        """
        said = next((each for each in headsets_of(self._session) if each.get("name") == name), {})
        stream, chosen = self._stream(name, said), self._session.plan.eeg
        given = given_for(chosen, stream.header)
        rate = float(given.get("rate") or said.get("rate") or stream.header.rate)
        if not (np.isfinite(rate) and rate > 0):
            raise RecordingError(
                f"headset {name!r} has no regular rate ({rate:g} Hz); expected one above 0: give eeg.rate in "
                "session.toml"
            )
        plan = plan_of(stream.header, given)
        stamps = self._stamps(name, stream)
        if (hours := float(stamps.max() - stamps.min()) / 3600) > MOST_HOURS:
            raise RecordingError(
                f"headset {name!r} has samples over {hours:.0f} h; expected at most {MOST_HOURS}: its stamps are wrong"
            )
        try:
            grid = place(stamps, rate, [each.sample for each in stream.segments or ()])
        except RecordingError as error:
            raise RecordingError(f"headset {name!r} {error}") from None
        volts, absent, dead = _on_grid(stream, plan.columns, plan.scale, plan.names, grid)
        used = {*plan.columns, *(channel.column for channel in plan.body)}
        left_out = tuple(_label(stream, i) for i in range(stream.header.channels) if i not in used)
        device = self._devices.get(stream.number, Device())
        body = signals_of(stream, plan.body, grid)
        return Headset(name, plan.names, volts, grid, absent, dead, left_out, device, body)

    def owners(self, people: Sequence[str]) -> dict[str, str]:
        """Return for each stream of peripheral signals alone whose of ``people``, headsets, it is; '' if not known.

        A session of a former version does not say so; where one person is recorded, they are theirs.
        """
        alone = people[0] if len(headsets_of(self._session)) == len(people) == 1 else ""
        streams = self._session.ran.get("peripheral", ())
        return {str(each.get("name", "")): str(each.get("of") or alone) for each in streams}

    def peripheral(self, names: Sequence[str]) -> dict[str, Signals]:
        """Return the signals of the session's streams of peripheral signals alone that have ``names`` in it.

        Raises
        ------
        RecordingError
            If one comes at another rate than it declares.
        """
        found = {}
        for said in self._session.ran.get("peripheral", ()):
            name = str(said.get("name", ""))
            if name not in names:
                continue
            try:
                stream = self._stream(name, said)
                grid = place(self._stamps(name, stream), stream.header.rate, [s.sample for s in stream.segments or ()])
            except NotRecordedError as error:
                self.notes.append(str(error))
                continue
            if (signals := signals_of(stream, body_channels(stream.header), grid)) is not None:
                found[name] = signals
        return found

    def _stream(self, name: str, said: dict[str, Any]) -> RecordedStream:
        """Return the recorded stream of a headset: the one with samples, of its name and source id."""
        wanted = str(said.get("stream", name)), str(said.get("source_id", ""))
        found = [
            each
            for each in self._streams
            if each.header.format != "string"
            and each.header.name == wanted[0]
            and wanted[1] in {"", each.header.source_id}
        ]
        if not found:
            raise NotRecordedError(
                f"headset {name!r} is not in {self._session.recording.name}: its EEG was not recorded"
            )
        most = max(found, key=lambda each: len(each.stamps))
        if not len(most.stamps):
            raise NotRecordedError(f"headset {name!r} has no samples in {self._session.recording.name}")
        if len(found) > 1:
            self.notes.append(f"headset {name!r} is {len(found)} times in the recording; the longest counts")
        return most

    def _stamps(self, name: str, stream: RecordedStream) -> NDArray[np.float64]:
        """Return when the samples (n,) were stamped, s on the session's LSL clock, as far as that is known."""
        corrected = correct(stream.stamps, stream.clock_times, stream.clock_values, stream.segments)
        back = np.flatnonzero(np.diff(corrected.stamps) < -STEP_BACK_S)
        if not len(back) or stream.segments is not None:
            return corrected.stamps
        first = int(back[0]) + 1
        lost = len(corrected.stamps) - first
        self.notes.append(
            f"headset {name!r}: its clock goes back without a reason; the last {lost} samples are left out"
        )
        return corrected.stamps[:first]


def _label(stream: RecordedStream, column: int) -> str:
    return stream.header.labels[column] or f"channel {column + 1}"


def headsets_of(session: RecordedSession) -> list[dict[str, Any]]:
    """Return what ``session.toml`` says of each headset, in order."""
    said = session.ran.get("eeg")
    return [each for each in said if isinstance(each, dict) and each.get("name")] if isinstance(said, list) else []


def _on_grid(
    stream: RecordedStream, columns: Sequence[int], scale: NDArray[np.float64], names: Sequence[str], grid: Grid
) -> tuple[NDArray[np.float64], tuple[tuple[int, int], ...], dict[str, float]]:
    """Return volts (channels, places), the places where a working channel has none, and the channels without any."""
    volts, missing = np.zeros((len(columns), grid.length)), np.zeros(grid.length, np.bool_)
    dead = {}
    for row, (column, factor) in enumerate(zip(columns, scale, strict=True)):
        with np.errstate(invalid="ignore", over="ignore"):
            values = stream.values[: len(grid.places), column].astype(np.float64) * factor
            good = np.abs(values) < MOST_V
        volts[row, grid.places[good]] = values[good]
        if (share := 1.0 - float(good.mean())) > MOST_MISSING:
            dead[names[row]] = share
        else:
            missing[grid.places[~good]] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]])))
    return volts, tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)), dead


def _devices(path: Path) -> dict[int, Device]:
    """Return what each stream of an XDF file says of its device, by the stream's number."""
    found = {}
    for content in _headers(path):
        try:
            root = ET.fromstring(content[4:])
        except ET.ParseError:
            continue
        said = {key: _first(root, places) for key, places in _PLACES.items()}
        found[int.from_bytes(content[:4], "little")] = Device(**said)
    return found


#: Where a stream's description says these: https://github.com/sccn/xdf/wiki/EEG-Meta-Data.
_PLACES = {
    "manufacturer": ("desc/acquisition/manufacturer", "desc/manufacturer", "desc/amplifier/manufacturer"),
    "model": ("desc/acquisition/model", "desc/model", "desc/amplifier/model"),
    "cap": ("desc/cap/manufacturer", "desc/cap/name"),
    "reference": ("desc/reference/label",),
}


def _first(root: ET.Element, places: Sequence[str]) -> str:
    texts = (" ".join((root.findtext(place) or "").split()) for place in places)
    return next((text for text in texts if text), "")


def _headers(path: Path) -> Iterator[bytes]:
    """Yield the content of each chunk that describes a stream: its number, then XML."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"XDF:":
            return
        while (width := file.read(1)) and width[0] in {1, 4, 8}:
            length, tag = int.from_bytes(file.read(width[0]), "little"), int.from_bytes(file.read(2), "little")
            if not 2 <= length <= size:
                return
            if tag == _STREAM_HEADER:
                yield file.read(length - 2)
            else:
                file.seek(length - 2, 1)
