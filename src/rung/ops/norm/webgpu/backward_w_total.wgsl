// dw = the sum of its parts, one for every ROWS rows, in their order.
// T tokens, D width

var<storage, read_write> dw_D: array<f32>;
var<storage, read> column_parts: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let d = id.x;
    if (d >= D) {
        return;
    }
    var sum = 0.0;
    for (var part = 0u; part < (tokens() + ROWS - 1u) / ROWS; part++) {
        sum += column_parts[part * D + d];
    }
#if add
    sum += dw_D[d];
#endif
    dw_D[d] = sum;
}
