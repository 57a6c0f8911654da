"""Files are attacked one after the other; what fails stops no other, and leaves nothing half-written."""

import csv
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scenes import two_people

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.sample.people import ASSETS
from sr_deepfake.media import attack as attacking
from sr_deepfake.media.attack import FileAttacker, PhotoSettings, attack_files
from sr_deepfake.media.face_scores import FaceScorer
from sr_deepfake.media.faces import FoundFaces
from sr_deepfake.media.files import Job
from sr_deepfake.media.image import attack_image
from sr_deepfake.media.outcomes import Outcome
from sr_deepfake.media.video.attack import VideoSettings
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.super_resolution.interpolation import Interpolation

CLIP = ASSETS / "identities" / "030.mp4"
CORNER = [Crop(10, 20, 48)]


def find(frames):
    """A face in the corner of every picture that is not of one colour."""
    return [FoundFaces(CORNER if frame.std() > 1 else [], too_small=1) for frame in frames]


@pytest.fixture
def attacker():
    attack = SuperResolutionAttack(Interpolation(scale=2))
    fast = VideoSettings(Encoding(crf=10, preset="ultrafast"))

    def make(**options):
        return FileAttacker(attack, find, options.pop("scorer", None), PhotoSettings(), fast, **options)

    return make


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(two_people()).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def jobs_of(folder: Path, *names: str) -> list[Job]:
    return [Job(folder / name, folder / "out" / name) for name in names]


def test_photos_and_videos_are_attacked(tmp_path, attacker, photo, capsys):
    (tmp_path / "b.mp4").write_bytes(CLIP.read_bytes())
    Image.new("RGB", (60, 50), (9, 9, 9)).save(tmp_path / "c.jpg")
    outcomes = attack_files(jobs_of(tmp_path, "a.png", "b.mp4", "c.jpg"), attacker(), show=False)
    assert [(one.status, one.faces, one.frames, one.too_small) for one in outcomes] == [
        ("attacked", 1, 1, 1), ("attacked", 10, 10, 10), ("no face", 0, 1, 1),
    ]  # fmt: skip
    expected = attack_image(two_people(), SuperResolutionAttack(Interpolation(scale=2)), find)
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "out" / "a.png")), expected)
    assert (tmp_path / "out" / "c.jpg").read_bytes() == (tmp_path / "c.jpg").read_bytes()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.mp4", "c.jpg"]
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_without_a_face_another_format_is_written_all_the_same(tmp_path, attacker):
    Image.new("RGB", (60, 50), (9, 9, 9)).save(tmp_path / "a.jpg")
    attack_files([Job(tmp_path / "a.jpg", tmp_path / "a.webp")], attacker(), show=False)
    with Image.open(tmp_path / "a.webp") as image:
        assert image.format == "WEBP"


def test_what_is_there_already_is_left_alone_unless_it_is_to_be_overwritten(tmp_path, attacker, photo):
    job = Job(photo, tmp_path / "out.png")
    job.target.write_text("earlier")
    (outcome,) = attack_files([job], attacker(), show=False)
    assert (outcome.status, outcome.fault, job.target.read_text()) == ("exists", "", "earlier")
    (outcome,) = attack_files([job], attacker(overwrite=True), show=False)
    assert outcome.status == "attacked"
    with Image.open(job.target) as image:
        assert image.size == (420, 300)


