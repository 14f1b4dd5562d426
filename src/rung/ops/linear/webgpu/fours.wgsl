// fn TENSOR_four(row, column): values column … column + 3 of a row of WIDTH, column a multiple of 4;
// what lies beyond the row is anything. fn TENSOR_put(row, column, four) writes those of the row.

#if TENSOR_ALIGNED
var<storage, ACCESS> TENSOR: array<vec4<f32>>;

fn TENSOR_four(row: u32, column: u32) -> vec4<f32> {
    return TENSOR[(row * WIDTH + column) / 4u];
}
#else
var<storage, ACCESS> TENSOR: array<f32>;

fn TENSOR_four(row: u32, column: u32) -> vec4<f32> {
    let at = row * WIDTH + column;
    return vec4(TENSOR[at], TENSOR[at + 1u], TENSOR[at + 2u], TENSOR[at + 3u]);
}
#endif

#if TENSOR_WRITTEN
fn TENSOR_put(row: u32, column: u32, four: vec4<f32>) {
#if TENSOR_ALIGNED
    if (column < WIDTH) {
        TENSOR[(row * WIDTH + column) / 4u] = four;
    }
#else
    for (var e = 0u; e < min(4u, WIDTH - min(column, WIDTH)); e++) {
        TENSOR[row * WIDTH + column + e] = four[e];
    }
#endif
}
#endif
