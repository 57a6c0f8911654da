"""What varies together in a test set: clusters of faces, how they are resampled, and how many they amount to.

A pristine video of a person and the fakes made of it share a face, a background and a codec: drawn one by one, they give
intervals that are too narrow. The unit of resampling is the *cluster*, a connected component of target and source
identities; pristine and fake faces of a cluster are drawn together. In FaceForensics++ a cluster is a pair of the split
files. Where targets and sources are crossed, as in Celeb-DF, nearly all faces are one component; then targets and sources
are drawn independently, and a face counts as often as both were drawn (Owen, 2007: the pigeonhole bootstrap).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sr_deepfake.metrics.classification import Array, Index

FEW = 20  # clusters of a class, below which intervals are not to be relied on
_CROSSED = 0.5  # share of the fakes in one cluster of several targets and sources
_NUMBERS = 2**17  # of a matrix of weights of faces: what a core's cache holds with its intermediates


def components(identities: Sequence[tuple[str, ...]]) -> list[str]:
    """Name the connected component of each item; items that share an identity, also by way of others, are one."""
    names = sorted({identity for own in identities for identity in own})
    number = {name: index for index, name in enumerate(names)}
    links = [(number[own[0]], number[other]) for own in set(identities) for other in own]
    rows, columns = np.array(links, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (rows, columns)), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    return [names[first[component[number[own[0]]]]] for own in identities]


@dataclass(frozen=True)
class Clusters:
    """The clusters of a table of faces."""

    units: Index  # for each face the column of the weights that counts it
    # For each way of drawing ("cluster"; or "target" and "source"), the number of each unit's cluster, target or source;
    # −1: this way does not concern the unit (a pristine face has no source)
    levels: Mapping[str, Index]

    @classmethod
    def of(cls, faces: pd.DataFrame) -> "Clusters":
        """Find the clusters of a table of predictions (its columns `cluster`, `target`, `source` and `label`)."""
        if _is_crossed(faces):
            groups = faces.groupby(["target", "source"])
            names = groups.size().reset_index()
            ways = {way: names[way].where(names[way] != "") for way in ("target", "source")}
            levels = {way: pd.factorize(own, sort=True)[0] for way, own in ways.items()}
            return cls(np.asarray(groups.ngroup(), dtype=np.intp), levels)
        units, found = pd.factorize(faces["cluster"], sort=True)
        return cls(units, {"cluster": np.arange(len(found))})

    @property
    def way(self) -> str:
        """What is drawn, in words: "cluster" or "target × source"."""
        return " × ".join(self.levels)

    def groups(self) -> list[Index]:
        """For each way of drawing the number of each face's cluster, target or source."""
        return [level[self.units] for level in self.levels.values()]

    def size(self, chosen: npt.NDArray[np.bool_]) -> float:
        """The effective number of clusters of some faces: as many of equal size would weigh as much (Kish, 1965)."""
        return min((float(n.sum() ** 2 / np.square(n).sum()) for n in self._faces(chosen)), default=0.0)

    def count(self, chosen: npt.NDArray[np.bool_]) -> int:
        """The number of clusters of some faces; of targets and sources, the smaller one."""
        return min((len(n) for n in self._faces(chosen)), default=0)

    def _faces(self, chosen: npt.NDArray[np.bool_]) -> Iterator[Index]:
        """For each way of drawing, how many of the chosen faces each cluster has; without clusters that have none."""
        for group in self.groups():
            known = group[chosen & (group >= 0)]
            if len(known):
                yield np.unique(known, return_counts=True)[1]

    def draw(self, resamples: int, seed: int, at_once: int | None = None) -> Iterator[Array]:
        """Draw clusters with replacement, as many as there are."""
        if resamples < 1 or not len(self.units):
            raise ValueError(f"cannot draw {resamples} resamples of {len(self.units)} faces")
        streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(len(self.levels))]
        step = at_once or max(1, _NUMBERS // len(self.units))
        for start in range(0, resamples, step):
            count = min(step, resamples - start)
            weights = np.ones((count, int(self.units.max()) + 1))
            for stream, levels in zip(streams, self.levels.values(), strict=True):
                size = int(levels.max()) + 1
                drawn = stream.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
                times = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size)
                weights *= np.where(levels >= 0, times[:, levels], 1)
            yield weights


def _is_crossed(faces: pd.DataFrame) -> bool:
    """Whether targets and sources are crossed: more than half of the fakes are one cluster of several of both."""
    fakes = faces[(faces["label"] == 1) & (faces["source"] != "")]
    if fakes.empty:
        return False
    largest = fakes[fakes["cluster"] == fakes["cluster"].mode().iloc[0]]
    several = largest["target"].nunique() > 2 and largest["source"].nunique() > 2
    return several and len(largest) > _CROSSED * int((faces["label"] == 1).sum())
