"""AMX tiles in bfloat16: sixteen outputs by sixteen tokens by 32 values in one instruction.

Weights come first: a tile of them is sixteen rows of 32 values as they stand in a panel, so nothing
of them is transposed. Tokens stand in pairs of values, as storage/tiles.py describes. The sums are
float32, sixteen outputs by sixteen tokens.
Tile registers: 0 to 3 sums (two of weights by two of tokens), 4 and 5 weights, 6 and 7 tokens.

A panel is 32 rows of weights in bfloat16, a block of 32 values after the other: [K/32][32][32].
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rung.simd import tile_instructions
from rung.simd.bfloat import rounded
from rung.simd.blocks import RUN, layout_of
from rung.simd.elements import as_float, element_ir
from rung.simd.emit import (
    I8,
    I16,
    I32,
    I64,
    clamped,
    element_pointer,
    lane_mask,
    literal,
    load_vector,
    masked_load,
    masked_store,
    splat,
    store_vector,
)
from rung.simd.lanes import LANES
from rung.simd.pieces import transposed
from rung.simd.tile_instructions import ROW_BYTES, TILE
from rung.simd.vectors import f32x16, vector_ir

PANEL = 2 * TILE  # rows of weights
SUMS = TILE * TILE  # float32 of a tile of sums
BLOCK = TILE * RUN  # bfloat16 of a tile of weights or tokens
ELEMENTS = 0
"""The format of weights that are one element each."""

_STEP = I64(ROW_BYTES)  # between rows of a tile that lie one after another
_FLOATS = vector_ir(f32x16)
_kernel_intrinsic = intrinsic(prefer_literal=True)


def _at(builder: Any, pointer: Any, offset: int) -> Any:
    return builder.gep(pointer, [I64(offset)])


def _multiply(builder: Any, row: int, column: int) -> None:
    """The sums of a tile of weights and one of tokens, each one of two."""
    tile_instructions.multiply(builder, "tdpbf16ps", 2 * row + column, 4 + row, 6 + column)


@_kernel_intrinsic
def bfloat_tiles_open(context: Any) -> Any:
    """Gives this thread's tile registers their shapes."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile_instructions.configure(builder, [ROW_BYTES] * 8, [TILE] * 8)
        return target.get_dummy_value()

    return types.void(), emit


def _begin(builder: Any, fresh: Any, places: list[Any], stride: Any) -> None:
    """The four tiles of sums from where they are, or zero."""
    with builder.if_else(fresh) as (zero, load):
        with zero:
            for register in range(4):
                tile_instructions.zero(builder, register)
        with load:
            for register, place in enumerate(places):
                tile_instructions.load(builder, register, place, stride)


def _end(builder: Any, places: list[Any], stride: Any) -> None:
    """The four tiles of sums to where they belong."""
    for register, place in enumerate(places):
        tile_instructions.store(builder, register, place, stride)


def _places_of_sums(target: Any, builder: Any, sums: Any, view: Any, at: Any) -> list[Any]:
    pointer = element_pointer(target, builder, sums, view, [at])
    return [_at(builder, pointer, register * SUMS) for register in range(4)]


def _places_of_grid(target: Any, builder: Any, array: Any, arguments: Any) -> tuple[list[Any], Any]:
    """Where tiles of array[row : row+32, column : column+32] begin, and bytes of a row of it."""
    view, row, column = arguments
    places = [
        element_pointer(
            target,
            builder,
            array,
            view,
            [builder.add(row, I64(r * TILE)), builder.add(column, I64(c * TILE))],
        )
        for r in range(2)
        for c in range(2)
    ]
    shape = cgutils.unpack_tuple(builder, target.make_array(array)(target, builder, view).shape)
    return places, builder.mul(shape[1], I64(4))


@_kernel_intrinsic
def sums_begin(context: Any, sums: Any, at: Any, fresh: Any) -> Any:
    """The four tiles of sums become sums[at …], or zero where `fresh`."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, at, fresh = arguments
        _begin(builder, fresh, _places_of_sums(target, builder, sums, view, at), _STEP)
        return target.get_dummy_value()

    return types.void(sums, types.int64, types.boolean), emit


@_kernel_intrinsic
def sums_end(context: Any, sums: Any, at: Any) -> Any:
    """sums[at …] become the four tiles of sums."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _end(builder, _places_of_sums(target, builder, sums, *arguments), _STEP)
        return target.get_dummy_value()

    return types.void(sums, types.int64), emit


