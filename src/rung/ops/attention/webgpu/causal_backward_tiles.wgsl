// dq, or dk and dv where KEYS, with p = exp(scale · q · kᵀ − lse) and ds = p · (dy · vᵀ − along):
// dq = scale · ds · k; dk = scale · dsᵀ · q; dv = pᵀ · dy. One workgroup BLOCK tokens of a head, a page
// of PAGE tokens on the other side at a time.
// B sequences, T tokens of each, H query heads, G key/value heads, D head width, M = H + 2G
//
// Both sides are alike: a token has a row that is in its scores (q or k) and one that is in their
// slopes (dy or v). A thread makes four by four of both, then sums EACH fours of values for its four
// tokens. The queries' dispatch leaves along = Σ_D dy · y for the keys'. How rows lie is as in
// causal_tiles.wgsl.

var<storage, read> dy_BTHD: array<vec4<f32>>;
var<storage, read> qkv_BTMD: array<vec4<f32>>;
#if !KEYS
var<storage, read> y_BTHD: array<vec4<f32>>;
#endif
var<storage, read> lse_BHT: array<f32>;
var<storage, read_write> along_BHT: array<f32>;
var<storage, read_write> d_BTMD: array<vec4<f32>>;

const COLUMNS = D / 4u;
const PITCH = COLUMNS + 1u - COLUMNS % 2u;
const QUADS = PAGE / 4u;
const GROUPS = BLOCK / 4u;
const THREADS = QUADS * GROUPS;

var<workgroup> own_scored: array<vec4<f32>, BLOCK * PITCH>;
var<workgroup> own_sloped: array<vec4<f32>, BLOCK * PITCH>;
var<workgroup> page_scored: array<vec4<f32>, PAGE * PITCH>;
var<workgroup> page_sloped: array<vec4<f32>, PAGE * PITCH>;
var<workgroup> slopes: array<vec4<f32>, PAGE * GROUPS>;
#if KEYS
var<workgroup> weights: array<vec4<f32>, PAGE * GROUPS>;
#else
var<workgroup> alongs: array<f32, BLOCK>;
#endif

fn packed(token: u32, head: u32, column: u32) -> vec4<f32> {
    return qkv_BTMD[(token * M + head) * COLUMNS + column];
}

