// dx = dy · w + r: one thread an output.
// T tokens, K input width, N rows of this part of the weights, ROWS of all parts
//
// Parts of the weights come one after another; each adds to what those before it left.

var<storage, read> dy_TN: array<f32>;
var<storage, read> w_NK: array<f32>;
#if r_TK
var<storage, read> r_TK: array<f32>;
#endif
var<storage, read_write> dx_TK: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= K * tokens()) {
        return;
    }
    let t = i / K;
    let k = i % K;
    var sum = 0.0;
    for (var n = 0u; n < N; n++) {
        sum += dy_TN[t * ROWS + FIRST_ROW + n] * w_NK[n * K + k];
    }
#if LATER_PART
    sum += dx_TK[i];
#else
#if r_TK
    sum += r_TK[i];
#endif
#endif
    dx_TK[i] = sum;
}