@_kernel_intrinsic
def grid_begin(context: Any, array: Any, row: Any, column: Any, fresh: Any) -> Any:
    """The sums become array[row : row+32, column : column+32] of float32, or zero where `fresh`."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places, stride = _places_of_grid(target, builder, array, arguments[:3])
        _begin(builder, arguments[3], places, stride)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64, types.boolean), emit


@_kernel_intrinsic
def grid_end(context: Any, array: Any, row: Any, column: Any) -> Any:
    """array[row : row+32, column : column+32] become the sums."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places, stride = _places_of_grid(target, builder, array, arguments)
        _end(builder, places, stride)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64), emit


@_kernel_intrinsic
def sums_multiply(
    context: Any, panel: Any, at: Any, tokens: Any, first: Any, second: Any, both: Any
) -> Any:
    """The sums grow by panel[at …] · tokens[first …], and · tokens[second …] where `both`."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        panel_view, at, token_view, first, second, both = arguments
        weights = element_pointer(target, builder, panel, panel_view, [at])

        def multiply(column: int, place: Any) -> None:
            pointer = element_pointer(target, builder, tokens, token_view, [place])
            tile_instructions.load(builder, 6 + column, pointer, _STEP)
            for row in range(2):
                _multiply(builder, row, column)

        for row in range(2):
            place = _at(builder, weights, row * BLOCK)
            tile_instructions.load(builder, 4 + row, place, _STEP)
        multiply(0, first)
        with builder.if_then(both):
            multiply(1, second)
        return target.get_dummy_value()

    places = (types.int64, types.int64, types.boolean)
    return types.void(panel, types.int64, tokens, *places), emit


@_kernel_intrinsic
def sums_again(context: Any) -> Any:
    """The sums grow by the products of what is in the registers once more; to measure by."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for row in range(2):
            for column in range(2):
                _multiply(builder, row, column)
        return target.get_dummy_value()

    return types.void(), emit


@_kernel_intrinsic
def sums_leave(
    context: Any,
    sums: Any,
    at: Any,
    y: Any,
    t: Any,
    tokens: Any,
    n: Any,
    count: Any,
    scales: Any,
    b: Any,
    r: Any,
) -> Any:
    """y[t + i, n + j] = sums[at + 16·j + i] · scales[n + j] + b[n + j] + r[t + i, n + j].

    For i below `tokens` and j below `count`, sixteen at most. Arrays of no size are left out.
    """

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, at, y_view, t, tokens, n, count, scale_view, b_view, r_view = arguments
        pointer = element_pointer(target, builder, sums, view, [at])
        rows = [
            load_vector(builder, _at(builder, pointer, LANES * row), _FLOATS, 64)
            for row in range(TILE)
        ]
        wanted = lane_mask(builder, count, LANES)
        none = ir.Constant(wanted.type, None)
        own = element_pointer(target, builder, y, y_view, [t, n])

        def given(kind: Any, array: Any) -> Any:
            """Whether there is such an array."""
            view = target.make_array(kind)(target, builder, array)
            shape = cgutils.unpack_tuple(builder, view.shape)
            return builder.icmp_signed(">", shape[0], I64(0))

        def load(kind: Any, array: Any, there: Any, place: list[Any]) -> Any:
            """The wanted lanes where there is such an array, else zeros.

            A masked load of nothing from a page that does not exist takes hundreds of cycles.
            """
            pointer = element_pointer(target, builder, kind, array, place)
            pointer = builder.select(there, pointer, own)
            return masked_load(builder, pointer, _FLOATS, builder.select(there, wanted, none), 4)

        has_scales, has_r = given(scales, scale_view), given(r, r_view)
        loaded = load(scales, scale_view, has_scales, [n, I64(0)])
        scale = builder.select(has_scales, loaded, ir.Constant(_FLOATS, [1.0] * LANES))
        bias = load(b, b_view, given(b, b_view), [n])
        last = builder.add(t, builder.sub(tokens, I64(1)))
        values = [builder.bitcast(row, ir.VectorType(I32, LANES)) for row in rows]
        for step, value in enumerate(transposed(builder, values)):
            # Tokens beyond the last are copies of it.
            row = clamped(builder, t, step, last)
            result = builder.fmul(builder.bitcast(value, _FLOATS), scale)
            result = builder.fadd(builder.fadd(result, bias), load(r, r_view, has_r, [row, n]))
            place = element_pointer(target, builder, y, y_view, [row, n])
            masked_store(builder, result, place, wanted, 4)
        return target.get_dummy_value()

    numbers = (types.int64,) * 4
    return types.void(sums, types.int64, y, *numbers, scales, b, r), emit


