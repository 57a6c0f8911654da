"""Detectors that torch itself wrote to a file: TorchScript, and programs of `torch.export`."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.detectors.external.opened import Opened, detector_file
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import file_digest


def open_torch_file(path: str, size: int | None = None, trust: bool = False) -> Opened:
    """Open a file of `torch.jit.save`; with `trust`, of `torch.export.save`, whose reader can be made to run any code."""
    file = detector_file(path)
    names = _members(file)
    try:
        if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch deprecates the format, the user has the file all the same
                script = torch.jit.load(str(file), map_location="cpu")
            if any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in script.state_dict().values()):
                script = script.float()
            return Opened(script, file_digest(file))
        if not any("archive_format" in name or name.endswith("serialized_exported_program.json") for name in names):
            raise UserError(
                f"{file} is neither a TorchScript file nor a program of torch.export; a file of weights alone is read by "
                "model=checkpoint model.backbone=NAME"
            )
        if not trust:
            raise UserError(
                f"{file} is a program of torch.export, whose reader can run code that is in a file. If you made it, or "
                f"trust who did: model=torchscript model.path={file} model.trust=true"
            )
        program = torch.export.load(str(file))
    except UserError:
        raise
    except Exception as error:  # whatever a damaged file makes its reader do
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{file} cannot be read by torch {torch.__version__} ({reason})") from error
    inputs = program.graph_signature.user_inputs
    nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in inputs]
    if len(nodes) != 1:
        raise UserError(
            f"{file} has {len(nodes)} inputs ({', '.join(map(str, inputs))}); a detector has one, the faces"
        )
    batch, *_, side = (number if isinstance(number, int) else None for number in nodes[0].meta["val"].shape)
    facts = {} if side is None else {"size": side}
    return Opened(_Program(program.module()), file_digest(file), facts, "the program", batch)


class _Program(nn.Module):
    """A program of torch.export, which refuses `eval` and `train`: it stays as it was exported."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def train(self, mode: bool = True) -> "_Program":
        return self

    def forward(self, faces: Tensor) -> Any:
        return self.inner(faces)


def _members(file: Path) -> list[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            return [f"/{name}" for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []
