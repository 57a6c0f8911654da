"""Attack a trained detector: `python -m sr_deepfake.evaluate detector=outputs/detectors/NAME attack=bicubic`.

With `input=PATH` it scores photos and videos of one's own instead, and attacks nothing.
"""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from sr_deepfake.cell import cell_of_job, protocol_is_given
from sr_deepfake.cells import Job, running
from sr_deepfake.cli import program


@program("evaluate")
def main(cfg: DictConfig) -> None:
    """Trained detectors and an attack → predictions, metrics and the table, one after the other."""
    from sr_deepfake import file_assembly
    from sr_deepfake.app.build import words
    from sr_deepfake.detectors import registry

    folders = registry.find_detectors(words(cfg.detector))
    if cfg.input is not None:
        file_assembly.score_input(cfg, folders)
        return
    for folder in folders:
        own = cfg.copy()
        OmegaConf.set_struct(own, False)
        trained = registry.read_recipe(folder)
        if not own.get("forgery_method"):
            own.forgery_method = {"name": trained.forgery}
        if not protocol_is_given():
            own.protocol = trained.protocol
        if len(folders) > 1:  # each has a logger of its own
            own.run_name, own.log_folder = f"{own.run_name}-{folder.name}", f"{own.log_folder}/{folder.name}"
        with running(cell_of_job("evaluate", own, model=trained.model, detector=folder.name), own) as job:
            evaluate(own, folder, job)


def evaluate(cfg: DictConfig, folder: Path, job: Job) -> None:
    """Attack one detector."""
    from hydra.utils import instantiate

    from sr_deepfake import results
    from sr_deepfake.app import build

    data = instantiate(cfg.data)
    data.attack = build.attack(cfg)
    with build.logger(cfg) as logger:
        job.result, job.repeated = results.evaluate(cfg, folder, data, logger, cfg.evaluate.force)


if __name__ == "__main__":
    main()
