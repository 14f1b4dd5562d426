// y = x · wᵀ + b + r: one thread an output.
// T tokens, K input width, N rows of this part of the weights, ROWS of all parts

var<storage, read> x_TK: array<f32>;
#include "weight.wgsl" TENSOR=w_NK WIDTH=K
#if b_N
var<storage, read> b_N: array<f32>;
#endif
#if r_TN
var<storage, read> r_TN: array<f32>;
#endif
var<storage, read_write> y_TN: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= N * tokens()) {
        return;
    }
    let t = i / N;
    let n = i % N;
    var sum = 0.0;
    for (var k = 0u; k < K; k++) {
        sum += x_TK[t * K + k] * weight(n, k);
    }
    let row = FIRST_ROW + n;
#if b_N
    sum += b_N[row];
#endif
#if r_TN
    sum += r_TN[t * ROWS + row];
#endif
    y_TN[t * ROWS + row] = sum;
}
