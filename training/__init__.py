"""From gold to a registered model, with scores that can be believed."""

import os

# ONNX Runtime tells its maker what it runs, unless it is told not to before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
