"""One vector of a build in a process of its own, or in several: `python -m aesthetic_tv.building`.

Started by a build (`training`), never by hand: it is told folder, step and key, writes the vector,
and leaves the journal to the build.
"""

import json
import sys
from pathlib import Path

from filelock import FileLock

from aesthetic_tv.building.journal import Journal
from aesthetic_tv.building.plan import plan_of
from aesthetic_tv.building.recipe_file import recipe_of
from aesthetic_tv.building.running import RECIPE
from aesthetic_tv.building.steps import finetune, run_folder
from aesthetic_tv.building.training import die_with_builder
from aesthetic_tv.building.work import BuildSettings, Work
from aesthetic_tv.errors import AestheticTVError
from aesthetic_tv.files import read_config
from aesthetic_tv.processes import joined, left


def main() -> int:
    """Train the vector of the step that the first argument names, as JSON."""
    die_with_builder()
    told = json.loads(sys.argv[1])
    folder = Path(told["folder"])
    process = joined()
    try:
        recipe = recipe_of(read_config(folder, RECIPE)["recipe"], folder / RECIPE)
        plan = plan_of(recipe, only=told["only"], without=told["without"])
        step = next(step for step in plan.steps if step.name == told["step"])
        work = Work(
            plan, folder, Path(told["origin"]), Journal(folder, writes=False), BuildSettings(),
            lambda stage, done, total: None,
        )  # fmt: skip
        state = run_folder(work, str(step.subject), told["key"])
        state.parent.mkdir(parents=True, exist_ok=True)
        # A worker whose build was killed may be about to end.
        lock = FileLock(state.with_suffix(".lock"), timeout=120)
        if process.is_main_process:
            lock.acquire()
        finetune(work, step, told["key"], is_main=process.is_main_process)
        process.wait_for_everyone()
    except AestheticTVError as error:
        print(f"Error: {error}".replace("\n", " "), file=sys.stderr, flush=True)
        return 2
    finally:
        left()
    return 0


if __name__ == "__main__":
    sys.exit(main())
