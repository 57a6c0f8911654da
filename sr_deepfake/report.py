"""Show all results: `python -m sr_deepfake.report` makes tables, figures, examples and one HTML page."""

from omegaconf import DictConfig

from sr_deepfake.app.program import program


@program("report")
def main(cfg: DictConfig) -> None:
    """Folders of results → `tables/`, `figures/`, `examples/` and `index.html`."""
    from sr_deepfake.app import build
    from sr_deepfake.app.report import out_folder, report_of
    from sr_deepfake.reporting.page.content import write_page
    from sr_deepfake.reporting.writing import print_report, write_examples, write_figures, write_tables
    from sr_deepfake.tracking.loggers import track_report

    report = report_of(cfg)
    out = out_folder(cfg)
    tables, figures, examples = (
        write_tables(out, report),
        write_figures(out, report),
        write_examples(out, report),
    )
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
