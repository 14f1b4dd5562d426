// dtable[id] += Σ dy over the tokens with that id, in their order: a thread a column of each first one.
// T tokens, V rows of this part of the table, D width

var<storage, read_write> dtable_VD: array<f32>;
var<storage, read> dy_TD: array<f32>;
var<storage, read> ids_T: array<u32>;
var<storage, read> same_id_next: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    var t = i / D;
    if (t >= tokens() || same_id_next[t] < 0x80000000u) {
        return;
    }
#if PARTS
    if (ids_T[t] < FIRST_ROW || ids_T[t] >= FIRST_ROW + V) {
        return;
    }
#endif
    let at = (ids_T[t] - FIRST_ROW) * D + i % D;
    var sum = dtable_VD[at];
    while (t < tokens()) {
        sum += dy_TD[t * D + i % D];
        t = same_id_next[t] & 0x7fffffffu;
    }
    dtable_VD[at] = sum;
}
