"""Files are attacked one after the other; what fails stops no other, and leaves nothing half-written."""

import csv
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scenes import two_people

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.sample.people import ASSETS
from sr_deepfake.media.attack import FileAttacker, PhotoSettings, attack_files
from sr_deepfake.media.face_scores import FaceScorer
from sr_deepfake.media.faces import FoundFaces
from sr_deepfake.media.files import Job
from sr_deepfake.media.image import attack_image
from sr_deepfake.media.outcomes import explain
from sr_deepfake.media.video.attack import VideoSettings
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.super_resolution.interpolation import Interpolation
from sr_deepfake.system.errors import UserError

CLIP = ASSETS / "identities" / "030.mp4"
ATTACK = SuperResolutionAttack(Interpolation(scale=2))


def find(frames):
    """A face in the corner of every picture that is not of one colour."""
    return [FoundFaces([Crop(10, 20, 48)] if frame.std() > 1 else [], too_small=1) for frame in frames]


def attacker(attack=ATTACK, scorer=None, **options):
    return FileAttacker(
        attack, find, scorer, PhotoSettings(), VideoSettings(Encoding(crf=0, preset="ultrafast")), **options
    )


@pytest.fixture
def folder(tmp_path):
    """Two photos, the second without a face, and a clip."""
    Image.fromarray(two_people()).save(tmp_path / "a.png")
    (tmp_path / "b.mp4").write_bytes(CLIP.read_bytes())
    Image.new("RGB", (60, 50), (9, 9, 9)).save(tmp_path / "c.jpg")
    return tmp_path


def jobs_of(folder: Path, *names: str) -> list[Job]:
    return [Job(folder / name, folder / "out" / name) for name in names]


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir())


def statuses(path: Path) -> list[tuple[str, int]]:
    with path.open(newline="") as file:
        return [(row["status"], int(row["faces"])) for row in csv.DictReader(file)]


def test_photos_and_videos_are_attacked(folder, capsys):
    jobs = [*jobs_of(folder, "a.png", "b.mp4", "c.jpg"), Job(folder / "c.jpg", folder / "out" / "c.webp")]
    outcomes = attack_files(jobs, attacker(), show=False)
    assert [(one.status, one.faces, one.frames, one.too_small) for one in outcomes] == [
        ("attacked", 1, 1, 1), ("attacked", 10, 10, 10), ("no face", 0, 1, 1), ("no face", 0, 1, 1),
    ]  # fmt: skip
    expected = attack_image(two_people(), ATTACK, find)
    np.testing.assert_array_equal(np.array(Image.open(folder / "out" / "a.png")), expected)
    assert (folder / "out" / "c.jpg").read_bytes() == (folder / "c.jpg").read_bytes()
    with Image.open(folder / "out" / "c.webp") as image:
        assert image.format == "WEBP"
    assert written(folder) == ["a.png", "b.mp4", "c.jpg", "c.webp"]
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_what_is_there_already_is_left_alone_unless_it_is_to_be_overwritten(folder):
    job = Job(folder / "a.png", folder / "out.png")
    job.target.write_text("earlier")
    (outcome,) = attack_files([job], attacker(), show=False)
    assert (outcome.status, outcome.fault, job.target.read_text()) == ("exists", "", "earlier")
    (outcome,) = attack_files([job], attacker(overwrite=True), show=False)
    assert outcome.status == "attacked"
    with Image.open(job.target) as image:
        assert image.size == (420, 300)


