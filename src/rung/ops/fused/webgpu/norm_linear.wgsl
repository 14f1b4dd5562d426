// y = softcap(norm(x) · wᵀ + b): a workgroup EACH rows.
// K width, N rows of this part of the weights

#include "normed.wgsl"
#include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=normed_quad
#if b_N
var<storage, read> b_N: array<f32>;
#endif
var<storage, read_write> y_TN: array<f32>;

#include "activations.wgsl"

fn row_itself(rank: u32) -> u32 {
    return rank;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
#if subgroups
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) sublane: u32,
#endif
) {
#if !subgroups
    let subgroup = 0u;
    let subgroups = 1u;
    let sublane = lane;
#endif
    let first = (group.x + group.y * groups.x) * EACH;
#repeat r EACH
    var sum_r = 0.0;
#end
    prepare(lane);
#include "rows.wgsl" TENSOR=w_NK ROW=row_itself COUNT=N FIRST=first
#repeat r EACH
    share(r, sum_r, lane, subgroup, sublane);
#end
    gather(lane, subgroup, subgroups, sublane);
    let n = first + lane;
    if (lane >= EACH || n >= N) {
        return;
    }
    let row = FIRST_ROW + n;
    var y = w_NK_finished(n, shared_sums[lane] * factor());
#if b_N
    y += b_N[row];
#endif
    if (cap > 0.0) {
        y = cap * safe_tanh(y / max(cap, 1e-30));
    }
    y_TN[row] = y;
}
