// y_t = table[ids_t]: one thread a value.
// T tokens, V rows of this part of the table, D width

var<storage, read> ids_T: array<u32>;
#include "weight.wgsl" TENSOR=table_VD WIDTH=D
var<storage, read_write> y_TD: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= D * tokens()) {
        return;
    }
    let id = ids_T[i / D];
#if PARTS
    if (id < FIRST_ROW || id >= FIRST_ROW + V) {
        return;
    }
#endif
    y_TD[i] = weight(id - FIRST_ROW, i % D);
}
