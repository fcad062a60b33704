"""The compiled loop over the positions of a text: see logistic.py for what it computes.

Rows in work are padded to a multiple of 16 with zeros and stand in pairs, so that loops over them have no remainder and
LLVM makes vector instructions of them.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numba
import numpy as np

from lmlab.head.noise import Array, draw, mixed

LANES = 16
FAR = np.float32(100)
"""A score whose answer is as good as certain."""
MOST_AROUND = np.uint64(2 * 255)
"""Words in the widest window: the numbers of a position's random draws begin at so many times its own."""

jit = numba.njit(cache=True, fastmath=True, nogil=True)


class Source(NamedTuple):
    """A table [row, dim] and the rows of each word in it: `rows[first[w] : first[w + 1]]`, their mean being its vector."""

    table: Array
    first: Array
    rows: Array


class Targets(NamedTuple):
    """What is asked of each word: rows of the output table with their signs, and noise."""

    first: Array
    """[vocab + 1]: the rows of word w are `rows[first[w] : first[w + 1]]`."""
    rows: Array
    """int32."""
    signs: Array
    """float32: 1 where the answer is yes, -1 where it is no."""
    longest: int
    """The most rows of a word."""
    share: Array
    """With `alias` the table that noise is drawn from; both empty without noise."""
    alias: Array
    num_noise: int
    """Words drawn for each word asked, the answer being no; a draw of the word itself is dropped."""


class Work(NamedTuple):
    """What one centre needs, made once."""

    hidden: Array
    """[hidden, width]"""
    errors: Array
    """What the hidden vectors change by, [hidden, width]."""
    output: Array
    """Output rows times their signs, [target, width]."""
    change: Array
    """What these change by, [target, width]."""
    weights: Array
    """G as one row after the other."""
    asked: Array
    """Rows of the output table, [target]."""
    signs: Array
    """[target]"""


@jit
@no_type_check
def walk(words, left, right, start, stop, source, table, targets, averages, predicts, rate, seed):
    """Updates at positions start to stop, one after the other -> the summed loss and how many words were predicted."""
    work = workspace(reach(left, right, start, stop), source.table.shape[1], targets, predicts)
    loss, terms = 0.0, 0
    for i in range(start, stop):
        low, high = i - left[i], i + right[i] + 1
        if high - low == 1:
            continue
        num = read(words, i, low, high, source, averages, predicts, work.hidden)
        count = question(words, i, low, high, targets, predicts, seed, work)
        fetch(table, count, work)
        loss += decide(num, count, rate, work)
        terms += high - low - 1 if predicts else num
        if rate != 0:
            pull(num, count, work)
            push(num, count, work)
            store(table, count, work)
            write(words, i, low, high, source, averages, predicts, work.errors)
    return loss, terms


@jit
@no_type_check
def reach(left, right, start, stop):
    """The most words of a window."""
    most = np.int64(0)
    for i in range(start, stop):
        most = max(most, np.int64(left[i]) + np.int64(right[i]))
    return most


@jit
@no_type_check
def workspace(most, dim, targets, predicts):
    """Zeros, one row more than needed of each for the pairs."""
    width = (dim + LANES - 1) // LANES * LANES
    hidden = most + 1
    count = (targets.longest + targets.num_noise) * (most if predicts else 1) + 1
    return Work(
        np.zeros((hidden, width), np.float32),
        np.zeros((hidden, width), np.float32),
        np.zeros((count, width), np.float32),
        np.zeros((count, width), np.float32),
        np.zeros((hidden + 1) * (count + 1) + LANES, np.float32),
        np.zeros(count, np.int32),
        np.zeros(count, np.float32),
    )


@jit
@no_type_check
def read(words, i, low, high, source, averages, predicts, hidden):
    """The hidden vectors of position i -> how many they are."""
    if predicts:
        mean(hidden, 0, add(source, words[i], hidden, 0, 0))
        return 1
    num, rows = 0, 0
    for place in range(low, high):
        if place != i:
            rows = add(source, words[place], hidden, num, rows)
            if not averages:
                mean(hidden, num, rows)
                num, rows = num + 1, 0
    if averages:
        mean(hidden, 0, rows)
        return 1
    return num


@jit
@no_type_check
def write(words, i, low, high, source, averages, predicts, errors):
    """Adds the errors of the hidden vectors to the words that they are made of."""
    if predicts:
        spread(source, words[i], errors, 0)
        return
    num = 0
    for place in range(low, high):
        if place != i:
            spread(source, words[place], errors, num)
            num += 0 if averages else 1


@jit
@no_type_check
def add(source, word, hidden, num, before):
    """Adds the word's rows to the `before` rows that hidden vector `num` is the sum of -> how many they are now."""
    for k in range(source.first[word], source.first[word + 1]):
        row = source.rows[k]
        if before == 0:
            for d in range(source.table.shape[1]):
                hidden[num, d] = source.table[row, d]
        else:
            for d in range(source.table.shape[1]):
                hidden[num, d] += source.table[row, d]
        before += 1
    return before


@jit
@no_type_check
def mean(hidden, num, rows):
    """Of hidden vector `num`, which is the sum of so many rows."""
    if rows > 1:
        share = np.float32(1) / np.float32(rows)
        for d in range(hidden.shape[1]):
            hidden[num, d] *= share


