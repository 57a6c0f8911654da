"""A detector from elsewhere: what it gets, what its numbers mean, and how that is found out."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.data.images import resize_faces
from sr_deepfake.detectors.preprocessing import CHANNELS, FaceInput
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.system.errors import UserError, choose

log = logging.getLogger(__name__)

OUTPUTS = ("auto", "logit", "probability", "logits2")
SIZE = 224  # px, where neither the file nor the user tells
_FAR = (1, 30, -30)
_PROBES = 16  # faces that are shown to a network to see what its numbers look like
_NAMED = ("logits", "logit", "cls", "prob", "scores", "output")  # what networks call their answer
_ASSUMED = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "range": 1, "channels": "rgb", "fake_index": 1}


@dataclass(frozen=True)
class Opened:
    """A network from a file, and what the file tells of it.

    Attributes:
        network: B×3×S×S faces as the file wants them → its answer.
        digest: of everything that the answer depends on, hexadecimal.
        facts: `size`, `mean`, `std`, `range`, `output`, `fake_index`; what it does not tell is left out.
        source: what tells them, such as "the graph".
    """

    network: Callable[[Tensor], Any]
    digest: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: str = "the file"


class ExternalDetector(TestedDetector):
    """A detector that was trained elsewhere: faces of any side → one logit of *fake* a face.

    Subclasses say in `open` how a network comes out of a file. Everything else is here: faces are brought to the size,
    range and order of channels that the network expects, and its numbers are read as logits or as probabilities. What
    is not given is taken from the file, or else assumed; `told` says which.

    Args:
        path: the file, or what else the subclass opens.
        label: short name, for folders and tables.
        size: input side in pixels; None: what the file says, else 224.
        mean: subtracted from each channel, in the range and order of channels of the network; None: what the file says,
            else 0.
        std: what it is then divided by; None: what the file says, else 1.
        channels: "rgb" or "bgr"; None: what the file says, else "rgb".
        range: the largest value of a pixel before that, 1 or 255; None: what the file says, else 1.
        output: "logit" (one number a face), "probability" (one number, or two that add up to 1), "logits2" (two
            logits); "auto": by the look of its numbers.
        fake_index: which of two numbers is that of *fake*. With one number, 1: it is of *fake*, 0: it is of *real*.
            None: what the file says, else 1.
        crop_margin: margin about the face's box that the network expects, as a part of the box on each side; None: that
            of the faces as they are.
        margin: of the faces as they are.

    Raises:
        UserError: the file is no such detector, or an option makes no sense.
    """

    def __init__(
        self,
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
        margin: float = 0.1,
    ) -> None:
        super().__init__()
        self.path = path
        self.label = label
        typed: dict[str, Any] = {
            "size": size,
            "mean": mean,
            "std": std,
            "range": range,
            "fake_index": fake_index,
        }
        typed |= {
            "channels": channels,
            "output": output if output != "auto" else None,
        }
        _check(typed)
        choose(channels or "rgb", CHANNELS, "model.channels")
        choose(output, OUTPUTS, "model.output")
        if crop_margin is not None and not 0 <= crop_margin <= margin:
            raise UserError(
                f"model.crop_margin={crop_margin}: the faces were cut with a margin of {margin}, so it lies in "
                f"[0, {margin}]. For a wider one cut them anew: python -m sr_deepfake.prepare "
                f"extraction.margin={crop_margin} data.crops=FOLDER, with your data options"
            )
        # What is left of a face's side, of the margin that is cut off.
        self.kept = 1.0 if crop_margin is None else (1 + 2 * crop_margin) / (1 + 2 * margin)
        self.size_typed, self.fake_index_typed = size, fake_index
        opened = self.open(path)
        self.network = opened.network  # a module moves to the device with the detector
        if isinstance(self.network, nn.Module):
            self.network.eval()
        facts: dict[str, Any] = {"size": SIZE, **_ASSUMED} | dict(opened.facts)
        facts |= {name: value for name, value in typed.items() if value is not None}
        sources = dict.fromkeys(opened.facts, opened.source)
        sources |= {name: f"model.{name}" for name, value in typed.items() if value is not None}
        self.face_input = FaceInput(
            facts["size"], facts["mean"], facts["std"], str(facts["channels"]), int(facts["range"])
        )
        self.fake_index = int(facts["fake_index"])
        self.output = str(facts.get("output", "auto"))
        if self.output == "auto":
            self.output = self._look()
            sources["output"] = "the look of its numbers"
        facts["output"] = self.output
        self.told = {
            name: f"{_word(value)} ({sources.get(name, 'assumed')})" for name, value in facts.items()
        }
        # Everything that scores depend on, as plain values.
        self.identity = {"digest": opened.digest, "kept": self.kept, **_plain(facts)}

    def open(self, path: str) -> Opened:
        """Open the file.

        Raises:
            UserError: it is no such file.
        """
        raise NotImplementedError

    def forward(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Score faces.

        Args:
            faces: B×3×S×S, RGB in [0, 1], any S.
            attacked: makes no difference.

        Returns:
            B logits of *fake*, float64 (on a device without it, float32).

        Raises:
            UserError: the network does not take such faces, or its answer is no such thing as `output` says.
        """
        kind = torch.float32 if faces.device.type == "mps" else torch.float64
        numbers = self._answer(self.face_input(self.cut(faces))).to(kind)
        if self.output == "logits2" or (self.output == "probability" and numbers.shape[1] == 2):
            if numbers.shape[1] != 2:
                raise UserError(
                    f"model.output={self.output} is of two numbers a face, {self.path} gives one: use logit or "
                    "probability"
                )
            fake, real = numbers[:, self.fake_index], numbers[:, 1 - self.fake_index]
            return fake - real if self.output == "logits2" else _log_odds(self.path, fake)
        if numbers.shape[1] != 1:
            raise UserError(
                f"model.output=logit is of one number a face, {self.path} gives two: use logits2 or probability"
            )
        logits = numbers[:, 0] if self.output == "logit" else _log_odds(self.path, numbers[:, 0])
        return logits if self.fake_index == 1 else -logits

    def cut(self, faces: Tensor) -> Tensor:
        """The middle of the faces, with the margin that the network expects."""
        side = faces.shape[-1]
        kept = max(1, round(side * self.kept))
        start = (side - kept) // 2
        return faces[..., start : start + kept, start : start + kept]

    def _answer(self, prepared: Tensor) -> Tensor:
        """What the network says of faces in its own range: B×1 or B×2 numbers."""
        try:
            answer = _tensor(self.network(prepared), self.path)
        except UserError:
            raise
        except Exception as error:  # of somebody else's network: any class
            shape = "×".join(map(str, prepared.shape))
            reason = str(error).strip().split("\n")[0]
            raise UserError(
                f"{self.path} does not take faces of {shape} ({reason}). model.size=… is the side it expects"
            ) from error
        answer = answer.detach().float()
        if answer.ndim == 1:
            answer = answer[:, None]
        answer = answer.flatten(1)
        if len(answer) != len(prepared) or answer.shape[1] not in (1, 2):
            raise UserError(
                f"{self.path} answers {'×'.join(map(str, answer.shape))} numbers for {len(prepared)} faces. A detector "
                "has one number a face, or two: fake and real"
            )
        return answer.to(prepared.device)

    def _look(self) -> str:
        """Which kind of output it has, by its answer to pictures of noise and of plain colours.

        They are shown far out of their range too, where probabilities stay what they are and logits do not.
        """
        generator = torch.Generator().manual_seed(0)
        side = self.face_input.image_size or SIZE
        plain = torch.rand(_PROBES, 3, 1, 1, generator=generator).expand(-1, -1, side, side)
        noise = torch.rand(_PROBES, 3, side, side, generator=generator)
        strength = torch.linspace(0, 1, _PROBES).view(-1, 1, 1, 1)
        pictures = self.face_input(resize_faces(plain * (1 - strength) + noise * strength, side))
        with torch.no_grad():
            numbers = torch.cat([self._answer(pictures * factor) for factor in _FAR])
        inside = bool(((numbers >= 0) & (numbers <= 1)).all())
        if numbers.shape[1] == 1:
            return "probability" if inside else "logit"
        whole = torch.allclose(numbers.sum(1), torch.ones(len(numbers)), atol=1e-3)
        return "probability" if inside and whole else "logits2"


