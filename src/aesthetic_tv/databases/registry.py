"""What is known of each database: its scale, size, licence, and how its makers ship it."""

from dataclasses import dataclass, field

from aesthetic_tv.errors import DatabaseError, SettingError

Range = tuple[float, float]
NOT_STATED = "not stated"


@dataclass(frozen=True)
class DatabaseEntry:
    """One database, as its makers describe it.

    Attributes:
        id: how it is called here, and in the column `database`.
        title: its name, and of what it is.
        score_range: lowest and highest score there can be; `None` where the data decide.
        num_photos: photos with a score, by the makers' count; `None` where the data decide, or the
            makers count pairs.
        license: what the makers say; `NOT_STATED` where nothing was found, never a guess.
        citation: the paper to name.
        homepage: where it is to be had.
        layout: the files that are looked for in its folder, for whoever unpacks it.
        image_folders: where its photos are, below its folder; all that exist are searched, in this
            order, and the whole folder where none does.
        people_score_range: scale of single persons' scores; `None` where it has none.
        higher_is_better: the direction of the scores in its tables; they are turned where not.
        hub: the data set on the Hub that it is, which can be named instead of a folder.
    """

    id: str
    title: str
    score_range: Range | None = None
    num_photos: int | None = None
    license: str = NOT_STATED
    citation: str = ""
    homepage: str = ""
    layout: tuple[str, ...] = ()
    image_folders: tuple[str, ...] = field(default=(), repr=False)
    people_score_range: Range | None = None
    higher_is_better: bool = True
    hub: str = ""

    def __post_init__(self):
        if not self.id or not self.license:
            raise SettingError(f"a database needs an id and a licence, got {self!r}.")
        for scale in (self.score_range, self.people_score_range):
            if scale is not None and not scale[0] < scale[1]:
                raise SettingError(f"{self.id}: a scale is {scale}; expected low < high.")

    @property
    def reader(self) -> str:
        """The module of `aesthetic_tv.databases` that reads it."""
        return self.id.replace("-", "_")

    @property
    def has_people(self) -> bool:
        """Whether single persons' scores come with it."""
        return self.people_score_range is not None


def entry(name: str) -> DatabaseEntry:
    """The entry of a database.

    Raises:
        DatabaseError: there is none of this name.
    """
    if name not in REGISTRY:
        raise DatabaseError(
            f"there is no database {name!r}; expected one of {', '.join(REGISTRY)}. `folder` reads "
            "photos of your own with a table of scores, `hub` any data set on the Hub."
        )
    return REGISTRY[name]


