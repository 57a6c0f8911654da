"""Attack a trained detector: `python -m sr_deepfake.evaluate detector=outputs/detectors/NAME attack=bicubic`."""

from omegaconf import DictConfig

from sr_deepfake.cli import program


@program("evaluate")
def main(cfg: DictConfig) -> None:
    """Trained detectors and an attack → predictions, metrics and the table, one after the other."""
    import hydra

    from sr_deepfake import assembly
    from sr_deepfake.detectors.store import read_recipe

    machine = assembly.runtime(cfg)
    source = hydra.utils.instantiate(cfg.data.source)
    with assembly.training_logger(cfg) as logger:
        for folder in assembly.find_detectors(cfg.detector):
            trained = read_recipe(folder)
            forgery = cfg.forgery_method.name if "forgery_method" in cfg else trained.forgery
            if not assembly.protocol_is_given():
                cfg.protocol = trained.protocol
            attack = assembly.attack(cfg)
            assembly.evaluate_cell(cfg, folder, source.faces([forgery]), forgery, machine, attack, logger)


if __name__ == "__main__":
    main()