def _log_odds(path: str, probabilities: Tensor) -> Tensor:
    slack = 1e-4  # the rounding of a network in half precision
    if bool(((probabilities < -slack) | (probabilities > 1 + slack)).any()):
        raise UserError(
            f"{path} gives numbers outside [0, 1], which are no probabilities: model.output=logit, or logits2"
        )
    return torch.logit(probabilities.clamp(0, 1))


def _tensor(answer: Any, path: str) -> Tensor:
    """The scores in an answer that may hold other things, too."""
    if isinstance(answer, Tensor):
        return answer
    if isinstance(answer, Mapping):
        for name in _NAMED:
            if isinstance(answer.get(name), Tensor):
                return _tensor(answer[name], path)
        raise UserError(
            f"{path} answers with {', '.join(map(repr, answer))}; one of them has to be called {', '.join(_NAMED)}"
        )
    if isinstance(answer, Sequence) and answer and not isinstance(answer, str):
        return _tensor(answer[0], path)
    if isinstance(getattr(answer, "logits", None), Tensor):
        return _tensor(answer.logits, path)
    raise UserError(f"{path} answers with {type(answer).__name__}, not with a tensor of scores")


def _check(typed: Mapping[str, Any]) -> None:
    size, span = typed["size"], typed["range"]
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise UserError(f"model.size={size}: it is a side in pixels")
    if span not in (None, 1, 255):
        raise UserError(f"model.range={span}: pixels go to 1 or to 255")
    if typed["fake_index"] not in (None, 0, 1):
        raise UserError(f"model.fake_index={typed['fake_index']}: it is 0 or 1")
    for name in ("mean", "std"):
        numbers = typed[name]
        if numbers is None:
            continue
        if len(numbers) != 3 or not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            raise UserError(f"model.{name}={list(numbers)}: it is three numbers, one a channel")
        if name == "std" and not all(n > 0 for n in numbers):
            raise UserError(f"model.std={list(numbers)}: they are above 0")


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(map(float, value)) if isinstance(value, list | tuple) else value
        for name, value in facts.items()
    }


def _word(value: Any) -> str:
    if value is None:
        return "as they are"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(f"{number:g}" for number in value) + "]"
    return str(value)
