// One thread four values: swiglu, geglu, gelu, add.
// T tokens, WIDTH values of each

#if ADD
var<storage, read> a_TD: array<vec4<f32>>;
var<storage, read> b_TD: array<vec4<f32>>;
var<storage, read_write> y_TD: array<vec4<f32>>;

fn compute(i: u32) {
    y_TD[i] = a_TD[i] + b_TD[i];
}
#endif
#if SWIGLU
var<storage, read> gate_TF: array<vec4<f32>>;
var<storage, read> up_TF: array<vec4<f32>>;
var<storage, read_write> y_TF: array<vec4<f32>>;

fn compute(i: u32) {
    let x = gate_TF[i];
    y_TF[i] = vec4(silu(x.x), silu(x.y), silu(x.z), silu(x.w)) * up_TF[i];
}
#endif
#if GEGLU
var<storage, read> gate_TF: array<vec4<f32>>;
var<storage, read> up_TF: array<vec4<f32>>;
var<storage, read_write> y_TF: array<vec4<f32>>;

fn compute(i: u32) {
    let x = gate_TF[i];
    y_TF[i] = vec4(gelu_of(x.x), gelu_of(x.y), gelu_of(x.z), gelu_of(x.w)) * up_TF[i];
}
#endif
#if GELU
var<storage, read> x_TF: array<vec4<f32>>;
var<storage, read_write> y_TF: array<vec4<f32>>;

fn compute(i: u32) {
    let x = x_TF[i];
    y_TF[i] = vec4(gelu_of(x.x), gelu_of(x.y), gelu_of(x.z), gelu_of(x.w));
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
    if (i < WIDTH / 4u * tokens()) {
        compute(i);
    }
}
