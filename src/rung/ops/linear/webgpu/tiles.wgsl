// y = x · wᵀ + b + r for many tokens: a workgroup has a tile of BT tokens and BN rows, a thread TT × TN
// of its sums, in registers.
// T tokens, K input width, N rows of this part of the weights, ROWS of all parts
//
// Tiles of both operands go through workgroup memory, DEPTH units of K at a time, while the next
// ones are on their way to registers. SPLIT teams of threads take turns along K where a tile has too
// few sums to keep a processor busy.

#include "quads.wgsl"
#include "units.wgsl" TENSOR=w_NK WIDTH=K LOAD=x_quad
#include "store.wgsl"

const DEEP = DEPTH * w_NK_QUADS;
const ACROSS = BN / TN;
const TEAM = ACROSS * (BT / TT);
const THREADS = TEAM * SPLIT;
const X_PITCH = BT + 1u;
const W_PITCH = BN + 1u;
var<workgroup> x_tile: array<vec4<f32>, DEEP * X_PITCH>;
var<workgroup> w_tile: array<vec4<f32>, DEEP * W_PITCH>;

fn put(t: u32, n: u32, sum: f32) {
    if (t < tokens() && n < N) {
        store(t, n, sum);
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first_row = group.x * BN;
    let first_token = group.y * BT;
    let team = thread / TEAM;
    let member = thread % TEAM;
    // 32 neighbours are 8 × 4: what they read is then 8 and 4 vec4s, each in one go.
    let block = member / 32u;
    let across = member % 8u + block % (ACROSS / 8u) * 8u;
    let down = member / 8u % 4u + block / (ACROSS / 8u) * 4u;
#repeat i TT
#repeat j TN
    var sum_i_j = 0.0;
#end
#end
#repeat i X_EACH
    var x_next_i = vec4<f32>();
#end
#repeat i W_EACH
    var w_next_i = w_NK_Values();
#end
    for (var start = 0u; start < w_NK_UNITS + DEPTH; start += DEPTH) {
        if (start < w_NK_UNITS) {
#repeat i X_EACH
            {
                let at = thread + i * THREADS;
                let unit = start + at % DEEP / w_NK_QUADS;
                let t = min(first_token + at / DEEP, tokens() - 1u);
                x_next_i = vec4<f32>();
                if (unit < w_NK_UNITS) {
                    x_next_i = x_quad(t, w_NK_quad(unit, at % w_NK_QUADS));
                }
            }
#end
#repeat i W_EACH
            {
                let at = thread + i * THREADS;
                let row = min(first_row + at / DEPTH, N - 1u);
                w_next_i = w_NK_values(row, min(start + at % DEPTH, w_NK_UNITS - 1u));
            }
#end
        }
        if (start > 0u) {
            for (var q = team; q < DEEP; q += SPLIT) {
#repeat j TN
                let w_j = w_tile[q * W_PITCH + across + j * ACROSS];
#end
#repeat i TT
                let x_i = x_tile[q * X_PITCH + down + i * (BT / TT)];
#repeat j TN
                sum_i_j = fma(w_j.x, x_i.x, sum_i_j);
#end
#repeat j TN
                sum_i_j = fma(w_j.y, x_i.y, sum_i_j);
#end
#repeat j TN
                sum_i_j = fma(w_j.z, x_i.z, sum_i_j);
#end
#repeat j TN
                sum_i_j = fma(w_j.w, x_i.w, sum_i_j);
#end
#end
            }
        }
        workgroupBarrier();
        if (start < w_NK_UNITS) {
#repeat i X_EACH
            {
                let at = thread + i * THREADS;
                if (at < BT * DEEP) {
                    x_tile[at % DEEP * X_PITCH + at / DEEP] = x_next_i;
                }
            }
#end
#repeat i W_EACH
            {
                let at = thread + i * THREADS;
                if (at < BN * DEPTH) {
#repeat q w_NK_QUADS
                    w_tile[(at % DEPTH * w_NK_QUADS + q) * W_PITCH + at / DEPTH] = w_next_i[q];
#end
                }
            }
#end
        }
        workgroupBarrier();
    }
#if TEAMS
    // The tiles' memory is free now.
    for (var other = 1u; other < SPLIT; other++) {
#repeat i TT
        if (team == other) {
#repeat j TN
            x_tile[(j * TEAM + member) / 4u][member % 4u] = sum_i_j;
#end
        }
        workgroupBarrier();
        if (team == 0u) {
#repeat j TN
            sum_i_j += x_tile[(j * TEAM + member) / 4u][member % 4u];
#end
        }
        workgroupBarrier();
#end
    }
    if (team > 0u) {
        return;
    }
#endif
#repeat i TT
#repeat j TN
    put(first_token + down + i * (BT / TT), first_row + across + j * ACROSS, sum_i_j);
#end
#end
}
