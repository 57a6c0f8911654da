"""Detectors in ONNX files, run by onnxruntime."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sr_deepfake.detectors.external.opened import Opened, detector_file
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import file_digest

_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_TYPES = {**_FLOATS, "tensor(uint8)": np.uint8}
# Where a graph says in which file some weights are: the entry "location" of a map of texts, in protocol buffers' bytes.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x80-\xff]?)([\x01-\x7f])")


def open_onnx(path: str, size: int | None = None, output_name: str | None = None) -> Opened:
    """Open an ONNX graph; its input's side, layout and batch come from the graph."""
    file = detector_file(path)
    graph = _Graph(file, output_name)
    inputs = graph.session("cpu").get_inputs()
    if len(inputs) != 1:
        names = ", ".join(item.name for item in inputs)
        raise UserError(f"{file} has {len(inputs)} inputs ({names}); a detector has one, the faces")
    (only,) = inputs
    batch, *picture = only.shape if len(only.shape) == 4 else (None, 0, 0, 0)
    last = picture[2] == 3 and picture[0] != 3
    sides = {side for side in (picture[:2] if last else picture[1:]) if isinstance(side, int)}
    has_channels = last or picture[0] == 3 or any(isinstance(picture[axis], str) for axis in (0, 2))
    if only.type not in _TYPES or len(sides) > 1 or not has_channels:
        raise UserError(
            f"{file}: its input {only.name} is {only.type} of {only.shape}; a detector takes square pictures, B×3×S×S or "
            "B×S×S×3"
        )
    graph.name, graph.type, graph.last = only.name, _TYPES[only.type], last
    facts: dict[str, Any] = {"size": sides.pop()} if sides else {}
    facts |= {"range": 255} if graph.type == np.uint8 else {}
    digest = file_digest(file, *_weights_files(file))
    return Opened(graph, digest, facts, "the graph", batch if isinstance(batch, int) else None, note=graph.note)


def _weights_files(file: Path) -> list[Path]:
    """The files that a graph names for its weights."""
    content = file.read_bytes()
    found = set()
    for match in _LOCATION.finditer(content):  # a length of 128 on has a second byte, of higher value
        length = (match[1][0] - 128 + 128 * match[2][0]) if match[1] else match[2][0]
        found.add(content[match.end() : match.end() + length])
    return [path for name in sorted(found) if (path := file.parent / name.decode("utf-8", "replace")).is_file()]


class _Graph:
    """An ONNX graph of one picture input, as a function of B×3×S×S tensors, on the device of the faces."""

    name: str
    type: Any
    last: bool  # channels last

    def __init__(self, file: Path, output: str | None) -> None:
        self.file = file
        self.sessions: dict[str, Any] = {}
        outputs = {item.name: item.type for item in self.session("cpu").get_outputs()}
        if output is not None and output not in outputs:
            raise UserError(f"model.output_name={output}: the outputs of {file} are called {', '.join(outputs)}")
        # An exported classifier also has its label, a whole number.
        self.outputs = [name for name, kind in outputs.items() if kind in _FLOATS] if output is None else [output]
        self.note = ""
        if len(outputs) > len(self.outputs):
            self.note = (
                f"an ONNX graph, of whose outputs ({', '.join(outputs)}) those of floating-point numbers are looked at"
            )

    def session(self, device: str) -> Any:
        """The session of a kind of device; made once."""
        try:
            import onnxruntime
        except ImportError as error:
            raise UserError(f"model=onnx requires onnxruntime ({error}): pip install onnxruntime") from None
        if device not in self.sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            options.log_severity_level = 3
            providers = ["CPUExecutionProvider"]
            if device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
                providers.insert(0, "CUDAExecutionProvider")
            try:
                self.sessions[device] = onnxruntime.InferenceSession(str(self.file), options, providers=providers)
            except Exception as error:  # onnxruntime's own classes, of no common base
                reason = str(error).strip().split("\n")[0]
                raise UserError(f"{self.file} is not an ONNX graph that onnxruntime can run ({reason})") from error
        return self.sessions[device]

    def __call__(self, faces: Tensor) -> Tensor:
        """Run it; its answer is the output with one or two numbers a face."""
        pictures = faces.cpu().numpy()
        pictures = (pictures.round().clip(0, 255) if self.type == np.uint8 else pictures).astype(self.type)
        pictures = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1) if self.last else pictures)
        found = self.session(faces.device.type).run(self.outputs, {self.name: pictures})
        answers = dict(zip(self.outputs, found, strict=True))
        fitting = {
            name: values.reshape(len(faces), -1).astype(np.float32)
            for name, values in answers.items()
            if isinstance(values, np.ndarray) and values.shape[:1] == (len(faces),) and values[0].size in (1, 2)
        }
        if len(fitting) == 1:
            return torch.from_numpy(fitting.popitem()[1])
        shapes = ", ".join(f"{name} {getattr(values, 'shape', '?')}" for name, values in answers.items())
        if fitting:
            raise UserError(
                f"{self.file} has {len(fitting)} outputs that may be scores ({shapes}): model.output_name=NAME says which"
            )
        raise UserError(
            f"{self.file}: none of its outputs has one or two numbers a face ({shapes or 'no floats'} for {len(faces)} faces)"
        )
