"""A report as files: tables, figures, examples, cards, the page. A folder of an earlier report is replaced whole."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from sr_deepfake.experiment.evidence import KINDS
from sr_deepfake.metrics.figures import Metrics
from sr_deepfake.reporting.cards import Card, attack_table
from sr_deepfake.reporting.examples import Example, example_sheet
from sr_deepfake.reporting.figures.style import file_name
from sr_deepfake.reporting.numbers import CHANGED
from sr_deepfake.reporting.page import write_page
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.table import ReportTable
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import write_json

TABLES, FIGURES, EXAMPLES, CARDS = "tables", "figures", "examples", "cards"
PAGE, FRAME = "index.html", "figures.csv"
_FOLDERS = (TABLES, FIGURES, EXAMPLES, CARDS)
_PARTS = (*_FOLDERS, PAGE, FRAME)
_MARK = ".report"  # in a folder that this program wrote
_CARD_VERSION = 1  # of card.json
_FORMS: dict[str, Callable[[ReportTable], str]] = {
    "md": ReportTable.markdown,
    "tex": ReportTable.latex,
    "csv": ReportTable.csv,
}


def check_folder(folder: Path) -> None:
    """See that a report may be written to a folder."""
    others = [name for name in _PARTS if (folder / name).exists()]
    if others and not (folder / _MARK).exists():
        raise UserError(
            f"out={folder}: {others[0]} exists and was not written by this program; name another folder, or remove it"
        )


def write_report(folder: Path, report: Report) -> dict[str, int]:
    """Write tables (Markdown, LaTeX, CSV), figures (PNG, SVG), examples (PNG), the frame of figures (CSV) and the page."""
    check_folder(folder)
    with _replaced(folder) as new:
        for table in report.tables:
            for ending, render in _FORMS.items():
                (new / TABLES / f"{table.name}.{ending}").write_text(render(table), encoding="utf-8")
        drawn = {figure.name: figure.write(new / FIGURES) for figure in report.figures}
        sheets = example_sheets(report)
        for name, shown in sheets:
            example_sheet(shown, report.grid.illustration).save(new / EXAMPLES / f"{name}.png", format="PNG")
        for card in report.cards:
            home = new / CARDS / file_name(card.result.run.detector)
            home.mkdir()
            write_json(home / "card.json", card_json(card))
            (home / "card.md").write_text(card_markdown(card), encoding="utf-8")
        report.grid.frame.to_csv(new / FRAME, index=False, lineterminator="\n")
        write_page(new / PAGE, report, drawn)
    counts = {TABLES: len(report.tables) * len(_FORMS), FIGURES: 2 * len(drawn), EXAMPLES: len(sheets)}
    return counts | ({CARDS: 2 * len(report.cards)} if report.cards else {})


def example_sheets(report: Report) -> list[tuple[str, list[Example]]]:
    """The examples of each model and kind, with the name of their sheet."""
    sheets = [
        (
            file_name(f"{kind}_{model}"),
            [each for each in report.examples if (each.entry.model, each.face.kind) == (model, kind)],
        )
        for model in report.grid.models
        for kind in KINDS
    ]
    return [(name, shown) for name, shown in sheets if shown]


def card_json(card: Card) -> dict[str, Any]:
    """A card as plain values; docs/suite.md has its fields."""
    run, worst = card.result.run, card.worst

    def figures(metrics: Metrics, setup: str) -> dict[str, Any]:
        names = (*CHANGED, "balanced_accuracy")
        return {name: metrics.figure(setup, name).model_dump(exclude={"p"}) for name in names}

    return {
        "version": _CARD_VERSION,
        "detector": run.detector,
        "model": run.model,
        "weights": run.weights,
        "trained_on": run.trained_on,
        "tested_on": list(card.methods),
        "data": run.data,
        "protocol": run.protocol,
        "illustration": run.illustration,
        "counts": worst.metrics.counts.model_dump(),
        "bootstrap": worst.metrics.bootstrap.model_dump(),
        "clean": figures(worst.metrics, "clean"),
        "attacks": [
            {
                "name": name,
                "without_results_on": list(card.attacks[name][1]),
                "ssim": card.attacks[name][0].value("similarity/fake", "ssim"),
                "balanced_error": worst.errors.get(name),
                "figures": figures(card.attacks[name][0], "both"),
            }
            for name in card.order
        ],
        "mean": worst.mean,
        "worst_case": figures(worst.metrics, "both")
        | {
            "balanced_error": card.error.model_dump(include={"value", "low", "high"}),
            "reached": [{"attack": name, "balanced_error": error} for name, error in worst.reached.items()],
            "enough_for_95_percent": worst.needed,
        },
        "absent": list(card.absent),
    }


def card_markdown(card: Card) -> str:
    """A card for a model's README: the block that model hubs read, and the table."""
    run, worst = card.result.run, card.worst
    named = {
        f"{metric}, {words}": worst.metrics.value(setup, metric)
        for metric in CHANGED
        for setup, words in (("clean", "clean"), ("both", f"worst case over {len(worst.errors)} attacks"))
    }
    results = [
        EvalResult(
            task_type="image-classification",
            task_name="Deepfake detection",
            dataset_type=run.data,
            dataset_name=f"{run.data} ({', '.join(card.methods)})",
            dataset_split="test",
            metric_type=name.partition(",")[0],
            metric_name=f"{name.partition(',')[0].upper()}{name[name.index(',') :]}",
            metric_value=round(value, 4),
        )
        for name, value in named.items()
        if value is not None
    ]
    block = ModelCardData(model_name=run.detector, eval_results=results).to_yaml()
    note = f"{run.illustration}\n\n" if run.illustration else ""
    table = attack_table([card], f"Data: {run.data}, {len(worst.faces):,} faces.").markdown()
    return f"---\n{block}\n---\n\n# {card.name}: robustness\n\n{note}{table}"


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Give a folder to write to, whose parts replace those of the report; without an error only."""
    new = folder / ".new"
    shutil.rmtree(new, ignore_errors=True)
    for name in _FOLDERS:
        (new / name).mkdir(parents=True)
    try:
        yield new
        (folder / _MARK).touch()
        for name in _PARTS:
            old = folder / name
            if old.is_dir():
                shutil.rmtree(old)
            if (new / name).is_file() or any((new / name).iterdir()):
                (new / name).replace(old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
