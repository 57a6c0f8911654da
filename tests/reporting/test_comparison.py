import numpy as np
import pytest
from result_folders import grid_of, read_all, write_results
from scored_faces import completed, predictions, random_predictions

from sr_deepfake.reporting.comparison import check_comparable, comparison_tables
from sr_deepfake.reporting.published import METHODS, MODELS
from sr_deepfake.system.errors import UserError

PAPER = {"data": "ffpp", "protocol": "paper", "trained_faces": 14_400}


def compared(outputs, force=False):
    return comparison_tables(grid_of(outputs), read_all(outputs), force)


def labels_of(outputs, **what):
    write_results(outputs, **PAPER | what)
    return check_comparable(grid_of(outputs), force=False)


def test_the_published_figure_and_the_difference_are_next_to_ones_own(tmp_path):
    write_results(tmp_path, faces=predictions((0.05, 0.125), (0, 0), ssim=0.9671, psnr=37.0), **PAPER)
    _, first, second, third = compared(tmp_path)
    rows = {tuple(row[:3]): row[3:] for row in first.rows}
    assert list(first.columns[3:9]) == ["FNR", "FNR paper", "FNR Δ", "FPR", "FPR paper", "FPR Δ"]
    assert rows["Resnet50", "FaceSwap", "×"][:6] == ["5.0", "6.4", "−1.4", "0.0", "1.9", "−1.9"]
    assert rows["Resnet50", "FaceSwap", "✓"][:3] == ["12.5", "21.1", "−8.6"]
    assert len(first.rows) == 2  # what was run
    of_second = {tuple(row[:3]): row[3:] for row in second.rows}
    assert of_second["Resnet50", "FaceSwap", "✓"][9:12] == ["100.0", "97.6", "+2.4"]
    rows = {row[0]: [cell.split(" [")[0] for cell in row[1:]] for row in third.rows}
    #                            own size          SSIM at 224, paper's, difference; PSNR likewise
    assert rows["FaceSwap"] == ["0.967", "37.0", "0.980", "0.967", "+0.013", "36.0", "39.7", "−3.7"]


def test_other_data_are_refused_unless_forced_and_then_labelled(tmp_path):
    write_results(tmp_path, data="sample")
    with pytest.raises(UserError, match=r"data=sample.*FaceForensics.*compare_force=true"):
        compared(tmp_path)
    tables = compared(tmp_path, force=True)
    assert all(table.title.startswith("NOT COMPARABLE: ") for table in tables)
    assert all("the differences say nothing" in " ".join(table.remarks) for table in tables)


def test_another_number_of_faces_is_not_called_comparable(tmp_path):
    whole = completed(predictions(count=1400))
    assert labels_of(tmp_path / "papers", faces=whole) == []
    (label,) = labels_of(tmp_path / "fewer")
    assert (
        label == "NOT COMPARABLE in number: the paper trains on 14,400 faces and tests on 2,800; these are 14,400 / 80."
    )


def test_another_attack_or_protocol_is_labelled(tmp_path):
    labels = " ".join(labels_of(tmp_path, protocol="quick", attack="jpeg-q15"))
    assert "jpeg-q15" in labels
    assert "protocol=quick" in labels


@pytest.mark.parametrize(
    ("protocol", "options", "expected"),
    [
        ("paper", {"extraction": {"margin": 0.3, "frames": 10}},
         ["Other than protocol=paper: extraction.margin=0.3, not 0.1."]),
        ("paper", {"extraction": {"square": "shorter"}, "protocol": {"resize": "authors"}},
         ["Other than protocol=paper: extraction.square=shorter, not longer; protocol.resize=authors, not bilinear."]),
        ("authors_code", {"extraction": {"square": "shorter"}, "protocol": {"resize": "authors"}}, []),
        ("authors_code", {"protocol": {"resize": "bilinear"}},
         ["Other than protocol=authors_code: protocol.resize=bilinear, not authors."]),
        ("paper", {"sr_model": {"weights": None}, "data": {"source": {"compression": "c40"}}},
         ["EDSR has this package's weights here, not its authors' (sr_model.weights=official).",
          "The videos are of compression c40, not c23."]),
        ("paper", {"sr_model": {"weights": "official"}, "data": {"source": {"compression": "c23"}}}, []),
    ],
)  # fmt: skip
def test_other_crops_resize_weights_and_compression_are_named(tmp_path, protocol, options, expected):
    assert labels_of(tmp_path, protocol=protocol, config=options)[1:] == expected


