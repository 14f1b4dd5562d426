// y = rms_norm(x) · w + r: one workgroup a token.
// T tokens, D width

var<storage, read> x_TD: array<f32>;
var<storage, read> w_D: array<f32>;
var<storage, read> r_TD: array<f32>;
var<storage, read_write> y_TD: array<f32>;

#include "reduce.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = group.x + group.y * groups.x;
    let start = t * D;
    var squares = 0.0;
    for (var d = lane; d < D; d += THREADS) {
        squares += x_TD[start + d] * x_TD[start + d];
    }
    let scale = inverseSqrt(sum_of_workgroup(squares, lane) / f32(D) + eps);
    if (t >= tokens()) {
        return;
    }
    for (var d = lane; d < D; d += THREADS) {
        y_TD[start + d] = x_TD[start + d] * scale * w_D[d] + r_TD[start + d];
    }
}
