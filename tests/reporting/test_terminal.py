import io

import pytest

from sr_deepfake.reporting.terminal import print_result_table, render_result_table

CLEAN = {"fnr": 0.055, "fpr": 0.032, "recall": 0.945, "precision": 0.967, "auc": 0.992, "accuracy": 0.956}
BOTH = {"fnr": 0.069, "fpr": 0.101, "recall": 0.931, "precision": 0.902, "auc": 0.977, "accuracy": 0.915}
FAKE = {"fnr": 0.069, "fpr": 0.032, "recall": 0.931, "precision": 0.967, "auc": 0.989, "accuracy": 0.95}
SIMILARITY = {
    "pristine": {
        "ssim": 0.9683,
        "psnr": 39.81,
        "ssim_224": 0.98,
        "psnr_224": 41.5,
        "psnr_224_wrapped": 42.3,
        "identical": 0,
    },
    "fake": {
        "ssim": 0.9701,
        "psnr": None,
        "ssim_224": 0.98,
        "psnr_224": 41.6,
        "psnr_224_wrapped": 43.0,
        "identical": 12,
    },
}  # fmt: skip
FACES = {"faces": 1400, "pristine": 700, "fake": 700, "videos": 140}


@pytest.fixture
def metrics():
    return {"clean": CLEAN, "both": BOTH, "fake": FAKE, "similarity": SIMILARITY, "faces": FACES}


def cells(text, start):
    return next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start).split()


def test_rows_are_the_papers_in_percent(metrics):
    text = render_result_table(metrics, "ResNet-50 on Deepfakes")
    assert cells(text, "Setup") == ["SR", "FNR", "FPR", "Recall", "Precision", "AUC", "Accuracy"]
    assert cells(text, "both (table 1)") == ["clean", "5.5", "3.2", "94.5", "96.7", "99.2", "95.6"]
    assert cells(text, "all faces attacked") == ["attacked", "6.9", "10.1", "93.1", "90.2", "97.7", "91.5"]
    assert cells(text, "fake (table 2)") == ["clean", "5.5", "3.2", "94.5", "96.7", "99.2", "95.6"]
    assert cells(text, "only fakes attacked") == ["attacked", "6.9", "3.2", "93.1", "96.7", "98.9", "95.0"]
    assert cells(text, "pristine  ") == ["0.968", "39.8", "0.980", "41.5", "42.3", "0"]
    assert cells(text, "fake   ") == ["0.970", "–", "0.980", "41.6", "43.0", "12"]
    assert "1400 faces of 140 videos: 700 pristine, 700 fake" in text


def with_statistics(metrics, value=0.0325):
    """The metrics with an interval of ±1 % around every figure."""
    row = dict.fromkeys((*CLEAN, "eer", "ap"), value)
    rows = {"clean": row, "both": row, "fake": row}
    changes = {"both": row, "fake": row}
    around = {name: {figure: [value - 0.01, value + 0.01] for figure in row} for name in rows}
    tests = {"fnr": {"faces": {"p_clustered": 0.0312}}, "fpr": {"faces": {"p_clustered": None}}}
    return metrics | rows | {
        "changes": changes,
        "intervals": {**around, "changes": {"both": around["both"], "fake": around["fake"]}},
        "bootstrap": {"resamples": 2000, "level": 0.95, "seed": 0},
        "mcnemar": tests,
    }  # fmt: skip


def test_intervals_and_tests_are_shown(metrics):
    metrics = with_statistics(metrics)
    metrics["changes"] = {"both": metrics["both"] | {"eer": -0.041}, "fake": metrics["fake"]}
    metrics["intervals"]["fake"] = metrics["intervals"]["fake"] | {"auc": [None, None]}
    text = render_result_table(metrics, "x")
    assert cells(text, "Over videos") == ["FNR,", "95%", "FPR,", "95%", "AUC,", "95%", "EER", "AP"]
    assert cells(text, "both change") == ["2.2", "to", "4.2"] * 3 + ["-4.1", "3.2"]
    row = next(line for line in text.splitlines() if line.startswith("fake ") and "to" in line)
    assert row.split() == ["fake", *["2.2", "to", "4.2"] * 2, "–", "3.2", "3.2"]
    assert "Exact McNemar test of the changes, by video: FNR p = 0.031, FPR p –." in text


