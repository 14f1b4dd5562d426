// log[pos_t] = id_t: one thread a token.
// T tokens, C positions

var<storage, read> ids_T: array<u32>;
var<storage, read> pos_T: array<u32>;
var<storage, read_write> log_C: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = (group.x + group.y * groups.x) * THREADS + lane;
    if (t < tokens()) {
        log_C[pos_T[t]] = ids_T[t];
    }
}
