"""Speed of `python -m sr_deepfake.report` on the paper's full grid: 3 models × 5 methods × 2 attacks.

    python benchmarks/report.py               30 results of 2,800 faces of 280 videos: at most 60 s on 2 cores

The results are made up: scores that the attack moves, metrics that `run_metrics` computes of them (which an evaluation
does, and is not timed), pictures of noise for the faces that become examples. Their attacked selves are not kept, so
that the report has to attack them.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import hydra
import numpy as np
import pandas as pd
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from sr_deepfake.app.configuration import CONF
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.manifest import MANIFEST, SCHEMA, fingerprint, write_manifest
from sr_deepfake.experiment.provenance import describe, start, write_provenance
from sr_deepfake.experiment.results import write_metrics
from sr_deepfake.metrics.predictions import MEASURED, write_predictions
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.metrics.similarity import ssim
from sr_deepfake.reporting.examples import KINDS, turned_faces
from sr_deepfake.reporting.grid import METHODS, MODELS
from sr_deepfake.super_resolution.edsr import edsr

SIDE, FRAMES, EXAMPLES, LIMIT = 240, 10, 2, 60.0
PRISTINE = "pristine"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=int, default=2800)
    parser.add_argument(
        "--keep", type=Path, help="make the results here, and keep them; use them if they are there"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        outputs = arguments.keep or Path(temporary)
        if not (outputs / "results").is_dir():
            make_results(outputs, arguments.faces)
        begin = time.perf_counter()
        command = [sys.executable, "-m", "sr_deepfake.report", f"paths.outputs={outputs}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begin
        page = (outputs / "report" / "index.html").stat().st_size / 1e6
        print(f"{len(list((outputs / 'results').iterdir()))} results of {arguments.faces} faces")
        print(f"  the report, from start to end  {seconds:6.1f} s (at most {LIMIT:.0f} s)")
        print(f"  the page                       {page:6.1f} MB (at most 10 MB)")


def make_results(outputs: Path, faces: int) -> None:
    """Write the crops' manifest, the pictures of some faces, and the results of every result."""
    crops = outputs / "faces" / "ffpp-c23"
    rows = _manifest_rows(faces)
    write_manifest(rows, crops / MANIFEST)
    manifest = pd.DataFrame(rows)
    attack = SuperResolutionAttack(edsr())
    similarity: dict[str, float] = {}
    paths = manifest.set_index("face_id")["path"]
    jobs = []
    for number, (model, method) in enumerate((model, method) for model in MODELS for method in METHODS):
        table = _predictions(manifest[manifest["method"].isin([PRISTINE, method])], number)
        for turned in (face for kind in KINDS for face in turned_faces(table, kind, EXAMPLES)):
            face = turned.face_id
            if face not in similarity:
                similarity[face] = _picture(crops / paths[face], attack)
        table["ssim"] = table["face_id"].map(similarity).fillna(table["ssim"])
        jobs += [(outputs, model, method, attack.name, table), (outputs, model, method, "none", table)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_write, jobs))


def _manifest_rows(faces: int) -> list[dict[str, object]]:
    rows = []
    for method in (PRISTINE, *METHODS):
        for number in range(faces // 2):
            video, frame = divmod(number, FRAMES)
            face = f"{method}/{video:03d}/{frame:04d}"
            known: dict[str, object] = {
                "face_id": face,
                "video_id": f"{method}/{video:03d}",
                "method": method,
                "split": "test",
            }
            known |= {"label": int(method != PRISTINE), "side": SIDE, "frame": frame, "path": f"{face}.png"}
            empty: dict[str, object] = {field.name: "" if field.type == "string" else 0 for field in SCHEMA}
            rows.append(empty | known)
    return rows


def _predictions(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    table = rows[["face_id", "video_id", "method", "label", "side"]].reset_index(drop=True)
    unit, label = table["video_id"].factorize()[0], table["label"].to_numpy()
    shared = random.normal(4.0 * label - 2, 1) + random.normal(0, 1.5, unit.max() + 1)[unit]
    moved = shared + random.normal(-0.4, 0.8, len(table))
    return table.assign(
        score=1 / (1 + np.exp(-shared)),
        score_attacked=1 / (1 + np.exp(-moved)),
        ssim=random.uniform(0.95, 0.99, len(table)),
        psnr=random.uniform(35, 45, len(table)),
        ssim_224=random.uniform(0.95, 0.99, len(table)),
        psnr_224=random.uniform(37, 47, len(table)),
        psnr_224_wrapped=random.uniform(37, 47, len(table)),
    )


def _picture(path: Path, attack: SuperResolutionAttack) -> float:
    """Write a picture of smooth noise; return how alike it is to itself attacked."""
    random = np.random.default_rng(len(path.parts))
    noise = random.integers(0, 255, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
    picture = cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)
    face = torch.from_numpy(picture[:, :, ::-1].transpose(2, 0, 1).copy())[None].float() / 255
    return float(ssim(face, attack(face)))


def _write(job: tuple[Path, str, str, str, pd.DataFrame]) -> None:
    outputs, model, method, attack, table = job
    overrides = [
        f"model={model}",
        f"forgery_method={method}",
        f"attack={'none' if attack == 'none' else 'sr'}",
        "data=ffpp",
        f"paths.outputs={outputs}",
    ]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", [*overrides, "logger=none"], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    plain: Any = OmegaConf.to_container(
        OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]), resolve=True
    )
    if attack == "none":
        table = table.assign(**dict.fromkeys(MEASURED[1:], np.nan))
    detector = f"{model}-{method}-0123456789"
    folder = outputs / "results" / f"{detector}-{attack}-abcdef"
    rows = pd.DataFrame(_manifest_rows(len(table)))
    faces = fingerprint(rows[rows["method"].isin([PRISTINE, method])])
    run = {
        "model": model, "forgery": method, "trained_on": method, "attack": attack, "data": "ffpp",
        "trained_data": "ffpp",
        "protocol": cfg.protocol.name, "detector": str(outputs / "detectors" / detector), "recipe": "0123456789",
        "seed": 0, "illustration": "", "attack_kind": "sr-edsr", "attack_strength": "x2", "network": "edsr",
        "scale": 2, "defence": "none", "defence_attack": None, "limit_test_batches": 1.0, "test_faces": faces,
        "frames": None,
    }  # fmt: skip
    write_predictions(folder / "predictions.parquet", table)
    start("train", "python -m sr_deepfake.train")
    crops = str((outputs / "faces" / "ffpp-c23").absolute())
    data = {"name": "ffpp", "folder": crops, "outputs": str(outputs.absolute())}
    write_provenance(folder, describe(plain, overrides, cfg.hydra.runtime.choices, "no device", data))
    write_metrics(folder / "metrics.json", {"run": run, **run_metrics(table)})


if __name__ == "__main__":
    main()
