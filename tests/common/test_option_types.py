"""Numbers have limits that NaN does not slip through, and names and places of files are looked at before any work."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.common.option_types import FilePath, Number, Whole
from rtaffect.common.places import check_new_file, check_new_folder


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-inf", "0.5", "1e12", "", "x"])
def test_numbers_out_of_bounds_are_refused(value):
    with pytest.raises(click.BadParameter):
        Number(1.0, 10.0).convert(value, None, None)


def test_numbers_within_are_taken():
    assert Number(1.0, 10.0).convert("10", None, None) == 10.0
    assert Whole(1, 4).convert("4", None, None) == 4
    with pytest.raises(click.BadParameter):
        Number(0.0, 1.0, between=True).convert("1", None, None)


@pytest.mark.parametrize("value", ["0", "5", "1e12", "9" * 5000, "\u00b2", ""])
def test_whole_numbers_out_of_bounds_are_refused(value):
    with pytest.raises(click.BadParameter) as caught:
        Whole(1, 4).convert(value, None, None)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("value", ["", "a\0b", "n" * 300, "\udcff"])
def test_names_that_no_file_can_have_are_refused(value):
    with pytest.raises(SettingsError, match=r"name|empty"):
        FilePath().convert(value, None, None)


def test_places_that_results_can_go_to(tmp_path):
    (tmp_path / "file").touch()
    check_new_folder(tmp_path / "new" / "folder", "--out")
    check_new_file(tmp_path / "file", "--out")
    for wrong in (tmp_path / "file", tmp_path / "file" / "inside", tmp_path / ("n" * 300)):
        with pytest.raises(SettingsError, match="--out"):
            check_new_folder(wrong, "--out")
    for wrong in (tmp_path, tmp_path / "file" / "inside"):
        with pytest.raises(SettingsError, match="--out"):
            check_new_file(wrong, "--out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_into_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SettingsError, match="cannot be written"):
        check_new_folder(Path(tmp_path / "new"), "--out")
