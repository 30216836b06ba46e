"""Opens recordings with mne: each format with what it needs, and what mne says or fails with as one line each."""

from __future__ import annotations

import ntpath
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from calibration.studies.file_check import check_file
from rtaffect.common.errors import RecordingError
from rtaffect.stream.limits import MOST_CHANNELS

if TYPE_CHECKING:
    from mne.io import BaseRaw

#: What mne warns of that does not matter here: how files should be called, filters that it only notes, what is told in
#: rtaffect's own words, and where electrodes are, of which only the names are used.
_IMMATERIAL: Final = (
    "naming conventions",
    "pass filters",
    "annotation(s) that were expanding",
    "data contains 'boundary' events",
    "head radius",
    "Could not parse meas date",
)
_DATA_KEY: Final = re.compile(rb"^\s*(DataFile|MarkerFile)\s*=\s*(.*?)\s*$", re.MULTILINE)
_CHANNEL_KEY: Final = re.compile(rb"^\s*NumberOfChannels\s*=\s*(\d+)", re.MULTILINE)
_CONTINUOUS = "expected a continuous recording, since the sounds lie in it: "


def read_raw(path: Path, include: Sequence[str] | None, notes: list[str]) -> BaseRaw:
    """Open a recording without reading its samples.

    Parameters
    ----------
    path
        The file.
    include
        Channels that are read, of EDF and BDF; None for all.
    notes
        Gets what is to be known of it, one line each.

    Raises
    ------
    RecordingError
        If mne is not installed, the file cannot be read, or holds epochs.
    """
    try:
        import mne
    except ImportError:
        raise RecordingError(
            f'{path}: only XDF is read without mne, which is not installed; pip install "rtaffect[head]", or export '
            "the recording as XDF"
        ) from None
    _refuse_no_file(path)
    check_file(path)
    reader = _READERS.get(".fif" if path.name.lower().endswith(".fif.gz") else path.suffix.lower())
    with mne_notes(path, notes):
        if reader is not None:
            return reader(path, include, notes)
        return mne.io.read_raw(path, preload=False, verbose="WARNING")


def _refuse_no_file(path: Path) -> None:
    """Refuse what is no file, or holds nothing; folders are recordings of some makers, which mne knows."""
    if path.is_file() and not path.stat().st_size:
        raise RecordingError(f"{path}: the file is empty (0 bytes); expected EEG: copy or export it again")
    if path.is_dir() and path.suffix.lower() in (*_READERS, ".fif", ".gz"):
        raise RecordingError(f"{path}: a folder; expected a file with EEG: name the file in it")


