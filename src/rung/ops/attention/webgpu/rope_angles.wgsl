// y = scale · [cos(pos · freq), sin(pos · freq)]: one thread an angle.
// T tokens, E frequencies, F = 2E

var<storage, read> pos_T: array<i32>;
var<storage, read> freq_E: array<f32>;
var<storage, read_write> y_TF: array<f32>;

// The angle less whole turns. Products whose factors have few bits are exact, also where a driver
// has no fused multiply-add.
fn reduced(angle: f32) -> f32 {
    let turns = round(angle * 0.15915494309189535);
    // 2π in three parts: 201 / 2⁵, 2029 / 2²⁰, and the rest.
    return ((angle - turns * 6.28125) - turns * 0.0019350051879882812) - turns * 3.0199159819597e-7;
}

// pos · freq less whole turns: both in parts of 12 bits, each product reduced by itself.
fn angle_of(pos: u32, freq: f32) -> f32 {
    let high = bitcast<f32>(bitcast<u32>(freq) & 0xfffff000u);
    let thousands = f32(pos & 0xfffff000u);
    let ones = f32(pos & 0xfffu);
    return reduced(thousands * high) + reduced(ones * high) + f32(pos) * (freq - high);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= E * tokens()) {
        return;
    }
    let t = i / E;
    let e = i % E;
    let angle = angle_of(u32(pos_T[t]), freq_E[e]);
    y_TF[t * F + e] = scale * cos(angle);
    y_TF[t * F + E + e] = scale * sin(angle);
}
