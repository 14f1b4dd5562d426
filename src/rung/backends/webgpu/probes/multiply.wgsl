// Multiply-adds alone: each thread has eight chains that do not wait for each other, STEPS long.
// Values come from memory, so that nothing is known before the run.

var<storage, read> x: array<vec4<f32>>;
var<storage, read_write> y: array<f32>;

#if DOTS
alias Value = i32;

fn step(value: Value, a: vec2<u32>) -> Value {
    return value + dot4I8Packed(bitcast<u32>(value), a.x);
}
#else
alias Value = vec4<Element>;

fn step(value: Value, a: Value) -> Value {
    return fma(value, a, a);
}
#endif

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let seed = x[lane & 3u];
#if DOTS
    let a = bitcast<vec2<u32>>(seed.xy);
    var values: array<Value, 8>;
    for (var i = 0u; i < 8u; i++) {
        values[i] = bitcast<i32>(seed.x) + i32(i + lane);
    }
#else
    let a = Value(seed);
    var values: array<Value, 8>;
    for (var i = 0u; i < 8u; i++) {
        values[i] = a * Element(i);
    }
#endif
    for (var n = 0u; n < STEPS; n++) {
        values[0] = step(values[0], a);
        values[1] = step(values[1], a);
        values[2] = step(values[2], a);
        values[3] = step(values[3], a);
        values[4] = step(values[4], a);
        values[5] = step(values[5], a);
        values[6] = step(values[6], a);
        values[7] = step(values[7], a);
    }
    let sum = values[0] + values[1] + values[2] + values[3]
        + values[4] + values[5] + values[6] + values[7];
    // Never so, but the compiler cannot know.
#if DOTS
    if (sum == 123456789) {
        y[group.x] = f32(sum);
    }
#else
    if (f32(sum.x + sum.y + sum.z + sum.w) == 12345.678) {
        y[group.x] = f32(sum.x);
    }
#endif
}
