// fn sum_of_workgroup(value, lane) -> f32: the sum over all THREADS threads, for each of them.

var<workgroup> partial_sums: array<f32, THREADS>;

fn sum_of_workgroup(value: f32, lane: u32) -> f32 {
    workgroupBarrier();
    partial_sums[lane] = value;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step /= 2u) {
        if (lane < step) {
            partial_sums[lane] += partial_sums[lane + step];
        }
        workgroupBarrier();
    }
    return partial_sums[0];
}
