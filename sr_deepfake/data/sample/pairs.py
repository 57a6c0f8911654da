"""Who is paired with whom, and in which split: identity-disjoint, balanced over the clips' sizes."""

import json

import numpy as np

from sr_deepfake.data.sample.assets import identity_table
from sr_deepfake.data.sample.landmarks import head_yaw

PAIRS_PER_SPLIT = {"train": 30, "val": 6, "test": 12}
SEED = 20261123

Pair = tuple[str, str]


def draw_pairs() -> dict[str, list[Pair]]:
    """Draw the pairs of each split: always the same ones.

    Each split gets the same share of every clip size, so that size says nothing about the split. A pair has
    clips of one size and heads turned alike, as a forger would choose them.

    Returns:
        For `train`, `val` and `test` a list of pairs of names; each of the 96 people is in one pair.

    >>> {split: len(pairs) for split, pairs in draw_pairs().items()}
    {'train': 30, 'val': 6, 'test': 12}
    """
    table = identity_table()
    yaw = [head_yaw(points) for points in table.landmarks]
    rng = np.random.default_rng(SEED)
    sizes = np.unique(table.sizes)
    pairs: dict[str, list[Pair]] = {split: [] for split in PAIRS_PER_SPLIT}
    for size in sizes:
        people = rng.permutation(np.flatnonzero(table.sizes == size)).tolist()
        for split, count in PAIRS_PER_SPLIT.items():
            share = 2 * count // len(sizes)
            chosen, people = sorted(people[:share], key=yaw.__getitem__), people[share:]
            # Neighbours in the order of a number are the pairing with the least difference.
            for a, b in zip(chosen[::2], chosen[1::2], strict=True):
                pairs[split].append((table.names[min(a, b)], table.names[max(a, b)]))
    return {split: sorted(chosen) for split, chosen in pairs.items()}


def split_file(pairs: list[Pair]) -> str:
    r"""Write pairs as FaceForensics++ does: a JSON list of lists.

    >>> split_file([("000", "003")])
    '[\n  [\n    "000",\n    "003"\n  ]\n]\n'
    """
    return json.dumps(pairs, indent=2) + "\n"
