"""From the configuration to a report."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from sr_deepfake.app.configuration import plain, words
from sr_deepfake.app.examples import Illustrator
from sr_deepfake.app.explanations import Explainer
from sr_deepfake.app.grid import grid_of
from sr_deepfake.app.missing import rest_of_experiment, rest_of_grid
from sr_deepfake.app.overrides import completed
from sr_deepfake.app.tested_faces import TestedFaces
from sr_deepfake.experiment import provenance
from sr_deepfake.experiment.runs import RunStore
from sr_deepfake.reporting.building import illustration_of, make_figures, make_tables, notes_of
from sr_deepfake.reporting.collect import Collected, collect
from sr_deepfake.reporting.experiments.parts import experiment_parts
from sr_deepfake.reporting.explanations import Explanations, band_table
from sr_deepfake.reporting.grid import Wish, make_grid
from sr_deepfake.reporting.report import Missing, Report
from sr_deepfake.reporting.scores import read_scores
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import UserError, choose

COMPARISONS = ("none", "paper")


def report_of(cfg: DictConfig) -> Report:
    """Collect the results that the configuration names and make a report of them.

    Raises:
        UserError: there are no results, or they are not what the options ask for.
    """
    compare = choose(cfg.compare, COMPARISONS, "compare") == "paper"
    count = int(cfg.examples)
    if count < 0:
        raise UserError(f"examples={count} must be 0 or more")
    collected, missing, wish = _collected(cfg)
    results = collected.results
    grid = make_grid(results, wish)
    illustration = illustration_of(grid, results)
    parts = experiment_parts(results, grid, illustration)
    # What is refused is refused before the figures are drawn.
    tables = make_tables(grid, parts, illustration, compare, bool(cfg.compare_force))
    attacked = [result for _, result in grid.attacked]
    faces = TestedFaces()
    explainer = Explainer(faces) if cfg.explain else None
    illustrator = Illustrator(faces, explainer)
    searched = track(attacked, len(attacked), "Finding examples", "detectors")
    found = [illustrator.of(result, count) for result in searched]
    examples = [example for shown, _ in found for example in shown]
    explanations = Explanations() if explainer is None else explainer.explain(attacked)
    bands = band_table(explanations, grid, illustration)
    figures, without_curves = make_figures(grid, results, parts, examples, explanations)
    notes = [*notes_of(grid, collected), *without_curves, *(note for _, told in found for note in told)]
    return Report(
        results=results,
        grid=grid,
        tables=[*tables, *([bands] if bands else [])],
        figures=figures,
        examples=examples,
        unread=collected.unread,
        notes=[*notes, *(explainer.notes if explainer else [])],
        missing=missing if cfg.runs else rest_of_grid(grid, results),
        illustration=illustration,
        versions=provenance.versions(),
        command=provenance.started_command(),
        made=provenance.utc(time.time()),
    )


def out_folder(cfg: DictConfig) -> Path:
    """Folder of a report: `out`, else `<outputs>/report`, or `<outputs>/report-NAME` of an experiment."""
    names = [run.removeprefix("experiment=") for run in words(cfg.runs) if run.startswith("experiment=")]
    return Path(cfg.out) if cfg.out else Path(cfg.paths.outputs, "-".join(["report", *names]))


def _collected(cfg: DictConfig) -> tuple[Collected, Missing | None, Wish]:
    """All results, or those of the runs that were asked for; what these lack; and what the grid is to show.

    Raises:
        UserError: there are none.
    """
    folders = [Path(folder).expanduser() for folder in words(cfg.folders)]
    asked = words(cfg.runs)
    wish = Wish(**{str(name): plain(value) for name, value in cfg.grid.items()})
    if cfg.scores is not None:
        scored = [result for file in words(cfg.scores) for result in read_scores(Path(file).expanduser())]
        others = collect([folder for folder in folders if folder.is_dir()])
        # What was asked for stands in the tables, and beside it what is of the same data and attack.
        attacks = [result.attack for result in scored if result.is_attacked]
        wish = replace(
            wish, data=wish.data or scored[0].data, attack=wish.attack or (attacks[0] if attacks else None)
        )
        return replace(others, results=[*scored, *others.results]), None, wish
    if not asked:
        collected = collect(folders)
        if not collected.results:
            raise UserError(_nothing(folders, collected))
        return collected, None, wish
    outputs = Path(cfg.paths.outputs)
    store = RunStore(outputs)
    runs = [store.like(run) or run for run in grid_of("train", completed("train", asked)).runs]
    missing = rest_of_experiment(runs, provenance.command_of("train", ["-m", *asked]))
    collected = collect([outputs / run.result for run in runs if run.state == "done"])
    if not collected.results:
        raise UserError(
            f"no run of {' '.join(asked)} has results yet; `{missing.command if missing else ''}` does them"
        )
    return collected, missing, wish


def _nothing(folders: Sequence[Path], collected: Collected) -> str:
    searched = ", ".join(map(str, folders))
    told = "".join(f"; {unread.folder}: {unread.reason}" for unread in collected.unread[:3])
    return (
        f"there are no results in {searched}{told}. `python -m sr_deepfake.train experiment=demo` makes some; "
        "folders=[FOLDER] names where they are"
    )
