"""The pictures of a report's examples: the face crops, and what the attack makes of them."""

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pandas as pd
import torch
from omegaconf import OmegaConf
from torch import Tensor

from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.data.images import read_face
from sr_deepfake.data.manifest import MANIFEST, fingerprint, read_manifest
from sr_deepfake.data.sources import FaceSet
from sr_deepfake.errors import UserError
from sr_deepfake.metrics.similarity import ssim
from sr_deepfake.reporting.examples import KINDS, Example, Picture, example_of, turned_faces
from sr_deepfake.reporting.report_cells import ReportCell, collect
from sr_deepfake.reporting.report_grid import ReportGrid

# How far the SSIM of a face attacked now may be from the stored one: arithmetic differs between machines by less.
_SSIM_TOLERANCE = 0.002
# What a stored configuration may name; the first are whole names, the others rooms.
_SOURCES = tuple(
    f"sr_deepfake.data.{name}"
    for name in (
        "sample_source.Sample",
        "sources.FaceForensics",
        "folder_source.Folder",
        "extraction.ExtractionSettings",
    )
)
_ATTACKS = ("sr_deepfake.attacks.", "sr_deepfake.super_resolution.")


def illustrate(grid: ReportGrid, count: int) -> tuple[list[Example], list[str]]:
    """Find the pictures of the faces that the attack turned, for each model and method.

    Args:
        grid: of the report.
        count: examples of each kind and place, at most.

    Returns:
        The examples, by place; and a sentence for each place that has examples whose pictures are not to be had.
    """
    examples: list[Example] = []
    notes: list[str] = []
    pictures = _Pictures()
    for _, cell in grid.attacked:
        found, told = _of_cell(cell, count, pictures)
        examples += found
        notes += told
    return examples, notes


def illustrate_results(folder: Path, count: int) -> tuple[list[Example], list[str]]:
    """Find the pictures of the faces that the attack turned, of one folder of results.

    Args:
        folder: of results.
        count: examples of each kind, at most.

    Returns:
        The examples; and why there are none, where their pictures are not to be had.
    """
    collected = collect([folder])
    if collected.unread:
        return [], [collected.unread[0].reason]
    return _of_cell(collected.cells[0], count, _Pictures())


def _of_cell(cell: ReportCell, count: int, pictures: "_Pictures") -> tuple[list[Example], list[str]]:
    examples: list[Example] = []
    notes: list[str] = []
    for kind in KINDS if count > 0 and cell.is_attacked else ():
        for turned in turned_faces(cell.predictions, kind, count):
            try:
                clean, attacked = pictures.of(cell, turned.face_id, turned.ssim)
            except UserError as error:
                note = f"{cell.name}: examples are left out, since {error}"
                notes += [note] if note not in notes else []
                break
            examples.append(example_of(cell, turned, clean, attacked))
    return examples, notes


class _Pictures:
    """Faces and attacks, each found once."""

    def __init__(self) -> None:
        self._faces: dict[str, Any] = {}
        self._attacks: dict[str, Any] = {}

    def of(self, cell: ReportCell, face_id: str, expected: float) -> tuple[Picture, Picture]:
        """A face clean and attacked.

        Raises:
            UserError: either is not to be had, or is not what was scored.
        """
        config = cell.config
        if not config:
            raise UserError("provenance.json, which tells where the faces are, is missing or damaged")
        where = [str(cell.outputs), config.get("paths")]
        tested = [config.get("data"), cell.metrics["cell"].get("test_faces")]
        faces = _once(self._faces, [*where, *tested], lambda: _Faces(cell))
        attack = [config.get("attack"), config.get("cache")]
        attacker = _once(self._attacks, [*where, *attack], lambda: _Attack(cell))
        clean = faces.face(face_id)
        attacked = attacker(clean)
        found = float(ssim(clean[None].float() / 255, attacked[None].float() / 255))
        if abs(found - expected) > _SSIM_TOLERANCE:
            raise UserError(
                f"the attack makes another face of {face_id} now (SSIM {found:.4f}, then {expected:.4f}); other "
                "weights are found, perhaps: evaluate.force=true scores the faces as they are attacked now"
            )
        return _picture(clean), _picture(attacked)


def _once(made: dict[str, Any], described: Any, make: Any) -> Any:
    """Make a thing once; what went wrong the first time goes wrong again."""
    key = json.dumps(described, sort_keys=True, default=str)
    if key not in made:
        try:
            made[key] = make()
        except UserError as error:
            made[key] = error
        except (KeyError, TypeError, AttributeError) as error:
            made[key] = UserError(f"its provenance.json is incomplete ({type(error).__name__}: {error})")
    if isinstance(made[key], UserError):
        raise made[key]
    return made[key]


