"""How an evaluation is laid out, and the layouts that others publish figures by.

A named protocol fixes who is tested, on how many photos, how often and by which metric; the bank
and the methods stay free. Another entry of the table is another protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from aesthetic_tv.databases import Database
from aesthetic_tv.errors import DatabaseError, SettingError
from aesthetic_tv.evaluation.people import People

OPTIONS = {"people": "people (--limit)"}  # fields that the command line calls otherwise
FREE = ("methods", "slow_people", "slow_trials")  # what a named protocol leaves open


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
    trials: int = 10
    methods: tuple[str, ...] = ("generic", "newton")
    people: int | None = None
    slow_people: int | None = None
    slow_trials: int | None = None
    seed: int = 0
    query: int | None = None
    least_query: int | None = None
    least_ratings: int | None = None
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
        told = [
            f"{OPTIONS.get(name, name)} {_told(value)}, not {_told(given[name])}"
            for name, value in fixed.items()
            if name in given and given[name] != value
        ]
        if told:
            raise SettingError(
                f"the protocol {self.id} has {'; '.join(told)}. Leave it as it is, or name no "
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

    def check_people(self, people: People) -> None:
        """Refuse people who are not this protocol's: of another database, or of another part.

        Raises:
            SettingError: that.
        """
        self.check_database(people.database)
        crowd = self.part == "test" and len(people) > self.settings["people"]
        mixed = self.part == "train to test" and not all(x.group for x in people.persons)
        if crowd or mixed:
            raise SettingError(
                f"the protocol {self.id} takes the people of one part ({self.part}), not all "
                f"{len(people)} of {people.database}; `protocol_named({self.id!r}).people(...)` of "
                "the loaded database gives them."
            )

    def people(self, database: Database) -> People:
        """Those of a database who are tested, before any is drawn at random.

        Args:
            database: loaded with single persons' scores.

        Raises:
            DatabaseError: there are too few of them, the database is divided by a seed where the
                makers' own parts are needed, or it holds mean scores.
            SettingError: another database.
        """
        self.check_database(database.entry.id)
        if self.part != "all" and not database.split_source.startswith("official"):
            raise DatabaseError(
                f"{database.entry.id}: the protocol {self.id} tests the makers' own test part, "
                f"which cannot be told here (splits are {database.split_source}); get the whole "
                "database, with all of its tables."
            )
        if self.part == "train to test":
            people = People.fitted_and_tested(database)
        else:
            people = People.of(database if self.part == "all" else database.split(self.part))
        return enough(people, Protocol.named(self.id))


def enough(people: People, protocol: Protocol) -> People:
    """Those who rated as much as the protocol wants.

    Raises:
        DatabaseError: nobody did, or a named protocol has more people than that.
        SettingError: not the people of a named protocol: of another database, or of another part.
    """
    least, wanted = protocol.least_ratings or 0, protocol.people
    found = [person.name for person in people.persons if len(person.rows) >= least]
    named = None if protocol.protocol is None else protocol_named(protocol.protocol)
    if named is not None:
        named.check_people(people)
    if len(found) < (1 if named is None else wanted or 1):
        rated = f" rated {least} photos or more" if least else " can be tested"
        most = max((len(person.rows) for person in people.persons), default=0)
        takes = "" if named is None else f"the protocol {named.id} takes {wanted or 'some'}. "
        raise DatabaseError(
            f"{people.database}: {len(found)} of {len(people)} people{rated} (the most is {most} "
            f"photos); {takes}Look whether photos are missing on disk (`aesthetic-tv database "
            "info`), or test fewer people without naming a protocol."
        )
    return people.select(found) if len(found) < len(people) else people


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
        told = "\n".join(f"  {known.id}: {known.title}" for known in PROTOCOLS.values())
        raise SettingError(f"there is no protocol {name!r}; expected one of:\n{told}")
    return PROTOCOLS[name]


def protocol_of(config: Mapping[str, Any]) -> PublishedProtocol | None:
    """The protocol that a run was made by; `None` of a run without one, or one unknown here."""
    return PROTOCOLS.get(config.get("protocol") or "")


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return " and ".join(map(str, value))
    return "all" if value is None else str(value)
