"""Show all results: `python -m sr_deepfake.report` makes tables, figures, examples and one HTML page."""

from pathlib import Path

from omegaconf import DictConfig

from sr_deepfake.cli import program


@program("report")
def main(cfg: DictConfig) -> None:
    """Folders of results → `tables/`, `figures/`, `examples/` and `index.html`."""
    from sr_deepfake import reported
    from sr_deepfake.app import build
    from sr_deepfake.reporting.page import write_page
    from sr_deepfake.reporting.writing import print_report, write_examples, write_figures, write_tables
    from sr_deepfake.tracking import track_report

    report = reported.report_of(cfg)
    out = Path(cfg.out)
    tables = write_tables(out, report)
    figures = write_figures(out, report)
    examples = write_examples(out, report)
    page = out / "index.html"
    write_page(page, report)
    with build.logger(cfg) as logger:
        if logger is not None:
            track_report(logger, report, out)
    print_report(report)
    print(
        f"\nTables:   {out / 'tables'} ({len(tables)} files)\nFigures:  {out / 'figures'} ({len(figures)} files)"
    )
    if examples:
        print(f"Examples: {out / 'examples'} ({len(examples)} files)")
    print(f"Page:     {page}")


if __name__ == "__main__":
    main()
