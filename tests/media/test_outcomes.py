import csv
from dataclasses import replace
from pathlib import Path

import pytest

from sr_deepfake.media.face_scores import FaceScores
from sr_deepfake.media.files import Job
from sr_deepfake.media.outcomes import Outcome, check_report, conclude, describe, explain, write_report
from sr_deepfake.system.errors import UserError

JOB = Job(Path("in/a\n.png"), Path("out/a\n.png"))
SCORED = FaceScores(3, 0.9, 0.99, 0.4, 0.75, 0.971, 37.85)


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Outcome(JOB, "attacked", 1, 0, 1), r"in/a\n.png: 1 face"),
        (
            Outcome(JOB, "attacked", 3, 2, 30, SCORED),
            r"in/a\n.png: 3 faces in 30 frames, 2 too small, left alone, fake 0.900 -> 0.400, SSIM 0.971, PSNR 37.9 dB",
        ),
        (Outcome(JOB, "no face", 0, 0, 1), r"in/a\n.png: no face"),
        (Outcome(JOB, "exists"), r"in/a\n.png: out/a\n.png exists (overwrite=true replaces it)"),
        (Outcome(JOB, "failed", fault=r"in/a\n.png: damaged"), r"error: in/a\n.png: damaged"),
        (
            Outcome(JOB, "attacked", 2, 0, 2, fault="x: damaged", left_out=["data"]),
            r"in/a\n.png: 2 faces in 2 frames, left out: data, error: x: damaged",
        ),
    ],
)
def test_a_file_is_one_line(outcome, line):
    assert describe(outcome) == line


def test_the_report_has_a_row_a_file(tmp_path):
    strange = Job(Path('a\udcff,\n".png'), Path("b.png"))
    outcomes = [Outcome(JOB, "attacked", 3, 2, 30, SCORED), Outcome(strange, "failed", fault="x")]
    write_report(tmp_path / "deep" / "report.csv", outcomes)
    with open(tmp_path / "deep" / "report.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
        header, *rows = csv.reader(file)
    assert ",".join(header) == (
        "input,output,status,frames,faces,too_small,fake_clean,fake_clean_max,fake_attacked,fake_attacked_max,ssim,psnr,fault"
    )
    assert rows == [
        ["in/a\n.png", "out/a\n.png", "attacked", "30", "3", "2", "0.9", "0.99", "0.4", "0.75", "0.971", "37.85", ""],
        ['a\udcff,\n".png', "b.png", "failed", "0", "0", "0", "", "", "", "", "", "", "x"],
    ]
    check_report(tmp_path / "deep" / "report.csv")

    # The next run's rows join those of other outputs; what exists already keeps its scores.
    others = [Job(Path("x"), Path(name)) for name in ("b.png", "c.png", "d.png")]
    outcomes = [Outcome(replace(JOB, target=JOB.target.absolute()), "exists"), Outcome(others[0], "no face", frames=1)]
    write_report(tmp_path / "deep" / "report.csv", [*outcomes, Outcome(others[1], "exists")])
    write_report(tmp_path / "deep" / "report.csv", [Outcome(others[2], "failed")])
    with open(tmp_path / "deep" / "report.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
        again = list(csv.reader(file))[1:]
    assert again[0] == rows[0]
    assert [row[:4] for row in again[1:]] == [
        ["x", "b.png", "no face", "1"], ["x", "c.png", "exists", "0"], ["x", "d.png", "failed", "0"],
    ]  # fmt: skip


def test_a_report_takes_nothing_elses_place(tmp_path):
    check_report(tmp_path / "report.csv")
    (tmp_path / "report.csv").write_text("mine")
    with pytest.raises(UserError, match=r"report\.csv exists and was not written by this program; name another"):
        check_report(tmp_path / "report.csv")
    with pytest.raises(UserError, match="Is a directory; name another"):
        check_report(tmp_path)


def test_the_sums_and_the_list_of_faults(capsys):
    fine = [Outcome(JOB, "attacked", 3, 1, 1), Outcome(JOB, "no face", 0, 0, 1), Outcome(JOB, "exists")]
    conclude(fine, left_alone=2)
    assert capsys.readouterr().out == (
        "1 file attacked (3 faces); 1 without a face; 1 exist already (overwrite=true replaces them); "
        "1 face too small, left alone; 2 other files in the folder left out\n"
    )
    faults = [Outcome(JOB, "failed", fault="a: x"), Outcome(JOB, "attacked", 1, 0, 9, fault="b: a gap")]
    with pytest.raises(UserError) as caught:
        conclude(fine + faults)
    assert str(caught.value) == "2 of 5 files had faults:\n  a: x\n  b: a gap"


def test_faults_name_the_file_once():
    assert explain(UserError("in/a\n.png: damaged"), JOB) == r"in/a\n.png: damaged"
    assert explain(UserError("damaged"), JOB) == r"in/a\n.png: damaged"
    assert explain(PermissionError(13, "Permission denied", "x"), JOB) == r"out/a\n.png: Permission denied"
    assert explain(RuntimeError(""), JOB) == r"in/a\n.png: RuntimeError"
