// fn store(t, n, sum): y of token t and row n of this part, with all that is added to it.

#if b_N
var<storage, read> b_N: array<f32>;
#endif
#if r_TN
var<storage, read> r_TN: array<f32>;
#endif
var<storage, read_write> y_TN: array<f32>;

fn store(t: u32, n: u32, sum: f32) {
    let row = FIRST_ROW + n;
    var y = w_NK_finished(n, sum);
#if b_N
    y += b_N[row];
#endif
#if r_TN
    y += r_TN[t * ROWS + row];
#endif
    y_TN[t * ROWS + row] = y;
}
