// y = x · wᵀ + b + r: one workgroup a row of weights and a token, its threads a unit each in turn.
// T tokens, K input width, N rows of this part of the weights, ROWS of all parts

#include "quads.wgsl"
#include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=x_quad
#include "store.wgsl"
#include "reduce.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let n = group.x + group.y * groups.x;
    let row = min(n, N - 1u);
    var sum = 0.0;
    for (var unit = lane; unit < w_NK_UNITS; unit += THREADS) {
        sum += w_NK_dot_unit(row, unit, w_NK_activations(group.z, unit));
    }
    sum = sum_of_workgroup(sum, lane);
    if (lane == 0u && n < N) {
        store(group.z, n, sum);
    }
}
