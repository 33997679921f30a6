"""Other stars in an XMP packet, and nothing else of it: every byte that is not `xmp:Rating` stays.

The packet is not written anew, since no two programs write XML alike: where the rating stands is
found by a parser, and only these bytes are replaced.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from aesthetic_tv.errors import MetadataError
from aesthetic_tv.photo_metadata.xmp import RDF, XMP, decoded, properties, told_by_packet

_GAP = " "  # between a namespace, a name and its prefix
_TAG_NAME = re.compile(rb"<([^\s/>]+)")
_ATTRIBUTE = re.compile(rb"""(\s+)([^\s=/>]+)\s*=\s*("[^"]*"|'[^']*')""")

NEW = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="aesthetic-tv">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
   xmp:Rating="{}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


@dataclass(frozen=True)
class Splice:
    """Bytes in place of others.

    Args:
        at: where they begin, in what is there before.
        old: the bytes that are there; none where something is put in.
        new: those in their place.
    """

    at: int
    old: bytes
    new: bytes


def new_packet(stars: int) -> bytes:
    """A sidecar that says nothing but the stars."""
    return NEW.format(stars).encode()


def with_stars(content: bytes, stars: int) -> list[Splice]:
    """What to replace in a packet so that it says these stars, from front to back.

    A rating may be an attribute or an element, and stand there more than once; one that is missing
    is put into the first description of the photo as an attribute.

    Args:
        content: a whole packet, in UTF-8, UTF-16 or what its first line says.
        stars: 1 to 5.

    Raises:
        MetadataError: it is no whole XMP, or has no place for stars.
    """
    text, encoding, mark = decoded(content)
    properties(text)  # refuses entities and what is cut off
    start = len(text) - len(text.lstrip("\0\ufeff \t\r\n"))
    plain = text[start:].rstrip("\0").encode()
    found = _Finder(plain).ratings(str(stars).encode())
    splices = []
    for splice in found:
        before = text[:start] + plain[: splice.at].decode()
        splices.append(
            Splice(
                len(mark) + len(before.encode(encoding)),
                splice.old.decode().encode(encoding),
                splice.new.decode().encode(encoding),
            )
        )
    result = spliced(content, splices)
    if (told := told_by_packet(result)).stars != stars:
        raise MetadataError(f"would still say {told.stars!r} stars; it is left as it is.")
    return splices


def spliced(content: bytes, splices: Sequence[Splice]) -> bytes:
    """The content with the replacements made.

    Raises:
        MetadataError: it is not the content that they were made for.
    """
    parts, place = list[bytes](), 0
    for splice in splices:
        if content[splice.at : splice.at + len(splice.old)] != splice.old or splice.at < place:
            raise MetadataError("is not what it was.")
        parts += [content[place : splice.at], splice.new]
        place = splice.at + len(splice.old)
    return b"".join([*parts, content[place:]])


def reversed_splices(splices: Sequence[Splice]) -> list[Splice]:
    """What takes the result of `spliced` back to what was there before."""
    back, moved = [], 0
    for splice in splices:
        back.append(Splice(splice.at + moved, splice.new, splice.old))
        moved += len(splice.new) - len(splice.old)
    return back


