"""Train a detector, then attack it: `python -m sr_deepfake.train model=swin forgery=FaceSwap`."""

from omegaconf import DictConfig

from sr_deepfake.cli import program


@program("train")
def main(cfg: DictConfig) -> None:
    """Faces → a trained detector (reused if there is one) → its test scores, clean and attacked."""
    import hydra

    from sr_deepfake import assembly
    from sr_deepfake.detectors.backbones import find_weights
    from sr_deepfake.detectors.store import DetectorStore
    from sr_deepfake.detectors.training import train_detector

    machine = assembly.runtime(cfg)
    forgery = cfg.forgery_method.name
    faces = hydra.utils.instantiate(cfg.data.source).faces([forgery])
    weights = find_weights(cfg.model.name, cfg.model.pretrained, cfg.protocol.image_size)
    train = faces.of("train", forgery, cfg.protocol.frames)
    val = faces.of("val", forgery, cfg.protocol.frames)
    attack = assembly.attack(cfg)  # before the training: what is wrong with it is told at once
    recipe = assembly.recipe(cfg, weights, machine, faces.name, train, val)
    with assembly.training_logger(cfg) as logger:
        detector = train_detector(
            recipe,
            weights,
            train,
            val,
            faces.folder,
            store=DetectorStore(assembly.outputs(cfg) / "detectors"),
            runtime=machine,
            logger=logger,
            force=cfg.train.force,
            progress=cfg.trainer.progress,
        )
        assembly.evaluate_cell(cfg, detector, faces, forgery, machine, attack, logger)


if __name__ == "__main__":
    main()
