"""Attack a trained detector: `python -m sr_deepfake.evaluate detector=outputs/detectors/NAME attack=bicubic`."""

from dataclasses import replace

from omegaconf import DictConfig

from sr_deepfake.cell import cell_of_job
from sr_deepfake.cells import CellStore
from sr_deepfake.cli import program


@program("evaluate")
def main(cfg: DictConfig) -> None:
    """Trained detectors and an attack → predictions, metrics and the table, one after the other."""
    import hydra

    from sr_deepfake import assembly
    from sr_deepfake.detectors.store import read_recipe
    from sr_deepfake.results import evaluate_cell

    machine = assembly.runtime(cfg)
    source = hydra.utils.instantiate(cfg.data.source)
    store = CellStore(assembly.outputs(cfg))
    with assembly.training_logger(cfg) as logger:
        for folder in assembly.find_detectors(cfg.detector):
            trained = read_recipe(folder)
            forgery = cfg.forgery_method.name if "forgery_method" in cfg else trained.forgery
            if not assembly.protocol_is_given():
                cfg.protocol = trained.protocol
            cell = cell_of_job("evaluate", cfg, detector=folder.name)
            with store.running(replace(cell, model=trained.model, forgery=forgery)) as job:
                attack = assembly.attack(cfg)
                faces = source.faces([forgery])
                job.result, job.repeated = evaluate_cell(
                    cfg, folder, faces, forgery, machine, attack, logger, cfg.evaluate.force
                )


if __name__ == "__main__":
    main()