class _Finder:
    """Finds where the ratings of a packet stand.

    Args:
        content: in UTF-8, whatever its first line says.
    """

    def __init__(self, content: bytes):
        self.content = content
        self._path: list[str] = []
        self._attributes: list[tuple[int, str]] = []  # where the tag begins, the prefix
        self._elements: list[tuple[int, int, bool]] = []  # both tags' beginnings, whether plain
        self._open: int | None = None
        self._plain = True
        self._descriptions: list[tuple[int, dict[str, str]]] = []  # and the prefixes known there
        self._prefixes: list[tuple[str, str]] = []
        parser = expat.ParserCreate("utf-8", _GAP)
        parser.namespace_prefixes = True
        parser.StartNamespaceDeclHandler = lambda prefix, uri: self._prefixes.append(
            (prefix or "", uri or "")
        )
        parser.EndNamespaceDeclHandler = self._forget
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._parser = parser
        try:
            parser.Parse(content, True)
        except expat.ExpatError as error:
            raise MetadataError(f"is no whole XML ({error}).") from None

    def ratings(self, stars: bytes) -> list[Splice]:
        """What to replace, from front to back."""
        found = [self._in_tag(at, prefix, stars) for at, prefix in self._attributes]
        found += [self._in_element(*element, stars) for element in self._elements]
        if not found:
            found = [self._put_in(stars)]
        return sorted(found, key=lambda splice: splice.at)

    def _forget(self, prefix: str | None) -> None:
        for place in range(len(self._prefixes) - 1, -1, -1):
            if self._prefixes[place][0] == (prefix or ""):
                del self._prefixes[place]
                return

    def _start(self, tag: str, attributes: dict[str, Any]) -> None:
        namespace, name, _ = _parts(tag)
        here = self._parser.CurrentByteIndex
        if self._open is not None:
            self._plain = False
        if self._path[-1:] == [RDF + "RDF"] and len(self._path) <= 2:
            if namespace + name == RDF + "Description":
                self._descriptions.append((here, dict(self._prefixes)))
                for attribute in attributes:
                    space, called, prefix = _parts(attribute)
                    if (space, called) == (XMP, "Rating"):
                        self._attributes.append((here, prefix))
        elif self._in_description and (namespace, name) == (XMP, "Rating"):
            self._open, self._plain = here, True
        self._path.append(namespace + name)

    def _end(self, tag: str) -> None:
        self._path.pop()
        if self._open is not None and self._in_description:
            self._elements.append((self._open, self._parser.CurrentByteIndex, self._plain))
            self._open = None

    @property
    def _in_description(self) -> bool:
        """Right below a description of the photo, not of what it was made from."""
        return self._path[-2:] == [RDF + "RDF", RDF + "Description"] and len(self._path) <= 3

    def _in_tag(self, at: int, prefix: str, stars: bytes) -> Splice:
        wanted = f"{prefix}:Rating".encode()
        for attribute in self._attributes_at(at):
            if attribute[2] == wanted:
                return _number(attribute.start(3) + 1, attribute[3][1:-1], stars)
        raise MetadataError("has a rating that is not found again; it is left as it is.")

    def _in_element(self, at: int, end: int, plain: bool, stars: bytes) -> Splice:
        if not plain:
            raise MetadataError("has a rating that is no plain number; it is left as it is.")
        tag_end = self._tag_end(at)
        if self.content[tag_end - 2 : tag_end] == b"/>":
            name = _TAG_NAME.match(self.content, at)
            assert name is not None  # the parser found a tag here
            old = b"/>"
            return Splice(tag_end - len(old), old, b">%b</%b>" % (stars, name[1]))
        return _number(tag_end, self.content[tag_end:end], stars)

    def _put_in(self, stars: bytes) -> Splice:
        """Into the first description that knows the namespace, or else with it into the first."""
        if not self._descriptions:
            raise MetadataError("holds no rdf:Description to put stars in; it is left as it is.")
        for at, prefixes in self._descriptions:
            known = [prefix for prefix, uri in prefixes.items() if uri == XMP and prefix]
            if known:
                return self._behind_last(at, [(f"{known[0]}:Rating".encode(), stars)])
        at, prefixes = self._descriptions[0]
        prefix = next(x for x in ("xmp", *(f"xmp{n}" for n in range(99))) if x not in prefixes)
        declared = (f"xmlns:{prefix}".encode(), XMP.encode())
        return self._behind_last(at, [declared, (f"{prefix}:Rating".encode(), stars)])

    def _behind_last(self, at: int, new: list[tuple[bytes, bytes]]) -> Splice:
        """Attributes behind those that a tag has, set off as the last of these is."""
        place, blank, quote = _TAG_NAME.match(self.content, at).end(), b" ", b'"'  # type: ignore[union-attr]
        for attribute in self._attributes_at(at):
            place, blank, quote = attribute.end(), attribute[1], attribute[3][:1]
        return Splice(
            place,
            b"",
            b"".join(b"%b%b=%b%b%b" % (blank, name, quote, value, quote) for name, value in new),
        )

    def _attributes_at(self, at: int) -> list[re.Match[bytes]]:
        name = _TAG_NAME.match(self.content, at)
        assert name is not None  # the parser found a tag here
        place, found = name.end(), []
        while (attribute := _ATTRIBUTE.match(self.content, place)) is not None:
            found.append(attribute)
            place = attribute.end()
        return found

    def _tag_end(self, at: int) -> int:
        """Behind the tag's `>`."""
        found = self._attributes_at(at)
        name = _TAG_NAME.match(self.content, at)
        assert name is not None
        return self.content.index(b">", found[-1].end() if found else name.end()) + 1


def _parts(name: str) -> tuple[str, str, str]:
    """Namespace, name and prefix as the parser has them; empty where there is none."""
    parts = name.split(_GAP)
    if len(parts) == 1:
        return "", parts[0], ""
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


def _number(at: int, value: bytes, stars: bytes) -> Splice:
    """In place of the number, without the blanks around it."""
    bare = value.strip()
    return Splice(at + (value.index(bare) if bare else 0), bare, stars)
