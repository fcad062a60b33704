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
from typing import Any, NamedTuple

import numba
import numpy as np
import torch

from lmlab.types import Mistake, WordModel, WordWindows

LANES = 16
"""Rows in work are padded to a multiple of it with zeros."""

Array = np.ndarray[Any, np.dtype[Any]]

jit = numba.njit(cache=True, fastmath=True, nogil=True)


class Source(NamedTuple):
    """A table [row, dim] and the rows of each word in it: `rows[first[w] : first[w + 1]]`, their mean being its vector."""

    table: Array
    first: Array
    rows: Array


class Targets(NamedTuple):
    """A table [row, dim] of output rows, and what is asked of each word: its rows with their signs, and noise."""

    table: Array
    first: Array
    """[vocab + 1]: the rows of word w are `rows[first[w] : first[w + 1]]`."""
    rows: Array
    """int32."""
    signs: Array
    """float32: 1 where the answer is yes, -1 where it is no."""
    share: Array
    """[slot], uint32, with `alias` a table of noise (Walker 1977): slot s is word s up to this part of 2^32 ..."""
    alias: Array
    """[slot], int32: ... else this word."""
    num_noise: int
    """Words drawn for each word asked, with answer no; a draw of the word itself is dropped."""


def update(
    model: WordModel, batch: WordWindows, targets: Targets, rate: float, *, seed: int, threads: int
) -> tuple[float, int]:
    """One pass over the positions of a step -> its summed loss and how many words were predicted."""
    words, left, right = batch.words.numpy(), batch.left.numpy(), batch.right.numpy()
    source = Source(model.embedding.weight.detach().numpy(), model.first.numpy(), model.rows.numpy())
    ends = np.linspace(0, len(words), threads + 1).astype(np.int64)

    def part(number: int) -> tuple[float, int]:
        loss, terms = walk(
            words, left, right, ends[number], ends[number + 1], source, targets,
            model.averages_context, model.predicts_context, np.float32(rate), np.uint64(seed),
        )  # fmt: skip
        return float(loss), int(terms)

    if threads == 1:
        return part(0)
    with ThreadPoolExecutor(threads) as pool:
        losses, terms = zip(*pool.map(part, range(threads)))
    return sum(losses), sum(terms)


@jit
def walk(words, left, right, start, stop, source, targets, averages, predicts, rate, seed):  # type: ignore[no-untyped-def]
    """Positions start to stop, one after the other."""
    dim = source.table.shape[1]
    reach = 0
    for i in range(start, stop):
        reach = max(reach, left[i], right[i])
    longest = 0
    for word in range(len(targets.first) - 1):
        longest = max(longest, targets.first[word + 1] - targets.first[word])
    num_hidden = 2 * reach
    num_targets = (longest + targets.num_noise) * (2 * reach if predicts else 1)
    width = (dim + LANES - 1) // LANES * LANES
    hidden = np.zeros((num_hidden + 2, width), np.float32)
    errors = np.zeros((num_hidden + 2, width), np.float32)
    output = np.zeros((num_targets + 2, width), np.float32)
    change = np.zeros((num_targets + 2, width), np.float32)
    weights = np.zeros((num_hidden + 2) * (num_targets + 2), np.float32)
    asked = np.zeros(num_targets, np.int32)
    signs = np.zeros(num_targets, np.float32)
    loss, terms = 0.0, 0
    for i in range(start, stop):
        low, high = i - left[i], i + right[i] + 1
        if high - low == 1:
            continue
        num, rows = 0, 0
        if predicts:
            num, rows = 1, add(source, words[i], hidden[0], 0)
            scale(hidden[0], rows)
        elif averages:
            for place in range(low, high):
                if place != i:
                    rows = add(source, words[place], hidden[0], rows)
            scale(hidden[0], rows)
            num = 1
        else:
            for place in range(low, high):
                if place != i:
                    scale(hidden[num], add(source, words[place], hidden[num], 0))
                    num += 1
        count = 0
        if predicts:
            for place in range(low, high):
                if place != i:
                    draw = mixed(seed, np.uint64(i) * np.uint64(2 * 255) + np.uint64(place - low))
                    count = ask(targets, words[place], draw, asked, signs, count)
            terms += high - low - 1
        else:
            count = ask(targets, words[i], mixed(seed, np.uint64(i) * np.uint64(2 * 255)), asked, signs, count)
            terms += num
        fetch(targets.table, asked, signs, count, output)
        loss += decide(hidden, output, weights, num, count, rate)
        if rate != 0:
            pull(weights, output, errors, num, count)
            push(weights, hidden, change, num, count)
            store(targets.table, asked, signs, count, change)
            if predicts:
                spread(source, words[i], errors[0])
            else:
                which = 0
                for place in range(low, high):
                    if place != i:
                        spread(source, words[place], errors[which])
                        which += 0 if averages else 1
    return loss, terms


