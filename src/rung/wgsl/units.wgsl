// Rows of TENSOR times activations, a unit at a time: 8 or 16 bytes of weights.
//
//     #include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=x_quad
//
// WIDTH: values of a row, in whole units (types.in_units). LOAD: a function of the shader itself,
// (t: u32, quad: u32) -> vec4<f32>: activations 4·quad … 4·quad + 3 of token t, from wherever they
// are. The type comes with the constants of types.unit_constants("w_NK", type). Include it once for
// each tensor: every name begins with TENSOR.
//
//     const TENSOR_UNIT: u32                                  values of a unit
//     const TENSOR_QUADS: u32                                 the same in vec4s, for #repeat too
//     const TENSOR_UNITS: u32                                 units of a row
//     alias TENSOR_Values = array<vec4<f32>, TENSOR_QUADS>
//     fn TENSOR_quad(unit, i) -> u32                          which four of a row vec4 i of a unit is
//     fn TENSOR_activations(t, unit) -> TENSOR_Values         the activations that a unit meets
//     fn TENSOR_values(row, unit) -> TENSOR_Values            the weights of a unit
//     fn TENSOR_dot_unit(row, unit, x: TENSOR_Values) -> f32  the sum of their products
//     fn TENSOR_finished(row, sum) -> f32                     what the sum over a row's units stands for
//
// `values` and `dot_unit` leave out what is the same for a whole row, which is i8's scale alone:
// `finished` multiplies by it, and changes nothing for other types.

const TENSOR_UNITS = WIDTH / TENSOR_UNIT;
alias TENSOR_Values = array<vec4<f32>, TENSOR_QUADS>;

fn TENSOR_half(word: u32, index: u32) -> f32 {
    let both = unpack2x16float(word);
    return select(both.x, both.y, (index & 1u) == 1u);
}

#if TENSOR_F32
var<storage, read> TENSOR: array<vec4<f32>>;
const TENSOR_UNIT = 4u;

fn TENSOR_values(row: u32, unit: u32) -> TENSOR_Values {
    return TENSOR_Values(TENSOR[row * TENSOR_UNITS + unit]);
}

fn TENSOR_dot_unit(row: u32, unit: u32, x: TENSOR_Values) -> f32 {
    return dot(TENSOR[row * TENSOR_UNITS + unit], x[0]);
}
#endif

#if TENSOR_HALVES
var<storage, read> TENSOR: array<vec4<u32>>;
const TENSOR_UNIT = 8u;

fn TENSOR_values(row: u32, unit: u32) -> TENSOR_Values {
    let w = TENSOR[row * TENSOR_UNITS + unit];
#if TENSOR_F16
    return TENSOR_Values(
        vec4(unpack2x16float(w.x), unpack2x16float(w.y)),
        vec4(unpack2x16float(w.z), unpack2x16float(w.w)),
    );
#else
    let even = bitcast<vec4<f32>>(w << vec4(16u));
    let odd = bitcast<vec4<f32>>(w & vec4(0xffff0000u));
    return TENSOR_Values(vec4(even.x, odd.x, even.y, odd.y), vec4(even.z, odd.z, even.w, odd.w));
#endif
}

fn TENSOR_dot_unit(row: u32, unit: u32, x: TENSOR_Values) -> f32 {
    let w = TENSOR_values(row, unit);
    return dot(w[0], x[0]) + dot(w[1], x[1]);
}
#endif

// A unit of 16 bytes would spread what neighbours load of the activations over more of memory.
#if TENSOR_BYTES
var<storage, read> TENSOR: array<vec2<u32>>;
const TENSOR_UNIT = 8u;

#if TENSOR_I8
fn TENSOR_scale(row: u32, unit: u32) -> f32 {
    return 1.0;
}
#endif
#if TENSOR_I8_G
var<storage, read> TENSOR_scales: array<f32>;

fn TENSOR_scale(row: u32, unit: u32) -> f32 {
    return TENSOR_scales[row * (WIDTH / TENSOR_GROUP) + unit / (TENSOR_GROUP / 8u)];
}
#endif
#if TENSOR_Q8_0
var<storage, read> TENSOR_scales: array<u32>;

