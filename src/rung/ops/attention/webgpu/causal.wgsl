// y = softmax(scale · q · kᵀ) · v over tokens 0 … t, and lse, the log of the softmax's sum: one
// workgroup a head of a token, THREADS keys at a time.
// B sequences, T tokens of each, H query heads, G key/value heads, D head width, M = H + 2G
//
// Source of the running maximum and sum: Milakov and Gimelshein, Online normalizer calculation, 2018.

var<storage, read> qkv_BTMD: array<f32>;
var<storage, read_write> lse_BHT: array<f32>;
var<storage, read_write> y_BTHD: array<f32>;

const VALUES = (D + THREADS - 1u) / THREADS;

var<workgroup> weights: array<f32, THREADS>;

#include "reduce_max.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let length = tokens();
    let row = min(group.x + group.y * groups.x, B * length * H - 1u);
    let h = row % H;
    let t = row / H % length;
    let first = row / (H * length) * length; // of the sequence
    let q = ((first + t) * M + h) * D;
    let head = H + h * G / H;
    var sums: array<f32, VALUES>;
    var total = 0.0;
    var greatest = -1e30;
    for (var start = 0u; start <= t; start += THREADS) {
        let j = start + lane;
        var score = -1e30;
        if (j <= t) {
            let k = ((first + j) * M + head) * D;
            score = 0.0;
            for (var d = 0u; d < D; d++) {
                score += qkv_BTMD[q + d] * qkv_BTMD[k + d];
            }
            score *= scale;
        }
        let highest = max(greatest, max_of_workgroup(score, lane));
        let shrink = exp(greatest - highest);
        greatest = highest;
        weights[lane] = select(0.0, exp(score - highest), j <= t);
        workgroupBarrier();
        total *= shrink;
        for (var i = 0u; i < VALUES; i++) {
            sums[i] *= shrink;
        }
        for (var l = 0u; l < min(THREADS, t + 1u - start); l++) {
            let weight = weights[l];
            total += weight;
            for (var i = 0u; i < VALUES; i++) {
                let d = min(lane + i * THREADS, D - 1u);
                sums[i] += weight * qkv_BTMD[((first + start + l) * M + head + G) * D + d];
            }
        }
    }
    for (var i = 0u; i < VALUES; i++) {
        let d = lane + i * THREADS;
        if (d < D) {
            y_BTHD[row * D + d] = sums[i] / total;
        }
    }
    if (lane == 0u) {
        lse_BHT[(first / length * H + h) * length + t] = greatest + log(total);
    }
}
