// sums[slot, c] = Σ g² over the c-th of C runs of whole lines of 16 values: one workgroup a run.
// S tensors, C runs, N values

var<storage, read_write> sums_SC: array<f32>;
var<storage, read> g_N: array<f32>;

#include "reduce.wgsl"

const LINES = (N + 15u) / 16u;

// The first line of a run: LINES · c / C, without a product beyond 32 bits.
fn cut(c: u32) -> u32 {
    return LINES / C * c + LINES % C * c / C;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let end = min(cut(group.x + 1u) * 16u, N);
    var sum = 0.0;
    for (var i = cut(group.x) * 16u + lane; i < end; i += THREADS) {
        sum += g_N[i] * g_N[i];
    }
    sum = sum_of_workgroup(sum, lane);
    if (lane == 0u) {
        sums_SC[slot * C + group.x] = sum;
    }
}
