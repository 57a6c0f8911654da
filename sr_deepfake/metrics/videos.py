"""Which faces are of one video, and a video's score: the mean of the scores of its frames."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Videos:
    """The videos of a table of predictions, pristine ones first, by name within a class.

    A video is a `video_id` with a label: were a name to stand for pristine and fake faces, as it never does in
    FaceForensics++, these would be two videos.

    Attributes:
        units: for each face the number of its video, from 0.
        labels: for each video 1 (fake) or 0 (pristine).
        frames: for each video its number of faces.
    """

    units: Index
    labels: Index
    frames: Index

    def sums(self, values: npt.ArrayLike) -> Array:
        """Add the values of a video's faces: N numbers → one a video."""
        weights = np.asarray(values, dtype=np.float64)
        return np.bincount(self.units, weights=weights, minlength=len(self.labels)).astype(
            np.float64, copy=False
        )

    def means(self, values: npt.ArrayLike) -> Array:
        """Average over a video's faces, N numbers → one a video; of scores, the scores of the videos."""
        return self.sums(values) / self.frames


def videos_of(predictions: pd.DataFrame) -> Videos:
    """Find the videos of faces.

    Args:
        predictions: the table of predictions; `video_id` and `label` are read.

    Example:
        >>> faces = pd.DataFrame({"video_id": ["b", "a", "b"], "label": [1, 0, 1], "score": [0.9, 0.2, 0.6]})
        >>> videos = videos_of(faces)
        >>> videos.labels.tolist(), videos.means(faces["score"]).tolist()
        ([0, 1], [0.2, 0.75])
    """
    groups = predictions.groupby(["label", "video_id"], sort=True)
    units = np.asarray(groups.ngroup(), dtype=np.intp)
    labels = np.zeros(groups.ngroups, dtype=np.intp)
    labels[units] = predictions["label"].to_numpy()
    return Videos(units, labels, np.bincount(units, minlength=len(labels)).astype(np.intp))
