// y = x · wᵀ + b + r: one thread an output, a unit of weights at a time.
// T tokens, K input width, N rows of this part of the weights, ROWS of all parts

#include "quads.wgsl"
#include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=x_quad
#include "store.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= N * tokens()) {
        return;
    }
    let t = i / N;
    let n = i % N;
    var sum = 0.0;
    for (var unit = 0u; unit < w_NK_UNITS; unit++) {
        sum += w_NK_dot_unit(n, unit, w_NK_activations(t, unit));
    }
    store(t, n, sum);
}