_ENTRIES = (
    DatabaseEntry(
        id="ava",
        title="AVA: photos of dpchallenge.com, votes from 1 to 10",
        score_range=(1, 10),
        num_photos=255_530,
        citation="Murray, Marchesotti & Perronnin: AVA: A Large-Scale Database for Aesthetic "
        "Visual Analysis. CVPR 2012",
        homepage="https://github.com/mtobeiyf/ava_downloader",
        layout=("AVA.txt", "aesthetics_image_lists/generic_test.jpgl", "images/<id>.jpg"),
        image_folders=("images", "image"),
    ),
    DatabaseEntry(
        id="tad66k",
        title="TAD66K: Flickr photos of 47 themes",
        score_range=(0, 10),
        num_photos=66_327,
        license="Apache-2.0 for the makers' repository; the photos' is not stated",
        citation="He, Zhang, Xie, Jiang & Ming: Rethinking Image Aesthetics Assessment: Models, "
        "Datasets and Benchmarks. IJCAI 2022",
        homepage="https://github.com/woshidandan/TANet-image-aesthetics-and-quality-assessment",
        layout=("merge/train.csv", "merge/test.csv", "TAD66K/<name>"),
        image_folders=("TAD66K", "images"),
    ),
    DatabaseEntry(
        id="flickr-aes",
        title="FLICKR-AES: Flickr photos, 5 of 210 workers each",
        score_range=(0, 1),
        num_photos=40_988,
        citation="Ren, Shen, Lin, Mech & Foran: Personalized Image Aesthetics. ICCV 2017",
        homepage="https://github.com/alanspike/personalizedImageAesthetics",
        layout=(
            "FLICKR-AES_image_score.txt",
            "FLICKR-AES_image_labeled_by_each_worker.csv",
            "40K/<name>",
        ),
        image_folders=("40K", "images", "image"),
        people_score_range=(1, 5),
    ),
    DatabaseEntry(
        id="para",
        title="PARA: photos, each by about 25 of 438 people whose traits are known",
        score_range=(1, 5),
        num_photos=31_220,
        license="research and learning only, no commercial use (the makers' README)",
        citation="Yang, Xu, Li, Qie, Li, Zhang & Guo: Personalized Image Aesthetics Assessment "
        "with Rich Attributes. CVPR 2022",
        homepage="https://cv-datasets.institutecv.com/#/data-sets",
        layout=(
            "annotation/PARA-GiaaTrain.csv",
            "annotation/PARA-GiaaTest.csv",
            "annotation/PARA-Images.csv",
            "imgs/<session>/<name>",
        ),
        image_folders=("imgs",),
        people_score_range=(1, 5),
    ),
    DatabaseEntry(
        id="koniq-10k",
        title="KonIQ-10k: technical quality of photos in the wild",
        score_range=(0, 100),
        num_photos=10_073,
        license="MIT for the makers' repository; the photos' is not stated",
        citation="Hosu, Lin, Sziranyi & Saupe: KonIQ-10k: An Ecologically Valid Database for Deep "
        "Learning of Blind Image Quality Assessment. IEEE TIP 29, 2020",
        homepage="https://github.com/subpic/koniq",
        layout=("koniq10k_distributions_sets.csv", "1024x768/<name>"),
        image_folders=("1024x768", "512x384", "images"),
    ),
    DatabaseEntry(
        id="spaq",
        title="SPAQ: technical quality of photos from 66 smartphones",
        score_range=(0, 100),
        num_photos=11_125,
        citation="Fang, Zhu, Zeng, Ma & Wang: Perceptual Quality Assessment of Smartphone "
        "Photography. CVPR 2020",
        homepage="https://github.com/h4nwei/SPAQ",
        layout=("Annotations/MOS and Image attribute scores.xlsx", "TestImage/<name>"),
        image_folders=("TestImage", "TestImages", "images"),
    ),
    DatabaseEntry(
        id="aadb",
        title="AADB: Flickr photos, 5 workers each",
        score_range=(0, 1),
        num_photos=9_958,
        license="research only; Flickr photos under Creative Commons (the makers' README)",
        citation="Kong, Shen, Lin, Mech & Fowlkes: Photo Aesthetics Ranking Network with "
        "Attributes and Content Adaptation. ECCV 2016",
        homepage="https://github.com/aimerykong/deepImageAestheticsAnalysis",
        layout=(
            "imgListFiles_label/imgListTrainRegression_score.txt",
            "imgListFiles_label/imgListValidationRegression_score.txt",
            "imgListFiles_label/imgListTestNewRegression_score.txt",
            "datasetImages_originalSize/<name>",
            "AADB_newtest_originalSize/<name>",
        ),
        image_folders=(
            "datasetImages_originalSize",
            "AADB_newtest_originalSize",
            "datasetImages_warp256",
            "AADB_newtest",
            "images",
        ),
        people_score_range=(1, 5),
    ),
    DatabaseEntry(
        id="real-cur",
        title="REAL-CUR: 14 personal albums, rated by their owners",
        score_range=(1, 5),
        num_photos=2_870,
        citation="Ren, Shen, Lin, Mech & Foran: Personalized Image Aesthetics. ICCV 2017",
        homepage="https://github.com/alanspike/personalizedImageAesthetics",
        layout=("images/<worker>/<score>/<name>", "<any>.csv of worker, image, score (optional)"),
        image_folders=("images",),
        people_score_range=(1, 5),
    ),
    DatabaseEntry(
        id="eva",
        title="EVA: photos of AVA, 30 or more voters each",
        score_range=(0, 10),
        num_photos=4_070,
        license="CC0-1.0",
        citation="Kang, Valenzise & Dufaux: EVA: An Explainable Visual Aesthetics Dataset. "
        "ATQAM/MAST 2020",
        homepage="https://github.com/kang-gnak/eva-dataset",
        layout=("data/votes_filtered.csv", "images/EVA_together/<id>.jpg"),
        image_folders=("images", "EVA_together"),
        people_score_range=(0, 10),
    ),
    DatabaseEntry(
        id="baid",
        title="BAID: artistic images of boldbrush.com",
        score_range=(0, 10),
        num_photos=60_337,
        license="CC-BY-NC-ND-4.0",
        citation="Yi, Tian, Gu, Lai & Rosin: Towards Artistic Image Aesthetics Assessment: a "
        "Large-scale Dataset and a New Method. CVPR 2023",
        homepage="https://github.com/Dreemurr-T/BAID",
        layout=(
            "dataset/train_set.csv",
            "dataset/val_set.csv",
            "dataset/test_set.csv",
            "images/<name>",
        ),
        image_folders=("images",),
    ),
    DatabaseEntry(
        id="lapis",
        title="LAPIS: artworks, each by about 24 of 568 people whose traits are known",
        score_range=(0, 100),
        num_photos=11_723,
        citation="Maerten, Chen, De Winter, Bossens & Wagemans: LAPIS: A Novel Dataset for "
        "Personalized Image Aesthetic Assessment. CVPR Workshops 2025",
        homepage="https://github.com/Anne-SofieMaerten/LAPIS",
        layout=(
            "annotation/LAPIS_GIAA_Trainsplit.csv",
            "annotation/LAPIS_GIAA_Valsplit.csv",
            "annotation/LAPIS_GIAA_Testsplit.csv",
            "annotation/LAPIS_PIAA.csv",
            "images/<name>",
        ),
        image_folders=("images",),
        people_score_range=(0, 100),
    ),
    DatabaseEntry(
        id="paq-2-piq",
        title="PaQ-2-PiQ (LIVE-FB, FLIVE): technical quality of photos from everywhere",
        score_range=(0, 100),
        num_photos=39_810,
        license="CC-BY-NC-SA-4.0 for the makers' repository; the photos' is not stated",
        citation="Ying, Niu, Gupta, Mahajan, Ghadiyaram & Bovik: From Patches to Pictures "
        "(PaQ-2-PiQ): Mapping the Perceptual Space of Picture Quality. CVPR 2020",
        homepage="https://github.com/niu-haoran/FLIVE_Database",
        layout=("labels_image.csv", "labels640.csv", "database/<folder>/<name>"),
        image_folders=("database",),
    ),
    DatabaseEntry(
        id="pamela",
        title="PAMELA: generated images, each by about 15 of 199 people",
        score_range=(1, 5),
        num_photos=5_077,
        license="CC-BY-4.0",
        citation="Maerten, Verwiebe, Karthik, Prabhu, Wagemans & Bethge: Personalizing "
        "Text-to-Image Generation to Individual Taste. arXiv 2604.07427, 2026",
        homepage="https://huggingface.co/datasets/bethgelab/PAMELA",
        layout=(
            "annotations/pamela_train.json",
            "annotations/pamela_val_seen.json",
            "annotations/pamela_val_unseen.json",
            "annotations/pamela_test_seen.json",
            "annotations/pamela_test_unseen.json",
            "images/<name>",
        ),
        image_folders=("images",),
        people_score_range=(1, 5),
        hub="bethgelab/PAMELA",
    ),
    DatabaseEntry(
        id="kadid-10k",
        title="KADID-10k: 81 pictures, each spoilt in 25 ways at 5 strengths",
        score_range=(1, 5),
        num_photos=10_125,
        citation="Lin, Hosu & Saupe: KADID-10k: A Large-scale Artificially Distorted IQA Database. "
        "QoMEX 2019",
        homepage="https://database.mmsp-kn.de/kadid-10k-database.html",
        layout=("dmos.csv", "images/<name>"),
        image_folders=("images",),
    ),
    DatabaseEntry(
        id="agiqa-3k",
        title="AGIQA-3K: quality of images generated by six models",
        score_range=(0, 5),
        num_photos=2_982,
        license="MIT for the makers' repository; the images' is not stated",
        citation="Li, Zhang, Wu, Sun, Min, Liu, Zhai & Lin: AGIQA-3K: An Open Database for "
        "AI-Generated Image Quality Assessment. IEEE TCSVT 34, 2024",
        homepage="https://github.com/lcysyzxdxc/AGIQA-3k-Database",
        layout=("data.csv", "images/<name>"),
        image_folders=("images", "AGIQA-3K", "file"),
    ),
    DatabaseEntry(
        id="pick-a-pic",
        title="Pick-a-Pic: generated images, which of two a person liked better",
        score_range=(0, 1),
        citation="Kirstain, Polyak, Singer, Matiana, Penna & Levy: Pick-a-Pic: An Open Dataset of "
        "User Preferences for Text-to-Image Generation. NeurIPS 2023",
        homepage="https://huggingface.co/datasets/yuvalkirstain/pickapic_v2",
        layout=("labels/<part>-<number>.parquet", "images/<uid>.jpg"),
        image_folders=("images",),
        people_score_range=(0, 1),
    ),
    DatabaseEntry(
        id="folder",
        title="your own photos, with a table of scores",
        layout=("one .csv, .tsv, .xlsx, .parquet, .jsonl or .json with a header", "photos"),
        image_folders=("images", "photos", "imgs"),
    ),
    DatabaseEntry(
        id="hub",
        title="any data set on the Hub with images and scores",
        homepage="https://huggingface.co/datasets",
    ),
)

REGISTRY: dict[str, DatabaseEntry] = {entry.id: entry for entry in _ENTRIES}
