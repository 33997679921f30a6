"""Where each database is to be had, and under which terms.

The mirrors, their files and sizes were read from stored public pages of the Hub, none of it on the
day that you fetch: sizes stand here for estimates without a network alone, and what is fetched is
compared with what the Hub lists at the commit that it is fetched at. What could not be seen is said
beside it. The licence tag of a mirror is set by whoever uploaded it; `Terms` hold what the makers
of the database say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aesthetic_tv.databases.registry import REGISTRY, entry
from aesthetic_tv.errors import DatabaseError, SettingError

GB, MB = 1_000_000_000, 1_000_000  # as the Hub counts
METAINFO = "chaofengc/IQA-PyTorch-Datasets-metainfo"
AVA_PHOTOS = (("image", "image_id"),)
PICK_A_PIC_PHOTOS = (("jpg_0", "image_0_uid"), ("jpg_1", "image_1_uid"))


@dataclass(frozen=True)
class SourceFile:
    """A file to fetch, or several by a pattern.

    Args:
        path: in the repo; `*` stands for any part of a name, `data/*.parquet`.
        size: bytes as known, of all files of the pattern together; `None` where not.
        sha256: which it must have; `None` takes what the Hub lists.
        repo_id: where it is, when not in the source's own repo.
        into: a folder of the database's to put it in, or to unpack it to.
        photos: of parquet whose rows hold photos, the columns of these, each with the column of
            their names; they are put into files, see `row_photos`.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    repo_id: str | None = None
    into: str = ""
    photos: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Terms:
    """Under which terms a database is published.

    Args:
        licence: what its makers say.
        url: where they say it, or where the database is described.
        accept: whether they ask to be agreed with before it is used.
        note: what to know besides.
    """

    licence: str
    url: str
    accept: bool = False
    note: str = ""

    def __str__(self) -> str:
        return f"{self.licence} ({self.url})" + (f". {self.note}" if self.note else "")


@dataclass(frozen=True)
class DatabaseSource:
    """Where a database is published.

    Args:
        name: of the registry.
        repo_id: on the Hub; "" where it is to be had by hand alone.
        files: to fetch; archives are unpacked.
        terms: of the makers.
        repo_type: of the repo.
        revision: branch, tag or commit; the newest when not given.
        unpacked: bytes when unpacked, as known.
        by_hand: where to ask for it, for a database that may not be fetched.
    """

    name: str
    repo_id: str
    files: tuple[SourceFile, ...]
    terms: Terms
    repo_type: str = "dataset"
    revision: str | None = None
    unpacked: int | None = None
    by_hand: str | None = field(default=None, repr=False)

    def __post_init__(self):
        if bool(self.repo_id and self.files) == (self.by_hand is not None):
            raise SettingError(
                f"{self.name}: a source has a repo with files, or says where to ask by hand."
            )

    @property
    def bytes(self) -> int | None:
        """Bytes to fetch, as known; `None` where a file's size is not, or there are none."""
        sizes = [file.size for file in self.files]
        return None if None in sizes or not sizes else sum(size or 0 for size in sizes)


def source_of(name: str) -> DatabaseSource:
    """Where a database is published.

    Raises:
        DatabaseError: unknown, or nothing is known of it.
    """
    entry(name)
    if name not in SOURCES:
        raise DatabaseError(
            f"no place is known where {name} is to be had; those of {', '.join(SOURCES)} are."
        )
    return SOURCES[name]


def terms_of(name: str) -> Terms:
    """Under which terms a database is published.

    Raises:
        DatabaseError: as by `source_of`.
    """
    return source_of(name).terms


def _terms(name: str, accept: bool = False, note: str = "") -> Terms:
    """As the registry has them."""
    return Terms(REGISTRY[name].license, REGISTRY[name].homepage, accept, note)


def _table(name: str, size: int) -> SourceFile:
    """A label table of IQA-PyTorch, where a mirror holds photos alone; sizes are rough."""
    return SourceFile(f"meta_info_{name}Dataset.csv", size, repo_id=METAINFO)


def _tagged(licence: str) -> str:
    return f"The mirror is tagged {licence}, by whoever uploaded it."