@_kernel_intrinsic
def bfloat_values(context: Any, FORMAT: Any) -> Any:
    """Weights of a row that are unpacked together: a block."""
    number = literal(FORMAT, 0)
    values = RUN if number == ELEMENTS else layout_of(FORMAT, 0).values

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return I64(values)

    return types.int64(FORMAT), emit


def _element_run(builder: Any, kind: Any, pointer: Any) -> Any:
    """32 elements as bfloat16."""
    element, size = element_ir(kind)
    if kind.dtype == types.uint16:
        return load_vector(builder, pointer, ir.VectorType(I16, RUN), size)
    halves = [
        load_vector(builder, _at(builder, pointer, part), ir.VectorType(element, LANES), size)
        for part in (0, LANES)
    ]
    return rounded(builder, *(as_float(builder, kind, half) for half in halves))


@_kernel_intrinsic
def bfloat_expand(
    context: Any,
    panel: Any,
    at: Any,
    w: Any,
    n: Any,
    index: Any,
    COUNT: Any,
    FORMAT: Any,
) -> Any:
    """COUNT blocks of w[n] from `index` on become a row of the panel blocks from panel[at] on."""
    count, number = literal(COUNT, 5), literal(FORMAT, 6)

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        panel_view, at, w_view, n, index, *_ = arguments
        to = element_pointer(target, builder, panel, panel_view, [at])
        elements = number == ELEMENTS
        layout = None if elements else layout_of(FORMAT, 6)
        size = RUN if elements else layout.size  # type: ignore[union-attr]
        k = builder.mul(index, I64(size))
        first = element_pointer(target, builder, w, w_view, [n, k])
        place = 0
        for step in range(count):
            block = _at(builder, first, step * size)
            if elements:
                runs = [_element_run(builder, w, block)]
            else:
                scales = layout.scales(builder, block)  # type: ignore[union-attr]
                runs = [
                    rounded(builder, *layout.run(builder, block, scales, run))  # type: ignore[union-attr]
                    for run in range(layout.values // RUN)  # type: ignore[union-attr]
                ]
            for run in runs:
                store_vector(builder, run, _at(builder, to, place * PANEL * RUN), 64)
                place += 1
        return target.get_dummy_value()

    numbers = (types.int64, types.int64)
    return types.void(panel, types.int64, w, *numbers, COUNT, FORMAT), emit


def _token_run(target: Any, builder: Any, x: Any, views: Any, t: Any, k: Any) -> Any:
    """32 values of a token as bfloat16: float32, or int8 times its scale."""
    if not isinstance(x, types.BaseTuple):
        pointer = element_pointer(target, builder, x, views, [t, k])
        parts = [load_vector(builder, _at(builder, pointer, at), _FLOATS, 4) for at in (0, LANES)]
        return rounded(builder, *parts)
    q, scales = cgutils.unpack_tuple(builder, views)[:2]
    pointer = element_pointer(target, builder, x[0], q, [t, k])
    block = builder.sdiv(k, I64(RUN))
    scale = builder.load(element_pointer(target, builder, x[1], scales, [t, block]), align=4)
    factor = splat(builder, scale, LANES)
    parts = []
    for at in (0, LANES):
        whole = load_vector(builder, _at(builder, pointer, at), ir.VectorType(I8, LANES), 1)
        parts.append(builder.fmul(builder.sitofp(whole, _FLOATS), factor))
    return rounded(builder, *parts)


@_kernel_intrinsic
def tokens_pack(context: Any, tiles: Any, at: Any, x: Any, t: Any, last: Any, k: Any) -> Any:
    """tiles[at …] = 32 values from k on of tokens t to t + 15, `last` in place of those beyond."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view, at, x_view, t, last, k = arguments
        words = ir.VectorType(I32, LANES)
        rows = []
        for step in range(TILE):
            token = clamped(builder, t, step, last)
            rows.append(builder.bitcast(_token_run(target, builder, x, x_view, token, k), words))
        to = element_pointer(target, builder, tiles, view, [at])
        for step, vector in enumerate(transposed(builder, rows)):
            store_vector(builder, vector, _at(builder, to, step * RUN), 2)
        return target.get_dummy_value()

    return types.void(tiles, types.int64, x, types.int64, types.int64, types.int64), emit


@_kernel_intrinsic
def bfloat_bits(context: Any, value: Any) -> Any:
    """The bits of a float32 rounded to bfloat16."""

    def emit(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        every = splat(builder, arguments[0], LANES)
        return builder.extract_element(rounded(builder, every, every), I32(0))

    return types.uint16(types.float32), emit
