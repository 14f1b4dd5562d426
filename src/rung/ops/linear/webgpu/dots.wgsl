// y = x · wᵀ + b + r for one token, in dot products of bytes: a workgroup EACH rows, a thread UNROLL
// units of each, whose activations it turns into digits once for all rows.
// K input width, N rows of this part of the weights

#include "quads.wgsl"
#include "digits.wgsl"
#include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=x_quad
#include "store.wgsl"

// Subgroups have 4 lanes at least.
var<workgroup> partial_sums: array<f32, THREADS / 4u * EACH>;

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
#repeat r EACH
    var sum_r = 0.0;
#end
#include "slice_rows.wgsl" WEIGHT=w_NK NAME=w PLACE=thread OF= BEGIN=first RANKS=N
#include "slice.wgsl" WEIGHT=w_NK PLACE=thread
#include "slice_sums.wgsl" WEIGHT=w_NK NAME=w PLACE=thread SUM=sum
#repeat r EACH
    sum_r = subgroupAdd(sum_r);
    if (lane == 0u) {
        partial_sums[subgroup * EACH + r] = sum_r;
    }
#end
    workgroupBarrier();
    if (thread < EACH && first + thread < N) {
        var sum = 0.0;
        for (var i = 0u; i < subgroups; i++) {
            sum += partial_sums[i * EACH + thread];
        }
        store(0u, first + thread, sum);
    }
}
