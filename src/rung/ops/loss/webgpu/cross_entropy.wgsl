// loss_r = log Σ exp(logits_r) − logits_r[target], or the gradient in place of the logits: one
// workgroup a row.
// R rows, V vocabulary, X targets of all rows (negative: none)

#if dlosses_R
var<storage, read_write> logits_RV: array<f32>;
var<storage, read> targets_X: array<i32>;
var<storage, read> dlosses_R: array<f32>;
#else
var<storage, read> logits_RV: array<f32>;
var<storage, read> targets_X: array<i32>;
var<storage, read_write> losses_R: array<f32>;
#endif

#include "reduce.wgsl"
#include "reduce_max.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let r = group.x + group.y * groups.x;
    let row = min(r, R - 1u);
    let start = row * V;
    var most = -3.4e38;
    for (var v = lane; v < V; v += THREADS) {
        most = max(most, logits_RV[start + v]);
    }
    most = max_of_workgroup(most, lane);
    var sum = 0.0;
    for (var v = lane; v < V; v += THREADS) {
        sum += exp(logits_RV[start + v] - most);
    }
    sum = sum_of_workgroup(sum, lane);
    let target_id = targets_X[given.first + row];
    if (r >= R) {
        return;
    }
#if dlosses_R
    if (target_id < 0) {
        for (var v = lane; v < V; v += THREADS) {
            logits_RV[start + v] = 0.0;
        }
        return;
    }
    let d = dlosses_R[row];
    for (var v = lane; v < V; v += THREADS) {
        let p = exp(logits_RV[start + v] - most) / sum;
        logits_RV[start + v] = d * (p - select(0.0, 1.0, i32(v) == target_id));
    }
#else
    if (lane == 0u) {
        var loss = 0.0;
        if (target_id >= 0) {
            loss = most + log(sum) - logits_RV[start + u32(target_id)];
        }
        losses_R[row] = loss;
    }
#endif
}
