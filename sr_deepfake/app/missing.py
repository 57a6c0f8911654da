"""Missing runs of a report: one sentence, and the command that does them."""

from collections import Counter
from collections.abc import Sequence

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.overrides import without_replaced
from sr_deepfake.experiment.provenance import command_of
from sr_deepfake.experiment.results import Result
from sr_deepfake.experiment.runs import Run
from sr_deepfake.reporting.grid import METHODS, MODELS, ReportGrid, is_plain, ordered
from sr_deepfake.reporting.published import DATA
from sr_deepfake.reporting.report import Missing

# Of an earlier run's overrides, those that say which detector and attack it was or how it was done.
_LEFT_OUT = (
    "model", "forgery", "attack", "sr_model", "defence", "tested_on", "detector", "from_run", "evaluate.", "train.",
    "trainer.enable_progress_bar", "logger",
)  # fmt: skip


def rest_of_grid(grid: ReportGrid, results: Sequence[Result]) -> Missing | None:
    """Runs of the paper's grid that a report lacks; None where it is complete.

    The whole grid is the paper's five methods (where one of them was run) for the models that were run; for
    FaceForensics++ the paper's three models too.

    Args:
        grid: of the report.
        results: all of them; the newest of the grid's data and protocol tells how the others are made.
    """
    shown = {(entry.model, entry.forgery) for entry, result in grid.attacked if not result.is_external}
    elsewhere = {entry.model for entry in grid.shown if entry.clean and entry.clean.is_external}
    models = ordered({*grid.models, *(MODELS if grid.data == DATA else ())} - elsewhere, MODELS)
    methods = list(METHODS) if set(METHODS) & set(grid.methods) else list(grid.methods)
    lacking = [(model, method) for model in models for method in methods if (model, method) not in shown]
    alike = [
        result
        for result in results
        if is_plain(result)
        and result.fits(grid.data, grid.protocol)
        and result.provenance.get("program") == "train"
        and isinstance(result.provenance.get("overrides"), list)
    ]
    if not lacking or not alike:
        return None
    newest = max(alike, key=lambda result: (result.attack == grid.attack, result.started))
    overrides = [str(override) for override in newest.provenance["overrides"]]
    kept = [override for override in overrides if not override.startswith(_LEFT_OUT)]
    if not any(override.startswith(("experiment=", "data=")) for override in kept):
        kept.append(f"data={grid.data}")
    wanted = [*_models(models, overrides), f"forgery={','.join(methods)}", *_attack(newest, overrides)]
    return Missing(
        f"{len(shown)} of the {len(models) * len(methods)} detectors of the grid are shown; the others are made by:",
        command_of("train", ["-m", *without_replaced(kept, wanted), *wanted]),
    )


def _models(models: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The overrides that name all models; those of the earlier run where `conf/model` does not know them."""
    if all((CONF / "model" / f"{model}.yaml").is_file() for model in models):
        return [f"model={','.join(models)}"]
    return [override for override in overrides if override.startswith("model")]


def _attack(result: Result, overrides: Sequence[str]) -> list[str]:
    return [override for override in overrides if override.startswith(("attack", "sr_model"))] or (
        ["attack=sr"] if result.kind.startswith("sr-") else []
    )


def rest_of_experiment(runs: Sequence[Run], command: str) -> Missing | None:
    """Runs of an experiment that a report lacks; None where it is complete.

    Args:
        runs: of the experiment, with their states.
        command: that does them all.
    """
    open_runs = [run for run in runs if run.state != "done"]
    if not open_runs:
        return None
    states = ", ".join(f"{count} {state}" for state, count in Counter(run.state for run in open_runs).items())
    reasons = "; ".join(dict.fromkeys(run.error for run in open_runs if run.error))
    told = f"{states}: {reasons}" if reasons else states
    return Missing(
        f"{len(open_runs)} of {len(runs)} runs have no results ({told}). They are done by:", command
    )
