"""From the configuration to a report, and the command that does the runs which it lacks."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from sr_deepfake.app.configuration import CONF, plain, words
from sr_deepfake.app.overrides import program_of, without_replaced
from sr_deepfake.experiment import provenance
from sr_deepfake.experiment.jobs import Job, read_jobs, select_jobs
from sr_deepfake.experiment.provenance import command_of
from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.collect import Collected, collect
from sr_deepfake.reporting.grid import GridSelection, ReportGrid, newest_first, ordered
from sr_deepfake.reporting.published import DATA, METHODS, MODELS
from sr_deepfake.reporting.report import Missing, Report, make_report
from sr_deepfake.reporting.scores import read_scores
from sr_deepfake.system.errors import UserError, choose

# Of an earlier run's overrides, those that say which detector and attack it was or how it was done.
_LEFT_OUT = (
    "model", "forgery", "attack", "sr_model", "defence", "tested_on", "detector", "from_run", "evaluate.", "train.",
    "trainer.enable_progress_bar", "logger",
)  # fmt: skip


def report_of(cfg: DictConfig) -> Report:
    """Collect the results that the configuration names and make a report of them."""
    compare = choose(cfg.compare, ("none", "paper"), "compare") == "paper"
    if not isinstance(cfg.examples, int) or cfg.examples < 0:
        raise UserError(f"examples must be an integer ≥ 0, not {cfg.examples}")
    jobs = read_jobs(Path(cfg.paths.outputs))  # the newest last
    of_experiment = select_jobs(jobs, [f"experiment={cfg.of_experiment}"])
    collected, requested = _collected(cfg, of_experiment)
    left_out = {Path(result).name: job.left_out for job in jobs for result in job.results}
    made = make_report(
        collected, requested, compare, bool(cfg.compare_force), cfg.examples, bool(cfg.explain), left_out
    )
    return replace(
        made,
        missing=_rest_of_experiment(cfg.of_experiment, of_experiment) or rest_of_grid(made.grid, made.results),
        versions=provenance.versions(),
        command=provenance.started_command(),
        made=provenance.utc(time.time()),
    )


def out_folder(cfg: DictConfig) -> Path:
    """Folder of a report: `out`, else `<outputs>/report`, or `<outputs>/report-NAME` of an experiment."""
    name = "report" if cfg.of_experiment is None else f"report-{cfg.of_experiment}"
    return Path(cfg.out or Path(cfg.paths.outputs, name))


def _collected(cfg: DictConfig, jobs: Sequence[Job]) -> tuple[Collected, GridSelection]:
    """The results that were asked for, and what the grid is to show."""
    chosen = {str(name): plain(value) for name, value in cfg.grid.items()}
    chosen |= {name: words(chosen[name]) for name in ("models", "methods") if chosen[name] is not None}
    requested = GridSelection(**chosen)
    folders = [Path(folder).expanduser() for folder in words(cfg.folders)]
    if cfg.scores is not None:
        scored = [result for file in words(cfg.scores) for result in read_scores(Path(file).expanduser())]
        others = collect([folder for folder in folders if folder.is_dir()])
        attacks = [result.run.attack.name for result in scored if result.is_attacked]
        # The tables are of what was asked for, with other results of the same data and attack.
        requested = replace(
            requested,
            data=requested.data or scored[0].run.data,
            attack=requested.attack or (attacks[0] if attacks else None),
        )
        return replace(others, results=[*scored, *others.results]), requested
    if cfg.of_experiment is not None:
        outputs = Path(cfg.paths.outputs)
        if not jobs:
            choose(cfg.of_experiment, _experiments(), "experiment")
        folders = [outputs / result for job in jobs if job.state == "done" for result in job.results]
        if not folders:
            experiment = f"experiment={cfg.of_experiment}"
            command = command_of(program_of([experiment]), ["-m", experiment])
            raise UserError(f"no run of {experiment} has results in {outputs}; `{command}` does them")
    collected = collect(folders)
    if not collected.results:
        raise UserError(_nothing(folders, collected))
    return collected, requested


def _rest_of_experiment(name: str | None, jobs: Sequence[Job]) -> Missing | None:
    if name is None or not jobs:
        return None
    unfinished = [job for job in jobs if job.state != "done"]
    reasons = "; ".join(dict.fromkeys(job.error for job in unfinished if job.error))
    swept: Any = ()  # what its jobs differ in, and so is not theirs to name
    if name in _experiments():
        swept = compose(jobs[-1].program, [f"experiment={name}"], return_hydra_config=True).hydra.sweeper.params or ()
    shared = set.intersection(*(set(job.overrides) for job in jobs)) - {f"experiment={name}"}
    typed = sorted(word for word in shared if word.partition("=")[0] not in swept)
    states = f" {len(unfinished)} of {len(jobs)} have no results ({reasons or 'unfinished'})." if unfinished else ""
    return Missing(
        f"Shown are the runs of experiment={name} that were done.{states} Those that are missing are listed by:",
        command_of("status", [f"experiment={name}", *typed]),
    )


def _experiments() -> list[str]:
    return list(GlobalHydra.instance().config_loader().get_group_options("experiment"))


def _nothing(folders: Sequence[Path], collected: Collected) -> str:
    searched = ", ".join(map(str, folders)) or "no folder"
    reasons = "".join(f"; {unread.folder}: {unread.reason}" for unread in collected.unread[:3])
    return (
        f"there are no results in {searched}{reasons}. `python -m sr_deepfake.train experiment=demo` makes some; "
        "folders=[FOLDER] names where they are"
    )


def rest_of_grid(grid: ReportGrid, results: Sequence[Result]) -> Missing | None:
    """Runs of the paper's grid that a report lacks; None where it is complete."""
    shown = {(entry.model, entry.method) for entry in grid.attacked if not entry.result.run.is_external}
    external = {entry.model for entry in grid.shown if entry.result.run.is_external}
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
