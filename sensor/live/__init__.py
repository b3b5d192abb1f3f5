"""Live capture around the engine: what it is told, what it loses and why, and how the system runs it."""
