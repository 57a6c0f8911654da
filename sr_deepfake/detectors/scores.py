"""Scores that a detector gave before: each face is scored once, whatever attacks and forgery methods follow."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import torch
from filelock import FileLock
from torch import Tensor

from sr_deepfake.system.files import replacing


class KnownScores:
    """The logits of a detector by the faces' content, for clean faces and for those of one attack.

    Whole batches are remembered: a face's logit depends in its last bits on how many faces go through the network at once,
    and a result must not depend on which results there are already.
    """

    def __init__(self, folder: Path, attack: str | None, read: bool = True) -> None:
        """Use a folder of one detector's scores; `attack` is the attack's fingerprint, None: its faces are not remembered."""
        self.folder = folder
        self._names = {False: "clean", True: attack}
        self._logits = {name: _read(self._path(name)) if read else {} for name in self._names.values() if name}
        self._new: dict[str, dict[str, float]] = {name: {} for name in self._logits}

    def find(self, rows: pd.DataFrame, attacked: bool) -> Tensor | None:
        """The logits of a batch, float64; None where any of its faces is not known."""
        known = self._logits.get(self._names[attacked] or "", {})
        logits = [known.get(key) for key in _keys(rows)]
        if not logits or None in logits:
            return None
        return torch.tensor(logits, dtype=torch.float64)

    def keep(self, rows: pd.DataFrame, attacked: bool, logits: Tensor) -> None:
        """Remember the logits of a batch."""
        if name := self._names[attacked]:
            found = dict(zip(_keys(rows), logits.tolist(), strict=True))
            self._logits[name] |= found
            self._new[name] |= found

    def save(self) -> None:
        """Write what is new, next to what another job wrote meanwhile."""
        for name, new in self._new.items():
            if not new:
                continue
            path = self._path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                whole = _read(path) | new
                with replacing(path) as temporary:
                    table = pd.DataFrame({"face": list(whole), "logit": list(whole.values())})
                    table.to_parquet(temporary, index=False)
            new.clear()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"


def _keys(rows: pd.DataFrame) -> list[str]:
    """What faces are: their files' content, side and label (which an attack may read), and how many are scored at once."""
    facts = zip(rows["sha256"], rows["side"], rows["label"], strict=True)
    return [f"{face}-{side}-{label}-{len(rows)}" for face, side, label in facts]


def _read(path: Path) -> dict[str, float]:
    try:
        table = pd.read_parquet(path, columns=["face", "logit"]).dropna()
        return dict(zip(table["face"].astype(str), table["logit"].astype(float), strict=True))
    except (OSError, pa.ArrowInvalid, ValueError):  # none, or a damaged one: its faces are scored again
        return {}
