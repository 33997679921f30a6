"""How the layers of a task vector are stored, and reading them back one at a time.

`task_vector.safetensors` holds each layer in one of two ways:

- plain: tensor `NAME`, float32, float16 or bfloat16;
- in few bits: `NAME.codes`, uint8 (rows, bytes of a row), and `NAME.scales`, bfloat16 (rows,); rows
  are the first axis of the layer, all others are its columns (`compression`). The header's metadata
  then has one entry `aesthetic_tv`, JSON: `scheme`, `bits`, and `shapes`, the shape of each such
  layer by name.

Storage `int8`, `int4`, `int3` and `int2` keep plain bfloat16 for norms, biases, class and position
embeddings: few numbers, and each of them touches every photo.
"""

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from aesthetic_tv.errors import FormatError, SettingError
from aesthetic_tv.scorer.towers import few_numbers
from aesthetic_tv.task_vectors.compression import BITS, dequantize, quantize, row_bytes
from aesthetic_tv.task_vectors.fingerprint import check_finite, check_shapes, digest, shapes_of
from aesthetic_tv.tensor_file import Source, TensorFile, TensorsInMemory

PLAIN = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
STORAGES = (*PLAIN, *(f"int{bits}" for bits in reversed(BITS)))
SCHEME = "odd-multiples-per-row"
METADATA_KEY = "aesthetic_tv"
CODES, SCALES = ".codes", ".scales"
SCALE_BYTES = torch.bfloat16.itemsize  # of a row of codes


