"""Replying in a conversation: minimise -log p(reply | all that was said before it), summed over all replies of each.

The conversation is one text for a decoder (Wolf et al. 2019, TransferTransfo; Zhang et al. 2020, DialoGPT), with the loss on
the replies alone; what is written in evaluation is the last reply of each conversation.
"""

from lmlab.examples import Conversation
from lmlab.task.sequence_to_sequence import SequenceToSequence


class Dialogue(SequenceToSequence):
    """Wraps a decoder."""

    example = Conversation
