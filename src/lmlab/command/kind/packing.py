"""What is said of examples that share rows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from lmlab.batch.row_batches import RowBatches
from lmlab.model.seq2seq import Seq2Seq
from lmlab.types import Mistake

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment

log = logging.getLogger(__name__)


def announce_packing(experiment: Experiment) -> None:
    """How full the rows are, and how full they would be otherwise."""
    batching: Any = experiment.batching
    if not isinstance(batching, RowBatches) or not batching.packing:
        return
    rows, with_packing, without = batching.fullness(experiment.arrays.train)
    log.info(
        "packed into %s rows of %s tokens: %.1f %% of them is padding, without packing it would be %.1f %%",
        f"{rows:,}",
        batching.seq_len,
        100 * (1 - with_packing),
        100 * (1 - without),
    )


def check_packing(batching: Any, model: Any) -> None:
    """A decoder's first state is of one source."""
    if batching.packing and isinstance(model, Seq2Seq) and model.start is not None:
        raise Mistake(
            "batch.packing=true puts several sources into a row, and this decoder starts from the encoder's state of one; "
            "set batch.packing=false, or choose model/cross_attention=additive model/start=null"
        )
