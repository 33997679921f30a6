"""Who is evaluated on how much, how often, and by which methods; and the layouts that others
publish figures by.

A named protocol fixes who is tested, on how many photos, how often and by which metric; the bank
and the methods stay free. Another entry of the table is another protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from aesthetic_tv.errors import SettingError

OPTIONS = {"people": "people (--limit)"}  # fields that the command line calls otherwise
FREE = ("methods", "slow_people", "slow_trials")  # what a named protocol leaves open


def _option(default: Any, text: str, **more: Any) -> Any:
    """A field that is an option of the command line too."""
    return field(default=default, metadata={"help": text, "least": 1, **more})


@dataclass(frozen=True)
class Protocol:
    """Who is fitted on how much, how often, and by which methods.

    Args:
        shots: sizes of the support set; the paper has 10 and 100.
        trials: draws for each person and size.
        methods: names, see `methods.METHODS`; `single` stands for all single task models.
        people: how many of the people, drawn at random; all of them when `None`.
        slow_people, slow_trials: for methods that take seconds a fit: the first of the people and
            of the draws; all of them when `None`.
        seed: of people, splits and methods.
        query: photos to test on, drawn at random; all that the person is not fitted on when `None`.
        least_query: fewest photos to test on, where `query` is `None`; `splits.LEAST_QUERY` when
            `None`. A person with fewer is left out.
        least_ratings: how much a person has rated at least; others are not among the people.
        protocol: id of the named protocol that this is; `Protocol.named` makes these.
    """

    shots: tuple[int, ...] = (10, 100)
    trials: int = _option(10, "Draws for each person and size.")
    methods: tuple[str, ...] = ("generic", "newton")
    people: int | None = _option(None, "So many people, at random.", option="limit")
    slow_people: int | None = _option(None, "So many of them for methods that take long.")
    slow_trials: int | None = _option(None, "So many draws for them.")
    seed: int = _option(0, "Of people, splits and methods.", least=0)
    query: int | None = _option(None, "So many photos to test on, at random; all others.", least=2)
    least_query: int | None = _option(None, "People with fewer to test on are left out.", least=2)
    least_ratings: int | None = _option(None, "So are those who rated fewer.", least=2)
    protocol: str | None = None

    def __post_init__(self):
        counts = (self.people, self.slow_people, self.slow_trials)
        if any(count is not None and count < 1 for count in counts):
            raise SettingError(
                f"people, slow_people and slow_trials are {counts}; expected 1 or more, or None."
            )
        counts = (self.query, self.least_query, self.least_ratings)
        if any(count is not None and count < 2 for count in counts):
            raise SettingError(
                f"query, least_query and least_ratings are {counts}; expected 2 or more, or None."
            )
        if self.protocol is not None:
            published = protocol_named(self.protocol)
            published.check({f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def named(cls, name: str, **free: Any) -> "Protocol":
        """The settings of a named protocol.

        Args:
            name: one of `PROTOCOLS`.
            free: those of `FREE`; the methods are the protocol's own when not given.

        Raises:
            SettingError: there is none of this name, or it fixes what is given.

        Example:
            >>> Protocol.named("ryu-yanaka").query
            50
        """
        published = protocol_named(name)
        published.check(free)
        return cls(**{**published.settings, "methods": published.methods, "protocol": name, **free})


@dataclass(frozen=True)
class PublishedProtocol:
    """A layout that others have published figures by.

    Attributes:
        id: what `--protocol` takes.
        title: what is compared by it.
        source: where it is described.
        databases: ids of those it is measured on.
        settings: what it fixes, as fields of `Protocol`; all else of these is at its default.
        methods: compared where nothing else is asked for, its own rival among them.
        part: whose ratings: `all`, `test`, or `train to test`: fitted on the training part and
            tested on the test part.
        metrics: that it is reported in, the first above all.
        note: where this differs from what the authors did, or what they leave open.
    """

    id: str
    title: str
    source: str
    databases: tuple[str, ...]
    settings: Mapping[str, Any]
    methods: tuple[str, ...]
    part: str = "all"
    metrics: tuple[str, ...] = ("srocc",)
    note: str = ""

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse settings that contradict it.

        Args:
            given: fields of `Protocol`, and `part`, with what is asked for.

        Raises:
            SettingError: names each that the protocol fixes otherwise.
        """
        fixed = {f.name: f.default for f in fields(Protocol) if f.name not in FREE}
        fixed |= {"part": self.part, "protocol": self.id, **self.settings}
        otherwise = [
            f"{OPTIONS.get(name, name)} {_in_words(value)}, not {_in_words(given[name])}"
            for name, value in fixed.items()
            if name in given and given[name] != value
        ]
        if otherwise:
            raise SettingError(
                f"the protocol {self.id} has {'; '.join(otherwise)}. Leave it as it is, or name no "
                "protocol: under this name a run must be comparable."
            )

    def check_database(self, name: str) -> None:
        """Refuse a database that the protocol is not measured on.

        Raises:
            SettingError: it is another one.
        """
        if name not in self.databases:
            raise SettingError(
                f"the protocol {self.id} is measured on {' or '.join(self.databases)}, not on "
                f"{name}; name one of these, or no protocol."
            )


