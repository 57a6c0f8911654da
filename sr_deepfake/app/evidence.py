"""Keeps what a report shows of a test while attacked faces and detector are in memory."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import lightning
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.faces import FaceBatch
from sr_deepfake.data.manifest import PRISTINE
from sr_deepfake.detectors.explain import attention_maps, band_changes
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.experiment.evidence import EVIDENCE, KINDS, Evidence, FlippedFace, Kind, Spectrum, write_index
from sr_deepfake.metrics.similarity import ssim
from sr_deepfake.metrics.spectrum import radial_power, ring_centres
from sr_deepfake.super_resolution.interpolation import Interpolation
from sr_deepfake.system.errors import last_line
from sr_deepfake.system.files import replacing

FACES = 16  # of each class whose frequencies are looked at, of as many videos as there are


class EvidenceWriter(lightning.Callback):
    """Writes `evidence/` next to the predictions of a test whose faces are attacked."""

    def __init__(self, folder: Path, attack: nn.Module | None, count: int = 8, explain: bool = True) -> None:
        self.folder = folder
        self.attack = attack
        self.count = count
        self.explain = explain

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Choose the faces whose frequencies are looked at, and remove what an earlier test kept."""
        rows = trainer.datamodule.rows("test") if self.explain else None  # type: ignore[attr-defined]
        self._chosen = set() if rows is None else {face for label in (1, 0) for face in _spread(rows, label)}
        self._pairs: dict[int, list[tuple[Tensor, Tensor]]] = {1: [], 0: []}
        self._flipped: dict[Kind, list[tuple[float, str, dict[str, Any]]]] = {kind: [] for kind in KINDS}
        self._method = ""
        shutil.rmtree(self.folder / EVIDENCE, ignore_errors=True)

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: FaceBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep the pairs that may be shown."""
        if batch.attacked is None or not isinstance(outputs, Mapping):
            return
        scores, attacked = (torch.sigmoid(outputs[name]).tolist() for name in ("logit", "logit_attacked"))
        for index, row in enumerate(batch.rows.to_dict("records")):
            label = int(row["label"])
            if row["face_id"] in self._chosen:
                self._pairs[label].append((batch.faces[index].cpu(), batch.attacked[index].cpu()))
                self._method = str(row["method"]) if label else self._method
            was_right, is_wrong = (scores[index] > 0.5) == label, (attacked[index] > 0.5) != label
            if self.count and was_right and is_wrong:
                moved = abs(attacked[index] - scores[index])
                pair = batch.faces[index : index + 1].cpu(), batch.attacked[index : index + 1].cpu()
                facts = {"face_id": row["face_id"], "score": scores[index], "score_attacked": attacked[index]}
                kind = next(kind for kind, value in KINDS.items() if value == label)
                self._keep(kind, moved, str(row["video_id"]), facts | {"pair": pair})

    def _keep(self, kind: Kind, moved: float, video: str, facts: dict[str, Any]) -> None:
        kept = sorted([*self._flipped[kind], (moved, video, facts)], key=lambda one: (-one[0], one[2]["face_id"]))
        videos = [one[1] for one in kept]
        self._flipped[kind] = [one for place, one in enumerate(kept) if one[1] not in videos[:place]][: self.count]

    def on_test_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Look into the detector, and write everything; the index comes last."""
        if not any(self._pairs.values()) and not any(self._flipped.values()):
            return
        notes: list[str] = []
        with torch.inference_mode(False):
            flipped = [
                self._write_flipped(kind, place, facts, pl_module, notes)
                for kind, found in self._flipped.items()
                for place, (_, _, facts) in enumerate(found)
            ]
            spectra = [self._spectrum(label, pairs) for label, pairs in self._pairs.items() if pairs]
            bands = self._bands(pl_module, notes)
        evidence = Evidence(
            flipped=tuple(flipped), spectra=tuple(reversed(spectra)), bands=bands, notes=tuple(dict.fromkeys(notes))
        )
        write_index(self.folder, evidence)

    def _write_flipped(
        self, kind: Kind, place: int, facts: dict[str, Any], detector: TestedDetector, notes: list[str]
    ) -> FlippedFace:
        clean, attacked = (face.clone() for face in facts.pop("pair"))
        names = {"clean": clean[0], "attacked": attacked[0]}
        if self.explain:
            try:
                names |= dict(zip(("heat", "heat_attacked"), heat_maps(detector, clean, attacked), strict=True))
            except Exception as error:  # of somebody's network: any class
                notes.append(f"Grad-CAM skipped: {last_line(error)}")
        files = {name: f"{kind.replace(' ', '_')}-{place}-{name}.png" for name in names}
        for name, picture in names.items():
            _write_png(self.folder / EVIDENCE / files[name], picture)
        return FlippedFace.model_validate({"kind": kind, "ssim": float(ssim(clean, attacked)), **facts, **files})

    def _spectrum(self, label: int, pairs: list[tuple[Tensor, Tensor]]) -> Spectrum:
        sets = {"clean": [clean for clean, _ in pairs], "attacked": [attacked for _, attacked in pairs]}
        inner = getattr(self.attack, "attack", self.attack)  # within the cache
        if isinstance(inner, SuperResolutionAttack) and not isinstance(inner.sr_model, Interpolation):
            control = SuperResolutionAttack(Interpolation(inner.scale), inner.scale)
            sets["control"] = [control(clean[None].clone())[0] for clean in sets["clean"]]
        power = {name: _mean_power(faces) for name, faces in sets.items()}
        return Spectrum(kind=self._method if label else PRISTINE, faces=len(pairs), power=power)

    def _bands(self, detector: TestedDetector, notes: list[str]) -> dict[str, tuple[float, ...]]:
        found: dict[str, tuple[float, ...]] = {}
        for name, label in (("fake", 1), (PRISTINE, 0)):
            try:
                moved = [
                    band_changes(detector, *(face[None].clone().to(detector.device) for face in pair))[0]
                    for pair in self._pairs[label]
                ]
            except Exception as error:  # likewise
                notes.append(f"frequencies skipped: {last_line(error)}")
                return {}
            if moved:
                found[name] = tuple(torch.stack(moved).double().mean(0).tolist())
        return found


