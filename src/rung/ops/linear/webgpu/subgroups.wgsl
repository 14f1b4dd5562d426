// y = x · wᵀ + b + r for TOKENS tokens at a time: a workgroup has EACH rows of weights, its lanes a
// unit of each in turn; sums over lanes by subgroups, then over subgroups.
// T tokens, K input width, N rows of this part of the weights, ROWS of all parts

#include "quads.wgsl"
#include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=x_quad
#include "store.wgsl"

// Subgroups have 4 lanes at least.
var<workgroup> partial_sums: array<f32, THREADS / 4u * EACH * TOKENS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let first = (group.x + group.y * groups.x) * EACH;
    let first_token = group.z * TOKENS;
#repeat r EACH
    let row_r = min(first + r, N - 1u);
#repeat t TOKENS
    var sum_r_t = 0.0;
#end
#end
    for (var unit = thread; unit < w_NK_UNITS; unit += THREADS) {
#if SEVERAL
#repeat r EACH
        let w_r = w_NK_values(row_r, unit);
#end
#repeat t TOKENS
        let x_t = w_NK_activations(min(first_token + t, tokens() - 1u), unit);
#repeat r EACH
#repeat i w_NK_QUADS
        sum_r_t = sum_r_t + dot(w_r[i], x_t[i]);
#end
#end
#end
#else
        let x = w_NK_activations(first_token, unit);
#repeat r EACH
        sum_r_0 += w_NK_dot_unit(row_r, unit, x);
#end
#endif
    }
#repeat r EACH
#repeat t TOKENS
    sum_r_t = subgroupAdd(sum_r_t);
    if (lane == 0u) {
        partial_sums[(subgroup * TOKENS + t) * EACH + r] = sum_r_t;
    }
#end
#end
    workgroupBarrier();
    if (thread < EACH * TOKENS) {
        let n = first + thread % EACH;
        let t = first_token + thread / EACH;
        var sum = 0.0;
        for (var i = 0u; i < subgroups; i++) {
            sum += partial_sums[i * EACH * TOKENS + thread];
        }
        if (n < N && t < tokens()) {
            store(t, n, sum);
        }
    }
}
