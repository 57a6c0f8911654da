"""A detector that was trained by another program: what its network gets, what its numbers mean, and how that is found out."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.data.images import resize_faces
from sr_deepfake.detectors.external.opened import Opened
from sr_deepfake.detectors.preprocessing import FaceInput
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.system.errors import UserError, choose

log = logging.getLogger(__name__)

SIZE = 224  # px, where neither the file nor the user says
_NAMED = ("logits", "logit", "cls", "prob", "scores", "output")  # names of a network's answer
ASSUMED = {
    "size": SIZE,
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
    "range": 1,
    "channels": "rgb",
    "fake_index": 1,
    "resize": "bilinear",
    "crop": 1.0,  # the middle's part of the resized face
    "output": "auto",
    "crop_margin": None,
}
_ONLY_KNOWN = ("resize", "crop", "crop_margin")  # not reported where they are assumed


class ExternalDetector(TestedDetector):
    """A detector that was trained by another program: faces of any side → one logit of *fake* a face.

    `open` takes (path, size, **options); `conf/_base/external.yaml` explains the others. What is not given is taken from the
    file, or else assumed; `report` says which.
    """

    def __init__(
        self,
        open: Callable[..., Opened],
        path: str,
        label: str,
        size: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channels: str | None = None,
        range: int | None = None,
        output: str = "auto",
        fake_index: int | None = None,
        crop_margin: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.path, self.label, self.kept = path, label, 1.0
        if not path:
            raise UserError("model.path is missing: it names the detector's file (model=python: model.factory)")
        choose(output, ["auto", "logit", "probability", "logits2"], "model.output")
        given = {
            "size": size, "mean": mean, "std": std, "channels": channels, "range": range, "fake_index": fake_index,
            "output": None if output == "auto" else output, "crop_margin": crop_margin,
        }  # fmt: skip
        typed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        _check(typed)
        opened = open(path, size, **options)
        if opened.unclear and fake_index is None:
            raise UserError(f"{path}: {opened.unclear}: model.fake_index=0 or 1")
        self.network, self.batch, self.note = opened.network, opened.batch, opened.note
        if isinstance(self.network, nn.Module):
            self.network.eval()
        facts: dict[str, Any] = {**ASSUMED, **opened.facts, **typed}
        _check(facts)
        sources = dict.fromkeys(opened.facts, opened.source) | {name: f"model.{name}" for name in typed}
        names = ("size", "mean", "std", "channels", "range", "resize", "crop")
        self.face_input = FaceInput(*(facts[name] for name in names))
        self.fake_index = int(facts["fake_index"])
        self.crop_margin, self._must_be_cut = facts["crop_margin"], crop_margin is not None
        numbers = self._shown(facts["output"] == "auto")
        if facts["output"] == "auto":
            facts["output"], sources["output"] = _kind_of(numbers), "from its numbers"
        self.output = str(facts["output"])
        shown = {name: value for name, value in facts.items() if name in sources or name not in _ONLY_KNOWN}
        self.report = {name: f"{_word(value)} ({sources.get(name, 'assumed')})" for name, value in shown.items()}
        # Everything that scores depend on, as plain values.
        plain = {name: list(map(float, v)) if isinstance(v, list | tuple) else v for name, v in facts.items()}
        self.identity = {"digest": opened.digest, **plain}

    def expect_margin(self, margin: float | None) -> None:
        """Learn the margin that the faces to come were cut with; with `crop_margin`, what is more is cut off."""
        if self.crop_margin is None:
            return
        if margin is None and self._must_be_cut:
            raise UserError(
                f"model.crop_margin={self.crop_margin}: the margin of these faces is unknown (they were not cut out by "
                "this program). Leave the option out, and they are scored as they are"
            )
        if margin is None:
            log.warning(
                "%s was trained on faces with a margin of %.3g; that of these faces is unknown, and they are taken as they are",
                self.label, self.crop_margin,
            )  # fmt: skip
        elif self.crop_margin > margin:
            raise UserError(
                f"model.crop_margin={self.crop_margin}: the faces were cut with a margin of {margin}, so it must be in "
                f"[0, {margin}]. To cut them with a wider one: python -m sr_deepfake.prepare "
                f"extraction.margin={self.crop_margin:.4g} data.crops=FOLDER, with your data options "
                f"(attack: faces.margin={self.crop_margin:.4g}). "
                f"model.crop_margin={margin} scores them as they are"
            )
        else:
            self.kept = (1 + 2 * self.crop_margin) / (1 + 2 * margin)

    def forward(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Score faces: B×3×S×S, RGB in [0, 1] → B logits of *fake*, float64 (on a device without it, float32)."""
        kind = torch.float32 if faces.device.type == "mps" else torch.float64
        return self.fake_logits(self._answer(self.face_input(self.cut(faces))).to(kind))

    def fake_logits(self, numbers: Tensor) -> Tensor:
        """The logits of *fake* in a network's answer, B×1 or B×2 numbers."""
        expected = {"logit": (1,), "logits2": (2,)}.get(self.output, (1, 2))
        if numbers.shape[1] not in expected:
            raise UserError(
                f"model.output={self.output} needs {expected[0]} number(s) a face, {self.path} gives "
                f"{numbers.shape[1]}: use {'logits2' if expected == (1,) else 'logit'} or probability"
            )
        if self.output == "probability":
            if bool(((numbers < -1e-4) | (numbers > 1 + 1e-4)).any()):  # half precision rounds so
                raise UserError(
                    f"{self.path} returns numbers outside [0, 1], which are not probabilities: model.output=logit, or "
                    "logits2"
                )
            numbers = torch.logit(numbers.clamp(0, 1))
        if numbers.shape[1] == 1:
            return numbers[:, 0] if self.fake_index == 1 else -numbers[:, 0]
        fake, real = numbers[:, self.fake_index], numbers[:, 1 - self.fake_index]
        return fake - real if self.output == "logits2" else fake

    def cut(self, faces: Tensor) -> Tensor:
        """The middle of the faces, with the margin that the network expects."""
        side = faces.shape[-1]
        kept = max(1, round(side * self.kept))
        start = (side - kept) // 2
        return faces[..., start : start + kept, start : start + kept]

    def _answer(self, prepared: Tensor) -> Tensor:
        """What the network returns for faces in its own range: B×1 or B×2 numbers."""
        parts = []
        for part in prepared.split(self.batch or max(1, len(prepared))):
            lacking = (self.batch or len(part)) - len(part)
            filled = torch.cat([part, part[-1:].expand(lacking, -1, -1, -1)]) if lacking else part
            try:
                answer = _tensor(self.network(filled), self.path).detach().float()
            except UserError:
                raise
            except Exception as error:  # of somebody else's network: any class
                shape, lines = "×".join(map(str, filled.shape)), str(error).strip().split("\n")
                reason = lines[-1 if "TorchScript" in lines[0] else 0]  # whose first lines are where it happened
                raise UserError(
                    f"{self.path} does not take faces of {shape} ({reason}). Where another side is expected: model.size=…"
                ) from error
            numbers = answer[:, None] if answer.ndim == 1 else answer.flatten(1)
            if len(numbers) != len(filled) or numbers.shape[1] not in (1, 2):
                raise UserError(
                    f"{self.path} answers {'×'.join(map(str, answer.shape))} numbers for {len(filled)} faces. A detector "
                    "has one number a face, or two: fake and real"
                )
            parts.append(numbers[: len(part)])
        return torch.cat(parts).to(prepared.device)

    def _shown(self, unknown: bool) -> Tensor:
        """Its answer to noise and plain colours, far out of their range too where its kind is unknown."""
        probes, scales = (16, (1, 30, -30)) if unknown else (2, (1,))
        generator = torch.Generator().manual_seed(0)
        side = self.face_input.image_size or SIZE
        plain = torch.rand(probes, 3, 1, 1, generator=generator).expand(-1, -1, side, side)
        noise = torch.rand(probes, 3, side, side, generator=generator)
        strength = torch.linspace(0, 1, probes).view(-1, 1, 1, 1)
        pictures = self.face_input(resize_faces(plain * (1 - strength) + noise * strength, side))

        attempts = [(self.batch, scales, "")]
        if self.batch is None:  # it may be free by its name, and fixed to 1 inside
            attempts.append((1, scales, "a network that takes one face at a time"))
        if unknown:
            within = "a network that refuses numbers outside [0, 1], by which logits are known: model.output says it"
            attempts.append((self.batch, (1,), within))
        failures = []
        for self.batch, scales, note in attempts:
            try:
                with torch.no_grad():
                    found = torch.cat([self._answer(pictures * scale) for scale in scales])
                self.note = "; ".join(filter(None, [self.note, note]))
                return found
            except UserError as error:
                failures.append(error)
        raise failures[0]