@contextmanager
def mne_notes(path: Path, notes: list[str]) -> Iterator[None]:
    """Keep what mne warns of, one line each, and make one line of what it fails with."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except RecordingError:
            raise
        # A damaged file may make each of its readers fail in any way.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RecordingError(
                f"{path} cannot be read ({reason}); expected EEG in a format that mne reads: export it again"
            ) from error
    lines = (" ".join(str(each.message).split()) for each in caught)
    notes += [line for line in dict.fromkeys(lines) if line not in notes and not any(t in line for t in _IMMATERIAL)]


def _read_edf(path: Path, include: Sequence[str] | None, notes: list[str]) -> BaseRaw:
    """Open EDF or BDF; annotations that are not UTF-8, as EDF+ wants them, are read byte by byte."""
    import mne

    read: Callable[..., BaseRaw] = mne.io.read_raw_bdf if path.suffix.lower() == ".bdf" else mne.io.read_raw_edf
    more: dict[str, Any] = {} if include is None else {"include": list(include)}
    try:
        return read(path, preload=False, verbose="WARNING", **more)
    except Exception as error:
        if not isinstance(error, UnicodeDecodeError) and "encoding" not in str(error):
            raise
    notes.append(
        "its annotations are not UTF-8, as EDF+ wants them, but Latin-1, GBK or the like; they are read, with other "
        "letters where these are not ASCII"
    )
    return read(path, preload=False, verbose="WARNING", encoding="latin1", **more)


def _read_brainvision(path: Path, _include: Sequence[str] | None, notes: list[str]) -> BaseRaw:
    """Open BrainVision, whose header names the files beside it, also where they were renamed together."""
    import mne

    content = path.read_bytes()
    said = {key.decode(): _decoded(name) for key, name in _DATA_KEY.findall(content)}
    if b"[" not in content or "DataFile" not in said:
        raise RecordingError(
            f"{path} is another kind of file; expected the header of a BrainVision recording: export it again"
        )
    declared = _CHANNEL_KEY.search(content)
    if declared is not None and not 1 <= int(declared[1][:9]) <= MOST_CHANNELS:
        raise RecordingError(
            f"{path} declares {declared[1].decode()[:40]} channels; expected 1 to {MOST_CHANNELS}: export it again"
        )
    renamed: list[str] = []
    data = _beside(path, said["DataFile"], (".eeg", ".dat", ".avg", ".seg"), renamed, notes)
    marks = _beside(path, said.get("MarkerFile", ""), (".vmrk",), renamed, notes)
    if renamed:
        notes.append(f"{path.name} names {' and '.join(renamed)}, which are not there; those of its own name are read")
    if data is None:
        raise RecordingError(
            f"{path} names {said['DataFile']}, which is not there, nor {path.stem}.eeg; expected the samples beside "
            "their header: copy them there, too"
        )
    # mne takes a relative name for one beside the header.
    overrides: dict[str, Any] = {"data_fname": data.absolute()}
    with tempfile.TemporaryDirectory() as folder:
        if marks is not None and (text := _in_utf8(marks)) is not None:
            notes.append(
                f"{marks.name} is not UTF-8; its markers are read, with other letters where these are not ASCII"
            )
            marks = Path(folder) / "markers.vmrk"
            marks.write_text(text, encoding="utf-8")
            overrides["marker_fname"] = marks
        elif marks is not None and marks.name != said.get("MarkerFile"):
            overrides["marker_fname"] = marks.absolute()
        raw = mne.io.read_raw_brainvision(path, overrides=overrides, preload=False, verbose="WARNING")
    if cut := _cut_short(content, data, len(raw.ch_names), raw.n_times):
        notes.append(f"{data.name} is cut short: {cut}; copy it again")
    return raw


def _cut_short(header: bytes, data: Path, channels: int, count: int) -> str:
    """Return how the ``count`` samples of BrainVision's data are fewer than there should be; '' if nothing says so."""
    points = re.search(rb"(?m)^\s*DataPoints\s*=\s*(\d+)", header)
    if points is not None and int(points[1]) > count:
        return f"its header says {int(points[1])} samples, and {count} are there"
    width = re.search(rb"(?m)^\s*BinaryFormat\s*=\s*\w*?_(16|32)", header)
    if width is not None and data.stat().st_size % (channels * int(width[1]) // 8):
        return f"it ends within a sample, after {count}"
    return ""


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _beside(path: Path, said: str, endings: Sequence[str], renamed: list[str], notes: list[str]) -> Path | None:
    """Return the file that a header at ``path`` names, or, if that is not there, the one of its own name beside it.

    Then what it names is added to ``renamed``. None where there is neither, or the header names none. Folders in the
    name are of the computer that wrote it.
    """
    if not said:
        return None
    name = ntpath.basename(said.replace("$b", path.stem))
    named, own = (
        path.parent / name,
        [path.with_suffix(ending) for ending in dict.fromkeys([Path(name).suffix, *endings])],
    )
    fitting = next((each for each in own if each.is_file()), None)
    if named.is_file():
        if fitting is not None and fitting != named and named.stem.casefold() != path.stem.casefold():
            notes.append(f"{path.name} names {name}, which is read, although {fitting.name} lies beside it")
        return named
    alike = next((each for each in path.parent.iterdir() if each.name.casefold() == name.casefold()), None)
    found = alike or fitting
    if found is not None:
        renamed.append(name)
    return found


def _in_utf8(path: Path) -> str | None:
    """Return a text that is not UTF-8 as one that is, by Latin-1; None if it is UTF-8."""
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return re.sub(r"(?mi)^Codepage=.*$", "Codepage=UTF-8", content.decode("latin-1"))
    return None


def _read_eeglab(path: Path, _include: Sequence[str] | None, _notes: list[str]) -> BaseRaw:
    """Open EEGLAB; epochs are refused."""
    import mne

    try:
        return mne.io.read_raw_eeglab(path, preload=False, verbose="WARNING")
    except TypeError as error:
        if "number of trials" not in str(error):
            raise
        number = re.search(r"number of trials is (\d+)", str(error))
        raise RecordingError(
            f"{path} holds {number[1] if number else 'several'} epochs; {_CONTINUOUS}name the .set file from before "
            "the epochs were cut (in EEGLAB, before Tools > Extract epochs)"
        ) from None


def _read_fif(path: Path, _include: Sequence[str] | None, _notes: list[str]) -> BaseRaw:
    """Open FIF; epochs and averages are refused."""
    import mne

    try:
        return mne.io.read_raw_fif(path, preload=False, verbose="WARNING")
    except ValueError as error:
        if "No raw data" not in str(error):
            raise
        raise RecordingError(
            f"{path} holds no continuous recording, but epochs or averages; {_CONTINUOUS}name the FIF file from before "
            "the epochs were cut, as raw.save() writes it (..._raw.fif or ..._eeg.fif)"
        ) from None


def _read_cnt(path: Path, _include: Sequence[str] | None, _notes: list[str]) -> BaseRaw:
    """Open Neuroscan's format, or the one of ANT Neuro with the same ending."""
    import mne

    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64"):
        return mne.io.read_raw_ant(path, preload=False, verbose="WARNING")
    try:
        return mne.io.read_raw_cnt(path, preload=False, verbose="WARNING")
    except RuntimeError as error:
        # Only the last line of what mne explains says what is wrong, before the arguments that would mend it.
        lines = str(error).split("\nWARNING:")[0].strip().splitlines() or ["it is damaged"]
        reason = re.split(r", (?:cannot auto|pass )|\.  set data", lines[-1].removeprefix("RuntimeError: "))[0]
        if not head.startswith(b"Version"):
            reason = "it is another kind of file"
        raise RecordingError(
            f"{path} cannot be read ({reason}); expected a whole Neuroscan "
            "recording: copy it again, or export it as EDF or BrainVision"
        ) from None


_READERS: Final[dict[str, Callable[[Path, Sequence[str] | None, list[str]], BaseRaw]]] = {
    ".edf": _read_edf,
    ".bdf": _read_edf,
    ".vhdr": _read_brainvision,
    ".set": _read_eeglab,
    ".fif": _read_fif,
    ".cnt": _read_cnt,
}
