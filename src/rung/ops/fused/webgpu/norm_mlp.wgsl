// y = act(norm(x) · wᵀ + b) · (norm(x) · upᵀ + bup): a workgroup EACH rows of both weights.
// K width, F hidden

#include "normed.wgsl"
#include "units.wgsl" TENSOR=w_FK WIDTH=K LOAD=normed_quad
#if up_FK
#include "units.wgsl" TENSOR=up_FK WIDTH=K LOAD=normed_quad
#endif
#if b_F
var<storage, read> b_F: array<f32>;
#endif
#if bup_F
var<storage, read> bup_F: array<f32>;
#endif
var<storage, read_write> y_TF: array<f32>;

#include "activations.wgsl"

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
    let row_r = min(first + r, F - 1u);
    var sum_r = 0.0;
    var up_sum_r = 0.0;
#end
    prepare(lane);
    var unit = lane;
    for (; unit + (UNROLL - 1u) * THREADS < w_FK_UNITS; unit += UNROLL * THREADS) {
#repeat u UNROLL
        let x_u = w_FK_activations(0u, unit + u * THREADS);
#end
#repeat r EACH
#repeat u UNROLL
        sum_r += w_FK_dot_unit(row_r, unit + u * THREADS, x_u);
#if up_FK
        up_sum_r += up_FK_dot_unit(row_r, unit + u * THREADS, x_u);
#endif
#end
#end
    }
    for (; unit < w_FK_UNITS; unit += THREADS) {
        let x = w_FK_activations(0u, unit);
#repeat r EACH
        sum_r += w_FK_dot_unit(row_r, unit, x);
#if up_FK
        up_sum_r += up_FK_dot_unit(row_r, unit, x);
#endif
#end
    }
#repeat r EACH
    share(r, sum_r, lane, subgroup, sublane);
#if up_FK
    share(EACH + r, up_sum_r, lane, subgroup, sublane);
#endif
#end
    gather(lane, subgroup, subgroups, sublane);
    let row = first + lane;
    if (lane >= EACH || row >= F) {
        return;
    }
    var y = w_FK_finished(row, shared_sums[lane] * factor());
#if b_F
    y += b_F[row];
#endif
#if SILU
    y = silu(y);
#else
    y = gelu_of(y);
#endif
#if up_FK
    var up = up_FK_finished(row, shared_sums[EACH + lane] * factor());
#if bup_F
    up += bup_F[row];
#endif
    y *= up;
#endif
    y_TF[row] = y;
}
