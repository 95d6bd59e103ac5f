import agegender  # noqa: F401 - first, as it turns ONNX Runtime's telemetry off
