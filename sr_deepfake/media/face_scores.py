"""Detector scores of a photo's or video's faces, clean and attacked, and the similarity of both versions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from sr_deepfake.media.faces import Picture, as_faces, of_one_side
from sr_deepfake.metrics.similarity import psnr, ssim

PENDING = 32  # faces of a video that are collected before the detector gets them


@dataclass(frozen=True)
class FaceScores:
    """Figures of the faces of one file; None without a face, or without a detector."""

    faces: int = 0  # how many were measured (of a video, those of every frame)
    clean: float | None = None  # mean probability of fake of the faces as they were,
    clean_max: float | None = None  # and the largest
    attacked: float | None = None  # the same of the attacked faces
    attacked_max: float | None = None
    ssim: float | None = None  # mean, clean to attacked
    psnr: float | None = None  # mean in dB; infinite where a face did not change


class FaceScorer:
    """Measures faces, batch by batch; memory does not grow with their number."""

    def __init__(self, score: Callable[[Tensor, bool], Tensor], device: torch.device | str = "cpu") -> None:
        self.score = score
        self.device = device
        self.reset()

    def reset(self) -> None:
        """Forget what was taken in, such as the first faces of a file that then failed."""
        self._before: list[Picture] = []
        self._after: list[Picture] = []
        self._values: dict[str, list[float]] = {"clean": [], "attacked": [], "ssim": [], "psnr": []}

    def add(self, before: Sequence[Picture], after: Sequence[Picture] = ()) -> None:
        """Take in faces (RGB, `S×S×3` each), with their attacked versions in the same order where there are any."""
        self._before += before
        self._after += after
        if len(self._before) >= PENDING:
            self._measure()

    def finish(self) -> FaceScores:
        """The figures of what was taken in since the last time."""
        self._measure()
        values = {name: of for name, of in self._values.items() if of}
        self.reset()
        means = {name: fmean(of) for name, of in values.items()}
        most = {f"{name}_max": max(values[name]) for name in ("clean", "attacked") if name in values}
        return FaceScores(len(values.get("clean", [])), **means, **most)

    @torch.inference_mode()
    def scores(self, faces: Sequence[Picture], attacked: bool = False) -> list[float]:
        """Probability of fake of each face, of attacked faces or clean ones."""
        found: dict[int, float] = {}
        for chosen in of_one_side(faces):
            scores = self.score(as_faces([faces[i] for i in chosen]).to(self.device), attacked)
            if scores.shape != (len(chosen),):
                raise ValueError(f"the detector returned {tuple(scores.shape)} for {len(chosen)} faces")
            found.update(zip(chosen, scores.tolist(), strict=True))
        return [found[i] for i in range(len(faces))]

    def _measure(self) -> None:
        before, self._before = self._before, []
        after, self._after = self._after, []
        self._values["clean"] += self.scores(before)
        self._values["attacked"] += self.scores(after, attacked=True)
        for chosen in of_one_side(after):
            pairs = [as_faces([faces[i] for i in chosen]) for faces in (before, after)]
            self._values["ssim"] += ssim(*pairs).tolist()
            self._values["psnr"] += psnr(*pairs).tolist()