def _kind_of(numbers: Tensor) -> str:
    """Probabilities stay within [0, 1] whatever the picture; logits do not."""
    if bool(((numbers >= 0) & (numbers <= 1)).all()):
        return "probability"
    return "logit" if numbers.shape[1] == 1 else "logits2"


def _tensor(answer: Any, path: str) -> Tensor:
    """The scores in an answer that may hold other things, too."""
    if isinstance(answer, Tensor):
        return answer
    if isinstance(answer, Mapping):
        for name in _NAMED:
            if isinstance(answer.get(name), Tensor):
                return _tensor(answer[name], path)
        raise UserError(
            f"{path} answers {', '.join(map(repr, answer))}; one of them must be called {', '.join(_NAMED)}"
        )
    if isinstance(answer, Sequence) and answer and not isinstance(answer, str):
        return _tensor(answer[0], path)
    if isinstance(getattr(answer, "logits", None), Tensor):
        return _tensor(answer.logits, path)
    raise UserError(f"{path} answers {type(answer).__name__}, not a tensor of scores")


def _check(typed: Mapping[str, Any]) -> None:
    size = typed.get("size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise UserError(f"model.size must be a side in pixels, an integer ≥ 1, not {size}")
    choose(typed.get("channels", "rgb"), ["rgb", "bgr"], "model.channels")
    for name, allowed in (("range", (1, 255)), ("fake_index", (0, 1))):
        if typed.get(name, 1) not in allowed:
            raise UserError(f"model.{name} must be {allowed[0]} or {allowed[1]}, not {typed[name]}")
    if not 0 <= (typed.get("crop_margin") or 0) <= 10:
        raise UserError(f"model.crop_margin must be ≥ 0, a fraction of the face's box, not {typed['crop_margin']}")
    for name in ("mean", "std"):
        numbers = typed.get(name, [1, 1, 1])
        if len(numbers) != 3 or not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            raise UserError(f"model.{name} must be three numbers, one a channel, not {list(numbers)}")
        if name == "std" and not all(n > 0 for n in numbers):
            raise UserError(f"model.std must be > 0, not {list(numbers)}")


def _word(value: Any) -> str:
    if value is None:
        return "as they are"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(f"{number:g}" for number in value) + "]"
    return str(value)