class StoredLayers(Mapping[str, torch.Tensor]):
    """The layers of a task vector, decoded to float32 each time one is asked for.

    Made by `encode_layers`, or by `open_layers` from a file, which stays where it is.

    Attributes:
        relative_error: length of what was lost over the length of the vector.
        shapes: of the layers, by name.
    """

    def __init__(
        self,
        source: Source,
        plain: Mapping[str, tuple[torch.dtype, tuple[int, ...]]],
        coded: Mapping[str, tuple[int, ...]],
        bits: int | None,
        relative_error: float,
    ):
        """Layers in `plain` have a dtype and a shape, those in `coded` a shape and `bits`."""
        self._source, self._plain, self._coded, self._bits = source, plain, coded, bits
        self.relative_error = relative_error
        self.shapes = {name: shape for name, (_, shape) in plain.items()} | dict(coded)
        self._fingerprint: str | None = None

    @property
    def storage(self) -> str:
        """One of `STORAGES`, or `mixed` for plain tensors of several dtypes."""
        if self._bits is not None:
            return f"int{self._bits}"
        dtypes = {dtype for dtype, _ in self._plain.values()}
        return next((name for name, dtype in PLAIN.items() if dtypes == {dtype}), "mixed")

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in self.shapes:
            raise KeyError(name)
        return self.read_into(name, torch.empty(self.shapes[name]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def read_into(self, name: str, out: torch.Tensor) -> torch.Tensor:
        """Decode one layer into a contiguous float32 tensor of its shape; returns it.

        Raises:
            FormatError: a scale that is not a finite number, or a file cut short.
        """
        if name in self._plain:
            if self._plain[name][0] == torch.float32:
                return self._source.read_into(name, out)
            return out.copy_(self._source.read(name))
        scales = self._source.read(name + SCALES)
        if not torch.isfinite(scales).all():
            raise FormatError(
                f"tensor {name}{SCALES} holds values that are not finite numbers; the file is "
                "damaged, fetch it again."
            )
        assert self._bits is not None
        rows = out.view(_matrix(self.shapes[name]))
        dequantize(self._source.read(name + CODES), scales, self._bits, rows)
        return out

    def fingerprint(self, what: str = "a task vector") -> str:
        """Fingerprint of the decoded layers, worked out once, one layer in memory at a time.

        Raises:
            FormatError: values that are not finite; `what` is named.
        """
        if self._fingerprint is None:
            self._fingerprint = digest(self._finite_layers(what))
        return self._fingerprint

    def _finite_layers(self, what: str) -> Iterator[tuple[str, torch.Tensor]]:
        # One place in memory for all of them, or the last layer would stay beside the next.
        room = torch.empty(max((prod(shape) for shape in self.shapes.values()), default=0))
        for name in sorted(self):
            shape = self.shapes[name]
            layer = self.read_into(name, room[: prod(shape)].view(shape))
            check_finite({name: layer}, what)
            yield name, layer

    def stored(self) -> dict[str, torch.Tensor]:
        """All tensors as they are stored, in memory, by their names in the file."""
        names = [*self._plain]
        for name in self._coded:
            names += [name + CODES, name + SCALES]
        return {name: self._source.read(name) for name in names}

    @property
    def nbytes(self) -> int:
        """Of the stored tensors, without reading them; of codes but for what rounds a row up."""
        plain = sum(dtype.itemsize * prod(shape) for dtype, shape in self._plain.values())
        coded = sum(
            prod(shape) * (self._bits or 0) // 8 + SCALE_BYTES * _matrix(shape)[0]
            for shape in self._coded.values()
        )
        return plain + coded

    def metadata(self) -> dict[str, str]:
        """What the header of the file says beside the tensors."""
        if self._bits is None:
            return {}
        shapes = {name: list(shape) for name, shape in self._coded.items()}
        content = {"scheme": SCHEME, "bits": self._bits, "shapes": shapes}
        return {METADATA_KEY: json.dumps(content, separators=(",", ":"))}

    def description(self) -> dict[str, Any]:
        """The field `storage` of the config."""
        error = {"relative_error": self.relative_error}
        if self._bits is None:
            return {"dtype": self.storage, **error}
        return {"bits": self._bits, "scheme": SCHEME, **error}

    def __getstate__(self) -> dict[str, Any]:
        # An open file does not travel to another process; what it holds does, as bytes: tensors
        # would take one of the few file descriptors each.
        return self.__dict__ | {"_source": save(self.stored())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _source=TensorsInMemory(load(state["_source"])))


def encode_layers(layers: Mapping[str, torch.Tensor], storage: str) -> StoredLayers:
    """Layers as they would be stored, in memory. Layers that are stored so already are kept.

    Args:
        layers: float32, finite, by name.
        storage: one of `STORAGES`.

    Raises:
        SettingError: another storage, or a value that is beyond the range of float16.
    """
    if isinstance(layers, StoredLayers) and layers.storage == storage:
        return layers
    if storage not in STORAGES:
        raise SettingError(f"storage must be one of {', '.join(STORAGES)}, got {storage!r}.")
    bits = None if storage in PLAIN else int(storage.removeprefix("int"))
    tensors, plain, coded = TensorsInMemory(), {}, {}
    for name in layers:
        layer, shape = layers[name], tuple(layers[name].shape)
        if bits is None or few_numbers(name, shape):
            dtype = PLAIN.get(storage, torch.bfloat16)
            tensors[name], plain[name] = layer.to(dtype), (dtype, shape)
        else:
            coded[name] = shape
            codes, scales = quantize(layer.reshape(_matrix(shape)), bits)
            tensors[name + CODES], tensors[name + SCALES] = codes, scales
    encoded = StoredLayers(tensors, plain, coded, bits, 0.0)
    if storage != "float32":
        encoded.relative_error = _relative_error(layers, encoded, storage)
    return encoded


def open_layers(path: Path, description: Any = None) -> StoredLayers:
    """The layers of a file, none of them read yet; the header is checked through.

    Values are checked by `StoredLayers.fingerprint`.

    Args:
        path: of the safetensors file.
        description: the field `storage` of its config; decides nothing about the decoding.

    Raises:
        FormatError: not a whole safetensors file, an unknown scheme, or a tensor whose dtype or
            size is not what its layer needs; the tensor is named.
    """
    file = TensorFile(path)
    bits, coded = _read_metadata(file)
    left = dict(file.entries)
    for name, shape in coded.items():
        rows, columns = _matrix(shape)
        assert bits is not None
        for part, dtype, expected in (
            (CODES, torch.uint8, (rows, row_bytes(columns, bits))),
            (SCALES, torch.bfloat16, (rows,)),
        ):
            entry = left.pop(name + part, None)
            if entry is None or (entry.dtype, entry.shape) != (dtype, expected):
                found = "is missing" if entry is None else f"is {entry.dtype} {entry.shape}"
                raise FormatError(
                    f"{path}: tensor {name}{part} {found}; a layer of shape {shape} in {bits} bits "
                    f"needs {dtype} {expected}. The file is damaged, fetch or make it again."
                )
    for name, entry in left.items():
        if entry.dtype not in PLAIN.values() or name in coded:
            raise FormatError(
                f"{path}: tensor {name} is {entry.dtype} and belongs to no layer that the header's "
                "metadata names. The file is damaged, fetch or make it again."
            )
    plain = {name: (entry.dtype, entry.shape) for name, entry in left.items()}
    error = description.get("relative_error") if isinstance(description, dict) else None
    known = error if isinstance(error, int | float) else 0.0
    return StoredLayers(file, plain, coded, bits, float(known))


def check_layers(
    layers: Mapping[str, torch.Tensor], base: Mapping[str, torch.Tensor], what: str
) -> None:
    """Raise unless `layers` has the names and shapes of the base, and finite values.

    Stored layers are not read for it: that theirs are finite was seen when they were made or
    loaded.

    Raises:
        BaseMismatchError: other names or shapes; the message names the first few.
        FormatError: a value that is not a finite number.
    """
    if isinstance(layers, StoredLayers):
        check_shapes(layers.shapes, shapes_of(base), what)
    else:
        check_shapes(shapes_of(layers), shapes_of(base), what)
        check_finite(layers, what)


def _read_metadata(file: TensorFile) -> tuple[int | None, dict[str, tuple[int, ...]]]:
    """Bits and shapes of the layers in few bits; `None` and none for a plain file."""
    if METADATA_KEY not in file.metadata:
        return None, {}

    def problem(text: str) -> FormatError:
        return FormatError(
            f"{file.path}: {text} Upgrade with `pip install -U aesthetic-tv`, or fetch it again."
        )

    try:
        content = json.loads(file.metadata[METADATA_KEY])
        scheme, bits, shapes = content["scheme"], content["bits"], content["shapes"]
        shapes = {name: tuple(shape) for name, shape in shapes.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise problem(f"the storage in its metadata cannot be understood ({error!r}).") from error
    if scheme != SCHEME or bits not in BITS or isinstance(bits, bool | float):
        raise problem(f"storage scheme {scheme!r} with {bits!r} bits is not known here.")
    for name, shape in shapes.items():
        if not shape or any(type(size) is not int or size < 0 for size in shape):
            raise problem(f"tensor {name} cannot have the shape {list(shape)!r}.")
    return bits, shapes


def _matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], prod(shape[1:])


def _relative_error(
    layers: Mapping[str, torch.Tensor], encoded: StoredLayers, storage: str
) -> float:
    lost = length = 0.0
    for name in layers:
        layer, decoded = layers[name], encoded[name]
        if not torch.isfinite(decoded).all():
            raise SettingError(
                f"layer {name} has values beyond the range of {storage}; store it as bfloat16 or "
                "float32."
            )
        lost += float((layer.double() - decoded.double()).square().sum())
        length += float(layer.double().square().sum())
    return (lost / length) ** 0.5 if length > 0 else 0.0
