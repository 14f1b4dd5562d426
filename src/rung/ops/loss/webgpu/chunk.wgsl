// y = x[index], and its gradient: one thread a value.
// C chunks of R rows, D width

#if dy_RD
var<storage, read> dy_RD: array<f32>;
#if r_CRD
var<storage, read> r_CRD: array<f32>;
#endif
var<storage, read_write> dx_CRD: array<f32>;

const COUNT = C * R * D;

fn compute(i: u32) {
    var value = 0.0;
#if r_CRD
    value = r_CRD[i];
#endif
    // What lies before the chunk wraps around to a large number.
    let at = i - given.index * R * D;
    if (at < R * D) {
        value += dy_RD[at];
    }
    dx_CRD[i] = value;
}
#else
var<storage, read> x_CRD: array<f32>;
var<storage, read_write> y_RD: array<f32>;

const COUNT = R * D;

fn compute(i: u32) {
    y_RD[i] = x_CRD[given.index * R * D + i];
}
#endif

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i < COUNT) {
        compute(i);
    }
}
