// s = [mean, 1 / sqrt(variance + eps)] of a row: one workgroup a token.
// T tokens, D width, S statistics of a row

var<storage, read> x_TD: array<f32>;
var<storage, read_write> s_TS: array<vec2<f32>>;

#include "reduce.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = group.x + group.y * groups.x;
    let start = t * D;
    var mean = 0.0;
#if centred
    for (var d = lane; d < D; d += THREADS) {
        mean += x_TD[start + d];
    }
    mean = sum_of_workgroup(mean, lane) / f32(D);
#endif
    var squares = 0.0;
    for (var d = lane; d < D; d += THREADS) {
        let x = x_TD[start + d] - mean;
        squares += x * x;
    }
    let scale = inverseSqrt(sum_of_workgroup(squares, lane) / f32(D) + eps);
    if (lane == 0u && t < tokens()) {
        s_TS[t] = vec2(mean, scale);
    }
}