def verdicts(outputs):
    table = compared(outputs)[0]
    assert list(table.columns) == ["The paper says", "Here", "Verdict"]
    return {row[0].split(" (")[0]: row[1:] for row in table.rows}


def write_grid(outputs, change, count=160):
    """The whole grid; `change(method)` are the changes of FNR and FPR."""
    for model in MODELS:
        for method in METHODS:
            fnr, fpr = change(method)
            write_results(outputs, model=model, forgery=method, faces=predictions((0, fnr), (0, fpr), count), **PAPER)


def test_the_papers_sentences_are_judged_by_intervals(tmp_path):
    rises = {"Face2Face": (0.2, 0), "FaceSwap": (0.2, 0), "FaceShifter": (0.2, 0)}
    write_grid(tmp_path, lambda method: rises.get(method, (0, 0.15)))
    found = verdicts(tmp_path)
    assert found["SSIM is around 0.97"][1] == "does not hold"  # 0.98
    for sentence in (
        "FNR rises by up to +18.7 points", "FPR rises by up to +14.4 points",
        "FNR rises most for Face2Face, FaceSwap, FaceShifter", "FPR rises most for Deepfakes, NeuralTextures",
        "Accuracy always falls",
    ):  # fmt: skip
        assert found[sentence][1] == "holds", sentence


def test_sentences_that_these_results_contradict_do_not_hold(tmp_path):
    write_grid(tmp_path, lambda method: (0.6, 0) if method == "Deepfakes" else (0, 0))
    found = verdicts(tmp_path)
    here, verdict = found["FNR rises by up to +18.7 points"]
    assert (here[:7], verdict) == ("+60.0 [", "does not hold")
    assert found["FNR rises most for Face2Face, FaceSwap, FaceShifter"][1] == "does not hold"


def test_a_part_of_the_grid_cannot_judge_what_is_said_of_all_of_it(tmp_path):
    write_results(tmp_path, faces=predictions((0, 0.2), (0, 0.1), 80), **PAPER)
    found = verdicts(tmp_path)
    assert {verdict for sentence, (_, verdict) in found.items() if "SSIM is" not in sentence} == {"cannot be said"}


@pytest.mark.parametrize(
    ("strength", "count", "verdict"), [(0, 4000, "holds"), (0, 120, "cannot be said"), (1, 400, "does not hold")]
)
def test_the_correlation_is_that_of_the_published_script_and_needs_the_whole_interval(
    tmp_path, strength, count, verdict
):
    """Faces that were resized to 224 px first and attacked there with K = 4."""
    faces = random_predictions(count, count // 4)
    noise = np.random.default_rng(0).normal(size=(2, count))
    moved = 0.05 * (strength * noise[0] + noise[1])
    faces = completed(
        faces.drop(columns=["logit", "logit_attacked"]).assign(
            score=0.5, score_attacked=(0.5 + moved).clip(0.01, 0.99), ssim=0.9 + 0.01 * noise[0]
        )
    )
    write_results(tmp_path, faces=predictions(), **PAPER)
    assert verdicts(tmp_path)["|r| of SSIM and change of score is below 0.1"] == [
        "no results of experiment=correlation", "cannot be said",
    ]  # fmt: skip
    options = PAPER | {"protocol": "authors_code"}
    write_results(tmp_path, attack="sr-edsr-x4", test_side=224, faces=faces, resamples=200, **options)
    for attack, defence in (("jpeg-q15", "none"), ("sr-edsr-x2", "none"), ("sr-edsr-x4", "sr-edsr-x2 p=0.5")):
        write_results(tmp_path, test_side=224, attack=attack, defence=defence, **options)
    here, found = verdicts(tmp_path)["|r| of SSIM and change of score is below 0.1"]
    assert found == verdict
    assert here.startswith("r: resnet50 on FaceSwap ")
    assert here.count("FaceSwap") == 1


def test_a_model_that_the_paper_does_not_have_is_not_judged(tmp_path):
    write_grid(tmp_path, lambda method: (0.3, 0.1))
    before = verdicts(tmp_path)
    write_results(tmp_path, model="convnext", faces=predictions((0.3, 0), (0, 0), 160), **PAPER)
    assert verdicts(tmp_path) == before
    assert before["Accuracy always falls"][1] == "holds"


def test_a_change_whose_interval_touches_zero_is_no_fall(tmp_path):
    write_grid(tmp_path, lambda method: (0.3, 0.1) if method != "FaceSwap" else (0.01, 0))
    assert verdicts(tmp_path)["Accuracy always falls"][1] == "cannot be said"
