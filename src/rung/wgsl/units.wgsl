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
// Where DIGITS is true, of types of 8 bits and fewer, with digits.wgsl before it:
//
//     alias TENSOR_Digits = array<vec4<u32>, TENSOR_QUADS>    activations in digits
//     fn TENSOR_digits(x: TENSOR_Values, per_step) -> TENSOR_Digits
//     fn TENSOR_raw(row, unit) -> TENSOR_Raw                  what is stored of a unit, or most of it
//     fn TENSOR_dot_digits(row, unit, w: TENSOR_Raw, x: TENSOR_Digits) -> f32    as dot_unit, in steps
//
// `values` and `dot_unit` leave out what is the same for a whole row, which is i8's scale alone:
// `finished` multiplies by it, and changes nothing for other types.

const TENSOR_UNITS = WIDTH / TENSOR_UNIT;
alias TENSOR_Values = array<vec4<f32>, TENSOR_QUADS>;

fn TENSOR_half(word: u32, index: u32) -> f32 {
    let both = unpack2x16float(word);
    return select(both.x, both.y, (index & 1u) == 1u);
}

#if DIGITS
alias TENSOR_Digits = array<vec4<u32>, TENSOR_QUADS>;

fn TENSOR_digits(x: TENSOR_Values, per_step: f32) -> TENSOR_Digits {
    return TENSOR_Digits(
#repeat i TENSOR_QUADS
        digits_of(per_step * x[i]),
#end
    );
}
#endif

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

#if DIGITS
alias TENSOR_Raw = vec2<u32>;

fn TENSOR_raw(row: u32, unit: u32) -> TENSOR_Raw {
    return TENSOR[row * TENSOR_UNITS + unit];
}

fn TENSOR_dot_digits(row: u32, unit: u32, w: TENSOR_Raw, x: TENSOR_Digits) -> f32 {
    let sums = digit_sums(w.x, x[0]) + digit_sums(w.y, x[1]);
    return TENSOR_scale(row, unit) * steps_of(sums);
}
#endif
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
fn TENSOR_words(w: vec2<u32>) -> vec4<u32> {
    return vec4(w, w >> vec2(4u)) & vec4(0x0f0f0f0fu);
}

