// dw = Σ_T dy · x̂, added to what is there where `add`: one thread a column, down all rows.
// T tokens, D width, S statistics of a row

var<storage, read_write> dw_D: array<f32>;
var<storage, read> dy_TD: array<f32>;
var<storage, read> x_TD: array<f32>;
var<storage, read> s_TS: array<vec2<f32>>;

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let d = id.x;
    if (d >= D) {
        return;
    }
    var sum = 0.0;
    for (var t = 0u; t < tokens(); t++) {
        let s = s_TS[t];
        sum += dy_TD[t * D + d] * (x_TD[t * D + d] - s.x) * s.y;
    }
#if add
    sum += dw_D[d];
#endif
    dw_D[d] = sum;
}