_SOURCES = (
    DatabaseSource(
        # Photos in one folder (`koniq/<name>.jpg`, as programs that use it name them), no table.
        "koniq-10k",
        "VQA-CityU/IQA_data",
        (SourceFile("koniq.zip", 5_583_358_818), _table("KonIQ10k", 1_157_269)),
        _terms("koniq-10k", note=_tagged("Apache-2.0")),
    ),
    DatabaseSource(
        # Photos made smaller, `spaq/<name>.jpg`; the makers' own are 34.8 GB.
        "spaq",
        "q-future/q-align-datasets",
        (SourceFile("spaq.tar", int(2.63 * GB)), _table("SPAQ", 1_390_875)),
        Terms(
            "research and education only, no commercial use (by those who pass it on; the makers' "
            "own words were not found)",
            REGISTRY["spaq"].homepage,
            accept=True,
            note=_tagged("MIT") + " Its photos are smaller than the makers' own.",
        ),
    ),
    DatabaseSource(
        # What the tar holds was not seen; zips within it are unpacked too, and take room twice.
        "aadb",
        "chaofengc/IQA-PyTorch-Datasets",
        (SourceFile("AADB_aesthetic_IQA_eccv16.tar", int(2.41 * GB)),),
        _terms("aadb", accept=True, note=_tagged("CC-BY-SA-4.0")),
        unpacked=int(5 * GB),
    ),
    DatabaseSource(
        # `kadid10k/dmos.csv`, `kadid10k/images/<name>.png`.
        "kadid-10k",
        "chaofengc/IQA-PyTorch-Datasets",
        (SourceFile("kadid10k.tgz", int(3.07 * GB)), _table("KADID10k", 500_000)),
        _terms("kadid-10k", note=_tagged("CC-BY-SA-4.0")),
    ),
    DatabaseSource(
        # `FLIVE_Database/database/<folder>/<name>`; whether the makers' tables are inside was not
        # seen, so that of IQA-PyTorch comes along.
        "paq-2-piq",
        "chaofengc/IQA-PyTorch-Datasets",
        (SourceFile("flive.tgz", int(5.41 * GB)), _table("FLIVE", 10 * MB)),
        _terms("paq-2-piq", accept=True, note=_tagged("CC-BY-SA-4.0")),
    ),
    DatabaseSource(
        # Photos `<name>.png` alone, as programs that use it say; the table is in the makers'
        # repository, lcysyzxdxc/AGIQA-3k-Database, and nowhere on the Hub as far as was seen: put
        # its data.csv beside the photos. A table of IQA-PyTorch is not known.
        "agiqa-3k",
        "",
        (),
        _terms("agiqa-3k"),
        by_hand="Photos: AGIQA-3K.zip (98 MB) of chaofengc/IQA-PyTorch-Datasets on the Hub; table: "
        "data.csv of https://github.com/lcysyzxdxc/AGIQA-3k-Database.",
    ),
    DatabaseSource(
        # `TAD66K.zip` has the photos without a folder, `labels.zip` has `labels/merge/*.csv`.
        "tad66k",
        "Shuai1995/TAD66K_for_Image_Aesthetics_Assessment",
        (
            SourceFile("TAD66K.zip", int(10.7 * GB), into="TAD66K"),
            SourceFile("labels.zip", int(1.89 * MB)),
        ),
        _terms("tad66k", note="The makers' own upload."),
    ),
    DatabaseSource(
        # Every tenth photo with 50 votes or more, in rows that hold them; the whole of AVA in the
        # same layout is trojblue/AVA-Huggingface, whose size was not seen.
        "ava",
        "trojblue/AVA-aesthetics-10pct-min50-10bins",
        (SourceFile("data/*.parquet", int(3.39 * GB), photos=AVA_PHOTOS),),
        Terms(
            "not stated by AVA's makers; the photos are their photographers' of dpchallenge.com, "
            "and are used for research",
            REGISTRY["ava"].homepage,
            note="A tenth of AVA, passed on by somebody else.",
        ),
    ),
    DatabaseSource(
        # The makers' upload; its size was not seen.
        "pamela",
        "bethgelab/PAMELA",
        (SourceFile("*"),),
        _terms("pamela", note="The makers' own upload."),
    ),
    DatabaseSource(
        # The makers' upload; its files, and whether it is gated, were not seen.
        "lapis",
        "asmaerten/LAPIS",
        (SourceFile("*"),),
        _terms("lapis", accept=True, note="The makers ask to be asked for access."),
    ),
    DatabaseSource(
        # Whole, 335 GB; the pairs, labels and user ids without images are pickapic_v2_no_images.
        "pick-a-pic",
        "yuvalkirstain/pickapic_v2",
        (
            SourceFile("data/validation-*.parquet", int(6.3 * GB), photos=PICK_A_PIC_PHOTOS),
            SourceFile("data/test-*.parquet", int(6.6 * GB), photos=PICK_A_PIC_PHOTOS),
        ),
        _terms("pick-a-pic", note="The validation and test parts; the training part is 320 GB."),
    ),
    DatabaseSource(
        "flickr-aes",
        "",
        (),
        _terms("flickr-aes", accept=True),
        by_hand="Ask its makers (https://github.com/alanspike/personalizedImageAesthetics).",
    ),
    DatabaseSource(
        "para",
        "",
        (),
        _terms("para", accept=True),
        by_hand="Ask its makers (https://cv-datasets.institutecv.com/#/data-sets).",
    ),
    DatabaseSource(
        "real-cur",
        "",
        (),
        _terms("real-cur", accept=True),
        by_hand="Ask its makers (https://github.com/alanspike/personalizedImageAesthetics).",
    ),
)

SOURCES: Mapping[str, DatabaseSource] = MappingProxyType(
    {source.name: source for source in _SOURCES}
)
