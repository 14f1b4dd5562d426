"""The GPU through WebGPU: Metal on a Mac, Vulkan on Linux and Windows, DirectX 12 on Windows."""
