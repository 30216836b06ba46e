"""Files and folders: new ones follow no link and are the owner's, hashes tell damage, and paths stay inside."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.cache import made_once, seal_beside, wrong_beside
from rtaffect.common.files import PRIVATE, copy_new, inside, new_file, private_folder, replacing, sha256_of, write_whole
from rtaffect.common.kept import read_array, write_array
from rtaffect.common.sums import SUMS_FILE, SumsError, check_all, read_sums, write_sums
from tests.support.damage import flipped


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A file that nobody meant, to which links lead."""
    path = tmp_path / "elsewhere"
    path.write_text("mine")
    return path


def test_a_link_at_a_new_files_name_is_refused(tmp_path: Path, elsewhere: Path) -> None:
    for target in (elsewhere, tmp_path / "not-there"):
        link = tmp_path / f"link-{target.name}"
        link.symlink_to(target)
        with pytest.raises(FileExistsError):
            new_file(link)
        with pytest.raises(FileExistsError):
            copy_new(elsewhere, link)
    assert elsewhere.read_text() == "mine"
    assert not (tmp_path / "not-there").exists()


def test_a_link_at_the_name_of_a_file_that_is_replaced_is_not_followed(tmp_path: Path, elsewhere: Path) -> None:
    link = tmp_path / "settings.toml"
    link.symlink_to(elsewhere)
    write_whole(link, "new", PRIVATE)
    assert elsewhere.read_text() == "mine"
    assert not link.is_symlink()
    assert (link.read_text(), mode(link)) == ("new", 0o600)


def test_the_file_beside_has_another_name_each_time_and_is_the_owners(tmp_path: Path) -> None:
    names = set()
    for _ in range(20):
        with replacing(tmp_path / "a.toml", PRIVATE) as part:
            names.add(part.name)
            assert mode(part) == 0o600
    assert len(names) == 20
    assert min(len(name) for name in names) > len(".a..part.toml") + 15


def test_a_private_folder_is_no_link_and_the_owners(tmp_path: Path, elsewhere: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700
    private_folder(tmp_path / "a" / "b")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for wrong in (tmp_path / "link", elsewhere):
        with pytest.raises(NotADirectoryError):
            private_folder(wrong)


def test_what_leads_out_of_a_folder_is_refused(tmp_path: Path, elsewhere: Path) -> None:
    folder = tmp_path / "session"
    (folder / "stimuli").mkdir(parents=True)
    (folder / "stimuli" / "a.wav").write_text("a")
    (folder / "stimuli" / "out.wav").symlink_to(elsewhere)
    (folder / "loop").symlink_to(tmp_path)
    assert inside(folder, "stimuli/a.wav").read_text() == "a"
    assert inside(folder, "stimuli/../stimuli/a.wav").read_text() == "a"
    for name in ("../elsewhere", str(elsewhere), "stimuli/out.wav", "loop/elsewhere", "", ".", "a\0b", ".."):
        with pytest.raises(ValueError, match=r"leads out|no name"):
            inside(folder, name)


def test_every_flipped_bit_of_a_folder_with_hashes_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "inner").mkdir(parents=True)
    for name in ("a.bin", "inner/b.bin"):
        (folder / name).write_bytes(os.urandom(500))
    assert not check_all(folder), "no hashes were taken"
    write_sums(folder)
    assert check_all(folder)
    assert set(read_sums(folder) or {}) == {"a.bin", "inner/b.bin"}
    for path in (folder / SUMS_FILE, folder / "a.bin", folder / "inner/b.bin"):
        for place, bit in flipped(path):
            with pytest.raises(SumsError) as caught:
                check_all(folder)
            assert "\n" not in str(caught.value), (place, bit)
    assert check_all(folder)
    (folder / "a.bin").unlink()
    with pytest.raises(SumsError, match=r"a\.bin cannot be read"):
        check_all(folder)


def test_an_array_that_is_kept_is_given_back_or_not_at_all(tmp_path: Path) -> None:
    path, array = tmp_path / "cache" / "a.npy", np.random.default_rng(0).standard_normal((7, 3))
    assert read_array(path) is None
    write_array(path, array)
    np.testing.assert_array_equal(read_array(path), array)
    np.testing.assert_array_equal(np.load(path), array)
    for place, bit in flipped(path, 80):
        assert read_array(path) is None, (place, bit)


def test_a_folder_of_the_cache_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    made, said = [], []

    def make(part: Path) -> None:
        made.append(part)
        (part / "a").write_bytes(b"content")

    folder = tmp_path / "cache" / "v1"
    for _ in range(2):
        assert made_once(folder, make, said.append) == folder
    assert (len(made), said) == (1, [])
    for place, bit in list(flipped(folder / "a", 3)):
        (folder / "a").write_bytes(b"contenu")
        made_once(folder, make, said.append)
        assert (folder / "a").read_bytes() == b"content", (place, bit)
    assert "is made again: a has sha256" in said[0]
    (folder / SUMS_FILE).unlink()
    made_once(folder, make, said.append)
    assert "it has no hashes" in said[-1]
    assert [path.name for path in folder.parent.iterdir()] == ["v1"]


def test_a_hash_that_is_kept_beside_a_file_tells_whether_it_is_that_one(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"content")
    assert "is not there" in wrong_beside(path, sha256_of(path))
    seal_beside(path)
    assert wrong_beside(path, sha256_of(path)) == ""
    for beside in (path, tmp_path / "a.onnx.sha256"):
        for place, bit in flipped(beside):
            assert wrong_beside(path, sha256_of(path)), (place, bit)
