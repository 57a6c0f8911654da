"""The command that fills a place of a report's grid, as an earlier run of its kind was started."""

from collections.abc import Sequence
from pathlib import Path

from sr_deepfake.cells import CellStore
from sr_deepfake.overrides import CONF, without_replaced
from sr_deepfake.provenance import command_of
from sr_deepfake.reporting.report_cells import UNDEFENDED, ReportCell

# Of an earlier run's overrides, those that say which place it was or how it was done, and not what is the same.
_LEFT_OUT = (
    "forgery", "attack", "sr_model", "defence", "tested_on", "detector", "from_run", "evaluate.", "train.",
    "trainer.enable_progress_bar", "logger",
)  # fmt: skip


class Filling:
    """Commands for places that lack results.

    Args:
        cells: all results; their overrides tell how the others were made.
        outputs: folders whose `cells/` tell what became of those that were begun.
    """

    def __init__(self, cells: Sequence[ReportCell], outputs: Sequence[Path]) -> None:
        self._cells = sorted(cells, key=lambda cell: (cell.started, cell.name))
        self._begun = [cell for folder in outputs for cell in CellStore(folder).all()]

    def __call__(self, model: str, forgery: str, attack: str, data: str, protocol: str) -> tuple[str, str]:
        """The command that fills a place, and why it is missing ("" where that is not known).

        Args:
            model: short name.
            forgery: the method.
            attack: label.
            data: name of the data set.
            protocol: of the detectors.
        """
        alike = self._alike(model, forgery, data, protocol)
        overrides = [] if alike is None else [str(word) for word in alike.provenance["overrides"]]
        if alike is not None and alike.model == model:
            wanted = []
        elif (CONF / "model" / f"{model}.yaml").is_file():
            wanted = [f"model={model}"]
        else:
            wanted = ["model=timm", f"model.backbone={model}"]
        kept = [word for word in without_replaced(overrides, wanted) if not word.startswith(_LEFT_OUT)]
        if not any(word.startswith(("experiment=", "data=")) for word in kept):
            kept.append(f"data={data}")
        command = command_of("train", [*kept, *wanted, f"forgery={forgery}", *self._attack(attack)])
        return command, self._reason(model, forgery, data, attack)

    def _alike(self, model: str, forgery: str, data: str, protocol: str) -> ReportCell | None:
        """The newest results that are most like a place: of its data, protocol and model, made by `train`."""
        told = [cell for cell in self._cells if isinstance(cell.provenance.get("overrides"), list)]
        ranked = sorted(
            (cell for cell in told if (cell.data, cell.protocol) == (data, protocol)),
            key=lambda cell: (
                cell.model == model,
                cell.provenance.get("program") == "train",
                cell.defence == UNDEFENDED,
                cell.tested_on == forgery,
            ),
        )
        return ranked[-1] if ranked else None

    def _attack(self, attack: str) -> list[str]:
        """The overrides that earlier results of this attack had, or what the label says."""
        for cell in reversed(self._cells):
            choices, attacked = cell.provenance.get("choices"), cell.config.get("attack")
            if cell.attack == attack and isinstance(choices, dict) and isinstance(attacked, dict):
                overrides = [str(word) for word in cell.provenance.get("overrides", [])]
                told = [word for word in overrides if word.startswith(("attack", "sr_model"))]
                # An experiment may set them, without an override; so they are named all the same.
                named = [f"attack={choices.get('attack')}"]
                if choices.get("attack") == "sr":
                    named.append(f"sr_model={choices.get('sr_model')}")
                    named.append(f"attack.scale={attacked.get('scale', 2)}")
                return [*without_replaced(named, told), *told]
        return ["attack=sr"]

    def _reason(self, *place: str) -> str:
        """What became of the cell of a model, forgery method, data set and attack, if it was begun."""
        *others, attack = place
        found = [
            cell
            for cell in self._begun
            if [cell.model, cell.forgery, cell.data] == others and f"{attack}-".startswith(f"{cell.attack}-")
        ]
        if not found or found[-1].state == "done":
            return ""
        return f"{found[-1].state}: {found[-1].error}" if found[-1].error else found[-1].state
