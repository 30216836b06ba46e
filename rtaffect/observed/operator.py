"""The space operator: rows that turn scalp EEG into courses of brain regions, made offline and applied as one product.

``rtaffect headmodel`` makes it, ``operator_file`` writes and reads it; this module applies it, and weights it
anew when channels are missing. Nothing here needs MNE-Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import MontageError
from rtaffect.common.montage import place_of
from rtaffect.common.settings import Frozen
from rtaffect.common.threads import one_thread
from rtaffect.observed.inverse import LAMBDA2, component_rows, components, crosstalk, eloreta

FORMAT: Final = 2
#: Components of a region.
K: Final = 5
#: Fewer channels than these give no operator.
LEAST_CHANNELS: Final = 8
#: A row of which less than this share of the estimated power is its own is not told apart from the rest.
LEAST_SPECIFICITY: Final = 0.3


class Zone(Frozen):
    """Regions that this montage cannot tell apart well enough, taken as one."""

    name: str
    regions: tuple[str, ...] = Field(min_length=1)


class SpaceManifest(Frozen):
    """What an operator says of itself.

    ``groups`` are named sets of regions. ``head`` says which head and source space, ``provenance`` the versions of what
    made it. ``excluded`` lists the channels that the operator was made with and that :meth:`Operator.without` left out.
    """

    format: Literal[2] = FORMAT
    montage: str
    channels: tuple[str, ...] = Field(min_length=LEAST_CHANNELS)
    regions: tuple[str, ...] = Field(min_length=1)
    zones: tuple[Zone, ...] = Field(min_length=1)
    groups: dict[str, tuple[str, ...]]
    k: int = Field(ge=1)
    sources: int = Field(ge=1)
    inverse: Literal["eLORETA"] = "eLORETA"
    lambda2: float = Field(LAMBDA2, gt=0)
    head: str
    provenance: dict[str, str]
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """Everything that a montage's EEG says about regions, and how much that is worth.

    C channels, N sources, R regions, Z zones, k components. What a zone or group shows is the average of what its
    regions show.

    Attributes
    ----------
    rows : (R, k, C) float32
        Times EEG (C, time) in V: each region's k courses in A m, scaled such that their squares add up to the mean
        squared current of the region's sources. Each row sums to 0: any reference of the EEG gives the same.
    shares : (R, R) float32
        Of row r's estimated power, the share that comes from each region when all are equally active.
    neighbours : (R, R) bool
        Regions that touch, and pairs that face each other across the midline; not a region and itself.
    positions : (C, 3) float32
        Electrodes, m, in the head's frame (right, front, up).
    lead_field : (C, N) float32
        V per A m, average reference: from it the operator is weighted anew.
    source_region : (N,) int16
        Region of each source, -1 for none.
    basis : (N, k) float32
        Each region's components over its sources; they stay the same when channels are left out, so that courses of
        people with different channels are of the same patterns.
    """

    manifest: SpaceManifest
    rows: Float32Array
    shares: Float32Array
    neighbours: NDArray[np.bool_]
    positions: Float32Array
    lead_field: Float32Array
    source_region: NDArray[np.int16]
    basis: Float32Array

    @property
    def specificity(self) -> Float32Array:
        """Per region (R,): how much of its estimated power is its own."""
        return np.diagonal(self.shares).copy()

    @property
    def local_specificity(self) -> Float32Array:
        """Per region (R,): how much of its estimated power comes from it and its neighbours."""
        near = self.neighbours | np.eye(len(self.shares), dtype=bool)
        return np.asarray((self.shares * near).sum(axis=1), np.float32)

    @property
    def zone_members(self) -> NDArray[np.bool_]:
        """Which regions (Z, R) each zone has."""
        return self.members([zone.regions for zone in self.manifest.zones])

    @property
    def zone_specificity(self) -> Float32Array:
        """Per zone (Z,): how much of its regions' estimated power is the zone's own."""
        return self.share_within(self.zone_members)

    def members(self, sets: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
        """Return which regions (sets, R) are in each of some sets of names."""
        return np.array([[region in names for region in self.manifest.regions] for names in sets], np.bool_)

    def share_within(self, members: NDArray[np.bool_]) -> Float32Array:
        """Return how much of the power that a set's regions show comes from the set, for sets (sets, R): (sets,)."""
        return np.array([self.shares[np.ix_(own, own)].sum(axis=1).mean() for own in members], np.float32)

    @property
    def trustworthy(self) -> NDArray[np.bool_]:
        """Per zone (Z,): whether enough of its estimated power is its own (``LEAST_SPECIFICITY``)."""
        return self.zone_specificity >= LEAST_SPECIFICITY

    def matrix(self) -> Float32Array:
        """Return all rows (R * k, C) for one product with EEG (C, time)."""
        return self.rows.reshape(-1, self.rows.shape[2])

    def without(self, channels: Sequence[str]) -> Operator:
        """Return the operator of the other channels: the inverse is computed anew, the components stay.

        The estimates of rows and shares change, the patterns over the sources that they stand for do not.

        Raises
        ------
        MontageError
            If a channel is not of this operator, or too few are left.
        """
        out = set(channels)
        strange = sorted(out - set(self.manifest.channels))
        if strange:
            raise MontageError(
                f"cannot leave out {', '.join(strange)}: the space operator has {', '.join(self.manifest.channels)}"
            )
        if not out:
            return self
        manifest = self.manifest
        keep = [number for number, name in enumerate(manifest.channels) if name not in out]
        if len(keep) < LEAST_CHANNELS:
            raise MontageError(
                f"{len(keep)} channels are left of the montage {manifest.montage}; the space operator needs at least "
                f"{LEAST_CHANNELS}: mend the contact of the others"
            )
        gone = tuple(name for name in manifest.channels if name in out)
        left = {"channels": tuple(manifest.channels[number] for number in keep), "excluded": manifest.excluded + gone}
        field = self.lead_field[keep]
        smaller = replace(
            self,
            manifest=manifest.model_copy(update=left),
            lead_field=field - field.mean(axis=0),
            positions=self.positions[keep],
        )
        return _weighted(smaller, eloreta(smaller.lead_field, manifest.lambda2))

    def fit_to(self, names: Sequence[str]) -> Operator:
        """Return the operator for a stream's channels.

        Channels that the operator does not know are ignored; those that the stream lacks are left out by weighting
        anew. Names are compared as :func:`rtaffect.common.montage.known_name` reads them, else as they are written.

        Raises
        ------
        MontageError
            If too few channels are common.
        """
        places = {place_of(name) for name in names}
        missing = [name for name in self.manifest.channels if place_of(name) not in places]
        if len(self.manifest.channels) - len(missing) < LEAST_CHANNELS:
            raise MontageError(
                f"only {len(self.manifest.channels) - len(missing)} of the stream's channels ({', '.join(names)}) are "
                f"of the space operator's montage {self.manifest.montage} ({', '.join(self.manifest.channels)}); at "
                f"least {LEAST_CHANNELS} are needed: name the channels by the 10-05 system, or make the operator for "
                "this montage"
            )
        return self.without(missing)


