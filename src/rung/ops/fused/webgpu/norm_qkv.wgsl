// q = rope(norm(x) · wqᵀ + bq); k, likewise, and v into the caches: a workgroup EACH rows of a weight.
// With k_TM (norm_products) nothing turns, and keys and values go there.
// K width, N = H · D queries, M = G · D keys or values, D head width, A cosines and sines
// S slots, C positions, P pages of L positions

#include "normed.wgsl"
#include "units.wgsl" TENSOR=wq_NK WIDTH=K LOAD=normed_quad
#include "units.wgsl" TENSOR=wk_MK WIDTH=K LOAD=normed_quad
#include "units.wgsl" TENSOR=wv_MK WIDTH=K LOAD=normed_quad
#if bq_N
var<storage, read> bq_N: array<f32>;
#endif
#if bk_M
var<storage, read> bk_M: array<f32>;
#endif
#if bv_M
var<storage, read> bv_M: array<f32>;
#endif
#if angles_TA
var<storage, read> angles_TA: array<f32>;
#endif
#if k_TM
var<storage, read_write> q_TN: array<f32>;
var<storage, read_write> k_TM: array<f32>;
var<storage, read_write> v_TM: array<f32>;

fn put_query(row: u32, y: f32) {
    q_TN[row] = y;
}

fn put_key(row: u32, y: f32) {
    k_TM[row] = y;
}

fn put_value(row: u32, y: f32) {
    v_TM[row] = y;
}
#else
var<storage, read> pos_T: array<i32>;
var<storage, read> slot_T: array<i32>;
var<storage, read_write> q_THD: array<f32>;
var<storage, read_write> cache_SGPDL: array<Element>;
var<storage, read_write> cache_SGCD: array<Element>;

fn put_query(row: u32, y: f32) {
    q_THD[row] = y;
}

fn put_key(row: u32, y: f32) {
    let pos = u32(pos_T[0]);
    let head = u32(slot_T[0]) * G + row / D;
    cache_SGPDL[((head * P + pos / L) * D + row % D) * L + pos % L] = Element(y);
}

fn put_value(row: u32, y: f32) {
    let head = u32(slot_T[0]) * G + row / D;
    cache_SGCD[(head * C + u32(pos_T[0])) * D + row % D] = Element(y);
}
#endif

const BLOCKS_Q = (N + EACH - 1u) / EACH;
const BLOCKS_K = (M + EACH - 1u) / EACH;

// Ranks are rows with those that turn together side by side.
fn turned_row(rank: u32) -> u32 {
#if HALF
    let j = rank % D;
    if (j < A) {
        return rank - j + j / 2u + (j & 1u) * (A / 2u);
    }
#endif
    return rank;
}

fn row_itself(rank: u32) -> u32 {
    return rank;
}


fn query(r: u32, row: u32) -> f32 {
    var y = wq_NK_finished(row, shared_sums[r] * factor());
#if bq_N
    y += bq_N[row];
#endif
    return y;
}

fn key(r: u32, row: u32) -> f32 {
    var y = wk_MK_finished(row, shared_sums[r] * factor());
#if bk_M
    y += bk_M[row];
#endif
    return y;
}

// A value of a pair, the first where its rank is even, from itself and the other one.
fn turn(rank: u32, own: f32, other: f32) -> f32 {
#if angles_TA
    let j = rank % D;
    if (j < A) {
        let s = angles_TA[j / 2u + A / 2u];
        return own * angles_TA[j / 2u] + select(s, -s, (j & 1u) == 0u) * other;
    }
#endif
    return own;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
#if subgroups
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) sublane: u32,
#endif
) {
#if !subgroups
    let subgroup = 0u;
    let subgroups = 1u;
    let sublane = lane;
#endif
    let block = group.x + group.y * groups.x;
#repeat r EACH
    var sum_r = 0.0;
#end
    prepare(lane);
    let block_k = block - BLOCKS_Q;
    let block_v = block_k - BLOCKS_K;
    if (block < BLOCKS_Q) {
        let first = block * EACH;
#include "rows.wgsl" TENSOR=wq_NK ROW=turned_row COUNT=N FIRST=first
    } else if (block_k < BLOCKS_K) {
        let first = block_k * EACH;
#include "rows.wgsl" TENSOR=wk_MK ROW=turned_row COUNT=M FIRST=first
    } else {
        let first = block_v * EACH;
#include "rows.wgsl" TENSOR=wv_MK ROW=row_itself COUNT=M FIRST=first
    }
#repeat r EACH
    share(r, sum_r, lane, subgroup, sublane);
#end
    gather(lane, subgroup, subgroups, sublane);
    if (lane >= EACH) {
        return;
    }
    if (block < BLOCKS_Q) {
        let rank = block * EACH + lane;
        if (rank < N) {
            let row = turned_row(rank);
            let y = query(lane, row);
#if angles_TA
            put_query(row, turn(rank, y, query(lane ^ 1u, turned_row(rank ^ 1u))));
#else
            put_query(row, y);
#endif
        }
    } else if (block_k < BLOCKS_K) {
        let rank = block_k * EACH + lane;
        if (rank < M) {
            let row = turned_row(rank);
            let y = key(lane, row);
#if angles_TA
            put_key(row, turn(rank, y, key(lane ^ 1u, turned_row(rank ^ 1u))));
#else
            put_key(row, y);
#endif
        }
    } else {
        let row = block_v * EACH + lane;
        if (row < M) {
            var y = wv_MK_finished(row, shared_sums[lane] * factor());
#if bv_M
            y += bv_M[row];
#endif
            put_value(row, y);
        }
    }
}