fn TENSOR_scale(row: u32, unit: u32) -> f32 {
    let block = row * (WIDTH / 32u) + unit / 4u;
    return TENSOR_half(TENSOR_scales[block / 2u], block);
}
#endif

// Converting takes a slow unit of the processor on many GPUs. Bytes become the last bits of floats
// of 2^23 instead, from which 2^23 is taken: 31 bytes a cycle, by conversion 16 (a processor of an
// H200). Bytes 1 and 3 of a word stay where they are, and become 256 times as large: DOWN makes up
// for it, on the activations, which several rows share.
const TENSOR_DOWN = vec4(1.0, 0.00390625, 1.0, 0.00390625);

fn TENSOR_signed(word: u32) -> vec4<f32> {
    let low = word ^ 0x80808080u;
    let high = low >> 16u;
    let bits = vec4(low, low, high, high) & vec4(0xffu, 0xff00u, 0xffu, 0xff00u);
    let zero = vec4(8388736.0, 8421376.0, 8388736.0, 8421376.0);
    return bitcast<vec4<f32>>(bits | vec4(0x4b000000u)) - zero;
}

fn TENSOR_values(row: u32, unit: u32) -> TENSOR_Values {
    let w = TENSOR[row * TENSOR_UNITS + unit];
    let scale = TENSOR_scale(row, unit) * TENSOR_DOWN;
    return TENSOR_Values(scale * TENSOR_signed(w.x), scale * TENSOR_signed(w.y));
}

fn TENSOR_dot_unit(row: u32, unit: u32, x: TENSOR_Values) -> f32 {
    let w = TENSOR[row * TENSOR_UNITS + unit];
    let first = dot(TENSOR_signed(w.x), TENSOR_DOWN * x[0]);
    return TENSOR_scale(row, unit) * (first + dot(TENSOR_signed(w.y), TENSOR_DOWN * x[1]));
}
#endif

#if TENSOR_I8
var<storage, read> TENSOR_scales: array<f32>;

fn TENSOR_finished(row: u32, sum: f32) -> f32 {
    return TENSOR_scales[row] * sum;
}
#else
fn TENSOR_finished(row: u32, sum: f32) -> f32 {
    return sum;
}
#endif

// Bytes below 128 as floats.
fn TENSOR_bytes(word: u32) -> vec4<f32> {
    return vec4<f32>(vec4(word & 0xffu, (word >> 8u) & 0xffu, (word >> 16u) & 0xffu, word >> 24u));
}

#if TENSOR_Q4_0
var<storage, read> TENSOR: array<vec2<u32>>;
var<storage, read> TENSOR_scales: array<u32>;
const TENSOR_UNIT = 16u;

fn TENSOR_scale(row: u32, unit: u32) -> f32 {
    let block = row * (WIDTH / 32u) + unit / 2u;
    return TENSOR_half(TENSOR_scales[block / 2u], block);
}

// Byte j of a block holds value j in its low and value j + 16 in its high half; a unit is 8 bytes.
fn TENSOR_levels(row: u32, unit: u32) -> TENSOR_Values {
    let w = TENSOR[row * TENSOR_UNITS + unit];
    let low = w & vec2(0x0f0f0f0fu);
    let high = (w >> vec2(4u)) & vec2(0x0f0f0f0fu);
    return TENSOR_Values(
        TENSOR_bytes(low.x) - vec4(8.0),
        TENSOR_bytes(low.y) - vec4(8.0),
        TENSOR_bytes(high.x) - vec4(8.0),
        TENSOR_bytes(high.y) - vec4(8.0),
    );
}

fn TENSOR_values(row: u32, unit: u32) -> TENSOR_Values {
    let w = TENSOR_levels(row, unit);
    let scale = TENSOR_scale(row, unit);
    return TENSOR_Values(scale * w[0], scale * w[1], scale * w[2], scale * w[3]);
}

