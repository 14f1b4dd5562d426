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

var<workgroup> queries: array<f32, EACH * D>;
var<workgroup> parts: array<vec4<f32>, EACH * THREADS>;
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
#repeat e EACH
    var sum_e = vec4(0.0);
    var total_e = 0.0;
    var greatest_e = -1e30;
#end
    for (var page = first / L + split; page * L < end; page += SPLITS) {
        // Values are asked for before scores are there: the two waits become one.
#repeat i STEPS
        let at_i = min(page * L + band + i * BANDS, end - 1u);
        let value_i = v_SGCD[(head * C + at_i) * COLUMNS + column];
#end
#repeat e EACH
        var product_e = vec4(0.0);
#end
        for (var d = part; d < D; d += PARTS) {
            let k = vec4<f32>(k_SGPDL[((head * P + page) * D + d) * QUADS + quad]);
#repeat e EACH
            product_e += queries[e * D + d] * k;
#end
        }
#repeat e EACH
        parts[(part * EACH + e) * QUADS + quad] = product_e;
#end
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
#repeat e EACH
        var highest_e = scores[e * QUADS];
        for (var i = 1u; i < QUADS; i++) {
            highest_e = max(highest_e, scores[e * QUADS + i]);
        }
        let now_e = max(
            max(greatest_e, max(highest_e.x, highest_e.y)), max(highest_e.z, highest_e.w)
        );
        let shrink_e = exp(greatest_e - now_e);
        greatest_e = now_e;
        sum_e *= shrink_e;
        total_e *= shrink_e;
#end
#repeat i STEPS
        let l_i = band + i * BANDS;
        if (l_i < L && page * L + l_i >= first && page * L + l_i < end) {
            let v_i = vec4<f32>(value_i);
#repeat e EACH
            let weight_e = exp(scores[e * QUADS + l_i / 4u][l_i & 3u] - greatest_e);
            total_e += weight_e;
            sum_e += weight_e * v_i;
#end
        }
#end
    }
#repeat e EACH
    workgroupBarrier();
    parts[lane] = sum_e;
    part_totals[lane] = total_e;
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
            split_sums[row * SPLITS + split] = vec2(greatest_e, total);
        }
#endif
    }
#end
}
