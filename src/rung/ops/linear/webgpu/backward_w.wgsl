// dw = dyᵀ · x, added to what is there where `add`: one thread an output.
// T tokens, K input width, N rows of this part of the gradient, ROWS of all parts

var<storage, read> dy_TN: array<f32>;
var<storage, read> x_TK: array<f32>;
var<storage, read_write> dw_NK: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= N * K) {
        return;
    }
    let row = FIRST_ROW + i / K;
    let k = i % K;
    var sum = 0.0;
    for (var t = 0u; t < tokens(); t++) {
        sum += dy_TN[t * ROWS + row] * x_TK[t * K + k];
    }
#if add
    sum += dw_NK[i];
#endif
    dw_NK[i] = sum;
}
