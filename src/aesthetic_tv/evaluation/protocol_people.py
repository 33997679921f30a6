"""Whom a protocol tests."""

from aesthetic_tv.databases import Database
from aesthetic_tv.errors import DatabaseError, SettingError
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.evaluation.protocol import Protocol, PublishedProtocol, protocol_named


def people_of(protocol: PublishedProtocol, database: Database) -> People:
    """Those of a database who are tested, before any is drawn at random.

    Args:
        protocol: a named one.
        database: loaded with single persons' scores.

    Raises:
        DatabaseError: there are too few of them, the database is divided by a seed where the
            makers' own parts are needed, or it holds mean scores.
        SettingError: another database.
    """
    protocol.check_database(database.entry.id)
    if protocol.part != "all" and not database.split_source.startswith("official"):
        raise DatabaseError(
            f"{database.entry.id}: the protocol {protocol.id} tests the makers' own test part, "
            f"which cannot be told here (splits are {database.split_source}); get the whole "
            "database, with all of its tables."
        )
    if protocol.part == "train to test":
        people = People.fitted_and_tested(database)
    else:
        people = People.of(database if protocol.part == "all" else database.split(protocol.part))
    return enough(people, Protocol.named(protocol.id))


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
        _check_people(named, people)
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


def _check_people(protocol: PublishedProtocol, people: People) -> None:
    """Refuse people who are not this protocol's: of another database, or of another part.

    Raises:
        SettingError: that.
    """
    protocol.check_database(people.database)
    crowd = protocol.part == "test" and len(people) > protocol.settings["people"]
    mixed = protocol.part == "train to test" and not all(x.group for x in people.persons)
    if crowd or mixed:
        raise SettingError(
            f"the protocol {protocol.id} takes the people of one part ({protocol.part}), not all "
            f"{len(people)} of {people.database}; `people_of` of the loaded database gives "
            "them."
        )
