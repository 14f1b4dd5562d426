// Activations in digits, so that they meet weights in dot products of bytes, four at once.
//
// What a thread has of them becomes whole numbers of steps, a step being 2^-22 of its largest: what
// is rounded off is what sums of that size lose in float32. Three digits of base 256, from -128 to
// 127, make up a number; weights of few bits are bytes as they are.
//
//     const MOST_STEPS: f32                      of the largest activation
//     fn digits_of(x, per_step) -> vec4<u32>     a quad: high, middle, low digits of its numbers, its sum
//     fn digit_sums(word, digits) -> vec3<i32>   four weights' products with the digits of a quad
//     fn steps_of(sums) -> f32                   what the sums of up to 256 weights make
//     fn sum_of_two(a, b), sum_of(a, b, c, d)    sums of quads, for types with an offset

const MOST_STEPS = 4128768.0; // 63 · 2^16

// To convert takes a slow unit of the processor. In floats from 2^23 to 2^24 the last bits are whole
// numbers: 1.5 · 2^23 is added, whose own bits the high digit loses again; and 0x8080, which is what
// the lower digits' signs owe the next one.
fn digits_of(x: vec4<f32>, per_step: f32) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(x * per_step + vec4(12615808.0));
    let outer = vec2(0x00ff00ffu);
    let ends = (bits.xz & outer) | ((bits.yw << vec2(8u)) & ~outer);
    let inner = vec2(0x000000ffu);
    let middles = ((bits.xz >> vec2(8u)) & inner) | (bits.yw & (inner << vec2(8u)));
    let high = (ends.x >> 16u) | (ends.y & 0xffff0000u);
    let middle = middles.x | (middles.y << 16u);
    let low = (ends.x & 0xffffu) | (ends.y << 16u);
    return vec4(
        ((high | 0x80808080u) - 0x40404040u) ^ 0x80808080u,
        middle ^ 0x80808080u,
        low ^ 0x80808080u,
        bitcast<u32>(per_step * dot(x, vec4(1.0))),
    );
}

fn digit_sums(word: u32, digits: vec4<u32>) -> vec3<i32> {
    return vec3(
        dot4I8Packed(word, digits.x), dot4I8Packed(word, digits.y), dot4I8Packed(word, digits.z)
    );
}

// Sums are below 2^22.
fn steps_of(sums: vec3<i32>) -> f32 {
    let high = bitcast<f32>(sums.x + 0x4b400000) - 12582912.0;
    let middle = bitcast<f32>(sums.y + 0x4b400000) - 12582912.0;
    let low = bitcast<f32>(sums.z + 0x4b400000) - 12582912.0;
    return 65536.0 * high + (256.0 * middle + low);
}

fn sum_of_two(a: vec4<u32>, b: vec4<u32>) -> f32 {
    return bitcast<f32>(a.w) + bitcast<f32>(b.w);
}

fn sum_of(a: vec4<u32>, b: vec4<u32>, c: vec4<u32>, d: vec4<u32>) -> f32 {
    return sum_of_two(a, b) + sum_of_two(c, d);
}
