// y = softmax(cap(scale · q · kᵀ)) · v: one workgroup BLOCK tokens of a head, a page of keys at a time.
// T tokens, H query heads, G key/value heads, D head width, C positions, P pages of L positions
//
// A thread makes the scores of four queries with four positions, then sums four values, or several
// fours (EACH), for its four queries. Source of keeping scores on chip: Dao et al., FlashAttention, 2022.

var<storage, read> q_THD: array<f32>;
var<storage, read> k_SGPDL: array<vec4<Element>>;
var<storage, read> v_SGCD: array<vec4<Element>>;
var<storage, read> pos_T: array<i32>;
var<storage, read> slot_T: array<i32>;
var<storage, read_write> y_THD: array<vec4<f32>>;

const QUADS = L / 4u;
const GROUPS = BLOCK / 4u; // of four queries
const THREADS = QUADS * GROUPS;
const COLUMNS = D / 4u;

var<workgroup> queries: array<vec4<f32>, D * GROUPS>;
var<workgroup> weights: array<vec4<f32>, L * GROUPS>;
var<workgroup> reduced: array<vec4<f32>, THREADS>;
var<workgroup> firsts: array<u32, BLOCK>; // what a token sees, and whose it is
var<workgroup> ends: array<u32, BLOCK>;
var<workgroup> slots: array<u32, BLOCK>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let h = group.x;
    // The last tokens see most: they come first, so that no workgroup with much to do comes late.
    let start = (groups.y - 1u - group.y) * BLOCK;
    let count = min(BLOCK, tokens() - start);
    if (lane < BLOCK) {
        let t = min(start + lane, tokens() - 1u);
        let end = u32(pos_T[t]) + 1u;
        slots[lane] = u32(slot_T[t]);
        ends[lane] = end;
        firsts[lane] = 0u;
        if (window > 0u && end > window) {
            firsts[lane] = end - window;
        }
    }
    for (var i = lane; i < D * GROUPS; i += THREADS) {
        let d = i % D;
        var four: vec4<f32>;
        for (var b = 0u; b < 4u; b++) {
            let t = min(start + i / D * 4u + b, tokens() - 1u);
            four[b] = scale * q_THD[(t * H + h) * D + d];
        }
        queries[d * GROUPS + i / D] = four;
    }
    workgroupBarrier();
    let quad = lane % QUADS;
    let mine = lane / QUADS;
#repeat i EACH
    var sum_i = mat4x4<f32>();
#end
    var totals = vec4(0.0);
    var greatest = vec4(-1e30);
    // Neighboring tokens of one slot go through its keys together.
    var run = 0u;
    while (run < count) {
        var low = firsts[run];
        var high = ends[run];
        var stop = run + 1u;
        while (stop < count && slots[stop] == slots[run]) {
            low = min(low, firsts[stop]);
            high = max(high, ends[stop]);
            stop++;
        }
        let head = slots[run] * G + h / (H / G);
        let m = mine * 4u;
        let b = vec4(m) + vec4(0u, 1u, 2u, 3u);
        let is_mine = (b >= vec4(run)) & (b < vec4(stop));
        let first = vec4(firsts[m], firsts[m + 1u], firsts[m + 2u], firsts[m + 3u]);
        let own_end = vec4(ends[m], ends[m + 1u], ends[m + 2u], ends[m + 3u]);
        let end = select(vec4(0u), own_end, is_mine);
        run = stop;
        for (var page = low / L; page * L < high; page++) {
            var scores = mat4x4<f32>();
            // Four at a time, so that four loads are on their way.
            for (var d = 0u; d < D; d += 4u) {
                let at_d = ((head * P + page) * D + d) * QUADS + quad;
#repeat j 4
                let k_j = vec4<f32>(k_SGPDL[at_d + j * QUADS]);
#end
#repeat j 4
                let q_j = queries[(d + j) * GROUPS + mine];
#repeat c 4
                scores[c] += q_j[c] * k_j;
#end
#end
            }
            let at = vec4(page * L + quad * 4u) + vec4(0u, 1u, 2u, 3u);
            var highest: vec4<f32>;
#repeat c 4
            var score_c = scores[c];
            if (softcap > 0.0) {
                let capped_c = clamp(score_c / max(softcap, 1e-30), vec4(-15.0), vec4(15.0));
                score_c = softcap * tanh(capped_c);
            }
            let seen_c = (at >= vec4(first[c])) & (at < vec4(end[c]));
            score_c = select(vec4(-1e30), score_c, seen_c);
            highest[c] = max(max(score_c.x, score_c.y), max(score_c.z, score_c.w));
#end
            reduced[lane] = highest;
            workgroupBarrier();
            for (var i = 0u; i < QUADS; i++) {
                highest = max(highest, reduced[mine * QUADS + i]);
            }
            highest = max(highest, greatest);
            let shrink = exp(greatest - highest);
            greatest = highest;
            totals *= shrink;
#repeat c 4
            score_c = select(vec4(0.0), exp(score_c - vec4(highest[c])), seen_c);
#repeat i EACH
            sum_i[c] *= shrink[c];
#end
#end
#repeat j 4
            let weight_j = vec4(score_0[j], score_1[j], score_2[j], score_3[j]);
            totals += weight_j;
            weights[(quad * 4u + j) * GROUPS + mine] = weight_j;
#end
            workgroupBarrier();
            // What is too many weighs nothing: it must only be a number.
            let last = min(high - page * L, L);
            for (var l = (max(low, page * L) - page * L) & ~3u; l < last; l += 4u) {
#repeat j 4
                let weight_j = weights[(l + j) * GROUPS + mine];
                let row_j = head * C + clamp(page * L + l + j, low, high - 1u);
#end
#repeat i EACH
                let column_i = min(quad + i * QUADS, COLUMNS - 1u);
#repeat j 4
                let v_i_j = vec4<f32>(v_SGCD[row_j * COLUMNS + column_i]);
#end
#repeat j 4
#repeat c 4
                sum_i[c] += weight_j[c] * v_i_j;
#end
#end
#end
            }
            workgroupBarrier();
        }
    }
    reduced[lane] = totals;
    workgroupBarrier();
    totals = vec4(0.0);
    for (var i = 0u; i < QUADS; i++) {
        totals += reduced[mine * QUADS + i];
    }
#repeat i EACH
    let column_i = quad + i * QUADS;
    for (var c = 0u; c < 4u; c++) {
        let t = start + mine * 4u + c;
        if (t < tokens() && column_i < COLUMNS) {
            y_THD[(t * H + h) * COLUMNS + column_i] = sum_i[c] / totals[c];
        }
    }
#end
}
