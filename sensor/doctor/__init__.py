"""The mirror's physician: what a capture tells about the port that made it, and what this machine is fit for."""
