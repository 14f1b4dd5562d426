// fn max_of_workgroup(value, lane) -> f32: the greatest of all THREADS threads, for each of them.

var<workgroup> partial_maxima: array<f32, THREADS>;

fn max_of_workgroup(value: f32, lane: u32) -> f32 {
    workgroupBarrier();
    partial_maxima[lane] = value;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step /= 2u) {
        if (lane < step) {
            partial_maxima[lane] = max(partial_maxima[lane], partial_maxima[lane + step]);
        }
        workgroupBarrier();
    }
    return partial_maxima[0];
}
