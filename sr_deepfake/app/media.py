"""From the configuration to what the programs need that take photos and videos."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from sr_deepfake.app import build
from sr_deepfake.app.configuration import plain
from sr_deepfake.app.detectors import detector_folders
from sr_deepfake.attacks.base import Identity
from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.detectors.registry import load_detector
from sr_deepfake.media import scoring
from sr_deepfake.media.attack import FileAttacker
from sr_deepfake.media.face_scores import FaceScorer
from sr_deepfake.media.faces import FaceFinder, Find, whole_frames
from sr_deepfake.media.files import Files, Job, find_files
from sr_deepfake.media.outcomes import check_report
from sr_deepfake.media.video.attack import AUTO, VideoSettings
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable

# What min_face=auto stands for: px, and in videos a part of the frame's shorter side, where that is more.
SMALLEST, SHARE = 20, 1 / 20


def file_attacker(cfg: DictConfig, detector: Path | None) -> FileAttacker:
    """Build what attacks photos and videos."""
    machine = build.device(cfg)
    encoding: dict[str, Any] = plain(cfg.video)
    batch = encoding.pop("batch")
    return FileAttacker(
        (build.attack(cfg) or Identity()).to(machine),
        face_finder(cfg.faces, machine),
        None if detector is None else face_scorer(detector, machine, cfg.faces.margin),
        instantiate(cfg.photo),
        VideoSettings(Encoding(**encoding), cfg.faces.every, cfg.faces.feather, batch),
        machine,
        cfg.preview,
        cfg.overwrite,
        face_finder(cfg.faces, machine, videos=True),
    )


def score_input(cfg: DictConfig, folders: Sequence[Path]) -> None:
    """Score the faces of the photos and videos of `input` with detectors, print and write the scores."""
    files = find_files(plain(cfg.input))
    report = Path(cfg.evaluate.report or Path(HydraConfig.get().runtime.output_dir, "scores.csv"))
    if os.path.realpath(report) in {os.path.realpath(file.source) for file in files.found}:
        raise UserError(f"evaluate.report={printable(str(report))} is an input; name another")
    machine = build.device(cfg)
    own = [getattr(load_detector(folder), "crop_margin", None) for folder in folders]
    # Of photos and videos faces can be cut as one detector wants them.
    margin = own[0] if len(own) == 1 and own[0] is not None else cfg.extraction.margin
    scorers = {folder.name: face_scorer(folder, machine, margin) for folder in folders}
    finder = face_finder({**plain(cfg.extraction), "margin": margin}, machine)
    show = bool(cfg.trainer.enable_progress_bar)
    scores = scoring.score_files(
        [file.source for file in files.found], finder, scorers, instantiate(cfg.extraction), show
    )
    scoring.print_scores(scores)
    scoring.write_scores(report, scores)
    print(f"Scores: {report}")
    scoring.check_faults(scores)


def only_detector(cfg: DictConfig) -> Path | None:
    """The folder of the one detector of `detector=` or `model=`; None where neither is given."""
    if cfg.detector is None and not cfg.get("model"):
        return None
    found = detector_folders(cfg)
    if len(found) > 1:
        raise UserError(f"detector={cfg.detector}: {len(found)} detectors have such names; name one")
    return found[0]


def report_file(
    requested: str | None, output: str, files: Files, jobs: Sequence[Job], detector: Path | None
) -> Path | None:
    """File of an attack's report: `report=`, or else next to the output if there is a detector."""
    if requested is None and detector is None:
        return None
    folder = Path(output).expanduser()
    parent = folder.parent if files.single and not folder.is_dir() and not output.endswith("/") else folder
    report = Path(requested).expanduser() if requested is not None else parent / "report.csv"
    check_report(report, jobs)
    return report


def face_finder(options: Mapping[str, Any], machine: torch.device, videos: bool = False) -> Find:
    """Build the face detector."""
    if options.get("whole_frame"):
        return whole_frames
    given = options["thresholds"]
    thresholds = [given] * 3 if isinstance(given, int | float) else list(given)
    smallest, share = options["min_face"], 0.0
    if smallest == AUTO:
        smallest, share = SMALLEST, SHARE if videos else 0.0
    elif isinstance(smallest, bool) or not isinstance(smallest, int | float):
        raise UserError(f"min_face must be a number of pixels or {AUTO}, not {smallest}")
    try:
        detector = FaceDetector(thresholds, smallest, machine, share)
        return FaceFinder(detector, options.get("min_side", 0), options["margin"], options["multiple"])
    except (TypeError, ValueError) as error:
        raise UserError(f"options of the faces: {error}") from None


def face_scorer(folder: Path, machine: torch.device, margin: float) -> FaceScorer:
    """Build the scorer of a stored detector, on a device, for faces that are cut with a margin."""
    detector = load_detector(folder).to(machine)
    detector.expect_margin(margin)
    return FaceScorer(detector.score, machine)