@jit
@no_type_check
def spread(source, word, errors, num):
    """Every row takes the whole of its word's error, as in fastText, and in word2vec each word that of their mean."""
    for k in range(source.first[word], source.first[word + 1]):
        row = source.rows[k]
        for d in range(source.table.shape[1]):
            source.table[row, d] += errors[num, d]


@jit
@no_type_check
def question(words, i, low, high, targets, predicts, seed, work):
    """Lists the rows asked at position i with their signs -> how many they are."""
    number = np.uint64(i) * MOST_AROUND
    if not predicts:
        return ask(words[i], targets, mixed(seed, number), work.asked, work.signs, 0)
    count = 0
    for place in range(low, high):
        if place != i:
            random = mixed(seed, number + np.uint64(place - low))
            count = ask(words[place], targets, random, work.asked, work.signs, count)
    return count


@jit
@no_type_check
def ask(word, targets, random, asked, signs, count):
    """Lists the word's rows and its noise behind the first `count` -> how many they are now."""
    for k in range(targets.first[word], targets.first[word + 1]):
        asked[count], signs[count] = targets.rows[k], targets.signs[k]
        count += 1
    for k in range(targets.num_noise):
        noise = draw(targets.share, targets.alias, mixed(random, np.uint64(k)))
        if noise != word:
            asked[count], signs[count] = noise, -1
            count += 1
    return count


@jit
@no_type_check
def fetch(table, count, work):
    """The rows asked, times their signs."""
    for j in range(count):
        row, sign = work.asked[j], work.signs[j]
        for d in range(table.shape[1]):
            work.output[j, d] = sign * table[row, d]


@jit
@no_type_check
def store(table, count, work):
    """Adds to the rows asked what they change by."""
    for j in range(count):
        row, sign = work.asked[j], work.signs[j]
        for d in range(table.shape[1]):
            table[row, d] += sign * work.change[j, d]


@jit
@no_type_check
def decide(num, count, rate, work):
    """G = rate * sigmoid(-H O^T) -> the summed loss log(1 + exp(-H O^T)), without what the added zeros lose."""
    stride = count + count % 2
    multiply(num, count, work.hidden, work.output, work.weights)
    loss, weights, stop = np.float32(0), work.weights, num * stride
    end = (stop + LANES - 1) // LANES * LANES
    for k in range(stop, end):
        weights[k] = FAR  # loses nothing, so that this loop too has no remainder
    for k in range(end):
        e = falling_exp(min(abs(weights[k]), np.float32(16)))
        loss += max(-weights[k], np.float32(0)) + twice_artanh(e / (np.float32(2) + e))
        weights[k] = rate * (e if weights[k] > 0 else np.float32(1)) / (np.float32(1) + e)
    return loss - num * (stride - count) * np.float32(0.6931472)


@jit
@no_type_check
def multiply(num, count, hidden, output, product):
    """H O^T"""
    stride = count + count % 2
    for d in range(hidden.shape[1]):
        hidden[num, d], output[count, d] = 0, 0
    for i in range(0, num, 2):
        for j in range(stride):
            one, two = np.float32(0), np.float32(0)
            for d in range(hidden.shape[1]):
                one += hidden[i, d] * output[j, d]
                two += hidden[i + 1, d] * output[j, d]
            product[i * stride + j], product[(i + 1) * stride + j] = one, two


@jit
@no_type_check
def falling_exp(x):
    """exp(-x) for 0 <= x <= 16 to 1e-6: the series to the sixth order at x / 64, squared six times."""
    y = x * np.float32(-1 / 64)
    series = np.float32(1 / 24) + y * (np.float32(1 / 120) + y * np.float32(1 / 720))
    e = np.float32(1) + y * (np.float32(1) + y * (np.float32(1 / 2) + y * (np.float32(1 / 6) + y * series)))
    for _ in range(6):
        e *= e
    return e


@jit
@no_type_check
def twice_artanh(s):
    """log(1 + e) for s = e / (2 + e) and 0 <= e <= 1, to 1e-7."""
    q = s * s
    series = np.float32(1 / 9) + q * (np.float32(1 / 11) + q * np.float32(1 / 13))
    series = np.float32(1 / 3) + q * (np.float32(1 / 5) + q * (np.float32(1 / 7) + q * series))
    return np.float32(2) * s * (np.float32(1) + q * series)


@jit
@no_type_check
def pull(num, count, work):
    """G O: what the hidden vectors change by."""
    weights, output, errors, stride = work.weights, work.output, work.errors, count + count % 2
    for i in range(num):
        for j in range(0, stride, 2):
            one, two = weights[i * stride + j], weights[i * stride + j + 1]
            if j == 0:
                for d in range(output.shape[1]):
                    errors[i, d] = one * output[j, d] + two * output[j + 1, d]
            else:
                for d in range(output.shape[1]):
                    errors[i, d] += one * output[j, d] + two * output[j + 1, d]


@jit
@no_type_check
def push(num, count, work):
    """G^T H: what the output rows change by, but for their signs."""
    weights, hidden, change, stride = work.weights, work.hidden, work.change, count + count % 2
    for j in range(count):
        for i in range(0, num, 2):
            one, two = weights[i * stride + j], weights[(i + 1) * stride + j]
            if i == 0:
                for d in range(hidden.shape[1]):
                    change[j, d] = one * hidden[i, d] + two * hidden[i + 1, d]
            else:
                for d in range(hidden.shape[1]):
                    change[j, d] += one * hidden[i, d] + two * hidden[i + 1, d]
