// Activation functions that stay exact at both ends of the exponential.

fn silu(x: f32) -> f32 {
    return x / (1.0 + exp(-max(x, -80.0)));
}

// Drivers compute tanh by exponentials that overflow from about 44 on.
fn safe_tanh(x: f32) -> f32 {
    return tanh(clamp(x, -15.0, 15.0));
}

fn gelu_of(x: f32) -> f32 {
    return 0.5 * x * (1.0 + safe_tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-max(x, -80.0)));
}

// The derivative of gelu_of.
fn gelu_slope(x: f32) -> f32 {
    let t = safe_tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
    let inner = 0.7978845608028654 * (1.0 + 0.134145 * x * x);
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
}