_KNOWN = (
    PublishedProtocol(
        "flickr-aes",
        "the 37 test workers of FLICKR-AES, 10 and 100 photos of each, ten times",
        "Ren, Shen, Lin, Mech & Foran: Personalized Image Aesthetics. ICCV 2017, and Yun & Choo: "
        "Scaling Up Personalized Image Aesthetic Assessment via Task Vector Customization. "
        "ECCV 2024",
        databases=("flickr-aes",),
        # Some workers labelled 105 photos: 5 are left beside 100.
        settings={"shots": (10, 100), "trials": 10, "people": 37, "least_query": 5},
        methods=("generic", "newton", "ridge"),
        part="test",
        note="a worker whose photos have near duplicates among them is tested on fewer.",
    ),
    PublishedProtocol(
        "ryu-yanaka",
        "200 random people with 160 ratings or more, 10 or 100 photos of each, tested on 50; the "
        "rival is a ridge for each person on frozen features",
        "Ryu & Yanaka: What Do Vision-Language Models Encode for Personalized Image Aesthetics "
        "Assessment? Findings of ACL 2026, arXiv 2604.11374; github.com/ynklab/vlm-latent-piaa",
        databases=("para", "lapis"),
        settings={
            "shots": (10, 100),
            "trials": 1,
            "people": 200,
            "query": 50,
            "least_ratings": 160,
        },
        methods=("generic", "newton", "ridge"),
        note="people and photos are drawn anew, since theirs are not published; theirs are ridges "
        "on layers of language models, ours on the bank's own embedding; each size of the "
        "support set has its own 50 photos, where theirs share them.",
    ),
    PublishedProtocol(
        "pamela",
        "PAMELA: known people on new images, and people unknown to the training part",
        "Maerten, Verwiebe, Karthik, Prabhu, Wagemans & Bethge: Personalizing Text-to-Image "
        "Generation to Individual Taste. arXiv 2604.07427, 2026",
        databases=("pamela",),
        settings={"shots": (10, 100), "trials": 10},
        methods=("generic", "newton", "ridge"),
        part="train to test",
        metrics=("srocc", "plcc"),
        note="seen people are fitted on photos drawn from pamela_train and tested on all of their "
        "pamela_test_seen; unseen ones are fitted on photos drawn from pamela_test_unseen and "
        "tested on the rest. The validation parts are left for choosing. The makers train one "
        "model on everyone's ratings, so how much of a person it has seen differs.",
    ),
)
PROTOCOLS: Mapping[str, PublishedProtocol] = {published.id: published for published in _KNOWN}


def protocol_named(name: str) -> PublishedProtocol:
    """The protocol of this name.

    Raises:
        SettingError: there is none.
    """
    if name not in PROTOCOLS:
        known = "\n".join(f"  {x.id}: {x.title}" for x in PROTOCOLS.values())
        raise SettingError(f"there is no protocol {name!r}; expected one of:\n{known}")
    return PROTOCOLS[name]


def protocol_of(config: Mapping[str, Any]) -> PublishedProtocol | None:
    """The protocol that a run was made by; `None` of a run without one, or one unknown here."""
    return PROTOCOLS.get(config.get("protocol") or "")


def _in_words(value: Any) -> str:
    if isinstance(value, tuple):
        return " and ".join(map(str, value))
    return "all" if value is None else str(value)
