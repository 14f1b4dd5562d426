// y = softmax(scale · q · kᵀ) · v over tokens 0 … t, and lse, the log of the softmax's sum: one
// workgroup BLOCK tokens of a head, a page of PAGE keys at a time.
// B sequences, T tokens of each, H query heads, G key/value heads, D head width, M = H + 2G
//
// A thread makes the scores of four queries with four keys, then sums EACH fours of values for its
// queries. Keys and then values of a page take turns in workgroup memory. Rows of four are a GROUPS or
// QUADS apart, so that what neighbors read lies in neighboring rows, whose pitch is odd: no two of
// them meet in a bank. Source of keeping scores on chip: Dao et al., FlashAttention, 2022.

var<storage, read> qkv_BTMD: array<vec4<f32>>;
var<storage, read_write> lse_BHT: array<f32>;
var<storage, read_write> y_BTHD: array<vec4<f32>>;

const COLUMNS = D / 4u;
const PITCH = COLUMNS + 1u - COLUMNS % 2u;
const QUADS = PAGE / 4u;
const GROUPS = BLOCK / 4u;
const THREADS = QUADS * GROUPS;

var<workgroup> queries: array<vec4<f32>, BLOCK * PITCH>;
var<workgroup> page_rows: array<vec4<f32>, PAGE * PITCH>;
var<workgroup> weights: array<vec4<f32>, PAGE * GROUPS>;
var<workgroup> reduced: array<vec4<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let length = tokens();
    let h = group.x % H;
    let first = group.x / H * length; // of the sequence
    let head = H + h * G / H;
    // The last tokens see most: they come first, so that no workgroup with much to do comes late.
    let start = (groups.y - 1u - group.y) * BLOCK;
    let end = min(start + BLOCK, length);
    for (var i = lane; i < BLOCK * COLUMNS; i += THREADS) {
        let token = first + min(start + i / COLUMNS, length - 1u);
        queries[i / COLUMNS * PITCH + i % COLUMNS] =
            scale * qkv_BTMD[(token * M + h) * COLUMNS + i % COLUMNS];
    }
    let quad = lane % QUADS;
    let mine = lane / QUADS;
    let fours = vec4(0u, 1u, 2u, 3u);
    let t = vec4(start + mine) + GROUPS * fours;
#repeat i EACH
    var sum_i = mat4x4<f32>();
    let column_i = min(quad + i * QUADS, COLUMNS - 1u);
#end
    var totals = vec4(0.0);
    var greatest = vec4(-1e30);
    for (var page = 0u; page < end; page += PAGE) {
        workgroupBarrier();
        for (var i = lane; i < PAGE * COLUMNS; i += THREADS) {
            let token = first + min(page + i / COLUMNS, length - 1u);
            page_rows[i / COLUMNS * PITCH + i % COLUMNS] =
                qkv_BTMD[(token * M + head) * COLUMNS + i % COLUMNS];
        }
        workgroupBarrier();
        var scores = mat4x4<f32>(); // of a query with four keys
        for (var d = 0u; d < COLUMNS; d++) {
#repeat e 4
            let k_e = page_rows[(quad + e * QUADS) * PITCH + d];
#end
#repeat c 4
            let q_c = queries[(mine + c * GROUPS) * PITCH + d];
            scores[c] += vec4(dot(q_c, k_0), dot(q_c, k_1), dot(q_c, k_2), dot(q_c, k_3));
#end
        }
        let j = vec4(page + quad) + QUADS * fours;
        var highest: vec4<f32>;
#repeat c 4
        scores[c] = select(vec4(-1e30), scores[c], j <= vec4(t[c]));
        highest[c] = max(max(scores[c].x, scores[c].y), max(scores[c].z, scores[c].w));
#end
        reduced[lane] = highest;
        workgroupBarrier();
        for (var i = lane; i < PAGE * COLUMNS; i += THREADS) {
            let token = first + min(page + i / COLUMNS, length - 1u);
            page_rows[i / COLUMNS * PITCH + i % COLUMNS] =
                qkv_BTMD[(token * M + head + G) * COLUMNS + i % COLUMNS];
        }
        highest = greatest;
        for (var i = 0u; i < QUADS; i++) {
            highest = max(highest, reduced[mine * QUADS + i]);
        }
        let shrink = exp(greatest - highest);
        greatest = highest;
        totals *= shrink;
#repeat c 4
        scores[c] = exp(scores[c] - highest[c]);
        totals[c] += dot(scores[c], vec4(1.0));
#repeat i EACH
        sum_i[c] *= shrink[c];
#end
#end
        let of_keys = transpose(scores);
#repeat e 4
        weights[(quad + e * QUADS) * GROUPS + mine] = of_keys[e];
#end
        workgroupBarrier();
        for (var l = 0u; l < min(PAGE, end - page); l++) {
            let weight = weights[l * GROUPS + mine];
#repeat i EACH
            let v_i = page_rows[l * PITCH + column_i];
#repeat c 4
            sum_i[c] += weight[c] * v_i;
#end
#end
        }
    }
    workgroupBarrier();
    reduced[lane] = totals;
    workgroupBarrier();
    totals = vec4(0.0);
    for (var i = 0u; i < QUADS; i++) {
        totals += reduced[mine * QUADS + i];
    }
#repeat c 4
    if (t[c] < length) {
#repeat i EACH
        if (quad + i * QUADS < COLUMNS) {
            y_BTHD[((first + t[c]) * H + h) * COLUMNS + column_i] = sum_i[c] / totals[c];
        }
#end
        if (quad == 0u) {
            lse_BHT[(first * H + h * length) + t[c]] = greatest[c] + log(totals[c]);
        }
    }
#end
}