@one_thread()
def assemble(
    manifest: SpaceManifest,
    lead_field: NDArray[np.floating],
    positions: NDArray[np.floating],
    neighbours: NDArray[np.bool_],
    source_region: NDArray[np.integer],
) -> Operator:
    """Return the operator of a head and montage; components and rows are computed, see :class:`Operator`."""
    field = np.asarray(lead_field - lead_field.mean(axis=0), np.float32)
    kernel = eloreta(field, manifest.lambda2)
    later = np.empty(0, np.float32)
    bare = Operator(
        manifest,
        rows=later,
        shares=later,
        neighbours=neighbours,
        positions=np.asarray(positions, np.float32),
        lead_field=field,
        source_region=np.asarray(source_region, np.int16),
        basis=components(kernel, source_region, len(manifest.regions), manifest.k).astype(np.float32),
    )
    return _weighted(bare, kernel)


@one_thread()
def _weighted(operator: Operator, kernel: NDArray[np.float64]) -> Operator:
    """Return ``operator`` with the rows and shares that follow from a kernel (N, C)."""
    region = operator.source_region
    rows = component_rows(kernel, operator.basis, region, len(operator.manifest.regions))
    shares = crosstalk(rows, operator.lead_field, region)
    return replace(operator, rows=rows.astype(np.float32), shares=shares.astype(np.float32))
