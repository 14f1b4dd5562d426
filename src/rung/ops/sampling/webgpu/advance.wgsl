// pos_t + 1: one thread a token.

var<storage, read_write> pos_T: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = (group.x + group.y * groups.x) * THREADS + lane;
    if (t < tokens()) {
        pos_T[t] += 1u;
    }
}
