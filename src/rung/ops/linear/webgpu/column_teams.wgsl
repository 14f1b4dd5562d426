// Sums of COLUMNS columns over EACH rows, by TEAMS of threads that take turns: of x, or FROM_RUNS of
// those sums that workgroups left TO_RUNS, one row a run. The last are added to what is there where `add`.
// T tokens, N columns

#if FROM_RUNS
var<storage, read_write> runs: array<f32>;
#else
var<storage, read> x_TN: array<f32>;
#endif
#if TO_RUNS
var<storage, read_write> runs: array<f32>;
#else
var<storage, read_write> sums_N: array<f32>;
#endif

const THREADS = COLUMNS * TEAMS;
var<workgroup> partial_sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let n = group.x * COLUMNS + thread % COLUMNS;
    let column = min(n, N - 1u);
    let start = group.y * EACH;
    var sum = 0.0;
#if FROM_RUNS
    for (var row = thread / COLUMNS; row < EACH; row += TEAMS) {
        sum += runs[row * N + column];
    }
#else
    let end = min(start + EACH, tokens());
    for (var row = start + thread / COLUMNS; row < end; row += TEAMS) {
        sum += x_TN[row * N + column];
    }
#endif
    partial_sums[thread] = sum;
    workgroupBarrier();
    for (var step = TEAMS / 2u; step > 0u; step /= 2u) {
        if (thread < step * COLUMNS) {
            partial_sums[thread] += partial_sums[thread + step * COLUMNS];
        }
        workgroupBarrier();
    }
    if (thread >= COLUMNS || n >= N) {
        return;
    }
    sum = partial_sums[thread];
#if TO_RUNS
    runs[group.y * N + n] = sum;
#else
#if add
    sum += sums_N[n];
#endif
    sums_N[n] = sum;
#endif
}