def _picture(face: Tensor) -> Picture:
    return np.ascontiguousarray(face.permute(1, 2, 0).numpy())


class _Faces:
    """The test faces of results.

    Args:
        cell: the results.

    Raises:
        UserError: the faces are gone, or others than those that were tested.
    """

    def __init__(self, cell: ReportCell) -> None:
        self.folder = _faces_folder(cell)
        rows = FaceSet(cell.data, self.folder, read_manifest(self.folder)).of(
            "test", cell.tested_on, cell.config["data"]["frames"]
        )
        if fingerprint(rows) != cell.metrics["cell"].get("test_faces"):
            raise UserError(f"the faces in {self.folder} are not those that were tested")
        self.paths = pd.Series(rows["path"].to_numpy(), index=rows["face_id"])

    def face(self, face_id: str) -> Tensor:
        """Read a face, 3×S×S uint8."""
        return read_face(self.folder / str(self.paths[face_id]))


def _faces_folder(cell: ReportCell) -> Path:
    """Where the manifest is: as the configuration says, or where it went with outputs that were moved as a whole."""
    source = _built(cell.config["data"]["source"], _SOURCES)
    told = source.crops if hasattr(source, "crops") else source.root / "faces"
    for folder in _places(told, cell):
        if (folder / MANIFEST).is_file():
            return folder
    raise UserError(f"the face crops are gone: there is no {told / MANIFEST}")


def _places(told: Path, cell: ReportCell) -> list[Path]:
    """Where a folder of the configuration may be now."""
    started = str(cell.provenance.get("directory", ""))
    outputs = os.path.abspath(os.path.join(started, os.path.expanduser(cell.config["paths"]["outputs"])))
    absolute = os.path.abspath(os.path.join(started, told.expanduser()))
    inside = os.path.commonpath([outputs, absolute]) == outputs
    moved = [cell.outputs / os.path.relpath(absolute, outputs)] if inside else []
    return [*moved, Path(absolute)]


class _Attack:
    """The attack of results: faces that were kept come from the cache, others are attacked now, and not kept.

    Args:
        cell: the results.

    Raises:
        UserError: the attack cannot be built: its weights are missing, say.
    """

    def __init__(self, cell: ReportCell) -> None:
        folder = _places(Path(cell.config["cache"]["folder"]), cell)[0]
        self._attack = CachedAttack(_built(cell.config["attack"], _ATTACKS), folder)

    def __call__(self, face: Tensor) -> Tensor:
        """3×S×S uint8 → the same attacked."""
        try:
            kept: Tensor = self._recall(face)
            return kept
        except UserError:
            with torch.no_grad():
                attacked: Tensor = self._attack.attack(face[None].float() / 255)
            return (attacked[0] * 255).round().to(torch.uint8)

    @cached_property
    def _recall(self) -> Any:
        return self._attack.recall(torch.device("cpu"))


def _built(settings: Mapping[str, Any], prefixes: tuple[str, ...]) -> Any:
    """Build an object of a stored configuration; only classes and functions of this package are called.

    A folder of results may come from somebody else, and what its configuration names must not run anything else.

    Raises:
        UserError: it names something else, or cannot be built.
    """
    for target in _targets(settings):
        if target == "types.NoneType":  # attack=none in a chain
            continue
        module, _, name = target.rpartition(".")
        try:
            found = hydra.utils.get_object(target) if target.startswith(prefixes) else None
        except Exception:  # hydra's errors of a missing module or name are several
            found = None
        # A room names its classes at its door, too.
        if (
            not str(getattr(found, "__module__", "")).startswith(module)
            or getattr(found, "__name__", None) != name
        ):
            raise UserError(
                f"its configuration names {target!r}, which is not of this version of the package"
            )
    try:
        return hydra.utils.instantiate(OmegaConf.create(dict(settings)))
    except hydra.errors.InstantiationException as error:
        if isinstance(error.__cause__, UserError):  # which Hydra wraps
            raise error.__cause__ from None
        raise UserError(f"its configuration cannot be built ({str(error).splitlines()[0]})") from error


def _targets(settings: Any) -> list[str]:
    if isinstance(settings, Mapping):
        own = [str(settings["_target_"])] if "_target_" in settings else []
        return own + [target for value in settings.values() for target in _targets(value)]
    if isinstance(settings, list):
        return [target for value in settings for target in _targets(value)]
    return []
