// Rows of TENSOR times activations, a unit at a time: 16 bytes of weights, where the type allows it.
//
//     #include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=x_quad
//
// WIDTH: values of a row, in whole units (types.in_units). LOAD: a function of the shader itself,
// (t: u32, quad: u32) -> vec4<f32>: activations 4·quad … 4·quad + 3 of token t, from wherever they
// are. The type comes with the constants of types.unit_constants("w_NK", type). Include it once for
// each tensor: every name begins with TENSOR.
//
//     const TENSOR_UNIT: u32                                  values of a unit
//     const TENSOR_UNITS: u32                                 units of a row
//     alias TENSOR_Values = array<vec4<f32>, TENSOR_UNIT / 4>
//     fn TENSOR_quad(unit, i) -> u32                          which four of a row vec4 i of a unit is
//     fn TENSOR_activations(t, unit) -> TENSOR_Values         the activations that a unit meets
//     fn TENSOR_values(row, unit) -> TENSOR_Values            the weights of a unit
//     fn TENSOR_dot_unit(row, unit, x: TENSOR_Values) -> f32  the sum of their products
//     fn TENSOR_finished(row, sum) -> f32                     what the sum over a row's units stands for
//
// `values` and `dot_unit` leave out what is the same for a whole row, which is i8's scale alone:
// `finished` multiplies by it, and changes nothing for other types.

const TENSOR_UNITS = WIDTH / TENSOR_UNIT;
alias TENSOR_Values = array<vec4<f32>, TENSOR_UNIT / 4u>;

// Whole numbers become floats where they lie: bits in the lower half of a word, or of one that is
// shifted by 16, are the last bits of a float of 2^23, from which 2^23 is taken. That is exact, takes
// two instructions, and leaves every other value 256 times as large: `down` belongs with it, and
// costs least on the activations, which several rows share. Converting takes a slower unit on many
// GPUs.
const TENSOR_FLOAT = 0x4b000000u;
const TENSOR_DOWN = vec4(1.0, 0.00390625, 1.0, 0.00390625);

// The bytes of a word, less `zero`, not yet times TENSOR_DOWN.
fn TENSOR_bytes(word: u32, zero: f32) -> vec4<f32> {
    let high = word >> 16u;
    let bits = vec4(word, word, high, high) & vec4(0xffu, 0xff00u, 0xffu, 0xff00u);
    let less = vec4(8388608.0) + zero * vec4(1.0, 256.0, 1.0, 256.0);
    return bitcast<vec4<f32>>(bits | vec4(TENSOR_FLOAT)) - less;
}

// The lower halves of the bytes of a word, likewise.
fn TENSOR_low(word: u32, zero: f32) -> vec4<f32> {
    return TENSOR_bytes(word & 0x0f0f0f0fu, zero);
}

// The upper halves, 16 times as large beside.
fn TENSOR_upper(word: u32, zero: f32) -> vec4<f32> {
    return TENSOR_bytes(word & 0xf0f0f0f0u, 16.0 * zero);
}

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

#if TENSOR_BYTES
var<storage, read> TENSOR: array<vec4<u32>>;
const TENSOR_UNIT = 16u;

#if TENSOR_I8
fn TENSOR_scale(row: u32, unit: u32) -> f32 {
    return 1.0;
}
#endif
#if TENSOR_I8_G
var<storage, read> TENSOR_scales: array<f32>;

fn TENSOR_scale(row: u32, unit: u32) -> f32 {
    return TENSOR_scales[row * (WIDTH / TENSOR_GROUP) + unit / (TENSOR_GROUP / 16u)];
}
#endif
#if TENSOR_Q8_0
var<storage, read> TENSOR_scales: array<u32>;

fn TENSOR_scale(row: u32, unit: u32) -> f32 {
    let block = row * (WIDTH / 32u) + unit / 2u;
    return TENSOR_half(TENSOR_scales[block / 2u], block);
}
#endif

fn TENSOR_signed(word: u32) -> vec4<f32> {
    return TENSOR_bytes(word ^ 0x80808080u, 128.0);
}

