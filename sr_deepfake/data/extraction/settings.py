"""Settings of the face extraction, and how those of a folder of faces are compared."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sr_deepfake.system.errors import UserError, choose

RECIPE = 4  # raised whenever the same settings would give other crops
SETTINGS = "extraction.json"  # next to the manifest
# The least values; a face is looked for from 12 px on, the window of the detector's first network.
_LEAST = {"frames": 1, "min_frames": 1, "margin": 0, "multiple": 1, "min_face": 12, "seed": 0, "timeout": 1}


@dataclass(frozen=True)
class ExtractionSettings:
    """Settings of the face extraction."""

    frames: int = 10  # with a face, drawn from each video: one without is drawn again
    min_frames: int = 2  # a video of fewer is skipped
    margin: float = 0.1  # part of the face box's size added on each side
    multiple: int = 24  # px; the crop's side is a multiple of this
    thresholds: float | Sequence[float] = (0.8, 0.8, 0.8)  # of the face detector's networks; one number: of all three
    min_face: float = 20  # px; side of the smallest face looked for
    square: str = "longer"  # side of the face's box that the square is cut on, or "shorter"
    seed: int = 0  # of the draw of the frames
    dataset: str = ""  # its name and compression level, so that faces of two never mix in one folder
    # Find faces. False: take the largest such square in the middle of each frame; the probability is then NaN.
    crop: bool = True
    # Seconds that a video may take before it is skipped (not where `workers` is 0). It is no part of the fingerprint.
    timeout: float | None = 1800

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if name == "timeout" and value is None:
                continue
            whole = name in ("frames", "min_frames", "multiple", "seed")
            if not isinstance(value, int if whole else int | float) or isinstance(value, bool) or not value >= least:
                kind = "whole number" if whole else "number"
                raise UserError(f"extraction.{name} must be a {kind} of at least {least}, not {value}")
        choose(self.square, ["longer", "shorter"], "extraction.square")
        given = self.thresholds
        thresholds = [given] * 3 if isinstance(given, (int, float)) else list(given)
        numbers = all(isinstance(one, int | float) and 0 <= one <= 1 for one in thresholds)
        if len(thresholds) != 3 or not numbers:
            raise UserError(
                f"extraction.thresholds must be a probability in [0, 1], or three such as [0.6,0.7,0.7], not {given}"
            )
        object.__setattr__(self, "thresholds", tuple(float(threshold) for threshold in thresholds))
        object.__setattr__(self, "min_face", float(self.min_face))

    @property
    def suffix(self) -> str:
        """Part of a folder's name, so that faces that are cut on the shorter side have a folder of their own."""
        return "" if self.square == "longer" else self.square

    @property
    def fingerprint(self) -> str:
        """Hash of all settings."""
        settings = asdict(self)
        del settings["timeout"]
        content = json.dumps({"recipe": RECIPE, **settings}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def check_settings(folder: Path, settings: ExtractionSettings) -> None:
    """Refuse faces that were found with other settings; faces without stored settings are taken."""
    try:
        stored = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    wanted = json.loads(json.dumps(asdict(settings)))
    different = [
        f"extraction.{name}={stored[name]}, not {value}"
        for name, value in wanted.items()
        if name not in ("timeout", "dataset") and name in stored and stored[name] != value
    ]
    levels = [_compression(name) for name in (str(stored.get("dataset")), settings.dataset)]
    if all(levels) and levels[0] != levels[1]:
        different.append(f"data.compression={levels[0]}, not {levels[1]}")
    if different:
        raise UserError(
            f"the faces in {folder} were found with {'; '.join(different)}. `python -m sr_deepfake.prepare` with the "
            "same options finds them again; another folder (data.crops=FOLDER) keeps both"
        )


def _compression(dataset: str) -> str:
    """The compression level in a `dataset` setting ("": it has none); raw and c0 are two names of one."""
    found = re.search("-(raw|c0|c23|c40)$", dataset)
    return found[1].replace("c0", "raw") if found else ""
