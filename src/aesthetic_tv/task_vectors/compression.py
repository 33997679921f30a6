"""Rows of numbers in 2, 3, 4 or 8 bits each: the arithmetic, without files.

A value is an odd integer times its row's scale: code c in 0..2^bits - 1 stands for
(2c - (2^bits - 1)) * scale, the levels ..., -3, -1, 1, 3, ... times scale. Weights of task vectors
are bell-shaped, and there this halves-of-a-step grid, which spends no level on an exact zero, errs
8 % less at 4 bits and 20 % less at 2 bits than the usual grid around zero. A row of zeros has scale
0 and stays zero.

Scales are bfloat16: the range of float32, so that rows as small as 1e-30 do not underflow, and a
product of at most 8 by 8 significant bits, so that decoding is exact and the same everywhere.
"""

from collections.abc import Iterator

import torch

# Bits of a code are kept in planes whose width divides a byte; 3 bits are 2 and 1.
PLANES = {2: (2,), 3: (2, 1), 4: (4,), 8: (8,)}
BITS = tuple(PLANES)

# Highest levels tried, as shares of the largest value in a row: long tails are better cut.
CLIPS = tuple(torch.logspace(-1, 0, 12, dtype=torch.float64).tolist())

SMALLEST = 1e-30  # a row without a larger value is taken for zeros: its scale could be subnormal
BLOCK = 2**18  # values worked on at a time, 1 MiB of float32: fits the cache, and bounds the memory


def row_bytes(columns: int, bits: int) -> int:
    """Bytes of one packed row; each plane is padded to whole bytes."""
    return sum(-(-columns * width // 8) for width in PLANES[bits])


def quantize(values: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of floats to packed codes, each row with the scale of least squared error.

    Args:
        values: float32 (rows, columns), finite.
        bits: of a code, one of `BITS`.

    Returns:
        codes: uint8 (rows, row_bytes(columns, bits)).
        scales: bfloat16 (rows,), 0 for a row of zeros.
    """
    codes = torch.empty(values.shape[0], row_bytes(values.shape[1], bits), dtype=torch.uint8)
    scales = torch.zeros(values.shape[0], dtype=torch.bfloat16)
    for rows in _blocks(*values.shape):
        block = values[rows]
        scales[rows] = _best_scales(block, bits)
        codes[rows] = pack(_nearest_codes(block, scales[rows], bits), bits)
    return codes, scales


def dequantize(
    codes: torch.Tensor, scales: torch.Tensor, bits: int, out: torch.Tensor
) -> torch.Tensor:
    """Packed codes back to floats, exactly the same on every machine.

    Args:
        codes: uint8 (rows, row_bytes(columns, bits)).
        scales: bfloat16 (rows,).
        bits: of a code, one of `BITS`.
        out: float32 (rows, columns), written to.

    Returns:
        `out`.
    """
    for rows in _blocks(*out.shape):
        block = out[rows]
        unpack(codes[rows], bits, block)
        block.mul_(2).sub_(2**bits - 1).mul_(scales[rows, None].float())
    return out


def pack(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """Codes to bytes, plane by plane: uint8 (rows, columns) to (rows, row_bytes).

    A plane of `width` bits keeps 8 / width codes in a byte. Code j of a row lies in byte j % m,
    field j // m (lowest bits first), with m the bytes of the row: neighbours in memory stay
    neighbours, which unpacks faster than neighbours in a byte.
    """
    rows, columns = codes.shape
    planes, shift = [], 0
    for width in PLANES[bits]:
        fields, size = 8 // width, -(-columns * width // 8)
        padded = torch.zeros(rows, fields * size, dtype=torch.uint8)
        padded[:, :columns] = (codes >> shift) & (2**width - 1)
        plane = torch.zeros(rows, size, dtype=torch.uint8)
        for field, part in enumerate(padded.split(size, dim=1) if size else ()):
            plane |= part << (width * field)
        planes.append(plane)
        shift += width
    return torch.cat(planes, dim=1)


def unpack(packed: torch.Tensor, bits: int, out: torch.Tensor) -> torch.Tensor:
    """The inverse of `pack`: uint8 (rows, row_bytes) into `out` (rows, columns) of any dtype."""
    begin, shift = 0, 0
    for width in PLANES[bits]:
        size = -(-out.shape[1] * width // 8)
        plane = packed[:, begin : begin + size]
        for field, part in enumerate(out.split(size, dim=1) if size else ()):
            code = (plane >> (width * field))[:, : part.shape[1]] & (2**width - 1)
            if shift:
                part += code << shift
            else:
                part.copy_(code)
        begin += size
        shift += width
    return out


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, BLOCK // max(1, columns))
    for begin in range(0, rows, step):
        yield slice(begin, begin + step)


def _nearest_codes(values: torch.Tensor, scales: torch.Tensor, bits: int) -> torch.Tensor:
    """The code nearest to each value: uint8 of the same shape."""
    half = 2 ** (bits - 1)
    steps = 2 * scales.float()[:, None]
    codes = torch.where(steps > 0, values / steps, 0).floor_()
    return (codes.clamp_(-half, half - 1) + half).to(torch.uint8)


def _best_scales(values: torch.Tensor, bits: int) -> torch.Tensor:
    """The scale of least squared error among the clips tried, refined: bfloat16 (rows,)."""
    top = (
        values.abs().amax(1, keepdim=True) if values.shape[1] else values.new_zeros(len(values), 1)
    )
    used = top > SMALLEST
    shares = torch.where(used, values / top, 0)  # in [-1, 1], so that no sum overflows
    half = 2 ** (bits - 1)
    best = shares.new_full((len(values),), -1.0)
    refined = torch.zeros_like(best)
    for clip in CLIPS:
        levels = (shares * (half / clip)).floor_().clamp_(-half, half - 1).mul_(2).add_(1)
        match, size = (shares * levels).sum(1), levels.square().sum(1)
        # With its best scale match / size, these levels leave |shares|^2 - match^2 / size.
        gain = match.square() / size
        refined = torch.where(gain > best, match / size, refined)
        best = torch.maximum(best, gain)
    # Rounded up, the uncut scale errs by half a step at most: what the refined one has to beat.
    uncut = _round_up(torch.where(used, top / (2 * half), 0)[:, 0])
    refined_scale = torch.where(used[:, 0], refined * top[:, 0], 0).bfloat16()
    better = _error(values, refined_scale, bits) <= _error(values, uncut, bits)
    return torch.where(better, refined_scale, uncut)


def _round_up(values: torch.Tensor) -> torch.Tensor:
    """The nearest bfloat16 that is not below: adding all of the bits that are cut carries over."""
    bits = values.view(torch.int32)
    return ((bits + 0xFFFF) >> 16 << 16).view(torch.float32).bfloat16()


def _error(values: torch.Tensor, scales: torch.Tensor, bits: int) -> torch.Tensor:
    """Squared error of each row: (rows,)."""
    levels = _nearest_codes(values, scales, bits).float().mul_(2).sub_(2**bits - 1)
    return (levels.mul_(scales.float()[:, None]) - values).square_().sum(1)
