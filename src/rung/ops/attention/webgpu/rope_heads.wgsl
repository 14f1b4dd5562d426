// y = rope(x) for the first `heads` heads, x for the others, turned back where `inverse`: one
// thread a value.
// T tokens, M heads, D head width, F cosines and sines

var<storage, read> x_TMD: array<f32>;
var<storage, read> angles_TF: array<f32>;
var<storage, read_write> y_TMD: array<f32>;

#include "rotation.wgsl" ANGLES=F

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= M * D * tokens()) {
        return;
    }
    let d = i % D;
    if (d >= F || i / D % M >= heads) {
        y_TMD[i] = x_TMD[i];
        return;
    }
    let turn = turn_of(d);
    let at = i / (M * D) * F + turn.pair;
    let s = angles_TF[at + F / 2u];
    let other = x_TMD[i - d + turn.other];
    // The first of a pair takes −sin of the other, turned forward; turned back, the second does.
    y_TMD[i] = x_TMD[i] * angles_TF[at] + select(s, -s, turn.is_first != inverse) * other;
}
