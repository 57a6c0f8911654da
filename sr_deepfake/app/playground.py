"""The page of `python -m sr_deepfake.playground`: a photo or a video, a detector and an attack → what becomes of it."""

import tempfile
from pathlib import Path
from typing import Any

import gradio
import numpy as np
import torch
from omegaconf import DictConfig

from sr_deepfake.app import build, media
from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.evidence import heat_maps
from sr_deepfake.app.suite import composed, quoted
from sr_deepfake.app.sweep import as_user_error
from sr_deepfake.data.extraction.video import frames_at, is_video
from sr_deepfake.detectors.registry import load_detector
from sr_deepfake.media.faces import Picture, cut
from sr_deepfake.media.files import Job
from sr_deepfake.media.photo import read_photo_file
from sr_deepfake.reporting.examples import overlay
from sr_deepfake.system.errors import UserError

ATTACKS = ("sr", "bicubic", "jpeg", "webp", "h264", "blur", "noise", "resize", "upload")  # those that need no file
_KINDS = {".onnx": "onnx", ".pt": "torchscript", ".pth": "checkpoint", ".safetensors": "checkpoint", ".p": "checkpoint"}


def page(cfg: DictConfig, folder: str) -> Any:
    """Lay out the page; files that it makes go below a folder."""
    own = media.only_detector(cfg)
    known = sorted(path.parent for path in Path(cfg.paths.outputs, "detectors").glob("*/finished.json"))
    names = {path.name: path for path in [*([own] if own else []), *known]} | {"(none)": None}

    def attack(file: str | None, detector: str, model: str, name: str, severity: int) -> tuple[Any, ...]:
        if not file:
            raise gradio.Error("Drop a photo or a video first.")
        words = [f"attack={name}"]
        if "severity" in (CONF / "attack" / f"{name}.yaml").read_text(encoding="utf-8"):
            words.append(f"attack.severity={severity}")
        if "${" in model or (model and cfg.host not in ("127.0.0.1", "localhost")):
            raise gradio.Error("A file's name is wanted.")
        if model.strip():
            words += [f"model={_KINDS.get(Path(model).suffix, 'huggingface')}", f"model.path={quoted(model.strip())}"]
        try:
            with composed([*words, "detector=null"]) as typed:
                place = media.only_detector(typed) if model.strip() else names[detector]
                return attacked(typed, Path(file), place, Path(tempfile.mkdtemp(dir=folder)))
        except Exception as error:
            raise gradio.Error(str(as_user_error(error, Path(cfg.paths.outputs)) or error)) from error

    with gradio.Blocks(title="sr_deepfake", analytics_enabled=False, delete_cache=(600, 600)) as made:
        gradio.Markdown("# Does a deepfake detector survive?\nNothing leaves this machine, and nothing is kept.")
        with gradio.Row():
            file = gradio.File(label="Photo or short video", type="filepath")
            with gradio.Column():
                detector = gradio.Dropdown(list(names), label="Detector", value=next(iter(names)))
                local = cfg.host in ("127.0.0.1", "localhost")  # others may not name files of this machine
                model = gradio.Textbox(label="or a detector's file (ONNX, TorchScript, weights)", visible=local)
                name = gradio.Dropdown(list(ATTACKS), label="Attack", value="sr")
                severity = gradio.Slider(1, 5, 3, step=1, label="Severity, where the attack has one")
                button = gradio.Button("Attack", variant="primary")
        words = gradio.Markdown()
        with gradio.Row():
            pictures = [
                gradio.Image(label=label, interactive=False, buttons=["download"]) for label in ("Clean", "Attacked")
            ]
        faces = gradio.Gallery(
            label="Faces: clean, attacked, and where the detector looks", columns=4, buttons=["download"]
        )
        shown = [words, *pictures, faces, gradio.File(label="Result")]
        button.click(attack, [file, detector, model, name, severity], shown, api_name="attack")
    return made


def attacked(cfg: DictConfig, file: Path, detector: Path | None, folder: Path) -> tuple[Any, ...]:
    """Attack a file: words, its first picture clean and attacked, the faces in it, and the new file."""
    suffix = file.suffix.lower().replace(".ogv", ".mkv") if is_video(file) else ".png"  # .ogv is not written
    target = folder / f"attacked{suffix}"
    outcome = media.file_attacker(cfg, detector)(Job(file, target), lambda done, number: None)
    both = [frames_at(path, [0])[0] if is_video(path) else read_photo_file(path).rgb() for path in (file, target)]
    (squares,) = media.face_finder(cfg.faces, build.device(cfg))([both[0]])
    if not outcome.faces:
        raise UserError("no face was found in it")
    lines = [f"{outcome.faces} face(s) in {outcome.frames} picture(s)."]
    if not squares.crops:
        lines.append("The first picture, which is shown, has none.")
    if detector is not None:
        scores = [f"{value:.3f}" for value in (outcome.scores.clean, outcome.scores.attacked) if value is not None]
        lines.append(f"Probability of fake, mean: **{' → '.join(scores)}** (clean → attacked).")
    shown = [each for crop in squares.crops for each in _faces(detector, [cut(frame, crop) for frame in both], cfg)]
    return "  \n".join(lines), *both, shown, str(target)


def _faces(folder: Path | None, pair: list[Picture], cfg: DictConfig) -> list[tuple[Picture, str]]:
    """A face clean and attacked, with its scores, and both with Grad-CAM where the detector has it."""
    labels = ["clean", "attacked"]
    if folder is None:
        return list(zip(pair, labels, strict=True))
    scorer = media.face_scorer(folder, build.device(cfg), cfg.faces.margin)
    labels = [
        f"{word}: fake {scorer.scores([face], word != 'clean')[0]:.3f}" for face, word in zip(pair, labels, strict=True)
    ]
    faces = [torch.from_numpy(np.ascontiguousarray(face.transpose(2, 0, 1)))[None].float() / 255 for face in pair]
    named = list(zip(pair, labels, strict=True))
    try:
        maps = heat_maps(load_detector(folder), *faces)
    except UserError:  # not a network that Grad-CAM can look into
        return named
    return [*named, *((overlay(face, heat.numpy()), "Grad-CAM") for face, heat in zip(pair, maps, strict=True))]
