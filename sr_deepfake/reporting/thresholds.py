"""The table of what lies beyond the threshold of 0.5."""

from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.numbers import number
from sr_deepfake.reporting.table import ReportTable, Row
from sr_deepfake.reporting.tables import NAMES, SETUPS, WHO, caption, names_of, rules_of


def threshold_table(grid: ReportGrid, illustration: str | None = None) -> ReportTable:
    """Beyond 0.5: rates at a threshold chosen on clean validation faces, TPR at low FPR, calibration, success."""
    rows: list[Row] = []
    for entry in grid.shown:
        for attacked in (False, True):
            result = entry.attacked if attacked else entry.clean
            if result is None:
                continue
            setup = SETUPS[1] if attacked else "clean"
            rates, calibration = result.metrics["threshold"][setup], result.metrics["calibration"][setup]
            rows.append(
                [
                    *names_of(entry, attacked),
                    "" if attacked else number(result.metrics["threshold"]["value"], 3),
                    *(number(rates[name], 1, 100) for name in ("fnr", "fpr")),
                    *(number(calibration[name], 1, 100) for name in ("tpr_at_1", "tpr_at_5")),
                    *(number(calibration[name], 3) for name in ("ece", "brier")),
                    number(result.metrics["attack_success"], 1, 100) if attacked else "",
                ]
            )
    rules = sorted({str(entry.clean.metrics["threshold"]["rule"]) for entry in grid.shown if entry.clean})
    return ReportTable(
        name="thresholds",
        title="Beyond the threshold of 0.5",
        columns=[
            *NAMES, "Threshold", "FNR", "FPR", "TPR at FPR 1 %", "TPR at FPR 5 %", "ECE", "Brier", "Success",
        ],
        rows=rows,
        caption=caption(
            grid, f"{WHO[1]} Threshold chosen on clean validation faces: {', '.join(rules)}.", illustration
        ),
        text_columns=3,
        group_by=2,
        rules=rules_of(grid, 2),
        remarks=[
            "FNR and FPR are at the chosen threshold, held under the attack. TPR at an FPR is of the best threshold "
            "for these very faces. ECE: expected calibration error, 15 bins. Success of the attack: of the fakes found "
            "clean at 0.5, the share missed attacked. Without intervals; over seeds, of the newest."
        ],
    )  # fmt: skip