fn TENSOR_levels(row: u32, unit: u32) -> TENSOR_Values {
    let words = TENSOR_words(TENSOR[row * TENSOR_UNITS + unit]);
    return TENSOR_Values(
        TENSOR_bytes(words.x) - vec4(8.0),
        TENSOR_bytes(words.y) - vec4(8.0),
        TENSOR_bytes(words.z) - vec4(8.0),
        TENSOR_bytes(words.w) - vec4(8.0),
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

#if DIGITS
alias TENSOR_Raw = vec2<u32>;

fn TENSOR_raw(row: u32, unit: u32) -> TENSOR_Raw {
    return TENSOR[row * TENSOR_UNITS + unit];
}

fn TENSOR_dot_digits(row: u32, unit: u32, raw: TENSOR_Raw, x: TENSOR_Digits) -> f32 {
    let w = TENSOR_words(raw);
    let sums = digit_sums(w.x, x[0]) + digit_sums(w.y, x[1])
        + digit_sums(w.z, x[2]) + digit_sums(w.w, x[3]);
    return TENSOR_scale(row, unit) * (steps_of(sums) - 8.0 * sum_of(x[0], x[1], x[2], x[3]));
}
#endif
#endif

// K types: a unit is 32 values, each a level times a scale less an offset; scales and offsets are
// those of vec4s 0 and 1, 2 and 3, 4 and 5, 6 and 7 of the unit.
#if TENSOR_K_TYPE
const TENSOR_UNIT = 32u;

struct TENSOR_Unit {
    words: array<u32, 8>, // levels, four a word
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
alias TENSOR_Raw = vec4<u32>;

fn TENSOR_block(row: u32, unit: u32) -> u32 {
    return (row * (WIDTH / 256u) + unit / 8u) * TENSOR_BLOCK;
}

fn TENSOR_raw(row: u32, unit: u32) -> TENSOR_Raw {
    return TENSOR[TENSOR_block(row, unit) + TENSOR_BLOCK - 8u + (unit & 7u)];
}

fn TENSOR_unit(row: u32, unit: u32, w: TENSOR_Raw) -> TENSOR_Unit {
    let block = TENSOR_block(row, unit);
    let sub = unit & 6u;
    let head = TENSOR[block];
    var low = w & vec4(0x0f0f0f0fu);
    var high = (w >> vec4(4u)) & vec4(0x0f0f0f0fu);
#if TENSOR_Q5_K
    let fifth = TENSOR[block + 1u + (unit & 1u)] >> vec4(sub);
    low |= (fifth << vec4(4u)) & vec4(0x10101010u);
    high |= (fifth << vec4(3u)) & vec4(0x10101010u);
#endif
    let words = array<u32, 8>(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
    let d = unpack2x16float(head.x);
    let first = d * TENSOR_six_bits(head.yzw, sub);
    let second = d * TENSOR_six_bits(head.yzw, sub + 1u);
    return TENSOR_Unit(words, vec4(first.xx, second.xx), vec4(first.yy, second.yy));
}
#endif

#if TENSOR_Q6_K
var<storage, read> TENSOR: array<vec2<u32>>;
var<storage, read> TENSOR_high: array<vec2<u32>>;
var<storage, read> TENSOR_scales: array<vec2<u32>>;
var<storage, read> TENSOR_d: array<u32>;

// Of 128 values in four runs of 32, a unit is 8 of each run: runs 0 and 2 share bytes of nibbles,
// so do 1 and 3; two high bits of all four share a byte.
alias TENSOR_Raw = vec4<u32>;

fn TENSOR_raw(row: u32, unit: u32) -> TENSOR_Raw {
    let at = (row * (WIDTH / 256u) + unit / 8u) * 16u + (unit & 4u) * 2u + (unit & 3u);
    return vec4(TENSOR[at], TENSOR[at + 4u]);
}

fn TENSOR_unit(row: u32, unit: u32, w: TENSOR_Raw) -> TENSOR_Unit {
    let block = row * (WIDTH / 256u) + unit / 8u;
    let section = 2u * block + ((unit >> 2u) & 1u);
    let part = unit & 3u;
    let even = w.xy;
    let odd = w.zw;
    let top = TENSOR_high[section * 4u + part];
    let mask = vec2(0x0f0f0f0fu);
    let upper = vec2(0x30303030u);
    let first = (even & mask) | ((top << vec2(4u)) & upper);
    let second = (odd & mask) | ((top << vec2(2u)) & upper);
    let third = ((even >> vec2(4u)) & mask) | (top & upper);
    let fourth = ((odd >> vec2(4u)) & mask) | ((top >> vec2(2u)) & upper);
    let levels = array<u32, 8>(
        first.x, first.y, second.x, second.y, third.x, third.y, fourth.x, fourth.y,
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

fn TENSOR_levels(w: TENSOR_Unit) -> TENSOR_Values {
#if TENSOR_Q6_K
    let zero = vec4(32.0);
#else
    let zero = vec4(0.0);
#endif
    return TENSOR_Values(
#repeat i 8
        TENSOR_bytes(w.words[i]) - zero,
#end
    );
}

fn TENSOR_values(row: u32, unit: u32) -> TENSOR_Values {
    let w = TENSOR_unit(row, unit, TENSOR_raw(row, unit));
    let levels = TENSOR_levels(w);
    return TENSOR_Values(
        w.scales.x * levels[0] - w.offsets.x, w.scales.x * levels[1] - w.offsets.x,
        w.scales.y * levels[2] - w.offsets.y, w.scales.y * levels[3] - w.offsets.y,
        w.scales.z * levels[4] - w.offsets.z, w.scales.z * levels[5] - w.offsets.z,
        w.scales.w * levels[6] - w.offsets.w, w.scales.w * levels[7] - w.offsets.w,
    );
}

fn TENSOR_dot_unit(row: u32, unit: u32, x: TENSOR_Values) -> f32 {
    let w = TENSOR_unit(row, unit, TENSOR_raw(row, unit));
    let levels = TENSOR_levels(w);
    let sums = vec4(
        dot(levels[0], x[0]) + dot(levels[1], x[1]),
        dot(levels[2], x[2]) + dot(levels[3], x[3]),
        dot(levels[4], x[4]) + dot(levels[5], x[5]),
        dot(levels[6], x[6]) + dot(levels[7], x[7]),
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

#if DIGITS
fn TENSOR_dot_digits(row: u32, unit: u32, raw: TENSOR_Raw, x: TENSOR_Digits) -> f32 {
    let w = TENSOR_unit(row, unit, raw);
#repeat i 8
    let sums_i = digit_sums(w.words[i], x[i]);
#end
#if TENSOR_Q6_K
    let sums = vec4(
        steps_of(sums_0 + sums_1), steps_of(sums_2 + sums_3),
        steps_of(sums_4 + sums_5), steps_of(sums_6 + sums_7),
    );
    let totals = vec4(
        sum_of_two(x[0], x[1]), sum_of_two(x[2], x[3]), sum_of_two(x[4], x[5]), sum_of_two(x[6], x[7])
    );
    return dot(w.scales, sums - 32.0 * totals);
#else
    // Two quads share scales with the next two.
    let sums = vec2(
        steps_of(sums_0 + sums_1 + sums_2 + sums_3), steps_of(sums_4 + sums_5 + sums_6 + sums_7)
    );
    let totals = vec2(sum_of(x[0], x[1], x[2], x[3]), sum_of(x[4], x[5], x[6], x[7]));
    return dot(w.scales.xz, sums) - dot(w.offsets.xz, totals);
#endif
}
#endif
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
