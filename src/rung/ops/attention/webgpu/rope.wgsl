// (a, b) → (a·cos − b·sin, a·sin + b·cos) for each pair: one thread a value.
// T tokens, H heads, D head width, F cosines and sines

var<storage, read> x_THD: array<f32>;
var<storage, read> angles_TF: array<f32>;
var<storage, read_write> y_THD: array<f32>;

#include "rotation.wgsl" ANGLES=F

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= H * D * tokens()) {
        return;
    }
    let d = i % D;
    if (d >= F) {
        y_THD[i] = x_THD[i];
        return;
    }
    let turn = turn_of(d);
    let at = (i / (H * D)) * F + turn.pair;
    let c = angles_TF[at];
    let s = angles_TF[at + F / 2u];
    y_THD[i] = x_THD[i] * c + select(s, -s, turn.is_first) * x_THD[i - d + turn.other];
}
