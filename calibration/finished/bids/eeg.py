"""One EEG recording in a BIDS dataset: BrainVision through mne-bids, and what stands beside it."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibration.finished.bids.recording import Headset
from calibration.finished.bids.tables import ABSENT, cell, lines_of, write_json, write_tsv
from rtaffect.common.errors import ArtifactError, RecordingError
from rtaffect.common.montage import known_name, place_of
from rtaffect.plan.session_folder import RecordedSession, cell_number

if TYPE_CHECKING:
    from mne.io import BaseRaw

#: A channel that was good for less than this share of the session is bad.
LEAST_GOOD = 0.5
_PACKAGES = {"mne": "mne", "mne_bids": "mne-bids", "pybv": "pybv"}
_CHANNEL_COLUMNS = (
    "name", "type", "units", "low_cutoff", "high_cutoff", "description", "sampling_frequency", "reference", "status",
    "status_description",
)  # fmt: skip
_KINDS = {"eeg": ("EEG", "Electroencephalogram"), "eog": ("EOG", "Electrooculogram")}
_PLACED = (
    "Channels are named by the extended 10-20 system (10-05); where the electrodes were was not measured, so there is "
    "no electrodes.tsv"
)


@dataclass(frozen=True, slots=True)
class Entities:
    """What a recording's files are called: participant, session, task and run, without the keys."""

    sub: str
    ses: str
    task: str
    run: str

    @property
    def folder(self) -> Path:
        """The recording's folder in the dataset."""
        return Path(f"sub-{self.sub}") / f"ses-{self.ses}" / "eeg"

    @property
    def name(self) -> str:
        """What its files begin with."""
        return f"sub-{self.sub}_ses-{self.ses}_task-{self.task}_run-{self.run}"


def need() -> None:
    """Raise ArtifactError, with the remedy, if a package that writes BIDS is not installed."""
    missing = [name for module, name in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ArtifactError(
            f"export-bids needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed; "
            'pip install "rtaffect[bids]"'
        )


def write_eeg(
    root: Path, entities: Entities, headset: Headset, session: RecordedSession, about: Mapping[str, Any]
) -> None:
    """Write the samples, ``*_channels.tsv`` and ``*_eeg.json`` of a recording into the dataset at ``root``.

    Parameters
    ----------
    root
        The dataset, which mne-bids makes where it is not there.
    entities
        What the files are called.
    headset
        The EEG.
    session
        What its ``quality.tsv`` and settings say is written, too.
    about
        What else the sidecar says, such as the task's name.

    Raises
    ------
    RecordingError
        If the samples cannot be written.
    """
    mains = float(session.ran.get("settings", {}).get("signal", {}).get("mains_hz", 0.0))
    bad = bad_channels(session, headset)
    stem = root / entities.folder / entities.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _write_samples(root, entities, _raw(headset, mains))
        # The writers of mne, mne-bids and pybv fail in many ways.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RecordingError(f"the EEG of headset {headset.name!r} cannot be written ({reason})") from error
    _mark_bad(stem.with_name(f"{stem.name}_eeg.vmrk"), (*headset.grid.gaps, *headset.absent))
    write_tsv(stem.with_name(f"{stem.name}_channels.tsv"), _CHANNEL_COLUMNS, _channel_rows(headset, bad))
    write_json(stem.with_name(f"{stem.name}_eeg.json"), {**about, **_sidecar(headset, session, mains)})


def bad_channels(session: RecordedSession, headset: Headset) -> dict[str, str]:
    """Return which channels are bad, and why: those without values, and those that mostly were bad in the session."""
    bad = {name: f"no value in {share:.0%} of the samples" for name, share in headset.dead.items()}
    try:
        lines = lines_of(session, "quality.tsv", ("person", "channel", "quality"))
    except RecordingError:
        lines = []
    shares: dict[str, list[float]] = {}
    for line in lines:
        share = cell_number(line["quality"]) if line["person"] == headset.name else float("nan")
        if share >= 0:
            shares.setdefault(place_of(line["channel"]), []).append(share)
    for name in headset.channels:
        found = shares.get(place_of(name), [])
        if found and (mean := sum(found) / len(found)) < LEAST_GOOD:
            bad.setdefault(name, f"good for {mean:.0%} of the session, by rtaffect's measure of quality")
    return bad


def _raw(headset: Headset, mains: float) -> BaseRaw:
    import mne

    info = mne.create_info(list(headset.channels), headset.grid.rate, list(headset.kinds), verbose="ERROR")
    raw = mne.io.RawArray(headset.volts, info, verbose="ERROR")
    raw.info["line_freq"] = mains or None
    return raw


def _write_samples(root: Path, entities: Entities, raw: BaseRaw) -> None:
    import mne_bids

    path = mne_bids.BIDSPath(
        subject=entities.sub, session=entities.ses, task=entities.task, run=entities.run, datatype="eeg", root=root
    )
    mne_bids.write_raw_bids(raw, path, format="BrainVision", allow_preload=True, readme=False, verbose="ERROR")


def _mark_bad(markers: Path, spans: Iterable[tuple[int, int]]) -> None:
    """Add spans (first place, first after) to the markers as BrainVision's own kind, for programs that read only it."""
    with markers.open("a", encoding="utf-8", newline="\n") as file:
        for mark, (first, stop) in enumerate(sorted(spans), start=1):
            file.write(f"Mk{mark}=Bad Interval,,{first + 1},{stop - first},0\n")


def _channel_rows(headset: Headset, bad: Mapping[str, str]) -> list[list[str]]:
    rows = []
    for name, kind in zip(headset.channels, headset.kinds, strict=True):
        status = ["bad", bad[name]] if name in bad else ["good", ABSENT]
        reference = headset.device.reference or ABSENT
        rows.append(
            [name, _KINDS[kind][0], "µV", ABSENT, ABSENT, _KINDS[kind][1], cell(headset.grid.rate), reference, *status]
        )
    return rows


def _sidecar(headset: Headset, session: RecordedSession, mains: float) -> dict[str, Any]:
    grid, kinds, device = headset.grid, headset.kinds, headset.device
    placed = all(known_name(name) for name, kind in zip(headset.channels, kinds, strict=True) if kind == "eeg")
    lost = sum(stop - first for first, stop in grid.gaps)
    return {
        "EEGReference": device.reference or ABSENT,
        "EEGGround": ABSENT,
        "EEGPlacementScheme": _PLACED if placed else ABSENT,
        "SamplingFrequency": grid.rate,
        "PowerLineFrequency": mains or ABSENT,
        "SoftwareFilters": ABSENT,
        "HardwareFilters": ABSENT,
        "RecordingType": "continuous",
        "RecordingDuration": round(grid.length / grid.rate, 6),
        "Manufacturer": device.manufacturer or ABSENT,
        "ManufacturersModelName": device.model or ABSENT,
        "CapManufacturer": device.cap or ABSENT,
        "CapManufacturersModelName": ABSENT,
        "SoftwareVersions": f"rtaffect {session.ran.get('rtaffect', ABSENT)}",
        "SubjectArtefactDescription": ABSENT,
        "EEGChannelCount": kinds.count("eeg"),
        "EOGChannelCount": kinds.count("eog"),
        "ECGChannelCount": 0,
        "EMGChannelCount": 0,
        "MISCChannelCount": 0,
        "TriggerChannelCount": 0,
        "SamplingFrequencyNominal": grid.nominal,
        "LargestClockDeviation": round(grid.deviation_s, 6),
        "MissingSamples": lost,
    }
