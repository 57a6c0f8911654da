"""Detectors that torch itself wrote to a file: TorchScript, and programs of `torch.export`."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.detectors.external.base import ExternalDetector, Opened
from sr_deepfake.detectors.external.files import detector_file, digest_of
from sr_deepfake.system.errors import UserError

_trusted: set[str] = set()  # programs that the user of this process said to trust


class TorchScriptDetector(ExternalDetector):
    """A detector in a file of `torch.jit.save` or of `torch.export.save`; the second tells its input's side.

    Args:
        path: the file.
        trust: read a program of torch.export. Its reader is torch's own, and a program that somebody made for it can
            run any code; so it has to be typed, and is not taken from a folder.
        stored: whether it comes from a folder of a detector.
        **options: see `ExternalDetector`.
    """

    def __init__(self, path: str, trust: bool = False, stored: bool = False, **options: Any) -> None:
        place = str(Path(path).expanduser().absolute())
        if trust and not stored:
            _trusted.add(place)
        self.trusted = place in _trusted
        super().__init__(path, **options)

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
            if not self.trusted:
                raise UserError(
                    f"{file} is a program of torch.export, whose reader can run code that is in a file. If you made "
                    f"it, or trust who did: model=torchscript model.path={file} model.trust=true"
                )
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


def _members(file: Path) -> list[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            return [f"/{name}" for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _unreadable(file: Path, error: Exception) -> UserError:
    reason = str(error).strip().split("\n")[0]
    return UserError(f"{file} cannot be read by torch {torch.__version__} ({reason})")
