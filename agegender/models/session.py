"""ONNX Runtime sessions."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from agegender.errors import ModelError


def onnx_session(path: Path) -> ort.InferenceSession:
    """Open a CPU session whose `run` may be called from many threads at once.

    It computes in the calling thread: visitors share the cores, and one picture is too little to split.
    Raises `ModelError` if ONNX Runtime cannot run the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # An arena keeps the peak of every concurrent caller: half a gigabyte for four pictures.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3  # errors only
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no narrower class
        raise ModelError(f"{path} is not a model that can be run. Remove it and fetch it again.") from error
