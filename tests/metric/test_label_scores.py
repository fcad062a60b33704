"""Parity with scikit-learn, over batches; several labels; a rank without examples."""

import numpy as np
import pytest
import torch
from sklearn import metrics

from lmlab.metric.label_scores import LabelScores

DRAW = torch.Generator().manual_seed(0)
LOGITS, CLASSES = torch.randn(200, 4, generator=DRAW), torch.randint(4, (200,), generator=DRAW)


def scores(logits, targets, **values):
    metric = LabelScores(num_classes=logits.shape[1], **values)
    for first in range(0, len(logits), 32):
        metric.update(logits[first : first + 32], targets[first : first + 32])
    return metric.compute()


def test_one_label_as_scikit_learn_has_it():
    found, said = scores(LOGITS, CLASSES, multi_label=False), LOGITS.argmax(dim=-1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(CLASSES, said), abs=1e-6)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(CLASSES, said, average="macro"), abs=1e-6)
    assert found["matthews"] == pytest.approx(metrics.matthews_corrcoef(CLASSES, said), abs=1e-6)
    assert found["loss"] == pytest.approx(metrics.log_loss(CLASSES, LOGITS.softmax(dim=-1)), abs=1e-5)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("alone", ["labels", "found", "both"])
def test_of_one_class_alone_the_correlation_is_0_as_scikit_learn_has_it(classes, alone):
    targets = CLASSES % classes if alone == "found" else torch.zeros_like(CLASSES)
    logits = LOGITS[:, :classes] if alone == "labels" else torch.eye(classes)[[1] * len(CLASSES)]
    assert scores(logits, targets, multi_label=False)["matthews"] == 0.0
    assert metrics.matthews_corrcoef(targets, logits.argmax(dim=-1)) == 0.0


def test_calibration_error_is_the_gap_between_confidence_and_accuracy_over_15_bins():
    shares = LOGITS.softmax(dim=-1).max(dim=-1)
    confidence, is_right = shares.values.numpy(), (shares.indices == CLASSES).numpy()
    bins = np.clip((confidence * 15).astype(int), 0, 14)
    gaps = [abs(confidence[bins == one].sum() - is_right[bins == one].sum()) for one in range(15)]
    assert scores(LOGITS, CLASSES, multi_label=False)["calibration_error"] == pytest.approx(sum(gaps) / 200, abs=1e-5)


def test_several_labels_as_scikit_learn_has_them():
    targets = (torch.rand(200, 4, generator=DRAW) < 0.4).float()
    found, said = scores(LOGITS, targets, multi_label=True), LOGITS > 0
    assert found["exact_match"] == pytest.approx(metrics.accuracy_score(targets, said), abs=1e-6)
    assert found["accuracy"] == pytest.approx(1 - metrics.hamming_loss(targets, said), abs=1e-6)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(targets, said, average="macro"), abs=1e-6)


def test_all_examples_of_one_class_give_numbers():
    assert all(
        np.isfinite(value) for value in scores(LOGITS, torch.zeros(200, dtype=torch.long), multi_label=False).values()
    )


def test_confusion_is_scikit_learns_and_of_the_last_evaluation():
    metric = LabelScores(num_classes=4, multi_label=False)
    metric.update(LOGITS[:100], CLASSES[:100])
    metric.update(LOGITS[100:], CLASSES[100:])
    metric.compute()
    assert np.array_equal(metric.last_confusion, metrics.confusion_matrix(CLASSES, LOGITS.argmax(dim=-1)))
    metric.reset()
    targets = (torch.rand(200, 4, generator=DRAW) < 0.4).float()
    several = LabelScores(num_classes=4, multi_label=True)
    several.update(LOGITS, targets)
    several.compute()
    assert np.array_equal(several.last_confusion, metrics.multilabel_confusion_matrix(targets, LOGITS > 0))
