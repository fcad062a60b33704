"""Questions about a context, answers written in words: minimise -log p(answer | question, context) (Raffel et al. 2020, 2.4).

An answer need not stand in the context; where the context does not say, the answer is empty.
"""

from lmlab.examples import Question
from lmlab.task.sequence_to_sequence import SequenceToSequence


class GenerativeQuestionAnswering(SequenceToSequence):
    """Wraps an encoder with its decoder, or a decoder that reads question and context first."""

    example = Question
