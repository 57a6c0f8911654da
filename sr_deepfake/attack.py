"""Attack photos and videos: `python -m sr_deepfake.attack input=PATH output=PATH`."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program
from sr_deepfake.experiment.jobs import Outcome


@program("attack")
def main(cfg: DictConfig, outcome: Outcome) -> None:
    """Photos and videos → the same, their faces attacked and put back."""
    from sr_deepfake.app import media
    from sr_deepfake.app.configuration import plain
    from sr_deepfake.media.attack import attack_files
    from sr_deepfake.media.files import find_files, plan_jobs
    from sr_deepfake.media.outcomes import conclude

    output = "" if cfg.output is None else str(cfg.output)
    files = find_files(plain(cfg.input), output)
    jobs = plan_jobs(files, output, cfg.overwrite, cfg.preview)
    detector = media.only_detector(cfg)
    report = media.report_file(cfg.report, output, files, jobs, detector)
    outcomes = attack_files(jobs, media.file_attacker(cfg, detector), report, cfg.trainer.enable_progress_bar)
    if report is not None:
        print(f"Report: {report}")
    conclude(outcomes, files.left_alone)


if __name__ == "__main__":
    main()
