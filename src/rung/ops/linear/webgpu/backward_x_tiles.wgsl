// dx = dy · w + r in tiles of tokens and of K, along the rows of weights.
// T tokens, K input width, N rows of this part of the weights, ROWS of all parts
//
// Parts of the weights come one after another; each adds to what those before it left.

#include "fours.wgsl" TENSOR=dy_TN WIDTH=ROWS ACCESS=read
#include "fours.wgsl" TENSOR=w_NK WIDTH=K ACCESS=read
#if r_TK
#include "fours.wgsl" TENSOR=r_TK WIDTH=K ACCESS=read
#endif
#include "fours.wgsl" TENSOR=dx_TK WIDTH=K ACCESS=read_write

fn outputs() -> u32 {
    return tokens();
}

fn depth() -> u32 {
    return N;
}

// Four tokens of four rows of weights: dy lies the other way around.
fn left_block(t: u32, n: u32) -> mat4x4<f32> {
    let token = min(vec4(t) + vec4(0u, 1u, 2u, 3u), vec4(tokens() - 1u));
    let first = FIRST_ROW + n;
    return transpose(mat4x4<f32>(
        dy_TN_four(token.x, first),
        dy_TN_four(token.y, first),
        dy_TN_four(token.z, first),
        dy_TN_four(token.w, first),
    ));
}

fn right_four(n: u32, k: u32) -> vec4<f32> {
    return w_NK_four(n, k);
}

fn store(t: u32, k: u32, sum: vec4<f32>) {
    var four = sum;
#if LATER_PART
    four += dx_TK_four(t, k);
#else
#if r_TK
    four += r_TK_four(t, k);
#endif
#endif
    dx_TK_put(t, k, four);
}

#include "outer_tiles.wgsl"
