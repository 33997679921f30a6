"""Pictures of task vectors."""

import os
from collections.abc import Sequence

import numpy as np

from aesthetic_tv.errors import SettingError
from aesthetic_tv.plots.style import INK, new_figure, save


def similarity_matrix(
    names: Sequence[str], matrix: np.ndarray, path: str | os.PathLike[str]
) -> None:
    """Draw how alike task vectors are: red for the same direction, blue for opposite ones.

    Args:
        names: of the K tasks.
        matrix: (K, K) cosine similarities in [-1, 1].
        path: the PNG file to write or replace.

    Raises:
        SettingError: the matrix is not (K, K), or not finite.
        OutputError: the file could not be written; it is as it was.
    """
    count = len(names)
    if matrix.shape != (count, count) or not np.isfinite(matrix).all():
        raise SettingError(
            f"the similarities of {count} tasks are a finite ({count}, {count}) matrix; found "
            f"shape {matrix.shape}."
        )
    side = 2.4 + 0.55 * count
    figure = new_figure(side + 0.6, side)
    axes = figure.add_subplot()
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(count), names, rotation=45, ha="right", color=INK)
    axes.set_yticks(range(count), names, color=INK)
    axes.spines[:].set_visible(False)
    for row, column in np.ndindex(count, count):
        value = matrix[row, column]
        color = "white" if abs(value) > 0.6 else INK
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", size=8.5, color=color)
    figure.colorbar(image, ax=axes, shrink=0.8, label="cosine similarity")
    save(figure, path)
