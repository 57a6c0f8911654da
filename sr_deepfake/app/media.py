"""From the configuration to what the programs need that take photos and videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from sr_deepfake.app.build import device
from sr_deepfake.app.configuration import plain, words
from sr_deepfake.app.detectors import external_folder
from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.detectors.registry import find_detectors, load_detector
from sr_deepfake.media import scoring as file_scoring
from sr_deepfake.media.face_scores import FaceScorer
from sr_deepfake.media.faces import FaceFinder
from sr_deepfake.media.files import Files, find_files
from sr_deepfake.media.outcomes import check_report
from sr_deepfake.media.video.attack import AUTO, VideoSettings
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.system.errors import UserError

# What min_face=auto stands for: px, and in videos a part of the frame's shorter side, where that is more.
SMALLEST, SHARE = 20, 1 / 20


def face_finder(options: Mapping[str, Any], machine: torch.device, videos: bool = False) -> FaceFinder:
    """Build the face detector.

    Args:
        options: `thresholds` (three, or one for all), `min_face`, `margin`, `multiple`, and `min_side` if faces that
            are found can be too small.
        machine: where it runs.
        videos: of videos, in which `min_face=auto` is a part of the frame.

    Raises:
        UserError: an option makes no sense.
    """
    given = options["thresholds"]
    thresholds = [given] * 3 if isinstance(given, int | float) else list(given)
    smallest, share = options["min_face"], 0.0
    if smallest == AUTO:
        smallest, share = SMALLEST, SHARE if videos else 0.0
    elif isinstance(smallest, bool) or not isinstance(smallest, int | float):
        raise UserError(f"min_face={smallest}: it is a number of pixels, or {AUTO}")
    try:
        detector = FaceDetector(thresholds, smallest, machine, share)
        return FaceFinder(detector, options.get("min_side", 0), options["margin"], options["multiple"])
    except ValueError as error:
        raise UserError(f"the options of the faces: {error}") from None


def face_scorer(folder: Path, machine: torch.device) -> FaceScorer:
    """Build the scorer of a trained detector, on a device."""
    return FaceScorer(load_detector(folder).to(machine).score, machine)


def score_input(cfg: DictConfig, folders: Sequence[Path]) -> None:
    """Score the faces of the photos and videos of `input` with detectors, print and write the scores.

    Raises:
        UserError: some files could not be scored; with the list.
    """
    files = find_files(plain(cfg.input))
    machine = device(cfg)
    scorers = {folder.name: face_scorer(folder, machine) for folder in folders}
    finder = face_finder(cfg.extraction, machine)
    show = bool(cfg.trainer.enable_progress_bar)
    scores = file_scoring.score_files(files.found, finder, scorers, instantiate(cfg.extraction), show)
    report = Path(cfg.evaluate.report or Path(HydraConfig.get().runtime.output_dir, "scores.csv"))
    file_scoring.print_scores(scores)
    file_scoring.write_scores(report, scores)
    print(f"Scores: {report}")
    file_scoring.check_faults(scores)


def video_settings(cfg: DictConfig) -> VideoSettings:
    """Build the settings of videos: `video`, `faces.every` and `faces.feather`.

    Raises:
        UserError: a value makes no sense.
    """
    options: dict[str, Any] = plain(cfg.video)
    batch = options.pop("batch")
    return VideoSettings(Encoding(**options), cfg.faces.every, cfg.faces.feather, batch)


def only_detector(cfg: DictConfig) -> Path | None:
    """The folder of the one detector of `detector=` or `model=`; None where neither is given.

    Raises:
        UserError: there is none, or there are several.
    """
    wish = cfg.detector
    if wish is None:
        return external_folder(cfg) if cfg.get("model") else None
    found = find_detectors(words(wish))
    if len(found) > 1:
        raise UserError(f"detector={wish}: {len(found)} detectors have such names; name one")
    return found[0]


def report_file(wish: str | None, output: str, files: Files, detector: Path | None) -> Path | None:
    """File of an attack's report: `report=`, else beside the output if there is a detector.

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
