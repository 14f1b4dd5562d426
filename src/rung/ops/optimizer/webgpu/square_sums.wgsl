// sums[slot, c] = Σ g² over the c-th of C runs of whole lines of 16 values: one workgroup a run.
// S tensors, C runs, N values

var<storage, read_write> sums_SC: array<f32>;
#if VECTORS
var<storage, read> g_N: array<vec4<f32>>;
#else
var<storage, read> g_N: array<f32>;
#endif

#include "reduce.wgsl"

const LINES = (N + 15u) / 16u;
const VALUES = select(1u, 4u, VECTORS);

// The first line of a run: LINES · c / C, without a product beyond 32 bits.
fn cut(c: u32) -> u32 {
    return LINES / C * c + LINES % C * c / C;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let start = cut(group.x) * 16u / VALUES;
    let end = min(cut(group.x + 1u) * 16u, N) / VALUES;
    var sum = 0.0;
    for (var i = start + lane; i < end; i += THREADS) {
        let g = g_N[i];
#if VECTORS
        sum += dot(g, g);
#else
        sum += g * g;
#endif
    }
    sum = sum_of_workgroup(sum, lane);
    if (lane == 0u) {
        sums_SC[given.slot * C + group.x] = sum;
    }
}