def heat_maps(detector: TestedDetector, clean: Tensor, attacked: Tensor) -> list[Tensor]:
    """Where a detector looks in a face (1×3×H×W) and in its attacked self, in [0, 1] on one scale."""
    pair = [face.to(detector.device) for face in (clean, attacked)]
    maps = [attention_maps(detector, face, attacked=face is pair[1])[0].cpu() for face in pair]
    largest = max(float(each.max()) for each in maps) or 1.0
    return [each / largest for each in maps]


def _spread(rows: pd.DataFrame, label: int) -> list[str]:
    """Faces of a class, one a video, spread over the videos; more of each where there are few videos."""
    found = rows[rows["label"] == label].sort_values(["video_id", "face_id"])
    turns = found.groupby("video_id").cumcount()
    ordered = found.assign(turn=turns).sort_values(["turn", "video_id"])["face_id"].tolist()
    ordered = ordered[: max(FACES, found["video_id"].nunique())]
    places = np.linspace(0, len(ordered) - 1, min(FACES, len(ordered))).round().astype(int)
    return [ordered[place] for place in places]


def _write_png(path: Path, picture: Tensor) -> None:
    """Write 3×H×W (RGB) or H×W in [0, 1]."""
    levels = (picture * 255).round().to(torch.uint8).numpy()
    pixels = levels.transpose(1, 2, 0)[:, :, ::-1] if levels.ndim == 3 else levels
    with replacing(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes())


def _mean_power(faces: list[Tensor]) -> tuple[float, ...]:
    """The mean power of each ring; of rings that faces this small do not have, what lies between their neighbours'."""
    power = np.ma.masked_invalid([radial_power(face[None])[0] for face in faces]).mean(axis=0)
    known = ~np.ma.getmaskarray(power)
    return tuple(np.interp(ring_centres(), ring_centres()[known], power[known]).tolist())
