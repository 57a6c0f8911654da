"""Attack a detector: `python -m sr_deepfake.evaluate detector=outputs/detectors/NAME attack=bicubic`.

Or one that was trained elsewhere: `model=onnx model.path=FILE`. With `input=PATH` it scores photos and videos instead,
and attacks nothing.
"""

from pathlib import Path

from omegaconf import DictConfig

from sr_deepfake.app.configuration import words
from sr_deepfake.app.grid import run_of_job, running
from sr_deepfake.app.program import program
from sr_deepfake.experiment.runs import Outcome


@program("evaluate")
def main(cfg: DictConfig) -> None:
    """Detectors and an attack → predictions, metrics and the table, one after the other."""
    from sr_deepfake.app.detectors import external_folder, spanned
    from sr_deepfake.app.media import score_input
    from sr_deepfake.detectors import registry

    wish = cfg.detector
    folders = [external_folder(cfg)] if wish is None else registry.find_detectors(words(wish))
    if cfg.input is not None:
        score_input(cfg, folders)
        return
    for own, folder, model in spanned(cfg, folders):
        with running(run_of_job("evaluate", own, model=model, detector=folder.name), own) as outcome:
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