fn of_output(token: u32, h: u32, column: u32) -> vec4<f32> {
    return dy_BTHD[(token * H + h) * COLUMNS + column];
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let length = tokens();
    // The first keys are seen by most, the last queries see most: these come first.
#if KEYS
    let g = group.x % G;
    let first = group.x / G * length; // of the sequence
    let start = group.y * BLOCK;
    let first_head = g * (H / G);
    let heads_end = first_head + H / G;
    let from_page = start;
    let end = length;
#else
    let first = group.x / H * length;
    let start = (groups.y - 1u - group.y) * BLOCK;
    let first_head = group.x % H;
    let heads_end = first_head + 1u;
    let g = first_head * G / H;
    let from_page = 0u;
    let end = min(start + BLOCK, length);
#endif
    for (var i = lane; i < BLOCK * COLUMNS; i += THREADS) {
        let token = first + min(start + i / COLUMNS, length - 1u);
        let column = i % COLUMNS;
        let at = i / COLUMNS * PITCH + column;
#if KEYS
        own_scored[at] = packed(token, H + g, column);
        own_sloped[at] = packed(token, H + G + g, column);
#else
        own_scored[at] = packed(token, first_head, column);
        own_sloped[at] = of_output(token, first_head, column);
#endif
    }
    let quad = lane % QUADS;
    let mine = lane / QUADS;
    let fours = vec4(0u, 1u, 2u, 3u);
    let own = vec4(start + mine) + GROUPS * fours;
#if !KEYS
    workgroupBarrier();
    let row_start = (first * H + first_head * length);
    for (var i = lane; i < BLOCK; i += THREADS) {
        let t = min(start + i, length - 1u);
        var along = 0.0;
        for (var d = 0u; d < COLUMNS; d++) {
            let y = y_BTHD[((first + t) * H + first_head) * COLUMNS + d];
            along += dot(own_sloped[i * PITCH + d], y);
        }
        alongs[i] = along;
        if (start + i < length) {
            along_BHT[row_start + t] = along;
        }
    }
    workgroupBarrier();
#repeat c 4
    let along_c = alongs[mine + c * GROUPS];
    let lse_c = lse_BHT[row_start + min(own[c], length - 1u)];
#end
#endif
#repeat i EACH
    let column_i = min(quad + i * QUADS, COLUMNS - 1u);
    var d_scored_i = mat4x4<f32>();
#if KEYS
    var d_sloped_i = mat4x4<f32>();
#endif
#end
    for (var h = first_head; h < heads_end; h++) {
        for (var page = from_page; page < end; page += PAGE) {
            workgroupBarrier();
            for (var i = lane; i < PAGE * COLUMNS; i += THREADS) {
                let token = first + min(page + i / COLUMNS, length - 1u);
                let column = i % COLUMNS;
                let at = i / COLUMNS * PITCH + column;
#if KEYS
                page_scored[at] = packed(token, h, column);
                page_sloped[at] = of_output(token, h, column);
#else
                page_scored[at] = packed(token, H + g, column);
                page_sloped[at] = packed(token, H + G + g, column);
#endif
            }
            workgroupBarrier();
            var p = mat4x4<f32>(); // of an own token with four of the page: first scores
            var ds = mat4x4<f32>();
            for (var d = 0u; d < COLUMNS; d++) {
#repeat e 4
                let scored_e = page_scored[(quad + e * QUADS) * PITCH + d];
                let sloped_e = page_sloped[(quad + e * QUADS) * PITCH + d];
#end
#repeat c 4
                {
                    let a = own_scored[(mine + c * GROUPS) * PITCH + d];
                    let b = own_sloped[(mine + c * GROUPS) * PITCH + d];
                    p[c] += vec4(dot(a, scored_0), dot(a, scored_1), dot(a, scored_2), dot(a, scored_3));
                    ds[c] += vec4(dot(b, sloped_0), dot(b, sloped_1), dot(b, sloped_2), dot(b, sloped_3));
                }
#end
            }
            let others = vec4(page + quad) + QUADS * fours;
#if KEYS
            let row = vec4(first * H + h * length) + min(others, vec4(length - 1u));
            let lse = vec4(lse_BHT[row.x], lse_BHT[row.y], lse_BHT[row.z], lse_BHT[row.w]);
            let along = vec4(along_BHT[row.x], along_BHT[row.y], along_BHT[row.z], along_BHT[row.w]);
#repeat c 4
            let seen_c = (vec4(own[c]) <= others) & (others < vec4(length));
            p[c] = select(vec4(0.0), exp(scale * p[c] - lse), seen_c);
            ds[c] = scale * p[c] * (ds[c] - along);
#end
            let p_turned = transpose(p);
#else
#repeat c 4
            p[c] = select(vec4(0.0), exp(scale * p[c] - lse_c), others <= vec4(own[c]));
            ds[c] = scale * p[c] * (ds[c] - along_c);
#end
#endif
            let ds_turned = transpose(ds);
#repeat e 4
            slopes[(quad + e * QUADS) * GROUPS + mine] = ds_turned[e];
#if KEYS
            weights[(quad + e * QUADS) * GROUPS + mine] = p_turned[e];
#endif
#end
            workgroupBarrier();
            for (var l = 0u; l < min(PAGE, end - page); l++) {
                let slope = slopes[l * GROUPS + mine];
#if KEYS
                let weight = weights[l * GROUPS + mine];
#endif
#repeat i EACH
                let scored_i = page_scored[l * PITCH + column_i];
#if KEYS
                let sloped_i = page_sloped[l * PITCH + column_i];
#endif
#repeat c 4
                d_scored_i[c] += slope[c] * scored_i;
#if KEYS
                d_sloped_i[c] += weight[c] * sloped_i;
#endif
#end
#end
            }
        }
    }
#repeat c 4
    if (own[c] < length) {
        let token_c = (first + own[c]) * M;
#repeat i EACH
        if (quad + i * QUADS < COLUMNS) {
#if KEYS
            d_BTMD[(token_c + H + g) * COLUMNS + column_i] = d_scored_i[c];
            d_BTMD[(token_c + H + G + g) * COLUMNS + column_i] = d_sloped_i[c];
#else
            d_BTMD[(token_c + first_head) * COLUMNS + column_i] = d_scored_i[c];
#endif
        }
#end
    }
#end
}
