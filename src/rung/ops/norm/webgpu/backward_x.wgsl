// dx = scale · (g − x̂ · mean_D(g · x̂) − mean_D(g)) + r, g = dy · w: one workgroup a token.
// T tokens, D width, S statistics of a row

var<storage, read> dy_TD: array<f32>;
var<storage, read> x_TD: array<f32>;
var<storage, read> w_D: array<f32>;
var<storage, read> s_TS: array<vec2<f32>>;
#if r_TD
var<storage, read> r_TD: array<f32>;
#endif
var<storage, read_write> dx_TD: array<f32>;

#include "reduce.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = group.x + group.y * groups.x;
    let start = t * D;
    let s = s_TS[min(t, tokens() - 1u)];
    var along = 0.0;
    var shift = 0.0;
    for (var d = lane; d < D; d += THREADS) {
        let g = dy_TD[start + d] * w_D[d];
        along += g * (x_TD[start + d] - s.x) * s.y;
        shift += g;
    }
    along = sum_of_workgroup(along, lane) / f32(D);
#if centred
    shift = sum_of_workgroup(shift, lane) / f32(D);
#else
    shift = 0.0;
#endif
    if (t >= tokens()) {
        return;
    }
    for (var d = lane; d < D; d += THREADS) {
        let g = dy_TD[start + d] * w_D[d];
        let hat = (x_TD[start + d] - s.x) * s.y;
        let dx = s.y * (g - hat * along - shift);
#if r_TD
        dx_TD[start + d] = dx + r_TD[start + d];
#else
        dx_TD[start + d] = dx;
#endif
    }
}
