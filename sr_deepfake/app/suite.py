"""A suite: many attacks on each detector, one command. `experiment=suite` lists them as overrides, a line each."""

import copy
import itertools
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from sr_deepfake.app.configuration import plain
from sr_deepfake.app.overrides import expanded, without_replaced
from sr_deepfake.app.sweep import as_user_error
from sr_deepfake.experiment.jobs import Outcome
from sr_deepfake.system.errors import MissingWeightsError, UserError, last_line
from sr_deepfake.system.files import safe_name

log = logging.getLogger(__name__)

_NEEDED = re.compile(r"\{(\w+)\}")  # in a line: an option of `suite` that it needs


def each_attack(cfg: DictConfig, outcome: Outcome, task: Callable[[DictConfig], None]) -> None:
    """Do a task with the configuration, or, where it has a suite, with that of each of its attacks."""
    if cfg.suite is None:
        task(cfg)
        return
    lines, left_out = attacks_of(plain(cfg.suite))
    failed: dict[str, list[str]] = {}
    for number, words in enumerate(lines, 1):
        name = " ".join(words)
        print(f"\nSuite, {number} of {len(lines)}: {name}", flush=True)
        try:
            with composed(["suite=null", *words]) as own:
                task(own)
        except Exception as error:
            known = as_user_error(error, Path(cfg.paths.outputs))
            if isinstance(known, MissingWeightsError) and cfg.evaluate.skip_missing_weights:
                left_out.append(f"{name}: {last_line(known)}")
            else:
                log.error("error: %s", known or error, exc_info=None if known else error)
                failed.setdefault(last_line(known or error), []).append(name)
    outcome.left_out += left_out
    for line in left_out:
        print(f"Left out of the suite: {line}")
    if failed:
        count = sum(map(len, failed.values()))
        reasons = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in failed.items())
        raise UserError(f"{count} of {len(lines)} attacks of the suite failed, the others are done. {reasons}")


def attacks_of(suite: Mapping[str, Any]) -> tuple[list[list[str]], list[str]]:
    """The overrides of each attack of a suite, and the lines that need what is not given."""
    found: dict[tuple[str, ...], None] = {}
    left_out = []
    for line in suite["attacks"]:
        names = list(dict.fromkeys(_NEEDED.findall(line)))
        unknown = [name for name in names if name not in suite]
        if unknown:
            raise UserError(f"suite.attacks: {line!r} needs suite.{unknown[0]}, which there is not")
        missing = [name for name in names if not suite[name]]
        if missing:
            left_out.append(f"{line}: suite.{missing[0]} is not given")
            continue
        given: list[list[str]] = [suite[n] if isinstance(suite[n], list) else [suite[n]] for n in names]
        for values in itertools.product(*given):
            filled = line.split()
            for name, value in zip(names, values, strict=True):
                filled = [word.replace(f"{{{name}}}", quoted(str(value))) for word in filled]
            found |= dict.fromkeys(tuple(words) for words in expanded([], filled))
    return [list(words) for words in found], left_out


def quoted(value: str) -> str:
    """A value as Hydra's grammar has it: in quotes where it has other signs than names of files usually have."""
    plain_signs = re.fullmatch(r"[\w./+@%:-]+", value)
    return value if plain_signs else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextmanager
def composed(words: Sequence[str]) -> Iterator[DictConfig]:
    """The configuration of this job with further overrides, in Hydra's own state too, from which names are made."""
    whole: Any = HydraConfig.instance().cfg
    hydra = whole.hydra
    overrides = [*without_replaced(list(hydra.overrides.task), words), *words]
    own = GlobalHydra.instance().config_loader().load_configuration(
        config_name=hydra.job.config_name,
        overrides=[*hydra.overrides.hydra, *overrides],
        run_mode=hydra.mode,
    )  # fmt: skip
    OmegaConf.copy_cache(from_config=whole, to_config=own)
    with open_dict(own.hydra):
        choices = own.hydra.runtime.choices
        own.hydra.runtime = copy.deepcopy(hydra.runtime)
        own.hydra.runtime.choices = choices
        own.hydra.job = copy.deepcopy(hydra.job)
    HydraConfig.instance().set_config(own)
    try:
        task = copy.deepcopy(own)
        with open_dict(task):
            del task["hydra"]
            task.log_folder = f"{task.log_folder}/{safe_name(' '.join(words))}"
        yield task
    finally:
        HydraConfig.instance().cfg = whole