@jit
def add(source, word, into, before):  # type: ignore[no-untyped-def]
    """Adds the word's rows to the `before` rows that `into` is the sum of -> how many they are now."""
    for k in range(source.first[word], source.first[word + 1]):
        row = source.rows[k]
        if before == 0:
            for d in range(source.table.shape[1]):
                into[d] = source.table[row, d]
        else:
            for d in range(source.table.shape[1]):
                into[d] += source.table[row, d]
        before += 1
    return before


@jit
def scale(vector, rows):  # type: ignore[no-untyped-def]
    """The mean, of the sum of so many rows."""
    if rows > 1:
        share = np.float32(1) / np.float32(rows)
        for d in range(len(vector)):
            vector[d] *= share


@jit
def spread(source, word, error):  # type: ignore[no-untyped-def]
    """Every row takes the whole of its word's error, as in fastText, and in word2vec each word that of their mean."""
    for k in range(source.first[word], source.first[word + 1]):
        row = source.rows[k]
        for d in range(source.table.shape[1]):
            source.table[row, d] += error[d]


@jit
def mixed(seed, counter):  # type: ignore[no-untyped-def]
    """A random number that follows from the two (SplitMix64: Steele et al. 2014)."""
    z = (seed * np.uint64(0xD1342543DE82EF95)) ^ (counter * np.uint64(0x9E3779B97F4A7C15))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def drawn(targets, random):  # type: ignore[no-untyped-def]
    """A word of noise, by a random number: its upper half says the slot, its lower half which word of the slot."""
    slot = ((random >> np.uint64(32)) * np.uint64(len(targets.share))) >> np.uint64(32)
    return np.int32(slot) if (random & np.uint64(0xFFFFFFFF)) < targets.share[slot] else targets.alias[slot]


@jit
def ask(targets, word, random, asked, signs, count):  # type: ignore[no-untyped-def]
    """Lists the word's rows and its noise behind the first `count` -> how many they are now."""
    for k in range(targets.first[word], targets.first[word + 1]):
        asked[count], signs[count] = targets.rows[k], targets.signs[k]
        count += 1
    for k in range(targets.num_noise):
        noise = drawn(targets, mixed(random, np.uint64(k)))
        if noise != word:
            asked[count], signs[count] = noise, -1
            count += 1
    return count


@jit
def fetch(table, asked, signs, count, output):  # type: ignore[no-untyped-def]
    """The rows asked, times their signs."""
    for j in range(count):
        row, sign = asked[j], signs[j]
        for d in range(table.shape[1]):
            output[j, d] = sign * table[row, d]


@jit
def store(table, asked, signs, count, change):  # type: ignore[no-untyped-def]
    """Adds to the rows asked what changes."""
    for j in range(count):
        row, sign = asked[j], signs[j]
        for d in range(table.shape[1]):
            table[row, d] += sign * change[j, d]


