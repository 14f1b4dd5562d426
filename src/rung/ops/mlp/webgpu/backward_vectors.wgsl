// One thread four values: gelu_backward, swiglu_pair and its gradient.
// T tokens, F hidden width, E = 2F: gate and up, one after another

#include "activations.wgsl"

const QUADS = HIDDEN / 4u;

#if GELU_BACKWARD
var<storage, read> dy_TF: array<vec4<f32>>;
var<storage, read> x_TF: array<vec4<f32>>;
var<storage, read_write> dx_TF: array<vec4<f32>>;

fn compute(i: u32) {
    let x = x_TF[i];
    let slopes = vec4(gelu_slope(x.x), gelu_slope(x.y), gelu_slope(x.z), gelu_slope(x.w));
    dx_TF[i] = dy_TF[i] * slopes;
}
#endif
#if SWIGLU_PAIR
var<storage, read> x_TE: array<vec4<f32>>;
var<storage, read_write> y_TF: array<vec4<f32>>;

fn compute(i: u32) {
    let at = i / QUADS * 2u * QUADS + i % QUADS;
    let x = x_TE[at];
    y_TF[i] = vec4(silu(x.x), silu(x.y), silu(x.z), silu(x.w)) * x_TE[at + QUADS];
}
#endif
#if SWIGLU_PAIR_BACKWARD
var<storage, read> dy_TF: array<vec4<f32>>;
var<storage, read> x_TE: array<vec4<f32>>;
var<storage, read_write> dx_TE: array<vec4<f32>>;

fn compute(i: u32) {
    let at = i / QUADS * 2u * QUADS + i % QUADS;
    let gate = x_TE[at];
    let s = vec4(sigmoid(gate.x), sigmoid(gate.y), sigmoid(gate.z), sigmoid(gate.w));
    dx_TE[at] = dy_TF[i] * x_TE[at + QUADS] * s * (1.0 + gate * (1.0 - s));
    dx_TE[at + QUADS] = dy_TF[i] * gate * s;
}
#endif

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i < QUADS * tokens()) {
        compute(i);
    }
}
