"""How long a command is silent: seconds to its first word, its first bar, and the first bar of its
own work, on a terminal.

    python benchmarks/first_word.py                    # the working tree
    python benchmarks/first_word.py --before COMMIT    # beside an older one

Each command runs on the sample photos, in a process of its own behind a pseudo-terminal. The bar
that tells how far the libraries are imported counts as a bar, not as one of the work.
"""

import argparse
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
BAR, WORK = re.compile(r"\|[ █▏▎▍▌▋▊▉#]*\|| it/s|s/it|\d+it \["), re.compile(r"%\||\d+it \[")
LONGEST = 120.0  # seconds


@dataclass(frozen=True)
class Timed:
    """Seconds since the start; `None` of what never came."""

    word: float | None
    bar: float | None
    work: float | None
    end: float


def commands(place: Path) -> dict[str, list[str]]:
    """Each command by its name, on what `prepare` put into a folder."""
    photos, ratings, taste = (str(place / x) for x in ("photos", "ratings.csv", "taste"))
    people = f"folder:{photos}"
    return {
        "personalize": ["personalize", photos, "--ratings", ratings, "--out", str(place / "new")],
        "score": ["score", photos, "--scorer", taste, "--out", str(place / "scores.csv")],
        "pick": ["pick", photos, "--scorer", taste, "--best", "3", "--to", str(place / "kept")],
        "suggest": ["suggest", photos, "--ratings", ratings],
        "rate": ["rate", photos, "--no-browser"],
        "demo": ["demo", "--out", str(place / "demo")],
        "evaluate": [
            *("evaluate", "--people", people, "--scores", str(place / "people.csv")),
            *("--shots", "6", "--out", str(place / "evaluation"), "--methods", "generic,instant"),
        ],
        "report": ["report", str(place / "evaluation")],
        "finetune": [
            *("finetune", "folder", "--data", photos, "--scores", str(place / "means.csv")),
            *("--base", "embedded:tiny", "--out", str(place / "vector")),
            *("--head-epochs", "1", "--epochs", "1", "--score-range", "1", "5"),
        ],
        "bank info": ["bank", "info", "embedded:tiny"],
        "taste info": ["taste", "info", taste],
        "database list": ["database", "list"],
        "score, no folder": ["score", str(place / "none"), "--scorer", taste, "--out", "a.csv"],
        "personalize, taken": ["personalize", photos, "--ratings", ratings, "--out", taste],
    }  # fmt: skip


def prepare(place: Path) -> None:
    """Sample photos, ratings of one and of several people, and a taste."""
    from aesthetic_tv import Personalizer, TaskVectorBank
    from aesthetic_tv.assets import sample_photos

    (place / "photos").mkdir(parents=True)
    names = []
    for photo in sample_photos()[:24]:
        shutil.copy(photo, place / "photos")
        names.append(photo.name)
    stars = {name: 1 + 7 * i % 5 for i, name in enumerate(names)}
    rated = "".join(f"{name},{stars[name]}\n" for name in names[:12])
    (place / "ratings.csv").write_text("photo,rating\n" + rated)
    means = "".join(f"{name},{stars[name]}\n" for name in names)
    (place / "means.csv").write_text("photo,score\n" + means)
    people = (f"{name},{who},{1 + (stars[name] + 2 * i * who) % 5}\n"
              for who in range(4) for i, name in enumerate(names))  # fmt: skip
    (place / "people.csv").write_text("photo,user,score\n" + "".join(people))
    ratings = {str(place / "photos" / name): float(stars[name]) for name in names[:12]}
    bank = TaskVectorBank.from_pretrained("embedded:tiny")
    Personalizer(bank, solver="instant").fit(ratings).save_pretrained(place / "taste")


def timed(arguments: list[str], source: Path) -> Timed:
    """Run one command behind a pseudo-terminal, until it ends or waits for a person."""
    environment = {**os.environ, "PYTHONPATH": str(source), "COLUMNS": "100", "TERM": "xterm"}
    start = time.monotonic()
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe(sys.executable, [sys.executable, "-m", "aesthetic_tv", *arguments], environment)
    termios.tcsetwinsize(terminal, (40, 100))  # bars are as wide as the terminal
    text, seen = "", dict[str, float]()
    while (now := time.monotonic() - start) < LONGEST:
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        now = time.monotonic() - start
        try:
            found = os.read(terminal, 65536)
        except OSError:  # the other end was closed
            found = b""
        if not found:
            break
        text += found.decode("utf-8", "replace")
        plain = ESCAPES.sub("", text)
        for name, form in (("word", re.compile(r"\w")), ("bar", BAR), ("work", WORK)):
            if name not in seen and form.search(plain):
                seen[name] = now
        if "press Ctrl-C" in plain:
            os.kill(process, signal.SIGTERM)
            break
    else:
        os.kill(process, signal.SIGKILL)
    end = time.monotonic() - start
    os.close(terminal)
    os.waitpid(process, 0)
    return Timed(seen.get("word"), seen.get("bar"), seen.get("work"), end)


@contextmanager
def checked_out(commit: str):
    """The sources of another commit, in a worktree of their own."""
    folder = tempfile.mkdtemp()
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", folder, commit], check=True, capture_output=True)
    try:
        yield Path(folder) / "src"
    finally:
        subprocess.run([*git, "remove", "--force", folder], check=True)


def told(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:.1f}"


def measure(source: Path, only: list[str], place: Path) -> dict[str, Timed]:
    shutil.rmtree(place, ignore_errors=True)
    prepare(place)
    found = {}
    for name, arguments in commands(place).items():
        if not only or name in only:
            found[name] = timed(arguments, source)
            print(f"  {name}: {found[name]}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", help="commit to compare with")
    parser.add_argument("--only", nargs="*", default=[], help="names of commands")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place, columns = Path(folder) / "album", {}
        if options.before:
            with checked_out(options.before) as source:
                columns["before"] = measure(source, options.only, place)
        columns["now"] = measure(ROOT / "src", options.only, place)
    heads = [f"{name}: {what}" for name in columns for what in ("word", "bar", "work", "end")]
    print("| command | " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * len(heads))
    for name in columns["now"]:
        cells = [told(x) for found in columns.values() for x in vars(found[name]).values()]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"Seconds; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the end.")


if __name__ == "__main__":
    main()
