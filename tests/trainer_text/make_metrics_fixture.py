"""Writes metrics_expected.json with scikit-learn and scipy.

    PYTHON tests/trainer_text/make_metrics_fixture.py
"""
import json
import pathlib
import warnings

import numpy
import scipy
import scipy.stats
import sklearn
import sklearn.metrics as metrics

warnings.simplefilter("ignore")
random = numpy.random.default_rng(1)


def number(value):
    return None if numpy.isnan(value) else float(value)


def classes(truth, predicted):
    out = {"truth": [int(c) for c in truth], "predicted": [int(c) for c in predicted],
           "accuracy": float(metrics.accuracy_score(truth, predicted)),
           "macro_f1": float(metrics.f1_score(truth, predicted, average="macro", zero_division=0)),
           "micro_f1": float(metrics.f1_score(truth, predicted, average="micro", zero_division=0)),
           "mcc": float(metrics.matthews_corrcoef(truth, predicted))}
    if max(out["truth"] + out["predicted"]) <= 1:
        out["f1"] = float(metrics.f1_score(truth, predicted, labels=[1], average="micro", zero_division=0))
    return out


def label_sets(truth, predicted):
    """Indicator matrices [rows, classes]."""
    return {"classes": truth.shape[1], "truth": truth.reshape(-1).tolist(), "predicted": predicted.reshape(-1).tolist(),
            "micro_f1": float(metrics.f1_score(truth, predicted, average="micro", zero_division=0)),
            "macro_f1": float(metrics.f1_score(truth, predicted, average="macro", zero_division=0)),
            "subset_accuracy": float(metrics.accuracy_score(truth, predicted))}


def values(truth, predicted):
    truth, predicted = [float(x) for x in truth], [float(x) for x in predicted]
    enough = len(truth) > 1
    return {"truth": truth, "predicted": predicted,
            "mse": float(metrics.mean_squared_error(truth, predicted)),
            "pearson": number(scipy.stats.pearsonr(truth, predicted)[0]) if enough else None,
            "spearman": number(scipy.stats.spearmanr(truth, predicted)[0]) if enough else None}


def classification_cases():
    for n, k in ((1, 2), (2, 2), (10, 2), (200, 2), (300, 26), (50, 26), (400, 3)):
        truth = random.integers(0, k, n)
        yield classes(truth, numpy.where(random.random(n) < 0.6, truth, random.integers(0, k, n)))
    yield classes([0, 0, 0], [0, 0, 0])
    yield classes([0, 0, 0], [1, 1, 1])
    yield classes([0, 1, 0, 1], [1, 0, 1, 0])
    yield classes([0, 1, 2, 2], [0, 0, 0, 0])
    yield classes([5, 5, 9], [5, 9, 9])
    yield classes([1, 1, 1], [1, 1, 1])
    yield classes([0, 0, 1], [1, 1, 0])
    yield classes([0, 0, 0, 0, 1], [0, 0, 0, 0, 0])
    yield classes([1], [0])


def multi_label_cases():
    for n, k, share in ((1, 2, 0.5), (10, 2, 0.5), (200, 5, 0.3), (300, 26, 0.05), (50, 26, 0.01)):
        truth = (random.random((n, k)) < share).astype(int)
        yield label_sets(truth, numpy.where(random.random((n, k)) < 0.8, truth, (random.random((n, k)) < share).astype(int)))
    none, all_of_them, some = numpy.zeros((4, 3), int), numpy.ones((4, 3), int), numpy.eye(4, 3, dtype=int)
    for truth in (none, all_of_them, some):
        for predicted in (none, all_of_them, some):
            yield label_sets(truth, predicted)


def regression_cases():
    for n in (2, 3, 10, 500):
        truth = random.normal(size=n)
        yield values(truth, truth + random.normal(size=n))
    ties = random.integers(0, 6, 300)
    yield values(ties, ties + random.integers(-2, 3, 300))
    yield values([1, 2, 3], [1, 2, 3])
    yield values([1, 2, 3], [3, 2, 1])
    yield values([1, 1, 1], [1, 2, 3])
    yield values([2.5], [2.0])
    yield values([1, 1, 2, 2, 3, 3], [5, 5, 5, 5, 5, 6])
    yield values([1, 2, 3, 4], [7, 7, 7, 7])
    yield values([1e8 + 1, 1e8 + 2, 1e8 + 4], [0.1, 0.2, 0.3])
    yield values(random.normal(size=100) * 1e-12, random.normal(size=100) * 1e12)


def main():
    out = {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__,
           "classification": list(classification_cases()), "multi_label": list(multi_label_cases()), "regression": list(regression_cases())}
    text = json.dumps(out).replace('{"truth"', '\n{"truth"').replace('{"classes"', '\n{"classes"')
    (pathlib.Path(__file__).resolve().parent / "metrics_expected.json").write_text(text + "\n")


main()
