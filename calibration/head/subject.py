"""Which head: the built-in template, mne's full fsaverage where it is installed, or a FreeSurfer subject."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.head.parts import need, versions
from calibration.head.surfaces import TEMPLATE, write_template
from rtaffect.common.arrays import FloatArray
from rtaffect.common.cache import made_once
from rtaffect.common.errors import ArtifactError
from rtaffect.common.regions import REGIONS
from rtaffect.predicted.featurizer import Progress

#: Raised when the template is made in another way, so that an older one in the cache is not used.
VERSION: Final = 1
#: Brain, skull and skin, S/m.
CONDUCTIVITY: Final = (0.3, 0.006, 0.3)
_BEM: Final = "bem/{name}-3-shell-bem-sol.fif"
_CORTEX: Final = tuple(
    f"{part}/{side}.{kind}"
    for side in ("lh", "rh")
    for part, kind in (("surf", "white"), ("surf", "sphere"), ("label", "aparc.annot"))
)
_SHELLS: Final = ("bem/inner_skull.surf", "bem/outer_skull.surf", "bem/outer_skin.surf")


@dataclass(frozen=True, slots=True)
class Subject:
    """A FreeSurfer subject on disk; ``template`` tells whether it is the built-in one."""

    subjects: Path
    name: str
    template: bool

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.subjects / self.name

    @property
    def about(self) -> str:
        """The head in words, for the operator's manifest."""
        kind = "built-in template" if self.template else "FreeSurfer subject"
        return f"{kind} {self.name}, 3-shell BEM {CONDUCTIVITY} S/m, ico4 sources, fixed orientation"

    def fiducials(self) -> FloatArray:
        """Return left ear point, nasion and right ear point (3, 3), m, in the subject's MRI frame."""
        import mne

        path = self.folder / "bem" / f"{self.name}-fiducials.fif"
        try:
            points, _ = mne.io.read_fiducials(path, verbose="ERROR")
        except OSError:
            raise ArtifactError(f"{path}: cannot be read; mark the fiducials with `mne coreg` and save them") from None
        return np.array([point["r"] for point in sorted(points, key=lambda p: int(p["ident"]))], np.float64)

    def bem(self, progress: Progress) -> Any:
        """Return mne's solution of the boundary-element model: read if there is one, else computed."""
        import mne

        own = self.folder / _BEM.format(name=self.name)
        for path in (own, *sorted((self.folder / "bem").glob("*-5120-5120-5120-bem-sol.fif"))):
            if path.is_file():
                return mne.read_bem_solution(path, verbose="ERROR")
        progress(f"solving the boundary-element model of {self.name} (about 10 s, the first time only)")
        return self._solve()

    def solve(self) -> None:
        """Solve the boundary-element model and keep the solution in the subject's folder."""
        import mne

        solution = self._solve()
        mne.write_bem_solution(self.folder / _BEM.format(name=self.name), solution, verbose="ERROR")

    def _solve(self) -> Any:
        import mne

        # The template's shells are of the size that they are to have; a user's own are brought to ico 3.
        ico = None if self.template else 3
        try:
            model = mne.make_bem_model(self.name, ico, CONDUCTIVITY, subjects_dir=self.subjects, verbose="ERROR")
            return mne.make_bem_solution(model, verbose="ERROR")
        except RuntimeError as error:
            raise ArtifactError(
                f"{self.folder}: no boundary-element model can be made of its shells ({error}); make them anew with "
                "`mne watershed_bem`, or leave --subjects-dir away for the built-in template"
            ) from None


def find_subject(subjects: Path | None, name: str | None, cache: Path, progress: Progress) -> Subject:
    """Return the head to use.

    Parameters
    ----------
    subjects
        The user's FreeSurfer subjects; None: mne's full fsaverage where it is installed, else the built-in template.
    name
        The subject in there; None is fsaverage, and ``fsaverage5`` without ``subjects`` always the template.
    cache
        Where the template is kept.
    progress
        Called with one line of text per stage.
    """
    need(template=False)
    if subjects is not None:
        return _checked(Subject(subjects, name or "fsaverage", template=False))
    if name not in (None, TEMPLATE):
        raise ArtifactError(f"subject {name}: in which folder? give it with --subjects-dir")
    if name is None and (installed := _installed()) is not None:
        progress(f"using the full fsaverage in {installed.folder}")
        return installed
    need(template=True)
    return template(cache, progress)


def template(cache: Path, progress: Progress) -> Subject:
    """Return the built-in template, made below ``cache`` if it is not there yet."""

    def make(part: Path) -> None:
        progress("making the template head (about 15 s, the first time only)")
        write_template(part)
        Subject(part, TEMPLATE, template=True).solve()

    folder = made_once(cache / "head" / f"v{VERSION}-mne{versions(True)['mne']}", make, progress)
    return Subject(folder, TEMPLATE, template=True)


def region_labels(subject: Subject) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return each cortex point's place in REGIONS, -1 for none, of the left and the right hemisphere."""
    import nibabel

    freesurfer: Any = nibabel.freesurfer
    number = {region: at for at, region in enumerate(REGIONS)}
    found = []
    for side in ("lh", "rh"):
        path = subject.folder / "label" / f"{side}.aparc.annot"
        labels, _, names = freesurfer.read_annot(path)
        place = [number.get(f"{name.decode()}-{side}", -1) for name in names]
        # read_annot marks points without a label by -1, which picks the last entry here.
        found.append(np.array([*place, -1], np.int16)[labels])
    have = set(np.concatenate(found).tolist())
    if missing := [region for region, at in number.items() if at not in have]:
        raise ArtifactError(
            f"{subject.folder}: its aparc annotation lacks {', '.join(missing)}; expected the {len(REGIONS)} regions "
            "of the Desikan-Killiany atlas: run FreeSurfer's recon-all anew"
        )
    return found[0], found[1]


def _checked(subject: Subject) -> Subject:
    has_solution = any((subject.folder / "bem").glob("*-bem-sol.fif"))
    missing = [name for name in (*_CORTEX, *(() if has_solution else _SHELLS)) if not (subject.folder / name).is_file()]
    if missing:
        raise ArtifactError(
            f"{subject.folder}: is no FreeSurfer subject that can be used: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not there; run recon-all and `mne watershed_bem`, or leave "
            "--subjects-dir away for the built-in template"
        )
    return subject


def _installed() -> Subject | None:
    """Return mne's full fsaverage if the user has fetched it."""
    import mne

    candidates = [mne.get_config("SUBJECTS_DIR"), mne.get_config("MNE_DATASETS_FSAVERAGE_PATH")]
    folders = [Path(text) for text in candidates if text]
    for folder in (*folders, Path.home() / "mne_data" / "MNE-fsaverage-data"):
        for subjects in (folder, folder / "MNE-fsaverage-data"):
            subject = Subject(subjects, "fsaverage", template=False)
            if all((subject.folder / name).is_file() for name in (*_CORTEX, "bem/fsaverage-fiducials.fif")):
                return _checked(subject)
    return None
