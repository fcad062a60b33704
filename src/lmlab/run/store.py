"""All runs of an output folder: `<output_dir>/<project>/<id>/`, found by identity, id, name or `latest`.

`<output_dir>/.identity/<identity>/` holds numbered claims (see `claim`) that name the run with that identity: one
look-up, however many runs there are, and of two equal commands that start together exactly one makes the run.
"""

import difflib
import os
import random
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from lmlab.run import claim
from lmlab.run.folder import RunFolder, is_run
from lmlab.types import Mistake

LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # without l, o, 0, 1, which are mistaken for each other

LATEST = "latest"

Opened = Literal["new", "continued", "finished"]


def open_run(
    *,
    output_dir: Path,
    project: str,
    identity: str,
    config: Mapping[str, Any],
    overrides: Sequence[str] = (),
    name: str | None = None,
    fingerprint: str = "",
    fresh: bool = False,
) -> tuple[RunFolder, Opened]:
    """The run of this identity, made if there is none; a Mistake if it is being trained now.

    The caller takes the run's lock next; it decides between two commands that continue one run together.
    """
    manifest = {"identity": identity, "name": name, "fingerprint": fingerprint, "overrides": list(overrides)}
    with _writable(output_dir):
        while True:
            last, found = _look_up(output_dir, identity)
            if found is not None and not fresh:
                return found, _opened(output_dir, found)
            run = create(output_dir=output_dir, project=project, config=config, manifest=manifest)
            claimed = claim.follow(_claims(output_dir, identity), last, _relative(run, output_dir))
            if claimed is not None:
                link_latest(output_dir, run)
                return run, "new"
            shutil.rmtree(run.path)  # an equal command was faster: look again


def create(
    *,
    output_dir: Path,
    project: str,
    config: Mapping[str, Any],
    manifest: Mapping[str, Any],
    id: str | None = None,
) -> RunFolder:
    """Make a run's folder under a new id; `manifest` is what else run.json is to hold."""
    folder = output_dir / _checked(project)
    folder.mkdir(parents=True, exist_ok=True)
    run = RunFolder(_made(folder, id))
    run.checkpoints.mkdir()
    run.samples.mkdir()
    run.write_config(config)
    run.write_overrides(manifest.get("overrides", []))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    run.write_manifest({"id": run.id, "project": project, "created": created, **manifest})
    return run


def find_by_identity(output_dir: Path, identity: str) -> RunFolder | None:
    """The run of this identity; None if there was none or it was deleted."""
    return _look_up(output_dir, identity)[1]


def find(target: str, output_dir: Path) -> RunFolder:
    """The run that the user means by a path, an id, the beginning of an id, a name, or `latest`."""
    path = Path(target)
    if is_run(path):
        return RunFolder(path.resolve())
    if is_run(output_dir / target):  # also `latest`, and `project/id`
        return RunFolder((output_dir / target).resolve())
    known = runs(output_dir)
    if target == LATEST and known:
        return known[-1]
    for matches in (
        [run for run in known if run.id == target],
        [run for run in known if run.name == target],
        [run for run in known if run.id.startswith(target)],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise Mistake(_ambiguous(target, matches))
    raise Mistake(_unknown(target, known, output_dir))


def runs(output_dir: Path) -> list[RunFolder]:
    """All runs, oldest first."""
    found = [RunFolder(run) for project in _folders(output_dir) for run in _folders(project) if is_run(run)]
    return sorted(found, key=lambda run: (run.id, run.path))


def link_latest(output_dir: Path, run: RunFolder) -> None:
    """Point `<output_dir>/latest` at the run, at once."""
    temporary = output_dir / f".{LATEST}.{uuid.uuid4().hex[:8]}"
    try:
        temporary.symlink_to(_relative(run, output_dir))
        os.replace(temporary, output_dir / LATEST)
    except OSError:  # no symbolic links here: `find` takes the newest id instead
        temporary.unlink(missing_ok=True)


def free_space(path: Path) -> int:
    """Free bytes where `path` is or will be."""
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(existing).free


def _opened(output_dir: Path, run: RunFolder) -> Opened:
    holder = run.holder
    if holder is not None:
        raise Mistake(f"{run.path} is running on {holder}; wait for it, or train anew beside it with fresh=true")
    if run.status == "finished":
        return "finished"
    link_latest(output_dir, run)
    return "continued"


def _look_up(output_dir: Path, identity: str) -> tuple[claim.Claim | None, RunFolder | None]:
    last = claim.highest(_claims(output_dir, identity))
    if last is None:
        return None, None
    path = output_dir / last.content
    return last, RunFolder(path) if is_run(path) else None


def _claims(output_dir: Path, identity: str) -> Path:
    return output_dir / ".identity" / identity


def _relative(run: RunFolder, output_dir: Path) -> str:
    return os.path.relpath(run.path.resolve(), output_dir.resolve())


def _made(folder: Path, id: str | None) -> Path:
    """A new folder: mkdir is atomic, so no other process has the same."""
    while True:
        time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        # The system's own randomness: seeding the global generators must not make two runs meet in one id.
        path = folder / (id or f"{time}-{''.join(random.SystemRandom().choices(LETTERS, k=4))}")
        try:
            path.mkdir()
        except FileExistsError:
            if id is not None:
                raise
            continue
        return path


def _checked(project: str) -> str:
    if not project or project.startswith(".") or "/" in project or project == LATEST:
        raise Mistake(f"project={project!r} cannot name a folder; set project to a word without / and not `{LATEST}`")
    return project


@contextmanager
def _writable(output_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Mistake(
            f"output_dir={output_dir} cannot be written ({error.strerror}); "
            "set output_dir or LMLAB_RUNS to a folder with space that you may write to"
        ) from error


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            return [Path(entry.path) for entry in entries if _is_plain_folder(entry)]
    except FileNotFoundError:
        return []


def _is_plain_folder(entry: "os.DirEntry[str]") -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _ambiguous(target: str, matches: Sequence[RunFolder]) -> str:
    shown = ", ".join(run.id for run in matches[-5:])
    return f"{target!r} names {len(matches)} runs; give more of the id of one: {shown}"


def _unknown(target: str, known: Sequence[RunFolder], output_dir: Path) -> str:
    if not known:
        return f"There is no run {target!r}: {output_dir} holds none yet; set output_dir or LMLAB_RUNS, or train one"
    names = {run.id for run in known} | {run.name for run in known if run.name}
    near = difflib.get_close_matches(target, sorted(names), n=3, cutoff=0.5) or [run.id for run in known[-3:]]
    return f"There is no run {target!r} in {output_dir}; nearest: {', '.join(near)}, or `{LATEST}`"
