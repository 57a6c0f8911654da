"""A detector that was trained by another program: what its network gets, what its numbers mean, and how that is found out."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.data.images import resize_faces
from sr_deepfake.detectors.preprocessing import CHANNELS, FaceInput
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.system.checkpoints import refuse_no_weights
from sr_deepfake.system.errors import UserError, choose

log = logging.getLogger(__name__)

OUTPUTS = ("auto", "logit", "probability", "logits2")
SIZE = 224  # px, where neither the file nor the user says
_SCALES = (1, 30, -30)
_PROBES = 16  # pictures that a network is shown, to see what its numbers look like
_NAMED = ("logits", "logit", "cls", "prob", "scores", "output")  # names of a network's answer
_ASSUMED = {
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
    "range": 1,
    "channels": "rgb",
    "fake_index": 1,
    "resize": "bilinear",
    "crop": 1.0,
}
_UNTYPED = ("resize", "crop")  # facts that files alone say


@dataclass(frozen=True)
class Opened:
    """A network, and what its file says of it: what an opener returns.

    Attributes:
        network: B×3×S×S faces as the file wants them → its answer.
        digest: of everything that the answer depends on, hexadecimal.
        facts: `size`, `mean`, `std`, `range`, `channels`, `output`, `fake_index`, `crop_margin`; `resize` ("bilinear" or
            "bicubic") and `crop`, the middle's part of the resized face; what the file does not say is left out.
        source: of the facts, such as "the graph".
        batch: the only number of faces that it takes at once; None: any.
        unclear: why the file does not say which of two numbers is that of fake; "": it does, or there is one number.
        note: what else a user should know, in words.
    """

    network: Callable[[Tensor], Any]
    digest: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: str = "the file"
    batch: int | None = None
    unclear: str = ""
    note: str = ""


class ExternalDetector(TestedDetector):
    """A detector that was trained by another program: faces of any side → one logit of *fake* a face.

    Faces are brought to the size, range and order of channels that the network expects, and its numbers are read as
    logits or as probabilities. What is not given is taken from the file, or else assumed; `report` says which.

    Args:
        open: (path, size, **options) → `Opened`; of this package, one for each kind of file.
        path: the file, or what else `open` takes.
        label: short name, for folders and tables.
        size: input side in pixels; None: what the file says, else 224.
        mean: subtracted from each channel, in the range and order of channels of the network; None: what the file says,
            else 0.
        std: what it is then divided by; None: what the file says, else 1.
        channels: "rgb" or "bgr"; None: what the file says, else "rgb".
        range: the largest value of a pixel before that, 1 or 255; None: what the file says, else 1.
        output: "logit" (one number a face), "probability" (one number, or two), "logits2" (two logits); "auto": a
            probability if all its numbers are in [0, 1].
        fake_index: which of two numbers is that of *fake*. With one number, 1: it is of *fake*, 0: it is of *real*.
            None: what the file says, else 1.
        crop_margin: margin about the face's box that the network expects, as a fraction of the box on each side; None:
            that of the faces as they are.
        **options: of `open`.

    Raises:
        UserError: the file holds no such detector, or an option makes no sense.
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
        choose(output, OUTPUTS, "model.output")
        typed: dict[str, Any] = {
            "size": size, "mean": mean, "std": std, "channels": channels, "range": range, "fake_index": fake_index,
            "output": None if output == "auto" else output,
        }  # fmt: skip
        typed = {name: value for name, value in typed.items() if value is not None}
        _check(typed, crop_margin)
        opened = open(path, size, **options)
        self.note = opened.note
        self.crop_margin = opened.facts.get("crop_margin") if crop_margin is None else crop_margin
        self._must_be_cut = crop_margin is not None
        self.network, self.batch = (opened.network, opened.batch)  # a module moves to the device with the detector
        if isinstance(self.network, nn.Module):
            self.network.eval()
        facts: dict[str, Any] = {"size": SIZE, **_ASSUMED, "output": "auto", **opened.facts, **typed}
        facts |= {} if crop_margin is None else {"crop_margin": crop_margin}
        sources = dict.fromkeys(opened.facts, opened.source) | {name: f"model.{name}" for name in typed}
        sources |= {} if crop_margin is None else {"crop_margin": "model.crop_margin"}
        if opened.unclear and fake_index is None:
            raise UserError(f"{path}: {opened.unclear}: model.fake_index=0 or 1")
        self.face_input = FaceInput(
            facts["size"],
            facts["mean"],
            facts["std"],
            facts["channels"],
            facts["range"],
            facts["resize"],
            facts["crop"],
        )
        self.fake_index = int(facts["fake_index"])
        numbers = self._shown(facts["output"] == "auto")
        if facts["output"] == "auto":
            facts["output"], sources["output"] = _kind_of(numbers), "from its numbers"
        self.output = str(facts["output"])
        shown = {name: value for name, value in facts.items() if name in sources or name not in _UNTYPED}
        self.report = {name: f"{_word(value)} ({sources.get(name, 'assumed')})" for name, value in shown.items()}
        # Everything that scores depend on, as plain values.
        plain = {name: list(map(float, v)) if isinstance(v, list | tuple) else v for name, v in facts.items()}
        self.identity = {"digest": opened.digest, "crop_margin": crop_margin, **plain}

    def expect_margin(self, margin: float | None) -> None:
        """Learn the margin that the faces to come were cut with; with `crop_margin`, what is more is cut off.

        Raises:
            UserError: it is smaller than `crop_margin`, or unknown.
        """
        if self.crop_margin is None:
            return
        if margin is None and not self._must_be_cut:
            log.warning(
                "%s was trained on faces with a margin of %.3g; that of these faces is unknown, and they are taken as they are",
                self.label, self.crop_margin,
            )  # fmt: skip
            return
        if margin is None:
            raise UserError(
                f"model.crop_margin={self.crop_margin}: the margin of these faces is unknown (they were not cut out by "
                "this program). Leave the option out, and they are scored as they are"
            )
        if self.crop_margin > margin:
            raise UserError(
                f"model.crop_margin={self.crop_margin}: the faces were cut with a margin of {margin}, so it must be in "
                f"[0, {margin}]. To cut them with a wider one: python -m sr_deepfake.prepare "
                f"extraction.margin={self.crop_margin:.4g} data.crops=FOLDER, with your data options "
                f"(attack: faces.margin={self.crop_margin:.4g}). "
                f"model.crop_margin={margin} scores them as they are"
            )
        self.kept = (1 + 2 * self.crop_margin) / (1 + 2 * margin)

    def forward(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Score faces.

        Args:
            faces: B×3×S×S, RGB in [0, 1], any S.
            attacked: makes no difference.

        Returns:
            B logits of *fake*, float64 (on a device without it, float32).

        Raises:
            UserError: the network does not take such faces, or its answer is not what `output` says.
        """
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
            filled = (
                part if self.batch is None else torch.cat([part, part[-1:].expand(self.batch - len(part), -1, -1, -1)])
            )
            try:
                answer = _tensor(self.network(filled), self.path).detach().float()
            except UserError:
                raise
            except Exception as error:  # of somebody else's network: any class
                shape, lines = "×".join(map(str, filled.shape)), str(error).strip().split("\n")
                reason = lines[-1 if "TorchScript" in lines[0] else 0]  # whose first lines are where it happened
                raise UserError(
                    f"{self.path} does not take faces of {shape} ({reason}). model.size=… is the side it expects"
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
        """Its answer to noise and plain colours, far out of their range too where its kind is unknown.

        Where it takes no more than one face at a time, that is learnt here.
        """
        probes, scales = (_PROBES, _SCALES) if unknown else (2, _SCALES[:1])
        generator = torch.Generator().manual_seed(0)
        side = self.face_input.image_size or SIZE
        plain = torch.rand(probes, 3, 1, 1, generator=generator).expand(-1, -1, side, side)
        noise = torch.rand(probes, 3, side, side, generator=generator)
        strength = torch.linspace(0, 1, probes).view(-1, 1, 1, 1)
        pictures = self.face_input(resize_faces(plain * (1 - strength) + noise * strength, side))
        with torch.no_grad():
            try:
                return torch.cat([self._answer(pictures * scale) for scale in scales])
            except UserError as error:
                if self.batch is not None:
                    raise
                self.batch = 1  # a batch that is free by its name, and fixed to 1 inside
                try:
                    found = torch.cat([self._answer(pictures * scale) for scale in scales])
                except UserError:
                    raise error from None
        self.note = "; ".join(filter(None, [self.note, "a network that takes one face at a time"]))
        return found


def _kind_of(numbers: Tensor) -> str:
    """Probabilities stay within [0, 1] whatever the picture; logits do not."""
    if bool(((numbers >= 0) & (numbers <= 1)).all()):
        return "probability"
    return "logit" if numbers.shape[1] == 1 else "logits2"


def detector_file(path: str) -> Path:
    """The file that `model.path` names."""
    found = Path(path).expanduser()
    if not found.is_file():
        raise UserError(f"model.path={path} {'is a folder, not a file' if found.is_dir() else 'is missing'}")
    refuse_no_weights(found, "model.path")
    return found


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


def _check(typed: Mapping[str, Any], crop_margin: float | None) -> None:
    size = typed.get("size", 1)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UserError(f"model.size must be a side in pixels, an integer ≥ 1, not {size}")
    choose(typed.get("channels", "rgb"), CHANNELS, "model.channels")
    if typed.get("range", 1) not in (1, 255):
        raise UserError(f"model.range must be 1 or 255, not {typed['range']}")
    if typed.get("fake_index", 0) not in (0, 1):
        raise UserError(f"model.fake_index must be 0 or 1, not {typed['fake_index']}")
    if crop_margin is not None and not 0 <= crop_margin <= 10:
        raise UserError(f"model.crop_margin must be ≥ 0, a fraction of the face's box, not {crop_margin}")
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
