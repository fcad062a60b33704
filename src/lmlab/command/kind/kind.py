"""What an experiment on one kind of thing does otherwise than on another: sequences of tokens, or words and their vectors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import yaml
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.budget.memory import TrainingMemory
from lmlab.examples import Conversation, Labelled, Question, SourceTarget, Tagged
from lmlab.task.classification import Classification
from lmlab.task.denoising import Denoising
from lmlab.task.dialogue import Dialogue
from lmlab.task.generative_question_answering import GenerativeQuestionAnswering
from lmlab.task.image_text import ImageText as ImagesAndTexts
from lmlab.task.language_modeling import LanguageModeling
from lmlab.task.masked_language_modeling import MaskedLanguageModeling
from lmlab.task.question_answering import QuestionAnswering
from lmlab.task.replaced_token_detection import ReplacedTokenDetection
from lmlab.task.sequence_to_sequence import SequenceToSequence
from lmlab.task.speech_recognition import SpeechRecognition
from lmlab.task.tagging import Tagging
from lmlab.task.task import Plan
from lmlab.task.word_embedding import WordEmbedding
from lmlab.tree import groups
from lmlab.types import Mistake, Source, Text

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.decoding.options import Options
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained


@dataclass(frozen=True)
class Cost:
    """Of an experiment."""

    parameters: int
    flops: float | None
    """Of training, per token; None: nobody counts them."""
    memory: TrainingMemory


@runtime_checkable
class Kind(Protocol):
    """The steps of `train`, `check` and `evaluate` that depend on it."""

    needs: Mapping[str, str]
    """Group -> what an option's constructor takes if it is of this kind."""

    def arrays(self, experiment: Experiment) -> Any:
        """The splits as ids, with the tokenizer that made them: `train`, `val`, `test`, `tokenizer`, `meta`, `path`."""

    def vocabulary(self, experiment: Experiment) -> Any:
        """What a model is built for."""

    def batching(self, experiment: Experiment) -> Any:
        """How ids become batches."""

    def model(self, config: DictConfig, vocabulary: Any) -> tuple[Any, Any]:
        """Model and head, of a vocabulary or of a number that stands for one."""

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        """The LightningModule."""

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        """Split -> its metric."""

    def refuse(self, experiment: Experiment, task: Any) -> None:
        """Says what would not train; the task's weights are without memory."""

    def measured(self, experiment: Experiment) -> list[str]:
        """The names of a validation's figures."""

    def announce(self, experiment: Experiment) -> None:
        """Logs what was chosen, once per start."""

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """Samples of what was learned."""

    def cost(self, experiment: Experiment) -> Cost:
        """What training takes."""

    def baselines(self, experiment: Experiment) -> dict[str, Any]:
        """Figures of simple models on the same split."""

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        """Writes beside the tokenizer what `known` reads."""

    def known(self, run: RunFolder, tokenizer: Trained) -> Any:
        """What the model of a run was built for, as its folder says."""

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """Writes what else is left of a finished run."""


@runtime_checkable
class Answers(Protocol):
    """A kind whose models say something of a text."""

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """The lines that `lmlab predict` prints; options are those of conf/predict.yaml."""


@runtime_checkable
class Continues(Protocol):
    """A kind whose models go on from a prompt."""

    shows_prompt: bool
    """Whether what they write is one text with the prompt."""

    def opening(self, loaded: Loaded, prompt: str, room: int) -> Tensor:
        """The ids that a model has read [1, time] before it writes at most `room` tokens."""


@runtime_checkable
class Writes(Protocol):
    """A kind whose models write something for a prompt: its translation, its summary, what is said in it."""

    def decoding(self, loaded: Loaded) -> Options:
        """What the run writes with where nothing else is said."""

    def write(self, loaded: Loaded, prompt: str, options: Options, num: int) -> list[str]:
        """So many texts.

        Raises:
            Mistake: where the run's parts write none.
        """


def plan_of(experiment: Experiment, optimizer: Callable[[nn.Module], Any]) -> Plan:
    """How a task with gradients is trained."""
    config = experiment.config
    return Plan(
        optimizer=optimizer,
        schedule=configuration.build(config, "schedule")(horizon=experiment.horizon),
        num_micro=experiment.share.num_micro,
        total_steps=experiment.horizon.total_steps if experiment.has_end else None,
        seed=config.seed,
        gradient_clip=config.trainer.gradient_clip_val,
    )


