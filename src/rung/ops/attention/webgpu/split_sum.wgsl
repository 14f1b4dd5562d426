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
    var greatest = -1e30;
#repeat s SPLITS
    let found_s = split_sums[row * SPLITS + s];
    let value_s = split_values[(row * SPLITS + s) * COLUMNS + i % COLUMNS];
    greatest = max(greatest, found_s.x);
#end
    var sum = vec4(0.0);
    var total = 0.0;
#repeat s SPLITS
    let weight_s = exp(found_s.x - greatest);
    total += weight_s * found_s.y;
    sum += weight_s * value_s;
#end
    y_THD[i] = sum / total;
}
