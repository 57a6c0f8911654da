"""Attack photos and videos: `python -m sr_deepfake.attack input=PATH output=PATH`."""

from omegaconf import DictConfig

from sr_deepfake.cli import program


@program("attack")
def main(cfg: DictConfig) -> None:
    """Photos and videos → the same, their faces attacked and put back."""
    import hydra

    from sr_deepfake import file_assembly
    from sr_deepfake.app import build
    from sr_deepfake.attacking import FileAttacker, attack_files
    from sr_deepfake.attacks.identity import Identity
    from sr_deepfake.file_jobs import find_files, output_folder, plan_jobs
    from sr_deepfake.file_outcomes import conclude

    output = "" if cfg.output is None else str(cfg.output)
    files = find_files(build.plain(cfg.input), without=output_folder(output))
    jobs = plan_jobs(files, output, cfg.overwrite)
    detector = file_assembly.only_detector(cfg.detector)
    report = file_assembly.report_file(cfg.report, output, files, detector)
    machine = build.device(cfg)
    attacker = FileAttacker(
        (build.attack(cfg) or Identity()).to(machine),
        file_assembly.face_finder(cfg.faces, machine),
        None if detector is None else file_assembly.face_scorer(detector, machine),
        hydra.utils.instantiate(cfg.photo),
        file_assembly.video_settings(cfg),
        machine,
        cfg.faces.feather,
        cfg.preview,
        cfg.overwrite,
    )
    outcomes = attack_files(jobs, attacker, report, cfg.trainer.enable_progress_bar)
    if report is not None:
        print(f"Report: {report}")
    conclude(outcomes, files.left_alone)


if __name__ == "__main__":
    main()
