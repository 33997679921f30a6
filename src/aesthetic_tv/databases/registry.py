"""What is known of each database: its scale, size, licence, and how its makers ship it."""

from dataclasses import dataclass, field

from aesthetic_tv.errors import SettingError

Range = tuple[float, float]
NOT_STATED = "not stated"


@dataclass(frozen=True)
class DatabaseEntry:
    """One database, as its makers describe it.

    Attributes:
        id: how it is called here, and in the column `database`.
        title: its name, and of what it is.
        score_range: lowest and highest score there can be; `None` where the data decide.
        num_photos: photos with a score, by the makers' count; `None` where the data decide.
        license: what the makers say; `NOT_STATED` where nothing was found, never a guess.
        citation: the paper to name.
        homepage: where it is to be had.
        label_files: what its tables are called, relative to its folder.
        image_folders: where its photos are, relative to its folder; the first that exists is used.
        reader: the module of `aesthetic_tv.databases` that reads it.
        has_people: whether single persons' scores come with it.
        higher_is_better: the direction of the scores in its tables; they are turned where not.
    """

    id: str
    title: str
    score_range: Range | None
    num_photos: int | None
    license: str
    citation: str
    homepage: str
    label_files: tuple[str, ...]
    image_folders: tuple[str, ...] = field(repr=False)
    reader: str = field(repr=False)
    has_people: bool = False
    higher_is_better: bool = True

    def __post_init__(self):
        if not self.id or not self.license:
            raise SettingError(f"a database needs an id and a licence, got {self!r}.")
        if self.score_range is not None and not self.score_range[0] < self.score_range[1]:
            raise SettingError(f"{self.id}: score_range is {self.score_range}; expected low < high.")
