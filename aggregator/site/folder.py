"""The published folder: files replaced one by one, each whole at every moment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from aggregator.errors import StoreFailed, unwritten

# Which files of a copy are ours; never served, and never copied.
_LIST = ".planet-build"


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files (path below `folder` to content); a reader sees each as it was or as it is, never half.

    Raises: StoreFailed for the first file that can't be written; that file is as it was.
    """
    for name, content in files.items():
        path = folder / name
        # A name that is never served, and that no other process uses.
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content)
            os.replace(unfinished, path)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise unwritten(error, str(path)) from error


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed has left half written; nobody else may be writing in the folder."""
    for path in folder.rglob(".*"):
        if path.suffix[1:].isdigit() and path.is_file():
            path.unlink(missing_ok=True)


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files, and the folders that they leave empty."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
        for parent in PurePosixPath(name).parents:
            try:
                (folder / parent).rmdir()
            except OSError:
                break


def names(folder: Path) -> set[str]:
    """Return the names of all files of the folder, but those that are never served."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix() for path in files}


def mirror(folder: Path, out: Path) -> int:
    """Copy the folder to `out`, and take away what was copied there before and is no more; return how many files.

    Nothing is touched that was not put there by us: a list of our files is kept beside them.

    Raises: StoreFailed, also when `out` holds files and no such list.
    """
    wanted, listed = names(folder), read(out, _LIST)
    if listed is None and out.is_dir() and any(out.iterdir()):
        raise StoreFailed(str(out), "it holds files that no build has put there; name an empty folder, or a new one")
    before = set((listed or b"").decode().split("\n")) - {""}
    write(out, {_LIST: "\n".join(sorted(before | wanted)).encode()})
    for name in sorted(wanted):
        content = read(folder, name)
        if content is not None and content != read(out, name):
            write(out, {name: content})
    remove(out, before - wanted)
    write(out, {_LIST: "\n".join(sorted(wanted)).encode()})
    return len(wanted)


def read(folder: Path, name: str) -> bytes | None:
    """Return a published file, or None when there is none."""
    try:
        return (folder / name).read_bytes()
    except (OSError, ValueError):
        return None
