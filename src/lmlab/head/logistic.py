"""Binary decisions on words from hidden vectors, updated in place: the loop of word2vec (Mikolov et al. 2013b, eq. 4).

One centre of a window is one small product of matrices (Ji et al. 2016): hidden vectors H [hidden, dim] meet output rows
O [target, dim] that say yes or no (sign 1 or -1):

    loss = sum -log sigmoid(sign * H O^T),   G = rate * sign * sigmoid(-sign * H O^T),   H += G O,   O += G^T H,

each with the values from before the update. Skip-gram has the words of the context for H and one list of targets for all;
CBOW has their mean, fastText's skip-gram the word in the middle. The targets are a path of nodes for each word, which is the
word itself in negative sampling, its way down the tree in hierarchical softmax, and words drawn as noise.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from lmlab.head import logistic_groups
from lmlab.head.logistic_kernel import Source, Targets, walk
from lmlab.head.noise import Array
from lmlab.types import Mistake, WordModel, WordWindows


def targets_of(
    first: Array, rows: Array, signs: Array, *, noise: tuple[Array, Array] | None = None, num_noise: int = 0
) -> Targets:
    """What `update` asks of each word w: output rows `rows[first[w] : first[w + 1]]` with `signs`, and `num_noise` words.

    Args:
        first: [vocab + 1].
        rows: rows of the output table.
        signs: 1 where the answer is yes, -1 where it is no.
        noise: what `alias_table` made of the weights of the words.
    """
    share, alias = noise if noise else (np.zeros(0, np.uint32), np.zeros(0, np.int32))
    longest = int(np.diff(first).max(initial=0))
    kinds = (np.asarray(first, np.int64), np.asarray(rows, np.int32), np.asarray(signs, np.float32))
    return Targets(*kinds, longest, share, alias, num_noise)


def update(
    model: WordModel, batch: WordWindows, output: Tensor, targets: Targets, rate: float, *, seed: int, threads: int
) -> tuple[float, int]:
    """One pass over the positions of a step -> its summed loss and how many words were predicted.

    One thread goes from word to word and gives the same bits each time. Several have a stretch of the step each and write
    to the same rows without locks (Recht et al. 2011). On an accelerator groups of positions go at once.
    """
    if model.embedding.weight.device.type != "cpu":
        return logistic_groups.update(model, batch, output, targets, rate, seed=seed)
    words, left, right = batch.words.numpy(), batch.left.numpy(), batch.right.numpy()
    source = Source(model.embedding.weight.detach().numpy(), model.first.numpy(), model.rows.numpy())
    table = output.detach().numpy()
    ends = np.linspace(0, len(words), threads + 1).astype(np.int64)

    def part(number: int) -> tuple[float, int]:
        loss, terms = walk(
            words, left, right, ends[number], ends[number + 1], source, table, targets,
            model.averages_context, model.predicts_context, np.float32(rate), np.uint64(seed),
        )  # fmt: skip
        return float(loss), int(terms)

    if threads == 1:
        return part(0)
    with ThreadPoolExecutor(threads - 1) as pool:
        others = pool.map(part, range(1, threads))
        losses, terms = zip(part(0), *others)
    return sum(losses), sum(terms)


def plain_sgd(head: str, optimizer: torch.optim.Optimizer) -> None:
    """Refuses an optimizer whose rule is not: weights minus rate times gradient."""
    if type(optimizer) is not torch.optim.SGD:
        raise Mistake(f"head={head} trains by plain SGD and not by {type(optimizer).__name__}; set optimizer=sgd")
    for group in optimizer.param_groups:
        for key in ("momentum", "weight_decay", "dampening", "nesterov", "maximize"):
            if group[key]:
                raise Mistake(
                    f"head={head} trains by plain SGD, and optimizer.{key}={group[key]} is more; leave optimizer.{key} out"
                )
