"""Single tokens, each as likely as any other (Devlin et al. 2019, 3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Token:
    """As many as the budget says."""

    def __call__(self, budget: Array, is_maskable: Array, begins: Array, order: Array, lengths: Array) -> Array:
        """Which places are masked, [rows, time]: -1 for none, else a number, equal for those that share their fate.

        Args:
            budget: tokens to mask, [rows].
            begins: whether a word begins at a place.
            order, lengths: numbers from 0 to 1 drawn for each place.
        """
        key = np.where(is_maskable, order, np.inf)
        rank = np.argsort(np.argsort(key, axis=1, kind="stable"), axis=1)
        found: Array = np.where(is_maskable & (rank < budget[:, None]), np.arange(key.shape[1]), -1)
        return found
