"""From YAML to a recipe; what is wrong is told with its file, line, key and the nearest name."""

import os
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from aesthetic_tv.building.recipe import Recipe, check_finetuning
from aesthetic_tv.errors import RecipeError, SettingError

FOLDER = Path(__file__).parents[1] / "recipes"
SUFFIXES = (".yaml", ".yml")
RECIPES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
LIKE = "like"  # the key of a recipe that another one begins from
LARGEST = 1 << 20  # bytes; a recipe is a page
KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def read_recipe(name: str | os.PathLike[str]) -> tuple[Recipe, Path]:
    """A recipe of the package by its name, or of a file.

    Args:
        name: one of `RECIPES`, or a path that ends in .yaml.

    Returns:
        The recipe, and the folder that its entries of `folder` are relative to.

    Raises:
        RecipeError: no such recipe, or one that cannot be; says where and why.
    """
    path = Path(name)
    if path.suffix.lower() not in SUFFIXES:
        if str(name) not in RECIPES:
            near = get_close_matches(str(name), RECIPES, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise RecipeError(
                f"there is no recipe {str(name)!r}; expected one of {', '.join(RECIPES)}, or a "
                f"file that ends in .yaml.{hint}"
            )
        path = FOLDER / f"{name}.yaml"
    return parse_recipe(_text(path), path), path.parent.resolve()


def parse_recipe(text: str, path: Path) -> Recipe:
    """A recipe of the text of a file.

    Raises:
        RecipeError: it is no YAML, or no recipe.
    """
    loader = yaml.SafeLoader(text)
    loader.name = str(path)  # of what its nodes are said to be in
    try:
        return _Reader(loader).built(Recipe, _node(loader, path), "")
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is no YAML: {_in_a_line(error)}") from None
    except RecursionError:
        raise RecipeError(f"{path} is nested too deeply for a recipe.") from None
    finally:
        loader.dispose()


def _node(loader: yaml.SafeLoader, path: Path) -> yaml.Node:
    """The recipe's keys; those that it does not have, of the shipped one that it is `like`."""
    node = loader.get_single_node()
    if node is None:
        raise RecipeError(f"{path} is empty; expected a recipe, such as {FOLDER}/b16.yaml.")
    given = node.value if isinstance(node, yaml.MappingNode) else []
    likes = [pair for pair in given if pair[0].value == LIKE]
    if not likes:
        return node
    key, value = likes[0]
    if value.value not in RECIPES or value.value == path.stem:
        raise _Reader(loader).error(
            key, LIKE, f"found {_shown(value)}; expected a shipped recipe: {', '.join(RECIPES)}."
        )
    other = FOLDER / f"{value.value}.yaml"
    base_loader = yaml.SafeLoader(_text(other))
    base_loader.name = str(other)
    names = {key.value for key, _ in given}
    inherited = [pair for pair in _node(base_loader, other).value if pair[0].value not in names]
    node.value = [*(pair for pair in given if pair[0].value != LIKE), *inherited]
    return node


def recipe_of(values: Mapping[str, Any], path: Path) -> Recipe:
    """The recipe that `Recipe.as_json` told."""
    return parse_recipe(yaml.safe_dump(dict(values), sort_keys=False), path)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise RecipeError(f"{path} is larger than 1 MiB; that is no recipe.")
        return path.read_text("utf-8")
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror or error}).") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is no text in UTF-8.") from None


def _in_a_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
    return f"{getattr(error, 'problem', None) or error}{place}.".replace("\n", " ")


@dataclass(frozen=True)
class _Reader:
    loader: yaml.SafeLoader

    def error(self, node: yaml.Node, place: str, text: str) -> RecipeError:
        """An error with file, line and key."""
        where = f", {place}" if place else ""
        mark = node.start_mark
        return RecipeError(f"{mark.name}, line {mark.line + 1}{where}: {text}")

    def built(self, kind: type, node: yaml.Node, place: str) -> Any:
        """A dataclass from a mapping."""
        kinds = get_type_hints(kind)
        known = {item.name: item for item in fields(kind)}
        given = self._entries(node, place)
        for name, (key, _) in given.items():
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise self.error(
                    key, _join(place, name), f"there is no such key; expected one of "
                    f"{', '.join(known)}.{hint}"
                )  # fmt: skip
        values = {
            name: self._value(kinds[name], value, _join(place, name))
            for name, (_, value) in given.items()
            if not (_is_null(value) and known[name].default is None)
        }
        missing = [
            name
            for name, item in known.items()
            if name not in values and item.default is MISSING and item.default_factory is MISSING
        ]
        if missing:
            raise self.error(node, place, f"{' and '.join(missing)} must be given.")
        try:
            return kind(**values)
        except SettingError as error:
            # Where it begins with a key's name, that key's line.
            blamed = given.get(str(error).split(maxsplit=1)[0])
            raise self.error(node if blamed is None else blamed[0], place, str(error)) from None

    def _settings(self, node: yaml.Node, place: str) -> dict[str, Any]:
        """Fields of `FinetuneConfig`, each looked at by itself, so that its line can be told."""
        entries = self._entries(node, place)
        values = {name: self._plain(value, _join(place, name)) for name, (_, value) in
                  entries.items()}  # fmt: skip
        for name, value in values.items():
            try:
                check_finetuning({name: value})
            except SettingError as error:
                raise self.error(entries[name][0], place, str(error)) from None
        return values

    def _entries(self, node: yaml.Node, place: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key and value of each entry of a mapping, by name."""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, place, f"found {_shown(node)}; expected keys with values.")
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else _shown(key)
            if name in found:
                raise self.error(key, _join(place, name), "the key is there twice.")
            found[name] = (key, value)
        return found

    def _value(self, kind: Any, node: yaml.Node, place: str) -> Any:
        origin, inside = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):  # `X | None`
            if _is_null(node):
                return None
            return self._value(next(x for x in inside if x is not type(None)), node, place)
        if is_dataclass(kind):
            return self.built(kind, node, place)  # type: ignore[arg-type]
        if origin is tuple:
            if not isinstance(node, yaml.SequenceNode):
                raise self.error(node, place, f"found {_shown(node)}; expected a list.")
            return tuple(
                self._value(inside[0], part, f"{place}[{number}]")
                for number, part in enumerate(node.value, 1)
            )
        if origin is not None and place.endswith("finetuning"):
            return self._settings(node, place)
        if origin is not None:  # a mapping of plain values
            return {
                name: self._plain(value, _join(place, name))
                for name, (_, value) in self._entries(node, place).items()
            }
        value = self._plain(node, place)
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits:
            raise self.error(node, place, f"found {_shown(node)}; expected {KINDS[kind]}.")
        return kind(value)

    def _plain(self, node: yaml.Node, place: str) -> Any:
        """A value of YAML's own kinds: nothing but text, numbers, lists and mappings."""
        try:
            value = self.loader.construct_object(node, deep=True)
        except yaml.YAMLError as error:
            raise self.error(node, place, _in_a_line(error)) from None
        return value


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "keys with values"
