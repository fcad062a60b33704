"""The statistics of a split by example, in a file of NumPy's (`examples/test.npz`) that holds plain data alone."""

import io
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lmlab.run import json_file
from lmlab.types import Examples, Mistake


def write(path: Path, examples: Examples) -> None:
    """`sums` [examples, statistics] and, as JSON, `about`: their names, what follows from them, what an example is."""
    about = {key: value for key, value in asdict(examples).items() if key != "sums"}
    content = io.BytesIO()
    np.savez_compressed(content, sums=examples.sums, about=np.array(json_file.dumps(about)))
    path.parent.mkdir(exist_ok=True)
    json_file.write_bytes(path, content.getvalue())


def read(path: Path) -> Examples | None:
    """What `write` wrote; None where there is no file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            sums, about = file["sums"], json_file.loads(str(file["about"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise Mistake(f"{path} is damaged ({error}); delete it, and tests over examples leave this run out") from error
    scores = {name: (function, tuple(taken)) for name, (function, taken) in about["scores"].items()}
    return Examples(sums, tuple(about["statistics"]), scores, about["kind"], about["source"])