def test_faults_are_reported_and_the_others_go_on(folder, capsys):
    (folder / "text.jpg").write_text("hello")
    (folder / "zero.png").touch()
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:5000])
    (folder / "text.mp4").write_text("hello " * 99)
    (folder / "dangling.png").symlink_to("nowhere")
    (folder / "file").touch()
    names = ["text.jpg", "zero.png", "cut.png", "text.mp4", "dangling.png"]
    jobs = [*jobs_of(folder, *names), Job(folder / "a.png", folder / "file" / "a.png"), *jobs_of(folder, "a.png")]
    outcomes = attack_files(jobs, attacker(), show=False)
    assert [one.status for one in outcomes] == ["failed"] * 6 + ["attacked"]
    shown = capsys.readouterr().err
    for name, outcome in zip([*names, "file/a.png"], outcomes, strict=False):
        assert outcome.fault.startswith(f"{folder / name}")
        assert outcome.fault.count(name) == 1
        assert f"error: {outcome.fault}" in shown
    assert written(folder) == ["a.png"]


@pytest.mark.parametrize("limit", [1, 30_000])
@pytest.mark.parametrize(
    ("name", "words"), [("a.png", ": File too large"), ("b.mp4", " cannot be written: File too large")]
)
def test_a_full_disk_is_said_and_leaves_what_was_there(folder, name, words, limit):
    (folder / "out").mkdir()
    (folder / "out" / name).write_text("earlier")
    (job,) = jobs_of(folder, name)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))  # as a full disk, with another number
    try:
        with pytest.raises((UserError, OSError)) as error:
            attacker(overwrite=True)(job, lambda done, number: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert explain(error.value, job) == f"{job.target}{words}"
    assert written(folder) == [name]
    assert job.target.read_text() == "earlier"


class Fails(torch.nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, faces):
        raise self.error


def test_an_attack_that_fails_is_a_fault_of_the_file(folder):
    broken = attacker(Fails(RuntimeError("CUDA out of memory\nand so on")))
    (outcome,) = attack_files(jobs_of(folder, "a.png"), broken, show=False)
    assert outcome.fault == rf"{folder / 'a.png'}: RuntimeError: CUDA out of memory\nand so on"


def test_an_interruption_ends_it_with_a_report_of_what_was_done(folder):
    interrupted = attacker(Fails(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        attack_files(jobs_of(folder, "c.jpg", "a.png"), interrupted, folder / "report.csv", show=False)
    assert statuses(folder / "report.csv") == [("no face", 0)]
    assert written(folder) == ["c.jpg"]


def test_previews_and_scores(folder):
    scorer = FaceScorer(lambda faces, attacked: faces.mean((1, 2, 3)))
    jobs = jobs_of(folder, "a.png", "b.mp4")
    scorer.add([np.zeros((20, 20, 3), np.uint8)] * 2)  # of a file that failed: no other's
    outcomes = attack_files(jobs, attacker(scorer=scorer, preview=True), folder / "r.csv", show=False)
    assert written(folder) == ["a.png", "a.png.preview.png", "b.mp4"]
    with Image.open(folder / "out" / "a.png.preview.png") as image:
        sheet = np.array(image)
    assert sheet.shape == (300, 844, 3)
    np.testing.assert_array_equal(sheet[100:, :420], two_people()[100:])  # before, without the square
    assert (sheet[30:60, 20:50] != sheet[30:60, 444:474]).any()  # in the square they differ
    for outcome, faces in zip(outcomes, (1, 10), strict=True):
        assert outcome.scores.faces == faces
        assert 0.5 < outcome.scores.clean < 0.75
        assert 0.5 < outcome.scores.attacked < 0.75
        assert 0.5 < outcome.scores.ssim < 1
    assert statuses(folder / "r.csv") == [("attacked", 1), ("attacked", 10)]

    (folder / "out" / "a.png").unlink()
    (folder / "out" / "a.png.preview.png").write_text("mine")
    for overwrite, left_out in ((False, ["the preview, whose file exists (overwrite=true replaces it)"]), (True, [])):
        (outcome,) = attack_files(jobs[:1], attacker(preview=True, overwrite=overwrite), show=False)
        assert (outcome.status, outcome.left_out) == ("attacked", left_out)
        assert ((folder / "out" / "a.png.preview.png").read_bytes() == b"mine") != overwrite
