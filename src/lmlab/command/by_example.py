"""The last evaluation of a run by example: where examples end, what the text says of them, and the file that keeps it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lmlab.batch.division import Division, division
from lmlab.command.experiment import Experiment
from lmlab.metric.per_example import Comparable, PerExample
from lmlab.run.folder import RunFolder
from lmlab.tokenizer.words import num_words
from lmlab.types import Examples

HELD_OUT = ("val", "test")

EXAMPLES = "examples"
"""What the source yields, where these are no running text."""


def keep_by_example(experiment: Experiment, task: Any) -> None:
    """From here on evaluations also add up by example, where the metric can and the split is evaluated whole."""
    for split in HELD_OUT:
        metric = task.metrics[split]
        if isinstance(metric, Comparable) and _is_whole(experiment, split):
            metric.by_example = PerExample(ends=_division(experiment, split).ends, units=metric.units)


def write_examples(experiment: Experiment, run: RunFolder, task: Any, figures: Mapping[str, Any]) -> None:
    """Writes what the last evaluation of each split found; removes what an earlier end of the run left."""
    for split in HELD_OUT:
        metric = task.metrics[split]
        is_kept = isinstance(metric, Comparable) and metric.by_example is not None
        is_finite = all(math.isfinite(value) for name, value in figures.items() if name.startswith(f"{split}/"))
        run.write_examples(split, _examples(experiment, split, metric) if is_kept and is_finite else None)


def _examples(experiment: Experiment, split: str, metric: Comparable) -> Examples:
    assert metric.by_example is not None
    assert metric.by_example.totals is not None, "the split was not evaluated"
    found, arrays = _division(experiment, split), experiment.arrays
    told = _told(experiment, split, found)
    return Examples(
        sums=np.column_stack([metric.by_example.totals, *told.values()]),
        statistics=(*metric.units, *told),
        scores=dict(metric.scores),
        kind=found.kind,
        source=arrays.path.name if found.kind.startswith("blocks") else experiment.fingerprint,
    )


def _told(experiment: Experiment, split: Any, found: Division) -> dict[str, Any]:
    """Bytes and words of each example of running text: of a document its own, of a block of tokens its share of the split's."""
    if found.kind == EXAMPLES:
        return {}
    if found.kind == "documents":
        texts = (example.text for example in experiment.source.read(split))
        counts = np.array([(len(text.encode()), num_words(text)) for text in texts])
        return {"bytes": counts[:, 0], "words": counts[:, 1]}
    sizes, whole = np.diff(found.ends, prepend=0), experiment.arrays.meta["splits"][split]
    return {name: sizes * (whole[name] / whole["tokens"]) for name in ("bytes", "words")}


def _division(experiment: Experiment, split: str) -> Division:
    arrays = experiment.arrays
    if not isinstance(rows := getattr(arrays, split), np.ndarray):
        return Division(EXAMPLES, experiment.kind.ends(rows))  # type: ignore[attr-defined]
    num_documents = arrays.meta["splits"][split]["documents"]
    return division(rows, eos=arrays.tokenizer.eos, num_documents=num_documents)


def _is_whole(experiment: Experiment, split: str) -> bool:
    limit = experiment.config.trainer.limit_val_batches
    is_limited = split == "val" and not (isinstance(limit, float) and limit == 1)  # the whole number 1 is one batch
    return len(getattr(experiment.arrays, split)) > 0 and not is_limited
