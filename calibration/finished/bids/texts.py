"""What a dataset says of itself in words: description, README, and the sidecars that are the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rtaffect import __version__

#: The version of the standard whose schema the tests validate against.
BIDS_VERSION: Final = "1.11.1"

PARTICIPANTS_JSON: Final = {
    "participant_id": {"Description": "Code of the participant"},
    "age": {"Description": "Age at the first session", "Units": "year"},
    "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male", "O": "other"}},
    "handedness": {"Description": "Handedness", "Levels": {"R": "right", "L": "left", "A": "ambidextrous"}},
}
SCANS_JSON: Final = {
    "filename": {"Description": "The recording, relative to this table"},
    "acq_time": {"Description": "When the session began, UTC"},
    "recording_sha256": {"Description": "SHA-256 of the recording (XDF) that rtaffect made the files of"},
}
README: Final = """# {name}

EEG of people who listened while rtaffect compared them with a group, recorded in sessions and written by its command
`export-bids`.

## EEG

Samples are as recorded: not filtered, not resampled, not referenced anew, in microvolts. `SamplingFrequency` is the
rate as measured on the recording computer's clock; where the device's clock drifts by less than half a sample over
the recording, it is the nominal one (`SamplingFrequencyNominal`). Recordings may thus differ a little in rate;
resample them to a common one before you join them. Onsets are exact to the sample, since they are placed between the
samples that were taken around them; `LargestClockDeviation` (s) is how far a sample lies from its place at most.

Where samples are missing, 0 stands in their place, and an event `BAD_ACQ_SKIP` says from when and how long; the same
span is a `Bad Interval` in the `.vmrk`. It is no signal. `BAD_missing` is where a channel that otherwise works has no
value. Losses of less than 5 ms or two samples, and those that the jitter of the time stamps hides, are not marked.

Channels whose status is bad had no value in most samples, or rtaffect's measure of quality was poor for most of the
session. Positions of electrodes were not measured and are not given.

## Events

`trial_type` tells what happened; a line `stimulus` is when a sound of `stimuli/` began. The columns are described
beside each table.

## Feedback

`*_recording-feedback_stim.tsv.gz` has what was predicted, observed and shown, one row a step, with its columns in the
`.json`. `StartTime` is that of the first row, s from the first sample of the EEG. The window of a row ends at its time.
Of sessions that were blinded when they were exported what was shown is left out.
"""


def description(name: str, authors: Sequence[str], licence: str | None) -> dict[str, Any]:
    """Return the content of ``dataset_description.json``."""
    said: dict[str, Any] = {"Name": name, "BIDSVersion": BIDS_VERSION, "DatasetType": "raw"}
    if authors:
        said["Authors"] = list(authors)
    if licence:
        said["License"] = licence
    made = {"Name": "rtaffect", "Version": __version__, "Description": "export-bids: from session folders"}
    return said | {"GeneratedBy": [made]}
