"""LIRIS-ACCEDE as studies: one film's traces of raters, and the rated excerpts with their given features.

LIRIS-ACCEDE (Baveye et al., *IEEE Trans. Affect. Comput.* 6, 2015; *ACII*, 2015) is free for research only, comes from
its authors, and is no part of this project. With its annotations in folders of your own::

    python -m bench.liris film RAW_TRACES big_buck_bunny.ogg picture.tsv STUDY --title Big_Buck_Bunny
    rtaffect calibrate STUDY --out BUNDLE
    python -m bench.liris excerpts ANNOTATIONS FEATURES STUDY
    rtaffect calibrate STUDY --out RESULT
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

#: The feature tables of the excerpts, and their columns that are of the sound; the others are of the picture.
FEATURES = ("ACCEDEfeaturesArousal_TAC2015.txt", "ACCEDEfeaturesValence_ACII2013.txt")
SOUND = re.compile(r"asymmetry(_env)?|centroid|energy|flatness(_env)?|roll_off|stdDevLocalMax|wtf_.*|zcr")
_VALUE = re.compile(r"(-?[\d.]+(?:E-?\d+)?)\t(-?[\d.]+(?:E-?\d+)?)")
#: Readings a second at which a trace, which says when it changes, is averaged.
_RATE = 100


def trace(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return times (s) and values of one rater's trace, whose decimals have commas; the header is left out."""
    lines = path.read_text(encoding="utf-8-sig").replace(",", ".").splitlines()
    pairs = [found.groups() for line in lines if (found := _VALUE.fullmatch(line.strip()))]
    times, values = np.array(pairs, np.float64).T
    return times, values


def each_second(times: np.ndarray, values: np.ndarray, seconds: int) -> np.ndarray:
    """Return the mean in each second (seconds,) of what holds from each time on; NaN before the first and after all."""
    at = np.arange(seconds * _RATE) / _RATE
    last = np.searchsorted(times, at, "right") - 1
    held = np.where((last >= 0) & (at < times[-1] + 1), values[np.maximum(last, 0)], np.nan).reshape(seconds, _RATE)
    known = np.isfinite(held).sum(axis=1)
    return np.where(known > 0, np.nansum(held, axis=1) / np.maximum(known, 1), np.nan)


def traces_of(folder: Path, title: str, seconds: int) -> dict[str, dict[str, np.ndarray]]:
    """Return of each rater ('id3') the courses of 'arousal' and 'valence', as far as they rated them."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for path in sorted(folder.glob(f"id*/{title}_*_id*.txt")):
        kind = path.stem.removeprefix(f"{title}_").split("_")[0].lower()
        found.setdefault(path.parent.name, {})[kind] = each_second(*trace(path), seconds)
    return found


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Write columns as tab-separated text, n/a where there is no number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [["n/a" if isinstance(v, float) and np.isnan(v) else str(v) for v in column] for column in columns.values()]
    lines = ["\t".join(columns), *("\t".join(row) for row in zip(*cells, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@click.group()
def main() -> None:
    """Write studies from LIRIS-ACCEDE."""


@main.command()
@click.argument("raw", type=click.Path(exists=True, path_type=Path))
@click.argument("sound", type=click.Path(exists=True, path_type=Path))
@click.argument("picture", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--title", required=True, help="The film, as its files begin.")
def film(raw: Path, sound: Path, picture: Path, out: Path, title: str) -> None:
    """Write a study of one film: each rater's trace as one value a second, its sound and what was seen."""
    rows = [line.split("\t") for line in picture.read_text(encoding="utf-8").splitlines()]
    people = traces_of(raw, title, len(rows) - 1)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(sound, out / sound.name)
    kept = [i for i, name in enumerate(rows[0]) if name != "second"]
    write_table(out / "picture.tsv", {rows[0][i]: [row[i] for row in rows[1:]] for i in kept})
    lines = [f'name = "LIRIS-ACCEDE, {title}"', "[[sound]]", f'name = "{title}"', f'file = "{sound.name}"']
    lines += ['covariates = "picture.tsv"', "[sound.rating]"]
    for rater, courses in people.items():
        write_table(out / f"{rater}.tsv", {kind: list(map(float, course)) for kind, course in courses.items()})
        lines.append(f'{rater} = "{rater}.tsv"')
    (out / "study.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{title}: {len(people)} raters, {len(rows) - 1} s")


def features_of(folder: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Return the names of the features, and their values by the excerpt's name; the first table with a name counts."""
    columns: dict[str, dict[str, str]] = {}
    for file in FEATURES:
        with (folder / file).open(encoding="utf-8", newline="") as text:
            rows = [[cell.strip() for cell in row] for row in csv.reader(text, delimiter="\t")]
        names = [name for name in rows[0] if name]
        for i, name in enumerate(names[2:], start=2):
            columns.setdefault(name, {row[1]: row[i] for row in rows[1:]})
    excerpts = next(iter(columns.values()))
    return list(columns), {excerpt: [values[excerpt] for values in columns.values()] for excerpt in excerpts}


@main.command()
@click.argument("annotations", type=click.Path(exists=True, path_type=Path))
@click.argument("features", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def excerpts(annotations: Path, features: Path, out: Path) -> None:
    """Write a study of the rated excerpts with their features and the official split: learning and validation train."""

    def table(name: str) -> dict[str, dict[str, str]]:
        with (annotations / name).open(encoding="utf-8", newline="") as text:
            return {row["name"]: row for row in csv.DictReader(text, delimiter="\t")}

    values, sets = table("ACCEDEranking.txt"), table("ACCEDEsets.txt")
    names, given = features_of(features)
    order = sorted(given)
    columns: dict[str, Sequence[object]] = {"excerpt": order}
    columns |= {kind: [values[e][f"{kind}Value"] for e in order] for kind in ("arousal", "valence")}
    columns["split"] = ["test" if sets[e]["set"] == "0" else "train" for e in order]
    columns |= {name: [given[e][i] for e in order] for i, name in enumerate(names)}
    write_table(out / "excerpts.tsv", columns)
    sound = [name for name in names if SOUND.fullmatch(name)]
    picture = [name for name in names if name not in sound]
    lines = ['name = "LIRIS-ACCEDE excerpts"', "[excerpts]", 'table = "excerpts.tsv"', 'excerpt = "excerpt"']
    lines += ['ratings = ["arousal", "valence"]', 'split = "split"', f"sound = {sound}", f"picture = {picture}"]
    (out / "study.toml").write_text("\n".join(lines).replace("'", '"') + "\n", encoding="utf-8")
    print(f"{len(order)} excerpts, {len(sound)} features of the sound, {len(picture)} of the picture")


if __name__ == "__main__":
    main()
