// y = total + Σ_R loss / number of targets, or its gradient, the same for each loss: one workgroup.
// R rows, X targets of all rows (negative: none)

#if dy_O
var<storage, read> dy_O: array<f32>;
var<storage, read> targets_X: array<i32>;
var<storage, read_write> d_R: array<f32>;
#else
var<storage, read> losses_R: array<f32>;
var<storage, read> targets_X: array<i32>;
#if total_O
var<storage, read> total_O: array<f32>;
#endif
var<storage, read_write> y_O: array<f32>;
#endif

#include "reduce.wgsl"

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lane: u32) {
    // Whole numbers that float32 holds: there are fewer than 2²⁴ targets in a batch.
    var known = 0.0;
    for (var x = lane; x < X; x += THREADS) {
        known += select(0.0, 1.0, targets_X[x] >= 0);
    }
    let count = max(sum_of_workgroup(known, lane), 1.0);
#if dy_O
    let d = dy_O[0] / count;
    for (var r = lane; r < R; r += THREADS) {
        d_R[r] = d;
    }
#else
    var sum = 0.0;
    for (var r = lane; r < R; r += THREADS) {
        sum += losses_R[r];
    }
    sum = sum_of_workgroup(sum, lane) / count;
    if (lane == 0u) {
#if total_O
        sum += total_O[0];
#endif
        y_O[0] = sum;
    }
#endif
}
