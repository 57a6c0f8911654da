"""The worst case over several attacks, against plain loops over the faces."""

import numpy as np
import pytest
from scored_faces import random_predictions

from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.metrics.worst_case import difference, worst_case


def attacked_tables(count=4, faces=150):
    """Predictions of one detector under several attacks."""
    clean = random_predictions(faces)
    tables = {}
    for number in range(count):
        other = random_predictions(faces, seed=10 + number)
        tables[f"attack-{number}"] = clean.assign(
            score_attacked=other["score_attacked"].to_numpy(), logit_attacked=other["logit_attacked"].to_numpy()
        )
    return tables


def errors_by_loop(tables):
    """FNR and FPR of the worst case: face by face, attack by attack."""
    wrong = {0: [], 1: []}
    for face in zip(*(table.to_dict("records") for table in tables.values()), strict=True):
        scores = [face[0]["score"], *(each["score_attacked"] for each in face)]
        label = face[0]["label"]
        wrong[label].append(any((score > 0.5) != bool(label) for score in scores))
    return np.mean(wrong[1]), np.mean(wrong[0])


def test_a_face_counts_as_wrong_if_any_attack_or_none_makes_it_wrong():
    tables = attacked_tables()
    found = worst_case(tables, resamples=50)
    for rate, expected in zip(("fnr", "fpr"), errors_by_loop(tables), strict=True):
        assert found.metrics.value("both", rate) == pytest.approx(expected)
        assert found.metrics.value("both", rate) >= found.metrics.value("clean", rate)
    singles = {name: np.mean(errors_by_loop({name: table})) for name, table in tables.items()}
    for name, error in found.errors.items():  # of one attack alone, without the clean face
        assert error <= singles[name] + 1e-12
    assert list(found.errors.values()) == sorted(found.errors.values(), reverse=True)
    assert found.metrics == run_metrics(found.faces, resamples=50)
    assert found.mean["balanced_error"] == pytest.approx(np.mean(list(found.errors.values())))


def test_few_attacks_reach_most_of_it():
    tables = attacked_tables(5)
    found = worst_case(tables, resamples=50)

    def error_of(names):
        return np.mean(errors_by_loop({name: tables[name] for name in names}))

    names = []
    for name, error in found.reached.items():
        best = max(error_of([*names, other]) for other in tables if other not in names)
        names.append(name)
        assert error == pytest.approx(error_of(names)) == pytest.approx(best)
    errors, whole = [0.0, *found.reached.values()], error_of(tables)
    assert errors[-1] == pytest.approx(whole)
    assert errors[found.needed - 1] < 0.95 * whole <= errors[found.needed]


def test_only_faces_that_all_attacks_were_scored_on_count():
    tables = attacked_tables(2)
    short = tables["attack-1"].iloc[:100]
    found = worst_case(tables | {"attack-1": short}, resamples=50)
    assert set(found.faces["face_id"]) == set(short["face_id"])
    with pytest.raises(ValueError, match="no face"):
        worst_case({"a": short.iloc[:50], "b": short.iloc[50:]})


def test_the_difference_of_two_detectors_is_paired():
    faces = worst_case(attacked_tables(2), resamples=1).faces
    assert difference(faces, faces.sample(frac=1, random_state=0), "balanced_accuracy") == (0.0, None)
    worse = faces.assign(score_attacked=np.where(faces["label"] == 1, 0.1, faces["score_attacked"]))
    value, (low, high) = difference(faces, worse, "balanced_accuracy")
    found = (faces["score_attacked"] > 0.5)[faces["label"] == 1].mean()
    assert value == pytest.approx(-found / 2)
    assert low < value < high
    elsewhere = faces.assign(cluster=faces["cluster"] + "x")
    assert difference(faces, elsewhere, "balanced_accuracy") == (0.0, None)


def test_faces_of_one_class_have_a_worst_case_too():
    tables = {name: table[table["label"] == 1] for name, table in attacked_tables(2).items()}
    found = worst_case(tables, resamples=50)
    assert found.mean.keys() == {"fnr", "balanced_error"}
    assert found.metrics.value("both", "fpr") is None
    assert found.errors.keys() == tables.keys()
