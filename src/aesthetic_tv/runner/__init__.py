"""Scores of photos by an exported taste, without torch: onnxruntime or openvino, Pillow and numpy.

Reads photos with the very code that the scorer does. `aesthetic-tv export --runner` packs this room
and what it knows into one file that runs where aesthetic_tv is not installed.
"""

from aesthetic_tv.runner.description import Description, PixelSettings
from aesthetic_tv.runner.exported_scorer import ExportedScorer

__all__ = ["Description", "ExportedScorer", "PixelSettings"]
