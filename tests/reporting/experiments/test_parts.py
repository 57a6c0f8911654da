from result_folders import CAPTION, read, write_results
from scored_faces import predictions

from sr_deepfake.reporting.experiments.parts import experiment_parts
from sr_deepfake.reporting.grid import Wish, make_grid


def parts_of(outputs):
    results = read(outputs)
    grid = make_grid(results, Wish())
    return {table.name: (table, figure) for table, figure in experiment_parts(results, grid, CAPTION)}


def test_without_their_runs_there_are_no_experiments(tmp_path):
    write_results(tmp_path)
    assert parts_of(tmp_path) == {}


def test_sides_networks_defence_and_transfer_are_shown_where_they_are(tmp_path):
    write_results(tmp_path, faces=predictions(sides=(96, 192)))
    write_results(tmp_path, attack="sr-bicubic-x2", faces=predictions((0, 0.2)))
    write_results(
        tmp_path, forgery="Deepfakes", trained_on="FaceSwap", digits="0", faces=predictions((0.3, 0.9))
    )
    write_results(tmp_path, fingerprint="defended00", defence="sr-edsr-x2 p=0.5", faces=predictions((0, 0.1)))
    parts = parts_of(tmp_path)
    assert list(parts) == ["resolution", "sr_models", "defence", "transfer_resnet50_sr-edsr-x2"]
    for name, (table, figure) in parts.items():
        assert figure.name == table.name == name
        assert table.caption == CAPTION
    networks = {
        row[0]: dict(zip(parts["sr_models"][0].columns, row, strict=True))
        for row in parts["sr_models"][0].rows
    }
    assert networks["edsr"]["FNR attacked"] == "50.0"
    assert networks["bicubic"]["FNR attacked"] == "20.0"
    rows = [dict(zip(parts["defence"][0].columns, row, strict=True)) for row in parts["defence"][0].rows]
    assert {row["Defence"]: row["FNR attacked"] for row in rows} == {
        "none": "50.0",
        "sr-edsr-x2 p=0.5": "10.0",
    }
    crossed = [row[:2] for row in parts["transfer_resnet50_sr-edsr-x2"][0].rows]
    assert crossed == [["FaceSwap", "Deepfakes"], ["FaceSwap", "FaceSwap"]]


def test_of_repeated_results_the_newest_counts(tmp_path):
    write_results(
        tmp_path, started="2026-01-01", digits="aaaaaa", attack="sr-bicubic-x2", faces=predictions((0, 0.9))
    )
    write_results(
        tmp_path, started="2026-02-01", digits="bbbbbb", attack="sr-bicubic-x2", faces=predictions((0, 0.1))
    )
    write_results(tmp_path)
    table = parts_of(tmp_path)["sr_models"][0]
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["bicubic"]["FNR attacked"] == "10.0"


def test_undefined_figures_are_missing_and_words_are_left(tmp_path):
    faces = predictions()
    write_results(tmp_path, faces=faces)
    write_results(tmp_path, attack="sr-bicubic-x2", faces=faces.assign(psnr=float("inf"), ssim=1.0))
    table = parts_of(tmp_path)["sr_models"][0]
    place = list(table.columns).index("PSNR (dB)")
    assert {row[0]: row[place] for row in table.rows}["bicubic"] is None
    assert table.text_columns == 1
    assert [row[0] for row in table.rows] == ["bicubic", "edsr"]
