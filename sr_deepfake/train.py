"""Train a detector, then attack it: `python -m sr_deepfake.train model=swin forgery=FaceSwap`."""

from omegaconf import DictConfig

from sr_deepfake.cell import cell_of_job
from sr_deepfake.cells import Job, running
from sr_deepfake.cli import program


@program("train")
def main(cfg: DictConfig) -> None:
    """Faces → a trained detector (reused if there is one) → its test scores, clean and attacked."""
    with running(cell_of_job("train", cfg), cfg) as job:
        train(cfg, job)


def train(cfg: DictConfig, job: Job) -> None:
    """Do one run."""
    import lightning
    from hydra.utils import instantiate

    from sr_deepfake import results
    from sr_deepfake.app import build
    from sr_deepfake.detectors import registry
    from sr_deepfake.provenance import write_provenance

    data = instantiate(cfg.data)  # faces
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    detector = instantiate(cfg.model)  # what is attacked
    recipe = build.recipe(cfg, detector, data)
    attack = build.attack(cfg)  # before the training: what is wrong with it is told at once
    folder = build.outputs(cfg) / "detectors" / recipe.name
    with build.logger(cfg) as logger:
        trainer = build.trainer(cfg, folder, logger, detector, data)
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # every step once, nothing is kept
            trainer.fit(detector, datamodule=data)
            data.attack = attack
            trainer.test(detector, datamodule=data)
            return
        with registry.claim(folder, recipe):
            if cfg.train.force:
                registry.forget(folder, build.command_id())
            if registry.is_finished(folder):
                build.log.info("Reusing the finished detector %s (train.force=true trains it again).", folder)
            else:
                build.announce(trainer, recipe, data)
                trainer.fit(
                    detector, datamodule=data, ckpt_path=registry.interrupted(folder), weights_only=True
                )
                write_provenance(folder, build.provenance(cfg, recipe.training["faces"]))
                registry.finish(folder)
            results.discard_of_other_weights(build.outputs(cfg), folder)
        data.attack = attack
        force = cfg.train.force or cfg.evaluate.force
        job.result, job.repeated = results.evaluate(cfg, folder, data, logger, force)


if __name__ == "__main__":
    main()
