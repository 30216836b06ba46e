"""A recording in any format that mne reads, as sources of EEG: EDF, BDF, BrainVision, EEGLAB, FIF and others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.studies.described import ChannelTable, kinds_of, read_channel_table
from calibration.studies.edf_header import read_edf_header, record_starts
from calibration.studies.layout import RecordingFile
from calibration.studies.mne_reading import mne_notes, read_raw
from calibration.studies.tables import number
from calibration.studies.timeline import Timeline
from rtaffect.common.errors import RecordingError
from rtaffect.common.montage import place_of
from rtaffect.sources.channel_plan import ChannelPlan, Given, plan_of
from rtaffect.sources.device_profile import NONE
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamHeader, StreamInfo, volts_per

#: Times (n,), s, and samples (n, channels), V.
Piece = tuple[NDArray[np.float64], NDArray[np.float32]]

#: Read at once, s; a source's buffer keeps more.
PIECE_S: Final = 20.0
#: No EEG is faster, Hz.
MOST_RATE: Final = 1e6
#: What EEGLAB writes where events have numbers in place of texts and data were cut out.
_NUMBERED_BOUNDARY: Final = -99.0


class MneFile:
    """One recording; times are s from its first sample. Samples are read when a source asks for them.

    What the recording marks as bad (channels, or spans whose annotation begins with 'bad') is missing (NaN).

    Attributes
    ----------
    rate : float
        Hz.
    channels : tuple of str
        EEG, then EOG with names that say so.
    first, last : float
        Times of the first and the last sample, s.
    breaks : tuple of float
        Where the recording was interrupted: the time in the file goes on, but what follows came later, s.
    holes : tuple of (float, float)
        From when to when samples are missing where the file says when each was taken, s.
    bad : tuple of str
        Channels that are marked as bad.
    left_out : tuple of (str, str)
        Channels that are no EEG, with what they are.
    warnings : list of str
        What mne has to say, one line each.

    Raises
    ------
    RecordingError
        If mne is not installed, the file cannot be read, or it has interruptions that nothing tells the place of.
    StreamError
        If names or units are missing or wrong, or no channel is EEG.
    """

    first = 0.0

    def __init__(self, file: RecordingFile) -> None:
        self._file = file
        self.warnings: list[str] = []
        self._parts, self._record_s = [(0, 0.0)], 0.0
        if file.path.suffix.lower() in {".edf", ".bdf"}:
            self._open_edf()
        else:
            self._open()
        self.rate = float(self._raw.info["sfreq"])
        if not 1.0 <= self.rate <= MOST_RATE:
            raise RecordingError(f"{file.path} says {self.rate:g} Hz; expected 1 to {MOST_RATE:g} Hz: export it again")
        self.channels, self.left_out = self._plan.names, self._plan.about.left_out
        self._timeline = self._placed()
        self.last, self.holes = self._timeline.last, self._timeline.holes
        marked = {place_of(name) for name in self._raw.info["bads"]} | (self._table.bad if self._table else frozenset())
        self._dead = np.isin([place_of(label) for label in self._labels], sorted(marked))
        self.bad = tuple(np.array(self.channels)[self._dead].tolist())
        with mne_notes(file.path, self.warnings):
            self.breaks, self._spans = self._annotated()

    def source(self, start: float, stop: float) -> ArraySource:
        """Return a fresh source of the samples from ``start`` to before ``stop`` (s)."""
        first, end = self._timeline.span(start, stop)
        samples = np.empty((end - first, len(self.channels)), np.float32)
        for at, piece in self._in_pieces(first, end):
            samples[at - first : at - first + len(piece)] = piece
        info = StreamInfo(self._file.listener, "eeg", self.rate, self.channels, "file", self._file.path.name)
        return ArraySource(info, samples, onset=self._timeline.time_of(first))

    def pieces(self) -> Iterator[Piece]:
        """Yield the whole recording, some seconds at a time."""
        for at, samples in self._in_pieces(0, self._raw.n_times):
            yield self._timeline.times(at, at + len(samples)), samples.astype(np.float32)

    def _in_pieces(self, first: int, end: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        step = max(1, round(PIECE_S * self.rate))
        for at in range(first, end, step):
            yield at, self._read(at, min(at + step, end))

    def _read(self, first: int, end: int) -> NDArray[np.float64]:
        """Return samples ``first`` to before ``end`` (n, channels), V."""
        with mne_notes(self._file.path, self.warnings):
            values = self._raw[self._picks, first:end][0].T / self._applied
        volts: NDArray[np.float64] = values * self._plan.scale
        volts[:, self._dead] = np.nan
        for start, stop, columns in self._spans:
            span = slice(max(0, start - first), max(0, stop - first))
            volts[span, columns] = np.nan
        return volts

    def _open(self) -> None:
        """Read the header; mne's values are volts, by the file's own unit of each channel."""
        self._raw = raw = read_raw(self._file.path, None, self.warnings)
        labels = tuple(raw.ch_names)
        with mne_notes(self._file.path, self.warnings):
            kinds = tuple(raw.get_channel_types())
        default = "uV" if self._file.path.suffix.lower() == ".set" else "V"
        said = [raw._orig_units.get(label, default) for label in labels]
        units = tuple("" if unit == "n/a" else unit for unit in said)
        self._describe(labels, kinds, units)
        self._picks = list(self._plan.columns)
        self._applied = np.array([volts_per(units[i]) if units[i] else 1.0 for i in self._picks])

    def _open_edf(self) -> None:
        """Read the header; only channels in use are read, since mne brings all that it reads to the highest rate."""
        path = self._file.path
        header = read_edf_header(path)
        self._parts, self._record_s = record_starts(path, header), header.record_s
        self._describe(header.labels, ("eeg",) * len(header.labels), header.units)
        used = sorted(self._plan.columns)
        self._raw = read_raw(path, [header.labels[i] for i in used], self.warnings)
        if len(self._raw.ch_names) != len(used):
            raise RecordingError(
                f"{path} has {len(self._raw.ch_names)} channels called {', '.join(header.labels[i] for i in used)}; "
                f"expected {len(used)}, no two with one name: rename them"
            )
        self._picks = [used.index(i) for i in self._plan.columns]
        # mne scales the units that it knows to volts, and takes all others for volts.
        self._applied = np.asarray(self._raw._raw_extras[0]["units"], np.float64)[self._picks]

    def _describe(self, labels: tuple[str, ...], kinds: Sequence[str], units: Sequence[str]) -> None:
        """Choose the channels: by the table of channels where there is one, else by the file and their names."""
        file = self._file
        table = read_channel_table(file.described, labels) if file.described else None
        names = file.channels if file.channels and len(file.channels) == len(labels) else labels
        carried = kinds_of(names, kinds, units, table)
        stated = tuple(
            unit or (table.units.get(place_of(n), "") if table else "") for n, unit in zip(labels, units, strict=True)
        )
        # What becomes of the channels does not depend on the rate, which may not be known yet.
        header = StreamHeader(file.path.name, "EEG", 0.0, "double64", labels, stated, tuple(kinds))
        self._table: ChannelTable | None = table
        self.warnings += [table.note] if table is not None and table.note else []
        self._plan: ChannelPlan = plan_of(header, file.given | Given(profile=file.profile or NONE), carried)
        self._labels = tuple(labels[i] for i in self._plan.columns)

    def _annotated(self) -> tuple[tuple[float, ...], list[tuple[int, int, NDArray[np.bool_]]]]:
        """Return interruptions (s), and bad spans as (first sample, sample after the last, channels)."""
        breaks, spans = [], []
        for each in self._raw.annotations:
            text, start = str(each["description"]).casefold(), float(each["onset"]) - self._raw.first_time
            stop = start + float(each["duration"])
            if "boundary" in text or text.startswith("new segment") or self._is_numbered_boundary(text):
                # The first segment begins with the recording.
                if start > 1 / self.rate:
                    breaks.append(math.ceil(start * self.rate - 1e-6) / self.rate)
            elif text.startswith("bad") and stop > start:
                named = [place_of(name) for name in each.get("ch_names") or self._labels]
                columns = np.isin([place_of(label) for label in self._labels], named)
                # From the sample at or before the begin on.
                spans.append(
                    (self._timeline.at(math.floor(start * self.rate) / self.rate), self._timeline.at(stop), columns)
                )
        return tuple(breaks), spans

    def _is_numbered_boundary(self, text: str) -> bool:
        return self._file.path.suffix.lower() == ".set" and number(text) == _NUMBERED_BOUNDARY

    def _placed(self) -> Timeline:
        """Return when the samples were taken: by the times of the records, where a file has some."""
        count = self._raw.n_times
        parts = [(round(record * self._record_s * self.rate), begun) for record, begun in self._parts if record]
        parts = [(0, 0.0), *((first, begun) for first, begun in parts if first < count)]
        found = Timeline(self.rate, count, *(tuple(each) for each in zip(*parts, strict=True)))
        for begin, end in found.holes:
            self.warnings.append(
                f"{end - begin:.2f} s are missing from {begin:.2f} s on; times after that count them, as the file does"
            )
        return found