fn TENSOR_dot_unit(row: u32, unit: u32, x: TENSOR_Values) -> f32 {
    let w = TENSOR_levels(row, unit);
    let sum = dot(w[0], x[0]) + dot(w[1], x[1]) + dot(w[2], x[2]) + dot(w[3], x[3]);
    return TENSOR_scale(row, unit) * sum;
}
#endif

// K types: a unit is 32 values, each a level times a scale less an offset; scales and offsets are
// those of vec4s 0 and 1, 2 and 3, 4 and 5, 6 and 7 of the unit.
#if TENSOR_K_TYPE
const TENSOR_UNIT = 32u;

struct TENSOR_Unit {
    levels: TENSOR_Values,
    scales: vec4<f32>,
    offsets: vec4<f32>,
}

// Scale and minimum of a sub-block, each of 6 bits, from the 12 bytes of a K type.
fn TENSOR_six_bits(words: vec3<u32>, sub: u32) -> vec2<f32> {
    let shift = 8u * (sub & 3u);
    let bytes = (words >> vec3(shift)) & vec3(0xffu);
    let high = vec2(bytes.z & 15u, bytes.z >> 4u) | ((bytes.xy >> vec2(6u)) << vec2(4u));
    return vec2<f32>(select(high, bytes.xy & vec2(63u), sub < 4u));
}

#if TENSOR_K_BLOCKS
var<storage, read> TENSOR: array<vec4<u32>>;

#if TENSOR_Q4_K
const TENSOR_BLOCK = 9u; // vec4s: 1 of scales, 8 of nibbles
#else
const TENSOR_BLOCK = 11u; // vec4s: 1 of scales, 2 of fifth bits, 8 of nibbles
#endif

// Of 64 values, 32 lie in the low halves of 32 bytes and 32 in the high halves; a unit is 16 bytes.
fn TENSOR_unit(row: u32, unit: u32) -> TENSOR_Unit {
    let block = (row * (WIDTH / 256u) + unit / 8u) * TENSOR_BLOCK;
    let sub = unit & 6u;
    let head = TENSOR[block];
    let w = TENSOR[block + TENSOR_BLOCK - 8u + (unit & 7u)];
    var low = w & vec4(0x0f0f0f0fu);
    var high = (w >> vec4(4u)) & vec4(0x0f0f0f0fu);
#if TENSOR_Q5_K
    let fifth = TENSOR[block + 1u + (unit & 1u)] >> vec4(sub);
    low |= (fifth << vec4(4u)) & vec4(0x10101010u);
    high |= (fifth << vec4(3u)) & vec4(0x10101010u);
#endif
    let levels = TENSOR_Values(
        TENSOR_bytes(low.x), TENSOR_bytes(low.y), TENSOR_bytes(low.z), TENSOR_bytes(low.w),
        TENSOR_bytes(high.x), TENSOR_bytes(high.y), TENSOR_bytes(high.z), TENSOR_bytes(high.w),
    );
    let d = unpack2x16float(head.x);
    let first = d * TENSOR_six_bits(head.yzw, sub);
    let second = d * TENSOR_six_bits(head.yzw, sub + 1u);
    return TENSOR_Unit(
        levels, vec4(first.xx, second.xx), vec4(first.yy, second.yy)
    );
}
#endif

#if TENSOR_Q6_K
var<storage, read> TENSOR: array<vec2<u32>>;
var<storage, read> TENSOR_high: array<vec2<u32>>;
var<storage, read> TENSOR_scales: array<vec2<u32>>;
var<storage, read> TENSOR_d: array<u32>;

