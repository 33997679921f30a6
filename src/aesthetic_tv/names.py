r"""How the names of photos are written, wherever that is text.

Linux and its kin allow any bytes in a file name, text in UTF-8 does not. A byte that no text can
hold, or that would break a line, is written by the six signs with which Python spells it, as in
`caf\udce9.jpg`, in every table, page and terminal alike; and what is written so is found again
where it is read.
"""

import os
import re
import unicodedata

_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# A backslash that separates folders, as Windows has it, and does not begin one of the above.
_SEPARATOR = re.compile(r"\\(?!ud[89a-f][0-9a-f]{2})")


def written(name: str | os.PathLike[str]) -> str:
    r"""The name as text that UTF-8 can hold, on one line.

    Example:
        >>> import os
        >>> print(written(os.fsdecode(b"caf\xe9.jpg")))
        caf\udce9.jpg
    """
    return _UNWRITABLE.sub(_spelled, _as_utf8(os.fspath(name)))


def _as_utf8(name: str) -> str:
    """As Python reads the name where file names are UTF-8; under `LANG=C` they seem to be ASCII."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # not the name of a file here
        return name


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code if code >= 0x80 else 0xDC00 + code:04x}"


def one_spelling(name: str | os.PathLike[str]) -> str:
    """The name as `written`, the same for all ways in which people and systems write it: Windows'
    separators, `./`, and the two ways Unicode writes accents.
    """
    return unicodedata.normalize("NFC", with_slashes(os.fspath(name).strip()))


def with_slashes(name: str) -> str:
    """The name as `written`, with `/` between folders and without a leading `./`."""
    return _SEPARATOR.sub("/", written(name)).removeprefix("./")
