"""Detector scores of a photo's or video's faces, clean and attacked, and the similarity of both versions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from sr_deepfake.media.faces import Picture
from sr_deepfake.metrics.similarity import psnr, ssim

PENDING = 32  # faces of a video that are collected before the detector gets them


@dataclass(frozen=True)
class FaceScores:
    """Figures of the faces of one file; None without a face, or without a detector.

    Attributes:
        faces: how many were measured (of a video, those of every frame).
        clean: mean probability of fake of the faces as they were.
        clean_max: the largest of them.
        attacked: mean probability of fake of the attacked faces.
        attacked_max: the largest of them.
        ssim: mean, clean to attacked.
        psnr: mean in dB, clean to attacked; infinite where a face did not change.
    """

    faces: int = 0
    clean: float | None = None
    clean_max: float | None = None
    attacked: float | None = None
    attacked_max: float | None = None
    ssim: float | None = None
    psnr: float | None = None


class FaceScorer:
    """Measures faces, batch by batch; memory does not grow with their number."""

    def __init__(self, score: Callable[[Tensor, bool], Tensor] | None, device: torch.device | str = "cpu") -> None:
        self.score = score
        self.device = device
        self.reset()

    def reset(self) -> None:
        """Forget what was taken in, such as the first faces of a file that then failed."""
        self._pending: list[tuple[Picture, Picture | None]] = []
        self._values: dict[str, list[float]] = {"clean": [], "attacked": [], "ssim": [], "psnr": []}
        self._faces = 0

    def add(self, before: Sequence[Picture], after: Sequence[Picture] | None = None) -> None:
        """Take in faces (RGB, `S×S×3` each), with their attacked versions in the same order where there are any."""
        if after is None:
            self._pending += [(face.copy(), None) for face in before]
        else:
            self._pending += [(face.copy(), other.copy()) for face, other in zip(before, after, strict=True)]
        if len(self._pending) >= PENDING:
            self._measure()

    def finish(self) -> FaceScores:
        """The figures of what was taken in since the last time."""
        self._measure()
        values, faces = self._values, self._faces
        self.reset()
        means = {name: fmean(of) for name, of in values.items() if of}
        most = {f"{name}_max": max(values[name]) for name in ("clean", "attacked") if values[name]}
        return FaceScores(faces, **means, **most)

    def scores(self, faces: Sequence[Picture], attacked: bool = False) -> list[float]:
        """Probability of fake of each face, of attacked faces or clean ones; none without a detector."""
        found = [math.nan] * len(faces)
        if self.score is None:
            return []
        for chosen in _of_one_side(faces):
            for index, score in zip(chosen, self._score(_tensor([faces[i] for i in chosen]), attacked), strict=True):
                found[index] = score
        return found

    def _measure(self) -> None:
        pending, self._pending = self._pending, []
        self._faces += len(pending)
        for chosen in _of_one_side([face for face, _ in pending]):
            before = _tensor([pending[i][0] for i in chosen])
            if self.score is not None:
                self._values["clean"] += self._score(before)
            attacked = [face for i in chosen if (face := pending[i][1]) is not None]
            if not attacked:
                continue
            after = _tensor(attacked)
            if self.score is not None:
                self._values["attacked"] += self._score(after, attacked=True)
            self._values["ssim"] += ssim(before, after).tolist()
            self._values["psnr"] += psnr(before, after).tolist()

    @torch.inference_mode()
    def _score(self, faces: Tensor, attacked: bool = False) -> list[float]:
        if self.score is None:
            raise ValueError("there is no detector")
        scores = self.score(faces.to(self.device), attacked)
        if scores.shape != (len(faces),):
            raise ValueError(f"the detector returned {tuple(scores.shape)} for {len(faces)} faces")
        values: list[float] = scores.tolist()
        return values


def _of_one_side(faces: Sequence[Picture]) -> list[list[int]]:
    sides = dict.fromkeys(face.shape for face in faces)
    return [[i for i, face in enumerate(faces) if face.shape == shape] for shape in sides]


def _tensor(faces: Sequence[Picture]) -> Tensor:
    stacked = np.ascontiguousarray(np.stack(faces).transpose(0, 3, 1, 2))
    return torch.from_numpy(stacked).float() / 255
