"""Rooms know only the rooms below them, and no two modules know each other."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import aesthetic_tv

SOURCE = Path(aesthetic_tv.__file__).parents[1]
# From the bottom up; what stands in one line may not know each other either.
ROOMS = (
    ("version", "errors", "names"),
    ("tensor_file", "table_file", "processes", "assets"),
    ("files", "frames"),
    ("hub",),
    ("scorer",),
    ("plots", "photo_names", "photo_metadata", "photo_urls", "notebook", "runner"),
    ("task_vectors",),
    ("personalization", "export"),
    ("databases", "rewards", "taste_metric", "taste_regressor"),
    ("finetuning",),
    ("evaluation",),
    ("kinds",),
    ("saved_folders", "aesthetic_tv"),
    ("building",),
    ("app", "immich", "scale"),
    ("cli",),
    ("__main__",),
)
# They know nobody, and travel with the scorer as remote code.
TRAVELLING = ("aesthetic_tv.scorer.errors", "aesthetic_tv.scorer.hashing")
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (SOURCE / "aesthetic_tv").rglob("*.py")
}


def known_to(module: str) -> Iterator[str]:
    """Modules of ours that a module imports, anywhere in it, or names in a text to import."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{source}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else source for name in names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value] if "." in node.value else []  # the bare name is in many texts
        yield from (name for name in names if name in MODULES and name not in (module, package))


def room_of(module: str) -> str:
    if module in TRAVELLING:
        return "errors"
    if module.endswith(".__main__"):
        return "__main__"
    return module.split(".")[1] if "." in module else module


@pytest.fixture(scope="module")
def arrows() -> dict[str, set[str]]:
    return {module: set(known_to(module)) for module in MODULES}


def test_no_module_knows_one_that_knows_it(arrows):
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_arrow_points_down(arrows):
    up = [
        f"{module} -> {other}"
        for module, others in arrows.items()
        for other in others
        if room_of(module) != room_of(other) and FLOOR[room_of(module)] <= FLOOR[room_of(other)]
    ]
    assert not up
