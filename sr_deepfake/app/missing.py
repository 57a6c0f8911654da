"""Missing runs of a report: one sentence, and the command that does them."""

from collections.abc import Sequence

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.overrides import without_replaced
from sr_deepfake.experiment.provenance import command_of
from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.grid import ReportGrid, newest_first, ordered
from sr_deepfake.reporting.published import DATA, METHODS, MODELS
from sr_deepfake.reporting.report import Missing

# Of an earlier run's overrides, those that say which detector and attack it was or how it was done.
_LEFT_OUT = (
    "model", "forgery", "attack", "sr_model", "defence", "tested_on", "detector", "from_run", "evaluate.", "train.",
    "trainer.enable_progress_bar", "logger",
)  # fmt: skip


def rest_of_grid(grid: ReportGrid, results: Sequence[Result]) -> Missing | None:
    """Runs of the paper's grid that a report lacks; None where it is complete."""
    shown = {
        (entry.model, entry.method) for entry in grid.attacked if entry.result and not entry.result.run.is_external
    }
    external = {entry.model for entry in grid.shown if entry.result and entry.result.run.is_external}
    models = ordered({*grid.models, *(MODELS if grid.data == DATA else ())} - external, MODELS)
    methods = list(METHODS) if set(METHODS) & set(grid.methods) else list(grid.methods)
    absent = [(model, method) for model in models for method in methods if (model, method) not in shown]
    alike = [
        result
        for result in sorted(results, key=newest_first)
        if result.run.is_plain
        and result.run.fits(grid.data, grid.protocol)
        and result.provenance.get("program") == "train"
        and isinstance(result.provenance.get("overrides"), list)
    ]
    if not absent or not alike:
        return None
    newest = next((result for result in alike if result.run.attack.name == grid.attack), alike[0])
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
        ["attack=sr"] if result.run.attack.kind.startswith("sr-") else []
    )
