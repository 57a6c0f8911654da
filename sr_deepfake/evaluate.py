"""Attack a detector: `python -m sr_deepfake.evaluate detector=outputs/detectors/NAME attack=bicubic`.

Or an external one: `model=onnx model.path=FILE`. With `input=PATH` it scores photos and videos instead, and attacks nothing.
"""

from omegaconf import DictConfig

from sr_deepfake.app.program import program
from sr_deepfake.experiment.jobs import Outcome
from sr_deepfake.system.errors import UserError


@program("evaluate")
def main(cfg: DictConfig, outcome: Outcome) -> None:
    """Detectors and an attack → predictions, metrics and the table, one after the other."""
    from hydra.utils import instantiate

    from sr_deepfake.app import build, evaluation, media
    from sr_deepfake.app.detectors import detector_folders, paired, pairings
    from sr_deepfake.app.end_to_end import end_to_end
    from sr_deepfake.app.suite import each_attack

    folders = detector_folders(cfg)
    if cfg.input is not None:
        media.score_input(cfg, folders)
        return
    found = pairings(folders, cfg.forgery, instantiate(cfg.data.source).methods)

    def attack(cfg: DictConfig) -> None:
        failed: list[UserError] = []
        for pairing in found:
            own = paired(cfg, pairing, several=len(found) > 1)
            data = instantiate(own.data)
            data.attack = build.attack(own)
            try:
                if own.end_to_end:
                    outcome.results.extend(end_to_end(own, pairing.folder, data))
                    continue
                with build.logger(own) as logger:
                    how = build.evaluation(own, force=bool(own.evaluate.force))
                    if result := evaluation.evaluate(pairing.folder, data, how, logger):
                        outcome.results.append(result)
            except UserError as error:  # the others are scored
                failed.append(error)
                if len(found) > 1:
                    evaluation.log.error("error: %s: %s", pairing.label, error)
        if failed:
            raise failed[0]

    each_attack(cfg, outcome, attack)


if __name__ == "__main__":
    main()
