// dw = dyᵀ · x, added to what is there where `add`, in tiles of rows and of K, along tokens.
// T tokens, K input width, N rows of this part of the gradient, ROWS of all parts

#include "fours.wgsl" TENSOR=dy_TN WIDTH=ROWS ACCESS=read
#include "fours.wgsl" TENSOR=x_TK WIDTH=K ACCESS=read
#include "fours.wgsl" TENSOR=dw_NK WIDTH=K ACCESS=read_write

fn outputs() -> u32 {
    return N;
}

fn depth() -> u32 {
    return tokens();
}

fn left_block(n: u32, t: u32) -> mat4x4<f32> {
    let token = min(vec4(t) + vec4(0u, 1u, 2u, 3u), vec4(tokens() - 1u));
    let first = FIRST_ROW + n;
    return mat4x4<f32>(
        dy_TN_four(token.x, first),
        dy_TN_four(token.y, first),
        dy_TN_four(token.z, first),
        dy_TN_four(token.w, first),
    );
}

fn right_four(t: u32, k: u32) -> vec4<f32> {
    return x_TK_four(t, k);
}

fn store(n: u32, k: u32, sum: vec4<f32>) {
    var four = sum;
#if add
    four += dw_NK_four(n, k);
#endif
    dw_NK_put(n, k, four);
}

#include "outer_tiles.wgsl"
