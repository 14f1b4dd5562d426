// Σ dy · x̂ over ROWS rows, for each column: COLUMNS threads side by side read whole lines of memory,
// and LANES of them share a column's rows.
// T tokens, D width, S statistics of a row

var<storage, read> dy_TD: array<f32>;
var<storage, read> x_TD: array<f32>;
var<storage, read> s_TS: array<vec2<f32>>;
var<storage, read_write> column_parts: array<f32>;

var<workgroup> sums: array<f32, COLUMNS * LANES>;

@compute @workgroup_size(COLUMNS, LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let d = group.x * COLUMNS + local.x;
    let end = min((group.y + 1u) * ROWS, tokens());
    var sum = 0.0;
    if (d < D) {
        for (var t = group.y * ROWS + local.y; t < end; t += LANES) {
            let s = s_TS[t];
            sum += dy_TD[t * D + d] * (x_TD[t * D + d] - s.x) * s.y;
        }
    }
    sums[local.y * COLUMNS + local.x] = sum;
    workgroupBarrier();
    if (local.y != 0u || d >= D) {
        return;
    }
    for (var lane = 1u; lane < LANES; lane++) {
        sum += sums[lane * COLUMNS + local.x];
    }
    column_parts[group.y * D + d] = sum;
}
