"""Detectors in ONNX files, run by onnxruntime."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sr_deepfake.detectors.external.base import ExternalDetector, Opened
from sr_deepfake.detectors.external.files import detector_file, digest_of, need
from sr_deepfake.system.errors import UserError

_TYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8,
}  # fmt: skip


class OnnxDetector(ExternalDetector):
    """A detector in an ONNX file: its input's side, layout and batch come from the graph.

    See `ExternalDetector` for the arguments.
    """

    def open(self, path: str) -> Opened:
        """Open the graph on the CPU; it moves to a GPU with the first faces there."""
        file = detector_file(path)
        graph = _Graph(file)
        content = file.read_bytes()
        # Weights may lie in files beside it, which the graph names.
        beside = [path for path in file.parent.iterdir() if path != file and path.is_file()]
        external = sorted(path for path in beside if os.fsencode(path.name) in content)
        facts: dict[str, Any] = {}
        if graph.size is not None:
            facts["size"] = graph.size
        if graph.type == np.uint8:
            facts["range"] = 255
        return Opened(graph, digest_of([file, *external]), facts, "the graph")


class _Graph:
    """An ONNX graph of one picture input, as a function of B×3×S×S tensors."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.device = "cpu"
        self.session = self._start("cpu")
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(item.name for item in inputs)
            raise UserError(f"{file} has {len(inputs)} inputs ({names}); a detector has one, the faces")
        (only,) = inputs
        if only.type not in _TYPES or len(only.shape) != 4:
            raise UserError(
                f"{file}: its input {only.name} is {only.type} of {only.shape}; a detector takes pictures, B×3×S×S "
                "or B×S×S×3"
            )
        self.name, self.type = only.name, _TYPES[only.type]
        batch, *picture = only.shape
        self.last = picture[2] == 3 and picture[0] != 3
        if 3 not in (picture[0], picture[2]) and all(
            isinstance(side, int) for side in (picture[0], picture[2])
        ):
            raise UserError(f"{file}: its input {only.name} is of {only.shape}, which has no three channels")
        sides = picture[:2] if self.last else picture[1:]
        fixed = [side for side in sides if isinstance(side, int)]
        if len(set(fixed)) > 1:
            raise UserError(f"{file}: its input {only.name} is of {only.shape}; faces are square")
        self.size = fixed[0] if fixed else None
        self.batch = batch if isinstance(batch, int) else None

    def _start(self, device: str) -> Any:
        try:
            import onnxruntime
        except ImportError as error:
            raise need("onnxruntime", error) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        wanted = ["CUDAExecutionProvider"] if device == "cuda" else []
        there = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            return onnxruntime.InferenceSession(
                str(self.file), options, providers=[*there, "CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes, of no common base
            reason = str(error).strip().split("\n")[0]
            raise UserError(f"{self.file} is no ONNX graph that onnxruntime can run ({reason})") from error

    def __call__(self, faces: Tensor) -> Tensor:
        """Run it, in parts where its batch is fixed."""
        if faces.device.type != self.device:
            self.device, self.session = faces.device.type, self._start(faces.device.type)
        pictures = faces.cpu().numpy()
        if self.type == np.uint8:
            pictures = pictures.round().clip(0, 255)
        pictures = pictures.astype(self.type)
        if self.last:
            pictures = pictures.transpose(0, 2, 3, 1)
        step = self.batch or len(pictures)
        answers = [self._run(pictures[start : start + step]) for start in range(0, len(pictures), step)]
        return torch.from_numpy(np.concatenate(answers))

    def _run(self, pictures: Any) -> Any:
        count, wanted = len(pictures), self.batch or len(pictures)
        filled = np.concatenate([pictures, np.repeat(pictures[-1:], wanted - count, axis=0)])
        try:
            outputs = self.session.run(None, {self.name: np.ascontiguousarray(filled)})
        except Exception as error:  # as above
            raise ValueError(str(error)) from error
        names = [output.name for output in self.session.get_outputs()]
        fitting = [
            values
            for values in outputs
            if isinstance(values, np.ndarray) and values.shape[:1] == (wanted,) and values[0].size in (1, 2)
        ]
        if not fitting:
            shapes = ", ".join(
                f"{name} {getattr(values, 'shape', '?')}" for name, values in zip(names, outputs, strict=True)
            )
            raise UserError(
                f"{self.file}: none of its outputs has one or two numbers a face ({shapes} for {wanted} faces)"
            )
        return fitting[0].reshape(wanted, -1)[:count].astype(np.float32)
