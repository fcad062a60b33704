"""The command `lmlab VERB [TARGET] [key=value ...]`: dispatches to one file per verb; imports no torch and no Hydra."""

import difflib
import gc
import importlib
import logging
import os
import sys

from lmlab.types import Failed, Interrupted, Mistake

VERBS = {
    "train": "train an experiment, or go on with it where it stopped",
    "resume": "continue a run, also with changed limits: lmlab resume latest trainer.max_steps=2000",
    "rerun": "train a run again from its stored configuration and report every difference",
    "evaluate": "loss and metrics of a run on a split",
    "generate": "continue a prompt, or write its translation or summary: lmlab generate latest prompt='Once upon a time'",
    "predict": "the labels of a text by a trained classifier: lmlab predict latest text=...",
    "neighbors": "the words nearest to one: lmlab neighbors latest word=king",
    "reproduce": "run a published experiment and hold it against the published number",
    "runs": "the runs as a table, filtered and sorted",
    "status": "how a sweep or a run stands",
    "retry": "go on with a sweep: what is not done, and what failed",
    "stop": "save and stop a sweep or a run: lmlab stop heads",
    "logs": "what a run or a job of a sweep has said",
    "diff": "what differs between two runs in config, code, data and results",
    "list": "the options of a group: lmlab list model",
    "check": "what a command would do, without doing it: values and their origin, parameters, FLOPs, memory",
    "report": "write the report.html of a run or a sweep, and print a sweep's table",
    "prepare": "fetch, verify and tokenise the data, so that training needs no network",
    "export": "the weights of a run as one file that other programs read: lmlab export latest format=safetensors",
    "rm": "delete a run, or the cache: lmlab rm cache",
    "completion": 'the shell completion: eval "$(lmlab completion bash)"',
}

HELP = """lmlab trains, compares and reproduces language models.

usage: lmlab VERB [TARGET] [key=value ...]

{verbs}

TARGET is a run or a sweep: its path, id, the beginning of its id, its name, or latest.
key=value changes a value, group=option takes another part: lmlab train model=lstm optimizer.lr=1e-3
lmlab VERB --help says more. Exit codes: 0 done, 1 failed, 2 a mistake in the command, 3 stopped and resumable.
"""


def main(arguments: list[str] | None = None) -> None:
    """The entry point of the `lmlab` command."""
    if "NODE_RANK" in os.environ:  # the loss of another machine is said in a sentence, not in torch's stack
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    gc.set_threshold(20_000)  # Python's 700 costs a fifth of the seconds in which torch and Lightning are imported
    sys.path.append(os.getcwd())  # a `_target_` in the user's ./conf may name a module of their own beside it
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(HELP.format(verbs="\n".join(f"  {verb:<11} {text}" for verb, text in VERBS.items())))
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"lmlab {version('lmlab')}\n")
        return 0
    try:
        verb = arguments[0]
        if verb not in VERBS:
            close = difflib.get_close_matches(verb, VERBS, n=1)
            raise Mistake(f"there is no verb {verb!r}; {f'did you mean {close[0]}? ' if close else ''}See lmlab --help")
        return int(importlib.import_module(f"lmlab.command.{verb}").main(arguments[1:]))
    except Mistake as mistake:
        return _say(str(mistake), 2)
    except Failed as failure:
        return _say(str(failure), 1)
    except Interrupted as interruption:
        return _say(str(interruption), 3)
    except KeyboardInterrupt:
        return _say("interrupted; lmlab resume latest goes on from the last checkpoint", 3)
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _say(text: str, code: int) -> int:
    for line in text.split("\n"):
        sys.stderr.write(f"lmlab: {line}\n")
    return code


if __name__ == "__main__":
    main()
