// One thread a value: gelu_backward, swiglu_pair and its gradient.
// T tokens, F hidden width, E = 2F: gate and up, one after another

#include "activations.wgsl"

#if GELU_BACKWARD
var<storage, read> dy_TF: array<f32>;
var<storage, read> x_TF: array<f32>;
var<storage, read_write> dx_TF: array<f32>;

fn compute(i: u32) {
    dx_TF[i] = dy_TF[i] * gelu_slope(x_TF[i]);
}
#endif
#if SWIGLU_PAIR
var<storage, read> x_TE: array<f32>;
var<storage, read_write> y_TF: array<f32>;

fn compute(i: u32) {
    let gate = i / HIDDEN * 2u * HIDDEN + i % HIDDEN;
    y_TF[i] = silu(x_TE[gate]) * x_TE[gate + HIDDEN];
}
#endif
#if SWIGLU_PAIR_BACKWARD
var<storage, read> dy_TF: array<f32>;
var<storage, read> x_TE: array<f32>;
var<storage, read_write> dx_TE: array<f32>;

fn compute(i: u32) {
    let at = i / HIDDEN * 2u * HIDDEN + i % HIDDEN;
    let gate = x_TE[at];
    let s = sigmoid(gate);
    dx_TE[at] = dy_TF[i] * x_TE[at + HIDDEN] * s * (1.0 + gate * (1.0 - s));
    dx_TE[at + HIDDEN] = dy_TF[i] * gate * s;
}
#endif

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i < HIDDEN * tokens()) {
        compute(i);
    }
}