def kind_of(config: DictConfig) -> Kind:
    """By the task."""
    from lmlab.command.kind.answered import Answered
    from lmlab.command.kind.conversations import Conversations
    from lmlab.command.kind.denoised import Denoised
    from lmlab.command.kind.image_text import ImageText
    from lmlab.command.kind.labelled import Labelled
    from lmlab.command.kind.masked import Masked
    from lmlab.command.kind.questions import Questions
    from lmlab.command.kind.replaced import Replaced
    from lmlab.command.kind.source_target import SourceTarget
    from lmlab.command.kind.speech import Speech
    from lmlab.command.kind.tagged import Tagged
    from lmlab.command.kind.tokens import Tokens
    from lmlab.command.kind.words import Words

    kinds: dict[type, type[Kind]] = {
        LanguageModeling: Tokens,
        MaskedLanguageModeling: Masked,
        ReplacedTokenDetection: Replaced,
        Denoising: Denoised,
        WordEmbedding: Words,
        Classification: Labelled,
        Dialogue: Conversations,
        GenerativeQuestionAnswering: Answered,
        SequenceToSequence: SourceTarget,
        SpeechRecognition: Speech,
        Tagging: Tagged,
        QuestionAnswering: Questions,
        ImagesAndTexts: ImageText,
    }
    task = configuration.class_of(config, "task")
    return next((kind for one, kind in kinds.items() if issubclass(task, one)), Tokens)()


def has_encoder(config: DictConfig) -> bool:
    """Whether the model reads a source by an encoder, beside the decoder that writes."""
    return hasattr(configuration.class_of(config, "model"), "of_pair")


def check_parts(config: DictConfig) -> None:
    """Data, model, head and batch are of the task's kind.

    Raises:
        Mistake: with the options that are.
    """
    check_data(config)
    kind, task = kind_of(config), configuration.class_of(config, "task")
    example, causal = getattr(kind, "batched", task.example), getattr(task, "causal", True)
    inner = (*(f"model.{side}" for side in configuration.SIDES), configuration.TEXT_MODEL)
    models = {key: kind.needs["model"] for key in inner if OmegaConf.select(config, key) is not None}
    for key, argument in {**kind.needs, **models}.items():
        group, target = "model" if key in models else key, OmegaConf.select(config, key)._target_
        if not str(target).startswith("lmlab.") or suits(target, argument, example, causal=causal):
            continue
        name, own = option_of(config.task), option_of(OmegaConf.select(config, key))
        fitting = [option for option, path in groups()[group].items() if fits(path, argument, example, causal=causal)]
        raise Mistake(f"{key.replace('.', '/')}={own} is not for task={name}; choose {', '.join(fitting)}")


def check_data(config: DictConfig) -> None:
    """The data give the examples that the task is about.

    Raises:
        Mistake: with the options that do.
    """
    wanted = configuration.class_of(config, "task").example
    if getattr(configuration.class_of(config, "data"), "example", wanted) is wanted:
        return
    fitting = [name for name, path in groups()["data"].items() if getattr(_class(path), "example", None) is wanted]
    raise Mistake(
        f"data={option_of(config.data)} is not for task={option_of(config.task)}, which needs examples of the type "
        f"{wanted.__name__}; choose {', '.join(fitting)}"
    )


def check_made(config: DictConfig, source: Source) -> None:
    """Examples of which the type follows from the keys of the data are those that the task is about."""
    wanted = configuration.class_of(config, "task").example
    if source.example is not wanted:
        raise Mistake(
            f"data={_option(config.data)} makes examples of the type {source.example.__name__} of the keys that are set, and "
            f"task={_option(config.task)} needs {wanted.__name__}; {_MAKING.get(wanted, 'choose other data')}"
        )


_MAKING = {
    Text: "set data.text alone",
    Labelled: "set data.label to a column as well",
    SourceTarget: "set data.source and data.target to columns",
    Tagged: "set data.tokens and data.tags to columns",
    Question: "set data.question to a column",
    Conversation: "set data.messages to a column",
}


def _class(path: Path) -> Any:
    """What an option builds, by its own file or its parent's."""
    target = _target(path)
    return get_object(target) if target else None


def _target(path: Path) -> str | None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "_target_" in content:
        return str(content["_target_"])
    parents = [entry for entry in content.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    return _target(path.with_name(f"{parents[0].rpartition('/')[2]}.yaml")) if parents else None


def option_of(block: DictConfig) -> str:
    """The name of an option, or of the one whose preset it is."""
    return str(block._target_).rpartition(".")[0].rpartition(".")[2]


def takes(target: str, argument: str) -> bool:
    """Whether a constructor has a parameter of this name, or one for any."""
    parameters = inspect.signature(get_object(target)).parameters
    return argument in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def suits(target: str, argument: str, example: type | None, *, causal: bool = True) -> bool:
    """Whether a constructor takes the argument; and what it builds is for such a task.

    Args:
        example: of the task, of which a batching or a head may be for one type; None: any.
        causal: whether the task's text is written from left to right, without which a head has no tokens ahead.
    """
    part = get_object(target)
    is_for_example = example is None or getattr(part, "example", example) is example
    return takes(target, argument) and is_for_example and (causal or not getattr(part, "looks_ahead", False))


def fits(path: Path, argument: str, example: type | None = None, *, causal: bool = True) -> bool:
    """Whether it suits what an option names, in its own file or in that of its parent."""
    target = _target(path)
    return target is not None and suits(target, argument, example, causal=causal)
