"""A robustness card as files: `card.json` for programs, `card.md` for a model's README."""

from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from sr_deepfake.metrics.figures import Metrics
from sr_deepfake.reporting.cards import Card, attack_table
from sr_deepfake.reporting.numbers import CHANGED

VERSION = 1  # of card.json


def card_json(card: Card) -> dict[str, Any]:
    """A card as plain values; docs/suite.md has its fields."""
    run, worst = card.result.run, card.worst

    def figures(metrics: Metrics, setup: str) -> dict[str, Any]:
        names = (*CHANGED, "balanced_accuracy")
        return {name: metrics.figure(setup, name).model_dump(exclude={"p"}) for name in names}

    return {
        "version": VERSION,
        "detector": run.detector,
        "model": run.model,
        "weights": run.weights,
        "trained_on": run.trained_on,
        "tested_on": list(card.methods),
        "data": run.data,
        "protocol": run.protocol,
        "illustration": run.illustration,
        "counts": worst.metrics.counts.model_dump(),
        "bootstrap": worst.metrics.bootstrap.model_dump(),
        "clean": figures(worst.metrics, "clean"),
        "attacks": [
            {
                "name": name,
                "without_results_on": list(card.attacks[name][1]),
                "ssim": card.attacks[name][0].value("similarity/fake", "ssim"),
                "balanced_error": worst.errors.get(name),
                "figures": figures(card.attacks[name][0], "both"),
            }
            for name in card.order
        ],
        "mean": worst.mean,
        "worst_case": figures(worst.metrics, "both")
        | {
            "balanced_error": card.error.model_dump(include={"value", "low", "high"}),
            "reached": [{"attack": name, "balanced_error": error} for name, error in worst.reached.items()],
            "enough_for_95_percent": worst.needed,
        },
        "absent": list(card.absent),
    }


def card_markdown(card: Card) -> str:
    """A card for a model's README: the block that model hubs read, and the table."""
    run, worst = card.result.run, card.worst
    named = {
        f"{metric}, {words}": worst.metrics.value(setup, metric)
        for metric in CHANGED
        for setup, words in (("clean", "clean"), ("both", f"worst case over {len(worst.errors)} attacks"))
    }
    results = [
        EvalResult(
            task_type="image-classification",
            task_name="Deepfake detection",
            dataset_type=run.data,
            dataset_name=f"{run.data} ({', '.join(card.methods)})",
            dataset_split="test",
            metric_type=name.partition(",")[0],
            metric_name=f"{name.partition(',')[0].upper()}{name[name.index(',') :]}",
            metric_value=round(value, 4),
        )
        for name, value in named.items()
        if value is not None
    ]
    block = ModelCardData(model_name=run.detector, eval_results=results).to_yaml()
    note = f"{run.illustration}\n\n" if run.illustration else ""
    table = attack_table([card], f"Data: {run.data}, {len(worst.faces):,} faces.").markdown()
    return f"---\n{block}\n---\n\n# {card.name}: robustness\n\n{note}{table}"
