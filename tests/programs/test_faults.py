"""Trouble that people reported in the field: what a user meets is one line that names the option and what to do."""

import os
import sys

import cv2
import pytest
from face_crops import write_faces
from forked import TINY, Process, run
from video_files import clips, frames_of

SWAP = [*TINY, "forgery=FaceSwap"]


@pytest.fixture(scope="module")
def crops_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    write_faces(folder, {"train": 8, "val": 4, "test": 6})
    return folder


@pytest.mark.parametrize(
    ("program", "arguments", "status", "message"),
    [
        ("evaluate", ["input="], 2, "input= has no value"),
        ("train", ["data=ffpp", "data.root="], 2, "data.root= has no value"),
        ("train", ["+trainer.overfit_batches=1", *SWAP], 1, "trainer.overfit_batches=1 is not supported"),
        ("train", ["+trainer.max_steps=1", *SWAP], 1, "the training ended before a validation"),
        ("train", ["+trainer.val_check_interval=1000", *SWAP], 1, "`val_check_interval` (1000) must be less"),
        ("prepare", ["extraction.thresholds=[0.5,2,0.1]"], 1, "extraction.thresholds must be"),
        ("prepare", ["extraction.min_face=3"], 1, "extraction.min_face"),
        ("train", ["from_run=there"], 2, "from_run=there: no provenance.json can be read there"),
        ("train", ["--cfg", "job", "-m"], 2, "Only one of --run, --multirun, --cfg"),
        ("train", ["-m", "experiment=paper", "data.root=there"], 1, "there are no face crops"),
        ("evaluate", TINY[:2], 1, "detector=FOLDER names a trained one"),
        ("evaluate", [*TINY, "detector=outputs/detectors/none"], 1, "sr_deepfake.train"),
        ("train", [*SWAP, "sr_model.weights=nowhere.safetensors"], 1, "nowhere.safetensors"),
        ("train", ["data=ffpp"], 1, "faces.parquet is missing"),
        ("prepare", ["data=ffpp", "data.root=nowhere"], 1, "nowhere does not exist"),
        ("prepare", ["data=ffpp"], 1, "data=ffpp needs data.root="),
        ("prepare", ["data=folder"], 1, "data.root="),
        ("attack", [], 1, "no input is named"),
        ("train", ["-m", *SWAP, "trainer.devices=2", "hydra/launcher=joblib"], 1, "several detectors would be trained at once"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(crops_folder, program, arguments, status, message):
    (crops_folder / "there").mkdir(exist_ok=True)
    (crops_folder / "there" / "provenance.json").write_text("{}")
    shown = run(program, *arguments, cwd=crops_folder, status=status)
    assert message in shown
    assert "Traceback" not in shown
    errors = [line for line in shown.splitlines() if "error: " in line]
    assert len(errors) == 1, shown  # of a sweep too: once, before the first run


def test_a_glob_names_the_same_grid_as_in_a_sweep(tmp_path):
    shown = run("status", "model=glob([resnet*,efficient*])", "attack=none", "data=ffpp", cwd=tmp_path, status=3)
    assert "resnet50" in shown
    assert "efficientnet_lite0" in shown
    everything = run("status", "model=glob(*)", "attack=none", "data=ffpp", cwd=tmp_path, status=3)
    assert "timm" in everything  # whose backbone is missing: that run fails, the others do not


def test_a_name_that_the_console_cannot_print_does_not_end_the_work(tmp_path):
    names = ["фото один.png", "b.png"]
    for name, clip in zip(names, clips(), strict=False):
        _, png = cv2.imencode(".png", frames_of(clip)[0][:, :, ::-1])
        (tmp_path / name).write_bytes(png.tobytes())

    def old_console():
        sys.stdout.reconfigure(encoding="cp1252")

    words = ["input=.", "output=out", "attack=bicubic", "trainer=cpu"]
    process = Process("attack", *words, cwd=tmp_path, before=old_console)
    assert process.wait() == 0
    assert (tmp_path / "out" / names[0]).is_file()
    assert b"2 files attacked" in process.file.read_bytes()


def test_a_name_as_long_as_file_systems_take_works(tmp_path):
    name = "ä" * 125 + ".png"
    assert len(os.fsencode(name)) == 254
    _, png = cv2.imencode(".png", frames_of(clips()[0])[0][:, :, ::-1])
    (tmp_path / name).write_bytes(png.tobytes())
    options = ["attack=bicubic", "trainer=cpu", "preview=true"]
    run("attack", f'input="{name}"', 'output="out/"', *options, cwd=tmp_path)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert name in written
    assert len(written) == 2
    assert all(len(os.fsencode(one)) <= 255 for one in written)