@jit
def decide(hidden, output, weights, num, count, rate):  # type: ignore[no-untyped-def]
    """The weights G of the update, [hidden, target] -> the summed loss; an odd row more of each is zero."""
    stride, width = count + count % 2, hidden.shape[1]
    hidden[num], output[count] = 0, 0
    for i in range(0, num, 2):
        for j in range(stride):
            first, second = np.float32(0), np.float32(0)
            for d in range(width):
                first += hidden[i, d] * output[j, d]
                second += hidden[i + 1, d] * output[j, d]
            weights[i * stride + j], weights[(i + 1) * stride + j] = first, second
    loss = np.float32(0)
    for k in range(num * stride):
        size = min(abs(weights[k]), np.float32(16))
        e = small_exp(-size)
        s = e / (np.float32(2) + e)
        loss += max(-weights[k], np.float32(0)) + twice_artanh(s)
        right = np.float32(1) / (np.float32(1) + e)
        weights[k] = rate * (np.float32(1) - right if weights[k] > 0 else right)
    return loss - num * (count % 2) * np.float32(0.6931472)


@jit
def small_exp(x):  # type: ignore[no-untyped-def]
    """exp(x) for -16 <= x <= 0 to 1e-6: the sixth-order series at x / 64, squared six times."""
    y = x * np.float32(1 / 64)
    e = np.float32(1) + y * (
        1 + y * (np.float32(1 / 2) + y * (np.float32(1 / 6) + y * (np.float32(1 / 24) + y * np.float32(1 / 120))))
    )
    for _ in range(6):
        e *= e
    return e


@jit
def twice_artanh(s):  # type: ignore[no-untyped-def]
    """log(1 + e) for s = e / (2 + e), 0 <= e <= 1, to 1e-7."""
    q = s * s
    series = np.float32(1 / 9) + q * (np.float32(1 / 11) + q * np.float32(1 / 13))
    series = np.float32(1 / 3) + q * (np.float32(1 / 5) + q * (np.float32(1 / 7) + q * series))
    return 2 * s * (1 + q * series)


@jit
def pull(weights, output, errors, num, count):  # type: ignore[no-untyped-def]
    """G O: what the hidden vectors change by."""
    stride, width = count + count % 2, output.shape[1]
    for i in range(num):
        errors[i] = 0
        for j in range(0, stride, 2):
            first, second = weights[i * stride + j], weights[i * stride + j + 1]
            for d in range(width):
                errors[i, d] += first * output[j, d] + second * output[j + 1, d]


@jit
def push(weights, hidden, change, num, count):  # type: ignore[no-untyped-def]
    """G^T H: what the output rows change by."""
    stride, width = count + count % 2, hidden.shape[1]
    for j in range(count):
        change[j] = 0
        for i in range(0, num, 2):
            first = weights[i * stride + j]
            second = weights[(i + 1) * stride + j]
            for d in range(width):
                change[j, d] += first * hidden[i, d] + second * hidden[i + 1, d]


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


def alias_table(weights: Array) -> tuple[Array, Array]:
    """Walker's tables `share` and `alias`: a slot and a fraction draw an index with chance in proportion to its weight."""
    share, alias = build(np.asarray(weights, np.float64))
    return share, alias


@jit
def build(weights):  # type: ignore[no-untyped-def]
    """Vose's way (1991): each slot poorer than the mean is filled up by a richer one."""
    num = len(weights)
    chance = weights * (num / weights.sum())
    alias = np.arange(num).astype(np.int32)
    poor, rich = np.flatnonzero(chance < 1), np.flatnonzero(chance >= 1)
    stack, top = np.zeros(num, np.int64), len(poor)
    stack[:top] = poor
    giver = 0
    while top > 0 and giver < len(rich):
        top -= 1
        slot, other = stack[top], rich[giver]
        alias[slot] = other
        chance[other] -= 1 - chance[slot]
        if chance[other] < 1:
            stack[top] = other
            top += 1
            giver += 1
    share = np.minimum(chance * 2.0**32, 2.0**32 - 1).astype(np.uint32)
    return share, alias