def test_without_an_attack_there_is_one_interval_a_figure(metrics):
    metrics = with_statistics(metrics)
    none = dict.fromkeys(("both", "fake", "changes", "mcnemar", "similarity"))
    text = render_result_table(metrics | none | {"intervals": {"clean": metrics["intervals"]["clean"]}}, "x")
    assert text.count(" to ") == 3
    assert "change" not in text
    assert "McNemar" not in text


def test_the_widest_intervals_fit_into_80_columns(metrics):
    metrics = with_statistics(metrics)
    widest = {"fnr": [-1.0, -1.0], "fpr": [-1.0, -1.0], "auc": [1.0, 1.0]}
    metrics["intervals"]["changes"] = {"both": widest, "fake": widest}
    metrics["changes"] = {setup: {"eer": -1.0, "ap": -1.0} for setup in ("both", "fake")}
    text = render_result_table(metrics, "x")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert text.count("-100.0 to -100.0") == 4


@pytest.mark.parametrize(
    ("p", "shown"), [(0.5, "p = 0.5"), (0.00012, "p = 0.00012"), (0.0, "p < 0.0001"), (1.0, "p = 1")]
)
def test_p_values_have_two_digits(metrics, p, shown):
    metrics = with_statistics(metrics)
    metrics["mcnemar"]["fpr"]["faces"]["p_clustered"] = p
    assert f"FPR {shown}." in render_result_table(metrics, "x")


def test_undefined_numbers_are_a_dash(metrics):
    metrics["both"] = BOTH | {"fpr": float("nan"), "auc": None}
    text = render_result_table(metrics, "x")
    assert cells(text, "all faces attacked") == ["attacked", "6.9", "–", "93.1", "90.2", "–", "91.5"]


def test_without_an_attack_there_is_a_clean_row_only(metrics):
    text = render_result_table(metrics | {"both": None, "fake": None, "similarity": None}, "x")
    assert cells(text, "clean") == ["5.5", "3.2", "94.5", "96.7", "99.2", "95.6"]
    assert "attacked" not in text
    assert "SSIM" not in text


def test_it_fits_into_80_columns_even_at_its_widest(metrics):
    full = dict.fromkeys(CLEAN, 1.0)
    text = render_result_table(
        metrics | {"clean": full, "both": full, "fake": full}, "long title " * 20, "caption " * 30
    )
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert text.count("100.0") == 24
    assert text.count("caption") == 30


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", "run [red", ":smile:", "\\[x]"])
def test_names_are_shown_as_they_are(metrics, name):
    text = render_result_table(metrics, name, caption=name)
    assert text.splitlines()[0] == name
    assert text.splitlines()[-1] == name


def test_settings_for_terminals_do_not_reach_plain_text(metrics, monkeypatch):
    plain = render_result_table(metrics, "title")
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "40"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    assert render_result_table(metrics, "title") == plain
    assert "\x1b" not in plain


def test_into_a_file_it_is_plain_text(metrics):
    file = io.StringIO()
    print_result_table(metrics, "title", "illustration", file=file)
    assert file.getvalue() == render_result_table(metrics, "title", "illustration") + "\n"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_on_a_terminal_it_is_styled(metrics, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    file = Terminal()
    print_result_table(metrics, "title [x]", file=file)
    assert "\x1b[1mtitle [x]" in file.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_encoding_that_lacks_the_signs_loses_no_number(metrics, encoding):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    print_result_table(metrics, "ResNet × 日本", file=file)
    file.flush()
    text = raw.getvalue().decode("ascii")
    assert text.startswith("ResNet x ??")
    assert cells(text, "fake   ") == ["0.970", "-", "0.980", "41.6", "43.0", "12"]
