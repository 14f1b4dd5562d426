// (a, b) → (a·cos − b·sin, a·sin + b·cos) for each pair: one thread a value.
// T tokens, H heads, D head width, F cosines and sines

var<storage, read> x_THD: array<f32>;
var<storage, read> angles_TF: array<f32>;
var<storage, read_write> y_THD: array<f32>;

const PAIRS = F / 2u;

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
#if INTERLEAVED
    let pair = d / 2u;
    let is_first = (d & 1u) == 0u;
    let other = select(i - 1u, i + 1u, is_first);
#else
    let pair = d % PAIRS;
    let is_first = d < PAIRS;
    let other = select(i - PAIRS, i + PAIRS, is_first);
#endif
    let at = (i / (H * D)) * F + pair;
    let c = angles_TF[at];
    let s = angles_TF[at + PAIRS];
    y_THD[i] = x_THD[i] * c + select(s, -s, is_first) * x_THD[other];
}
