// Σ_c left(i, c) · right(c, k) for i < outputs(), k < K, c < depth(): a workgroup has a tile of BI × BK
// sums, a thread TI × TK of them, in registers.
//
// The file that includes it says where values are: left_block(i, c), four outputs for each of four c;
// right_four(c, k); store(i, k, sums). Tiles of both go through workgroup memory, DEEP values of c at
// a time, while the next ones are on their way to registers. Each value of c is an outer product: what
// is read of a tile are fours of neighbors. SPLIT teams of threads take turns along c where a tile has
// too few sums to keep a processor busy.

const ACROSS = BK / TK;
const DOWN = BI / TI;
const TEAM = ACROSS * DOWN;
const THREADS = TEAM * SPLIT;
const LEFT_PITCH = BI / 4u + 1u;
const RIGHT_PITCH = BK / 4u + 1u;
const BLOCKS = DEEP / 4u;
var<workgroup> left_tile: array<vec4<f32>, DEEP * LEFT_PITCH>;
var<workgroup> right_tile: array<vec4<f32>, DEEP * RIGHT_PITCH>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first_column = group.x * BK;
    let first_output = group.y * BI;
    let team = thread / TEAM;
    let member = thread % TEAM;
    // 32 neighbors are 8 × 4: what they read is then 8 and 4 vec4s, each in one go.
    let block = member / 32u;
    let across = member % 8u + block % (ACROSS / 8u) * 8u;
    let down = member / 8u % 4u + block / (ACROSS / 8u) * 4u;
#repeat i FOURS_I
#repeat e 4
#repeat k FOURS_K
    var sum_i_e_k = vec4<f32>();
#end
#end
#end
#repeat b LEFT_EACH
    var left_next_b = mat4x4<f32>();
#end
#repeat b RIGHT_EACH
    var right_next_b = vec4<f32>();
#end
    for (var start = 0u; start < depth() + DEEP; start += DEEP) {
        if (start < depth()) {
#repeat b LEFT_EACH
            {
                let at = thread + b * THREADS;
#if TURNED
                let c = start + at % BLOCKS * 4u;
                let i = first_output + at / BLOCKS * 4u;
#else
                let c = start + at / (BI / 4u) * 4u;
                let i = first_output + at % (BI / 4u) * 4u;
#endif
                left_next_b = mat4x4<f32>();
                if (at < BLOCKS * (BI / 4u) && c < depth()) {
                    left_next_b = left_block(i, c);
#repeat e 4
                    left_next_b[e] = select(vec4<f32>(), left_next_b[e], c + e < depth());
#end
                }
            }
#end
#repeat b RIGHT_EACH
            {
                let at = thread + b * THREADS;
                let c = start + at / (BK / 4u);
                let k = first_column + at % (BK / 4u) * 4u;
                right_next_b = vec4<f32>();
                if (at < DEEP * (BK / 4u) && c < depth() && k < K) {
                    right_next_b = right_four(c, k);
                }
            }
#end
        }
        if (start > 0u) {
            for (var c = team; c < DEEP; c += SPLIT) {
#repeat k FOURS_K
                let right_k = right_tile[c * RIGHT_PITCH + across + k * ACROSS];
#end
#repeat i FOURS_I
                let left_i = left_tile[c * LEFT_PITCH + down + i * DOWN];
#repeat e 4
#repeat k FOURS_K
                sum_i_e_k = fma(vec4(left_i[e]), right_k, sum_i_e_k);
#end
#end
#end
            }
        }
        workgroupBarrier();
        if (start < depth()) {
#repeat b LEFT_EACH
            {
                let at = thread + b * THREADS;
#if TURNED
                let c = at % BLOCKS * 4u;
                let i = at / BLOCKS;
#else
                let c = at / (BI / 4u) * 4u;
                let i = at % (BI / 4u);
#endif
                if (at < BLOCKS * (BI / 4u)) {
#repeat e 4
                    left_tile[(c + e) * LEFT_PITCH + i] = left_next_b[e];
#end
                }
            }
#end
#repeat b RIGHT_EACH
            {
                let at = thread + b * THREADS;
                if (at < DEEP * (BK / 4u)) {
                    right_tile[at / (BK / 4u) * RIGHT_PITCH + at % (BK / 4u)] = right_next_b;
                }
            }
#end
        }
        workgroupBarrier();
    }
#if TEAMS
    // The tiles' memory is free now.
    for (var other = 1u; other < SPLIT; other++) {
#repeat i FOURS_I
#repeat e 4
        if (team == other) {
#repeat k FOURS_K
            left_tile[k * TEAM + member] = sum_i_e_k;
#end
        }
        workgroupBarrier();
        if (team == 0u) {
#repeat k FOURS_K
            sum_i_e_k += left_tile[k * TEAM + member];
#end
        }
        workgroupBarrier();
#end
#end
    }
    if (team > 0u) {
        return;
    }
#endif
#repeat i FOURS_I
#repeat e 4
    {
        let at = first_output + (down + i * DOWN) * 4u + e;
        if (at < outputs()) {
#repeat k FOURS_K
            store(at, first_column + (across + k * ACROSS) * 4u, sum_i_e_k);
#end
        }
    }
#end
#end
}
