// dv = pᵀ · dy and dk = scale · dsᵀ · q, with p and ds as in causal_queries.wgsl: one workgroup a
// key/value head of a token, THREADS queries at a time, head by head of those that read it.
// B sequences, T tokens of each, H query heads, G key/value heads, D head width, M = H + 2G

var<storage, read> dy_BTHD: array<f32>;
var<storage, read> qkv_BTMD: array<f32>;
var<storage, read> lse_BHT: array<f32>;
var<storage, read_write> along_BHT: array<f32>;
var<storage, read_write> d_BTMD: array<f32>;

const VALUES = (D + THREADS - 1u) / THREADS;
var<workgroup> weights: array<f32, THREADS>;
var<workgroup> slopes: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let length = tokens();
    let row = min(group.x + group.y * groups.x, B * length * G - 1u);
    let g = row % G;
    let j = row / G % length;
    let first = row / (G * length) * length; // of the sequence
    let k = ((first + j) * M + H + g) * D;
    var dk: array<f32, VALUES>;
    var dv: array<f32, VALUES>;
    for (var h = g * (H / G); h < (g + 1u) * (H / G); h++) {
        for (var start = j; start < length; start += THREADS) {
            let t = start + lane;
            var weight = 0.0;
            var slope = 0.0;
            if (t < length) {
                let q = ((first + t) * M + h) * D;
                let dy = ((first + t) * H + h) * D;
                let at = (first / length * H + h) * length + t;
                var score = 0.0;
                for (var d = 0u; d < D; d++) {
                    score += qkv_BTMD[q + d] * qkv_BTMD[k + d];
                    slope += dy_BTHD[dy + d] * qkv_BTMD[k + G * D + d];
                }
                weight = exp(scale * score - lse_BHT[at]);
                slope = scale * weight * (slope - along_BHT[at]);
            }
            workgroupBarrier();
            weights[lane] = weight;
            slopes[lane] = slope;
            workgroupBarrier();
            for (var l = 0u; l < min(THREADS, length - start); l++) {
                let token = first + start + l;
                for (var i = 0u; i < VALUES; i++) {
                    let d = min(lane + i * THREADS, D - 1u);
                    dv[i] += weights[l] * dy_BTHD[(token * H + h) * D + d];
                    dk[i] += slopes[l] * qkv_BTMD[(token * M + h) * D + d];
                }
            }
        }
    }
    for (var i = 0u; i < VALUES; i++) {
        let d = lane + i * THREADS;
        if (d < D) {
            d_BTMD[k + d] = dk[i];
            d_BTMD[k + G * D + d] = dv[i];
        }
    }
}
