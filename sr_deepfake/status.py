"""Shows how far a sweep is: `python -m sr_deepfake.status experiment=paper data.root=/path/to/FaceForensics++`."""

import hydra
from omegaconf import DictConfig

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.grid import asked_grid
from sr_deepfake.app.status import exit_status, show, show_remedies, without_repetitions
from sr_deepfake.experiment.provenance import command_of
from sr_deepfake.experiment.runs import RunStore


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="status")
def _hydra(cfg: DictConfig) -> None:
    """Answer --help, --cfg and the like, as the other programs do."""


def main() -> None:
    """List runs and what became of them; the exit status is 0, 1, 2 or 3, as `--help` says."""
    asked = asked_grid(_hydra)
    if asked is None:
        return
    typed, grid = asked.typed, asked.grid
    store = RunStore(grid.outputs)
    if all(argument.startswith(("-", "paths.")) for argument in typed):
        runs, varied, sweep = without_repetitions(store.all()), None, None
    else:
        runs, varied = [store.like(run) or run for run in grid.runs], grid.varied
        rest = [argument for argument in typed if argument not in ("-m", "--multirun")]
        sweep = command_of("train", ["-m", *rest] if grid.is_sweep else rest)
    if runs:
        show(runs, varied or [{} for _ in runs], grid.outputs)
        show_remedies(runs, sweep)
    else:
        print(
            f"There are no runs in {grid.outputs} yet. `python -m sr_deepfake.train` does one; "
            "`python -m sr_deepfake.status experiment=NAME` shows those of an experiment."
        )
    raise SystemExit(exit_status(runs))


if __name__ == "__main__":
    main()
