// y = softmax(cap(scale · q · kᵀ)) · v: EACH query heads of one key/value head, and every SPLITS-th
// page of its keys, which are read once for all of them; split_sum.wgsl joins the SPLITS.
// T tokens, H query heads, G key/value heads, D head width, C positions, P pages of L positions

var<storage, read> q_THD: array<f32>;
var<storage, read> k_SGPDL: array<vec4<Element>>;
var<storage, read> v_SGCD: array<vec4<Element>>;
var<storage, read> pos_T: array<i32>;
var<storage, read> slot_T: array<i32>;
#if ALONE
var<storage, read_write> y_THD: array<vec4<f32>>;
#else
var<storage, read_write> split_values: array<vec4<f32>>;
var<storage, read_write> split_sums: array<vec2<f32>>;
#endif

#include "activations.wgsl"

const QUADS = L / 4u; // of positions in a page
const PARTS = THREADS / QUADS; // of a head's width, where scores are made
const COLUMNS = D / 4u;
const BANDS = THREADS / COLUMNS; // of a page's positions, where values are summed
const STEPS = (L + BANDS - 1u) / BANDS;

var<workgroup> queries: array<f32, EACH * D>;
var<workgroup> parts: array<vec4<f32>, max(EACH * THREADS, THREADS)>;
var<workgroup> part_totals: array<f32, THREADS>;
var<workgroup> scores: array<vec4<f32>, EACH * QUADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = group.y;
    let split = group.x % SPLITS;
    let h = (group.x / SPLITS) * EACH;
    let head = u32(slot_T[t]) * G + h / (H / G);
    let end = u32(pos_T[t]) + 1u;
    var first = 0u;
    if (window > 0u && end > window) {
        first = end - window;
    }
    for (var i = lane; i < EACH * D; i += THREADS) {
        queries[i] = scale * q_THD[(t * H + h) * D + i];
    }
    workgroupBarrier();
    let quad = lane % QUADS;
    let part = lane / QUADS;
    let column = lane % COLUMNS;
    let band = lane / COLUMNS;
    var sums: array<vec4<f32>, EACH>;
    var totals: array<f32, EACH>;
    var greatest: array<f32, EACH>;
    for (var e = 0u; e < EACH; e++) {
        greatest[e] = -1e30;
    }
    for (var page = first / L + split; page * L < end; page += SPLITS) {
        // Values are asked for before scores are there: the two waits become one.
        var values: array<vec4<f32>, STEPS>;
        for (var i = 0u; i < STEPS; i++) {
            let at = min(page * L + band + i * BANDS, end - 1u);
            values[i] = vec4<f32>(v_SGCD[(head * C + at) * COLUMNS + column]);
        }
        var products = array<vec4<f32>, EACH>();
        for (var d = part; d < D; d += PARTS) {
            let k = vec4<f32>(k_SGPDL[((head * P + page) * D + d) * QUADS + quad]);
            for (var e = 0u; e < EACH; e++) {
                products[e] += queries[e * D + d] * k;
            }
        }
        for (var e = 0u; e < EACH; e++) {
            parts[(part * EACH + e) * QUADS + quad] = products[e];
        }
        workgroupBarrier();
        for (var i = lane; i < EACH * QUADS; i += THREADS) {
            var score = parts[i];
            for (var p = 1u; p < PARTS; p++) {
                score += parts[p * EACH * QUADS + i];
            }
            if (softcap > 0.0) {
                let capped = clamp(score / max(softcap, 1e-30), vec4(-15.0), vec4(15.0));
                score = softcap * tanh(capped);
            }
            let at = vec4(page * L + (i % QUADS) * 4u) + vec4(0u, 1u, 2u, 3u);
            let seen = (at >= vec4(first)) & (at < vec4(end));
            scores[i] = select(vec4(-1e30), score, seen);
        }
        workgroupBarrier();
        for (var e = 0u; e < EACH; e++) {
            var highest = scores[e * QUADS];
            for (var i = 1u; i < QUADS; i++) {
                highest = max(highest, scores[e * QUADS + i]);
            }
            let most = max(max(highest.x, highest.y), max(highest.z, highest.w));
            let now = max(greatest[e], most);
            let shrink = exp(greatest[e] - now);
            greatest[e] = now;
            sums[e] *= shrink;
            totals[e] *= shrink;
        }
        for (var i = 0u; i < STEPS; i++) {
            let l = band + i * BANDS;
            let at = page * L + l;
            if (l < L && at >= first && at < end) {
                for (var e = 0u; e < EACH; e++) {
                    let weight = exp(scores[e * QUADS + l / 4u][l & 3u] - greatest[e]);
                    totals[e] += weight;
                    sums[e] += weight * values[i];
                }
            }
        }
    }
    for (var e = 0u; e < EACH; e++) {
        workgroupBarrier();
        parts[lane] = sums[e];
        part_totals[lane] = totals[e];
        workgroupBarrier();
        if (lane < COLUMNS) {
            var sum = parts[lane];
            var total = part_totals[lane];
            for (var b = 1u; b < BANDS; b++) {
                sum += parts[b * COLUMNS + lane];
                total += part_totals[b * COLUMNS + lane];
            }
            let row = t * H + h + e;
#if ALONE
            y_THD[row * COLUMNS + lane] = sum / total;
#else
            split_values[(row * SPLITS + split) * COLUMNS + lane] = sum;
            if (lane == 0u) {
                split_sums[row * SPLITS + split] = vec2(greatest[e], total);
            }
#endif
        }
    }
}
