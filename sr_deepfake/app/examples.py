"""The pictures of a report's examples: the face crops, what the attack makes of them, and where the detector looks."""

from pathlib import Path

import numpy as np
from torch import Tensor

from sr_deepfake.app.explanations import Explainer
from sr_deepfake.app.tested_faces import TestedFaces
from sr_deepfake.experiment.results import Result, read_result
from sr_deepfake.reporting.examples import KINDS, Example, Picture, example_of, turned_faces
from sr_deepfake.system.errors import UserError


class Illustrator:
    """Finds the pictures of faces that an attack turned. Nothing is written.

    Args:
        faces: where faces come from.
        explainer: tells where detectors look; None: that is left out.
    """

    def __init__(self, faces: TestedFaces | None = None, explainer: Explainer | None = None) -> None:
        self._faces = faces or TestedFaces()
        self._explainer = explainer

    def of_folder(self, folder: Path, count: int) -> tuple[list[Example], list[str]]:
        """As `of`, for a folder of results."""
        try:
            return self.of(read_result(folder), count)
        except UserError as error:
            return [], [str(error)]

    def of(self, result: Result, count: int) -> tuple[list[Example], list[str]]:
        """Find examples.

        Args:
            result: whose.
            count: examples of each kind, at most.

        Returns:
            The examples; and a sentence where their pictures are not to be had.
        """
        examples: list[Example] = []
        notes: list[str] = []
        for kind in KINDS if count > 0 and result.is_attacked else ():
            for turned in turned_faces(result.predictions, kind, count):
                try:
                    clean, attacked = self._faces.pair(result, turned.face_id)
                except UserError as error:
                    note = f"{result.name}: examples are left out, since {error}"
                    notes += [note] if note not in notes else []
                    break
                maps = None if self._explainer is None else self._explainer.attention(result, clean, attacked)
                examples.append(example_of(result, turned, _picture(clean), _picture(attacked), maps))
        return examples, notes


def _picture(face: Tensor) -> Picture:
    return np.ascontiguousarray(face.permute(1, 2, 0).numpy())
