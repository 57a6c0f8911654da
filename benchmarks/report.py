"""Speed of `python -m sr_deepfake.report` on the paper's full grid: 3 models × 5 methods × 2 attacks.

python benchmarks/report.py               30 made-up results of 2,800 faces of 70 pairs: at most 60 s on 2 cores
"""

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from intervals import predictions

from sr_deepfake.experiment.evidence import EVIDENCE, Evidence, FlippedFace, write_index
from sr_deepfake.experiment.provenance import write_provenance
from sr_deepfake.experiment.results import AttackInfo, RunInfo, write_metrics
from sr_deepfake.metrics.predictions import SIMILARITY, write_predictions
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.published import METHODS, MODELS

LIMIT = 60.0
PICTURES = ("clean", "attacked", "heat", "heat_attacked")
ATTACKS = (
    AttackInfo(),
    AttackInfo(name="sr-edsr-x2", kind="sr-edsr", strength="x2", network="edsr", scale=2, digest="0"),
)


def write_result(outputs: Path, model: str, method: str, attack: AttackInfo, faces: int) -> None:
    """Write a folder of results as `evaluate` does."""
    info = RunInfo(
        model=model, forgery=method, trained_on=method, trained_data="ffpp", trained_faces=14400, data="ffpp", attack=attack,
        test_faces=method, val_faces=method, seed=0, detector=f"{model}-{method}-0123456789", recipe=f"{model}-{method}",
        weights=f"{model}-{method}", protocol="paper", device="cpu",
    )  # fmt: skip
    table = predictions(faces, 70)
    if attack.name == "none":
        table = table.assign(**dict.fromkeys(("score_attacked", "logit_attacked", *SIMILARITY), np.nan))
    folder = outputs / "results" / info.folder_name
    write_predictions(folder / "predictions.parquet", table)
    write_provenance(folder, {"program": "train", "overrides": [], "job": "", "config": {}, "choices": {}})
    if attack.name != "none":
        write_evidence(folder)
    write_metrics(folder, info, run_metrics(table))


def write_evidence(folder: Path) -> None:
    """Eight flipped faces of smooth noise."""
    (folder / EVIDENCE).mkdir()
    random = np.random.default_rng(0)
    flipped = []
    for number in range(8):
        names = {name: f"{number}-{name}.png" for name in PICTURES}
        for name, file in names.items():
            small = random.integers(0, 255, (30, 30) if "heat" in name else (30, 30, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / EVIDENCE / file), cv2.resize(small, (240, 240), interpolation=cv2.INTER_CUBIC))
        known = {"face_id": str(number), "score": 0.9, "score_attacked": 0.2, "ssim": 0.97}
        flipped.append(FlippedFace(kind="missed", **known, **names))  # type: ignore[arg-type]
    write_index(folder, Evidence(flipped=tuple(flipped)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=2800)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        outputs = Path(temporary)
        jobs = [(model, method, attack) for model in MODELS for method in METHODS for attack in ATTACKS]
        with ProcessPoolExecutor() as pool:
            list(pool.map(write_result, *zip(*[(outputs, *job, arguments.faces) for job in jobs], strict=True)))
        begin = time.perf_counter()
        command = [sys.executable, "-m", "sr_deepfake.report", f"paths.outputs={outputs}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begin
        page = (outputs / "report" / "index.html").stat().st_size / 1e6
        print(f"{len(jobs)} results of {arguments.faces} faces")
        print(f"  the report, from start to end  {seconds:6.1f} s (at most {LIMIT:.0f} s)")
        print(f"  the page                       {page:6.1f} MB (at most 10 MB)")


if __name__ == "__main__":
    main()
