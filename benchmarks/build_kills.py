"""Kill a build at random moments, each time go on, and compare the bank bit by bit.

    python benchmarks/build_kills.py [--kills 20] [--seed 0]

A recipe of seconds (`tests/build_samples.py`). One build is left alone, for its bank and its
seconds of work; each other one is killed by SIGKILL within one of as many equal parts of these as
there are kills, gone on with once, and its bank compared. The journal tells what was going on.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from build_samples import kill_and_go_on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = kill_and_go_on(Path(temporary), options.kills, options.seed)
    moments = Counter(where for where, _ in found)
    equal = sum(same for _, same in found)
    print(f"{equal} of {len(found)} came to the same bank bit by bit; killed in {dict(moments)}")


if __name__ == "__main__":
    main()
