"""Shows how far a sweep is: `python -m sr_deepfake.status experiment=paper data.root=/path/to/FaceForensics++`."""

import sys
from pathlib import Path

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.overrides import completed, expanded, is_sweep, program_of
from sr_deepfake.app.program import escape_what_cannot_be_shown, misuse
from sr_deepfake.app.status import exit_status, rows_of, show, show_remedies
from sr_deepfake.experiment.jobs import read_jobs
from sr_deepfake.experiment.provenance import command_of
from sr_deepfake.system.errors import UserError


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="status")
def _answer(cfg: DictConfig) -> None:
    """Answer --help, --cfg and the like, as the other programs do."""


def main() -> None:
    """List runs and what became of them; the exit status is 0, 1, 2 or 3, as `--help` says."""
    escape_what_cannot_be_shown()
    typed = [word for word in sys.argv[1:] if word not in ("-m", "--multirun")]
    if any(word.startswith("-") for word in typed):
        _answer()
        return
    try:
        overrides = completed("train", typed)
        program = program_of(typed)
        fixed = [override for override in overrides if not is_sweep(override)]
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = hydra.compose(program, fixed, return_hydra_config=True)
            params = [f"{key}={value}" for key, value in (cfg.hydra.sweeper.get("params") or {}).items()]
            asked = expanded(params, overrides)
        outputs = Path(cfg.paths.outputs)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        misuse(" ".join(str(error).split()))
    jobs = read_jobs(outputs)
    everything = all(word.startswith("paths.") for word in typed)
    rows = (
        [job for job in jobs if job.program in ("train", "evaluate")] if everything else rows_of(jobs, asked, program)
    )
    if not rows:
        print(
            f"There are no runs in {outputs} yet. `python -m sr_deepfake.train` does one; "
            "`python -m sr_deepfake.status experiment=NAME` shows those of an experiment."
        )
    else:
        show(rows, outputs)
        sweep = None if everything else command_of(program, [*(["-m"] if len(asked) > 1 or params else []), *typed])
        show_remedies(rows, sweep)
    raise SystemExit(exit_status(rows))


if __name__ == "__main__":
    main()
