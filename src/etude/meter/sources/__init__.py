"""What counts energy, time and memory: meters, the processes they look at, and the quantities they give."""
