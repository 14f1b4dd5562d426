// sums[slot, c] = Σ g² over the c-th of C runs of whole lines of 16 values: one workgroup a run.
// S tensors, C runs, N values of this part, which begins at FIRST_ROW, of ROWS in all

var<storage, read_write> sums_SC: array<f32>;
#if VECTORS
var<storage, read> g_N: array<vec4<f32>>;
#else
var<storage, read> g_N: array<f32>;
#endif

#include "reduce.wgsl"

const LINES = (ROWS + 15u) / 16u;
const VALUES = select(1u, 4u, VECTORS);

// Where a run begins in this part: line LINES · c / C, without a product beyond 32 bits.
fn cut(c: u32) -> u32 {
    let line = LINES / C * c + LINES % C * c / C;
    return clamp(line * 16u, FIRST_ROW, FIRST_ROW + N) - FIRST_ROW;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let start = cut(group.x) / VALUES;
    let end = cut(group.x + 1u) / VALUES;
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
#if LATER_PART
        sum += sums_SC[given.slot * C + group.x];
#endif
        sums_SC[given.slot * C + group.x] = sum;
    }
}
