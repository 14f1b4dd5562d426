// y = x / sqrt(mean_D(x²) + eps) · w: one workgroup a row.
// T tokens, HEADS rows of a token, D width

#if x_THD
var<storage, read> x_THD: array<f32>;
#else
var<storage, read> x_TD: array<f32>;
#endif
var<storage, read> w_D: array<f32>;
#if x_THD
var<storage, read_write> y_THD: array<f32>;
#else
var<storage, read_write> y_TD: array<f32>;
#endif

#include "reduce.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.x + group.y * groups.x;
    let start = row * D;
    // What a workgroup that is too many reads is not used.
    var squares = 0.0;
    for (var d = lane; d < D; d += THREADS) {
#if x_THD
        let x = x_THD[start + d];
#else
        let x = x_TD[start + d];
#endif
        squares += x * x;
    }
    let scale = inverseSqrt(sum_of_workgroup(squares, lane) / f32(D) + eps);
    if (row >= HEADS * tokens()) {
        return;
    }
    for (var d = lane; d < D; d += THREADS) {
#if x_THD
        y_THD[start + d] = x_THD[start + d] * scale * w_D[d];
#else
        y_TD[start + d] = x_TD[start + d] * scale * w_D[d];
#endif
    }
}
