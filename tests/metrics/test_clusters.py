import itertools

import networkx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.metrics.clusters import Clusters, components

PEOPLE = st.sampled_from("abcdefg")


@given(st.lists(st.tuples(PEOPLE, PEOPLE), min_size=1, max_size=10))
def test_components_are_those_of_networkx(pairs):
    graph = networkx.Graph(pairs)
    expected = {person: min(part) for part in networkx.connected_components(graph) for person in part}
    assert components(pairs) == [expected[first] for first, _ in pairs]


def pairs(count):
    """The test split of FaceForensics++ in small: pristine a and b, fakes a_b and b_a, of disjoint pairs."""
    rows = []
    for number in range(count):
        a, b = f"{2 * number:03}", f"{2 * number + 1:03}"
        for target, source, label in ((a, "", 0), (b, "", 0), (a, b, 1), (b, a, 1)):
            rows.append((a, target, source, label))
    return pd.DataFrame(rows, columns=["cluster", "target", "source", "label"])


def crossed(people):
    """Every person's face on every other person, as in Celeb-DF."""
    rows = [("0", str(a), "", 0) for a in range(people)]
    rows += [("0", str(a), str(b), 1) for a, b in itertools.permutations(range(people), 2)]
    return pd.DataFrame(rows, columns=["cluster", "target", "source", "label"])


def test_pristine_faces_and_fakes_of_a_pair_are_drawn_together():
    faces = pairs(6)
    clusters = Clusters.of(faces)
    assert (clusters.way, clusters.count(faces["label"] == 1)) == ("cluster", 6)
    (weights,) = clusters.draw(200, 0)
    assert (weights.sum(axis=1) == 6).all()
    assert faces.groupby(clusters.units)["cluster"].nunique().eq(1).all()


def test_draws_are_uniform_and_depend_on_the_seed_alone():
    clusters = Clusters.of(pairs(8))
    (whole,) = clusters.draw(20_000, 3, at_once=20_000)
    np.testing.assert_allclose(whole.mean(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(whole.var(axis=0), 1 - 1 / 8, atol=0.05)  # a count is binomial(8, 1/8)
    np.testing.assert_array_equal(np.concatenate(list(clusters.draw(50, 3, at_once=7))), whole[:50])
    assert (next(clusters.draw(50, 4, at_once=50)) != whole[:50]).any()


def test_targets_and_sources_that_are_crossed_are_both_drawn():
    faces = crossed(6)
    clusters = Clusters.of(faces)
    assert (clusters.way, clusters.count(faces["label"] == 1)) == ("target × source", 6)
    (weights,) = clusters.draw(4_000, 0, at_once=4_000)
    by_face = weights[:, clusters.units]
    target, source = (faces[name].to_numpy() for name in ("target", "source"))
    pristine = {name: by_face[:, (faces["label"] == 0) & (target == name)][:, 0] for name in set(target)}
    # A fake counts as often as its target was drawn, times as often as its source was: a pigeonhole bootstrap.
    for column in np.flatnonzero(faces["label"] == 1):
        times = pristine[target[column]]
        assert (by_face[times == 0, column] == 0).all()
    np.testing.assert_allclose(by_face.mean(axis=0), 1, atol=0.15)
    assert by_face[:, (source == "1")].var() > 1.5  # of one drawing alone it would be 5/6


def test_clusters_of_unequal_size_amount_to_fewer():
    faces = pd.DataFrame({"cluster": ["a"] * 97 + ["b", "c", "d"], "target": "", "source": "", "label": 1})
    clusters = Clusters.of(faces)
    chosen = np.ones(100, dtype=bool)
    assert clusters.count(chosen) == 4
    assert clusters.size(chosen) == pytest.approx(100**2 / (97**2 + 3))
    assert clusters.size(~chosen) == 0
