"""Faces of a video's frames, looked for everywhere now and then, and in between around those that are known."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sr_deepfake.data.extraction.face_detection import Detection
from sr_deepfake.media.faces import FaceFinder, FoundFaces, Picture

EVERY = 5  # frames, of which the first is searched whole
CROWD = 6  # faces; to follow more takes as long as to search the whole frame
CUT = 25.0  # grey levels by which frames differ in the mean where another scene begins
_THUMBNAIL = (32, 18)  # px, in which that is measured


class Following:
    """Finds the faces of one video's frames, which have to come in their order."""

    def __init__(self, finder: FaceFinder) -> None:
        self.finder = finder
        self.searched = 0  # frames that were searched whole
        self._since = EVERY  # frames since the last one of those
        self._known: list[Detection] = []
        self._thumbnail: NDArray[np.float32] | None = None

    def __call__(self, frames: Sequence[Picture]) -> list[FoundFaces]:
        """Find the faces of the next frames, uint8 RGB `H×W×3`; one entry a frame."""
        return [self.finder.squares(frame, self._faces(frame)) for frame in frames]

    def _faces(self, frame: Picture) -> list[Detection]:
        whole = self._is_other_scene(frame) or self._since >= EVERY or len(self._known) > CROWD
        if not whole:
            found = self.finder.detector.around(frame, self._known) if self._known else []
            whole = not all(any(_is_near(each, known) for each in found) for known in self._known)
        if whole:
            (found,) = self.finder.detector.all([frame])
            self.searched, self._since = self.searched + 1, 0
        self._known = found
        self._since += 1
        return found

    def _is_other_scene(self, frame: Picture) -> bool:
        small = cv2.resize(frame, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._thumbnail = self._thumbnail, small
        return before is None or float(np.abs(small - before).mean()) > CUT


def _is_near(face: Detection, known: Detection) -> bool:
    """Whether the middle of a face lies in the box of a known one."""
    left, top, right, bottom = known.box
    middle = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    return left <= middle[0] <= right and top <= middle[1] <= bottom
