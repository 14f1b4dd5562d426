// dtable[v] = Σ dy_t over the t with ids_t = v: one thread a value of the table, through all tokens.
// T tokens, V rows of this part of the table, D width

var<storage, read_write> dtable_VD: array<f32>;
var<storage, read> dy_TD: array<f32>;
var<storage, read> ids_T: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= V * D) {
        return;
    }
    var sum = 0.0;
#if add
    sum = dtable_VD[i];
#endif
    for (var t = 0u; t < tokens(); t++) {
        if (ids_T[t] == FIRST_ROW + i / D) {
            sum += dy_TD[t * D + i % D];
        }
    }
    dtable_VD[i] = sum;
}
