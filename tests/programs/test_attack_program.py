"""`python -m sr_deepfake.attack` and `python -m sr_deepfake.evaluate input=...`, as a user types them."""

import csv
import os
import signal
from pathlib import Path

import hydra
import numpy as np
import pytest
from forked import run
from omegaconf import OmegaConf
from PIL import Image
from scenes import two_people
from stored_detector import stored_detector

from sr_deepfake.app.configuration import CONF
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.sample.people import ASSETS
from sr_deepfake.media import attack_image
from sr_deepfake.super_resolution.edsr import edsr

CPU = ["trainer=cpu", "trainer.precision=32", "trainer.enable_progress_bar=false"]
CLIP = ASSETS / "identities" / "030.mp4"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in/sub").mkdir(parents=True)
    Image.fromarray(two_people()).save(tmp_path / "in/two.png")
    Image.new("RGB", (60, 50), (9, 9, 9)).save(tmp_path / "in/sub/none.png")
    return tmp_path


def test_every_attack_and_network_composes_and_the_defaults_are_the_papers():
    names = {group: sorted(file.stem for file in (CONF / group).glob("*.yaml")) for group in ("attack", "sr_model")}
    overrides = [f"+{group}@every_{group}.{name}={name}" for group in names for name in names[group]]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("attack", overrides)
    for group in names:
        found = OmegaConf.to_container(cfg[f"every_{group}"], resolve=True)
        assert sorted(found) == names[group]
        assert all(found.values())
    assert (cfg.attack.scale, cfg.attack.convention, cfg.sr_model.blocks, cfg.faces.feather) == (2, "rgb", 16, 0)


def test_a_folder_with_the_papers_attack(folder):
    shown = run("attack", "input=in", "output=out", *CPU, cwd=folder)
    assert "in/two.png: 2 faces" in shown
    assert "in/sub/none.png: no face" in shown
    assert "1 file attacked (2 faces); 1 without a face" in shown
    expected = attack_image(two_people(), SuperResolutionAttack(edsr()))
    np.testing.assert_array_equal(np.array(Image.open(folder / "out/two.png")), expected)
    assert (folder / "out/sub/none.png").read_bytes() == (folder / "in/sub/none.png").read_bytes()
    # Again: nothing is done twice.
    before = (folder / "out/two.png").stat()
    shown = run("attack", "input=in", "output=out", *CPU, cwd=folder)
    assert "0 files attacked (0 faces); 2 exist already" in shown
    assert (folder / "out/two.png").stat() == before


def test_other_attacks_and_options(folder):
    chain = ["attack=chain", "attack@attack.first=bicubic", "attack@attack.second=jpeg", "faces.feather=4"]
    shown = run("attack", "input=in/two.png", "output=a.png", *chain, "faces.min_side=120", *CPU, cwd=folder)
    assert "in/two.png: 1 face, 1 too small, left alone" in shown
    shown = run(
        "attack", "input=in/two.png", "output=b.jpg", "attack=none", "photo.max_pixels=1000", *CPU, cwd=folder, status=1
    )
    assert "126,000 pixels; at most 1,000 are read (photo.max_pixels=N raises the limit)" in shown
    assert not (folder / "b.jpg").exists()


def test_faults_end_with_the_list_and_status_1(folder):
    (folder / "in/text.jpg").write_text("hello")
    (folder / "in/zero.mp4").touch()
    shown = run("attack", "input=in", "output=out", "attack=bicubic", *CPU, cwd=folder, status=1)
    assert "error: 2 of 4 files had faults:\n  in/text.jpg: unreadable: not a kind of" in shown
    assert "\n  in/zero.mp4 cannot be read as a video: empty file" in shown
    assert "Traceback" not in shown
    assert sorted(path.name for path in (folder / "out").rglob("*.*")) == ["none.png", "two.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["input=in", "output=in"], "is the input in/two.png; name another output, or set overwrite=true"),
        (["input=in", "output=out", "detector=nowhere"], "detector=nowhere: there is no trained detector"),
        (["input=in", "output=out", "faces.thresholds=7"], "error: options of the faces: thresholds must be"),
        (
            ["input=in", "output=out", "report=in/../out/two.png"],
            "two.png is an input or a result; name another with rep",
        ),
        (["input=in", "output=out", "photo.quality=0"], "error: photo.quality=0: it goes from 1 to 100"),
    ],
)
def test_mistakes_are_reported_before_the_work(folder, arguments, message):
    shown = run("attack", *arguments, "attack=bicubic", *CPU, cwd=folder, status=1)
    assert message in shown
    assert "Traceback" not in shown
    assert not (folder / "out").exists()


