// One thread a value: swiglu, geglu, gelu, add, scale, softcap.
// T tokens, WIDTH values of each

#if SWIGLU
var<storage, read> gate_TF: array<f32>;
var<storage, read> up_TF: array<f32>;
var<storage, read_write> y_TF: array<f32>;

fn compute(i: u32) {
    y_TF[i] = silu(gate_TF[i]) * up_TF[i];
}
#endif
#if GEGLU
var<storage, read> gate_TF: array<f32>;
var<storage, read> up_TF: array<f32>;
var<storage, read_write> y_TF: array<f32>;

fn compute(i: u32) {
    y_TF[i] = gelu_of(gate_TF[i]) * up_TF[i];
}
#endif
#if GELU
var<storage, read> x_TF: array<f32>;
var<storage, read_write> y_TF: array<f32>;

fn compute(i: u32) {
    y_TF[i] = gelu_of(x_TF[i]);
}
#endif
#if ADD
var<storage, read> a_TD: array<f32>;
var<storage, read> b_TD: array<f32>;
var<storage, read_write> y_TD: array<f32>;

fn compute(i: u32) {
    y_TD[i] = a_TD[i] + b_TD[i];
}
#endif
#if SCALE
var<storage, read> x_TD: array<f32>;
var<storage, read_write> y_TD: array<f32>;

fn compute(i: u32) {
    y_TD[i] = factor * x_TD[i];
}
#endif
#if SOFTCAP
var<storage, read> x_TD: array<f32>;
var<storage, read_write> y_TD: array<f32>;

fn compute(i: u32) {
    y_TD[i] = cap * safe_tanh(x_TD[i] / cap);
}
#endif

#include "activations.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i < WIDTH * tokens()) {
        compute(i);
    }
}
