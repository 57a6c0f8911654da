"""Train a detector, then attack it: `python -m sr_deepfake.train model=swin forgery=FaceSwap`."""

from omegaconf import DictConfig

from sr_deepfake.app.grid import run_of_job, running
from sr_deepfake.app.program import program
from sr_deepfake.experiment.runs import Outcome


@program("train")
def main(cfg: DictConfig) -> None:
    """Faces → a trained detector (reused if there is one) → its test scores, clean and attacked."""
    with running(run_of_job("train", cfg), cfg) as outcome:
        train(cfg, outcome)


def train(cfg: DictConfig, outcome: Outcome) -> None:
    """Do one run."""
    import lightning
    from hydra.utils import instantiate

    from sr_deepfake.app import build, evaluation
    from sr_deepfake.detectors import registry
    from sr_deepfake.experiment.provenance import write_provenance

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
            evaluation.discard_of_other_weights(build.outputs(cfg), folder)
        data.attack = attack
        force = cfg.train.force or cfg.evaluate.force
        outcome.result, outcome.repeated = evaluation.evaluate(cfg, folder, data, logger, force)


if __name__ == "__main__":
    main()
