"""The faces that results are of, clean and attacked again."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from sr_deepfake.app.configuration import checked
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.images import read_face
from sr_deepfake.data.manifest import MANIFEST, FaceSet, fingerprint, read_manifest
from sr_deepfake.experiment.provenance import PROVENANCE
from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.similarity import ssim
from sr_deepfake.super_resolution.interpolation import Interpolation
from sr_deepfake.super_resolution.weights import without_downloads
from sr_deepfake.system.errors import UserError

# How far the SSIM of a face attacked now may be from the stored one: arithmetic differs between machines by less.
_SSIM_TOLERANCE = 0.002


class TestedFaces:
    """Finds the faces that results are of, and attacks them again. Sets, attacks and faces are made once each.

    Nothing is written, and weights that are not here are not downloaded.
    """

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def pair(self, result: Result, face_id: str) -> tuple[Tensor, Tensor]:
        """A face clean and attacked.

        Args:
            result: attacked.
            face_id: of the manifest.

        Returns:
            Two tensors 3×S×S, uint8.

        Raises:
            UserError: either is not to be had, or is not what was scored.
        """
        told, run = result.provenance.get("data"), result.run
        described = [str(result.outputs), told, run.get("test_faces"), run.get("frames"), result.tested_on]
        faces: _TestSet = self.once(described, lambda: _TestSet(result))
        clean = self.once([described, face_id], lambda: faces.face(face_id))
        # A pristine face is in the sets of all methods, and is attacked once.
        digits = hashlib.sha256(clean.numpy().tobytes()).hexdigest()
        key = [result.config.get("attack"), run.get("device"), list(clean.shape), digits]
        attacked: Tensor = self.once(key, lambda: self._attack(result, clean))
        table = result.predictions
        expected = float(table["ssim"].to_numpy()[(table["face_id"] == face_id).to_numpy()][0])
        found = float(ssim(clean[None].float() / 255, attacked[None].float() / 255))
        if not abs(found - expected) <= _SSIM_TOLERANCE:
            raise UserError(
                f"the attack makes another face of {face_id} now (SSIM {found:.4f}, then {expected:.4f}); other "
                "weights are found, perhaps: evaluate.force=true scores the faces as they are attacked now"
            )
        return clean, attacked

    def control(self, result: Result, clean: Tensor) -> Tensor | None:
        """The face (3×S×S uint8) scaled down and up as by the attack, without its network; None where it has none."""
        attack: Any = self._built(result)
        network = isinstance(attack, SuperResolutionAttack) and not isinstance(attack.sr_model, Interpolation)
        if not network:
            return None
        scale = int(attack.scale)
        return attacked_by(SuperResolutionAttack(Interpolation(scale), scale), clean)

    def once(self, described: Any, make: Callable[[], Any]) -> Any:
        """Make a thing once; what went wrong the first time goes wrong again.

        Raises:
            UserError: of `make`.
        """
        key = json.dumps(described, sort_keys=True, default=str)
        if key not in self._made:
            try:
                self._made[key] = make()
            except UserError as error:
                self._made[key] = error
        if isinstance(self._made[key], UserError):
            raise self._made[key]
        return self._made[key]

    def _built(self, result: Result) -> nn.Module:
        built: nn.Module = self.once(["attack", result.config.get("attack")], lambda: _attack_of(result))
        return built

    def _attack(self, result: Result, clean: Tensor) -> Tensor:
        # On the device that made the scored face, if it is here: another rounds in another way.
        machine = torch.device(
            "cuda" if result.run.get("device") == "cuda" and torch.cuda.is_available() else "cpu"
        )
        return attacked_by(self._built(result).to(machine), clean, machine)


@torch.no_grad()
def attacked_by(attack: nn.Module, face: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """A face, 3×S×S uint8, attacked: the same shape and type."""
    attacked: Tensor = attack(face[None].to(device).float() / 255)[0].cpu()
    return (attacked * 255).round().to(torch.uint8)


class _TestSet:
    """The test faces of results.

    Args:
        result: the results.

    Raises:
        UserError: the faces are gone, or others than those that were tested.
    """

    def __init__(self, result: Result) -> None:
        self.folder = _faces_folder(result)
        frames = result.run.get("frames")
        faces = FaceSet(result.data, self.folder, read_manifest(self.folder))
        rows = faces.of("test", result.tested_on, frames if isinstance(frames, int) else None)
        if fingerprint(rows) != result.run.get("test_faces"):
            raise UserError(f"the faces in {self.folder} are not those that were tested")
        self.paths = pd.Series(rows["path"].to_numpy(), index=rows["face_id"])

    def face(self, face_id: str) -> Tensor:
        """Read a face, 3×S×S uint8.

        Raises:
            UserError: the manifest does not have it, or names a file outside its folder.
        """
        if face_id not in self.paths:
            raise UserError(f"the face {face_id} is not in {self.folder / MANIFEST}")
        path = self.folder / str(self.paths[face_id])
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise UserError(f"{self.folder / MANIFEST} names a file outside its folder: {path}")
        return read_face(path)


def _faces_folder(result: Result) -> Path:
    """Locate the faces: where the results say, or where the outputs were moved as a whole."""
    told = result.provenance.get("data")
    folder, outputs = (told.get(name) if isinstance(told, dict) else None for name in ("folder", "outputs"))
    if not isinstance(folder, str) or not isinstance(outputs, str):
        raise UserError(f"{PROVENANCE}, which tells where the faces are, is missing or damaged")
    moved = result.outputs / os.path.relpath(folder, outputs)
    candidates = [moved, Path(folder)] if Path(folder).is_relative_to(outputs) else [Path(folder)]
    for candidate in candidates:
        if (candidate / MANIFEST).is_file():
            return candidate
    raise UserError(f"the face crops are gone: there is no {Path(folder) / MANIFEST}")


def _attack_of(result: Result) -> nn.Module:
    """Build the attack of results; weights that are not here are not downloaded.

    Raises:
        UserError: it is not one that `conf/` names, or cannot be built.
    """
    settings = result.config.get("attack")
    if not isinstance(settings, dict) or "_target_" not in settings:
        raise UserError(f"{PROVENANCE}, which tells the attack, is missing or damaged")
    safe = checked(settings, PROVENANCE, "attack", "sr_model")
    try:
        with without_downloads():
            attack: nn.Module = hydra.utils.instantiate(OmegaConf.create(safe))
    except hydra.errors.InstantiationException as error:
        if isinstance(error.__cause__, UserError):  # which Hydra wraps
            raise error.__cause__ from None
        raise UserError(f"its attack cannot be built ({str(error).splitlines()[0]})") from error
    return attack