fn TENSOR_values(row: u32, unit: u32) -> TENSOR_Values {
    let w = TENSOR[row * TENSOR_UNITS + unit];
    let scale = TENSOR_scale(row, unit) * TENSOR_DOWN;
    return TENSOR_Values(
        scale * TENSOR_signed(w.x),
        scale * TENSOR_signed(w.y),
        scale * TENSOR_signed(w.z),
        scale * TENSOR_signed(w.w),
    );
}

fn TENSOR_dot_unit(row: u32, unit: u32, x: TENSOR_Values) -> f32 {
    let w = TENSOR[row * TENSOR_UNITS + unit];
    var sums = TENSOR_signed(w.x) * (TENSOR_DOWN * x[0]);
    sums = fma(TENSOR_signed(w.y), TENSOR_DOWN * x[1], sums);
    sums = fma(TENSOR_signed(w.z), TENSOR_DOWN * x[2], sums);
    sums = fma(TENSOR_signed(w.w), TENSOR_DOWN * x[3], sums);
    return TENSOR_scale(row, unit) * ((sums.x + sums.y) + (sums.z + sums.w));
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

// Types of 4 to 6 bits: a unit is 32 values, each a level times a scale less an offset; scales and
// offsets are those of vec4s 0 and 1, 2 and 3, 4 and 5, 6 and 7 of the unit. Levels are not yet times
// TENSOR_DOWN, or TENSOR_DOWN_UPPER from vec4 4 on.
#if TENSOR_LEVELS
const TENSOR_UNIT = 32u;

struct TENSOR_Unit {
    levels: TENSOR_Values,
    scales: vec4<f32>,
    offsets: vec4<f32>,
}

#if TENSOR_WHOLE
const TENSOR_DOWN_UPPER = TENSOR_DOWN;
#else
const TENSOR_DOWN_UPPER = TENSOR_DOWN * 0.0625;
#endif

// Scale and minimum of a sub-block, each of 6 bits, from the 12 bytes of a K type.
fn TENSOR_six_bits(words: vec3<u32>, sub: u32) -> vec2<f32> {
    let shift = 8u * (sub & 3u);
    let bytes = (words >> vec3(shift)) & vec3(0xffu);
    let high = vec2(bytes.z & 15u, bytes.z >> 4u) | ((bytes.xy >> vec2(6u)) << vec2(4u));
    return vec2<f32>(select(high, bytes.xy & vec2(63u), sub < 4u));
}

#if TENSOR_Q4_0
var<storage, read> TENSOR: array<vec4<u32>>;
var<storage, read> TENSOR_scales: array<u32>;

// Byte j holds value j in its low and value j + 16 in its high half.
fn TENSOR_unit(row: u32, unit: u32) -> TENSOR_Unit {
    let block = row * TENSOR_UNITS + unit;
    let w = TENSOR[block];
    let levels = TENSOR_Values(
        TENSOR_low(w.x, 8.0), TENSOR_low(w.y, 8.0),
        TENSOR_low(w.z, 8.0), TENSOR_low(w.w, 8.0),
        TENSOR_upper(w.x, 8.0), TENSOR_upper(w.y, 8.0),
        TENSOR_upper(w.z, 8.0), TENSOR_upper(w.w, 8.0),
    );
    let scale = TENSOR_half(TENSOR_scales[block / 2u], block);
    return TENSOR_Unit(levels, vec4(scale), vec4(0.0));
}
#endif

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
#if TENSOR_Q4_K
    let levels = TENSOR_Values(
        TENSOR_low(w.x, 0.0), TENSOR_low(w.y, 0.0),
        TENSOR_low(w.z, 0.0), TENSOR_low(w.w, 0.0),
        TENSOR_upper(w.x, 0.0), TENSOR_upper(w.y, 0.0),
        TENSOR_upper(w.z, 0.0), TENSOR_upper(w.w, 0.0),
    );
#else
    let fifth = TENSOR[block + 1u + (unit & 1u)] >> vec4(sub);
    let low = (w & vec4(0x0f0f0f0fu)) | ((fifth << vec4(4u)) & vec4(0x10101010u));
    let high = ((w >> vec4(4u)) & vec4(0x0f0f0f0fu)) | ((fifth << vec4(3u)) & vec4(0x10101010u));
    let levels = TENSOR_Values(
        TENSOR_bytes(low.x, 0.0), TENSOR_bytes(low.y, 0.0),
        TENSOR_bytes(low.z, 0.0), TENSOR_bytes(low.w, 0.0),
        TENSOR_bytes(high.x, 0.0), TENSOR_bytes(high.y, 0.0),
        TENSOR_bytes(high.z, 0.0), TENSOR_bytes(high.w, 0.0),
    );
#endif
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
    let levels = TENSOR_Values(
        TENSOR_bytes(first.x, 32.0), TENSOR_bytes(first.y, 32.0),
        TENSOR_bytes(second.x, 32.0), TENSOR_bytes(second.y, 32.0),
        TENSOR_bytes(third.x, 32.0), TENSOR_bytes(third.y, 32.0),
        TENSOR_bytes(fourth.x, 32.0), TENSOR_bytes(fourth.y, 32.0),
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
        w.levels[0] * (w.scales.x * TENSOR_DOWN) - w.offsets.x,
        w.levels[1] * (w.scales.x * TENSOR_DOWN) - w.offsets.x,
        w.levels[2] * (w.scales.y * TENSOR_DOWN) - w.offsets.y,
        w.levels[3] * (w.scales.y * TENSOR_DOWN) - w.offsets.y,
        w.levels[4] * (w.scales.z * TENSOR_DOWN_UPPER) - w.offsets.z,
        w.levels[5] * (w.scales.z * TENSOR_DOWN_UPPER) - w.offsets.z,
        w.levels[6] * (w.scales.w * TENSOR_DOWN_UPPER) - w.offsets.w,
        w.levels[7] * (w.scales.w * TENSOR_DOWN_UPPER) - w.offsets.w,
    );
}

