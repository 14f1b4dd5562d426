// Activations in digits, so that they meet weights in dot products of bytes, four at once.
//
// What a thread has of them becomes whole numbers of steps, of 24 bits with the sign: a step is
// 2^-23 of its largest, so rounding is what float32 would do to sums of that size. Three digits of
// base 256, from -128 to 127, make up a number; weights of few bits are bytes as they are.
//
//     const MOST_STEPS: f32                      of the largest activation
//     fn digits_of(steps) -> vec4<u32>           a quad: high, middle, low digits of its numbers, its sum
//     fn digit_sums(word, digits) -> vec3<i32>   four weights' products with the digits of a quad
//     fn steps_of(sums) -> f32                   what the sums of up to 32 weights make
//     fn sum_of_two(a, b), sum_of(a, b, c, d)    sums of quads, for types with an offset

const MOST_STEPS = 8323072.0; // 127 · 2^16: the high digit fits, too

fn digits_of(steps: vec4<f32>) -> vec4<u32> {
    let n = vec4<i32>(round(steps));
    let carried = n + vec4(0x8080); // what the lower digits' signs owe the next one
    return vec4(
        pack4xI8(carried >> vec4(16u)),
        pack4xI8((carried >> vec4(8u)) ^ vec4(0x80)),
        pack4xI8(n),
        bitcast<u32>(dot(steps, vec4(1.0))),
    );
}

fn digit_sums(word: u32, digits: vec4<u32>) -> vec3<i32> {
    return vec3(
        dot4I8Packed(word, digits.x), dot4I8Packed(word, digits.y), dot4I8Packed(word, digits.z)
    );
}

// Below 2^22 a whole number is a float's last bits; converting takes a slow unit of the processor.
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
