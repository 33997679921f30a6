"""A whole bank by one command: databases fetched, vectors trained, population, figures, cards."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from aesthetic_tv.building.recipe import Recipe as Recipe
    from aesthetic_tv.building.recipe_file import RECIPES as RECIPES
    from aesthetic_tv.building.recipe_file import read_recipe as read_recipe
    from aesthetic_tv.building.running import BuildSettings as BuildSettings
    from aesthetic_tv.building.running import build as build

# Lazy: the command line reads the names of recipes, and must not wait for torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "recipe": ["Recipe"],
        "recipe_file": ["RECIPES", "read_recipe"],
        "running": ["BuildSettings", "build"],
    },
)
