// dtable = 0: one thread a value.
// V rows of this part of the table, D width

var<storage, read_write> dtable_VD: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i < V * D) {
        dtable_VD[i] = 0.0;
    }
}
