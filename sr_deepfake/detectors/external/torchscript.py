"""Detectors that torch itself wrote to a file: TorchScript, and programs of `torch.export`."""

import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.detectors.external.base import ExternalDetector, Opened
from sr_deepfake.detectors.external.files import detector_file, digest_of
from sr_deepfake.system.errors import UserError

# Parts of a program of torch.export that are text or bare numbers, or are checked.
_PLAIN = re.compile(
    r"/(weights/weight_\d+|constants/tensor_\d+|(weights|constants)/[^/]*config\.json|models/[^/]*\.json|sample_inputs/[^/]*\.pt"
    r"|archive_format|archive_version|version|byteorder|\.data/[^/]*|\.format_version|extra/[^/]*|serialized_[^/]*\.(json|pt))$"
)


class TorchScriptDetector(ExternalDetector):
    """A detector in a file of `torch.jit.save` or of `torch.export.save`; the second tells its input's side.

    See `ExternalDetector` for the arguments.
    """

    def open(self, path: str) -> Opened:
        """Open the file on the CPU."""
        file = detector_file(path)
        names = _members(file)
        if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # torch deprecates the format, the user has the file all the same
                try:
                    return Opened(torch.jit.load(str(file), map_location="cpu"), digest_of([file]))
                except RuntimeError as error:
                    raise _unreadable(file, error) from error
        if any(
            "archive_format" in name or name.endswith("serialized_exported_program.json") for name in names
        ):
            _refuse_code(file)
            try:
                program = torch.export.load(str(file))
            except Exception as error:  # whatever a damaged program makes its reader do
                raise _unreadable(file, error) from error
            network = _Program(program, file)
            facts = {} if network.size is None else {"size": network.size}
            return Opened(network, digest_of([file]), facts, "the program")
        raise UserError(
            f"{file} is neither a TorchScript file nor a program of torch.export; a file of weights alone is read with "
            "model=checkpoint model.backbone=NAME"
        )


class _Program(nn.Module):
    """A program of torch.export, in parts where its batch is fixed."""

    def __init__(self, program: Any, file: Path) -> None:
        super().__init__()
        names = program.graph_signature.user_inputs
        nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
        if len(nodes) != 1:
            raise UserError(
                f"{file} has {len(nodes)} inputs ({', '.join(names)}); a detector has one, the faces"
            )
        batch, *_, side = nodes[0].meta["val"].shape
        self.batch = batch if isinstance(batch, int) else None
        self.size = side if isinstance(side, int) else None
        self.inner = program.module()

    def train(self, mode: bool = True) -> "_Program":
        """Programs are as they were exported."""
        return self

    def forward(self, faces: Tensor) -> Any:
        """Run it."""
        if self.batch is None or self.batch == len(faces):
            return self.inner(faces)
        parts = []
        for part in faces.split(self.batch):
            filled = torch.cat([part, part[-1:].expand(self.batch - len(part), -1, -1, -1)])
            parts.append(self.inner(filled)[: len(part)])
        return torch.cat(parts)


def _refuse_code(file: Path) -> None:
    """Refuse a program with anything in it that torch would read as a pickle with code: its reader does not."""
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            content = archive.read(name) if name.endswith((".json", ".pt")) else b""
            if not _PLAIN.search(f"/{name}") or b'"use_pickle": true' in content.replace(
                b'":true', b'": true'
            ):
                raise UserError(f"{file} has {name} in it, which may be code and is not read")
            if name.endswith(".pt"):
                try:
                    torch.load(io.BytesIO(content), weights_only=True)
                except Exception as error:  # of a pickle that is none: any class
                    raise UserError(f"{file}: {name} holds code besides tensors, which is not run") from error


def _members(file: Path) -> list[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            return [f"/{name}" for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _unreadable(file: Path, error: Exception) -> UserError:
    reason = str(error).strip().split("\n")[0]
    return UserError(f"{file} cannot be read by torch {torch.__version__} ({reason})")