def test_faults_are_told_and_the_others_go_on(tmp_path, attacker, photo, capsys):
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "zero.png").touch()
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:5000])
    (tmp_path / "text.mp4").write_text("hello " * 99)
    (tmp_path / "dangling.png").symlink_to("nowhere")
    (tmp_path / "file").touch()
    (tmp_path / "z.png").write_bytes(photo.read_bytes())
    names = ["text.jpg", "zero.png", "cut.png", "text.mp4", "dangling.png"]
    jobs = [*jobs_of(tmp_path, *names), Job(photo, tmp_path / "file" / "a.png"), *jobs_of(tmp_path, "z.png")]
    outcomes = attack_files(jobs, attacker(), show=False)
    assert [one.status for one in outcomes] == ["failed"] * 6 + ["attacked"]
    shown = capsys.readouterr().err
    for name, outcome in zip([*names, "file/a.png"], outcomes, strict=False):
        assert outcome.fault.startswith(f"{tmp_path / name}")
        assert outcome.fault.count(name) == 1
        assert f"error: {outcome.fault}" in shown
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["z.png"]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "No space left on device"), (errno.EACCES, "Permission denied")]
)
@pytest.mark.parametrize("name", ["a.png", "b.mp4"])
def test_what_cannot_be_written_leaves_nothing(tmp_path, attacker, photo, monkeypatch, number, words, name):
    (tmp_path / "b.mp4").write_bytes(CLIP.read_bytes())

    def refuse(source, target):
        raise OSError(number, os.strerror(number), str(source))

    monkeypatch.setattr("sr_deepfake.system.files.os.replace", refuse)
    (outcome,) = attack_files(jobs_of(tmp_path, name), attacker(), show=False)
    assert outcome.fault == f"{tmp_path / 'out' / name}: {words}"
    assert list((tmp_path / "out").iterdir()) == []


def test_an_interruption_ends_it_with_a_report_of_what_was_done(tmp_path, attacker, photo):
    class Interrupts(torch.nn.Module):
        def forward(self, faces):
            raise KeyboardInterrupt

    (tmp_path / "b.png").write_bytes(photo.read_bytes())
    whole, interrupted = attacker(), attacker()
    interrupted.attack = Interrupts()

    def attack_one(job, frames):
        return (whole if job.source.name == "a.png" else interrupted)(job, frames)

    with pytest.raises(KeyboardInterrupt):
        attack_files(jobs_of(tmp_path, "a.png", "b.png"), attack_one, tmp_path / "report.csv", show=False)
    with open(tmp_path / "report.csv", newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["attacked"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_an_attack_that_fails_is_a_fault_of_the_file(tmp_path, attacker, photo, monkeypatch):
    def broken(*args):
        raise RuntimeError("CUDA out of memory\nand so on")

    monkeypatch.setattr(attacking, "attack_photo", broken)
    (outcome,) = attack_files(jobs_of(tmp_path, "a.png"), attacker(), show=False)
    assert outcome.fault == rf"{photo}: RuntimeError: CUDA out of memory\nand so on"


def test_previews_and_scores(tmp_path, attacker, photo):
    (tmp_path / "b.mp4").write_bytes(CLIP.read_bytes())
    scorer = FaceScorer(lambda faces, attacked: faces.mean((1, 2, 3)))
    outcomes = attack_files(
        jobs_of(tmp_path, "a.png", "b.mp4"), attacker(scorer=scorer, preview=True), tmp_path / "r.csv", show=False
    )
    written = ["a.png", "a.png.preview.png", "b.mp4"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == written
    with Image.open(tmp_path / "out" / "a.png.preview.png") as image:
        sheet = np.array(image)
    assert sheet.shape == (300, 844, 3)
    np.testing.assert_array_equal(sheet[100:, :420], two_people()[100:])  # before, without the square
    assert (sheet[30:60, 20:50] != sheet[30:60, 444:474]).any()  # in the square they differ
    for outcome, faces in zip(outcomes, (1, 10), strict=True):
        assert outcome.scores.faces == faces
        assert 0.5 < outcome.scores.clean < 0.75
        assert 0.5 < outcome.scores.attacked < 0.75
        assert 0.5 < outcome.scores.ssim < 1
    with open(tmp_path / "r.csv", newline="") as file:
        assert [int(row["faces"]) for row in csv.DictReader(file)] == [1, 10]


def test_damage_of_a_video_is_a_fault_and_its_result_stays(tmp_path, attacker, monkeypatch, capsys):
    (job,) = jobs_of(tmp_path, "a.mp4")
    damaged = Outcome(job, "attacked", 80, 0, 90, fault="a.mp4: damaged from 1.00 s on", left_out=("data",))
    monkeypatch.setattr(attacking, "attack_video", lambda *args: damaged)
    assert attack_files([job], attacker(), show=False) == [damaged]
    assert "80 faces in 90 frames, left out: data, error: " in capsys.readouterr().err
