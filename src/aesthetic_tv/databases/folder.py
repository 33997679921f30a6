"""Photos of your own: a folder of images, and a table of their scores."""

from pathlib import Path, PurePosixPath

from aesthetic_tv.databases.labels import Labels
from aesthetic_tv.databases.source import Source
from aesthetic_tv.databases.tables import FORMATS, read_table
from aesthetic_tv.errors import DatabaseError


def read(folder: Path, source: Source) -> Labels:
    """The rows of the folder's table.

    Raises:
        DatabaseError: no table, more than one to choose from, or one without the columns.
    """
    path = _table(folder, source.table)
    return source.labels(read_table(path), path)


def _table(folder: Path, name: str | None) -> Path:
    if name is not None:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise DatabaseError(f"the table {name!r} lies outside of {folder}; refused.")
        if not (folder / name).is_file():
            raise DatabaseError(f"{folder} holds no table {name}.")
        return folder / name
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
        "name the one with the scores (`table`, --table)."
    )
