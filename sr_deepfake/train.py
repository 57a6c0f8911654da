"""Train a detector, then attack it: `python -m sr_deepfake.train model=swin forgery=FaceSwap`."""

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sr_deepfake.cell import cell_of_job
from sr_deepfake.cells import CellStore
from sr_deepfake.cli import program
from sr_deepfake.errors import MissingWeightsError
from sr_deepfake.launching import check_launcher
from sr_deepfake.sweep import is_job_of_a_sweep

log = logging.getLogger(__name__)


@program("train")
def main(cfg: DictConfig) -> None:
    """Faces → a trained detector (reused if there is one) → its test scores, clean and attacked."""
    if is_job_of_a_sweep():
        check_launcher(HydraConfig.get(), cfg.trainer)  # the trainer may be what is swept over
    try:
        with CellStore(Path(cfg.paths.outputs)).running(cell_of_job("train", cfg)) as job:
            job.result, job.repeated = train_and_evaluate(cfg)
    except MissingWeightsError as missing:
        if not (cfg.evaluate.skip_missing_weights and is_job_of_a_sweep()):
            raise
        log.warning("Left out, as evaluate.skip_missing_weights says: %s", missing)


def train_and_evaluate(cfg: DictConfig) -> tuple[Path, bool]:
    """Do one cell; return the folder of its results, and whether they were there already."""
    import hydra

    from sr_deepfake import assembly
    from sr_deepfake.defending import defending
    from sr_deepfake.detectors.backbones import find_weights
    from sr_deepfake.detectors.store import DetectorStore
    from sr_deepfake.detectors.training import train_detector
    from sr_deepfake.results import evaluate_cell

    machine = assembly.runtime(cfg)
    forgery = cfg.forgery_method.name
    faces = hydra.utils.instantiate(cfg.data.source).faces(list(dict.fromkeys([forgery, cfg.tested_on])))
    weights = find_weights(cfg.model.name, cfg.model.pretrained, cfg.protocol.image_size)
    train = faces.of("train", forgery, cfg.protocol.frames)
    val = faces.of("val", forgery, cfg.protocol.frames)
    attack = assembly.attack(cfg)  # before the training: what is wrong with it is told at once
    defence = defending(cfg, machine)
    described = None if defence is None else defence.described()
    recipe = assembly.recipe(cfg, weights, machine, faces.name, train, val, described)
    with assembly.training_logger(cfg) as logger:
        detector = train_detector(
            recipe,
            weights,
            train,
            val,
            faces.folder,
            store=DetectorStore(assembly.outputs(cfg) / "detectors"),
            runtime=machine,
            provenance=lambda: assembly.provenance_of(cfg, machine, recipe.data),
            logger=logger,
            force=cfg.train.force,
            progress=cfg.trainer.progress,
            defence=None if defence is None else lambda: defence.ready(train, faces.folder),
        )
        force = cfg.train.force or cfg.evaluate.force
        return evaluate_cell(cfg, detector, faces, cfg.tested_on, machine, attack, logger, force)


if __name__ == "__main__":
    main()
