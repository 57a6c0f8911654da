"""Why detectors miss attacked fakes: where they look, and which frequencies the attack changes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from sr_deepfake.app.tested_faces import TestedFaces
from sr_deepfake.detectors.explain import attention_maps, band_changes
from sr_deepfake.detectors.registry import is_weights_alone, load_detector, weights_of
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.spectrum import radial_power
from sr_deepfake.reporting.explanations import BandChange, Explanations, Spectrum
from sr_deepfake.reporting.numbers import model_name
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import UserError, last_line

FACES = 24  # of each class that are looked at, of as many videos as there are
PRISTINE = "pristine"


class Explainer:
    """Looks into detectors and attacks. Nothing is written.

    Args:
        faces: where faces come from.
    """

    def __init__(self, faces: TestedFaces) -> None:
        self._faces = faces
        self.notes: list[str] = []

    def attention(
        self, result: Result, clean: Tensor, attacked: Tensor
    ) -> tuple[npt.NDArray[np.float64], ...] | None:
        """Where a detector looks in a face (3×S×S uint8), clean and attacked: two maps S×S, 0 to 1 on one scale.

        None where it cannot be seen into; a note tells why.
        """
        try:
            detector = self._detector(result)
            maps = [
                attention_maps(detector, _batch(face, detector), attacked=number == 1)[0].cpu()
                for number, face in enumerate((clean, attacked))
            ]
        except Exception as error:  # of somebody's weights or of a backbone of timm: any class
            self._tell(result, error)
            return None
        largest = max(float(each.max()) for each in maps) or 1.0
        return tuple((each / largest).double().numpy() for each in maps)

    def explain(self, results: Sequence[Result]) -> Explanations:
        """Spectra of the faces and changes by bands, of results that are attacked and of one data set and attack."""
        spectra: dict[str, Spectrum] = {}
        changes = []
        for result in track(results, len(results), "Looking into detectors", "detectors"):
            try:
                chosen = {label: _chosen(result.predictions, label) for label in (1, 0)}
                pairs = {
                    label: [self._faces.pair(result, face) for face in ids] for label, ids in chosen.items()
                }
                for label, name in ((0, PRISTINE), (1, result.tested_on)):
                    if name not in spectra and pairs[label]:
                        spectra[name] = self._spectrum(result, name, pairs[label])
                changes.append(self._change(result, pairs))
            except Exception as error:  # likewise
                self._tell(result, error)
        return Explanations(sorted(spectra.values(), key=lambda found: found.kind != PRISTINE), changes)

    def _spectrum(self, result: Result, name: str, pairs: Sequence[tuple[Tensor, Tensor]]) -> Spectrum:
        control = [self._faces.control(result, clean) for clean, _ in pairs]
        sets = {"clean": [clean for clean, _ in pairs], "attacked": [attacked for _, attacked in pairs]}
        sets |= {"control": [face for face in control if face is not None]}
        power = {
            setup: np.nanmean([radial_power(face[None].float() / 255)[0] for face in found], axis=0)
            for setup, found in sets.items()
            if found
        }
        return Spectrum(name, power, len(pairs))

    def _change(self, result: Result, pairs: dict[int, list[tuple[Tensor, Tensor]]]) -> BandChange:
        detector = self._detector(result)
        means = {}
        for label, found in pairs.items():
            moved = [band_changes(detector, *(_batch(face, detector) for face in pair))[0] for pair in found]
            means[label] = torch.stack(moved).double().mean(0).tolist() if moved else None
        return BandChange(result.model, result.tested_on, means[1], means[0])

    def _detector(self, result: Result) -> TestedDetector:
        key = ["detector", str(result.outputs), result.detector, result.run.get("detector_weights")]
        detector: TestedDetector = self._faces.once(key, lambda: _loaded(result))
        return detector

    def _tell(self, result: Result, error: Exception) -> None:
        name = f"{model_name(result.model)} on {result.tested_on}"
        words = f"{name} is not looked into, since {last_line(error)}"
        if words not in self.notes:
            self.notes.append(words)


def _batch(face: Tensor, detector: TestedDetector) -> Tensor:
    """A face, 3×S×S uint8, as a detector takes it, where its weights are; one without (ONNX) takes it from the CPU."""
    device = next((each.device for each in detector.parameters()), torch.device("cpu"))
    return face[None].to(device).float() / 255


def _loaded(result: Result) -> TestedDetector:
    """The detector that was tested, on the device that is here.

    A folder of results may come from somebody else: only files of weights are opened unasked, never programs.

    Raises:
        UserError: it is gone, was trained anew, or is a program from elsewhere.
    """
    folder = result.outputs / "detectors" / result.detector
    if not folder.is_dir():
        raise UserError(f"there is no {folder} any more")
    if weights_of(folder) != result.run.get("detector_weights"):
        raise UserError(f"{folder} was trained anew since")
    if not is_weights_alone(folder):
        raise UserError("it is a program from elsewhere, which a report does not run")
    return load_detector(folder).to("cuda" if torch.cuda.is_available() else "cpu")


def _chosen(predictions: pd.DataFrame, label: int) -> list[str]:
    """Faces of a class, one a video, spread over the videos; more of each where there are few videos."""
    found = predictions[predictions["label"] == label].sort_values(["video_id", "face_id"])
    turns = found.groupby("video_id").cumcount()
    ordered = found.assign(turn=turns).sort_values(["turn", "video_id"])["face_id"].tolist()
    first = ordered[: int((turns == 0).sum())]
    if len(first) < FACES:
        return [str(face) for face in ordered[:FACES]]
    return [str(first[place]) for place in np.linspace(0, len(first) - 1, FACES).round().astype(int)]
