"""What the demos are made of, in the user's cache: made by the offline side where it is not there."""

from __future__ import annotations

from pathlib import Path

from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.offline import offline_module
from rtaffect.plan.session_plan import DEMO_BUNDLE
from rtaffect.predicted.featurizer import ALL_CORES, Progress, cache_root, featurizer_for

#: In the folder of the demo of affect: the bundle, and clips that it was trained on.
AFFECT_BUNDLE, AFFECT_LIBRARY = "affect", "library"


def is_demos(folder: Path, option: str) -> bool:
    """Return whether a bundle that ``option`` names is the demo's.

    Raises
    ------
    SettingsError
        If it could as well be a folder of that name.
    """
    if folder != DEMO_BUNDLE:
        return False
    if folder.is_dir():
        raise SettingsError(
            f"{setting(option, 'demo')} names the demo's bundle, but there is a folder of that name here",
            remedy=f"give its whole path, {folder.absolute()}, or start elsewhere",
        )
    return True


def demo_folder(featurizer_path: Path | None, progress: Progress, *, elements: bool = False) -> Path:
    """Return the folder with the demo's bundle, sound and participant, made the first time in the user's cache.

    ``elements`` asks for the demo whose voice and background drive regions of their own.
    """
    # By name: the live side does not import the offline side, except to make what is missing.
    demo = offline_module("calibration.demo")
    featurizer = featurizer_for(featurizer_path, 1, progress)
    folder: Path = demo.ensure(cache_root() / "demo", featurizer, progress, elements=elements)
    return folder


def affect_demo_folder(featurizer_path: Path | None, progress: Progress) -> Path:
    """Return the folder with the demo of affect, made the first time in the user's cache.

    Its sound is embedded by the featurizer, so that nothing else has to be had.
    """
    demo = offline_module("calibration.affect.demo")
    folder: Path = demo.ensure(cache_root() / "demo", featurizer_for(featurizer_path, ALL_CORES, progress), progress)
    return folder
