// sums = Σ_T x, added to what is there where `add`: one thread a column.
// T tokens, N columns

var<storage, read> x_TN: array<f32>;
var<storage, read_write> sums_N: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let n = (group.x + group.y * groups.x) * THREADS + lane;
    if (n >= N) {
        return;
    }
    var sum = 0.0;
    for (var t = 0u; t < tokens(); t++) {
        sum += x_TN[t * N + n];
    }
#if add
    sum += sums_N[n];
#endif
    sums_N[n] = sum;
}
