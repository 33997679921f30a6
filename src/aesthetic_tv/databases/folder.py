"""Photos of your own: a folder of images, and a table of their scores."""

from pathlib import Path

from aesthetic_tv.databases.labels import Labels
from aesthetic_tv.databases.source import Source
from aesthetic_tv.databases.tables import FORMATS, read_table
from aesthetic_tv.errors import DatabaseError


def read(folder: Path, source: Source) -> Labels:
    """The rows of the folder's table.

    Raises:
        DatabaseError: no table, more than one to choose from, or one without the columns.
    """
    path = _only_table(folder) if source.table is None else find_table(folder, source.table)
    return source.labels(read_table(path), path)


def find_table(folder: Path, name: str) -> Path:
    """The table that a person names: in the folder, or else by itself, wherever it is.

    Raises:
        DatabaseError: neither is there.
    """
    for path in (folder / name, Path(name)):
        if path.is_file():
            return path
    raise DatabaseError(f"{folder} holds no table {name}, and there is none of that path.")


def _only_table(folder: Path) -> Path:
    tables = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in FORMATS and path.is_file() and not path.name.startswith(".")
    )
    # Notes beside the table are no rivals of it.
    tables = [path for path in tables if path.suffix.lower() != ".txt"] or tables
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise DatabaseError(
            f"{folder} holds no table of scores ({', '.join(FORMATS)}); write one with a line such "
            "as `photo,score` at its top."
        )
    raise DatabaseError(
        f"{folder} holds {len(tables)} tables ({', '.join(path.name for path in tables[:5])}); "
        "name the one with the scores (`table`, --scores)."
    )
