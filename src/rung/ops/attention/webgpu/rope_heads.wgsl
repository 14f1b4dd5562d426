// y = rope(x) for the first `heads` heads, x for the others, turned back where `inverse`: one
// thread a value.
// T tokens, M heads, D head width, F cosines and sines

var<storage, read> x_TMD: array<f32>;
var<storage, read> angles_TF: array<f32>;
var<storage, read_write> y_TMD: array<f32>;

const PAIRS = F / 2u;

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
#if INTERLEAVED
    let pair = d / 2u;
    let is_first = (d & 1u) == 0u;
    let other = select(i - 1u, i + 1u, is_first);
#else
    let pair = d % PAIRS;
    let is_first = d < PAIRS;
    let other = select(i - PAIRS, i + PAIRS, is_first);
#endif
    let at = i / (M * D) * F + pair;
    let s = angles_TF[at + PAIRS];
    // The first of a pair takes −sin of the other, turned forward; turned back, the second does.
    y_TMD[i] = x_TMD[i] * angles_TF[at] + select(s, -s, is_first != inverse) * x_TMD[other];
}
