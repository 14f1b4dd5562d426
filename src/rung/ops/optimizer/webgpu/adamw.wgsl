// w −= lr · (m̂ / (√v̂ + ε) + decay · w), and both moments: one thread a value, or four.
// N values, VALUES of a thread; Value is f32 or a vector of them

var<storage, read_write> w_N: array<Value>;
var<storage, read_write> m_N: array<Value>;
var<storage, read_write> v_N: array<Value>;
var<storage, read> g_N: array<Value>;
var<storage, read> factor_F: array<f32>;
var<storage, read> numbers_P: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= N / VALUES) {
        return;
    }
    let beta1 = numbers_P[BETA1];
    let beta2 = numbers_P[BETA2];
    let g = g_N[i] * factor_F[1];
    let m = beta1 * m_N[i] + (1.0 - beta1) * g;
    let v = beta2 * v_N[i] + (1.0 - beta2) * g * g;
    let w = w_N[i];
    var step = m / numbers_P[CORRECTION1]
        / (sqrt(v / numbers_P[CORRECTION2]) + Value(numbers_P[EPSILON]));
#if decays
    step += numbers_P[WEIGHT_DECAY] * w;
#endif
    m_N[i] = m;
    v_N[i] = v;
    w_N[i] = w - numbers_P[LEARNING_RATE] * step;
}
