"""Makes `AutoModel` and `pipeline` of transformers know the scorer, without importing either.

`import aesthetic_tv` must not import torch. So the scorer is registered the first time somebody
asks transformers for a config, which is how every `AutoModel` and every pipeline begins. While
transformers is still being imported would be too early: its tables are made in the middle of
importing a model, which ours would import again.
"""

import functools
import importlib
import importlib.abc
import sys
from importlib.machinery import ModuleSpec
from typing import Any

TABLE = "transformers.models.auto.configuration_auto"
# Each registers what it holds when it is imported.
OURS = ("aesthetic_tv.scorer.modeling_aesthetic_scorer", "aesthetic_tv.scorer.pipeline")


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself; is told when transformers makes its table of configs."""

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name != TABLE:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_prepare(module) -> None:
            run(module)
            _register_on_first_use(module.AutoConfig)

        spec.loader.exec_module = run_and_prepare  # type: ignore[method-assign]
        return spec


def _register_on_first_use(auto_config: Any) -> None:
    original = auto_config.__dict__["from_pretrained"]

    @functools.wraps(original.__func__)
    def from_pretrained(cls, *args, **kwargs):
        auto_config.from_pretrained = original  # once is enough
        for module in OURS:
            importlib.import_module(module)
        return cls.from_pretrained(*args, **kwargs)

    auto_config.from_pretrained = classmethod(from_pretrained)


def register() -> None:
    """Register the scorer with transformers at the first use of it; once is enough."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    auto_config = getattr(sys.modules.get(TABLE), "AutoConfig", None)
    if auto_config is not None:
        _register_on_first_use(auto_config)
    sys.meta_path.insert(0, _Finder())
