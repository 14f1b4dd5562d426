// y = x: one thread four words.
// WORDS vectors of four

var<storage, read> x: array<vec4<u32>>;
var<storage, read_write> y: array<vec4<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i < WORDS) {
        y[i] = x[i];
    }
}