fn TENSOR_dot_unit(row: u32, unit: u32, x: TENSOR_Values) -> f32 {
    let w = TENSOR_unit(row, unit);
    let sums = vec4(
        dot(w.levels[0], TENSOR_DOWN * x[0]) + dot(w.levels[1], TENSOR_DOWN * x[1]),
        dot(w.levels[2], TENSOR_DOWN * x[2]) + dot(w.levels[3], TENSOR_DOWN * x[3]),
        dot(w.levels[4], TENSOR_DOWN_UPPER * x[4]) + dot(w.levels[5], TENSOR_DOWN_UPPER * x[5]),
        dot(w.levels[6], TENSOR_DOWN_UPPER * x[6]) + dot(w.levels[7], TENSOR_DOWN_UPPER * x[7]),
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

#if TENSOR_Q6_K
fn TENSOR_quad(unit: u32, i: u32) -> u32 {
    return (unit / 4u) * 32u + (i / 2u) * 8u + (unit & 3u) * 2u + (i & 1u);
}
#else
#if TENSOR_K_BLOCKS
fn TENSOR_quad(unit: u32, i: u32) -> u32 {
    return (unit / 2u) * 16u + (i / 4u) * 8u + (unit & 1u) * 4u + (i & 3u);
}
#else
fn TENSOR_quad(unit: u32, i: u32) -> u32 {
    return unit * (TENSOR_UNIT / 4u) + i;
}
#endif
#endif

fn TENSOR_activations(t: u32, unit: u32) -> TENSOR_Values {
    return TENSOR_Values(
        LOAD(t, TENSOR_quad(unit, 0u)),
#if !TENSOR_F32
        LOAD(t, TENSOR_quad(unit, 1u)),
#if !TENSOR_HALVES
        LOAD(t, TENSOR_quad(unit, 2u)),
        LOAD(t, TENSOR_quad(unit, 3u)),
#if TENSOR_LEVELS
        LOAD(t, TENSOR_quad(unit, 4u)),
        LOAD(t, TENSOR_quad(unit, 5u)),
        LOAD(t, TENSOR_quad(unit, 6u)),
        LOAD(t, TENSOR_quad(unit, 7u)),
#endif
#endif
#endif
    );
}
