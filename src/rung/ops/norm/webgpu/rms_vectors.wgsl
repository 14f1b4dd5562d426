// y = x / sqrt(mean_D(x²) + eps) · w: one workgroup a token, four values at a time.
// T tokens, D width

var<storage, read> x_TD: array<vec4<f32>>;
var<storage, read> w_D: array<vec4<f32>>;
var<storage, read_write> y_TD: array<vec4<f32>>;

#include "reduce.wgsl"

const QUADS = D / 4u;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = group.x + group.y * groups.x;
    let start = t * QUADS;
    // What a workgroup that is too many reads is not used.
    var squares = 0.0;
    for (var quad = lane; quad < QUADS; quad += THREADS) {
        let x = x_TD[start + quad];
        squares += dot(x, x);
    }
    let scale = inverseSqrt(sum_of_workgroup(squares, lane) / f32(D) + eps);
    if (t >= tokens()) {
        return;
    }
    for (var quad = lane; quad < QUADS; quad += THREADS) {
        y_TD[start + quad] = x_TD[start + quad] * scale * w_D[quad];
    }
}
