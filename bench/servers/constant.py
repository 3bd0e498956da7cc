"""FastAPI at its fastest: a constant reply of the size of a prediction's."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

app = FastAPI()
SHARES = {
    "Spruce/Fir": 0.02, "Lodgepole Pine": 0.09, "Ponderosa Pine": 0.0, "Cottonwood/Willow": 0.0,
    "Aspen": 0.89, "Douglas-fir": 0.0, "Krummholz": 0.0,
}  # fmt: skip
REPLY = {
    "request_id": "8d0ec11f5a264c0e8db9159a7d6a137e",
    "model": {"name": "canopy-covertype", "version": "1", "snapshot_id": "7"},
    "predictions": [{"cover_type": 4, "cover_type_name": "Aspen", "probabilities": SHARES, "flags": []}],
}


@app.post("/v1/predictions")
async def predict() -> dict[str, Any]:
    """Returns what a prediction would look like."""
    return REPLY


@app.get("/live")
async def live() -> dict[str, str]:
    """Answers whoever waits for it."""
    return {"status": "live"}
