"""EEGLAB and FIF files whose frame is damaged are refused before mne reads them."""

from __future__ import annotations

import gzip
import struct

import pytest

from calibration.studies.file_check import check_file
from rtaffect.common.errors import RecordingError
from tests.support.study_files import eeg, write_fif, write_set


def test_good_files_pass(tmp_path):
    write_set(tmp_path / "a.set", eeg(0, 2))
    write_fif(tmp_path / "a.fif", eeg(0, 2))
    (tmp_path / "a.fif.gz").write_bytes(gzip.compress((tmp_path / "a.fif").read_bytes()))
    (tmp_path / "a.edf").write_bytes(b"other formats are not looked at")
    for name in ("a.set", "a.fif", "a.fif.gz", "a.edf"):
        check_file(tmp_path / name)


@pytest.mark.parametrize(
    ("at", "new"),
    [
        (128, struct.pack("<II", 14, 2**31)),  # the variable reaches beyond the file
        (136, struct.pack("<II", 6, 4)),  # flags of another size
        (144, struct.pack("<I", 0xFF)),  # a class that there is not
        (152, struct.pack("<II", 5, 2**20)),  # the shape reaches beyond
        (160, struct.pack("<ii", 2**30, 2**30)),  # more structs than there are bytes
        (160, struct.pack("<ii", -1, 1)),
        (126, b"XX"),
    ],
)
def test_a_damaged_mat_file_is_refused(tmp_path, at, new):
    write_set(tmp_path / "a.set", eeg(0, 2))
    data = bytearray((tmp_path / "a.set").read_bytes())
    data[at : at + len(new)] = new
    (tmp_path / "a.set").write_bytes(data)
    with pytest.raises(RecordingError, match=r"a\.set cannot be read"):
        check_file(tmp_path / "a.set")


@pytest.mark.parametrize(
    ("at", "new", "why"),
    [
        (8, struct.pack(">i", 2**30), "beyond the file"),
        (8, struct.pack(">i", -4), "beyond the file"),
        (12, struct.pack(">i", 4), "leads back"),
        (0, b"XXXX", "begins neither"),
    ],
)
def test_a_damaged_fif_is_refused(tmp_path, at, new, why):
    write_fif(tmp_path / "a.fif", eeg(0, 2))
    data = bytearray((tmp_path / "a.fif").read_bytes())
    data[at : at + len(new)] = new
    (tmp_path / "a.fif").write_bytes(data)
    with pytest.raises(RecordingError, match=why):
        check_file(tmp_path / "a.fif")


def test_a_packed_fif_unpacks_to_a_bounded_size(tmp_path):
    (tmp_path / "a.fif.gz").write_bytes(gzip.compress(bytes(200_000_000), 1))
    with pytest.raises(RecordingError, match="unpacks to more than"):
        check_file(tmp_path / "a.fif.gz")
