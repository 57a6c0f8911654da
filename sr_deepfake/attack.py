"""Attack photos and videos: `python -m sr_deepfake.attack input=PATH output=PATH`."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program


@program("attack")
def main(cfg: DictConfig) -> None:
    """Photos and videos → the same, their faces attacked and put back."""
    import hydra

    from sr_deepfake.app import build, media
    from sr_deepfake.app.configuration import plain
    from sr_deepfake.attacks.base import Identity
    from sr_deepfake.media.attack import FileAttacker, attack_files
    from sr_deepfake.media.files import find_files, output_folder, plan_jobs
    from sr_deepfake.media.outcomes import conclude

    output = "" if cfg.output is None else str(cfg.output)
    files = find_files(plain(cfg.input), without=output_folder(output))
    jobs = plan_jobs(files, output, cfg.overwrite)
    detector = media.only_detector(cfg)
    report = media.report_file(cfg.report, output, files, detector)
    machine = build.device(cfg)
    attacker = FileAttacker(
        (build.attack(cfg) or Identity()).to(machine),
        media.face_finder(cfg.faces, machine),
        None if detector is None else media.face_scorer(detector, machine),
        hydra.utils.instantiate(cfg.photo),
        media.video_settings(cfg),
        machine,
        cfg.faces.feather,
        cfg.preview,
        cfg.overwrite,
        media.face_finder(cfg.faces, machine, videos=True),
    )
    outcomes = attack_files(jobs, attacker, report, cfg.trainer.enable_progress_bar)
    if report is not None:
        print(f"Report: {report}")
    conclude(outcomes, files.left_alone)


if __name__ == "__main__":
    main()