// Of 128 values in four runs of 32, a unit is 8 of each run: runs 0 and 2 share bytes of nibbles,
// so do 1 and 3; two high bits of all four share a byte.
fn TENSOR_unit(row: u32, unit: u32) -> TENSOR_Unit {
    let block = row * (WIDTH / 256u) + unit / 8u;
    let section = 2u * block + ((unit >> 2u) & 1u);
    let part = unit & 3u;
    let even = TENSOR[section * 8u + part];
    let odd = TENSOR[section * 8u + 4u + part];
    let top = TENSOR_high[section * 4u + part];
    let mask = vec2(0x0f0f0f0fu);
    let upper = vec2(0x30303030u);
    let first = (even & mask) | ((top << vec2(4u)) & upper);
    let second = (odd & mask) | ((top << vec2(2u)) & upper);
    let third = ((even >> vec2(4u)) & mask) | (top & upper);
    let fourth = ((odd >> vec2(4u)) & mask) | ((top >> vec2(2u)) & upper);
    let zero = vec4(32.0);
    let levels = TENSOR_Values(
        TENSOR_bytes(first.x) - zero, TENSOR_bytes(first.y) - zero,
        TENSOR_bytes(second.x) - zero, TENSOR_bytes(second.y) - zero,
        TENSOR_bytes(third.x) - zero, TENSOR_bytes(third.y) - zero,
        TENSOR_bytes(fourth.x) - zero, TENSOR_bytes(fourth.y) - zero,
    );
    let words = bitcast<vec2<i32>>(TENSOR_scales[section] >> vec2(8u * (part >> 1u)));
    let scales = vec4(
        extractBits(words.x, 0u, 8u), extractBits(words.x, 16u, 8u),
        extractBits(words.y, 0u, 8u), extractBits(words.y, 16u, 8u),
    );
    let d = TENSOR_half(TENSOR_d[block / 2u], block);
    return TENSOR_Unit(levels, d * vec4<f32>(scales), vec4(0.0));
}
#endif

fn TENSOR_values(row: u32, unit: u32) -> TENSOR_Values {
    let w = TENSOR_unit(row, unit);
    return TENSOR_Values(
        w.scales.x * w.levels[0] - w.offsets.x, w.scales.x * w.levels[1] - w.offsets.x,
        w.scales.y * w.levels[2] - w.offsets.y, w.scales.y * w.levels[3] - w.offsets.y,
        w.scales.z * w.levels[4] - w.offsets.z, w.scales.z * w.levels[5] - w.offsets.z,
        w.scales.w * w.levels[6] - w.offsets.w, w.scales.w * w.levels[7] - w.offsets.w,
    );
}

fn TENSOR_dot_unit(row: u32, unit: u32, x: TENSOR_Values) -> f32 {
    let w = TENSOR_unit(row, unit);
    let sums = vec4(
        dot(w.levels[0], x[0]) + dot(w.levels[1], x[1]),
        dot(w.levels[2], x[2]) + dot(w.levels[3], x[3]),
        dot(w.levels[4], x[4]) + dot(w.levels[5], x[5]),
        dot(w.levels[6], x[6]) + dot(w.levels[7], x[7]),
    );
#if TENSOR_K_BLOCKS
    let ones = vec4(1.0);
    let totals = vec4(
        dot(ones, x[0] + x[1]), dot(ones, x[2] + x[3]),
        dot(ones, x[4] + x[5]), dot(ones, x[6] + x[7]),
    );
    return dot(w.scales, sums) - dot(w.offsets, totals);
#else
    return dot(w.scales, sums);
#endif
}
#endif

fn TENSOR_quad(unit: u32, i: u32) -> u32 {
#if TENSOR_Q4_0
    return (unit / 2u) * 8u + (i / 2u) * 4u + (unit & 1u) * 2u + (i & 1u);
#endif
#if TENSOR_K_BLOCKS
    return (unit / 2u) * 16u + (i / 4u) * 8u + (unit & 1u) * 4u + (i & 3u);
#endif
#if TENSOR_Q6_K
    return (unit / 4u) * 32u + (i / 2u) * 8u + (unit & 3u) * 2u + (i & 1u);
#endif
#if TENSOR_IN_ORDER
    return unit * TENSOR_QUADS + i;
#endif
}

fn TENSOR_activations(t: u32, unit: u32) -> TENSOR_Values {
    return TENSOR_Values(
#repeat i TENSOR_QUADS
        LOAD(t, TENSOR_quad(unit, i)),
#end
    );
}
