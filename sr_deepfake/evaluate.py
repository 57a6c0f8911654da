"""Attack a trained detector: `python -m sr_deepfake.evaluate detector=outputs/detectors/NAME attack=bicubic`.

With `input=PATH` it scores photos and videos of one's own instead, and attacks nothing.
"""

from dataclasses import replace

from omegaconf import DictConfig

from sr_deepfake.cell import cell_of_job
from sr_deepfake.cells import CellStore
from sr_deepfake.cli import program


@program("evaluate")
def main(cfg: DictConfig) -> None:
    """Trained detectors and an attack → predictions, metrics and the table, one after the other."""
    if cfg.input is not None:
        score_input(cfg)
    else:
        score_test_faces(cfg)


def score_test_faces(cfg: DictConfig) -> None:
    """Score the test faces of the data set, clean and attacked."""
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


def score_input(cfg: DictConfig) -> None:
    """Score the faces of photos and videos."""
    from pathlib import Path

    import hydra
    from hydra.core.hydra_config import HydraConfig

    from sr_deepfake import assembly, file_assembly, file_scoring
    from sr_deepfake.file_jobs import find_files

    files = find_files(assembly.plain(cfg.input))
    machine = assembly.runtime(cfg)
    folders = assembly.find_detectors(cfg.detector)
    settings = hydra.utils.instantiate(cfg.extraction)
    scorers = {folder.name: file_assembly.face_scorer(folder, machine) for folder in folders}
    finder = file_assembly.face_finder(cfg.extraction, machine)
    scores = file_scoring.score_files(files.found, finder, scorers, settings, cfg.trainer.progress)
    report = Path(cfg.evaluate.report or Path(HydraConfig.get().runtime.output_dir, "scores.csv"))
    file_scoring.print_scores(scores)
    file_scoring.write_scores(report, scores)
    print(f"Scores: {report}")
    file_scoring.check_faults(scores)


if __name__ == "__main__":
    main()
