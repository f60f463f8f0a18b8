"""The Qt dashboard, the only room that knows Qt; in a process of its own, fed by shared memory."""
