import agegender  # noqa: F401 - first, because it turns ONNX Runtime's telemetry off
