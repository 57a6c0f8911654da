import io

import pytest
from page_reports import MAKE
from result_folders import CAPTION, run_info
from scored_faces import completed, predictions, unattacked

from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.terminal import print_report, print_summary


def shown(faces=None, **run):
    file = io.StringIO()
    print_summary(run_info(**run), run_metrics(predictions() if faces is None else faces, resamples=100), file)
    return file.getvalue()


def cells(text, start):
    return next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start).split()


def test_a_run_is_one_table_and_a_line_each_of_changes_and_similarity():
    text = shown(predictions((0.05, 0.1), (0, 0.2), 80))
    assert cells(text, "   ") == ["FNR", "FPR", "Recall", "Precision", "AUC", "Accuracy"]
    assert cells(text, "clean")[:3] == ["5.0", "0.0", "95.0"]
    assert cells(text, "both attacked")[:3] == ["10.0", "20.0", "90.0"]
    assert cells(text, "fakes attacked")[:3] == ["10.0", "0.0", "90.0"]
    (change,) = [line for line in text.splitlines() if line.startswith("Change in points: ")]
    assert "FNR +5.0 [" in change
    assert change.count("p = ") == 2
    assert "Similarity, clean to attacked: SSIM 0.500 pristine, 0.950 fake; PSNR 10.0 pristine, 35.0 fake (dB)." in text
    assert "160 faces of 40 videos in 40 clusters: 80 pristine, 80 fake." in text
    assert CAPTION in text
    assert len(text.splitlines()) <= 14


@pytest.mark.parametrize(("count", "warned"), [(40, True), (80, False)])
def test_few_clusters_are_a_warning(count, warned):
    assert ("Warning: only 10 clusters; below 20" in shown(predictions(count=count))) == warned


def test_without_an_attack_there_is_a_clean_row_only():
    text = shown(unattacked(predictions()), attack="none")
    assert cells(text, "clean")[0] == "0.0"
    for word in ("attacked", "Change", "Similarity"):
        assert word not in text


def test_a_test_set_of_one_class_has_its_own_rate_and_says_so():
    real = completed(predictions().query("label == 0").reset_index(drop=True))
    text = shown(real)
    assert cells(text, "clean") == ["–", "0.0", "–", "–", "–", "100.0"]
    assert "The test faces are of one class: what needs both is undefined." in text
    assert "FNR" not in next(line for line in text.splitlines() if line.startswith("Change"))


def test_balanced_accuracy_is_shown_where_classes_are_not_even():
    text = shown(completed(predictions().iloc[20:].reset_index(drop=True)))
    assert cells(text, "   ")[-2:] == ["Balanced", "acc."]


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", "run [red", ":smile:", "\\[x]"])
def test_names_are_shown_as_they_are(name):
    text = shown(model=name, illustration=name)
    assert text.splitlines()[0].startswith(f"{name} on FaceSwap")
    assert text.splitlines()[-1] == name


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_it_is_styled_on_a_terminal_and_plain_in_a_file(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    print_summary(run_info(model="net [x]"), run_metrics(predictions(), resamples=10), terminal)
    assert "\x1b[1mnet [x]" in terminal.getvalue()
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in shown()


def test_a_report_prints_the_answer_the_main_tables_and_the_commands(small):
    file = io.StringIO()
    print_report(small, file)
    text = file.getvalue()
    for words in ("Table 1", "Table 2", "Table 3", "Change under", small.answer[:60], CAPTION, "2 of the 3 detectors"):
        assert words in text
    assert text.count(MAKE) == 1
    assert "with 95 % intervals" not in text
    assert "outputs/results/broken cannot be shown: metrics.json is missing" in text
    assert "See . and outputs/results/broken." in text
