"""Devices that connect themselves by WebSocket: their door, and the links that this process holds."""
