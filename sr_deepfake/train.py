"""Train a detector, then attack it: `python -m sr_deepfake.train model=swin forgery=FaceSwap`."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program
from sr_deepfake.experiment.jobs import Outcome
from sr_deepfake.system.errors import UserError


@program("train")
def main(cfg: DictConfig, outcome: Outcome) -> None:
    """Faces → a trained detector (reused if there is one) → its test scores, clean and attacked."""
    import lightning
    from hydra.utils import instantiate

    from sr_deepfake.app import build, evaluation
    from sr_deepfake.app.sweep import command_id, wants_objective
    from sr_deepfake.detectors import registry
    from sr_deepfake.experiment.provenance import write_provenance
    from sr_deepfake.system.console import name_steps

    if cfg.suite is not None:
        raise UserError(
            "a suite attacks a detector that there is: python -m sr_deepfake.evaluate -m experiment=… detector=…"
        )
    name_steps(cfg.steps)
    data = instantiate(cfg.data)  # faces
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    detector = instantiate(cfg.model)  # what is attacked
    recipe = build.recipe(cfg, detector, data)
    attack = build.attack(cfg)  # before the training: its mistakes are reported at once
    data.rows("test")  # and so are missing test faces
    how = build.evaluation(cfg, force=bool(cfg.train.force or cfg.evaluate.force))
    folder = how.outputs / "detectors" / recipe.name
    with build.logger(cfg) as logger:
        trainer = build.trainer(cfg, folder, logger, detector, data)
        if how.fast_dev_run:  # every step once, nothing is kept
            trainer.fit(detector, datamodule=data)
            data.attack = attack
            trainer.test(detector, datamodule=data)
            return
        with registry.claim(folder, recipe):
            if cfg.train.force:
                registry.discard_training(folder, command_id())
            if registry.is_finished(folder):
                build.log.info("Reusing the finished detector %s (train.force=true trains it again).", folder)
            else:
                build.announce(trainer, folder, recipe, data)
                trainer.fit(detector, datamodule=data, ckpt_path=registry.interrupted(folder), weights_only=True)
                write_provenance(folder, build.provenance(cfg, recipe.training["faces"]))
                registry.finish(folder)
            evaluation.discard_of_other_weights(how.outputs, folder)
        data.attack = attack
        if result := evaluation.evaluate(folder, data, how, logger):
            outcome.results.append(result)
            if wants_objective():
                outcome.objective = evaluation.objective(cfg.objective, folder, data, how, result)


if __name__ == "__main__":
    main()
