"""What an XMP packet says of a photo: its stars, whether it was rejected, and its label.

`xmp:Rating` is -1 for rejected, 0 for unrated, else 1 to 5 (Adobe's XMP specification, part 1).
Where it is missing, Windows' percentage counts. digiKam and Lightroom keep a flag of their own for
rejected photos.
"""

import codecs
import math
import re
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import ParseError

from aesthetic_tv.errors import MetadataError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
# Windows', and how exiftool writes it.
MICROSOFT = ("http://ns.microsoft.com/photo/1.0/", "http://ns.microsoft.com/photo/1.0")
DIGIKAM = "http://www.digikam.org/ns/1.0/"
DYNAMIC_MEDIA = "http://ns.adobe.com/xmp/1.0/DynamicMedia/"
# Of a packet; darktable's with long histories have some hundred thousand bytes.
MOST_BYTES, MOST_ELEMENTS = 8 * 2**20, 200_000
REJECTED, LOWEST, HIGHEST = -1, 1, 5
# The least percentage of two stars, of three and so on, as Windows rounds them.
PERCENT = (13, 38, 63, 88)

_GRAPH, _DESCRIPTION = f"{{{RDF}}}RDF", f"{{{RDF}}}Description"
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
         (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*?\?>")
_ENCODING = re.compile(r"""\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


@dataclass(frozen=True)
class Told:
    """What one source says of a photo.

    Args:
        stars: 1 to 5, 0 for none; `None` where it does not speak of stars.
        rejected: whether the person rejected the photo.
        label: such as Red; empty for none.
        problem: a rating that is none, and what was expected; empty else.
    """

    stars: float | None = None
    rejected: bool = False
    label: str = ""
    problem: str = ""

    @property
    def speaks(self) -> bool:
        """Whether it says anything of stars, be it that there are none."""
        return self.stars is not None or self.rejected or bool(self.problem)


NOTHING = Told()


def told_by_packet(content: bytes) -> Told:
    """What a packet says, be it of a photo or of a sidecar.

    Raises:
        MetadataError: it is no XMP that can be read.
    """
    fields = dict[str, str]()
    for name, value in properties(decoded(content)[0]):
        fields.setdefault(name, value)  # the first of two counts, as for exiftool and exiv2
    picked = (fields.get(f"{{{DIGIKAM}}}PickLabel"), fields.get(f"{{{DYNAMIC_MEDIA}}}pick"))
    flagged = (picked[0] or "").strip() == "1" or (picked[1] or "").strip() == "-1"
    label = fields.get(f"{{{XMP}}}Label", "").strip()
    told = told_by_rating(fields.get(f"{{{XMP}}}Rating"))
    if not told.speaks:
        percents = (fields.get(f"{{{space}}}Rating") for space in MICROSOFT)
        told = told_by_percent(next(filter(None, percents), None))
    return Told(told.stars, told.rejected or flagged, label, told.problem)


def told_by_rating(value: Any) -> Told:
    """What `xmp:Rating` or EXIF's Rating says.

    Args:
        value: as it stands there, text or number; empty or `None` where nothing does.
    """
    number = _number(value)
    if number is None:
        return NOTHING
    if number == REJECTED:
        return Told(rejected=True)
    if number == 0 or LOWEST <= number <= HIGHEST:
        return Told(number)
    return Told(
        problem=f"the rating is {str(value).strip()[:20]!r}; expected {REJECTED} (rejected), 0 "
        f"(none) or {LOWEST} to {HIGHEST}."
    )


def told_by_percent(value: Any) -> Told:
    """What Windows' percentage says: 1, 25, 50, 75 and 99 are one to five stars."""
    number = _number(value)
    if number is None:
        return NOTHING
    if 0 <= number <= 100:
        return Told(1.0 + sum(number >= least for least in PERCENT) if number else 0.0)
    return Told(
        problem=f"the rating is {str(value).strip()[:20]!r} percent; expected 0 (none) to 100."
    )


def _number(value: Any) -> float | None:
    text = str(value).strip() if value is not None else ""
    if not text:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number


def decoded(content: bytes) -> tuple[str, str, bytes]:
    """A packet as text, whatever its encoding; `mark + text.encode(encoding)` are its bytes again.

    Returns:
        The text, its encoding, and the mark of byte order before it, which may be empty.

    Raises:
        MetadataError: it is no text in the encoding that it tells.
    """
    if len(content) > MOST_BYTES:
        raise MetadataError(
            f"has {len(content):,} bytes; XMP of up to {MOST_BYTES:,} bytes is read."
        )
    mark, encoding = next(
        ((mark, name) for mark, name in _BOMS if content.startswith(mark)), (b"", "")
    )
    if not encoding:
        start = content[:200]
        if start[1::2].count(0) > len(start) // 4:
            encoding = "utf-16-le"
        elif start[::2].count(0) > len(start) // 4:
            encoding = "utf-16-be"
        else:
            encoding = _declared(content) or "utf-8"
    try:
        text = content[len(mark) :].decode(encoding)
        if mark + text.encode(encoding) != content:
            raise MetadataError(f"cannot be kept byte by byte as {encoding}.")
    except (UnicodeError, LookupError) as error:
        raise MetadataError(f"is no text in {encoding} ({error}).") from None
    return text, encoding, mark


def _declared(content: bytes) -> str:
    """The encoding in the first line of XML, where it is one that has ASCII's signs."""
    line = _DECLARATION.match(content[:200].decode("latin-1"))
    found = _ENCODING.search(line[0]) if line else None
    name = found[1].lower() if found else ""
    return "" if name.startswith(("utf-16", "utf16", "ucs")) else name


def properties(text: str) -> list[tuple[str, str]]:
    """The simple properties of the photo itself, as attributes or elements, by their names with
    namespaces; not those of what it was made from, nor of steps of its history, which lie deeper.

    Raises:
        MetadataError: the XML is not whole, is no XMP, or holds what XMP never does: entities, a
            document type, more than `MOST_ELEMENTS`.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import XMLParser

    plain = _DECLARATION.sub("", text.strip("\0\ufeff \t\r\n"), count=1)
    if not plain:
        raise MetadataError("is empty.")
    target = _Properties()
    parser = XMLParser(target=target, forbid_dtd=True)
    try:
        parser.feed(plain)
        parser.close()
    except ParseError as error:
        raise MetadataError(f"is no whole XML ({error}).") from None
    except DefusedXmlException:
        raise MetadataError("defines entities or a document type, which XMP never does.") from None
    except MetadataError:
        raise
    except ValueError as error:
        raise MetadataError(f"is no XML that can be read ({error}).") from None
    if not target.graphs:
        raise MetadataError("holds no rdf:RDF; expected XMP.")
    return target.found


class _Properties:
    """What the parser hands its elements to; it keeps no tree, however deep or wide one is."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self.graphs = 0
        self._path: list[str] = []
        self._left = MOST_ELEMENTS
        self._text: list[str] | None = None  # of a simple element that is open

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """A tag opens."""
        self._left -= 1
        if self._left < 0:
            raise MetadataError(f"has more than {MOST_ELEMENTS:,} elements; it is no XMP.")
        depth = len(self._path)
        if depth <= 1 and tag == _GRAPH:
            self.graphs += 1
        elif depth <= 2 and tag == _DESCRIPTION and self._path[-1:] == [_GRAPH]:
            self.found += attributes.items()
        in_description = depth in (2, 3) and self._path[-2:] == [_GRAPH, _DESCRIPTION]
        self._text = [] if in_description else None
        self._path.append(tag)

    def data(self, text: str) -> None:
        """Text between tags."""
        if self._text is not None:
            self._text.append(text)

    def end(self, tag: str) -> None:
        """A tag closes."""
        self._path.pop()
        if self._text is not None:
            self.found.append((tag, "".join(self._text)))
            self._text = None

    def close(self) -> None:
        """All of it was read."""
