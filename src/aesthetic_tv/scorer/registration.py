"""Makes `AutoModel` and `pipeline` of transformers know the scorer, without importing either.

`import aesthetic_tv` must not import torch. So the scorer is registered when transformers imports
the parts that look it up, or at once where it has done so already.
"""

import importlib
import importlib.abc
import sys
from importlib.machinery import ModuleSpec

# The modules of transformers that look things up, and ours that registers there.
REGISTERING = {
    "transformers.models.auto.modeling_auto": "aesthetic_tv.scorer.modeling_aesthetic_scorer",
    "transformers.pipelines": "aesthetic_tv.scorer.pipeline",
}


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself; lets ours be imported after theirs."""

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name not in REGISTERING:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_register(module) -> None:
            run(module)
            importlib.import_module(REGISTERING[name])

        spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec


def register() -> None:
    """Register the scorer with transformers, now or when it is imported; once is enough."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    for theirs, ours in REGISTERING.items():
        if theirs in sys.modules:
            importlib.import_module(ours)
    sys.meta_path.insert(0, _Finder())