STRANGE = "-a b'\"%=[1],{x}$\\y\n#größe.png"


def named_by_the_environment() -> None:
    os.environ["IN"], os.environ["OUT"] = STRANGE, f"out{STRANGE}"


def test_any_name_works_through_the_environment_and_in_quotes(folder):
    (folder / "in/two.png").rename(folder / STRANGE)
    arguments = ["input=${oc.env:IN}", "output=${oc.env:OUT}", "attack=bicubic"]
    shown = run("attack", *arguments, *CPU, cwd=folder, before=named_by_the_environment)
    assert "\\n#größe.png: 2 faces" in shown
    assert (folder / f"out{STRANGE}").is_file()
    (folder / STRANGE).rename(folder / '-a [1], b = "c" %.png')
    quoted = '"-a [1], b = \\"c\\" %.png"'
    run("attack", f"input={quoted}", 'output="d = e.png"', "attack=bicubic", *CPU, cwd=folder)
    assert (folder / "d = e.png").is_file()


def interrupted() -> None:
    replace = os.replace

    def watched(beside, path):
        if Path(path).name == "two.png":
            os.kill(os.getpid(), signal.SIGINT)
        replace(beside, path)

    os.replace = watched


def test_ctrl_c_leaves_nothing_half_written(folder):
    shown = run("attack", "input=in", "output=out", "attack=bicubic", *CPU, cwd=folder, status=130, before=interrupted)
    assert "Interrupted." in shown
    assert "Traceback" not in shown
    assert [path for path in (folder / "out").rglob("*") if path.name.startswith(".")] == []


def table(path):
    with path.open(newline="") as file:
        return {row["input"]: row for row in csv.DictReader(file)}


def test_scores_before_and_after(folder):
    detector = stored_detector(folder / "detectors")
    (folder / "in/clip.mp4").write_bytes(CLIP.read_bytes())
    (folder / "in/text.jpg").write_text("hello")
    options = [f"detector={detector}", "attack=bicubic", "preview=true", "video.preset=ultrafast", *CPU]
    shown = run("attack", "input=in", "output=out", *options, cwd=folder, status=1)
    assert "in/two.png: 2 faces, fake 0." in shown
    assert "Report: out/report.csv" in shown
    rows = table(folder / "out/report.csv")
    assert {name: row["faces"] for name, row in rows.items()} == {
        "in/clip.mp4": "10", "in/text.jpg": "0", "in/two.png": "2", "in/sub/none.png": "0",
    }  # fmt: skip
    assert 0.8 < float(rows["in/two.png"]["ssim"]) < 1
    assert (folder / "out/two.png.preview.png").is_file()
    assert not (folder / "out/clip.mp4.preview.mp4").exists()

    options = [f"detector={detector}", "evaluate.report=in/sub/../two.png", *CPU]
    shown = run("evaluate", "input=in", *options, cwd=folder, status=1)
    assert "evaluate.report=in/sub/../two.png is an input; name another" in shown
    # The clean scores are those that `evaluate` gives.
    options = [f"detector={detector}", "evaluate.report=scores.csv", *CPU]
    shown = run("evaluate", "input=[in/two.png,in/clip.mp4,in/text.jpg]", *options, cwd=folder, status=1)
    assert "error: 1 file(s) could not be scored:\n  in/text.jpg: unreadable: not a kind of" in shown
    assert "Scores: scores.csv" in shown
    scores = table(folder / "scores.csv")
    for name in ("in/two.png", "in/clip.mp4"):
        assert scores[name]["faces"] == rows[name]["faces"]
        for one, other in (("fake_mean", "fake_clean"), ("fake_max", "fake_clean_max")):
            assert float(scores[name][one]) == pytest.approx(float(rows[name][other]), abs=1e-3)
    assert scores["in/text.jpg"]["fault"].startswith("in/text.jpg: ")
