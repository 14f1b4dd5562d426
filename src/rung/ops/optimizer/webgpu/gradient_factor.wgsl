// f = [norm, scale · min(1, clip / norm)], norm = scale · √(Σ sums): one workgroup.
// S tensors with C partial sums each

var<storage, read> sums_SC: array<f32>;
var<storage, read> numbers_P: array<f32>;
var<storage, read_write> f_F: array<f32>;

#include "reduce.wgsl"

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var i = lane; i < S * C; i += THREADS) {
        sum += sums_SC[i];
    }
    let scale = numbers_P[GRADIENT_SCALE];
    let clip = numbers_P[CLIP];
    let norm = scale * sqrt(sum_of_workgroup(sum, lane));
    if (lane == 0u) {
        f_F[0] = norm;
        f_F[1] = scale * select(1.0, clip / norm, clip > 0.0 && clip < norm);
    }
}
