"""From the configuration to what the programs need that take photos and videos."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from sr_deepfake.assembly import find_detectors, plain
from sr_deepfake.data.face_detection import FaceDetector
from sr_deepfake.detectors.runtime import Runtime
from sr_deepfake.detectors.store import load_detector
from sr_deepfake.errors import UserError
from sr_deepfake.face_scores import FaceScorer
from sr_deepfake.file_jobs import Files
from sr_deepfake.file_outcomes import check_report
from sr_deepfake.media.faces import FaceFinder
from sr_deepfake.media.video import VideoSettings
from sr_deepfake.media.video_encoder import Encoding


def face_finder(options: Mapping[str, Any], machine: Runtime) -> FaceFinder:
    """What finds the faces.

    Args:
        options: `thresholds` (three, or one for all), `min_face`, `margin`, `multiple`, and `min_side` if faces that
            are found can be too small.
        machine: where it runs.

    Raises:
        UserError: an option makes no sense.
    """
    given = options["thresholds"]
    thresholds = [given] * 3 if isinstance(given, int | float) else list(given)
    try:
        detector = FaceDetector(thresholds, options["min_face"], machine.device)
        return FaceFinder(detector, options.get("min_side", 0), options["margin"], options["multiple"])
    except ValueError as error:
        raise UserError(f"the options of the faces: {error}") from None


def face_scorer(folder: Path, machine: Runtime) -> FaceScorer:
    """What measures faces with a trained detector, in the precision of `trainer`."""
    detector = load_detector(folder).to(machine.device)
    if machine.channels_last:
        detector.backbone.to(memory_format=torch.channels_last)
    return FaceScorer(detector, machine.device, machine.autocast)


def video_settings(cfg: DictConfig) -> VideoSettings:
    """How videos are attacked: `video`, `faces.every` and `attack.feather`.

    Raises:
        UserError: a value makes no sense.
    """
    options: dict[str, Any] = plain(cfg.video)
    batch = options.pop("batch")
    return VideoSettings(Encoding(**options), cfg.faces.every, cfg.attack.feather, batch)


def only_detector(wish: Any) -> Path | None:
    """The folder of the one detector of `detector=`; None where it is not given.

    Raises:
        UserError: there is none, or there are several.
    """
    if wish is None:
        return None
    found = find_detectors(wish)
    if len(found) > 1:
        raise UserError(f"detector={wish}: {len(found)} detectors have such names; name one")
    return found[0]


def report_file(wish: str | None, output: str, files: Files, detector: Path | None) -> Path | None:
    """Where the report of an attack goes: `report=`, else beside the output if there is a detector.

    Raises:
        UserError: something else is there.
    """
    if wish is None and detector is None:
        return None
    folder = Path(output).expanduser()
    place = folder.parent if files.single and not folder.is_dir() and not output.endswith("/") else folder
    report = Path(wish).expanduser() if wish is not None else place / "report.csv"
    check_report(report)
    return report
