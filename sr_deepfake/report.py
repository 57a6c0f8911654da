"""Show all results: `python -m sr_deepfake.report` makes tables, figures, examples and one HTML page."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program
from sr_deepfake.experiment.jobs import Outcome


@program("report")
def main(cfg: DictConfig, outcome: Outcome) -> None:
    """Folders of results → `tables/`, `figures/`, `examples/` and `index.html`."""
    from sr_deepfake.app import build
    from sr_deepfake.app.report import out_folder, report_of
    from sr_deepfake.reporting.terminal import print_report
    from sr_deepfake.reporting.writing import PAGE, check_folder, write_report
    from sr_deepfake.tracking.loggers import require_reports, track_report

    out = out_folder(cfg)
    check_folder(out)
    with build.logger(cfg) as logger:
        require_reports(logger)  # what is refused is refused before the work
        report = report_of(cfg)
        counts = write_report(out, report)
        if logger is not None:
            track_report(logger, report, out)
    print_report(report, short=cfg.short)
    print()
    for name, count in ({} if cfg.short else counts).items():
        print(f"{name.title()}: {out / name} ({count} files)")
    print(f"Page: {out / PAGE}")


if __name__ == "__main__":
    main()
