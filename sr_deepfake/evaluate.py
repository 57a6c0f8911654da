"""Attack a trained detector: `python -m sr_deepfake.evaluate detector=outputs/detectors/NAME attack=bicubic`.

With `input=PATH` it scores photos and videos instead, and attacks nothing.
"""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.app.configuration import checked, words
from sr_deepfake.app.grid import run_of_job, running
from sr_deepfake.app.program import program
from sr_deepfake.experiment.runs import Outcome


@program("evaluate")
def main(cfg: DictConfig) -> None:
    """Trained detectors and an attack → predictions, metrics and the table, one after the other."""
    from sr_deepfake.app.media import score_input
    from sr_deepfake.detectors import registry

    folders = registry.find_detectors(words(cfg.detector))
    if cfg.input is not None:
        score_input(cfg, folders)
        return
    for folder in folders:
        own = cfg.copy()
        OmegaConf.set_struct(own, False)
        trained = registry.read_recipe(folder)
        if not own.get("forgery_method"):
            own.forgery_method = {"name": trained.forgery}
        if not any(
            word.startswith("protocol") for word in HydraConfig.get().overrides.task
        ):  # that of its training
            own.protocol = checked(trained.protocol, f"detector={folder}", "protocol")
        if len(folders) > 1:  # each has a logger of its own
            own.run_name, own.log_folder = f"{own.run_name}-{folder.name}", f"{own.log_folder}/{folder.name}"
        with running(run_of_job("evaluate", own, model=trained.model, detector=folder.name), own) as outcome:
            evaluate(own, folder, outcome)


def evaluate(cfg: DictConfig, folder: Path, outcome: Outcome) -> None:
    """Attack one detector."""
    from hydra.utils import instantiate

    from sr_deepfake.app import build, evaluation

    data = instantiate(cfg.data)
    data.attack = build.attack(cfg)
    with build.logger(cfg) as logger:
        outcome.result, outcome.repeated = evaluation.evaluate(cfg, folder, data, logger, cfg.evaluate.force)


if __name__ == "__main__":
    main()
