"""The mirror's physician: what a capture tells of the port that made it, what this machine is fit for."""
