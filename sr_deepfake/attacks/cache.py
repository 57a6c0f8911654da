"""Attacked faces kept on disk: every face is attacked once, for all detectors and all figures."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from sr_deepfake.attacks.base import Attack, Picture, as_faces, as_pictures, attacked, check_faces
from sr_deepfake.attacks.fingerprint import describe_attack
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import digest, replacing, write_json

_DIGEST_SIZE = hashlib.sha256().digest_size


class CachedAttack(Attack):
    """An attack that remembers: faces that it met before, in this run or another, come from disk."""

    def __init__(self, attack: Attack, folder: Path) -> None:
        super().__init__()
        self.attack = attack
        self.kind, self.strength, self.variant = attack.kind, attack.strength, attack.variant
        self.reads_labels, self.fakes_only = attack.reads_labels, attack.fakes_only
        self.folder = folder
        self.found = 0  # faces that came from disk, or twice in one batch
        self.computed = 0  # faces that were attacked
        self.refused = 0  # of these, faces whose file could not be used
        self._stores: dict[torch.device, Recall] = {}

    @torch.no_grad()
    def forward(self, faces: Tensor, labels: Tensor | None = None) -> Tensor:
        """Attack faces, or remember what they became."""
        check_faces(faces)
        store = self.recall(faces.device)
        levels = (faces * 255).round()
        pictures = as_pictures(levels)
        known = [""] * len(faces) if labels is None or not self.reads_labels else [f"{int(one)}" for one in labels]
        keys = [_key(picture, label) for picture, label in zip(pictures, known, strict=True)]
        changed: dict[str, Picture] = {}
        missing: dict[str, int] = {}  # where in the batch; the same face twice is one
        for index, key in enumerate(keys):
            if key in changed or key in missing:
                continue
            try:
                changed[key] = store.read(key)
            except FileNotFoundError:
                missing[key] = index
            except (OSError, ValueError):
                missing[key] = index
                self.refused += 1
        if missing:
            places = list(missing.values())
            made = self._compute(levels[places] / 255, None if labels is None else labels[places])
            for key, picture in zip(missing, made, strict=True):
                store.write(key, picture)
                changed[key] = picture
        self.computed += len(missing)
        self.found += len(keys) - len(missing)
        if not keys:
            return faces.clone()
        return as_faces(np.stack([changed[key] for key in keys]), faces.device)

    def place(self, device: torch.device) -> Path:
        """The folder of this attack's faces, which differs with the device's type and fast number format."""
        return self.recall(device).folder

    def recall(self, device: torch.device) -> "Recall":
        """The faces that were attacked on this type of device."""
        if device not in self._stores:
            self._stores[device] = Recall(self.folder, describe_attack(self.attack, device))
        return self._stores[device]

    def _compute(self, faces: Tensor, labels: Tensor | None) -> Picture:
        """Attack faces and return them as B×H×W×3."""
        result = attacked(self.attack, faces, labels)
        if result.shape != faces.shape:
            raise ValueError(f"the attack made {tuple(result.shape)} of faces of shape {tuple(faces.shape)}")
        levels = result * 255
        rounded = levels.round().clamp(0, 255)
        if not ((levels - rounded).abs() < 1e-3).all():  # NaN is not below either
            raise ValueError("the attack's result is not on the 8-bit grid k/255 from 0 to 1")
        return as_pictures(rounded)


class Recall:
    """The attacked faces of one attack, on disk: `<root>/<16 digits>/<2 digits of the key>/<key>.png`. Picklable."""

    def __init__(self, root: Path, description: Mapping[str, Any]) -> None:
        self.description = description
        self.fingerprint = digest(description)
        self.folder = root / self.fingerprint[:16]

    def __call__(self, face: Tensor) -> Tensor:
        """The attacked self of a face (uint8, 3×S×S) that the attack met before: without the attack, on any device."""
        try:
            picture = self.read(_key(face.permute(1, 2, 0).contiguous().numpy()))
        except (OSError, ValueError):
            raise UserError(
                f"{self.folder} was changed while its attacked faces were in use: one is gone or damaged; "
                "the same command, run again, attacks it again and goes on"
            ) from None
        return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))

    def read(self, key: str) -> Picture:
        """Return the attacked face of a key; a ValueError says that the file is not what was stored under its name."""
        content = self._path(key).read_bytes()
        png, digest = content[:-_DIGEST_SIZE], content[-_DIGEST_SIZE:]
        if digest != self._digest(key, png):  # looked at first: no damaged file meets the decoder
            raise ValueError(key)
        bgr: Any = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        picture: Picture = bgr[:, :, ::-1]
        return picture

    def write(self, key: str, picture: Picture) -> None:
        """Store the attacked face of a key, in the place of what is there."""
        bgr = np.ascontiguousarray(picture[:, :, ::-1])
        png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()  # more saves next to nothing
        settings = self.folder / "settings.json"  # for people; never read
        try:
            if not settings.exists():
                write_json(settings, self.description)
            with replacing(self._path(key)) as temporary:
                # What follows a PNG's end is passed over by whatever shows it.
                temporary.write_bytes(png + self._digest(key, png))
        except OSError as error:
            raise UserError(
                f"an attacked face cannot be kept in {self.folder} ({error.strerror}); make room there, name another "
                "folder with cache.folder=FOLDER, or keep none with cache.attacked=false"
            ) from error

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.png"

    def _digest(self, key: str, png: bytes) -> bytes:
        return hashlib.sha256(f"{self.fingerprint}{key}".encode() + png).digest()


def _key(picture: Picture, label: str = "") -> str:
    """Hash of a face: 64 hexadecimal digits of its size, pixels, and label where the attack reads it."""
    height, width, _ = picture.shape
    return hashlib.sha256(f"{height}×{width}{label and f' {label}'}\n".encode() + picture.tobytes()).hexdigest()
