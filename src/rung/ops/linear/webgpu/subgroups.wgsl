// y = x · wᵀ + b + r for one token: a subgroup has ROWS_EACH rows, its lanes a unit of each in turn.
// T tokens, K input width, N rows of this part of the weights, ROWS of all parts

var<storage, read> x_TK: array<vec4<f32>>;

fn x_quad(t: u32, quad: u32) -> vec4<f32> {
    return x_TK[t * (K / 4u) + quad];
}
#include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=x_quad
#include "store.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) lanes: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let first = ((group.x + group.y * groups.x) * subgroups + subgroup) * ROWS_EACH;
#repeat r ROWS_EACH
    let row_r = min(first + r, N - 1u);
    var sum_r = 0.0;
#end
    for (var unit = lane; unit < w_NK_UNITS; unit += lanes) {
        let x = w_NK_activations(0u, unit);
#repeat r ROWS_EACH
        sum_r += w_NK_dot_unit(row_r, unit, x);
#end
    }
#repeat r ROWS_EACH
    sum_r = subgroupAdd(sum_r);
    if (lane == r % lanes && first + r < N) {
        store(0u, first + r, sum_r);
    }
#end
}
