// y = Σ exp(m_s − m) · values_s / Σ exp(m_s − m) · total_s over the SPLITS of split.wgsl.
// T tokens, H query heads, D head width; one thread four values

var<storage, read> split_values: array<vec4<f32>>;
var<storage, read> split_sums: array<vec2<f32>>; // the greatest score m_s, and total_s
var<storage, read_write> y_THD: array<vec4<f32>>;

const COLUMNS = D / 4u;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= H * COLUMNS * tokens()) {
        return;
    }
    let row = i / COLUMNS;
    var greatest = split_sums[row * SPLITS].x;
    for (var s = 1u; s < SPLITS; s++) {
        greatest = max(greatest, split_sums[row * SPLITS + s].x);
    }
    var sum = vec4(0.0);
    var total = 0.0;
    for (var s = 0u; s < SPLITS; s++) {
        let found = split_sums[row * SPLITS + s];
        let weight = exp(found.x - greatest);
        total += weight * found.y;
        sum += weight * split_values[(row * SPLITS + s) * COLUMNS + i % COLUMNS];
    }
    y_THD[i] = sum / total;
}
