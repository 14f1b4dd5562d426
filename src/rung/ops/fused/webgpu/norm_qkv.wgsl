// q = rope(norm(x) · wqᵀ + bq); k, likewise, and v into the caches: a workgroup EACH rows of a weight.
// With k_TM (norm_products) nothing turns, and keys and values go there.
// K width, N = H · D queries, M = G · D keys or values, D head width, A cosines and sines
// S slots, C positions, P pages of L positions

#include "normed.wgsl"
#include "product.wgsl" NAME=query WEIGHT=wq_NK BIAS=bq_N FIRST=0u
#include "product.wgsl" NAME=key WEIGHT=wk_MK BIAS=bk_M FIRST=0u
#include "product.wgsl" NAME=value WEIGHT=wv_MK BIAS=bv_M FIRST=0u
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

fn work(block: u32, at: Place) {
#repeat r EACH
    var sum_r = 0.0;
#end
    prepare(at.lane);
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
#include "rows.wgsl" TENSOR=wv_MK ROW= COUNT=M FIRST=first
    }
#repeat r EACH
    share(r, sum_r, at);
#end
    gather(at);
    if (at.lane >= EACH) {
        return;
    }
    if (block < BLOCKS_Q) {
        let rank = block * EACH + at.lane;
        if (rank < N) {
            let row = turned_row(rank);
            let y = query(at.lane, row);
#if angles_TA
            put_query(row, turn(rank, y, query(at.lane ^ 1u, turned_row(rank ^ 1u))));
#else
            put_query(row, y);
#endif
        }
    } else if (block_k < BLOCKS_K) {
        let rank = block_k * EACH + at.lane;
        if (rank < M) {
            let row = turned_row(rank);
            let y = key(at.lane, row);
#if angles_TA
            put_key(row, turn(rank, y, key(at.lane ^ 1u, turned_row(rank ^ 1u))));
#else
            put_key(row, y);
#endif
        }
    } else {
        let row = block_v * EACH + at.lane;
        if (row < M) {
            put_value(row, value(at.lane, row));
        }
    }
}
