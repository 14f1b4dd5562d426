// y = (x − mean_D(x)) / sqrt(var_D(x) + eps) · w + b: one workgroup a token.
// T tokens, D width

var<storage, read> x_TD: array<f32>;
var<storage, read> w_D: array<f32>;
var<storage, read> b_D: array<f32>;
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
    var sum = 0.0;
    for (var d = lane; d < D; d += THREADS) {
        sum += x_TD[start + d];
    }
    let mean = sum_of_workgroup(sum, lane) / f32(D);
    var squares = 0.0;
    for (var d = lane; d < D; d += THREADS) {
        let x = x_TD[start + d] - mean;
        squares += x * x;
    }
    let scale = inverseSqrt(sum_of_workgroup(squares, lane) / f32(D) + eps);
    if (t >= tokens()) {
        return;
    }
    for (var d = lane; d < D; d += THREADS) {
        y_TD[start + d] = (x_TD[start + d] - mean) * scale * w_D[d] + b_D[d];
    }
}
